//! Notices two routers that use one key: the endpoint jumps there and back again.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The time in which returns are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Returns to the endpoint before in one window that make an alarm. A roaming router goes on to a third endpoint.
const RETURNS: usize = 3;

/// The last endpoint changes of one peer.
#[derive(Debug, Default)]
pub(crate) struct FlapGuard {
    before: Option<SocketAddr>,
    returns: VecDeque<Instant>,
    alarmed: Option<Instant>,
}

impl FlapGuard {
    /// Takes note of a change and returns true if an alarm is due, at most once a window.
    pub(crate) fn moved(&mut self, from: SocketAddr, to: SocketAddr, now: Instant) -> bool {
        let returned = self.before == Some(to);
        self.before = Some(from);
        while self.returns.front().is_some_and(|first| now.saturating_duration_since(*first) > WINDOW) {
            self.returns.pop_front();
        }
        if !returned {
            return false;
        }
        if self.returns.len() == RETURNS {
            self.returns.pop_front();
        }
        self.returns.push_back(now);
        let quiet = self.alarmed.is_none_or(|last| now.saturating_duration_since(last) > WINDOW);
        let due = self.returns.len() >= RETURNS && quiet;
        if due {
            self.alarmed = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an arbitrary starting point for virtual time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn endpoint(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn alarms(ports: &[u16], apart: Duration) -> usize {
        let (mut guard, mut now, mut count) = (FlapGuard::default(), start(), 0);
        for pair in ports.windows(2) {
            now += apart;
            count += usize::from(guard.moved(endpoint(pair[0]), endpoint(pair[1]), now));
        }
        count
    }

    #[test]
    fn there_and_back_three_times_is_an_alarm_once() {
        assert_eq!(alarms(&[1, 2, 1, 2, 1, 2, 1, 2], Duration::from_secs(1)), 1);
    }

    #[test]
    fn roaming_and_slow_returns_are_none() {
        assert_eq!(alarms(&[1, 2, 3, 4, 5, 6, 7, 8], Duration::from_secs(1)), 0);
        assert_eq!(alarms(&[1, 2, 1, 2, 1, 2, 1, 2], Duration::from_secs(40)), 0);
        assert_eq!(alarms(&[1, 2, 1], Duration::from_secs(1)), 0);
    }
}
