//! What may be allowed, one line for each, and what each role is allowed before anybody adds or removes something. Pure.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// What an operator or token is in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything in the tenant.
    Admin,
    /// Daily work: customers, packages, payments, routers; no reversals, no operators.
    Staff,
    /// Looks customers up, takes payments, resets passwords, keeps tickets.
    CustomerCare,
    /// Onboards and diagnoses routers.
    FieldTech,
    /// Looks only.
    Viewer,
    /// Sells vouchers; sees no customers of others. Its own tools follow later; until then it may look at packages.
    Reseller,
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $($role:ident)*;)*) => {
        /// One thing that may be allowed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Permission {
            $($(#[$doc])* $name,)*
        }

        impl Permission {
            /// All of them, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name as it is stored and shown: what, then what is done with it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The roles that include it, besides admin, which includes all.
            const fn roles(self) -> &'static [Role] {
                match self {
                    $(Self::$name => &[$(Role::$role),*],)*
                }
            }
        }
    };
}

permissions! {
    /// See sites and the devices at them.
    SitesRead = "sites.read": Staff CustomerCare FieldTech Viewer;
    /// Make and change sites and devices.
    SitesWrite = "sites.write": Staff FieldTech;
    /// See routers, their plans and state.
    RoutersRead = "routers.read": Staff CustomerCare FieldTech Viewer;
    /// Add, enrol, configure and remove routers.
    RoutersWrite = "routers.write": Staff FieldTech;
    /// See packages.
    PackagesRead = "packages.read": Staff CustomerCare FieldTech Viewer Reseller;
    /// Make and retire packages.
    PackagesWrite = "packages.write": Staff;
    /// See customers and what they have.
    CustomersRead = "customers.read": Staff CustomerCare FieldTech Viewer;
    /// Make and change customers.
    CustomersWrite = "customers.write": Staff CustomerCare;
    /// Make customers from a file.
    CustomersImport = "customers.import": Staff CustomerCare;
    /// See and reset customers' passwords.
    CustomerSecrets = "customers.secrets": Staff CustomerCare;
    /// See payments, the wallet and the ledger.
    PaymentsRead = "payments.read": Staff CustomerCare Viewer;
    /// Take cash and redeem vouchers.
    PaymentsTake = "payments.take": Staff CustomerCare;
    /// Say whose money is that came without a name that fits.
    PaymentsMatch = "payments.match": Staff;
    /// Reverse a payment.
    PaymentsReverse = "payments.reverse":;
    /// Put into a customer's wallet or take from it by hand.
    WalletsAdjust = "wallets.adjust":;
    /// See invoices.
    InvoicesRead = "invoices.read": Staff CustomerCare Viewer;
    /// Write and void invoices.
    InvoicesWrite = "invoices.write": Staff;
    /// See what the ISP spends.
    ExpensesRead = "expenses.read": Staff Viewer;
    /// Note what the ISP spends.
    ExpensesWrite = "expenses.write": Staff;
    /// Print vouchers again and see what became of them.
    VouchersRead = "vouchers.read": Staff;
    /// Make and void vouchers.
    VouchersWrite = "vouchers.write": Staff;
    /// See gateways for money and messages, never their keys.
    GatewaysRead = "gateways.read": Staff;
    /// Set gateways up.
    GatewaysWrite = "gateways.write":;
    /// See who is online, who was, and what was used.
    SessionsRead = "sessions.read": Staff CustomerCare FieldTech Viewer;
    /// See outages and diagnoses.
    MonitoringRead = "monitoring.read": Staff CustomerCare FieldTech Viewer;
    /// Diagnose a router or a customer.
    DiagnosisRun = "diagnosis.run": Staff CustomerCare FieldTech;
    /// See tickets, leads and the technicians' work.
    TicketsRead = "tickets.read": Staff CustomerCare FieldTech Viewer;
    /// Open tickets and work on them.
    TicketsWrite = "tickets.write": Staff CustomerCare FieldTech;
    /// Keep leads.
    LeadsWrite = "leads.write": Staff CustomerCare;
    /// See templates, rules and what was sent.
    MessagesRead = "messages.read": Staff CustomerCare Viewer;
    /// Write templates and rules.
    MessagesWrite = "messages.write": Staff;
    /// Write to customers.
    MessagesSend = "messages.send": Staff CustomerCare;
    /// See settings, feature flags, limits and use.
    SettingsRead = "settings.read": Staff Viewer;
    /// Change settings.
    SettingsWrite = "settings.write":;
    /// See who serves the tenant.
    OperatorsRead = "operators.read":;
    /// Invite operators, say what they may do, and make API tokens.
    OperatorsWrite = "operators.write":;
    /// Read the audit log.
    AuditRead = "audit.read":;
    /// See jobs.
    JobsRead = "jobs.read": Staff;
    /// Take the tenant's data out, as files or as a backup.
    DataExport = "data.export":;
}

// The set below is one word.
const _: () = assert!(Permission::ALL.len() <= 64);

impl Permission {
    /// Reads a stored name.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.as_str() == name)
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_stored(&name)
            .ok_or_else(|| serde::de::Error::custom("there is no such permission; GET /api/v1/me lists yours"))
    }
}

impl PartialSchema for Permission {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|permission| permission.as_str());
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names))
            .description(Some("One thing that may be allowed: what, then what is done with it."))
            .into()
    }
}

impl ToSchema for Permission {}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// Everything.
    pub const ALL: Self = Self(u64::MAX >> (64 - Permission::ALL.len()));

    const fn bit(permission: Permission) -> u64 {
        1 << permission as u32
    }

    /// Says whether a permission is in it.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }

    /// Returns the set with one more.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | Self::bit(permission))
    }

    /// Returns the set without one.
    #[must_use]
    pub const fn without(self, permission: Permission) -> Self {
        Self(self.0 & !Self::bit(permission))
    }

    /// Returns what is in one of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns what is not in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Says whether all of it is in the other.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Reads stored names. One that is known no more allows and forbids nothing.
    #[must_use]
    pub fn from_stored(names: &[String]) -> Self {
        names.iter().filter_map(|name| Permission::from_stored(name)).collect()
    }

    /// The names as they are stored and shown, in the order of the list.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Permission::as_str).collect()
    }

    /// Goes through it, in the order of the list.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        permissions.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] = [Self::Admin, Self::Staff, Self::CustomerCare, Self::FieldTech, Self::Viewer, Self::Reseller];

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
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What the role may do before anything is added to it or taken away.
    #[must_use]
    pub fn permissions(self) -> PermissionSet {
        if self == Self::Admin {
            return PermissionSet::ALL;
        }
        Permission::ALL.iter().copied().filter(|permission| permission.roles().contains(&self)).collect()
    }

    /// Says whether the role includes a permission.
    #[must_use]
    pub fn allows(self, permission: Permission) -> bool {
        self == Self::Admin || permission.roles().contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

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
    fn nobody_who_only_looks_may_change_or_spend_anything() {
        let looks = |permission: Permission| permission.as_str().ends_with(".read");
        assert!(Role::Viewer.permissions().iter().all(looks), "{:?}", Role::Viewer.permissions());
    }

    #[test]
    fn names_are_unique_and_come_back() {
        let names: BTreeSet<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        assert_eq!(names.len(), Permission::ALL.len());
        for permission in Permission::ALL {
            assert_eq!(Permission::from_stored(permission.as_str()), Some(*permission));
        }
        assert_eq!(Permission::from_stored("everything"), None);
        assert_eq!(Role::from_stored("field_tech"), Some(Role::FieldTech));
        assert_eq!(Role::from_stored("root"), None);
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let set = Role::Viewer.permissions().with(Permission::DataExport).without(Permission::RoutersRead);
        assert!(set.contains(Permission::DataExport) && !set.contains(Permission::RoutersRead));
        assert_eq!(set.iter().collect::<PermissionSet>(), set);
        assert_eq!(PermissionSet::ALL.iter().count(), Permission::ALL.len());
        assert!(Role::Viewer.permissions().is_within(Role::Admin.permissions()));
        assert!(!Role::Admin.permissions().is_within(Role::Viewer.permissions()));
        assert_eq!(set.and(set).minus(set), PermissionSet::default());
        let stored = ["data.export".to_owned(), "gone.long_ago".to_owned()];
        assert_eq!(PermissionSet::from_stored(&stored).names(), ["data.export"]);
    }
}
