//! Packages in the database.

use super::{Burst, NewPackage, OnExpiry, PackageError, PackageKind, Speed, Validity};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{BitsPerSec, Bytes, Money, PackageId, RouterId};
use serde::Serialize;
use sqlx::FromRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

/// A package.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PackageView {
    /// The package.
    pub id: PackageId,
    /// Its name.
    pub name: String,
    /// How its customers connect.
    pub kind: PackageKind,
    /// What it costs.
    pub price: Money,
    /// How fast it is.
    pub speed: Speed,
    /// How long it lasts.
    pub validity: Validity,
    /// Seconds that one may be online in all.
    pub online_seconds: Option<i64>,
    /// Bytes that may be carried in all.
    pub data_bytes: Option<Bytes>,
    /// Devices at a time on one login.
    pub shared_users: u16,
    /// What happens at the end.
    pub on_expiry: OnExpiry,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was taken off sale.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retired_at: Option<Timestamp>,
}

impl PageItem for PackageView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: PackageId,
    name: String,
    kind: String,
    price_minor: i64,
    currency: String,
    download_bps: i64,
    upload_bps: i64,
    burst: Option<Json<Burst>>,
    validity_seconds: Option<i64>,
    validity_months: Option<i32>,
    online_seconds: Option<i64>,
    data_bytes: Option<i64>,
    shared_users: i32,
    on_expiry: String,
    created_at: SqlTimestamp,
    retired_at: Option<SqlTimestamp>,
}

impl From<Row> for PackageView {
    fn from(row: Row) -> Self {
        let positive = |value: i64| u64::try_from(value).expect("the column is positive");
        Self {
            id: row.id,
            name: row.name,
            kind: PackageKind::from_stored(&row.kind).expect("the column's CHECK lets only kinds in"),
            price: Money::new(row.price_minor, row.currency.parse().expect("the column's CHECK lets only currencies in")),
            speed: Speed {
                download_bps: BitsPerSec(positive(row.download_bps)),
                upload_bps: BitsPerSec(positive(row.upload_bps)),
                burst: row.burst.map(|Json(burst)| burst),
            },
            validity: match (row.validity_seconds, row.validity_months) {
                (Some(seconds), _) => Validity::Seconds(seconds),
                (None, months) => Validity::Months(months.expect("the table's CHECK wants one of the two")),
            },
            online_seconds: row.online_seconds,
            data_bytes: row.data_bytes.map(|bytes| Bytes(positive(bytes))),
            shared_users: u16::try_from(row.shared_users).expect("the column's CHECK ends at 100"),
            on_expiry: if row.on_expiry == OnExpiry::Redirect.as_str() { OnExpiry::Redirect } else { OnExpiry::Disable },
            created_at: row.created_at.to_jiff(),
            retired_at: row.retired_at.map(SqlTimestamp::to_jiff),
        }
    }
}

fn stored(value: u64) -> i64 {
    i64::try_from(value).expect("the rules let only what fits in")
}

pub(super) async fn insert(tx: &mut TenantTx, id: PackageId, new: &NewPackage, now: Timestamp) -> Result<(), PackageError> {
    let (seconds, months) = match new.validity {
        Validity::Seconds(seconds) => (Some(seconds), None),
        Validity::Months(months) => (None, Some(months)),
    };
    let by_kind = if new.kind == PackageKind::Hotspot { OnExpiry::Disable } else { OnExpiry::Redirect };
    sqlx::query(
        "INSERT INTO package (tenant_id, id, name, kind, price_minor, currency, download_bps, upload_bps, burst, validity_seconds,
                validity_months, online_seconds, data_bytes, shared_users, on_expiry, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&new.name)
    .bind(new.kind.as_str())
    .bind(new.price.minor)
    .bind(new.price.currency.as_str())
    .bind(stored(new.speed.download_bps.0))
    .bind(stored(new.speed.upload_bps.0))
    .bind(new.speed.burst.map(Json))
    .bind(seconds)
    .bind(months)
    .bind(new.online_seconds)
    .bind(new.data_bytes.map(|bytes| stored(bytes.0)))
    .bind(i32::from(new.shared_users.unwrap_or(1)))
    .bind(new.on_expiry.unwrap_or(by_kind).as_str())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(|error| match on_constraint(&error) {
        Some("package_name_unique") => PackageError::NameTaken,
        _ => DbError::from(error).into(),
    })?;
    Ok(())
}

pub(super) async fn lock(tx: &mut TenantTx, id: PackageId) -> Result<(), DbError> {
    sqlx::query("SELECT 1 FROM package WHERE tenant_id = $1 AND id = $2 FOR UPDATE")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn update(tx: &mut TenantTx, id: PackageId, price: Money, speed: &Speed) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE package SET price_minor = $3, currency = $4, download_bps = $5, upload_bps = $6, burst = $7
          WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(price.minor)
    .bind(price.currency.as_str())
    .bind(stored(speed.download_bps.0))
    .bind(stored(speed.upload_bps.0))
    .bind(speed.burst.map(Json))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn retire(tx: &mut TenantTx, id: PackageId, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE package SET retired_at = $3 WHERE tenant_id = $1 AND id = $2 AND retired_at IS NULL")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Reads the routers whose customers have a package, always in one order, so that two changes cannot wait for each other. It looks along
/// a foreign key from its far end: customers stand above packages, so their front door is out of reach.
pub(super) async fn routers_with(tx: &mut TenantTx, id: PackageId) -> Result<Vec<RouterId>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT router_id FROM customer WHERE tenant_id = $1 AND package_id = $2 AND status <> 'terminated' ORDER BY router_id",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_all(tx.conn())
    .await?)
}

/// Reads packages by their ids, retired ones too; unknown ids are left out.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(tx: &mut TenantTx, ids: &[PackageId]) -> Result<Vec<PackageView>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as("SELECT * FROM package WHERE tenant_id = $1 AND id = ANY ($2)")
        .bind(tx.tenant())
        .bind(ids)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(PackageView::from).collect())
}

pub(super) async fn all_on_sale(tx: &mut TenantTx) -> Result<Vec<PackageView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as("SELECT * FROM package WHERE tenant_id = $1 AND retired_at IS NULL")
        .bind(tx.tenant())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(PackageView::from).collect())
}

pub(super) async fn list(tx: &mut TenantTx, page: &Page) -> Result<Vec<PackageView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as("SELECT * FROM package WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
        .bind(tx.tenant())
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(PackageView::from).collect())
}
