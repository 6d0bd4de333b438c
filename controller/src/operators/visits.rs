//! Visits of the platform's support in a tenant: with a reason, for an hour at most, looking only unless raised, every request in the tenant's
//! own log. The tenant sees them all and can end each.

use super::tokens::{self, TokenKind};
use super::{Asked, OperatorError, Permission, TenantScope, store};
use crate::app::App;
use crate::http::{List, Page};
use crate::notifications::{self, News, NotificationKind};
use db::{PlatformActor, VisitCredential};
use jiff::{SignedDuration, Timestamp};
use model::{ImpersonationId, OperatorId, Secret, TenantId};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

pub use store::visits::VisitView;

/// How long a visit may last, in minutes.
const MINUTES: std::ops::RangeInclusive<i64> = 1..=60;
/// Longest reason, in characters.
const REASON_MAX: usize = 300;
/// Longest target of an audit line, in characters.
const TARGET_MAX: usize = 100;

/// A visit that goes on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Visit {
    /// The visit.
    pub id: ImpersonationId,
    /// What for.
    pub reason: String,
    /// Whether something may be changed.
    pub writes: bool,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl From<VisitCredential> for Visit {
    fn from(visit: VisitCredential) -> Self {
        Self { id: visit.id, reason: visit.reason, writes: visit.writes, expires_at: visit.expires_at }
    }
}

/// What a visit is asked for.
#[derive(Debug)]
pub struct NewVisit {
    /// Where.
    pub tenant: TenantId,
    /// What for: the tenant reads it.
    pub reason: String,
    /// For how long.
    pub minutes: i64,
    /// Whether something may be changed.
    pub writes: bool,
}

/// A visit that was begun.
#[derive(Debug)]
pub struct Begun {
    /// The visit.
    pub id: ImpersonationId,
    /// Its token, shown once.
    pub token: Secret<String>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Begins a visit, and tells the tenant.
///
/// # Errors
/// When a field is wrong or there is no such tenant.
pub async fn begin(app: &App, actor: &PlatformActor, visitor: OperatorId, new: &NewVisit) -> Result<Begun, OperatorError> {
    let now = app.clock.now();
    let reason = new.reason.trim();
    if !(1..=REASON_MAX).contains(&reason.chars().count()) {
        return Err(OperatorError::Field {
            field: "reason",
            message: "say in 1 to 300 characters what the visit is for; the ISP reads it",
        });
    }
    if !MINUTES.contains(&new.minutes) {
        return Err(OperatorError::Field { field: "minutes", message: "a visit lasts 1 to 60 minutes" });
    }
    let id = ImpersonationId::generate(now, &*app.entropy);
    let token = tokens::generate(TokenKind::Visit, &*app.entropy);
    let expires_at = now + SignedDuration::from_mins(new.minutes);
    let mut tx = app.db.platform(actor, &format!("a visit in {} was begun: {reason}", new.tenant), now).await?;
    let row = store::visits::NewRow { id, visitor, reason, writes: new.writes, token_hash: &token.hash, now, expires_at };
    if !store::visits::insert(&mut tx, new.tenant, &row).await? {
        return Err(OperatorError::NotFound("tenant"));
    }
    let details = json!({ "reason": reason, "writes": new.writes, "until": expires_at });
    tx.audit_tenant(new.tenant, now, "support.begin", &id.to_string(), details);
    let text = format!("The platform's support is here until {}: {reason}", expires_at.strftime("%H:%M UTC"));
    let news = News { kind: NotificationKind::SupportVisit, about: id.uuid(), link: id.to_string(), text: &text };
    notifications::tell_admins(app, &mut tx, new.tenant, &news).await?;
    tx.commit().await?;
    Ok(Begun { id, token: token.text, expires_at })
}

/// Writes a request that is sent on a visit into the tenant's log, before anything is done about it.
///
/// # Errors
/// When the database does not answer: then nothing is done.
pub(super) async fn note(app: &App, scope: &TenantScope, asked: &Asked) -> Result<(), OperatorError> {
    let Some(visit) = scope.visit() else { return Ok(()) };
    let mut tx = app.db.tenant(scope.door()).await?;
    let target: String = asked.what.chars().take(TARGET_MAX).collect();
    tx.audit(app.clock.now(), "support.request", &target, json!({ "visit": visit.id })).await?;
    Ok(tx.commit().await?)
}

/// Lists the visits in the tenant, newest first.
///
/// # Errors
/// When the caller may not or the database does not answer.
pub async fn list(app: &App, scope: &TenantScope, page: &Page) -> Result<List<VisitView>, OperatorError> {
    let mut tx = scope.read(app, Permission::OperatorsRead).await?;
    Ok(page.list(store::visits::list(&mut tx, app.clock.now(), page).await?))
}

/// Shows the visitor out: from now on the visit's token opens nothing.
///
/// # Errors
/// When there is no such visit that goes on, or the caller may not.
pub async fn end(app: &App, scope: &TenantScope, id: ImpersonationId) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    if !store::visits::end(&mut tx, id, now).await? {
        return Err(OperatorError::NotFound("impersonation"));
    }
    tx.audit(now, "support.end", &id.to_string(), json!({})).await?;
    Ok(tx.commit().await?)
}

/// Ends the visit that the caller is on.
///
/// # Errors
/// When the database does not answer.
pub async fn leave(app: &App, scope: &TenantScope, visit: &Visit) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(scope.door()).await?;
    store::visits::end(&mut tx, visit.id, now).await?;
    tx.audit(now, "support.end", &visit.id.to_string(), json!({})).await?;
    Ok(tx.commit().await?)
}
