//! How many writes are under way at once: as many as the line holds, and few of them waiting at the router.

use std::time::Duration;

/// Watches answers come, and says how many commands may be under way.
///
/// What is under way is either on the line or waits at the router. The quickest answer so far took about as long as the line alone; of
/// the commands that were under way while a slower one was, so many were on the line as that time is part of the slower one's.
#[derive(Debug)]
pub(super) struct Window {
    /// Commands that may wait at the router.
    waiting: usize,
    /// Commands that may be under way at all.
    most: usize,
    quickest: Duration,
    size: usize,
}

impl Window {
    pub(super) const fn new(waiting: usize, most: usize) -> Self {
        let mut window = Self { waiting, most, quickest: Duration::MAX, size: 0 };
        window.size = window.bounded(waiting);
        window
    }

    /// Returns how many commands may be under way.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Notes that an answer took so long, with so many commands under way, itself among them, when its command left.
    pub(super) fn answered(&mut self, under_way: usize, took: Duration) {
        self.quickest = self.quickest.min(took);
        let nanos = |time: Duration| time.as_nanos().max(1);
        let on_line = under_way as u128 * nanos(self.quickest) / nanos(took);
        self.size = self.bounded(usize::try_from(on_line).expect("no more than are under way") + self.waiting);
    }

    const fn bounded(&self, size: usize) -> usize {
        let size = if size > self.most { self.most } else { size };
        if size == 0 { 1 } else { size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const WAITING: usize = 16;
    const MOST: usize = 256;

    /// A router at the end of a line that takes commands one after another; times in microseconds.
    struct Far {
        round_trip: u64,
        write: u64,
    }

    /// What became of a stream of commands.
    struct Run {
        took: u64,
        most_waiting: usize,
    }

    impl Far {
        /// Sends so many commands as soon as the window lets them out.
        fn run(&self, commands: usize) -> Run {
            let mut window = Window::new(WAITING, MOST);
            // When each left, with how many under way, when it came to the router and when its answer came back.
            let mut under_way: VecDeque<(u64, usize, u64, u64)> = VecDeque::new();
            let (mut now, mut free, mut sent, mut most_waiting) = (0, 0, 0, 0);
            while sent < commands || !under_way.is_empty() {
                while sent < commands && under_way.len() < window.size() {
                    let comes = now + self.round_trip / 2;
                    free = comes.max(free) + self.write;
                    let waiting =
                        under_way.iter().filter(|(.., came, back)| *came <= comes && back - self.round_trip / 2 > comes);
                    most_waiting = most_waiting.max(waiting.count());
                    under_way.push_back((now, under_way.len() + 1, comes, free + self.round_trip / 2));
                    sent += 1;
                }
                let (left, beside, _, back) = under_way.pop_front().expect("something is under way");
                now = back;
                window.answered(beside, Duration::from_micros(now - left));
            }
            Run { took: now, most_waiting }
        }
    }

    #[test]
    fn a_long_line_is_filled() {
        for round_trip in [1_000, 40_000, 100_000, 200_000] {
            let Run { took, most_waiting } = Far { round_trip, write: 1_000 }.run(5_000);
            let least = 5_000 * 1_000 + round_trip;
            assert!(took < least + least / 3, "{round_trip}: {took} of {least}");
            assert!(most_waiting <= WAITING, "{round_trip}: {most_waiting} waited at the router");
        }
    }

    #[test]
    fn a_line_longer_than_allowed_is_used_as_far_as_allowed() {
        let Run { took, most_waiting } = Far { round_trip: 1_000_000, write: 1_000 }.run(5_000);
        let rounds = took / 1_000_000;
        assert!((5_000 / 256..2 * 5_000 / 256).contains(&usize::try_from(rounds).expect("a few")), "{rounds} round trips");
        assert!(most_waiting <= WAITING, "{most_waiting} waited at the router");
    }

    #[test]
    fn a_slow_router_is_not_crowded() {
        for round_trip in [1_000, 100_000] {
            let Run { took, most_waiting } = Far { round_trip, write: 30_000 }.run(500);
            assert!(took <= 500 * 30_000 + 2 * round_trip, "{round_trip}: {took}");
            assert!(most_waiting <= WAITING, "{round_trip}: {most_waiting} waited at the router");
        }
    }

    #[test]
    fn something_is_always_under_way() {
        let mut window = Window::new(0, 0);
        assert_eq!(window.size(), 1);
        window.answered(1, Duration::ZERO);
        window.answered(1, Duration::from_secs(1));
        assert_eq!(window.size(), 1);
    }
}
