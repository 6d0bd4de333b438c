//! When a time of silence is an outage, and how long something was up. Pure.

pub(super) mod diagnosis;

use super::Ending;
use jiff::{SignedDuration, Timestamp};

/// What is known of somebody who is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// There, since then.
    There(Timestamp),
    /// Away, since then.
    Away(Timestamp),
    /// Nobody is owed anything now: not paid, switched off, or gone.
    NotOwed,
    /// It is not known.
    Unknown,
}

/// What follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// An outage began then.
    Open(Timestamp),
    /// The open outage ended then.
    Close(Timestamp, Ending),
}

/// Goes one step: `open` is since when an outage is open. One and the same for routers and customers; who is away for less than
/// `debounce` is not out.
pub(super) fn step(open: Option<Timestamp>, evidence: Evidence, debounce: SignedDuration, now: Timestamp) -> Step {
    match (open, evidence) {
        (None, Evidence::Away(since)) if now.duration_since(since) >= debounce => Step::Open(since.min(now)),
        // An end never lies before the beginning: who turns out to have been there all along was out for no time.
        (Some(began), Evidence::There(since)) => Step::Close(since.min(now).max(began), Ending::Back),
        (Some(began), Evidence::NotOwed) => Step::Close(now.max(began), Ending::NotOwed),
        (None, _) | (Some(_), Evidence::Away(_) | Evidence::Unknown) => Step::Stay,
    }
}

/// Says whether the time between two sessions of a customer is an outage, and when it ended if it has.
pub(super) fn interval(
    ended_at: Timestamp,
    back_at: Option<Timestamp>,
    owed: bool,
    debounce: SignedDuration,
    now: Timestamp,
) -> Option<(Timestamp, Option<Timestamp>)> {
    if !owed {
        return None;
    }
    match step(None, Evidence::Away(ended_at), debounce, back_at.unwrap_or(now)) {
        Step::Open(began) => Some((began, back_at)),
        Step::Stay | Step::Close(..) => None,
    }
}

/// A stretch of time, its end not included.
pub(super) type Stretch = (Timestamp, Timestamp);

/// How a month was spent, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    pub up: u64,
    pub down: u64,
    pub unknown: u64,
}

/// Splits a stretch of time: what nobody watched is unknown, whatever was open then.
pub(super) fn spent(whole: Stretch, outages: &[Stretch], gaps: &[Stretch]) -> Spent {
    let total = seconds(&union(&[whole], whole));
    let unknown = union(gaps, whole);
    let either: Vec<Stretch> = outages.iter().chain(gaps).copied().collect();
    let down_or_unknown = seconds(&union(&either, whole));
    let unknown = seconds(&unknown);
    Spent { up: total - down_or_unknown, down: down_or_unknown - unknown, unknown }
}

/// Joins what overlaps, within a stretch.
fn union(stretches: &[Stretch], within: Stretch) -> Vec<Stretch> {
    let mut cut: Vec<Stretch> = stretches
        .iter()
        .map(|(from, until)| ((*from).max(within.0), (*until).min(within.1)))
        .filter(|(from, until)| from < until)
        .collect();
    cut.sort_unstable();
    let mut joined: Vec<Stretch> = Vec::with_capacity(cut.len());
    for (from, until) in cut {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => joined.push((from, until)),
        }
    }
    joined
}

fn seconds(stretches: &[Stretch]) -> u64 {
    let length = |(from, until): &Stretch| until.duration_since(*from);
    let total = stretches.iter().map(length).fold(SignedDuration::ZERO, |sum, one| sum.saturating_add(one));
    u64::try_from(total.as_secs()).unwrap_or(0)
}

impl Spent {
    /// The share of the known time that something was up, in hundredths of a percent; none when nothing is known.
    pub(super) fn per_myriad(self) -> Option<u32> {
        let known = self.up + self.down;
        let share = (u128::from(self.up) * 10_000).checked_div(u128::from(known))?;
        Some(u32::try_from(share).expect("a part of 10000"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTES: SignedDuration = SignedDuration::from_secs(300);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_768_467_600 + second).expect("a time")
    }

    #[test]
    fn a_short_silence_is_no_outage() {
        assert_eq!(step(None, Evidence::Away(at(0)), MINUTES, at(299)), Step::Stay);
        assert_eq!(step(None, Evidence::Away(at(0)), MINUTES, at(300)), Step::Open(at(0)));
        assert_eq!(step(Some(at(0)), Evidence::Away(at(0)), MINUTES, at(900)), Step::Stay, "it is open already");
    }

    #[test]
    fn what_is_not_known_changes_nothing() {
        assert_eq!(step(None, Evidence::Unknown, MINUTES, at(900)), Step::Stay);
        assert_eq!(step(Some(at(0)), Evidence::Unknown, MINUTES, at(900)), Step::Stay);
    }

    #[test]
    fn an_outage_ends_when_they_are_back_or_nothing_is_owed() {
        assert_eq!(step(Some(at(0)), Evidence::There(at(60)), MINUTES, at(90)), Step::Close(at(60), Ending::Back));
        assert_eq!(step(Some(at(0)), Evidence::There(at(-60)), MINUTES, at(90)), Step::Close(at(0), Ending::Back));
        assert_eq!(step(Some(at(0)), Evidence::NotOwed, MINUTES, at(90)), Step::Close(at(90), Ending::NotOwed));
        assert_eq!(step(None, Evidence::NotOwed, MINUTES, at(90)), Step::Stay);
    }

    #[test]
    fn only_what_was_owed_and_long_enough_is_an_interval() {
        assert_eq!(interval(at(0), Some(at(200)), true, MINUTES, at(9000)), None);
        assert_eq!(interval(at(0), Some(at(400)), true, MINUTES, at(9000)), Some((at(0), Some(at(400)))));
        assert_eq!(interval(at(0), None, true, MINUTES, at(400)), Some((at(0), None)));
        assert_eq!(interval(at(0), None, false, MINUTES, at(400)), None);
    }

    #[test]
    fn unknown_time_is_neither_up_nor_down() {
        // An hour: 20 minutes out, of which 10 nobody watched, and 10 more unwatched.
        let spent = spent((at(0), at(3600)), &[(at(600), at(1800)), (at(900), at(1200))], &[(at(1200), at(2400))]);
        assert_eq!(spent, Spent { up: 1800, down: 600, unknown: 1200 });
        assert_eq!(spent.per_myriad(), Some(7500));
        assert_eq!(Spent { up: 0, down: 0, unknown: 5 }.per_myriad(), None);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole(
            outages in proptest::collection::vec((0_i64..5000, 0_i64..5000), 0..8),
            gaps in proptest::collection::vec((0_i64..5000, 0_i64..5000), 0..8),
        ) {
            let stretches = |list: &[(i64, i64)]| list.iter().map(|(a, b)| (at(*a), at(*b))).collect::<Vec<_>>();
            let spent = spent((at(1000), at(4000)), &stretches(&outages), &stretches(&gaps));
            prop_assert_eq!(spent.up + spent.down + spent.unknown, 3000);
        }

        #[test]
        fn an_outage_ends_after_it_began(open in proptest::option::of(0_i64..100), since in -100_i64..200, there in any::<bool>()) {
            let evidence = if there { Evidence::There(at(since)) } else { Evidence::Away(at(since)) };
            match step(open.map(at), evidence, SignedDuration::from_secs(10), at(100)) {
                Step::Close(end, _) => prop_assert!(end >= at(open.expect("only an open one closes")) && end <= at(100)),
                Step::Open(begin) => prop_assert!(open.is_none() && begin <= at(100)),
                Step::Stay => {}
            }
        }
    }
}
