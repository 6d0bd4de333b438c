//! An ISP's customers: who they are, on which router and package, and until when each is entitled.
//!
//! A customer's `status` is intent alone. Whether the time is paid follows from entitlements, which stand here because everything that
//! serves a customer needs them; only a payment makes or voids one.

mod accounts;
mod addressees;
mod credentials;
mod entitlements;
mod export;
mod import;
mod lifecycle;
mod moves;
mod passwords;
mod payers;
mod phones;
mod routes;
mod rules;
mod search;
mod store;
mod texts;
mod watched;

pub use accounts::account_number;
pub use addressees::{Addressee, addressee, ends_between, last_end, served_on};
pub use credentials::{CredentialKind, CredentialView, Credentials, Wanted, credentials, phone_of, whose};
pub use entitlements::{Granted, awaiting_online, grant, mark_applied, mark_online, void};
pub use import::{ImportProblem, Imported, RouterImport, WrongRows, import, imports, note_refusal};
pub use lifecycle::{forget_idle, restore, resume, suspend, terminate};
pub use moves::{CustomerMove, CustomerMoved, relocate};
pub use passwords::{password, reset_password};
pub use payers::{Entitled, RecognisedBy, expect, give_time, lock_entitled, recognise};
pub use routes::routes;
pub use rules::readable;
pub use search::{Search, list};
pub use store::{Customer, CustomerView, ImportView, Observed, Timeline, lock, timeline};
pub use watched::{Service, by_logins, exists, owed, owed_on, service};

use crate::app::App;
use crate::messages::{self, Event};
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::packages::{self, PackageError, PackageKind, PackageView};
use crate::secrets::VaultError;
use crate::sites::Position;
use crate::tenants::Limit;
use crate::{routers, sites, tenants};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{Bytes, CustomerId, PackageId, RouterId, Secret, SiteId};
use rules::{Draft, Ground};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::NewRow;
use utoipa::ToSchema;

/// Customers that one router may have; beyond it a router's memory and one look at all of it become too large.
pub const PER_ROUTER_MAX: i64 = 10_000;
/// Customers that one statement writes.
const CHUNK: usize = 5_000;
/// How often new account numbers are drawn for those whose number was taken. A million customers hold a ninth of all numbers; forty draws that
/// all miss mean that nearly none are left.
const DRAWS_MAX: usize = 40;

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
    /// There is no such site.
    #[error("there is no such site")]
    NoSite,
    /// The router has as many customers as it may.
    #[error("a router may have {PER_ROUTER_MAX} customers; move or terminate some first")]
    RouterFull,
    /// The package is for another kind of connection.
    #[error("this customer connects by {}, and the package is for {}", .customer.as_str(), .package.as_str())]
    Kind { customer: PackageKind, package: PackageKind },
    /// The customer has left.
    #[error("the customer is terminated: restore them within 30 days, or make a new one")]
    Terminated,
    /// The customer has not left.
    #[error("the customer is not terminated")]
    NotTerminated,
    /// The customer left too long ago.
    #[error("the customer left more than 30 days ago: make a new one")]
    LongGone,
    /// Somebody else changed the customer in between.
    #[error(
        "the customer was changed by somebody else: you saw version {seen}, now it is {now}. Read it again, and change what is still to be changed"
    )]
    Stale { seen: i64, now: i64 },
    /// No account number was free.
    #[error("nearly all account numbers are in use: no more customers can be made on this instance")]
    NoAccount,
    /// The file is not a table of customers.
    #[error("{0}")]
    File(String),
    /// Rows of a file are wrong, and nothing was written.
    #[error("nothing was written: {} row(s) of the file are wrong, with {} fault(s){}", .0.rows, .0.faults, .0.begins())]
    Rows(WrongRows),
    /// The tenant has as many customers as it may.
    #[error(transparent)]
    Limit(#[from] tenants::LimitError),
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

/// How a customer came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An operator made them.
    Operator,
    /// They stood in a file.
    Import,
    /// A voucher made them, who go again when nobody uses them.
    Voucher,
}

impl Origin {
    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Import => "import",
            Self::Voucher => "voucher",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        [Self::Operator, Self::Import, Self::Voucher].into_iter().find(|origin| origin.as_str() == name)
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
    /// The name for people, up to 100 characters in any script.
    #[serde(default)]
    pub full_name: String,
    /// A phone number in any usual form of the tenant's country, or with its country in front.
    #[serde(default)]
    pub phone: String,
    /// An e-mail address.
    #[serde(default)]
    pub email: String,
    /// The language to write in, such as `sw` or `en-KE`.
    #[serde(default)]
    pub language: String,
    /// What is good to know, up to 2000 characters.
    #[serde(default)]
    pub notes: String,
    /// Where the customer lives.
    pub location: Option<Position>,
    /// The router that serves the customer.
    pub router: RouterId,
    /// The house, flat or shop.
    pub site: Option<SiteId>,
    /// The package; it decides how the customer connects.
    pub package: PackageId,
    /// An address of the customer's own; a static customer must have one.
    #[schema(value_type = Option<String>, format = Ipv4)]
    pub address: Option<Ipv4Addr>,
    /// The only device that may connect.
    pub mac: Option<String>,
}

impl NewCustomer {
    /// A customer of whom nothing else is known.
    #[must_use]
    pub const fn named(login: String, router: RouterId, package: PackageId) -> Self {
        Self {
            login,
            password: None,
            full_name: String::new(),
            phone: String::new(),
            email: String::new(),
            language: String::new(),
            notes: String::new(),
            location: None,
            router,
            site: None,
            package,
            address: None,
            mac: None,
        }
    }
}

/// What of a customer is to change; what is left out stays, and null takes away a place, an address or a device.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerChange {
    /// The version that you saw: if somebody has changed the customer since, nothing is done. Left out, the change is made in any case.
    pub version: Option<i64>,
    /// The name used to dial or log in; the old one is good no more.
    pub login: Option<String>,
    /// The name for people.
    pub full_name: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// The language to write in.
    pub language: Option<String>,
    /// What is good to know.
    pub notes: Option<String>,
    /// Where the customer lives.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Position>)]
    pub location: Option<Option<Position>>,
    /// The router that serves the customer.
    pub router: Option<RouterId>,
    /// The house, flat or shop.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<SiteId>)]
    pub site: Option<Option<SiteId>>,
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

async fn ground(app: &App, tx: &mut TenantTx) -> Result<Ground, DbError> {
    Ok(Ground { country: tenants::country(tx).await?, tunnel: app.config.supernet })
}

/// Makes a customer, for an operator who may.
///
/// # Errors
/// When a field is wrong, the router is not there or full, or the login or address is in use.
pub async fn create(app: &App, tx: &mut TenantTx, new: NewCustomer, now: Timestamp) -> Result<NewlyMade, CustomerError> {
    let package = packages::on_sale(tx, new.package).await?;
    let given = new.password.is_some();
    let id = CustomerId::generate(now, &*app.entropy);
    let password = add(app, tx, id, new, &package, Origin::Operator, now).await?;
    messages::on_event(app, tx, Event::CustomerCreated, id, id.uuid(), &[]).await?;
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
    origin: Origin,
    now: Timestamp,
) -> Result<Secret<String>, CustomerError> {
    let ground = ground(app, tx).await?;
    let draft = rules::draft(id, new, package.kind, origin, ground).map_err(|faults| faults[0])?;
    if !routers::stands(tx, draft.router).await? {
        return Err(CustomerError::NoRouter);
    }
    expect_site(tx, draft.site).await?;
    expect_in_scope(tx, package.id, draft.router).await?;
    tenants::check(tx, Limit::Customers, 1, now).await?;
    let passwords = insert(app, tx, std::slice::from_ref(&draft), now).await?;
    expect_room(tx, draft.router, now).await?;
    tx.audit(now, "customer.create", &id.to_string(), serde_json::json!({ "login": draft.login, "router": draft.router }))
        .await?;
    Ok(passwords.into_iter().next().expect("one draft has one password"))
}

/// Seals passwords, made where none was given, and writes the rows; returns the passwords in the drafts' order.
async fn insert(app: &App, tx: &mut TenantTx, drafts: &[Draft], now: Timestamp) -> Result<Vec<Secret<String>>, CustomerError> {
    if drafts.len() > 1 {
        store::take_turn(tx).await?;
    }
    let mut all = Vec::with_capacity(drafts.len());
    for drafts in drafts.chunks(CHUNK) {
        let mut passwords = Vec::with_capacity(drafts.len());
        let mut sealed = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let password = draft.password.clone().unwrap_or_else(|| rules::new_password(&*app.entropy));
            sealed.push(app.vault.seal(tx, passwords::place(draft.id), password.expose().as_bytes()).await?);
            passwords.push(password);
        }
        let mut left: Vec<(&Draft, &[u8])> = drafts.iter().zip(sealed.iter().map(Vec::as_slice)).collect();
        for _ in 0..DRAWS_MAX {
            let mut rows = Vec::with_capacity(left.len());
            rows.extend(left.iter().map(|(draft, sealed)| NewRow { draft, sealed, account: accounts::draw(&*app.entropy) }));
            let written = store::insert(tx, &rows, now).await?;
            left.retain(|(draft, _)| !written.contains(&draft.id));
            if left.is_empty() {
                break;
            }
        }
        if !left.is_empty() {
            return Err(CustomerError::NoAccount);
        }
        all.append(&mut passwords);
    }
    Ok(all)
}

async fn expect_site(tx: &mut TenantTx, site: Option<SiteId>) -> Result<(), CustomerError> {
    match site {
        Some(site) if !sites::hold(tx, site).await? => Err(CustomerError::NoSite),
        Some(_) | None => Ok(()),
    }
}

async fn expect_in_scope(tx: &mut TenantTx, package: PackageId, router: RouterId) -> Result<(), CustomerError> {
    if packages::in_scope(tx, package, router).await? { Ok(()) } else { Err(PackageError::OutOfScope.into()) }
}

/// Makes a router look again that has been given customers, and checks that they fit; returns its generation. Whoever else gives it some
/// waits here until this transaction ends, so that of two who both fit alone one is refused.
async fn expect_room(tx: &mut TenantTx, router: RouterId, now: Timestamp) -> Result<i64, CustomerError> {
    if !routers::stands(tx, router).await? {
        return Err(CustomerError::NoRouter);
    }
    let generation = tx.touch_router(router, now).await?;
    if store::count_on_router(tx, router).await? > PER_ROUTER_MAX {
        return Err(CustomerError::RouterFull);
    }
    Ok(generation)
}

/// Changes a customer; the routers concerned look again.
///
/// # Errors
/// When the role may not, a field is wrong, the customer is not there, has left or was changed in between, or the login or address is in use.
pub async fn update(app: &App, scope: &TenantScope, id: CustomerId, change: CustomerChange) -> Result<(), CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomersWrite).await?;
    let before = lock(&mut tx, id).await?;
    if before.status == CustomerStatus::Terminated {
        return Err(CustomerError::Terminated);
    }
    if let Some(seen) = change.version.filter(|seen| *seen != before.version) {
        return Err(CustomerError::Stale { seen, now: before.version });
    }
    if let Some(package) = change.package.filter(|package| *package != before.package) {
        let package = packages::on_sale(&mut tx, package).await?;
        if package.kind != before.kind {
            return Err(CustomerError::Kind { customer: before.kind, package: package.kind });
        }
    }
    let ground = ground(app, &mut tx).await?;
    let mut after = rules::changed(&before, change, ground)?;
    if after.router != before.router && !routers::stands(&mut tx, after.router).await? {
        return Err(CustomerError::NoRouter);
    }
    if after.site != before.site {
        expect_site(&mut tx, after.site).await?;
    }
    if (after.router, after.package) != (before.router, before.package) {
        expect_in_scope(&mut tx, after.package, after.router).await?;
    }
    let past = credentials::replaced(&before, &mut after, now);
    store::update(&mut tx, &after).await?;
    credentials::remember(app, &mut tx, &before, &past, now).await?;
    follow(&mut tx, &before, &after, now).await?;
    after.version += 1;
    tx.audit_change(now, "customer.update", &id.to_string(), &before, &after).await?;
    Ok(tx.commit().await?)
}

/// Makes the routers look again that a change concerns; what is paid goes along to another router.
async fn follow(tx: &mut TenantTx, before: &Customer, after: &Customer, now: Timestamp) -> Result<(), CustomerError> {
    let of_router = |customer: &Customer| (customer.package, customer.address, customer.mac.clone(), customer.login.clone());
    if after.router == before.router {
        if of_router(after) != of_router(before) {
            tx.touch_router(after.router, now).await?;
        }
        return Ok(());
    }
    // Always in one order, so that two moves in opposite directions cannot wait for each other.
    let mut routers = [before.router, after.router];
    routers.sort_unstable();
    let mut generations = HashMap::new();
    for router in routers {
        let generation =
            if router == after.router { expect_room(tx, router, now).await? } else { tx.touch_router(router, now).await? };
        generations.insert(router, generation);
    }
    Ok(store::move_entitlements(tx, after.id, after.router, generations[&after.router], now).await?)
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
    // A suspended ISP serves no longer than its policy says, whatever was paid.
    let service_ends = tenants::current(tx).await?.service_ends_at;
    let wanted: Vec<_> = rows.iter().map(|row| (row.customer.package, row.sold_version)).collect();
    let terms = packages::in_force(tx, &wanted).await?;
    let mut customers = Vec::with_capacity(rows.len());
    for (row, package) in rows.into_iter().zip(terms) {
        let password = app.vault.open_text(tx, passwords::place(row.customer.id), &row.password).await?;
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
            paid: row.paid.and_then(|paid| rules::cut(paid, service_ends, now)),
        });
    }
    Ok(customers)
}
