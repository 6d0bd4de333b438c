//! For how long each tenant's requests keep the database busy, told while they still do: what is told only at the end lets in as many
//! as ask in the meantime.

use model::TenantId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What one transaction counts for at most: a whole ISP's file that goes out over a slow line keeps a transaction open and nobody busy.
const LONGEST: Duration = Duration::from_secs(5);

/// What is not taken out yet, of each tenant.
#[derive(Clone, Default)]
pub(crate) struct Spent(Arc<Mutex<HashMap<TenantId, Tenant>>>);

#[derive(Default)]
struct Tenant {
    untaken: Duration,
    open: HashMap<u64, Open>,
    next: u64,
}

struct Open {
    began: Instant,
    counted_to: Instant,
}

impl Spent {
    /// Counts from now on until what comes back is dropped.
    pub fn begin(&self, tenant: TenantId) -> Spending {
        let now = Instant::now();
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = tenants.entry(tenant).or_default();
        let number = of.next;
        of.next += 1;
        of.open.insert(number, Open { began: now, counted_to: now });
        Spending { spent: self.clone(), tenant, number }
    }

    /// Takes out what was counted since the last time, also of transactions that are still open.
    pub fn take(&self, tenant: TenantId) -> Duration {
        let now = Instant::now();
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of) = tenants.get_mut(&tenant) else {
            return Duration::ZERO;
        };
        let spent = of.open.values_mut().map(|open| open.count(now)).sum::<Duration>() + of.untaken;
        of.untaken = Duration::ZERO;
        if of.open.is_empty() {
            tenants.remove(&tenant);
        }
        spent
    }

    fn end(&self, tenant: TenantId, number: u64) {
        let now = Instant::now();
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = tenants.get_mut(&tenant)
            && let Some(mut open) = of.open.remove(&number)
        {
            of.untaken += open.count(now);
        }
    }
}

impl Open {
    fn count(&mut self, now: Instant) -> Duration {
        let to = now.min(self.began + LONGEST);
        let more = to.saturating_duration_since(self.counted_to);
        self.counted_to = to;
        more
    }
}

/// One transaction of a tenant's request.
pub(crate) struct Spending {
    spent: Spent,
    tenant: TenantId,
    number: u64,
}

impl Drop for Spending {
    fn drop(&mut self) {
        self.spent.end(self.tenant, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;
    use uuid::Uuid;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_is_still_open_counts_as_it_goes() {
        let spent = Spent::default();
        let [one, other] = [1, 2].map(|number| TenantId::from_uuid(Uuid::from_u128(number)));
        let first = spent.begin(one);
        advance(SECOND).await;
        let second = spent.begin(one);
        advance(SECOND).await;
        assert_eq!((spent.take(one), spent.take(other)), (3 * SECOND, Duration::ZERO), "two side by side count double");
        drop(first);
        advance(SECOND).await;
        drop(second);
        assert_eq!(spent.take(one), SECOND, "each second is counted once");
        assert!(spent.0.lock().expect("no panic").is_empty(), "and nobody is remembered for nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stays_open_counts_for_a_few_seconds() {
        let spent = Spent::default();
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let long = spent.begin(tenant);
        advance(3 * SECOND).await;
        assert_eq!(spent.take(tenant), 3 * SECOND);
        advance(600 * SECOND).await;
        assert_eq!(spent.take(tenant), LONGEST - 3 * SECOND);
        advance(600 * SECOND).await;
        drop(long);
        assert_eq!(spent.take(tenant), Duration::ZERO);
    }
}
