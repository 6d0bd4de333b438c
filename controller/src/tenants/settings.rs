//! What an ISP set for itself. Every version is kept; a change names the version it was made from, so that of two at once one is told.

use super::TenantError;
use super::rules::settings::Settings;
use super::store::settings as store;
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A version of the settings.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SettingsView {
    /// Its number; 0 while nothing was ever set.
    pub version: i32,
    /// What holds.
    pub settings: Settings,
    /// Who made it.
    pub made_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub made_at: Option<Timestamp>,
}

/// Reads what holds in the transaction's tenant.
///
/// # Errors
/// When the database does not answer.
pub async fn in_force(tx: &mut TenantTx) -> Result<Settings, DbError> {
    Ok(store::newest(tx).await?.settings)
}

/// Shows what holds.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub(super) async fn show(app: &App, scope: &TenantScope) -> Result<SettingsView, TenantError> {
    let mut tx = scope.read(app, Permission::SettingsRead).await?;
    Ok(store::newest(&mut tx).await?)
}

/// Lists the last versions, up to 50, the newest first.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub(super) async fn history(app: &App, scope: &TenantScope) -> Result<Vec<SettingsView>, TenantError> {
    let mut tx = scope.read(app, Permission::SettingsRead).await?;
    Ok(store::last(&mut tx).await?)
}

/// Sets everything anew, from a version that was read.
///
/// # Errors
/// When the role may not, a field is wrong, or there is a newer version.
pub(super) async fn replace(
    app: &App,
    scope: &TenantScope,
    version: i32,
    settings: Settings,
) -> Result<SettingsView, TenantError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SettingsWrite).await?;
    if let Some((field, message)) = settings.fault() {
        return Err(TenantError::Field { field, message });
    }
    let before = store::newest(&mut tx).await?;
    if before.version != version {
        return Err(TenantError::Stale { now: before.version });
    }
    let made_by = tx.actor().as_str().to_owned();
    let after = SettingsView { version: version + 1, settings, made_by: Some(made_by), made_at: Some(now) };
    if !store::insert(&mut tx, &after, now).await? {
        // Somebody else's was committed a moment ago.
        return Err(TenantError::Stale { now: after.version });
    }
    if before.settings.routers != after.settings.routers {
        for router in store::routers(&mut tx).await? {
            tx.touch_router(router, now).await?;
        }
    }
    tx.audit_change(now, "settings.change", &tx.tenant().to_string(), &before.settings, &after.settings).await?;
    tx.commit().await?;
    Ok(after)
}
