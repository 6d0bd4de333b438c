//! What those who serve an ISP should know: a router is silent, the platform's support is here, a ticket is theirs. Each sees their own alone,
//! and is told once.

mod routes;
mod store;

pub use routes::routes;
pub use store::NotificationView;

use crate::app::App;
use crate::monitoring::{self, LongOutage, MonitoringError};
use crate::operators::{self, OperatorError, Permission, Person};
use db::{DbError, PlatformTx, TenantDoor, TenantTx};
use jiff::SignedDuration;
use model::{NotificationId, OperatorId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How far back a sweep looks: what it tells of twice is kept once.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);
/// How long notifications are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Longest text, in characters.
const TEXT_MAX: usize = 500;

/// Why notifications were not shown or marked.
#[derive(Debug, thiserror::Error)]
pub enum NotificationError {
    /// There is no such notification, or it is somebody else's.
    #[error("there is no such notification")]
    NotFound,
    /// The outages could not be read.
    #[error("the outages could not be read")]
    Monitoring(#[from] MonitoringError),
    /// The people could not be read.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// A router has been silent for 15 minutes.
    RouterSilent,
    /// The platform's support visits the ISP.
    SupportVisit,
    /// A ticket was given to the reader.
    TicketAssigned,
}

impl NotificationKind {
    const ALL: [Self; 3] = [Self::RouterSilent, Self::SupportVisit, Self::TicketAssigned];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RouterSilent => "router_silent",
            Self::SupportVisit => "support_visit",
            Self::TicketAssigned => "ticket_assigned",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Something to be told.
#[derive(Debug)]
pub struct News<'a> {
    /// Of which kind.
    pub kind: NotificationKind,
    /// What it is about, by which somebody is told once.
    pub about: Uuid,
    /// Where to look, as an id of the API.
    pub link: String,
    /// What there is to know.
    pub text: &'a str,
}

impl News<'_> {
    fn text(&self) -> String {
        self.text.chars().take(TEXT_MAX).collect()
    }
}

/// Tells some of those who serve the tenant, in the caller's transaction; who was told of it before is not told again.
///
/// # Errors
/// When the database does not answer.
pub async fn tell(app: &App, tx: &mut TenantTx, operators: &[OperatorId], news: &News<'_>) -> Result<(), DbError> {
    let now = app.clock.now();
    let rows = addressed(app, operators);
    store::insert(tx, &rows, news, now).await
}

/// Tells a tenant's admins, in a transaction of the platform's.
///
/// # Errors
/// When the database does not answer.
pub async fn tell_admins(app: &App, tx: &mut PlatformTx, tenant: TenantId, news: &News<'_>) -> Result<(), DbError> {
    let now = app.clock.now();
    let admins = operators::admins_of(tx, tenant).await?;
    store::insert_across(tx, tenant, &addressed(app, &admins), news, now).await
}

fn addressed(app: &App, operators: &[OperatorId]) -> Vec<(NotificationId, OperatorId)> {
    let now = app.clock.now();
    operators.iter().map(|operator| (NotificationId::generate(now, &*app.entropy), *operator)).collect()
}

/// Tells of routers that have been silent for long, in every tenant: those who may see them. Returns how many outages were looked at.
///
/// # Errors
/// When the database does not answer.
pub async fn tell_of_outages(app: &App) -> Result<usize, NotificationError> {
    let (mut seen, mut fault) = (0, None);
    for door in app.db.locator().tenants("notifications").await? {
        match tell_tenant(app, &door).await {
            Ok(count) => seen += count,
            Err(error) => fault = Some(error),
        }
    }
    fault.map_or(Ok(seen), Err)
}

async fn tell_tenant(app: &App, door: &TenantDoor) -> Result<usize, NotificationError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    let outages = monitoring::long_outages(&mut tx, now, now).await?;
    for LongOutage { id, router, name, started_at, .. } in &outages {
        if now.duration_since(*started_at) > LOOK_BACK
            || store::was_told(&mut tx, NotificationKind::RouterSilent, id.uuid()).await?
        {
            continue;
        }
        let who = operators::who_may_see(&mut tx, Permission::RoutersRead, *router).await?;
        let text = format!("Router {name} has been silent for 15 minutes");
        let news = News { kind: NotificationKind::RouterSilent, about: id.uuid(), link: router.to_string(), text: &text };
        tell(app, &mut tx, &who, &news).await?;
    }
    tx.commit().await?;
    Ok(outages.len())
}

/// Marks a notification of the caller's as read; one that was read stays read since then.
///
/// # Errors
/// When the caller has no such notification.
pub async fn mark_read(app: &App, person: &Person, id: NotificationId) -> Result<(), NotificationError> {
    let Some(scope) = &person.scope else { return Err(NotificationError::NotFound) };
    let mut tx = app.db.tenant(scope.door()).await?;
    if !store::mark_read(&mut tx, person.operator, id, app.clock.now()).await? {
        return Err(NotificationError::NotFound);
    }
    Ok(tx.commit().await?)
}

/// Marks all of the caller's notifications as read; returns how many were not.
///
/// # Errors
/// When the database does not answer.
pub async fn mark_all_read(app: &App, person: &Person) -> Result<u64, NotificationError> {
    let Some(scope) = &person.scope else { return Ok(0) };
    let mut tx = app.db.tenant(scope.door()).await?;
    let marked = store::mark_all_read(&mut tx, person.operator, app.clock.now()).await?;
    tx.commit().await?;
    Ok(marked)
}

/// Forgets notifications that were kept long enough; returns how many went.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_old(app: &App) -> Result<u64, DbError> {
    let mut gone = 0;
    for door in app.db.locator().tenants("notifications").await? {
        let mut tx = app.db.tenant(&door).await?;
        gone += store::forget(&mut tx, app.clock.now() - KEPT).await?;
        tx.commit().await?;
    }
    Ok(gone)
}
