//! What each tenant may use at most: checked where things are made, under a lock, so that two who make one at the same time cannot both
//! have the last place.

use super::rules::limits::{Bounds, Level, Limit};
use super::store::limits as store;
use super::{TenantError, metering};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use db::{DbError, PlatformActor, PlatformTx, TenantTx};
use jiff::Timestamp;
use model::{Standing, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

/// Why nothing more can be made.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// There is no room.
    #[error("this ISP may have {hard} {}, and has {used}: {}, or ask the platform's operator for more", .limit.noun(), .limit.remedy())]
    Reached { limit: Limit, used: i64, hard: i64 },
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A limit as it stands for one tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitView {
    /// What is limited.
    pub name: Limit,
    /// How much of it there is; for requests, those of the minute that was just counted.
    pub used: i64,
    /// From here on the tenant is warned.
    pub soft: i64,
    /// More than this is refused.
    pub hard: i64,
    /// How the number stands to them.
    pub level: Level,
    /// Why it is other than the default, if it is.
    pub reason: Option<String>,
}

/// A change of a limit, made or only looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitChange {
    /// The limit as it stands now, or would.
    pub limit: LimitView,
    /// Whether it was done.
    pub done: bool,
    /// How much there is beyond it. Nothing of that is taken away; nothing is added until it fits.
    pub over_by: i64,
}

/// Refuses to make so many more of something than the tenant may have. Whoever else of the tenant makes one waits until this transaction
/// ends. What makes a tenant's data larger is refused too once its storage is full.
///
/// # Errors
/// When there is no room, or the database does not answer.
pub async fn check(tx: &mut TenantTx, limit: Limit, more: i64, now: Timestamp) -> Result<(), LimitError> {
    let used = store::count(tx, limit, now).await?;
    let terms = store::terms(tx).await?;
    expect_room(limit, terms.bounds(limit), used, more)?;
    if matches!(limit, Limit::Routers | Limit::Customers) {
        let stored = terms.stored_bytes;
        let bounds = terms.bounds(Limit::StorageBytes);
        if stored >= bounds.hard {
            return Err(LimitError::Reached { limit: Limit::StorageBytes, used: stored, hard: bounds.hard });
        }
    }
    Ok(())
}

/// As [`check`], for what the platform makes in a tenant.
///
/// # Errors
/// When there is no room, or the database does not answer.
pub async fn check_across(
    tx: &mut PlatformTx,
    tenant: TenantId,
    limit: Limit,
    more: i64,
    now: Timestamp,
) -> Result<(), LimitError> {
    let used = store::count_across(tx, tenant, limit, now).await?;
    let bounds = store::terms_across(tx, tenant).await?.bounds(limit);
    expect_room(limit, bounds, used, more)
}

fn expect_room(limit: Limit, bounds: Bounds, used: i64, more: i64) -> Result<(), LimitError> {
    if bounds.fits(used, more) { Ok(()) } else { Err(LimitError::Reached { limit, used, hard: bounds.hard }) }
}

/// Counts messages that are about to be sent, or refuses them: what was counted in a month of the tenant's calendar never exceeds its limit.
///
/// # Errors
/// When there is no room, or the database does not answer.
pub async fn spend_messages(tx: &mut TenantTx, count: i64, now: Timestamp) -> Result<(), LimitError> {
    let day = metering::today(tx, now).await?;
    store::lock_messages(tx).await?;
    let used = store::counted_since(tx, Limit::Messages, day.first_of_month()).await?;
    expect_room(Limit::Messages, store::terms(tx).await?.bounds(Limit::Messages), used, count)?;
    store::add_to_counter(tx, Limit::Messages, day, count).await?;
    Ok(())
}

/// Shows the caller's own limits and how much of each is used.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub(super) async fn own(app: &App, scope: &TenantScope) -> Result<Vec<LimitView>, TenantError> {
    let now = app.clock.now();
    let mut tx = scope.read(app, Permission::SettingsRead).await?;
    let terms = store::terms(&mut tx).await?;
    let month = metering::today(&mut tx, now).await?.first_of_month();
    let mut views = Vec::with_capacity(Limit::ALL.len());
    for limit in Limit::ALL {
        let used = match limit {
            Limit::Routers | Limit::Customers | Limit::Operators | Limit::ApiTokens => store::count(&mut tx, limit, now).await?,
            Limit::Messages => store::counted_since(&mut tx, limit, month).await?,
            Limit::ApiRequests => app.rates.used(scope.tenant()),
            Limit::StorageBytes => terms.stored_bytes,
        };
        views.push(view(limit, &terms, used));
    }
    Ok(views)
}

/// Shows a tenant's limits to the platform.
///
/// # Errors
/// When there is no such tenant, or the database does not answer.
pub(super) async fn of_tenant(app: &App, actor: &PlatformActor, id: TenantId) -> Result<Vec<LimitView>, TenantError> {
    let now = app.clock.now();
    let mut tx = app.db.platform(actor, &format!("the limits of {id} were read"), now).await?;
    expect_present(&mut tx, id).await?;
    let mut views = Vec::with_capacity(Limit::ALL.len());
    let terms = store::terms_across(&mut tx, id).await?;
    for limit in Limit::ALL {
        let used = used_across(app, &mut tx, id, limit, &terms, now).await?;
        views.push(view(limit, &terms, used));
    }
    tx.commit().await?;
    Ok(views)
}

async fn expect_present(tx: &mut PlatformTx, id: TenantId) -> Result<(), TenantError> {
    let tenant = super::store::get(tx, id).await?.ok_or(TenantError::NotFound)?;
    if matches!(tenant.status, Standing::Purging | Standing::Purged) { Err(TenantError::NotFound) } else { Ok(()) }
}

async fn used_across(
    app: &App,
    tx: &mut PlatformTx,
    id: TenantId,
    limit: Limit,
    terms: &store::Terms,
    now: Timestamp,
) -> Result<i64, DbError> {
    Ok(match limit {
        Limit::Routers | Limit::Customers | Limit::Operators | Limit::ApiTokens => {
            store::count_across(tx, id, limit, now).await?
        }
        Limit::Messages => store::messages_measured(tx, id, now).await?,
        Limit::ApiRequests => app.rates.used(id),
        Limit::StorageBytes => terms.stored_bytes,
    })
}

fn view(limit: Limit, terms: &store::Terms, used: i64) -> LimitView {
    let bounds = terms.bounds(limit);
    let reason = terms.reason(limit).map(str::to_owned);
    LimitView { name: limit, used, soft: bounds.soft, hard: bounds.hard, level: bounds.level(used), reason }
}

/// What the platform wants of a limit.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub limit: Limit,
    /// None takes it back to the default.
    pub bounds: Option<Bounds>,
    pub reason: String,
    pub dry_run: bool,
}

/// Sets a tenant's limit, takes it back to its default, or only says what that would do. Nothing is ever taken away by it.
///
/// # Errors
/// When there is no such tenant, or a field is wrong.
pub(super) async fn set(app: &App, actor: &PlatformActor, id: TenantId, wish: Wish) -> Result<LimitChange, TenantError> {
    let reason = super::expect_reason(&wish.reason)?;
    if let Some((field, message)) = wish.bounds.and_then(Bounds::fault) {
        return Err(TenantError::Field { field, message });
    }
    let now = app.clock.now();
    let why = format!("the limit of {} for {id} was changed: {reason}", wish.limit.as_str());
    let mut tx = app.db.platform(actor, &why, now).await?;
    expect_present(&mut tx, id).await?;
    let mut terms = store::terms_across(&mut tx, id).await?;
    let before = terms.bounds(wish.limit);
    let used = used_across(app, &mut tx, id, wish.limit, &terms, now).await?;
    terms.set(wish.limit, wish.bounds.map(|bounds| (bounds, reason.to_owned())));
    let limit = view(wish.limit, &terms, used);
    let change = LimitChange { over_by: (used - limit.hard).max(0), limit, done: !wish.dry_run };
    if wish.dry_run {
        return Ok(change);
    }
    match wish.bounds {
        Some(bounds) => store::set(&mut tx, id, wish.limit, bounds, reason, actor.label().as_str(), now).await?,
        None => store::reset(&mut tx, id, wish.limit).await?,
    }
    let details = serde_json::json!({
        "limit": wish.limit, "before": before, "after": { "soft": change.limit.soft, "hard": change.limit.hard }, "reason": reason
    });
    tx.audit_tenant(id, now, "tenant.limit", &id.to_string(), details);
    tx.commit().await?;
    if wish.limit == Limit::ApiRequests {
        app.rates.forget(id);
    }
    Ok(change)
}
