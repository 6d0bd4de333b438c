//! What is limited, how much is allowed when nobody says otherwise, and what a number means. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is limited for each tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Routers that are not removed.
    Routers,
    /// Customers who are not terminated.
    Customers,
    /// People who serve the tenant.
    Operators,
    /// API tokens in force.
    ApiTokens,
    /// Messages in a month of the tenant's calendar.
    Messages,
    /// Requests to the API in a minute.
    ApiRequests,
    /// Bytes that the tenant's rows take, as last measured.
    StorageBytes,
}

/// Where a warning begins, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// From here on the tenant is warned.
    pub soft: i64,
    /// More than this is refused.
    pub hard: i64,
}

/// How a number stands to its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// There is room.
    Room,
    /// The end is near.
    Warn,
    /// Nothing more fits.
    Full,
    /// There is more than is allowed: the limit was lowered. What is there stays; nothing is added until it fits.
    Over,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Routers, Self::Customers, Self::Operators, Self::ApiTokens, Self::Messages, Self::ApiRequests, Self::StorageBytes];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Routers => "routers",
            Self::Customers => "customers",
            Self::Operators => "operators",
            Self::ApiTokens => "api_tokens",
            Self::Messages => "messages",
            Self::ApiRequests => "api_requests",
            Self::StorageBytes => "storage_bytes",
        }
    }

    /// Reads the stored name.
    pub(in super::super) fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.as_str() == name)
    }

    /// What is counted, for people.
    pub(in super::super) const fn noun(self) -> &'static str {
        match self {
            Self::Routers => "routers",
            Self::Customers => "customers",
            Self::Operators => "operators",
            Self::ApiTokens => "live API tokens",
            Self::Messages => "messages a month",
            Self::ApiRequests => "API requests a minute",
            Self::StorageBytes => "bytes of storage",
        }
    }

    /// What an ISP can do itself when it is full.
    pub(in super::super) const fn remedy(self) -> &'static str {
        match self {
            Self::Routers => "remove one that is not used",
            Self::Customers => "terminate some who are gone",
            Self::Operators => "take one away who serves you no more",
            Self::ApiTokens => "revoke one first",
            Self::Messages => "wait for the next month",
            Self::ApiRequests => "send fewer",
            Self::StorageBytes => "keep sessions and usage for a shorter time",
        }
    }

    /// What holds when the platform says nothing else. A trial gets enough to see everything work.
    pub(in super::super) const fn bounds(self, trial: bool) -> Bounds {
        let hard = match (self, trial) {
            (Self::Routers, false) => 1_000,
            (Self::Routers, true) => 5,
            (Self::Customers, false) => 100_000,
            (Self::Customers, true) => 500,
            (Self::Operators, false) => 200,
            (Self::Operators, true) => 10,
            (Self::ApiTokens, _) => 100,
            (Self::Messages, false) => 200_000,
            (Self::Messages, true) => 500,
            (Self::ApiRequests, false) => 6_000,
            (Self::ApiRequests, true) => 600,
            (Self::StorageBytes, false) => 50 << 30,
            (Self::StorageBytes, true) => 1 << 30,
        };
        Bounds { soft: hard / 10 * 8, hard }
    }
}

impl Bounds {
    /// Says how a number stands to them.
    #[must_use]
    pub const fn level(self, used: i64) -> Level {
        if used > self.hard {
            Level::Over
        } else if used == self.hard {
            Level::Full
        } else if used >= self.soft {
            Level::Warn
        } else {
            Level::Room
        }
    }

    /// Says whether so many more fit.
    pub(in super::super) const fn fits(self, used: i64, more: i64) -> bool {
        used.saturating_add(more) <= self.hard
    }

    /// Says what is wrong with them.
    pub(in super::super) const fn fault(self) -> Option<(&'static str, &'static str)> {
        if self.soft < 0 || self.hard < 0 {
            Some(("hard", "a limit is 0 or more"))
        } else if self.soft > self.hard {
            Some(("soft", "the warning comes before the limit: write at most the hard one"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_defaults_make_sense() {
        for limit in Limit::ALL {
            assert_eq!(Limit::from_stored(limit.as_str()), Some(limit));
            assert_eq!(serde_json::to_value(limit).ok(), Some(limit.as_str().into()));
            let (full, trial) = (limit.bounds(false), limit.bounds(true));
            assert_eq!((full.fault(), trial.fault()), (None, None));
            assert!(trial.hard <= full.hard, "{limit:?}: a trial gets no more");
            assert!(full.soft < full.hard, "{limit:?} warns before it refuses");
        }
        assert_eq!(Limit::from_stored("patience"), None);
    }

    #[test]
    fn levels_meet_without_a_gap() {
        let bounds = Bounds { soft: 8, hard: 10 };
        let levels: Vec<Level> = (7..=11).map(|used| bounds.level(used)).collect();
        assert_eq!(levels, [Level::Room, Level::Warn, Level::Warn, Level::Full, Level::Over]);
        assert!(bounds.fits(9, 1) && !bounds.fits(10, 1) && !bounds.fits(9, 2) && bounds.fits(0, 10));
        assert!(!bounds.fits(1, i64::MAX), "an overflow is no room");
        assert_eq!(Bounds { soft: 0, hard: 0 }.level(0), Level::Full, "nothing at all is allowed");
    }

    #[test]
    fn bounds_are_in_order() {
        assert_eq!(Bounds { soft: 11, hard: 10 }.fault().map(|(field, _)| field), Some("soft"));
        assert_eq!(Bounds { soft: -1, hard: 10 }.fault().map(|(field, _)| field), Some("hard"));
        assert_eq!(Bounds { soft: 0, hard: 0 }.fault(), None);
    }
}
