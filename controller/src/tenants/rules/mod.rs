//! How tenants stand and what follows from it. Pure.

pub(super) mod circles;
pub(super) mod limits;
pub(super) mod settings;

use jiff::{SignedDuration, Timestamp};
use model::Standing;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a tenant is past due before it is restricted.
pub(super) const PAST_DUE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long it is restricted before it is suspended.
pub(super) const RESTRICTED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a tenant rests, suspended or exported, before it may be purged.
pub(super) const REST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The longest trial, in days.
pub(super) const TRIAL_DAYS_MAX: i64 = 366;

/// What happens to an ISP's own customers when it is suspended. Nobody is ever cut at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerPolicy {
    /// What they paid for runs to its end.
    KeepPaid,
    /// What they paid for runs to its end, but no longer than so many days, 1 to 365.
    KeepDays(i32),
}

impl CustomerPolicy {
    /// The name as stored.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::KeepPaid => "keep_paid",
            Self::KeepDays(_) => "keep_days",
        }
    }

    /// The days as stored.
    pub(super) const fn days(self) -> Option<i32> {
        match self {
            Self::KeepPaid => None,
            Self::KeepDays(days) => Some(days),
        }
    }

    /// Reads the stored columns.
    pub(super) fn from_stored(days: Option<i32>) -> Self {
        days.map_or(Self::KeepPaid, Self::KeepDays)
    }

    /// Says what is wrong with it.
    pub(super) fn fault(self) -> Option<&'static str> {
        match self {
            Self::KeepDays(days) if !(1..=365).contains(&days) => Some("keep_days takes 1 to 365 days"),
            Self::KeepPaid | Self::KeepDays(_) => None,
        }
    }
}

/// Says whether a tenant's standing may change so, by the platform's hand or by the clock. Purging begins and ends elsewhere.
pub(super) const fn may_become(from: Standing, to: Standing) -> bool {
    use Standing::{Active, Exported, PastDue, Purged, Purging, Restricted, Suspended, Trial};
    match from {
        Trial => matches!(to, Active | PastDue | Suspended),
        Active => matches!(to, PastDue | Restricted | Suspended),
        PastDue => matches!(to, Active | Restricted | Suspended),
        Restricted => matches!(to, Active | PastDue | Suspended),
        Suspended => matches!(to, Active | Restricted | Exported | Purging),
        Exported => matches!(to, Active | Suspended | Purging),
        Purging => matches!(to, Purged),
        Purged => false,
    }
}

/// Every standing from which another may be reached.
pub(super) fn sources(to: Standing) -> Vec<Standing> {
    Standing::ALL.into_iter().filter(|from| may_become(*from, to)).collect()
}

/// Says whether a tenant that stands so serves nobody but those who have paid.
pub(super) const fn is_off(standing: Standing) -> bool {
    matches!(standing, Standing::Suspended | Standing::Exported | Standing::Purging | Standing::Purged)
}

/// What the clock does to a tenant's standing, and why.
pub(super) fn due(
    standing: Standing,
    since: Timestamp,
    trial_ends_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<(Standing, &'static str)> {
    let waited = |span: SignedDuration| now.duration_since(since) >= span;
    match standing {
        Standing::Trial if trial_ends_at.is_some_and(|end| end <= now) => Some((Standing::PastDue, "the trial has ended")),
        Standing::PastDue if waited(PAST_DUE) => Some((Standing::Restricted, "nothing was settled for 14 days")),
        Standing::Restricted if waited(RESTRICTED) => Some((Standing::Suspended, "nothing was settled for 30 days more")),
        _ => None,
    }
}

/// Until when the routers of a tenant serve anybody, from the moment its standing becomes `to`. What was worked out at a suspension holds
/// until it is over.
pub(super) fn service_ends(
    policy: CustomerPolicy,
    from: Standing,
    to: Standing,
    before: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    match (is_off(from), is_off(to)) {
        (_, false) => None,
        (true, true) => before,
        (false, true) => policy.days().map(|days| now + SignedDuration::from_hours(24 * i64::from(days))),
    }
}

/// Why a purge may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotYet {
    /// The tenant has to be suspended or exported first.
    Standing,
    /// It has to rest until then.
    Until(Timestamp),
}

/// Says whether a tenant may be purged; `immediately` leaves the rest out.
pub(super) fn may_purge(standing: Standing, since: Timestamp, now: Timestamp, immediately: bool) -> Result<(), NotYet> {
    if !may_become(standing, Standing::Purging) {
        return Err(NotYet::Standing);
    }
    let until = since + REST;
    if immediately || until <= now { Ok(()) } else { Err(NotYet::Until(until)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Active, Exported, PastDue, Purged, Purging, Restricted, Suspended, Trial};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn every_pair_is_allowed_or_not_as_written_here() {
        let allowed = [
            (Trial, Active),
            (Trial, PastDue),
            (Trial, Suspended),
            (Active, PastDue),
            (Active, Restricted),
            (Active, Suspended),
            (PastDue, Active),
            (PastDue, Restricted),
            (PastDue, Suspended),
            (Restricted, Active),
            (Restricted, PastDue),
            (Restricted, Suspended),
            (Suspended, Active),
            (Suspended, Restricted),
            (Suspended, Exported),
            (Suspended, Purging),
            (Exported, Active),
            (Exported, Suspended),
            (Exported, Purging),
            (Purging, Purged),
        ];
        for from in Standing::ALL {
            for to in Standing::ALL {
                assert_eq!(may_become(from, to), allowed.contains(&(from, to)), "{from} → {to}");
            }
        }
        assert_eq!(sources(Purging), [Suspended, Exported]);
        assert_eq!(sources(Trial), []);
    }

    #[test]
    fn who_is_purged_can_do_nothing_else_on_the_way() {
        // Nothing leads back from the purge, and nothing leads into it but a suspension.
        assert!(Standing::ALL.iter().all(|to| *to == Purged || !may_become(Purging, *to)));
        assert!(Standing::ALL.iter().all(|to| !may_become(Purged, *to)));
    }

    #[test]
    fn the_clock_moves_who_settles_nothing() {
        let since = at("2026-01-01T00:00:00Z");
        let day = |days: i64| since + SignedDuration::from_hours(24 * days);
        assert_eq!(due(Trial, since, None, day(400)), None, "a trial without an end");
        assert_eq!(due(Trial, since, Some(day(14)), day(14) - SignedDuration::from_nanos(1)), None);
        assert_eq!(due(Trial, since, Some(day(14)), day(14)).map(|(to, _)| to), Some(PastDue));
        assert_eq!(due(PastDue, since, None, day(13)), None);
        assert_eq!(due(PastDue, since, None, day(14)).map(|(to, _)| to), Some(Restricted));
        assert_eq!(due(Restricted, since, None, day(29)), None);
        assert_eq!(due(Restricted, since, None, day(30)).map(|(to, _)| to), Some(Suspended));
        for still in [Active, Suspended, Exported, Purging, Purged] {
            assert_eq!(due(still, since, Some(since), day(4000)), None, "{still}");
        }
        // Whatever the clock does is a step that a hand could make too.
        for standing in Standing::ALL {
            if let Some((to, _)) = due(standing, since, Some(since), day(4000)) {
                assert!(may_become(standing, to), "{standing} → {to}");
            }
        }
    }

    #[test]
    fn service_ends_by_the_policy_counted_from_the_first_day_off() {
        let now = at("2026-03-01T12:00:00Z");
        let seven = at("2026-03-08T12:00:00Z");
        let (paid, days) = (CustomerPolicy::KeepPaid, CustomerPolicy::KeepDays(7));
        assert_eq!(service_ends(paid, Active, Suspended, None, now), None);
        assert_eq!(service_ends(days, Active, Suspended, None, now), Some(seven));
        // Being exported neither lengthens nor shortens it, and coming back ends it.
        let later = at("2026-03-05T12:00:00Z");
        assert_eq!(service_ends(days, Suspended, Exported, Some(seven), later), Some(seven));
        assert_eq!(service_ends(days, Exported, Active, Some(seven), later), None);
        assert_eq!(service_ends(days, Active, Restricted, None, later), None);
    }

    #[test]
    fn a_policy_takes_a_day_to_a_year() {
        assert!(CustomerPolicy::KeepDays(0).fault().is_some() && CustomerPolicy::KeepDays(366).fault().is_some());
        assert_eq!((CustomerPolicy::KeepDays(1).fault(), CustomerPolicy::KeepPaid.fault()), (None, None));
    }

    #[test]
    fn a_purge_waits_thirty_days_unless_it_is_told_not_to() {
        let since = at("2026-01-01T00:00:00Z");
        let rested = at("2026-01-31T00:00:00Z");
        assert_eq!(may_purge(Active, since, rested, true), Err(NotYet::Standing));
        assert_eq!(may_purge(Suspended, since, rested - SignedDuration::from_secs(1), false), Err(NotYet::Until(rested)));
        assert_eq!(may_purge(Suspended, since, rested, false), Ok(()));
        assert_eq!(may_purge(Exported, since, since, true), Ok(()));
        assert_eq!(may_purge(Purging, since, rested, true), Err(NotYet::Standing));
    }
}
