//! How many passwords may be tried from one place. Kept in memory and bounded: it slows guessing, and a restart forgives.

use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Mutex;

/// Attempts from one source at once.
const BURST: i64 = 20;
/// After how long one more attempt is allowed: 20 a minute, also for an office behind one address.
const REFILL: SignedDuration = SignedDuration::from_secs(3);
/// Sources that are remembered.
const SOURCES_MAX: usize = 4096;

/// The sources of late, each with when its allowance is whole again.
#[derive(Default)]
pub struct Throttle {
    full_at: Mutex<HashMap<IpAddr, Timestamp>>,
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Throttle")
    }
}

impl Throttle {
    /// Takes one attempt from a source's allowance; false when there is none left. This machine's own address is let through: it is a
    /// reverse proxy's or the owner's, and what is behind it cannot be told apart; the queue of checks is bounded by itself.
    ///
    /// # Panics
    /// Never: nobody panics with the lock.
    pub fn admit(&self, source: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(source) = source.map(network).filter(|source| !source.is_loopback()) else { return true };
        let mut full_at = self.full_at.lock().expect("nobody panics with the lock");
        if full_at.len() >= SOURCES_MAX && !full_at.contains_key(&source) {
            full_at.retain(|_, full| *full > now);
            if full_at.len() >= SOURCES_MAX {
                // Thousands of places guess at once: whoever is not known yet waits until some have gone.
                return false;
            }
        }
        let full = full_at.entry(source).or_insert(now);
        let after = (*full).max(now) + REFILL;
        let allowed = after.duration_since(now) <= REFILL * i32::try_from(BURST).expect("small");
        if allowed {
            *full = after;
        }
        allowed
    }
}

/// Whoever has one IPv6 address has its /64.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) if address.is_loopback() => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn a_source_has_its_allowance_and_gets_it_back() {
        let (throttle, now) = (Throttle::default(), Timestamp::UNIX_EPOCH);
        let tried = (0..50).filter(|_| throttle.admit(address("192.0.2.1"), now)).count();
        assert_eq!(tried, 20);
        assert!(throttle.admit(address("192.0.2.2"), now), "another place has its own");
        assert!(!throttle.admit(address("192.0.2.1"), now + SignedDuration::from_secs(2)));
        assert!(throttle.admit(address("192.0.2.1"), now + SignedDuration::from_secs(3)));
        let later = now + SignedDuration::from_hours(1);
        assert_eq!((0..50).filter(|_| throttle.admit(address("192.0.2.1"), later)).count(), 20, "no more is saved up");
    }

    #[test]
    fn a_network_of_ipv6_is_one_source_and_this_machine_is_none() {
        let (throttle, now) = (Throttle::default(), Timestamp::UNIX_EPOCH);
        let tried = (0..50).filter(|n| throttle.admit(address(&format!("2001:db8::{n:x}")), now)).count();
        assert_eq!(tried, 20);
        assert!((0..50).all(|_| throttle.admit(address("127.0.0.1"), now) && throttle.admit(address("::1"), now)));
        assert!((0..50).all(|_| throttle.admit(None, now)));
    }

    #[test]
    fn it_remembers_so_many_and_makes_room_when_they_are_quiet() {
        let (throttle, now) = (Throttle::default(), Timestamp::UNIX_EPOCH);
        let many = |from: u32| (0..4096).filter(|n| throttle.admit(Some(Ipv4Addr::from(from + n).into()), now)).count();
        assert_eq!(many(0x0100_0000), 4096);
        assert!(!throttle.admit(address("192.0.2.1"), now), "full");
        assert!(throttle.admit(address("192.0.2.1"), now + REFILL), "the others are quiet again");
        assert_eq!(throttle.full_at.lock().unwrap().len(), 1);
    }
}
