//! Feature flags: what can be turned on and off for a tenant, by its admin or by the platform.

use super::rules::settings::{Flag, Turner};
use super::store::settings as store;
use super::{TenantError, store as tenants};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use db::{DbError, PlatformActor, TenantTx};
use model::TenantId;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Why a flag stands in the way.
#[derive(Debug, thiserror::Error)]
pub enum FlagError {
    /// The flag is off.
    #[error("this is turned off for your ISP: {} only while `{}` is on; {}", .0.about(), .0.as_str(), turner(*.0))]
    Off(Flag),
    /// The platform alone turns this flag.
    #[error("`{}` is turned by the platform's operator alone", .0.as_str())]
    NotYours(Flag),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

const fn turner(flag: Flag) -> &'static str {
    match flag.turner() {
        Turner::Admin => "your admin turns it with `flag on`",
        Turner::Platform => "the platform's operator turns it",
    }
}

/// A flag as it stands for one tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FlagView {
    /// The flag.
    pub name: Flag,
    /// Whether it is on.
    pub on: bool,
    /// What holds when nobody turned it.
    pub default: bool,
    /// Who may turn it.
    pub turned_by: Turner,
    /// What it does.
    pub about: &'static str,
}

fn views(turned: &BTreeMap<Flag, bool>) -> Vec<FlagView> {
    let view = |flag: &Flag| FlagView {
        name: *flag,
        on: turned.get(flag).copied().unwrap_or(flag.default()),
        default: flag.default(),
        turned_by: flag.turner(),
        about: flag.about(),
    };
    Flag::ALL.iter().map(view).collect()
}

/// Refuses when a flag is off in the transaction's tenant.
///
/// # Errors
/// When it is off, or the database does not answer.
pub async fn expect_on(tx: &mut TenantTx, flag: Flag) -> Result<(), FlagError> {
    let turned = store::flags(tx).await?;
    if turned.get(&flag).copied().unwrap_or(flag.default()) { Ok(()) } else { Err(FlagError::Off(flag)) }
}

/// Shows the caller's flags.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub(super) async fn own(app: &App, scope: &TenantScope) -> Result<Vec<FlagView>, TenantError> {
    let mut tx = scope.read(app, Permission::SettingsRead).await?;
    Ok(views(&store::flags(&mut tx).await?))
}

/// Turns one of the caller's own flags.
///
/// # Errors
/// When the role may not, or the platform alone turns it.
pub(super) async fn turn(app: &App, scope: &TenantScope, flag: Flag, on: bool) -> Result<Vec<FlagView>, TenantError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SettingsWrite).await?;
    if flag.turner() != Turner::Admin {
        return Err(FlagError::NotYours(flag).into());
    }
    let (tenant, by) = (tx.tenant(), tx.actor().as_str().to_owned());
    store::set_flag(tx.conn(), tenant, flag, on, &by, now).await?;
    tx.audit(now, "flag.turn", flag.as_str(), serde_json::json!({ "on": on })).await?;
    let flags = views(&store::flags(&mut tx).await?);
    tx.commit().await?;
    Ok(flags)
}

/// Shows a tenant's flags to the platform.
///
/// # Errors
/// When there is no such tenant, or the database does not answer.
pub(super) async fn of_tenant(app: &App, actor: &PlatformActor, id: TenantId) -> Result<Vec<FlagView>, TenantError> {
    let mut tx = app.db.platform(actor, &format!("the flags of {id} were read"), app.clock.now()).await?;
    tenants::get(&mut tx, id).await?.ok_or(TenantError::NotFound)?;
    let flags = views(&store::flags_across(&mut tx, id).await?);
    tx.commit().await?;
    Ok(flags)
}

/// Turns a tenant's flag, whoever else may.
///
/// # Errors
/// When there is no such tenant, or the database does not answer.
pub(super) async fn turn_across(
    app: &App,
    actor: &PlatformActor,
    id: TenantId,
    flag: Flag,
    on: bool,
) -> Result<Vec<FlagView>, TenantError> {
    let now = app.clock.now();
    let mut tx = app
        .db
        .platform(actor, &format!("flag {} of {id} was turned {}", flag.as_str(), if on { "on" } else { "off" }), now)
        .await?;
    tenants::get(&mut tx, id).await?.ok_or(TenantError::NotFound)?;
    store::set_flag(tx.conn(), id, flag, on, actor.label().as_str(), now).await?;
    let flags = views(&store::flags_across(&mut tx, id).await?);
    tx.audit_tenant(id, now, "flag.turn", flag.as_str(), serde_json::json!({ "on": on }));
    tx.commit().await?;
    Ok(flags)
}
