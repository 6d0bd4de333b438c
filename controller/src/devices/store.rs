//! Devices in the database.

use super::{DeviceError, DeviceKind};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx, on_constraint};
use ipnetwork::IpNetwork;
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, DeviceId, RouterId, SiteId};
use serde::Serialize;
use sqlx::FromRow;
use std::net::IpAddr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A device, without its credentials.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceView {
    /// The device.
    pub id: DeviceId,
    /// What it is.
    pub kind: DeviceKind,
    /// Its name.
    pub name: String,
    /// The device it hangs on.
    pub parent: Option<DeviceId>,
    /// Where it stands.
    pub site: Option<SiteId>,
    /// The router it is behind.
    pub router: Option<RouterId>,
    /// The customer whose it is.
    pub customer: Option<CustomerId>,
    /// Its MAC address.
    pub mac: Option<String>,
    /// Its IP address.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Its serial number.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// Notes.
    pub notes: String,
    /// Whether its router should watch over it.
    pub watched: bool,
    /// Whether it is known how one logs in to it.
    pub has_credentials: bool,
    /// When it was noted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl PageItem for DeviceView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: DeviceId,
    kind: String,
    name: String,
    parent_id: Option<DeviceId>,
    site_id: Option<SiteId>,
    router_id: Option<RouterId>,
    customer_id: Option<CustomerId>,
    mac: Option<String>,
    address: Option<IpNetwork>,
    serial: String,
    model: String,
    notes: String,
    watched: bool,
    has_credentials: bool,
    created_at: SqlTimestamp,
}

impl From<Row> for DeviceView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: DeviceKind::from_stored(&row.kind).expect("the column's CHECK lets only kinds in"),
            name: row.name,
            parent: row.parent_id,
            site: row.site_id,
            router: row.router_id,
            customer: row.customer_id,
            mac: row.mac,
            address: row.address.map(|address| address.ip()),
            serial: row.serial,
            model: row.model,
            notes: row.notes,
            watched: row.watched,
            has_credentials: row.has_credentials,
            created_at: row.created_at.to_jiff(),
        }
    }
}

/// Devices of the tenant `$1` that were not removed.
macro_rules! device {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, name, parent_id, site_id, router_id, customer_id, mac, address, serial, model, notes, watched,
                    credentials IS NOT NULL AS has_credentials, created_at
               FROM device WHERE tenant_id = $1 AND removed_at IS NULL AND ",
            $rest
        )
    };
}

/// Lets one transaction of the tenant at a time change the tree's shape, until it ends.
pub(super) async fn lock_tree(tx: &mut TenantTx) -> Result<(), DbError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('device:' || $1::text, 0))")
        .bind(tx.tenant())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn count(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM device WHERE tenant_id = $1 AND removed_at IS NULL")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?)
}

fn taken(error: sqlx::Error) -> DeviceError {
    match on_constraint(&error) {
        Some("device_mac_unique") => DeviceError::MacTaken,
        _ => DbError::from(error).into(),
    }
}

pub(super) async fn insert(tx: &mut TenantTx, device: &DeviceView, credentials: Option<&[u8]>) -> Result<(), DeviceError> {
    sqlx::query(
        "INSERT INTO device (tenant_id, id, kind, name, parent_id, site_id, router_id, customer_id, mac, address, serial, model, notes,
                watched, credentials, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(tx.tenant())
    .bind(device.id)
    .bind(device.kind.as_str())
    .bind(&device.name)
    .bind(device.parent)
    .bind(device.site)
    .bind(device.router)
    .bind(device.customer)
    .bind(&device.mac)
    .bind(device.address.map(IpNetwork::from))
    .bind(&device.serial)
    .bind(&device.model)
    .bind(&device.notes)
    .bind(device.watched)
    .bind(credentials)
    .bind(device.created_at.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

pub(super) async fn update(tx: &mut TenantTx, device: &DeviceView) -> Result<(), DeviceError> {
    sqlx::query(
        "UPDATE device SET kind = $3, name = $4, parent_id = $5, site_id = $6, router_id = $7, customer_id = $8, mac = $9, address = $10,
                serial = $11, model = $12, notes = $13, watched = $14
          WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(device.id)
    .bind(device.kind.as_str())
    .bind(&device.name)
    .bind(device.parent)
    .bind(device.site)
    .bind(device.router)
    .bind(device.customer)
    .bind(&device.mac)
    .bind(device.address.map(IpNetwork::from))
    .bind(&device.serial)
    .bind(&device.model)
    .bind(&device.notes)
    .bind(device.watched)
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

pub(super) async fn set_credentials(tx: &mut TenantTx, id: DeviceId, sealed: Option<&[u8]>) -> Result<(), DbError> {
    sqlx::query("UPDATE device SET credentials = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(sealed)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn sealed_credentials(tx: &mut TenantTx, id: DeviceId) -> Result<Option<Vec<u8>>, DbError> {
    let row: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT credentials FROM device WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL")
            .bind(tx.tenant())
            .bind(id)
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.flatten())
}

pub(super) async fn remove(tx: &mut TenantTx, id: DeviceId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE device SET removed_at = $3, credentials = NULL WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn find(tx: &mut TenantTx, id: DeviceId) -> Result<Option<DeviceView>, DbError> {
    let row: Option<Row> = sqlx::query_as(device!("id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(DeviceView::from))
}

/// Reads a device and keeps others from changing it until the transaction ends.
pub(super) async fn lock(tx: &mut TenantTx, id: DeviceId) -> Result<Option<DeviceView>, DbError> {
    let row: Option<Row> =
        sqlx::query_as(device!("id = $2 FOR UPDATE")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(DeviceView::from))
}

/// Reads a device and all that it hangs on.
pub(super) async fn path(tx: &mut TenantTx, id: DeviceId) -> Result<Vec<DeviceId>, DbError> {
    Ok(sqlx::query_scalar(
        "WITH RECURSIVE up AS (
             SELECT d.id, d.parent_id FROM device d WHERE d.tenant_id = $1 AND d.id = $2
             UNION
             SELECT d.id, d.parent_id FROM up u JOIN device d ON d.tenant_id = $1 AND d.id = u.parent_id)
         SELECT id FROM up",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_all(tx.conn())
    .await?)
}

/// Measures how deep others hang on a device, itself included.
pub(super) async fn height(tx: &mut TenantTx, id: DeviceId) -> Result<usize, DbError> {
    let height: i32 = sqlx::query_scalar(
        "WITH RECURSIVE down AS (
             SELECT d.id, 1 AS depth FROM device d WHERE d.tenant_id = $1 AND d.id = $2
             UNION ALL
             SELECT d.id, w.depth + 1 FROM down w JOIN device d ON d.tenant_id = $1 AND d.parent_id = w.id AND d.removed_at IS NULL)
             CYCLE id SET again USING trail
         SELECT max(depth) FROM down WHERE NOT again",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(usize::try_from(height).expect("a tree has no negative height"))
}

pub(super) async fn children(tx: &mut TenantTx, id: DeviceId) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM device WHERE tenant_id = $1 AND parent_id = $2 AND removed_at IS NULL")
        .bind(tx.tenant())
        .bind(id)
        .fetch_one(tx.conn())
        .await?)
}

/// Which devices are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Among {
    /// All.
    All,
    /// Those that hang on one.
    Parent(DeviceId),
    /// Those at a site.
    Site(SiteId),
    /// Those behind a router.
    Router(RouterId),
    /// Those of a customer.
    Customer(CustomerId),
}

pub(super) async fn list(tx: &mut TenantTx, among: Among, page: &Page) -> Result<Vec<DeviceView>, DbError> {
    // A statement for each, so that each has its index.
    let (statement, of) = match among {
        Among::All => (device!("id < $2 ORDER BY id DESC LIMIT $3"), None),
        Among::Parent(id) => (device!("parent_id = $4 AND id < $2 ORDER BY id DESC LIMIT $3"), Some(id.uuid())),
        Among::Site(id) => (device!("site_id = $4 AND id < $2 ORDER BY id DESC LIMIT $3"), Some(id.uuid())),
        Among::Router(id) => (device!("router_id = $4 AND id < $2 ORDER BY id DESC LIMIT $3"), Some(id.uuid())),
        Among::Customer(id) => (device!("customer_id = $4 AND id < $2 ORDER BY id DESC LIMIT $3"), Some(id.uuid())),
    };
    let query = sqlx::query_as(statement).bind(tx.tenant()).bind(page.before()).bind(page.fetch());
    let query = match of {
        Some(of) => query.bind(of),
        None => query,
    };
    let rows: Vec<Row> = query.fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(DeviceView::from).collect())
}

/// A device as a file has it: with names instead of ids.
#[derive(Debug, FromRow)]
pub struct ExportRow {
    /// The device.
    pub id: DeviceId,
    /// What it is.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The name of the device it hangs on.
    pub parent: String,
    /// The site's name.
    pub site: String,
    /// The router's name.
    pub router: String,
    /// The customer's login.
    pub customer: String,
    /// Its MAC address.
    pub mac: String,
    /// Its IP address.
    pub address: String,
    /// Its serial number.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// Notes.
    pub notes: String,
    /// Whether its router should watch over it.
    pub watched: bool,
}

pub(super) async fn export(tx: &mut TenantTx) -> Result<Vec<ExportRow>, DbError> {
    // The names are read along foreign keys; a tenant's devices are limited in number, so the file is too.
    Ok(sqlx::query_as(
        "SELECT d.id, d.kind, d.name, coalesce(p.name, '') AS parent, coalesce(s.name, '') AS site, coalesce(r.name, '') AS router,
                coalesce(c.login, '') AS customer, coalesce(d.mac, '') AS mac, coalesce(host(d.address), '') AS address, d.serial, d.model,
                d.notes, d.watched
           FROM device d
           LEFT JOIN device p ON p.tenant_id = $1 AND p.id = d.parent_id
           LEFT JOIN site s ON s.tenant_id = $1 AND s.id = d.site_id
           LEFT JOIN router r ON r.tenant_id = $1 AND r.id = d.router_id
           LEFT JOIN customer c ON c.tenant_id = $1 AND c.id = d.customer_id
          WHERE d.tenant_id = $1 AND d.removed_at IS NULL ORDER BY d.id",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?)
}
