//! Sites in the database.

use super::{Position, RouterHere, SiteError, SiteKind, SiteStep, Standing};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{RouterId, SiteId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// Routers that are named at a site.
const ROUTERS_SHOWN: i64 = 200;

/// A site.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SiteView {
    /// The site.
    pub id: SiteId,
    /// The site it stands in; none at the top.
    pub parent: Option<SiteId>,
    /// What it is.
    pub kind: SiteKind,
    /// Its name or door label.
    pub name: String,
    /// Where the post brings letters.
    pub address: String,
    /// Where it is.
    pub position: Option<Position>,
    /// Notes.
    pub notes: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl PageItem for SiteView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: SiteId,
    parent_id: Option<SiteId>,
    kind: String,
    name: String,
    address: String,
    latitude: Option<f64>,
    longitude: Option<f64>,
    notes: String,
    created_at: SqlTimestamp,
}

impl From<Row> for SiteView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            parent: row.parent_id,
            kind: SiteKind::from_stored(&row.kind).expect("the column's CHECK lets only kinds in"),
            name: row.name,
            address: row.address,
            position: row.latitude.zip(row.longitude).map(|(latitude, longitude)| Position { latitude, longitude }),
            notes: row.notes,
            created_at: row.created_at.to_jiff(),
        }
    }
}

/// Lets one transaction of the tenant at a time change the tree's shape, until it ends.
pub(super) async fn lock_tree(tx: &mut TenantTx) -> Result<(), DbError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('site:' || $1::text, 0))")
        .bind(tx.tenant())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn count(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM site WHERE tenant_id = $1 AND removed_at IS NULL")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?)
}

fn taken(error: sqlx::Error) -> SiteError {
    match on_constraint(&error) {
        Some("site_name_unique") => SiteError::NameTaken,
        _ => DbError::from(error).into(),
    }
}

pub(super) async fn insert(tx: &mut TenantTx, site: &SiteView) -> Result<(), SiteError> {
    sqlx::query(
        "INSERT INTO site (tenant_id, id, parent_id, kind, name, address, latitude, longitude, notes, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tx.tenant())
    .bind(site.id)
    .bind(site.parent)
    .bind(site.kind.as_str())
    .bind(&site.name)
    .bind(&site.address)
    .bind(site.position.map(|position| position.latitude))
    .bind(site.position.map(|position| position.longitude))
    .bind(&site.notes)
    .bind(site.created_at.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

pub(super) async fn update(tx: &mut TenantTx, site: &SiteView) -> Result<(), SiteError> {
    sqlx::query(
        "UPDATE site SET parent_id = $3, kind = $4, name = $5, address = $6, latitude = $7, longitude = $8, notes = $9
          WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(site.id)
    .bind(site.parent)
    .bind(site.kind.as_str())
    .bind(&site.name)
    .bind(&site.address)
    .bind(site.position.map(|position| position.latitude))
    .bind(site.position.map(|position| position.longitude))
    .bind(&site.notes)
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

pub(super) async fn remove(tx: &mut TenantTx, id: SiteId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE site SET removed_at = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn find(tx: &mut TenantTx, id: SiteId) -> Result<Option<SiteView>, DbError> {
    let row: Option<Row> = sqlx::query_as("SELECT * FROM site WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(SiteView::from))
}

/// Reads a site and keeps others from changing it, and from putting something at it, until the transaction ends.
pub(super) async fn lock(tx: &mut TenantTx, id: SiteId) -> Result<Option<SiteView>, DbError> {
    let row: Option<Row> =
        sqlx::query_as("SELECT * FROM site WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL FOR UPDATE")
            .bind(tx.tenant())
            .bind(id)
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.map(SiteView::from))
}

pub(super) async fn hold(tx: &mut TenantTx, id: SiteId) -> Result<bool, DbError> {
    let row: Option<i32> =
        sqlx::query_scalar("SELECT 1 FROM site WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL FOR KEY SHARE")
            .bind(tx.tenant())
            .bind(id)
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.is_some())
}

/// Reads the way to a site from the top, itself the last.
pub(super) async fn path(tx: &mut TenantTx, id: SiteId) -> Result<Vec<SiteStep>, DbError> {
    let rows: Vec<(SiteId, String)> = sqlx::query_as(
        "WITH RECURSIVE up AS (
             SELECT s.id, s.parent_id, s.name, 1 AS height FROM site s WHERE s.tenant_id = $1 AND s.id = $2
             UNION ALL
             SELECT s.id, s.parent_id, s.name, u.height + 1 FROM up u JOIN site s ON s.tenant_id = $1 AND s.id = u.parent_id)
             CYCLE id SET again USING trail
         SELECT id, name FROM up WHERE NOT again ORDER BY height DESC",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(id, name)| SiteStep { id, name }).collect())
}

/// Measures how many sites stand within each other from a site downwards, itself included.
pub(super) async fn height(tx: &mut TenantTx, id: SiteId) -> Result<usize, DbError> {
    let height: i32 = sqlx::query_scalar(
        "WITH RECURSIVE down AS (
             SELECT s.id, 1 AS depth FROM site s WHERE s.tenant_id = $1 AND s.id = $2
             UNION ALL
             SELECT s.id, d.depth + 1 FROM down d JOIN site s ON s.tenant_id = $1 AND s.parent_id = d.id AND s.removed_at IS NULL)
             CYCLE id SET again USING trail
         SELECT max(depth) FROM down WHERE NOT again",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(usize::try_from(height).expect("a tree has no negative height"))
}

/// Counts along foreign keys from their far end: routers, devices and customers stand above sites.
pub(super) async fn standing(tx: &mut TenantTx, id: SiteId) -> Result<Standing, DbError> {
    Ok(sqlx::query_as(
        "SELECT (SELECT count(*) FROM site WHERE tenant_id = $1 AND parent_id = $2 AND removed_at IS NULL) AS parts,
                (SELECT count(*) FROM router WHERE tenant_id = $1 AND site_id = $2 AND removed_at IS NULL) AS routers,
                (SELECT count(*) FROM device WHERE tenant_id = $1 AND site_id = $2 AND removed_at IS NULL) AS devices,
                (SELECT count(*) FROM customer WHERE tenant_id = $1 AND site_id = $2 AND status <> 'terminated') AS customers",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn routers_at(tx: &mut TenantTx, id: SiteId) -> Result<Vec<RouterHere>, DbError> {
    let rows: Vec<(RouterId, String)> = sqlx::query_as(
        "SELECT id, name FROM router WHERE tenant_id = $1 AND site_id = $2 AND removed_at IS NULL ORDER BY name LIMIT $3",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(ROUTERS_SHOWN)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(id, name)| RouterHere { id, name }).collect())
}

/// Which sites are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Within {
    /// All.
    Anywhere,
    /// Those at the top.
    Top,
    /// The parts of one.
    Site(SiteId),
}

pub(super) async fn list(tx: &mut TenantTx, within: Within, page: &Page) -> Result<Vec<SiteView>, DbError> {
    // A statement for each, so that each has its index: (tenant_id, id), or (tenant_id, parent_id, id).
    let query = match within {
        Within::Anywhere => {
            sqlx::query_as("SELECT * FROM site WHERE tenant_id = $1 AND removed_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3")
        }
        Within::Top => sqlx::query_as(
            "SELECT * FROM site WHERE tenant_id = $1 AND removed_at IS NULL AND parent_id IS NULL AND id < $2 ORDER BY id DESC LIMIT $3",
        ),
        Within::Site(_) => sqlx::query_as(
            "SELECT * FROM site WHERE tenant_id = $1 AND removed_at IS NULL AND parent_id = $4 AND id < $2 ORDER BY id DESC LIMIT $3",
        ),
    };
    let query = query.bind(tx.tenant()).bind(page.before()).bind(page.fetch());
    let query = match within {
        Within::Site(parent) => query.bind(parent),
        Within::Anywhere | Within::Top => query,
    };
    let rows: Vec<Row> = query.fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(SiteView::from).collect())
}

/// Reads the names on the way to each site that is there, with slashes in between.
pub(super) async fn paths(tx: &mut TenantTx) -> Result<Vec<(String, SiteId)>, DbError> {
    Ok(sqlx::query_as(
        "WITH RECURSIVE way (id, path) AS (
             SELECT s.id, s.name FROM site s WHERE s.tenant_id = $1 AND s.parent_id IS NULL AND s.removed_at IS NULL
             UNION ALL
             SELECT s.id, way.path || '/' || s.name
               FROM site s JOIN way ON s.tenant_id = $1 AND s.parent_id = way.id AND s.removed_at IS NULL)
         SELECT path, id FROM way",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?)
}
