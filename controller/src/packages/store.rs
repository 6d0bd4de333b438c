//! Packages in the database.

use super::{Applies, Burst, NewPackage, OnExpiry, PackageError, PackageKind, ScopeView, Speed, Validity, VersionView};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{BitsPerSec, Bytes, Entropy, Money, PackageId, PackageScopeId, PackageVersionId, RouterId, SiteId};
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
    /// Which version of it is sold now, counted from 1.
    pub version: i32,
    /// The version that is sold now.
    pub version_id: PackageVersionId,
    /// Whether customers see it where they buy for themselves.
    pub portal: bool,
    /// Whether it is sold on every router, and not only where its scope says.
    pub everywhere: bool,
    /// What routers know these terms by: those who keep an earlier speed are told apart from those who have the newer one.
    #[serde(skip)]
    #[schema(ignore)]
    pub line: PackageId,
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
    version: i32,
    version_id: PackageVersionId,
    portal: bool,
    everywhere: bool,
}

/// A package with the number of the version that is sold now.
macro_rules! package {
    ($rest:literal) => {
        concat!(
            "SELECT p.*, v.number AS version FROM package p
               JOIN package_version v ON v.tenant_id = p.tenant_id AND v.package_id = p.id AND v.id = p.version_id
              WHERE p.tenant_id = $1 AND ",
            $rest
        )
    };
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
            version: row.version,
            version_id: row.version_id,
            portal: row.portal,
            everywhere: row.everywhere,
            line: row.id,
        }
    }
}

pub(super) fn stored(value: u64) -> i64 {
    i64::try_from(value).expect("the rules let only what fits in")
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    id: PackageId,
    new: &NewPackage,
    version: PackageVersionId,
    now: Timestamp,
) -> Result<(), PackageError> {
    let (seconds, months) = match new.validity {
        Validity::Seconds(seconds) => (Some(seconds), None),
        Validity::Months(months) => (None, Some(months)),
    };
    let by_kind = if new.kind == PackageKind::Hotspot { OnExpiry::Disable } else { OnExpiry::Redirect };
    sqlx::query(
        "INSERT INTO package (tenant_id, id, name, kind, price_minor, currency, download_bps, upload_bps, burst, validity_seconds,
                validity_months, online_seconds, data_bytes, shared_users, on_expiry, created_at, version_id, portal)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
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
    .bind(version)
    .bind(new.portal.unwrap_or(true))
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

pub(super) async fn update(tx: &mut TenantTx, after: &PackageView) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE package SET price_minor = $3, currency = $4, download_bps = $5, upload_bps = $6, burst = $7, version_id = $8, portal = $9
          WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(after.id)
    .bind(after.price.minor)
    .bind(after.price.currency.as_str())
    .bind(stored(after.speed.download_bps.0))
    .bind(stored(after.speed.upload_bps.0))
    .bind(after.speed.burst.map(Json))
    .bind(after.version_id)
    .bind(after.portal)
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
    let rows: Vec<Row> = sqlx::query_as(package!("p.id = ANY ($2)")).bind(tx.tenant()).bind(ids).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(PackageView::from).collect())
}

pub(super) async fn all_on_sale(tx: &mut TenantTx) -> Result<Vec<PackageView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(package!("p.retired_at IS NULL")).bind(tx.tenant()).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(PackageView::from).collect())
}

pub(super) async fn list(tx: &mut TenantTx, page: &Page) -> Result<Vec<PackageView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(package!("p.id < $2 ORDER BY p.id DESC LIMIT $3"))
        .bind(tx.tenant())
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(PackageView::from).collect())
}

#[derive(FromRow)]
struct VersionRow {
    id: PackageVersionId,
    package_id: PackageId,
    number: i32,
    price_minor: i64,
    currency: String,
    download_bps: i64,
    upload_bps: i64,
    burst: Option<Json<Burst>>,
    applies: String,
    valid_from: SqlTimestamp,
    made_by: String,
}

impl From<VersionRow> for VersionView {
    fn from(row: VersionRow) -> Self {
        let positive = |value: i64| u64::try_from(value).expect("the column is positive");
        Self {
            id: row.id,
            number: row.number,
            price: Money::new(row.price_minor, row.currency.parse().expect("the column's CHECK lets only currencies in")),
            speed: Speed {
                download_bps: BitsPerSec(positive(row.download_bps)),
                upload_bps: BitsPerSec(positive(row.upload_bps)),
                burst: row.burst.map(|Json(burst)| burst),
            },
            applies: if row.applies == Applies::Now.as_str() { Applies::Now } else { Applies::NextRenewal },
            valid_from: row.valid_from.to_jiff(),
            made_by: row.made_by,
        }
    }
}

pub(super) async fn insert_version(tx: &mut TenantTx, package: PackageId, version: &VersionView) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO package_version (tenant_id, id, package_id, number, price_minor, currency, download_bps, upload_bps, burst, applies,
                valid_from, made_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(tx.tenant())
    .bind(version.id)
    .bind(package)
    .bind(version.number)
    .bind(version.price.minor)
    .bind(version.price.currency.as_str())
    .bind(stored(version.speed.download_bps.0))
    .bind(stored(version.speed.upload_bps.0))
    .bind(version.speed.burst.map(Json))
    .bind(version.applies.as_str())
    .bind(version.valid_from.to_sqlx())
    .bind(&version.made_by)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lists what a package was, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list_versions(tx: &mut TenantTx, package: PackageId, page: &Page) -> Result<Vec<VersionView>, DbError> {
    let rows: Vec<VersionRow> = sqlx::query_as(
        "SELECT * FROM package_version WHERE tenant_id = $1 AND package_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4",
    )
    .bind(tx.tenant())
    .bind(package)
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(VersionView::from).collect())
}

/// Reads all versions of some packages, each package's in the order of their numbers.
pub(super) async fn all_versions(tx: &mut TenantTx, packages: &[PackageId]) -> Result<Vec<(PackageId, VersionView)>, DbError> {
    let ids: Vec<Uuid> = packages.iter().map(|id| id.uuid()).collect();
    let rows: Vec<VersionRow> = sqlx::query_as(
        "SELECT * FROM package_version WHERE tenant_id = $1 AND package_id = ANY ($2) ORDER BY package_id, number",
    )
    .bind(tx.tenant())
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.package_id, row.into())).collect())
}

/// Looks from the router's site upwards. It reads routers and sites along foreign keys from their far end: they stand above packages.
pub(super) async fn in_scope(tx: &mut TenantTx, package: PackageId, router: RouterId) -> Result<bool, DbError> {
    let sold: Option<bool> = sqlx::query_scalar(
        "WITH RECURSIVE place AS (
             SELECT s.id, s.parent_id FROM router r JOIN site s ON s.tenant_id = $1 AND s.id = r.site_id
              WHERE r.tenant_id = $1 AND r.id = $3
             UNION
             SELECT s.id, s.parent_id FROM place p JOIN site s ON s.tenant_id = $1 AND s.id = p.parent_id)
         SELECT p.everywhere OR EXISTS (SELECT 1 FROM package_scope x
                  WHERE x.tenant_id = $1 AND x.package_id = p.id AND (x.router_id = $3 OR x.site_id IN (SELECT id FROM place)))
           FROM package p WHERE p.tenant_id = $1 AND p.id = $2",
    )
    .bind(tx.tenant())
    .bind(package)
    .bind(router)
    .fetch_optional(tx.conn())
    .await?;
    Ok(sold.unwrap_or(false))
}

pub(super) async fn scope(tx: &mut TenantTx, package: PackageId) -> Result<ScopeView, DbError> {
    let rows: Vec<(Option<RouterId>, Option<SiteId>)> = sqlx::query_as(
        "SELECT router_id, site_id FROM package_scope WHERE tenant_id = $1 AND package_id = $2 ORDER BY router_id, site_id",
    )
    .bind(tx.tenant())
    .bind(package)
    .fetch_all(tx.conn())
    .await?;
    let (routers, sites): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    Ok(ScopeView { routers: routers.into_iter().flatten().collect(), sites: sites.into_iter().flatten().collect() })
}

/// Says whether all of some routers, without repetition, are there and not removed.
pub(super) async fn routers_stand(tx: &mut TenantTx, routers: &[RouterId]) -> Result<bool, DbError> {
    let ids: Vec<Uuid> = routers.iter().map(|id| id.uuid()).collect();
    Ok(sqlx::query_scalar(
        "SELECT count(*) = cardinality($2::uuid[]) FROM router WHERE tenant_id = $1 AND id = ANY ($2) AND removed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(ids)
    .fetch_one(tx.conn())
    .await?)
}

/// Says whether all of some sites, without repetition, are there and not removed.
pub(super) async fn sites_stand(tx: &mut TenantTx, sites: &[SiteId]) -> Result<bool, DbError> {
    let ids: Vec<Uuid> = sites.iter().map(|id| id.uuid()).collect();
    Ok(sqlx::query_scalar(
        "SELECT count(*) = cardinality($2::uuid[]) FROM site WHERE tenant_id = $1 AND id = ANY ($2) AND removed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(ids)
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn set_scope(
    tx: &mut TenantTx,
    package: PackageId,
    scope: &ScopeView,
    everywhere: bool,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM package_scope WHERE tenant_id = $1 AND package_id = $2")
        .bind(tx.tenant())
        .bind(package)
        .execute(tx.conn())
        .await?;
    let size = scope.routers.len() + scope.sites.len();
    let ids: Vec<Uuid> = (0..size).map(|_| PackageScopeId::generate(now, entropy).uuid()).collect();
    // Routers first, then sites: each row names one of the two.
    let mut routers: Vec<Option<Uuid>> = scope.routers.iter().map(|router| Some(router.uuid())).collect();
    let mut sites: Vec<Option<Uuid>> = vec![None; routers.len()];
    sites.extend(scope.sites.iter().map(|site| Some(site.uuid())));
    routers.resize(size, None);
    sqlx::query(
        "INSERT INTO package_scope (tenant_id, id, package_id, router_id, site_id)
         SELECT $1, id, $2, router, site FROM unnest($3::uuid[], $4::uuid[], $5::uuid[]) AS n (id, router, site)",
    )
    .bind(tx.tenant())
    .bind(package)
    .bind(ids)
    .bind(routers)
    .bind(sites)
    .execute(tx.conn())
    .await?;
    sqlx::query("UPDATE package SET everywhere = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(package)
        .bind(everywhere)
        .execute(tx.conn())
        .await?;
    Ok(())
}
