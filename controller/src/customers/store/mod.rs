//! Customers and their entitlements in the database.

mod entitlements;
mod files;
mod history;
mod search;

pub(super) use entitlements::*;
pub(super) use files::*;
pub(super) use history::*;
pub(super) use search::*;

pub use entitlements::{Timeline, timeline};
pub use files::ImportView;

use super::rules::Draft;
use super::texts;
use super::{CustomerError, CustomerStatus, Origin, Paid};
use crate::http::PageItem;
use crate::packages::PackageKind;
use crate::sites::Position;
use db::{DbError, TenantTx, on_constraint};
use ipnetwork::IpNetwork;
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{Bytes, CustomerId, PackageId, PackageVersionId, RouterId, SiteId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use utoipa::ToSchema;
use uuid::Uuid;

/// A customer as stored, without the password.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Customer {
    /// The customer.
    pub id: CustomerId,
    /// Raised by every change; give it with a change, so that nobody's is overwritten unseen.
    pub version: i64,
    /// The number by which the customer's money is known: eight digits, the last of which is a check.
    pub account_number: String,
    /// The name used to dial or log in.
    pub login: String,
    /// The name for people.
    pub full_name: String,
    /// The phone number's digits, its country first.
    pub phone: String,
    /// An e-mail address.
    pub email: String,
    /// The language to write in, such as `sw` or `en-KE`.
    pub language: String,
    /// What the ISP notes down.
    pub notes: String,
    /// Where the customer lives.
    pub location: Option<Position>,
    /// How the customer connects.
    pub kind: PackageKind,
    /// The router that serves the customer.
    pub router: RouterId,
    /// The house, flat or shop.
    pub site: Option<SiteId>,
    /// The package.
    pub package: PackageId,
    /// An address of the customer's own.
    #[schema(value_type = Option<String>, format = Ipv4)]
    pub address: Option<Ipv4Addr>,
    /// The only device that may connect.
    pub mac: Option<String>,
    /// What the ISP wants with the customer.
    pub status: CustomerStatus,
    /// How the customer came here.
    pub origin: Origin,
    /// When the customer was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the customer was let go; for 30 days they can come back as who they were.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub terminated_at: Option<Timestamp>,
    /// Since when the login, the device and the telephone are the customer's.
    #[serde(skip)]
    pub(super) since: Since,
}

/// Since when a customer is recognised by what they are recognised by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    pub(super) login: Timestamp,
    pub(super) mac: Option<Timestamp>,
    pub(super) phone: Option<Timestamp>,
}

/// What was seen of the service, apart from what is wanted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Observed {
    /// The router's generation that carries what was begun last; nothing was ever begun when it is empty.
    pub generation: Option<i64>,
    /// When the router was seen to hold it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub applied_at: Option<Timestamp>,
    /// When the customer was first seen online with it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub online_at: Option<Timestamp>,
}

/// A customer, until when the time is paid, and what was seen of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CustomerView {
    /// The customer.
    #[serde(flatten)]
    pub customer: Customer,
    /// The end of what is paid; empty when the time is up or nothing was ever paid.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paid_until: Option<Timestamp>,
    /// What was seen on the router.
    pub observed: Observed,
}

impl PageItem for CustomerView {
    fn cursor(&self) -> Uuid {
        self.customer.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: CustomerId,
    version: i64,
    account_number: String,
    login: String,
    full_name: String,
    phone: String,
    email: String,
    language: String,
    notes: String,
    latitude: Option<f64>,
    longitude: Option<f64>,
    kind: String,
    router_id: RouterId,
    site_id: Option<SiteId>,
    package_id: PackageId,
    address: Option<IpNetwork>,
    mac: Option<String>,
    status: String,
    origin: String,
    created_at: SqlTimestamp,
    terminated_at: Option<SqlTimestamp>,
    login_since: SqlTimestamp,
    mac_since: Option<SqlTimestamp>,
    phone_since: Option<SqlTimestamp>,
}

impl From<Row> for Customer {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            version: row.version,
            account_number: row.account_number,
            login: row.login,
            full_name: row.full_name,
            phone: row.phone,
            email: row.email,
            language: row.language,
            notes: row.notes,
            location: row.latitude.zip(row.longitude).map(|(latitude, longitude)| Position { latitude, longitude }),
            kind: PackageKind::from_stored(&row.kind).expect("the column's CHECK lets only kinds in"),
            router: row.router_id,
            site: row.site_id,
            package: row.package_id,
            address: row.address.map(ipv4),
            mac: row.mac,
            status: CustomerStatus::from_stored(&row.status).expect("the column's CHECK lets only these in"),
            origin: Origin::from_stored(&row.origin).expect("the column's CHECK lets only these in"),
            created_at: row.created_at.to_jiff(),
            terminated_at: row.terminated_at.map(SqlTimestamp::to_jiff),
            since: Since {
                login: row.login_since.to_jiff(),
                mac: row.mac_since.map(SqlTimestamp::to_jiff),
                phone: row.phone_since.map(SqlTimestamp::to_jiff),
            },
        }
    }
}

fn ipv4(address: IpNetwork) -> Ipv4Addr {
    match address.ip() {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => unreachable!("the column's CHECK lets only IPv4 in"),
    }
}

/// A customer with what is paid.
#[derive(FromRow)]
struct PaidRow {
    #[sqlx(flatten)]
    customer: Row,
    password: Vec<u8>,
    counted_since: Option<SqlTimestamp>,
    sold_version: Option<PackageVersionId>,
    generation: Option<i64>,
    applied_at: Option<SqlTimestamp>,
    online_at: Option<SqlTimestamp>,
    first_start: Option<SqlTimestamp>,
    until: Option<SqlTimestamp>,
    online_seconds: Option<i64>,
    data_bytes: Option<i64>,
}

/// A customer with the sealed password and what is paid.
pub(super) struct OnRouterRow {
    pub(super) customer: Customer,
    pub(super) password: Vec<u8>,
    pub(super) counted_since: Option<Timestamp>,
    /// The version of the customer's package that was bought for now.
    pub(super) sold_version: Option<PackageVersionId>,
    pub(super) paid: Option<Paid>,
}

impl From<PaidRow> for OnRouterRow {
    fn from(row: PaidRow) -> Self {
        let paid = row.first_start.zip(row.until).map(|(first, until)| Paid {
            first_start: first.to_jiff(),
            until: until.to_jiff(),
            online_seconds: row.online_seconds,
            data: row.data_bytes.and_then(|bytes| u64::try_from(bytes).ok()).map(Bytes),
        });
        Self {
            customer: row.customer.into(),
            password: row.password,
            counted_since: row.counted_since.map(SqlTimestamp::to_jiff),
            sold_version: row.sold_version,
            paid,
        }
    }
}

impl From<PaidRow> for CustomerView {
    fn from(row: PaidRow) -> Self {
        let observed = Observed {
            generation: row.generation,
            applied_at: row.applied_at.map(SqlTimestamp::to_jiff),
            online_at: row.online_at.map(SqlTimestamp::to_jiff),
        };
        let row = OnRouterRow::from(row);
        Self { customer: row.customer, paid_until: row.paid.map(|paid| paid.until), observed }
    }
}

/// What is read of a customer `c` and of what they paid for.
macro_rules! paid_columns {
    () => {
        "SELECT c.*, counted.since AS counted_since, counted.sold_version, counted.generation, counted.applied_at, counted.online_at,
                paid.first_start, paid.until, allowed.online_seconds, allowed.data_bytes FROM "
    };
}

/// Joins to each customer `c` of the tenant `$1` the beginning of the last chain of entitlements that began by the time `$2`, the version of
/// the package that was bought for this time, the chain that covers it, and what the packages of that chain allow together.
macro_rules! paid_joins {
    () => {
        " LEFT JOIN LATERAL (
                    SELECT e.unbroken_since AS since, e.generation, e.applied_at, e.online_at,
                           CASE WHEN e.ends_at > $2 AND e.package_id = c.package_id THEN e.package_version_id END AS sold_version
                      FROM entitlement e
                     WHERE e.tenant_id = $1 AND e.customer_id = c.id AND e.voided_at IS NULL AND e.starts_at <= $2
                     ORDER BY e.ends_at DESC LIMIT 1) counted ON true
               LEFT JOIN LATERAL (
                    SELECT e.unbroken_since AS first_start, max(e.ends_at) AS until FROM entitlement e
                     WHERE e.tenant_id = $1 AND e.customer_id = c.id AND e.voided_at IS NULL AND e.ends_at > $2
                     GROUP BY e.unbroken_since HAVING min(e.starts_at) <= $2) paid ON true
               LEFT JOIN LATERAL (
                    SELECT CASE WHEN bool_and(p.online_seconds IS NOT NULL)
                                THEN LEAST(sum(p.online_seconds), 9223372036854775807)::bigint END AS online_seconds,
                           CASE WHEN bool_and(p.data_bytes IS NOT NULL)
                                THEN LEAST(sum(p.data_bytes), 9223372036854775807)::bigint END AS data_bytes
                      FROM entitlement e JOIN package p ON p.tenant_id = $1 AND p.id = e.package_id
                     WHERE e.tenant_id = $1 AND e.customer_id = c.id AND e.voided_at IS NULL
                       AND NOT e.complimentary AND e.unbroken_since = paid.first_start) allowed ON c.kind = 'hotspot' "
    };
}
use {paid_columns, paid_joins};

/// Customers of the tenant `$1`, each with what is paid at the time `$2`.
macro_rules! with_paid {
    ($rest:literal) => {
        concat!(paid_columns!(), "customer c", paid_joins!(), "WHERE c.tenant_id = $1 AND ", $rest)
    };
}

pub(super) async fn on_router(tx: &mut TenantTx, router: RouterId, now: Timestamp) -> Result<Vec<OnRouterRow>, DbError> {
    let rows: Vec<PaidRow> = sqlx::query_as(with_paid!("c.router_id = $3 AND c.status <> 'terminated' ORDER BY c.login"))
        .bind(tx.tenant())
        .bind(now.to_sqlx())
        .bind(router)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(OnRouterRow::from).collect())
}

pub(super) async fn get(tx: &mut TenantTx, id: CustomerId, now: Timestamp) -> Result<Option<CustomerView>, DbError> {
    let row: Option<PaidRow> =
        sqlx::query_as(with_paid!("c.id = $3")).bind(tx.tenant()).bind(now.to_sqlx()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(CustomerView::from))
}

/// Reads a customer and keeps others from changing it, or what it is entitled to, until the transaction ends.
///
/// # Errors
/// When there is no such customer.
pub async fn lock(tx: &mut TenantTx, id: CustomerId) -> Result<Customer, CustomerError> {
    let row: Option<Row> = sqlx::query_as("SELECT * FROM customer WHERE tenant_id = $1 AND id = $2 FOR UPDATE")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await
        .map_err(DbError::from)?;
    row.map(Customer::from).ok_or(CustomerError::NotFound)
}

/// A customer to be written: what was checked, the sealed password, and the account number that was drawn.
pub(super) struct NewRow<'a> {
    pub(super) draft: &'a Draft,
    pub(super) sealed: &'a [u8],
    pub(super) account: String,
}

/// Lets one transaction at a time write many customers, over all tenants, until it ends. Two that hold thousands of drawn account numbers
/// each would meet on some, and wait for each other.
pub(super) async fn take_turn(tx: &mut TenantTx) -> Result<(), DbError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('customer.account_number', 0))").execute(tx.conn()).await?;
    Ok(())
}

/// Writes new customers in one statement, and returns those whose account number was free.
pub(super) async fn insert(tx: &mut TenantTx, rows: &[NewRow<'_>], now: Timestamp) -> Result<HashSet<CustomerId>, CustomerError> {
    fn column<T>(rows: &[NewRow<'_>], value: impl Fn(&Draft) -> T) -> Vec<T> {
        rows.iter().map(|row| value(row.draft)).collect()
    }
    let written: Vec<CustomerId> = sqlx::query_scalar(
        "INSERT INTO customer (tenant_id, created_at, login_since, mac_since, phone_since, id, login, full_name, phone, kind, password,
                               router_id, package_id, address, mac, email, language, notes, latitude, longitude, site_id, status, origin,
                               account_number, search_name, search_last)
         SELECT $1, $2, $2, CASE WHEN n.mac IS NOT NULL THEN $2 END, CASE WHEN n.phone <> '' THEN $2 END, n.*
           FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::uuid[], $10::uuid[], $11::inet[],
                       $12::text[], $13::text[], $14::text[], $15::text[], $16::float8[], $17::float8[], $18::uuid[], $19::text[],
                       $20::text[], $21::text[], $22::text[], $23::text[])
             AS n (id, login, full_name, phone, kind, password, router_id, package_id, address, mac, email, language, notes, latitude,
                   longitude, site_id, status, origin, account_number, search_name, search_last)
         ON CONFLICT ON CONSTRAINT customer_account_unique DO NOTHING RETURNING id",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .bind(column(rows, |draft| draft.id.uuid()))
    .bind(column(rows, |draft| draft.login.clone()))
    .bind(column(rows, |draft| draft.full_name.clone()))
    .bind(column(rows, |draft| draft.phone.clone()))
    .bind(column(rows, |draft| draft.kind.as_str()))
    .bind(rows.iter().map(|row| row.sealed).collect::<Vec<_>>())
    .bind(column(rows, |draft| draft.router.uuid()))
    .bind(column(rows, |draft| draft.package.uuid()))
    .bind(column(rows, |draft| draft.address.map(|address| IpNetwork::from(IpAddr::V4(address)))))
    .bind(column(rows, |draft| draft.mac.clone()))
    .bind(column(rows, |draft| draft.email.clone()))
    .bind(column(rows, |draft| draft.language.clone()))
    .bind(column(rows, |draft| draft.notes.clone()))
    .bind(column(rows, |draft| draft.location.map(|place| place.latitude)))
    .bind(column(rows, |draft| draft.location.map(|place| place.longitude)))
    .bind(column(rows, |draft| draft.site.map(SiteId::uuid)))
    .bind(column(rows, |draft| draft.status.as_str()))
    .bind(column(rows, |draft| draft.origin.as_str()))
    .bind(rows.iter().map(|row| row.account.clone()).collect::<Vec<_>>())
    .bind(column(rows, |draft| texts::folded(&draft.full_name)))
    .bind(column(rows, |draft| texts::folded_last(&draft.full_name)))
    .fetch_all(tx.conn())
    .await
    .map_err(taken)?;
    Ok(written.into_iter().collect())
}

fn taken(error: sqlx::Error) -> CustomerError {
    match on_constraint(&error) {
        Some("customer_login_unique") => CustomerError::LoginTaken,
        Some("customer_address_unique") => CustomerError::AddressTaken,
        Some("customer_site") => CustomerError::NoSite,
        _ => DbError::from(error).into(),
    }
}

/// Writes a customer as they are after a change.
pub(super) async fn update(tx: &mut TenantTx, after: &Customer) -> Result<(), CustomerError> {
    sqlx::query(
        "UPDATE customer SET version = version + 1, full_name = $3, phone = $4, router_id = $5, package_id = $6, address = $7, mac = $8,
                             login = $9, email = $10, language = $11, notes = $12, latitude = $13, longitude = $14, site_id = $15,
                             search_name = $16, search_last = $17, login_since = $18, mac_since = $19, phone_since = $20
          WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(after.id)
    .bind(&after.full_name)
    .bind(&after.phone)
    .bind(after.router)
    .bind(after.package)
    .bind(after.address.map(|address| IpNetwork::from(IpAddr::V4(address))))
    .bind(&after.mac)
    .bind(&after.login)
    .bind(&after.email)
    .bind(&after.language)
    .bind(&after.notes)
    .bind(after.location.map(|place| place.latitude))
    .bind(after.location.map(|place| place.longitude))
    .bind(after.site)
    .bind(texts::folded(&after.full_name))
    .bind(texts::folded_last(&after.full_name))
    .bind(after.since.login.to_sqlx())
    .bind(after.since.mac.map(|at| at.to_sqlx()))
    .bind(after.since.phone.map(|at| at.to_sqlx()))
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

pub(super) async fn set_package(tx: &mut TenantTx, id: CustomerId, package: PackageId) -> Result<(), DbError> {
    sqlx::query("UPDATE customer SET version = version + 1, package_id = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(package)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Writes what the ISP wants with a customer; who comes back may find the login or address taken.
pub(super) async fn set_status(
    tx: &mut TenantTx,
    id: CustomerId,
    status: CustomerStatus,
    now: Timestamp,
) -> Result<(), CustomerError> {
    sqlx::query(
        "UPDATE customer SET version = version + 1, status = $3, terminated_at = CASE WHEN $3 = 'terminated' THEN $4 END
          WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(status.as_str())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

pub(super) async fn sealed_password(tx: &mut TenantTx, id: CustomerId) -> Result<Option<Vec<u8>>, DbError> {
    Ok(sqlx::query_scalar("SELECT password FROM customer WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?)
}

pub(super) async fn set_password(tx: &mut TenantTx, id: CustomerId, sealed: &[u8]) -> Result<(), DbError> {
    sqlx::query("UPDATE customer SET version = version + 1, password = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(sealed)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn count_on_router(tx: &mut TenantTx, router: RouterId) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM customer WHERE tenant_id = $1 AND router_id = $2 AND status <> 'terminated'")
        .bind(tx.tenant())
        .bind(router)
        .fetch_one(tx.conn())
        .await?)
}

/// Lets up to 1,000 customers go whom a voucher made before `before` and who were entitled to nothing since; returns them with their routers.
pub(super) async fn terminate_idle(
    tx: &mut TenantTx,
    before: Timestamp,
    now: Timestamp,
) -> Result<Vec<(CustomerId, RouterId)>, DbError> {
    Ok(sqlx::query_as(
        "UPDATE customer SET version = version + 1, status = 'terminated', terminated_at = $3
          WHERE tenant_id = $1 AND id IN (
                SELECT c.id FROM customer c
                 WHERE c.tenant_id = $1 AND c.origin = 'voucher' AND c.status <> 'terminated' AND c.created_at < $2
                   AND NOT EXISTS (SELECT 1 FROM entitlement e WHERE e.tenant_id = $1 AND e.customer_id = c.id
                                      AND e.voided_at IS NULL AND e.ends_at >= $2)
                 ORDER BY c.created_at LIMIT 1000 FOR UPDATE)
         RETURNING id, router_id",
    )
    .bind(tx.tenant())
    .bind(before.to_sqlx())
    .bind(now.to_sqlx())
    .fetch_all(tx.conn())
    .await?)
}
