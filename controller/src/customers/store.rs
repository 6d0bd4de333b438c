//! Customers and their entitlements in the database.

use super::rules::{Draft, Span};
use super::{CustomerError, CustomerStatus, Paid};
use crate::http::{Page, PageItem};
use crate::packages::PackageKind;
use db::{DbError, TenantTx, on_constraint};
use ipnetwork::IpNetwork;
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{Bytes, CustomerId, EntitlementId, PackageId, PackageVersionId, PaymentId, RouterId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use utoipa::ToSchema;
use uuid::Uuid;

/// A customer as stored, without the password.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Customer {
    /// The customer.
    pub id: CustomerId,
    /// The name used to dial or log in.
    pub login: String,
    /// The name for people.
    pub full_name: String,
    /// The phone number's digits.
    pub phone: String,
    /// How the customer connects.
    pub kind: PackageKind,
    /// The router that serves the customer.
    pub router: RouterId,
    /// The package.
    pub package: PackageId,
    /// An address of the customer's own.
    #[schema(value_type = Option<String>, format = Ipv4)]
    pub address: Option<Ipv4Addr>,
    /// The only device that may connect.
    pub mac: Option<String>,
    /// What the ISP wants with the customer.
    pub status: CustomerStatus,
    /// When the customer was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A customer, and until when the time is paid.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CustomerView {
    /// The customer.
    #[serde(flatten)]
    pub customer: Customer,
    /// The end of what is paid; empty when the time is up or nothing was ever paid.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paid_until: Option<Timestamp>,
}

impl PageItem for CustomerView {
    fn cursor(&self) -> Uuid {
        self.customer.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: CustomerId,
    login: String,
    full_name: String,
    phone: String,
    kind: String,
    router_id: RouterId,
    package_id: PackageId,
    address: Option<IpNetwork>,
    mac: Option<String>,
    status: String,
    created_at: SqlTimestamp,
}

impl From<Row> for Customer {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            login: row.login,
            full_name: row.full_name,
            phone: row.phone,
            kind: PackageKind::from_stored(&row.kind).expect("the column's CHECK lets only kinds in"),
            router: row.router_id,
            package: row.package_id,
            address: row.address.map(ipv4),
            mac: row.mac,
            status: CustomerStatus::from_stored(&row.status).expect("the column's CHECK lets only these in"),
            created_at: row.created_at.to_jiff(),
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
        let row = OnRouterRow::from(row);
        Self { customer: row.customer, paid_until: row.paid.map(|paid| paid.until) }
    }
}

/// Customers of the tenant `$1`, each with the beginning of the last chain of entitlements that began by the time `$2`, the version of
/// the package that was bought for this time, the chain that
/// covers this time, and what the packages of that chain allow together.
macro_rules! with_paid {
    ($rest:literal) => {
        concat!(
            "SELECT c.*, counted.since AS counted_since, counted.sold_version, paid.first_start, paid.until, allowed.online_seconds, allowed.data_bytes
               FROM customer c
               LEFT JOIN LATERAL (
                    SELECT e.unbroken_since AS since,
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
                       AND e.unbroken_since = paid.first_start) allowed ON c.kind = 'hotspot'
              WHERE c.tenant_id = $1 AND ",
            $rest
        )
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

/// Which customers are asked for.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) router: Option<RouterId>,
    pub(super) kind: Option<PackageKind>,
    pub(super) login: Option<String>,
}

pub(super) async fn list(tx: &mut TenantTx, filter: &Filter, page: &Page, now: Timestamp) -> Result<Vec<CustomerView>, DbError> {
    let rows: Vec<PaidRow> = sqlx::query_as(with_paid!(
        "c.id < $3 AND ($4::uuid IS NULL OR c.router_id = $4) AND ($5::text IS NULL OR c.kind = $5)
             AND ($6::text IS NULL OR c.login ^@ $6) ORDER BY c.id DESC LIMIT $7"
    ))
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .bind(page.before())
    .bind(filter.router)
    .bind(filter.kind.map(PackageKind::as_str))
    .bind(filter.login.as_deref())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(CustomerView::from).collect())
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

/// Writes new customers; `sealed` are their passwords, in the same order.
pub(super) async fn insert(
    tx: &mut TenantTx,
    drafts: &[Draft],
    sealed: Vec<Vec<u8>>,
    now: Timestamp,
) -> Result<(), CustomerError> {
    fn column<T>(drafts: &[Draft], value: impl Fn(&Draft) -> T) -> Vec<T> {
        drafts.iter().map(value).collect()
    }
    sqlx::query(
        "INSERT INTO customer (tenant_id, id, login, full_name, phone, kind, password, router_id, package_id, address, mac, created_at)
         SELECT $1, *, $12 FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::uuid[], $9::uuid[],
                                       $10::inet[], $11::text[])",
    )
    .bind(tx.tenant())
    .bind(column(drafts, |draft| draft.id.uuid()))
    .bind(column(drafts, |draft| draft.login.clone()))
    .bind(column(drafts, |draft| draft.full_name.clone()))
    .bind(column(drafts, |draft| draft.phone.clone()))
    .bind(column(drafts, |draft| draft.kind.as_str()))
    .bind(sealed)
    .bind(column(drafts, |draft| draft.router.uuid()))
    .bind(column(drafts, |draft| draft.package.uuid()))
    .bind(column(drafts, |draft| draft.address.map(|address| IpNetwork::from(IpAddr::V4(address)))))
    .bind(column(drafts, |draft| draft.mac.clone()))
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

fn taken(error: sqlx::Error) -> CustomerError {
    match on_constraint(&error) {
        Some("customer_login_unique") => CustomerError::LoginTaken,
        Some("customer_address_unique") => CustomerError::AddressTaken,
        _ => DbError::from(error).into(),
    }
}

pub(super) async fn update(tx: &mut TenantTx, after: &Customer) -> Result<(), CustomerError> {
    sqlx::query(
        "UPDATE customer SET full_name = $3, phone = $4, router_id = $5, package_id = $6, address = $7, mac = $8
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
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

pub(super) async fn set_package(tx: &mut TenantTx, id: CustomerId, package: PackageId) -> Result<(), DbError> {
    sqlx::query("UPDATE customer SET package_id = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(package)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn set_status(tx: &mut TenantTx, id: CustomerId, status: CustomerStatus) -> Result<(), DbError> {
    sqlx::query("UPDATE customer SET status = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(status.as_str())
        .execute(tx.conn())
        .await?;
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
    sqlx::query("UPDATE customer SET password = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(sealed)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Looks along a foreign key whether its router is still there.
pub(super) async fn router_stands(tx: &mut TenantTx, router: RouterId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM router WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL)")
        .bind(tx.tenant())
        .bind(router)
        .fetch_one(tx.conn())
        .await?)
}

pub(super) async fn count_on_router(tx: &mut TenantTx, router: RouterId) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM customer WHERE tenant_id = $1 AND router_id = $2 AND status <> 'terminated'")
        .bind(tx.tenant())
        .bind(router)
        .fetch_one(tx.conn())
        .await?)
}

/// Reads the routers that are there, by name, for a file that names them.
pub(super) async fn routers_by_name(tx: &mut TenantTx) -> Result<HashMap<String, RouterId>, DbError> {
    let rows: Vec<(String, RouterId)> = sqlx::query_as("SELECT name, id FROM router WHERE tenant_id = $1 AND removed_at IS NULL")
        .bind(tx.tenant())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().collect())
}

/// Reads which of some logins are in use.
pub(super) async fn live_logins(tx: &mut TenantTx, logins: &[&str]) -> Result<HashSet<String>, DbError> {
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT login FROM customer WHERE tenant_id = $1 AND status <> 'terminated' AND login = ANY ($2)")
            .bind(tx.tenant())
            .bind(logins)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().collect())
}

/// Reads the addresses that are in use.
pub(super) async fn live_addresses(tx: &mut TenantTx) -> Result<HashSet<(RouterId, Ipv4Addr)>, DbError> {
    let rows: Vec<(RouterId, IpNetwork)> = sqlx::query_as(
        "SELECT router_id, address FROM customer WHERE tenant_id = $1 AND status <> 'terminated' AND address IS NOT NULL",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(router, address)| (router, ipv4(address))).collect())
}

#[derive(FromRow)]
struct SpanRow {
    id: EntitlementId,
    starts_at: SqlTimestamp,
    ends_at: SqlTimestamp,
    unbroken_since: SqlTimestamp,
}

impl SpanRow {
    fn span(&self) -> Span {
        Span {
            starts_at: self.starts_at.to_jiff(),
            ends_at: self.ends_at.to_jiff(),
            unbroken_since: self.unbroken_since.to_jiff(),
        }
    }
}

/// Reads what the customer is entitled to last.
pub(super) async fn last_span(tx: &mut TenantTx, customer: CustomerId) -> Result<Option<Span>, DbError> {
    let row: Option<SpanRow> = sqlx::query_as(
        "SELECT id, starts_at, ends_at, unbroken_since FROM entitlement
          WHERE tenant_id = $1 AND customer_id = $2 AND voided_at IS NULL ORDER BY ends_at DESC LIMIT 1",
    )
    .bind(tx.tenant())
    .bind(customer)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.span()))
}

/// An entitlement to be written.
pub(super) struct NewEntitlement {
    pub(super) id: EntitlementId,
    pub(super) customer: CustomerId,
    pub(super) package: PackageId,
    pub(super) version: PackageVersionId,
    pub(super) router: RouterId,
    pub(super) payment: PaymentId,
    pub(super) span: Span,
    pub(super) generation: i64,
}

pub(super) async fn insert_entitlement(tx: &mut TenantTx, new: &NewEntitlement) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO entitlement (tenant_id, id, customer_id, package_id, router_id, payment_id, starts_at, ends_at, unbroken_since, generation,
                package_version_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.customer)
    .bind(new.package)
    .bind(new.router)
    .bind(new.payment)
    .bind(new.span.starts_at.to_sqlx())
    .bind(new.span.ends_at.to_sqlx())
    .bind(new.span.unbroken_since.to_sqlx())
    .bind(new.generation)
    .bind(new.version)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Voids a payment's entitlement, once, and returns it.
pub(super) async fn void(tx: &mut TenantTx, payment: PaymentId, now: Timestamp) -> Result<Option<Span>, DbError> {
    let row: Option<SpanRow> = sqlx::query_as(
        "UPDATE entitlement SET voided_at = $3 WHERE tenant_id = $1 AND payment_id = $2 AND voided_at IS NULL
         RETURNING id, starts_at, ends_at, unbroken_since",
    )
    .bind(tx.tenant())
    .bind(payment)
    .bind(now.to_sqlx())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.span()))
}

/// Reads what the customer is entitled to from a time on, in order.
pub(super) async fn spans_from(
    tx: &mut TenantTx,
    customer: CustomerId,
    from: Timestamp,
) -> Result<Vec<(EntitlementId, Span)>, DbError> {
    let rows: Vec<SpanRow> = sqlx::query_as(
        "SELECT id, starts_at, ends_at, unbroken_since FROM entitlement
          WHERE tenant_id = $1 AND customer_id = $2 AND voided_at IS NULL AND starts_at >= $3 ORDER BY starts_at",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(from.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.span())).collect())
}

pub(super) async fn set_span(tx: &mut TenantTx, id: EntitlementId, span: Span) -> Result<(), DbError> {
    sqlx::query("UPDATE entitlement SET starts_at = $3, ends_at = $4, unbroken_since = $5 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(span.starts_at.to_sqlx())
        .bind(span.ends_at.to_sqlx())
        .bind(span.unbroken_since.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Moves what has not ended to another router; what the old one never held waits for the new one's generation.
pub(super) async fn move_entitlements(
    tx: &mut TenantTx,
    customer: CustomerId,
    router: RouterId,
    generation: i64,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE entitlement SET router_id = $3, generation = CASE WHEN applied_at IS NULL THEN $4 ELSE generation END
          WHERE tenant_id = $1 AND customer_id = $2 AND voided_at IS NULL AND ends_at > $5",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(router)
    .bind(generation)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn mark_applied(tx: &mut TenantTx, router: RouterId, generation: i64, at: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE entitlement SET applied_at = $4
          WHERE tenant_id = $1 AND router_id = $2 AND generation <= $3 AND applied_at IS NULL AND voided_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(generation)
    .bind(at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

pub(super) async fn mark_online(tx: &mut TenantTx, customer: CustomerId, at: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE entitlement SET online_at = $3
          WHERE tenant_id = $1 AND customer_id = $2 AND ends_at > $3 AND voided_at IS NULL AND applied_at IS NOT NULL AND online_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn awaiting_online(
    tx: &mut TenantTx,
    router: RouterId,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<(CustomerId, String)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT DISTINCT c.id, c.login FROM entitlement e JOIN customer c ON c.tenant_id = $1 AND c.id = e.customer_id
          WHERE e.tenant_id = $1 AND e.router_id = $2 AND e.ends_at > $4 AND e.voided_at IS NULL AND e.applied_at > $3 AND e.online_at IS NULL
          LIMIT 500",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(since.to_sqlx())
    .bind(now.to_sqlx())
    .fetch_all(tx.conn())
    .await?)
}

/// What became of a payment's entitlement.
#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The router's generation that carries it.
    pub generation: i64,
    /// When the router was seen to hold it.
    pub applied_at: Option<Timestamp>,
    /// When the router was seen to list the session.
    pub online_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct TimelineRow {
    starts_at: SqlTimestamp,
    ends_at: SqlTimestamp,
    generation: i64,
    applied_at: Option<SqlTimestamp>,
    online_at: Option<SqlTimestamp>,
}

/// Reads what became of a payment's entitlement, a voided one's too.
///
/// # Errors
/// When the database does not answer.
pub async fn timeline(tx: &mut TenantTx, payment: PaymentId) -> Result<Option<Timeline>, DbError> {
    let row: Option<TimelineRow> = sqlx::query_as(
        "SELECT starts_at, ends_at, generation, applied_at, online_at FROM entitlement WHERE tenant_id = $1 AND payment_id = $2",
    )
    .bind(tx.tenant())
    .bind(payment)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Timeline {
        starts_at: row.starts_at.to_jiff(),
        ends_at: row.ends_at.to_jiff(),
        generation: row.generation,
        applied_at: row.applied_at.map(SqlTimestamp::to_jiff),
        online_at: row.online_at.map(SqlTimestamp::to_jiff),
    }))
}
