//! Token buckets: how much of something may happen, per second and per source.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

/// A rate with a burst (events a second, events at once).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Events a second in the long run.
    pub per_s: u32,
    /// Events at once after a pause.
    pub burst: u32,
}

/// Tokens that come back with time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    tokens: f64,
    refilled: Instant,
}

impl Bucket {
    pub(crate) fn full(rate: Rate, now: Instant) -> Self {
        Self { tokens: f64::from(rate.burst), refilled: now }
    }

    fn refill(&mut self, rate: Rate, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.tokens = (self.tokens + passed * f64::from(rate.per_s)).min(f64::from(rate.burst));
        self.refilled = now;
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> bool {
        self.refill(rate, now);
        let granted = self.tokens >= 1.0;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }
}

/// Sources that are remembered at once; the rest share one bucket, so that forged addresses cost no memory.
const SOURCES_MAX: usize = 4096;

/// A bucket for each source address (IPv6: each /64, which one host can fill).
#[derive(Debug)]
pub(crate) struct SourceBuckets {
    rate: Rate,
    known: HashMap<IpAddr, Bucket>,
    others: Bucket,
}

impl SourceBuckets {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, known: HashMap::new(), others: Bucket::full(rate, now) }
    }

    pub(crate) fn take(&mut self, source: IpAddr, now: Instant) -> bool {
        let key = match source {
            IpAddr::V4(_) => source,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        };
        let rate = self.rate;
        if self.known.len() < SOURCES_MAX || self.known.contains_key(&key) {
            self.known.entry(key).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
        } else {
            self.others.take(rate, now)
        }
    }

    /// Forgets sources whose bucket is full again: forgetting them changes no answer.
    pub(crate) fn forget_full(&mut self, now: Instant) {
        let rate = self.rate;
        self.known.retain(|_, bucket| {
            bucket.refill(rate, now);
            bucket.tokens < f64::from(rate.burst)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    #[expect(clippy::disallowed_methods, reason = "an arbitrary starting point for virtual time")]
    fn start() -> Instant {
        Instant::now()
    }

    const RATE: Rate = Rate { per_s: 10, burst: 20 };

    #[test]
    fn a_burst_then_the_rate() {
        let now = start();
        let mut bucket = Bucket::full(RATE, now);
        assert_eq!((0..100).filter(|_| bucket.take(RATE, now)).count(), 20);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| bucket.take(RATE, later)).count(), 10);
    }

    #[test]
    fn one_source_does_not_starve_another() {
        let now = start();
        let mut buckets = SourceBuckets::new(RATE, now);
        let (a, b) = (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));
        assert_eq!((0..100).filter(|_| buckets.take(a, now)).count(), 20);
        assert!(buckets.take(b, now));
    }

    #[test]
    fn forged_sources_cost_no_memory() {
        let now = start();
        let mut buckets = SourceBuckets::new(RATE, now);
        for number in 0..100_000u32 {
            buckets.take(IpAddr::V4(Ipv4Addr::from(number)), now);
        }
        assert_eq!(buckets.known.len(), SOURCES_MAX);
        buckets.forget_full(now + Duration::from_secs(2));
        assert!(buckets.known.is_empty());
    }

    #[test]
    fn one_host_cannot_use_its_whole_64() {
        let now = start();
        let mut buckets = SourceBuckets::new(RATE, now);
        let granted =
            (0..100u128).filter(|host| buckets.take(IpAddr::V6(Ipv6Addr::from((0x2001_0db8u128 << 96) | host)), now)).count();
        assert_eq!(granted, 20);
    }
}
