//! Who may do what: every operation of the API, once.

use controller::operators::Role::{self, Admin, CustomerCare, FieldTech, Reseller, Staff, Viewer};

/// Who may use an operation.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// Anybody at all, for this reason.
    Open(&'static str),
    /// Whoever holds any credential.
    Anyone,
    /// These roles of the tenant whose things they are.
    Tenant(&'static [Role]),
    /// The platform's operators.
    Platform,
}
use Access::{Anyone, Open, Platform, Tenant};

/// All roles.
pub const ROLES: [Role; 6] = [Admin, Staff, CustomerCare, FieldTech, Viewer, Reseller];
const ADMIN: &[Role] = &[Admin];
const OFFICE: &[Role] = &[Admin, Staff];
const DESK: &[Role] = &[Admin, Staff, CustomerCare];
const TECHNICIANS: &[Role] = &[Admin, Staff, FieldTech];
const BOOKS: &[Role] = &[Admin, Staff, CustomerCare, Viewer];
const READERS: &[Role] = &[Admin, Staff, CustomerCare, FieldTech, Viewer];

/// The table; a test fails on an operation that is missing, and on a line without an operation.
pub const ACCESS: &[(&str, Access)] = &[
    ("GET /customers", Tenant(READERS)),
    ("POST /customers", Tenant(DESK)),
    ("GET /customers/{id}", Tenant(READERS)),
    ("PATCH /customers/{id}", Tenant(DESK)),
    ("GET /customers/{id}/password", Tenant(DESK)),
    ("POST /customers/{id}/password", Tenant(DESK)),
    ("POST /customers/{id}/payments", Tenant(DESK)),
    ("POST /customers/{id}/resume", Tenant(DESK)),
    ("POST /customers/{id}/suspend", Tenant(DESK)),
    ("POST /customers/{id}/terminate", Tenant(DESK)),
    ("POST /customers/import", Tenant(DESK)),
    ("GET /enrolment/block", Open("a router has no credential but the token of its line")),
    ("GET /ledger/balances", Tenant(BOOKS)),
    ("GET /ledger/journals", Tenant(BOOKS)),
    ("POST /login", Open("who logs in has a password and no token yet")),
    ("POST /logout", Anyone),
    ("GET /me", Anyone),
    ("GET /operators", Tenant(ADMIN)),
    ("POST /operators", Tenant(ADMIN)),
    ("GET /packages", Tenant(&ROLES)),
    ("POST /packages", Tenant(OFFICE)),
    ("GET /packages/{id}", Tenant(&ROLES)),
    ("PATCH /packages/{id}", Tenant(OFFICE)),
    ("POST /packages/{id}/retire", Tenant(OFFICE)),
    ("GET /payments", Tenant(BOOKS)),
    ("GET /payments/{id}", Tenant(BOOKS)),
    ("POST /payments/{id}/reverse", Tenant(ADMIN)),
    ("GET /platform/tenants", Platform),
    ("POST /platform/tenants", Platform),
    ("POST /platform/tenants/{id}/activate", Platform),
    ("POST /platform/tenants/{id}/suspend", Platform),
    ("GET /routers", Tenant(READERS)),
    ("POST /routers", Tenant(TECHNICIANS)),
    ("GET /routers/{id}", Tenant(READERS)),
    ("DELETE /routers/{id}", Tenant(TECHNICIANS)),
    ("POST /routers/{id}/apply", Tenant(TECHNICIANS)),
    ("GET /routers/{id}/change-sets", Tenant(READERS)),
    ("POST /routers/{id}/confirm", Tenant(TECHNICIANS)),
    ("GET /routers/{id}/plan", Tenant(READERS)),
    ("GET /routers/{id}/preflight", Tenant(READERS)),
    ("POST /routers/{id}/reissue", Tenant(TECHNICIANS)),
    ("PUT /routers/{id}/services", Tenant(TECHNICIANS)),
    ("GET /routers/{id}/sessions", Tenant(READERS)),
    ("GET /routers/{id}/state", Tenant(READERS)),
    ("POST /setup", Open("who sets a password has the token of a one-time link alone")),
    ("GET /tenant", Tenant(&ROLES)),
    ("GET /tokens", Tenant(ADMIN)),
    ("POST /tokens", Tenant(ADMIN)),
    ("DELETE /tokens/{id}", Tenant(ADMIN)),
    ("GET /voucher-batches", Tenant(OFFICE)),
    ("POST /voucher-batches", Tenant(OFFICE)),
    ("GET /voucher-batches/{id}/codes", Tenant(OFFICE)),
    ("POST /vouchers/redeem", Tenant(DESK)),
];

/// What an admin gets on things of their own where it is no success, and why.
pub const NO_SUCCESS: &[(&str, u16, &str)] = &[
    ("POST /logout", 409, "these tests use API tokens, which are revoked instead"),
    ("POST /routers/{id}/apply", 409, "no virtual router has joined here"),
    ("POST /routers/{id}/confirm", 409, "no virtual router has joined here"),
    ("GET /routers/{id}/plan", 502, "no virtual router has joined here"),
    ("GET /routers/{id}/preflight", 502, "no virtual router has joined here"),
    ("GET /routers/{id}/sessions", 502, "no virtual router has joined here"),
];

/// Returns who may use an operation.
#[track_caller]
pub fn access(operation: &str) -> Access {
    let mut lines = ACCESS.iter().filter(|(name, _)| *name == operation);
    let access = lines.next().unwrap_or_else(|| panic!("{operation} is new: say in `access` who may")).1;
    assert!(lines.next().is_none(), "{operation} stands twice in `access`");
    access
}
