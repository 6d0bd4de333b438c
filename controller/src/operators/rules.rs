//! How login names and passwords are judged, and what somebody may do in the end. Pure.

use super::{Extent, Permission, PermissionSet, Role};
use jiff::{SignedDuration, Timestamp};

/// Shortest and longest password, in characters. The upper end keeps hashing bounded.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 10..=200;
/// Wrong passwords in a row before the login is locked.
const FAILURES_ALLOWED: i32 = 5;
/// How long a locked login stays locked.
const LOCK: SignedDuration = SignedDuration::from_mins(15);

/// Says what is wrong with a new password, if anything.
#[must_use]
pub fn password_fault(password: &str) -> Option<&'static str> {
    (!PASSWORD_CHARS.contains(&password.chars().count()))
        .then_some("choose 10 to 200 characters; a few words are better than symbols")
}

/// Says what is wrong with a login name, if anything.
#[must_use]
pub fn login_fault(login: &str) -> Option<&'static str> {
    let good = (3..=100).contains(&login.len())
        && login.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".@_+-".contains(&byte));
    (!good).then_some("use 3 to 100 of a-z, 0-9 and . @ _ + -")
}

/// After the given number of wrong passwords in a row, says until when the login is locked.
#[must_use]
pub fn locked_until(failures: i32, now: Timestamp) -> Option<Timestamp> {
    (failures > 0 && failures % FAILURES_ALLOWED == 0).then(|| now + LOCK)
}

/// What somebody may do: the role's permissions and those that were added, without those that were taken away.
#[must_use]
pub fn effective(role: Role, added: PermissionSet, removed: PermissionSet) -> PermissionSet {
    role.permissions().and(added).minus(removed)
}

/// What the platform's support may do on a visit. It never sees a customer's secret or a voucher's code, takes no data out, and lays no way in
/// or for money that would outlast the visit.
#[must_use]
pub fn on_visit(writes: bool) -> PermissionSet {
    let never = [
        Permission::CustomerSecrets,
        Permission::VouchersRead,
        Permission::DataExport,
        Permission::OperatorsWrite,
        Permission::GatewaysWrite,
        Permission::WalletsAdjust,
        Permission::PaymentsReverse,
    ];
    let looks = |permission: &Permission| permission.as_str().ends_with(".read");
    let kept = Permission::ALL.iter().copied().filter(|permission| writes || looks(permission));
    kept.filter(|permission| !never.contains(permission)).collect()
}

/// What a membership comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Permissions beside the role's.
    pub added: PermissionSet,
    /// Permissions taken away.
    pub removed: PermissionSet,
    /// How much is seen.
    pub extent: Extent,
}

impl Grant {
    /// Everything it allows.
    #[must_use]
    pub fn rights(&self) -> PermissionSet {
        effective(self.role, self.added, self.removed)
    }

    /// Says whether somebody with these rights and this view may give it, change it or take it away.
    #[must_use]
    pub fn is_within(&self, rights: PermissionSet, extent: Extent) -> bool {
        self.rights().is_within(rights) && (extent == Extent::All || self.extent == Extent::Assigned)
    }

    /// Says whether who has it can do everything in the tenant. One such person must always be left.
    #[must_use]
    pub fn keeps_the_keys(&self) -> bool {
        self.role == Role::Admin && self.rights() == PermissionSet::ALL && self.extent == Extent::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_counts_last() {
        let some = |permission| PermissionSet::default().with(permission);
        let set = effective(Role::Viewer, some(Permission::DataExport), some(Permission::RoutersRead));
        assert!(set.contains(Permission::DataExport) && !set.contains(Permission::RoutersRead));
        let both = effective(Role::Viewer, some(Permission::DataExport), some(Permission::DataExport));
        assert!(!both.contains(Permission::DataExport));
    }

    #[test]
    fn nobody_gives_or_touches_more_than_they_have() {
        let none = PermissionSet::default();
        let grant = |role, extent| Grant { role, added: none, removed: none, extent };
        let admin = grant(Role::Admin, Extent::All);
        assert!(admin.is_within(PermissionSet::ALL, Extent::All) && admin.keeps_the_keys());
        assert!(!admin.is_within(Role::Staff.permissions(), Extent::All));
        assert!(!grant(Role::Viewer, Extent::All).is_within(PermissionSet::ALL, Extent::Assigned));
        assert!(grant(Role::Viewer, Extent::Assigned).is_within(PermissionSet::ALL, Extent::Assigned));
        assert!(!Grant { removed: none.with(Permission::DataExport), ..admin }.keeps_the_keys());
        assert!(!grant(Role::Admin, Extent::Assigned).keeps_the_keys());
    }

    #[test]
    fn a_visit_sees_no_secret_and_leaves_nothing_behind() {
        for writes in [false, true] {
            let set = on_visit(writes);
            for permission in [Permission::CustomerSecrets, Permission::OperatorsWrite, Permission::DataExport] {
                assert!(!set.contains(permission), "{permission:?}");
            }
            assert!(set.contains(Permission::RoutersRead) && set.contains(Permission::AuditRead));
            assert_eq!(set.contains(Permission::RoutersWrite), writes);
        }
    }

    #[test]
    fn the_fifth_wrong_password_locks() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(
            (1..=5).map(|failures| locked_until(failures, now).is_some()).collect::<Vec<_>>(),
            [false, false, false, false, true]
        );
    }

    #[test]
    fn names_and_passwords() {
        assert_eq!(password_fault("correct horse battery"), None);
        assert!(password_fault("short").is_some() && password_fault(&"x".repeat(201)).is_some());
        assert_eq!(login_fault("jane@isp.example"), None);
        assert!(login_fault("Jane").is_some() && login_fault("jo").is_some() && login_fault("a b c").is_some());
    }
}
