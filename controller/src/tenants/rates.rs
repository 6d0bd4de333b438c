//! How often each tenant may ask in a minute, and for how long its requests may keep the database busy: two buckets per tenant, in memory,
//! filled again second by second. Requests alone would not do: one ISP's exports cost as much as another's thousand lists. The clock here
//! is the machine's monotonic one, since a correction of the wall clock must neither open nor close the door.

use super::rules::limits::Limit;
use crate::app::App;
use crate::operators::tokens;
use db::DbError;
use model::TenantId;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Tenants that are remembered at once; beyond that, those whose buckets are full again are forgotten.
const TENANTS_MAX: usize = 4_096;
/// How long a limit that was read is believed: another controller may have changed it.
const BELIEVED: Duration = Duration::from_secs(60);
const MINUTE_S: f64 = 60.0;
/// Seconds of the database's time that a tenant saves up at most: a file of 50,000 customers takes a few.
const SAVED_S: f64 = 30.0;
/// What one long request can take beyond that, in seconds: nobody is shut out for long because a single backup took long.
const DEBT_S: f64 = 5.0;
/// A tenant's part of one core's time, when there are few of them: so a machine with two serves others while one ISP asks all it can.
const LEAST_SHARE: f64 = 0.5;

/// The buckets of all tenants.
#[derive(Debug)]
pub struct Rates {
    per_minute: i64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Seconds of the database's time in a second; without it time is not looked at.
    share: Option<f64>,
    buckets: HashMap<TenantId, Bucket>,
    /// Requests that were let in and are not written down yet.
    counted: HashMap<TenantId, i64>,
    /// Tokens whose holders were told to wait, by their hash.
    closed: HashMap<[u8; 32], Closed>,
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    tenant: TenantId,
    until: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    per_minute: i64,
    left: f64,
    /// Seconds of the database's time.
    time_left: f64,
    filled_at: Instant,
    read_at: Instant,
}

impl Bucket {
    const fn new(per_minute: i64, now: Instant) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a number of requests a minute is far below 2^52")]
        let left = per_minute as f64;
        Self { per_minute, left, time_left: SAVED_S, filled_at: now, read_at: now }
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of requests a minute is far below 2^52")]
    fn fill(&mut self, share: Option<f64>, now: Instant) {
        let full = self.per_minute as f64;
        let passed = now.duration_since(self.filled_at).as_secs_f64();
        self.left = (self.left + passed * full / MINUTE_S).min(full);
        self.time_left = (self.time_left + passed * share.unwrap_or_default()).min(SAVED_S);
        self.filled_at = now;
    }

    /// Takes time out, and says how long to wait if none is left.
    fn spend(&mut self, share: f64, spent: Duration) -> Option<Duration> {
        self.time_left = (self.time_left - spent.as_secs_f64()).max(-DEBT_S);
        (self.time_left <= 0.0).then(|| Duration::from_secs_f64((-self.time_left / share).max(0.01)))
    }

    /// Takes one request out, or says in how many seconds there is one. `spent` is the time of the requests before.
    #[expect(clippy::cast_precision_loss, reason = "a number of requests a minute is far below 2^52")]
    fn take(&mut self, share: Option<f64>, spent: Duration, now: Instant) -> Result<(), Duration> {
        self.fill(share, now);
        if let Some(wait) = share.and_then(|share| self.spend(share, spent)) {
            return Err(wait);
        }
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        let rate = self.per_minute as f64 / MINUTE_S;
        // A limit of nothing at all is asked about again in a minute.
        let wait = if rate > 0.0 { (1.0 - self.left) / rate } else { MINUTE_S };
        Err(Duration::from_secs_f64(wait.min(MINUTE_S)))
    }
}

impl Default for Rates {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new(Limit::ApiRequests.bounds(false).hard).with_share(Self::share_of(cores))
    }
}

impl Rates {
    /// Makes them with what holds for a tenant for which the platform set nothing, in requests a minute.
    #[must_use]
    pub fn new(per_minute: i64) -> Self {
        Self { per_minute, inner: Mutex::default() }
    }

    /// Sets for how many seconds in a second one tenant's requests may keep the database busy, once it has used up what it saved.
    #[must_use]
    pub fn with_share(self, share: f64) -> Self {
        self.set_share(Some(share));
        self
    }

    /// Sets that share while requests come.
    pub fn set_share(&self, share: Option<f64>) {
        let mut inner = self.inner.lock().expect("nobody panics with the lock");
        inner.share = share;
        inner.closed.clear();
    }

    /// Returns the share that a machine with so many cores has for one tenant: what is left serves the others.
    #[must_use]
    pub fn share_of(cores: usize) -> f64 {
        (f64::from(u16::try_from(cores).unwrap_or(u16::MAX)) / 4.0).max(LEAST_SHARE)
    }

    /// Says how long the holder of a token has still to wait who was told to.
    ///
    /// # Errors
    /// When there is something left to wait.
    pub fn still_closed(&self, token: &str) -> Result<(), Duration> {
        let Some((_, hash)) = tokens::recognise(token) else { return Ok(()) };
        self.closed_at(&hash, Instant::now())
    }

    fn closed_at(&self, hash: &[u8; 32], now: Instant) -> Result<(), Duration> {
        let mut inner = self.inner.lock().expect("nobody panics with the lock");
        match inner.closed.get(hash).map(|closed| closed.until.saturating_duration_since(now)) {
            Some(Duration::ZERO) => {
                inner.closed.remove(hash);
                Ok(())
            }
            Some(wait) => Err(wait),
            None => Ok(()),
        }
    }

    fn close(&self, hash: [u8; 32], tenant: TenantId, until: Instant, now: Instant) {
        let mut inner = self.inner.lock().expect("nobody panics with the lock");
        if inner.closed.len() >= TENANTS_MAX {
            inner.closed.retain(|_, closed| closed.until > now);
        }
        if inner.closed.len() < TENANTS_MAX {
            inner.closed.insert(hash, Closed { tenant, until });
        }
    }

    /// Counts a request of a tenant and lets it in, or says how long to wait; until then the token's holder is told so without another look.
    ///
    /// # Errors
    /// When the tenant's limit cannot be read.
    pub async fn take(&self, app: &App, tenant: TenantId, token: &str) -> Result<Result<(), Duration>, DbError> {
        let now = Instant::now();
        if !self.knows(tenant, now) {
            let per_minute = app.db.locator().request_limit(tenant).await?.unwrap_or(self.per_minute);
            self.learn(tenant, per_minute, now);
        }
        let taken = self.take_at(tenant, app.db.take_spent(tenant), now);
        if let (Err(wait), Some((_, hash))) = (&taken, tokens::recognise(token)) {
            self.close(hash, tenant, now + *wait, now);
        }
        Ok(taken)
    }

    /// Lets others in before the next part of a long answer: if the tenant has used up its time, it waits for some, once.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn let_others(&self, app: &App, tenant: TenantId) {
        if let Some(wait) = self.time_lacking(tenant, app.db.take_spent(tenant), Instant::now()) {
            tokio::time::sleep(wait).await;
        }
    }

    fn time_lacking(&self, tenant: TenantId, spent: Duration, now: Instant) -> Option<Duration> {
        let mut inner = self.inner.lock().expect("nobody panics with the lock");
        let share = inner.share;
        let bucket = inner.buckets.entry(tenant).or_insert_with(|| Bucket::new(self.per_minute, now));
        bucket.fill(share, now);
        bucket.spend(share?, spent)
    }

    fn knows(&self, tenant: TenantId, now: Instant) -> bool {
        let inner = self.inner.lock().expect("nobody panics with the lock");
        inner.buckets.get(&tenant).is_some_and(|bucket| now.duration_since(bucket.read_at) < BELIEVED)
    }

    fn learn(&self, tenant: TenantId, per_minute: i64, now: Instant) {
        let mut inner = self.inner.lock().expect("nobody panics with the lock");
        match inner.buckets.get_mut(&tenant) {
            Some(bucket) if bucket.per_minute == per_minute => bucket.read_at = now,
            _ => {
                if inner.buckets.len() >= TENANTS_MAX {
                    inner.buckets.retain(|_, bucket| now.duration_since(bucket.filled_at) < Duration::from_secs(60));
                }
                inner.buckets.insert(tenant, Bucket::new(per_minute, now));
            }
        }
    }

    fn take_at(&self, tenant: TenantId, spent: Duration, now: Instant) -> Result<(), Duration> {
        let mut inner = self.inner.lock().expect("nobody panics with the lock");
        let share = inner.share;
        let bucket = inner.buckets.entry(tenant).or_insert_with(|| Bucket::new(self.per_minute, now));
        bucket.take(share, spent, now)?;
        *inner.counted.entry(tenant).or_default() += 1;
        Ok(())
    }

    /// Returns how many of a tenant's requests are out of its bucket now.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "what is left lies between 0 and the limit")]
    pub fn used(&self, tenant: TenantId) -> i64 {
        let mut inner = self.inner.lock().expect("nobody panics with the lock");
        let share = inner.share;
        inner.buckets.get_mut(&tenant).map_or(0, |bucket| {
            bucket.fill(share, Instant::now());
            bucket.per_minute - bucket.left as i64
        })
    }

    /// Reads a tenant's limit anew with its next request.
    pub fn forget(&self, tenant: TenantId) {
        let mut inner = self.inner.lock().expect("nobody panics with the lock");
        inner.buckets.remove(&tenant);
        inner.closed.retain(|_, closed| closed.tenant != tenant);
    }

    /// Hands out what was counted since the last time.
    pub(super) fn drain(&self) -> HashMap<TenantId, i64> {
        std::mem::take(&mut self.inner.lock().expect("nobody panics with the lock").counted)
    }

    /// Takes back what could not be written down.
    pub(super) fn give_back(&self, tenant: TenantId, count: i64) {
        *self.inner.lock().expect("nobody panics with the lock").counted.entry(tenant).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bucket_empties_and_fills_again() {
        let rates = Rates::new(60);
        let now = Instant::now();
        rates.learn(tenant(1), 60, now);
        assert!((0..60).all(|_| rates.take_at(tenant(1), Duration::ZERO, now).is_ok()), "a minute's worth at once");
        let wait = rates.take_at(tenant(1), Duration::ZERO, now).expect_err("nothing is left");
        assert!((Duration::from_millis(900)..=Duration::from_secs(1)).contains(&wait), "{wait:?}");
        assert_eq!(rates.take_at(tenant(2), Duration::ZERO, now), Ok(()), "another tenant has its own");
        assert_eq!(rates.take_at(tenant(1), Duration::ZERO, now + Duration::from_secs(1)), Ok(()));
        assert!(rates.take_at(tenant(1), Duration::ZERO, now + Duration::from_secs(1)).is_err());
        let rested = now + Duration::from_secs(3600);
        assert_eq!(
            (0..100).filter(|_| rates.take_at(tenant(1), Duration::ZERO, rested).is_ok()).count(),
            60,
            "an hour saves up no more"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_keeps_the_database_busy_waits_for_their_share() {
        let rates = Rates::new(6000).with_share(0.5);
        let now = Instant::now();
        let take = |spent_s: u64, after_s: u64| {
            rates.take_at(tenant(1), Duration::from_secs(spent_s), now + Duration::from_secs(after_s))
        };
        assert_eq!((take(0, 0), take(29, 0)), (Ok(()), Ok(())), "30 s are saved up");
        assert_eq!(take(2, 0), Err(Duration::from_secs(2)), "a second too much takes two to come back");
        assert_eq!(rates.take_at(tenant(2), Duration::ZERO, now), Ok(()), "another tenant has its own");
        assert!(take(0, 2).is_err() && take(0, 3).is_ok());
        assert_eq!(take(3600, 3), Err(Duration::from_secs(10)), "one long request shuts nobody out for long");
        assert_eq!((take(0, 4000), take(29, 4000)), (Ok(()), Ok(())), "and a rest saves up as much as before");
        assert!(take(2, 4000).is_err());
        // A long answer waits between its parts, and is no request anew.
        drop(rates.drain());
        let lacking = |spent_s: u64| rates.time_lacking(tenant(1), Duration::from_secs(spent_s), now + Duration::from_secs(8000));
        assert_eq!((lacking(29), lacking(2)), (None, Some(Duration::from_secs(2))));
        assert!(rates.drain().is_empty());
        let untimed = Rates::new(10);
        assert_eq!(untimed.time_lacking(tenant(1), Duration::from_secs(3600), now), None);
        assert_eq!(untimed.take_at(tenant(1), Duration::from_secs(3600), now), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_told_to_wait_is_told_again_without_a_look() {
        let rates = Rates::new(10);
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        rates.close([1; 32], tenant(1), now + 2 * second, now);
        rates.close([2; 32], tenant(2), now + 2 * second, now);
        assert_eq!(rates.closed_at(&[1; 32], now + second), Err(second));
        assert_eq!(rates.closed_at(&[3; 32], now + second), Ok(()), "somebody else");
        rates.forget(tenant(2));
        assert_eq!(rates.closed_at(&[2; 32], now + second), Ok(()), "a new limit counts at once");
        assert_eq!(rates.closed_at(&[1; 32], now + 2 * second), Ok(()));
        assert!(rates.inner.lock().expect("no panic").closed.is_empty(), "and nobody is remembered for nothing");
        for number in 0..=TENANTS_MAX as u128 {
            let hash = std::array::from_fn(|at| number.to_le_bytes().get(at).copied().unwrap_or_default());
            rates.close(hash, tenant(number), now + second, now);
        }
        assert_eq!(rates.inner.lock().expect("no panic").closed.len(), TENANTS_MAX);
        rates.close([4; 32], tenant(1), now + 9 * second, now + 2 * second);
        assert_eq!(rates.inner.lock().expect("no panic").closed.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_let_in_is_counted_once() {
        let rates = Rates::new(3);
        let now = Instant::now();
        let let_in = (0..5).filter(|_| rates.take_at(tenant(1), Duration::ZERO, now).is_ok()).count();
        assert_eq!((let_in, rates.used(tenant(1))), (3, 3));
        assert_eq!(rates.drain(), HashMap::from([(tenant(1), 3)]));
        assert!(rates.drain().is_empty());
        rates.give_back(tenant(1), 3);
        assert_eq!(rates.drain(), HashMap::from([(tenant(1), 3)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_read_again_after_a_minute_and_a_new_one_counts_at_once() {
        let rates = Rates::new(10);
        let now = Instant::now();
        assert!(!rates.knows(tenant(1), now));
        rates.learn(tenant(1), 2, now);
        assert!(rates.knows(tenant(1), now + Duration::from_secs(59)));
        assert!(!rates.knows(tenant(1), now + BELIEVED));
        assert!((0..2).all(|_| rates.take_at(tenant(1), Duration::ZERO, now).is_ok()));
        rates.learn(tenant(1), 2, now);
        assert!(rates.take_at(tenant(1), Duration::ZERO, now).is_err(), "reading the same limit again gives nothing back");
        rates.learn(tenant(1), 4, now);
        assert_eq!(rates.take_at(tenant(1), Duration::ZERO, now), Ok(()));
        rates.learn(tenant(1), 0, now);
        assert_eq!(rates.take_at(tenant(1), Duration::ZERO, now), Err(Duration::from_secs(60)), "none at all");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_tenants_are_remembered_than_ask() {
        let rates = Rates::new(10);
        let now = Instant::now();
        for number in 0..TENANTS_MAX as u128 {
            rates.learn(tenant(number), 10, now);
        }
        let later = now + Duration::from_secs(120);
        rates.learn(tenant(u128::MAX), 10, later);
        assert_eq!(rates.inner.lock().expect("no panic").buckets.len(), 1);
    }
}
