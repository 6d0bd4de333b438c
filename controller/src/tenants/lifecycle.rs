//! The road from trial to purged: who is moved along it, by hand or by the clock, and what follows for the ISP's own customers.

use super::rules::{self, CustomerPolicy};
use super::{TenantError, TenantView, store};
use crate::app::App;
use db::PlatformActor;
use jiff::Timestamp;
use model::{Standing, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

/// A change of standing, made or only looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Transition {
    /// How the tenant stood.
    pub from: Standing,
    /// How it stands now, or would.
    pub to: Standing,
    /// Whether it was done.
    pub done: bool,
    /// Until when its routers serve anybody; empty where what was paid for runs to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub service_ends_at: Option<Timestamp>,
    /// How many of its customers' payments are cut short by that.
    pub cut_short: i64,
}

/// What of a tenant the platform changes.
#[derive(Debug, Clone, Default)]
pub struct TenantChange {
    /// Another name.
    pub name: Option<String>,
    /// Another end of its trial.
    pub trial_ends_at: Option<Timestamp>,
    /// What happens to its customers at the next suspension.
    pub customer_policy: Option<CustomerPolicy>,
}

/// Moves a tenant to another standing, or only says what that would do. Its operators are told by their own audit log; where its customers
/// are served for a shorter time, or no longer are, its routers look again.
///
/// # Errors
/// When there is no such tenant, no road leads there, or the reason is missing.
pub async fn change_standing(
    app: &App,
    actor: &PlatformActor,
    id: TenantId,
    to: Standing,
    reason: &str,
    dry_run: bool,
) -> Result<Transition, TenantError> {
    let reason = super::expect_reason(reason)?;
    if matches!(to, Standing::Purging | Standing::Purged) {
        return Err(TenantError::PurgeInstead);
    }
    let now = app.clock.now();
    let mut tx = app.db.platform(actor, &format!("the standing of {id} becomes {to}: {reason}"), now).await?;
    let before = store::lock(&mut tx, id).await?.ok_or(TenantError::NotFound)?;
    if !rules::may_become(before.status, to) {
        return Err(TenantError::Standing { from: before.status, to });
    }
    let service_ends_at = rules::service_ends(before.customer_policy, before.status, to, before.service_ends_at, now);
    let cut_short = match service_ends_at {
        Some(end) => store::count_ending_after(&mut tx, id, end).await?,
        None => 0,
    };
    let transition = Transition { from: before.status, to, done: !dry_run, service_ends_at, cut_short };
    if dry_run {
        return Ok(transition);
    }
    if !store::change_standing(&mut tx, id, &rules::sources(to), to, reason, service_ends_at, now).await? {
        return Err(TenantError::Standing { from: before.status, to });
    }
    if service_ends_at != before.service_ends_at {
        store::touch_routers(&mut tx, id, &*app.entropy, now).await?;
    }
    let details = serde_json::json!({ "from": before.status, "to": to, "reason": reason, "service_ends_at": service_ends_at });
    tx.audit_tenant(id, now, "tenant.standing", &id.to_string(), details);
    tx.commit().await?;
    tracing::info!(tenant.id = %id, from = %before.status, to = %to, "a tenant's standing changed");
    Ok(transition)
}

/// Changes a tenant's name, the end of its trial, or what a suspension does to its customers.
///
/// # Errors
/// When there is no such tenant, a field is wrong, or the name is taken.
pub async fn update(app: &App, actor: &PlatformActor, id: TenantId, change: TenantChange) -> Result<TenantView, TenantError> {
    let now = app.clock.now();
    if let Some(name) = &change.name {
        super::expect_name(name)?;
    }
    if let Some(end) = change.trial_ends_at {
        super::expect_trial(end, now)?;
    }
    if let Some(message) = change.customer_policy.and_then(CustomerPolicy::fault) {
        return Err(TenantError::Field { field: "customer_policy", message });
    }
    let mut tx = app.db.platform(actor, &format!("{id} was changed"), now).await?;
    let before = store::lock(&mut tx, id).await?.filter(|tenant| !is_leaving(tenant)).ok_or(TenantError::NotFound)?;
    let after = TenantView {
        name: change.name.unwrap_or_else(|| before.name.clone()),
        trial_ends_at: change.trial_ends_at.or(before.trial_ends_at),
        customer_policy: change.customer_policy.unwrap_or(before.customer_policy),
        ..before.clone()
    };
    store::update(&mut tx, &after).await?;
    let pick = |tenant: &TenantView| serde_json::json!({ "name": tenant.name, "trial_ends_at": tenant.trial_ends_at, "customer_policy": tenant.customer_policy });
    let details = serde_json::json!({ "before": pick(&before), "after": pick(&after) });
    tx.audit_tenant(id, now, "tenant.update", &id.to_string(), details);
    tx.commit().await?;
    Ok(after)
}

const fn is_leaving(tenant: &TenantView) -> bool {
    matches!(tenant.status, Standing::Purging | Standing::Purged)
}

/// Moves every tenant along whose time is up: trials that ended, debts that nobody settled. Returns how many were moved.
///
/// # Errors
/// When the database does not answer. A tenant that cannot be moved is logged and passed over.
pub async fn sweep(app: &App) -> Result<usize, TenantError> {
    let now = app.clock.now();
    let waiting = app.db.locator().tenants_standing(&[Standing::Trial, Standing::PastDue, Standing::Restricted]).await?;
    let actor = PlatformActor::system("lifecycle");
    let mut moved = 0;
    for tenant in waiting {
        let Some((to, reason)) = rules::due(tenant.standing, tenant.since, tenant.trial_ends_at, now) else { continue };
        match change_standing(app, &actor, tenant.id, to, reason, false).await {
            Ok(_) => moved += 1,
            // Somebody moved it in the meantime.
            Err(TenantError::Standing { .. } | TenantError::NotFound) => {}
            Err(TenantError::Db(error)) => return Err(error.into()),
            Err(error) => tracing::error!(tenant.id = %tenant.id, error = %telemetry::chain(&error), "a tenant was not moved"),
        }
    }
    Ok(moved)
}
