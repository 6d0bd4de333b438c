//! Who may do what, and how passwords are judged. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an operator or token is in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything in the tenant.
    Admin,
    /// Daily work: customers, packages, payments, routers; no reversals, no operators.
    Staff,
    /// Looks customers up, takes payments, resets passwords.
    CustomerCare,
    /// Onboards and diagnoses routers.
    FieldTech,
    /// Looks only.
    Viewer,
    /// Sells vouchers; sees no customers of others. Its own tools follow later; until then it may look at packages.
    Reseller,
}

/// One thing that may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// See routers, their plans and state.
    RoutersRead,
    /// Add, enrol, configure and remove routers.
    RoutersWrite,
    /// See packages.
    PackagesRead,
    /// Make and retire packages.
    PackagesWrite,
    /// See customers and what they have.
    CustomersRead,
    /// Make, change and import customers.
    CustomersWrite,
    /// See and reset customers' passwords.
    CustomerSecrets,
    /// See payments and the ledger.
    PaymentsRead,
    /// Take cash and redeem vouchers.
    PaymentsTake,
    /// Reverse a payment.
    PaymentsReverse,
    /// Make and print vouchers.
    VouchersWrite,
    /// Make operators and API tokens.
    OperatorsWrite,
    /// Read the audit log.
    AuditRead,
}

impl Role {
    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Staff => "staff",
            Self::CustomerCare => "customer_care",
            Self::FieldTech => "field_tech",
            Self::Viewer => "viewer",
            Self::Reseller => "reseller",
        }
    }

    /// Reads the stored name; the column's CHECK lets no other in.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        [Self::Admin, Self::Staff, Self::CustomerCare, Self::FieldTech, Self::Viewer, Self::Reseller]
            .into_iter()
            .find(|role| role.as_str() == name)
    }

    /// Says whether the role includes a permission.
    #[must_use]
    pub const fn allows(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Admin => true,
            Self::Staff => !matches!(permission, P::PaymentsReverse | P::OperatorsWrite | P::AuditRead),
            Self::CustomerCare => matches!(
                permission,
                P::RoutersRead
                    | P::PackagesRead
                    | P::CustomersRead
                    | P::CustomersWrite
                    | P::CustomerSecrets
                    | P::PaymentsRead
                    | P::PaymentsTake
            ),
            Self::FieldTech => matches!(permission, P::RoutersRead | P::RoutersWrite | P::PackagesRead | P::CustomersRead),
            Self::Viewer => matches!(permission, P::RoutersRead | P::PackagesRead | P::CustomersRead | P::PaymentsRead),
            Self::Reseller => matches!(permission, P::PackagesRead),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_differ_where_it_matters() {
        assert!(Role::Admin.allows(Permission::PaymentsReverse));
        assert!(!Role::Staff.allows(Permission::PaymentsReverse));
        assert!(!Role::FieldTech.allows(Permission::PaymentsTake));
        assert!(!Role::FieldTech.allows(Permission::CustomerSecrets));
        assert!(!Role::Viewer.allows(Permission::CustomersWrite));
        assert!(!Role::Reseller.allows(Permission::CustomersRead));
    }

    #[test]
    fn stored_names_come_back() {
        assert_eq!(Role::from_stored("field_tech"), Some(Role::FieldTech));
        assert_eq!(Role::from_stored("root"), None);
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
