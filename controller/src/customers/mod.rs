//! An ISP's customers: who they are, on which router and package, and until when each is entitled.
//!
//! A customer's `status` is intent alone. Whether the time is paid follows from entitlements, which stand here because everything that
//! serves a customer needs them; only a payment makes or voids one.

mod entitlements;
mod import;
mod routes;
mod rules;
mod store;
mod watched;

pub use entitlements::{Granted, awaiting_online, grant, mark_applied, mark_online, void};
pub use import::{Imported, import};
pub use routes::routes;
pub use rules::readable;
pub use store::{Customer, CustomerView, Timeline, lock, timeline};
pub use watched::{Service, by_logins, exists, owed, owed_on, service};

use crate::app::App;
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::packages::{self, PackageError, PackageKind, PackageView};
use crate::secrets::{Place, VaultError};
use crate::tenants;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{Bytes, CustomerId, PackageId, RouterId, Secret};
use rules::{Draft, Wish};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use utoipa::ToSchema;

/// Customers that one router may have; beyond it a router's memory and one look at all of it become too large.
pub const PER_ROUTER_MAX: i64 = 10_000;

/// Why an operation on customers was refused.
#[derive(Debug, thiserror::Error)]
pub enum CustomerError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// The login is in use.
    #[error("a customer with this login exists")]
    LoginTaken,
    /// Another customer of the router has the address.
    #[error("another customer of this router has this address")]
    AddressTaken,
    /// There is no such customer.
    #[error("there is no such customer")]
    NotFound,
    /// There is no such router.
    #[error("there is no such router")]
    NoRouter,
    /// The router has as many customers as it may.
    #[error("a router may have {PER_ROUTER_MAX} customers; move or terminate some first")]
    RouterFull,
    /// The package is for another kind of connection.
    #[error("this customer connects by {}, and the package is for {}", .customer.as_str(), .package.as_str())]
    Kind { customer: PackageKind, package: PackageKind },
    /// The customer has left.
    #[error("the customer is terminated: make a new one")]
    Terminated,
    /// The file is not a table of customers.
    #[error("{0}")]
    File(String),
    /// Rows of a file are wrong, and nothing was written.
    #[error("{} rows are wrong; nothing was written", .0.len())]
    Rows(Vec<RowFault>),
    /// The package cannot be used.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A password could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What is wrong with a row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The line it begins in.
    pub line: u64,
    /// What is wrong.
    pub message: String,
}

/// What the ISP wants with a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerStatus {
    /// To be served while the time is paid.
    Active,
    /// Switched off by hand.
    Suspended,
    /// Gone; the login may be used anew.
    Terminated,
}

impl CustomerStatus {
    const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Terminated];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Terminated => "terminated",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// A customer to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCustomer {
    /// The name used to dial or log in: 1 to 64 of A-Z, a-z, 0-9 and . _ @ + -, unique in the tenant.
    pub login: String,
    /// 4 to 64 visible ASCII characters; made when left out.
    #[schema(value_type = Option<String>)]
    pub password: Option<Secret<String>>,
    /// The name for people, up to 100 characters.
    #[serde(default)]
    pub full_name: String,
    /// A phone number; 07… and 01… become 2547… and 2541… where the currency is KES.
    #[serde(default)]
    pub phone: String,
    /// The router that serves the customer.
    pub router: RouterId,
    /// The package; it decides how the customer connects.
    pub package: PackageId,
    /// An address of the customer's own; a static customer must have one.
    #[schema(value_type = Option<String>, format = Ipv4)]
    pub address: Option<Ipv4Addr>,
    /// The only device that may connect.
    pub mac: Option<String>,
}

/// What of a customer is to change; what is left out stays, and null takes away an address or a device.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerChange {
    /// The name for people.
    pub full_name: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// The router that serves the customer.
    pub router: Option<RouterId>,
    /// The package, of the same kind.
    pub package: Option<PackageId>,
    /// An address of the customer's own.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Ipv4)]
    pub address: Option<Option<Ipv4Addr>>,
    /// The only device that may connect.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub mac: Option<Option<String>>,
}

/// Tells a null from a field that was left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A customer that was made.
#[derive(Debug)]
pub struct NewlyMade {
    /// The customer.
    pub id: CustomerId,
    /// The password, if it was made here.
    pub password: Option<Secret<String>>,
}

/// What a customer has paid for and may use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Since when the customer has been entitled without a gap.
    pub first_start: Timestamp,
    /// The end of the last entitlement that follows without a gap.
    pub until: Timestamp,
    /// Seconds that one may be online since `first_start`, of all these entitlements together; nothing when one of them has no limit.
    pub online_seconds: Option<i64>,
    /// What may be carried since `first_start`, likewise.
    pub data: Option<Bytes>,
}

/// A customer as the router that serves them has to know them.
#[derive(Debug, Clone)]
pub struct CustomerOnRouter {
    /// Who.
    pub id: CustomerId,
    /// The name used to dial or log in.
    pub login: String,
    /// The password for it.
    pub password: Secret<String>,
    /// How the customer connects.
    pub kind: PackageKind,
    /// The package's terms, shared by all who have it.
    pub package: Arc<PackageView>,
    /// An address of the customer's own.
    pub address: Option<Ipv4Addr>,
    /// The only device that may connect, as `AA:BB:CC:DD:EE:FF`.
    pub mac: Option<String>,
    /// What the ISP wants; never terminated.
    pub status: CustomerStatus,
    /// Where the last entitlements without a gap began, also when they have ended: a router counts time and volume from there.
    pub counted_since: Option<Timestamp>,
    /// What holds now; nothing when the time is up or nothing was ever paid.
    pub paid: Option<Paid>,
}

fn password_place(id: CustomerId) -> Place {
    Place { table: "customer", column: "password", row: id.uuid() }
}

/// Makes a customer.
///
/// # Errors
/// When the role may not, a field is wrong, or the login or address is in use.
pub async fn create(app: &App, scope: &TenantScope, new: NewCustomer) -> Result<NewlyMade, CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomersWrite).await?;
    let package = packages::on_sale(&mut tx, new.package).await?;
    let given = new.password.is_some();
    let id = CustomerId::generate(now, &*app.entropy);
    let password = add(app, &mut tx, id, new, &package, now).await?;
    tx.commit().await?;
    Ok(NewlyMade { id, password: (!given).then_some(password) })
}

/// Makes a customer in a transaction that does more; returns the password.
///
/// # Errors
/// When a field is wrong, the router is not there or full, or the login or address is in use.
pub async fn add(
    app: &App,
    tx: &mut TenantTx,
    id: CustomerId,
    new: NewCustomer,
    package: &PackageView,
    now: Timestamp,
) -> Result<Secret<String>, CustomerError> {
    let currency = tenants::current(tx).await?.currency;
    let draft = rules::draft(id, new, package.kind, currency, app.config.supernet)?;
    expect_room(tx, draft.router, 1).await?;
    expect_in_scope(tx, package.id, draft.router).await?;
    let passwords = insert(app, tx, std::slice::from_ref(&draft), now).await?;
    tx.audit(now, "customer.create", &id.to_string(), serde_json::json!({ "login": draft.login, "router": draft.router }))
        .await?;
    tx.touch_router(draft.router, now).await?;
    Ok(passwords.into_iter().next().expect("one draft has one password"))
}

/// Seals passwords, made where none was given, and writes the rows; returns the passwords in the drafts' order.
async fn insert(app: &App, tx: &mut TenantTx, drafts: &[Draft], now: Timestamp) -> Result<Vec<Secret<String>>, CustomerError> {
    let mut passwords = Vec::with_capacity(drafts.len());
    let mut sealed = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let password = draft.password.clone().unwrap_or_else(|| rules::new_password(&*app.entropy));
        sealed.push(app.vault.seal(tx, password_place(draft.id), password.expose().as_bytes()).await?);
        passwords.push(password);
    }
    store::insert(tx, drafts, sealed, now).await?;
    Ok(passwords)
}

async fn expect_room(tx: &mut TenantTx, router: RouterId, more: i64) -> Result<(), CustomerError> {
    if !store::router_stands(tx, router).await? {
        return Err(CustomerError::NoRouter);
    }
    if store::count_on_router(tx, router).await? + more > PER_ROUTER_MAX {
        return Err(CustomerError::RouterFull);
    }
    Ok(())
}

async fn expect_in_scope(tx: &mut TenantTx, package: PackageId, router: RouterId) -> Result<(), CustomerError> {
    if packages::in_scope(tx, package, router).await? { Ok(()) } else { Err(PackageError::OutOfScope.into()) }
}

/// Changes a customer; the routers concerned look again.
///
/// # Errors
/// When the role may not, a field is wrong, the customer is not there or has left, or the address is in use.
pub async fn update(app: &App, scope: &TenantScope, id: CustomerId, change: CustomerChange) -> Result<(), CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomersWrite).await?;
    let before = lock(&mut tx, id).await?;
    if before.status == CustomerStatus::Terminated {
        return Err(CustomerError::Terminated);
    }
    if let Some(package) = change.package.filter(|package| *package != before.package) {
        let package = packages::on_sale(&mut tx, package).await?;
        if package.kind != before.kind {
            return Err(CustomerError::Kind { customer: before.kind, package: package.kind });
        }
    }
    let currency = tenants::current(&mut tx).await?.currency;
    let after = rules::changed(&before, change, currency, app.config.supernet)?;
    if after.router != before.router {
        expect_room(&mut tx, after.router, 1).await?;
    }
    if (after.router, after.package) != (before.router, before.package) {
        expect_in_scope(&mut tx, after.package, after.router).await?;
    }
    store::update(&mut tx, &after).await?;
    if after.router != before.router {
        // Always in one order, so that two moves in opposite directions cannot wait for each other.
        let mut generations = HashMap::new();
        let mut routers = [before.router, after.router];
        routers.sort_unstable();
        for router in routers {
            generations.insert(router, tx.touch_router(router, now).await?);
        }
        store::move_entitlements(&mut tx, id, after.router, generations[&after.router], now).await?;
    } else if (after.package, after.address, &after.mac) != (before.package, before.address, &before.mac) {
        tx.touch_router(after.router, now).await?;
    }
    tx.audit(now, "customer.update", &id.to_string(), serde_json::json!({ "before": before, "after": after })).await?;
    Ok(tx.commit().await?)
}

/// Switches a customer off by hand.
///
/// # Errors
/// When the role may not, or the customer is not there or has left.
pub async fn suspend(app: &App, scope: &TenantScope, id: CustomerId) -> Result<(), CustomerError> {
    set_status(app, scope, id, Wish::Suspend).await
}

/// Ends what [`suspend`] began.
///
/// # Errors
/// When the role may not, or the customer is not there or has left.
pub async fn resume(app: &App, scope: &TenantScope, id: CustomerId) -> Result<(), CustomerError> {
    set_status(app, scope, id, Wish::Resume).await
}

/// Lets a customer go: the router forgets them, the login may be used anew, the history stays.
///
/// # Errors
/// When the role may not, or the customer is not there.
pub async fn terminate(app: &App, scope: &TenantScope, id: CustomerId) -> Result<(), CustomerError> {
    set_status(app, scope, id, Wish::Terminate).await
}

async fn set_status(app: &App, scope: &TenantScope, id: CustomerId, wish: Wish) -> Result<(), CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomersWrite).await?;
    let customer = lock(&mut tx, id).await?;
    let status = rules::next_status(customer.status, wish).ok_or(CustomerError::Terminated)?;
    if status == customer.status {
        return Ok(());
    }
    store::set_status(&mut tx, id, status).await?;
    tx.touch_router(customer.router, now).await?;
    let action = match wish {
        Wish::Suspend => "customer.suspend",
        Wish::Resume => "customer.resume",
        Wish::Terminate => "customer.terminate",
    };
    tx.audit(now, action, &id.to_string(), serde_json::json!({})).await?;
    Ok(tx.commit().await?)
}

/// Shows a customer's password to who may see it, and writes down that it was shown.
///
/// # Errors
/// When the role may not, or there is no such customer.
pub async fn password(app: &App, scope: &TenantScope, id: CustomerId) -> Result<Secret<String>, CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.read(app, Permission::CustomerSecrets).await?;
    let sealed = store::sealed_password(&mut tx, id).await?.ok_or(CustomerError::NotFound)?;
    let password = app.vault.open_text(&mut tx, password_place(id), &sealed).await?;
    tx.audit(now, "customer.password.show", &id.to_string(), serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(password)
}

/// Gives a customer a new password, made when none is given; the router gets it.
///
/// # Errors
/// When the role may not, the password is not usable, or the customer is not there or has left.
pub async fn reset_password(
    app: &App,
    scope: &TenantScope,
    id: CustomerId,
    password: Option<Secret<String>>,
) -> Result<Secret<String>, CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomerSecrets).await?;
    if let Some((field, message)) = password.as_ref().and_then(|password| rules::password_fault(password.expose())) {
        return Err(CustomerError::Field { field, message });
    }
    let customer = lock(&mut tx, id).await?;
    if customer.status == CustomerStatus::Terminated {
        return Err(CustomerError::Terminated);
    }
    let password = password.unwrap_or_else(|| rules::new_password(&*app.entropy));
    let sealed = app.vault.seal(&mut tx, password_place(id), password.expose().as_bytes()).await?;
    store::set_password(&mut tx, id, &sealed).await?;
    tx.touch_router(customer.router, now).await?;
    tx.audit(now, "customer.password.reset", &id.to_string(), serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(password)
}

/// Reads everybody whom a router has to serve, in order of login: those who have left are left out.
///
/// # Errors
/// When a password does not open, or the database does not answer.
pub async fn on_router(
    app: &App,
    tx: &mut TenantTx,
    router: RouterId,
    now: Timestamp,
) -> Result<Vec<CustomerOnRouter>, CustomerError> {
    let rows = store::on_router(tx, router, now).await?;
    let wanted: Vec<_> = rows.iter().map(|row| (row.customer.package, row.sold_version)).collect();
    let terms = packages::in_force(tx, &wanted).await?;
    let mut customers = Vec::with_capacity(rows.len());
    for (row, package) in rows.into_iter().zip(terms) {
        let password = app.vault.open_text(tx, password_place(row.customer.id), &row.password).await?;
        customers.push(CustomerOnRouter {
            id: row.customer.id,
            login: row.customer.login,
            password,
            kind: row.customer.kind,
            package,
            address: row.customer.address,
            mac: row.customer.mac,
            status: row.customer.status,
            counted_since: row.counted_since,
            paid: row.paid,
        });
    }
    Ok(customers)
}

/// Says whether a router is there and not removed.
///
/// # Errors
/// When the database does not answer.
pub async fn router_stands(tx: &mut TenantTx, router: RouterId) -> Result<bool, DbError> {
    store::router_stands(tx, router).await
}
