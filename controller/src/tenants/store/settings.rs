//! Settings and flags in the database.

use super::super::rules::settings::{Flag, Settings};
use super::super::settings::SettingsView;
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{RouterId, TenantId};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use std::collections::BTreeMap;

/// Versions that are shown.
const SHOWN_MAX: i64 = 50;

#[derive(FromRow)]
struct Row {
    version: i32,
    settings: Json<serde_json::Value>,
    made_by: String,
    made_at: SqlTimestamp,
}

impl From<Row> for SettingsView {
    fn from(row: Row) -> Self {
        Self {
            version: row.version,
            settings: understood(row.settings.0),
            made_by: Some(row.made_by),
            made_at: Some(row.made_at.to_jiff()),
        }
    }
}

/// Reads stored settings. What another version of this program wrote and this one does not know keeps its default, one part at a time: an
/// ISP's settings never stop it from working.
fn understood(value: serde_json::Value) -> Settings {
    if let Ok(settings) = serde_json::from_value(value.clone()) {
        return settings;
    }
    let mut kept = serde_json::Map::new();
    for (name, part) in value.as_object().into_iter().flatten() {
        let alone = serde_json::Map::from_iter([(name.clone(), part.clone())]);
        if serde_json::from_value::<Settings>(alone.into()).is_ok() {
            kept.insert(name.clone(), part.clone());
        }
    }
    serde_json::from_value(kept.into()).unwrap_or_default()
}

pub(in super::super) async fn newest(tx: &mut TenantTx) -> Result<SettingsView, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT version, settings, made_by, made_at FROM tenant_settings WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1",
    )
    .bind(tx.tenant())
    .fetch_optional(tx.conn())
    .await?;
    let none = SettingsView { version: 0, settings: Settings::default(), made_by: None, made_at: None };
    Ok(row.map_or(none, SettingsView::from))
}

pub(in super::super) async fn last(tx: &mut TenantTx) -> Result<Vec<SettingsView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT version, settings, made_by, made_at FROM tenant_settings WHERE tenant_id = $1 ORDER BY version DESC LIMIT $2",
    )
    .bind(tx.tenant())
    .bind(SHOWN_MAX)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(SettingsView::from).collect())
}

/// Writes a version; false when somebody else has written it.
pub(in super::super) async fn insert(tx: &mut TenantTx, view: &SettingsView, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO tenant_settings (tenant_id, version, settings, made_by, made_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(view.version)
    .bind(Json(&view.settings))
    .bind(&view.made_by)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lists the ISP's routers; its limit bounds them.
pub(in super::super) async fn routers(tx: &mut TenantTx) -> Result<Vec<RouterId>, DbError> {
    Ok(sqlx::query_scalar("SELECT router_id FROM router_state WHERE tenant_id = $1 ORDER BY router_id")
        .bind(tx.tenant())
        .fetch_all(tx.conn())
        .await?)
}

/// Reads the flags that were turned.
pub(in super::super) async fn flags(tx: &mut TenantTx) -> Result<BTreeMap<Flag, bool>, DbError> {
    let tenant = tx.tenant();
    flags_of(tx.conn(), tenant).await
}

/// As [`flags`], for the platform.
pub(in super::super) async fn flags_across(tx: &mut PlatformTx, tenant: TenantId) -> Result<BTreeMap<Flag, bool>, DbError> {
    flags_of(tx.conn(), tenant).await
}

async fn flags_of(conn: &mut PgConnection, tenant: TenantId) -> Result<BTreeMap<Flag, bool>, DbError> {
    let rows: Vec<(String, bool)> =
        sqlx::query_as("SELECT name, value FROM tenant_flag WHERE tenant_id = $1").bind(tenant).fetch_all(conn).await?;
    // A flag that is in the list no more does nothing.
    Ok(rows.into_iter().filter_map(|(name, value)| Some((Flag::from_stored(&name)?, value))).collect())
}

pub(in super::super) async fn set_flag(
    conn: &mut PgConnection,
    tenant: TenantId,
    flag: Flag,
    value: bool,
    by: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO tenant_flag (tenant_id, name, value, set_by, set_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, name) DO UPDATE SET value = EXCLUDED.value, set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at",
    )
    .bind(tenant)
    .bind(flag.as_str())
    .bind(value)
    .bind(by)
    .bind(now.to_sqlx())
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_understood_keeps_its_default_and_the_rest_holds() {
        let stored = json!({ "invoices": { "prefix": "BN" }, "quiet_hours": { "moods": 1 }, "weather": true });
        let settings = understood(stored);
        assert_eq!((settings.invoices.prefix.as_str(), settings.quiet_hours), ("BN", Default::default()));
        assert_eq!(understood(json!([])), Settings::default());
    }
}
