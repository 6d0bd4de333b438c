//! The one writer to routers: it looks at what a router holds, plans what differs from what the database says, applies it, looks again,
//! and only then says that it is done.
//!
//! **Invariants:** no database transaction is open while a router is talked to. A worker is told nothing but "look again". Customers'
//! secrets go to a router only after its operator has confirmed the serial number.

mod apply;
mod export;
mod facts;
mod guarded;
mod leave;
mod routes;
mod rules;
mod run;
mod session;
mod settings;
mod store;
mod turn;
mod watch;
mod worker;

pub use export::{ExportError, Night, take_all, take_configuration};
pub use facts::{FindingView, Preflight};
pub use leave::clean;
pub use routes::routes;
pub use rules::{ServiceChoice, ServiceFault};
pub use session::{Account, OpenError, open, open_with};
pub use settings::{API_WAS_OFF, NTP_HAD_NO_SERVERS, NTP_WAS_OFF};
pub use store::StateView;
pub use turn::Turn;
pub use watch::{Watch, examine, state_of, watch};
#[cfg(feature = "testing")]
pub use worker::Faulty;
pub use worker::{Finished, Provisioner};

use crate::app::App;
use crate::configurations::Kept;
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::secrets::VaultError;
use crate::tunnels::TunnelError;
use apply::ApplyError;
use db::{DbError, TenantDoor};
use facts::FactsError;
use model::RouterId;
use reconcile::{ChangeSet, Finding, SiteError};
use std::time::Duration;

/// How long an operator who applies a plan waits for the router before being told that it goes on without them.
const APPLY_WAIT: Duration = Duration::from_secs(45);

/// Why a router could not be looked at or written.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// There is no such router.
    #[error("there is no such router")]
    NotFound,
    /// The router has not been confirmed.
    #[error("confirm the router's serial number first: nothing is written, and no customer's password is sent, before that")]
    NotConfirmed,
    /// Another box answers in the router's place: it got the texts of a re-issue, or a copy of the keys.
    #[error(
        "the box that answers has the serial number {found}, and this router is known as {known}: nothing is written to it, and no customer's password sent"
    )]
    OtherSerial { known: String, found: String },
    /// A service is not as it should be.
    #[error(transparent)]
    Service(#[from] ServiceFault),
    /// Preflight found something that has to be mended first.
    #[error("{} thing(s) on the router have to be mended first; see its preflight", .0.len())]
    Blocked(Vec<Finding>),
    /// The router cannot be logged in to.
    #[error("the router could not be logged in to")]
    Open(#[from] OpenError),
    /// The router could not be read.
    #[error("the router could not be read")]
    Facts(#[from] FactsError),
    /// The wanted state contradicts itself.
    #[error("what the router should hold contradicts itself")]
    Site(#[from] SiteError),
    /// A change was refused, or its answer was lost.
    #[error("a change was not carried out")]
    Apply(#[from] ApplyError),
    /// After everything was written, the router still differs.
    #[error("the router took the changes and still differs: {0}")]
    StillDiffers(String),
    /// A risky change was not confirmed, and the router has undone it.
    #[error(
        "the router took a change back by itself: {why}. {left} The controller tries again, later each time: mend the \
         cause, or take the service back. What was to change: {what}"
    )]
    TakenBack { why: String, left: String, what: String },
    /// The router did not come back after a risky change.
    #[error(
        "after a change that may cut the tunnel the router was not seen again for {waited_s} s: {why}. An undo is armed on it, which runs by \
         itself within {window_s} s of the change, or at its next start. What was to change: {what}"
    )]
    NotSeenAgain { why: String, what: String, waited_s: u64, window_s: u64 },
    /// An earlier change is not confirmed and not yet taken back.
    #[error(
        "an earlier change was not confirmed, and the undo that it left on the router has not run yet: nothing is written until it has, \
         which takes {window_s} s at most"
    )]
    UndoArmed { window_s: u64 },
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A secret does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The tunnel does not work.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// The customers could not be read.
    #[error("the router's customers could not be read")]
    Customers(#[from] crate::customers::CustomerError),
    /// The router's configuration could not be taken.
    #[error("the router's configuration could not be taken")]
    Export(#[from] ExportError),
    /// The router's configuration could not be kept.
    #[error("the router's configuration could not be kept")]
    Configuration(#[from] crate::configurations::ConfigurationError),
    /// Who is online could not be written down.
    #[error("the router's sessions could not be written down")]
    Sessions(#[from] crate::sessions::SessionError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl ProvisionError {
    /// Says whether the router is simply not there now; its next handshake wakes the worker, so there is nothing to try again.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Open(OpenError::Tunnel(TunnelError::Away | TunnelError::NoPeer)) | Self::NotConfirmed | Self::NotFound
        )
    }
}

/// Chooses what a router offers. Nothing is written to the router until the plan is applied.
///
/// # Errors
/// When a service makes no sense, or the role may not.
pub async fn choose_services(
    app: &App,
    scope: &TenantScope,
    router: RouterId,
    services: &[ServiceChoice],
) -> Result<(), ProvisionError> {
    rules::check(services, app.config.supernet)?;
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::RoutersWrite).await?;
    if !store::set_chosen(&mut tx, router, services).await? {
        return Err(ProvisionError::NotFound);
    }
    tx.audit(now, "router.services", &router.to_string(), serde_json::json!(services)).await?;
    Ok(tx.commit().await?)
}

/// Reads a router and says what stands in the way; the facts are kept.
///
/// # Errors
/// When the role may not, or the router cannot be read.
pub async fn preflight(app: &App, scope: &TenantScope, router: RouterId) -> Result<facts::Preflight, ProvisionError> {
    let mut tx = scope.read(app, Permission::RoutersRead).await?;
    store::router(&mut tx, router).await?.ok_or(ProvisionError::NotFound)?;
    drop(tx);
    let client = open(app, scope.door(), router).await?;
    let facts = facts::read(app, &client).await?;
    Ok(facts::Preflight::of(&facts))
}

/// Plans what the chosen services would change on the router now.
///
/// # Errors
/// When the role may not, or the router cannot be read.
pub async fn plan(app: &App, scope: &TenantScope, router: RouterId) -> Result<ChangeSet, ProvisionError> {
    let mut tx = scope.read(app, Permission::RoutersRead).await?;
    store::router(&mut tx, router).await?.ok_or(ProvisionError::NotFound)?;
    drop(tx);
    run::plan(app, scope.door(), router).await
}

/// Approves the chosen services, has the worker bring the router to them and waits for it, at most 45 s.
///
/// # Errors
/// When the role may not, preflight finds a blocker, or the worker fails.
///
/// # Cancel safety
/// Once approved, the worker goes on whether or not anybody waits.
pub async fn apply(app: &App, scope: &TenantScope, router: RouterId) -> Result<Option<Finished>, ProvisionError> {
    let mut tx = scope.write(app, Permission::RoutersWrite).await?;
    let row = store::router(&mut tx, router).await?.ok_or(ProvisionError::NotFound)?;
    drop(tx);
    if !row.confirmed {
        return Err(ProvisionError::NotConfirmed);
    }
    let client = open(app, scope.door(), router).await?;
    let blockers = facts::read(app, &client).await?.blockers(&rules::resolve(&row.chosen)?);
    if !blockers.is_empty() {
        return Err(ProvisionError::Blocked(blockers));
    }
    let mut finished = app.provisioner.finished();
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::RoutersWrite).await?;
    store::approve_chosen(&mut tx, router).await?;
    let generation = tx.touch_router(router, now).await?;
    tx.audit(now, "router.apply", &router.to_string(), serde_json::json!({ "generation": generation })).await?;
    tx.commit().await?;
    let done = async {
        loop {
            match finished.recv().await {
                Ok(done) if done.router == router && (done.generation >= generation || done.result.is_err()) => {
                    return Some(done);
                }
                // Others' news, or so much of it that some was missed: keep waiting, within the limit.
                Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return None,
            }
        }
    };
    Ok(tokio::time::timeout(APPLY_WAIT, done).await.ok().flatten())
}

/// Lists the sessions that are live on a router now.
///
/// # Errors
/// When the role may not, or the router cannot be read.
async fn sessions(app: &App, scope: &TenantScope, router: RouterId) -> Result<Vec<run::LiveSession>, ProvisionError> {
    let mut tx = scope.read(app, Permission::RoutersRead).await?;
    store::router(&mut tx, router).await?.ok_or(ProvisionError::NotFound)?;
    drop(tx);
    let session = run::Session::open(app, scope.door(), router).await?;
    run::sessions(&session).await
}

/// Makes every router's worker look once: after a start, things may have ended or changed while nobody looked.
///
/// # Errors
/// When the database does not answer.
pub async fn wake_all(app: &std::sync::Arc<App>) -> Result<(), DbError> {
    for door in app.db.locator().tenants("provisioning").await? {
        let mut tx = app.db.tenant(&door).await?;
        let routers = store::confirmed(&mut tx).await?;
        drop(tx);
        for router in routers {
            app.provisioner.wake(app, &door, router);
        }
    }
    Ok(())
}

/// Raises the generation of a router on which something has ended, and wakes its worker.
///
/// # Errors
/// When the database does not answer.
pub async fn touch(app: &App, door: &TenantDoor, router: RouterId) -> Result<(), DbError> {
    let mut tx = app.db.tenant(door).await?;
    tx.touch_router(router, app.clock.now()).await?;
    tx.commit().await
}
