//! Tenants in the database.

pub(super) mod limits;
pub(super) mod metering;
pub(super) mod purge;
pub(super) mod settings;

use super::rules::CustomerPolicy;
use super::{NewTenant, TenantError};
use crate::http::{Page, PageItem};
use db::{DbError, PlatformTx, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{Country, Currency, Entropy, OutboxId, RouterId, Standing, TenantId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantView {
    /// The tenant.
    pub id: TenantId,
    /// The ISP's name.
    pub name: String,
    /// How it stands.
    pub status: Standing,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub status_since: Timestamp,
    /// Why, as it was said.
    pub status_reason: String,
    /// When its trial ends by itself, if it has one.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub trial_ends_at: Option<Timestamp>,
    /// What happens to its customers when it is suspended.
    pub customer_policy: CustomerPolicy,
    /// Until when its routers serve anybody; empty where what was paid for runs to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub service_ends_at: Option<Timestamp>,
    /// The currency it sells in.
    pub currency: Currency,
    /// Its time zone.
    pub time_zone: String,
    /// Where its people telephone: it tells what a number without a country means.
    pub country: Option<Country>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl PageItem for TenantView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: TenantId,
    name: String,
    status: String,
    status_since: SqlTimestamp,
    status_reason: String,
    trial_ends_at: Option<SqlTimestamp>,
    customer_policy_days: Option<i32>,
    service_ends_at: Option<SqlTimestamp>,
    currency: String,
    time_zone: String,
    country: Option<String>,
    created_at: SqlTimestamp,
}

impl From<Row> for TenantView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            status: standing(&row.status),
            status_since: row.status_since.to_jiff(),
            status_reason: row.status_reason,
            trial_ends_at: row.trial_ends_at.map(SqlTimestamp::to_jiff),
            customer_policy: CustomerPolicy::from_stored(row.customer_policy_days),
            service_ends_at: row.service_ends_at.map(SqlTimestamp::to_jiff),
            currency: row.currency.parse().expect("the column's CHECK lets only currencies in"),
            time_zone: row.time_zone,
            country: row.country.and_then(|code| code.parse().ok()),
            created_at: row.created_at.to_jiff(),
        }
    }
}

pub(super) fn standing(name: &str) -> Standing {
    Standing::from_stored(name).expect("the column's CHECK lets only these in")
}

/// What is read of a tenant.
macro_rules! tenants {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, status, status_since, status_reason, trial_ends_at, customer_policy_days, service_ends_at, currency, time_zone,
                    country, created_at FROM tenant ",
            $rest
        )
    };
}

pub(super) async fn insert(tx: &mut PlatformTx, id: TenantId, new: &NewTenant, now: Timestamp) -> Result<(), TenantError> {
    let standing = if new.trial_ends_at.is_some() { Standing::Trial } else { Standing::Active };
    sqlx::query(
        "INSERT INTO tenant (id, name, currency, time_zone, created_at, status, status_since, trial_ends_at, country)
         VALUES ($1, $2, $3, $4, $5, $6, $5, $7, country_of_zone($4))",
    )
    .bind(id)
    .bind(&new.name)
    .bind(new.currency.as_str())
    .bind(&new.time_zone)
    .bind(now.to_sqlx())
    .bind(standing.as_str())
    .bind(new.trial_ends_at.map(|end| end.to_sqlx()))
    .execute(tx.conn())
    .await
    .map_err(name_taken)?;
    Ok(())
}

fn name_taken(error: sqlx::Error) -> TenantError {
    match on_constraint(&error) {
        Some("tenant_name_unique") => TenantError::NameTaken,
        _ => DbError::from(error).into(),
    }
}

pub(super) async fn list(tx: &mut PlatformTx, page: &Page) -> Result<Vec<TenantView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(tenants!("WHERE id < $1 ORDER BY id DESC LIMIT $2"))
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(TenantView::from).collect())
}

pub(super) async fn get(tx: &mut PlatformTx, id: TenantId) -> Result<Option<TenantView>, DbError> {
    let row: Option<Row> = sqlx::query_as(tenants!("WHERE id = $1")).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(TenantView::from))
}

/// Reads a tenant and keeps others from changing it until the transaction ends.
pub(super) async fn lock(tx: &mut PlatformTx, id: TenantId) -> Result<Option<TenantView>, DbError> {
    let row: Option<Row> = sqlx::query_as(tenants!("WHERE id = $1 FOR UPDATE")).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(TenantView::from))
}

/// Reads the transaction's own tenant.
///
/// # Errors
/// When the database does not answer.
pub async fn current(tx: &mut TenantTx) -> Result<TenantView, DbError> {
    let row: Row = sqlx::query_as(tenants!("WHERE id = $1")).bind(tx.tenant()).fetch_one(tx.conn()).await?;
    Ok(row.into())
}

/// Reads the transaction's own tenant, and keeps its currency as it is until the transaction ends: for whoever is about to write a price.
///
/// # Errors
/// When the database does not answer.
pub async fn current_held(tx: &mut TenantTx) -> Result<TenantView, DbError> {
    let row: Row = sqlx::query_as(tenants!("WHERE id = $1 FOR KEY SHARE")).bind(tx.tenant()).fetch_one(tx.conn()).await?;
    Ok(row.into())
}

/// Changes a tenant's standing if it stands in one of the ways in `from` now; false when it does not.
pub(super) async fn change_standing(
    tx: &mut PlatformTx,
    id: TenantId,
    from: &[Standing],
    to: Standing,
    reason: &str,
    service_ends_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let from: Vec<&str> = from.iter().map(|standing| standing.as_str()).collect();
    let done = sqlx::query(
        "UPDATE tenant SET status = $2, status_since = $3, status_reason = $4, service_ends_at = $5 WHERE id = $1 AND status = ANY ($6)",
    )
    .bind(id)
    .bind(to.as_str())
    .bind(now.to_sqlx())
    .bind(reason)
    .bind(service_ends_at.map(|end| end.to_sqlx()))
    .bind(from)
    .execute(tx.conn())
    .await;
    match done {
        Ok(done) => Ok(done.rows_affected() == 1),
        // A shadow is never let out of its suspension.
        Err(error) if on_constraint(&error) == Some("tenant_shadow_rests") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Counts what was paid for beyond a time.
pub(super) async fn count_ending_after(tx: &mut PlatformTx, id: TenantId, end: Timestamp) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM entitlement WHERE tenant_id = $1 AND voided_at IS NULL AND ends_at > $2")
        .bind(id)
        .bind(end.to_sqlx())
        .fetch_one(tx.conn())
        .await?)
}

/// Makes all of a tenant's routers look again.
pub(super) async fn touch_routers(
    tx: &mut PlatformTx,
    id: TenantId,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<usize, DbError> {
    let routers: Vec<RouterId> = sqlx::query_scalar(
        "UPDATE router_state SET desired = desired + 1 WHERE tenant_id = $1 AND router_id IN
            (SELECT router_id FROM router_state WHERE tenant_id = $1 ORDER BY router_id FOR UPDATE) RETURNING router_id",
    )
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    let ids: Vec<Uuid> = routers.iter().map(|_| OutboxId::generate(now, entropy).uuid()).collect();
    let targets: Vec<Uuid> = routers.iter().map(|router| router.uuid()).collect();
    sqlx::query(
        "INSERT INTO outbox (tenant_id, id, router_id, created_at) SELECT $1, o.id, o.router, $4
           FROM unnest($2::uuid[], $3::uuid[]) AS o (id, router)",
    )
    .bind(id)
    .bind(ids)
    .bind(targets)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(routers.len())
}

/// Writes what the platform may change of a tenant that is locked.
pub(super) async fn update(tx: &mut PlatformTx, after: &TenantView) -> Result<(), TenantError> {
    sqlx::query("UPDATE tenant SET name = $2, trial_ends_at = $3, customer_policy = $4, customer_policy_days = $5 WHERE id = $1")
        .bind(after.id)
        .bind(&after.name)
        .bind(after.trial_ends_at.map(|end| end.to_sqlx()))
        .bind(after.customer_policy.as_str())
        .bind(after.customer_policy.days())
        .execute(tx.conn())
        .await
        .map_err(name_taken)?;
    Ok(())
}

/// Reads the transaction's own tenant, once nobody is about to write a price in its currency any more.
pub(super) async fn current_locked(tx: &mut TenantTx) -> Result<TenantView, DbError> {
    let row: Row = sqlx::query_as(tenants!("WHERE id = $1 FOR UPDATE")).bind(tx.tenant()).fetch_one(tx.conn()).await?;
    Ok(row.into())
}

/// Says whether anything has a price in the tenant's currency.
pub(super) async fn has_prices(tx: &mut TenantTx) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM package WHERE tenant_id = $1) OR EXISTS (SELECT 1 FROM ledger_entry WHERE tenant_id = $1)",
    )
    .bind(tx.tenant())
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn set_own(tx: &mut TenantTx, after: &TenantView) -> Result<(), DbError> {
    sqlx::query("UPDATE tenant SET currency = $2, time_zone = $3, country = $4 WHERE id = $1")
        .bind(tx.tenant())
        .bind(after.currency.as_str())
        .bind(&after.time_zone)
        .bind(after.country.map(Country::code))
        .execute(tx.conn())
        .await?;
    Ok(())
}
