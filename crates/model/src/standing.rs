//! How an ISP stands with the platform, and what that lets it do.

use std::fmt;

/// How an ISP stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Standing {
    /// It tries the platform out, with smaller limits.
    Trial,
    /// All is well.
    Active,
    /// It owes the platform something; nothing is withheld yet.
    PastDue,
    /// No sales, no new customers and no new routers.
    Restricted,
    /// It may only look, and take its data out.
    Suspended,
    /// It has its data and may leave.
    Exported,
    /// Everything of it is being removed.
    Purging,
    /// Nothing of it is left but the certificate that says so.
    Purged,
}

/// What an ISP's standing may forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Take a payment, redeem or make vouchers.
    Sell,
    /// Add customers, routers, or whatever else makes it larger.
    Grow,
    /// Change anything.
    Change,
    /// Look.
    Read,
    /// Take its data out.
    Export,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sell, Self::Grow, Self::Change, Self::Read, Self::Export];
}

impl Standing {
    /// All of them, in the order of the road.
    pub const ALL: [Self; 8] = [
        Self::Trial,
        Self::Active,
        Self::PastDue,
        Self::Restricted,
        Self::Suspended,
        Self::Exported,
        Self::Purging,
        Self::Purged,
    ];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Restricted => "restricted",
            Self::Suspended => "suspended",
            Self::Exported => "exported",
            Self::Purging => "purging",
            Self::Purged => "purged",
        }
    }

    /// Reads the stored name.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == name)
    }

    /// Says whether an ISP that stands so may do something.
    #[must_use]
    pub const fn allows(self, deed: Deed) -> bool {
        match self {
            Self::Trial | Self::Active | Self::PastDue => true,
            Self::Restricted => !matches!(deed, Deed::Sell | Deed::Grow),
            Self::Suspended | Self::Exported => matches!(deed, Deed::Read | Deed::Export),
            Self::Purging | Self::Purged => false,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for standing in Standing::ALL {
            assert_eq!(Standing::from_stored(standing.as_str()), Some(standing));
            assert_eq!(serde_json::to_value(standing).ok(), Some(standing.as_str().into()));
        }
        assert_eq!(Standing::from_stored("fine"), None);
    }

    #[test]
    fn each_step_down_the_road_allows_no_more_than_the_one_before() {
        let allowed = |standing: Standing| Deed::ALL.map(|deed| standing.allows(deed));
        for pair in Standing::ALL.windows(2) {
            for (before, after) in allowed(pair[0]).into_iter().zip(allowed(pair[1])) {
                assert!(before || !after, "{} allows what {} does not", pair[1], pair[0]);
            }
        }
        //                                              sell   grow   change read   export
        assert_eq!(allowed(Standing::PastDue), [true, true, true, true, true]);
        assert_eq!(allowed(Standing::Restricted), [false, false, true, true, true]);
        assert_eq!(allowed(Standing::Suspended), [false, false, false, true, true]);
        assert_eq!(allowed(Standing::Exported), [false, false, false, true, true]);
        assert_eq!(allowed(Standing::Purging), [false; 5]);
        assert_eq!(allowed(Standing::Purged), [false; 5]);
    }
}
