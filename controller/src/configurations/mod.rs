//! The history of each router's configuration: its own export, kept whenever it differs from the one before, so that it can be seen what was
//! changed, by whomever. `provisioning` takes the exports; this keeps, shows and compares them.
//!
//! **Invariants:** an export is kept whole or not at all, and none is empty. Secrets are not in it, as far as they can be told; the text is
//! sealed all the same, for scripts may hold any. What a router held last is never forgotten.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use rules::{Fault, SectionDiffView, Taken, read};
pub use store::ConfigurationView;

use crate::app::App;
use crate::health::{self, Raised, Severity};
use crate::http::Page;
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::secrets::{Place, VaultError};
use db::{DbError, TenantTx};
use jiff::{SignedDuration, Timestamp};
use model::{ConfigurationId, RouterId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most configurations that are kept of one router.
pub const PER_ROUTER_MAX: i64 = 90;
/// How long a router's configuration may fail to be taken before that is a condition.
pub const FAILING_MAX: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Longest name of who took one, and longest failure, in characters.
const BY_MAX: usize = 100;
const FAILURE_MAX: usize = 500;
/// The condition that says so.
const CONDITION: &str = "configurations.failing";

/// Why a configuration could not be shown or kept.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Two configurations of different routers were to be compared.
    #[error("the two are of different routers")]
    OtherRouter,
    /// There is nothing to compare with.
    #[error("it is the first that was taken of its router; name another one to compare with")]
    First,
    /// A text that was kept cannot be read any more.
    #[error("a text that was kept is not readable")]
    Unreadable(#[source] Fault),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A text does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Why a configuration is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConfigurationReason)]
pub enum Reason {
    /// Somebody asked for it.
    Asked,
    /// It was night.
    Nightly,
    /// A change was about to be written that may cut the router's tunnel.
    BeforeChange,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Nightly => "nightly",
            Self::BeforeChange => "before_change",
        }
    }

    fn from_stored(name: &str) -> Self {
        match name {
            "asked" => Self::Asked,
            "nightly" => Self::Nightly,
            _ => Self::BeforeChange,
        }
    }
}

/// What came of taking a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeptConfiguration)]
pub struct Kept {
    /// The configuration that the router holds.
    pub id: ConfigurationId,
    /// Whether it differs from the one before; otherwise that one was noted to hold still.
    pub new: bool,
}

/// A router's history.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationList {
    /// The configurations, newest first.
    pub items: Vec<ConfigurationView>,
    /// Give it as `cursor` to get the page behind this one; empty at the end.
    pub next: Option<String>,
    /// Since when none could be taken, though the router was there.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// Why the last try failed.
    pub failure: Option<String>,
}

/// A configuration with its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationText {
    /// What is known of it.
    #[serde(flatten)]
    pub configuration: ConfigurationView,
    /// The export, as `/import` takes it. Secrets are not in it.
    pub text: String,
}

/// What differs between two configurations of a router.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationDiff {
    /// The earlier one.
    pub before: ConfigurationView,
    /// The later one.
    pub after: ConfigurationView,
    /// What differs, menu by menu; none when they are the same but for what changes by itself.
    pub sections: Vec<SectionDiffView>,
    /// The same, for people.
    pub text: String,
}

const fn place(id: ConfigurationId) -> Place {
    Place { table: "configuration", column: "sealed_text", row: id.uuid() }
}

/// Lists a router's history.
///
/// # Errors
/// When the role may not, or there is no such router.
pub async fn list(
    app: &App,
    scope: &TenantScope,
    router: RouterId,
    page: &Page,
) -> Result<ConfigurationList, ConfigurationError> {
    let mut tx = scope.read(app, Permission::RoutersRead).await?;
    if !store::router_is_known(&mut tx, router).await? {
        return Err(ConfigurationError::NotFound("router"));
    }
    let found = page.list(store::list(&mut tx, router, page).await?);
    let state = store::state(&mut tx, router).await?.unwrap_or_default();
    Ok(ConfigurationList {
        items: found.items,
        next: found.next,
        failing_since: state.failing.as_ref().map(|(since, _)| *since),
        failure: state.failing.map(|(_, why)| why),
    })
}

/// Shows a configuration with its text. Scripts in it may hold secrets that cannot be told from other text, so it takes the right to write
/// to routers.
///
/// # Errors
/// When the role may not, or there is no such configuration.
pub async fn show(app: &App, scope: &TenantScope, id: ConfigurationId) -> Result<ConfigurationText, ConfigurationError> {
    let mut tx = scope.read(app, Permission::RoutersWrite).await?;
    let (configuration, text) = open(app, &mut tx, id).await?;
    Ok(ConfigurationText { configuration, text: String::from_utf8_lossy(&text).into_owned() })
}

/// Compares a configuration with another one of its router; without one, with the one before it.
///
/// # Errors
/// When the role may not, there is no such configuration, or they are of different routers.
pub async fn compare(
    app: &App,
    scope: &TenantScope,
    id: ConfigurationId,
    with: Option<ConfigurationId>,
) -> Result<ConfigurationDiff, ConfigurationError> {
    let mut tx = scope.read(app, Permission::RoutersWrite).await?;
    let (after, after_text) = open(app, &mut tx, id).await?;
    let with = match with {
        Some(with) => with,
        None => store::before(&mut tx, after.router, id).await?.ok_or(ConfigurationError::First)?,
    };
    let (before, before_text) = open(app, &mut tx, with).await?;
    drop(tx);
    if before.router != after.router {
        return Err(ConfigurationError::OtherRouter);
    }
    let sections = rules::compare(&before_text, &after_text).map_err(ConfigurationError::Unreadable)?;
    Ok(ConfigurationDiff { before, after, text: rules::readable(&sections), sections })
}

async fn open(app: &App, tx: &mut TenantTx, id: ConfigurationId) -> Result<(ConfigurationView, Vec<u8>), ConfigurationError> {
    let (view, sealed) = store::find(tx, id).await?.ok_or(ConfigurationError::NotFound("configuration"))?;
    let text = app.vault.open(tx, place(id), &sealed).await?;
    Ok((view, text.expose().clone()))
}

/// Keeps an export that was taken of a router: as a new configuration when it differs from what the router held last, else by noting that it
/// still holds that. The oldest go beyond 90 of a router. The caller has the router's turn.
///
/// # Errors
/// When the database does not answer, or the tenant has no key.
pub async fn keep(
    app: &App,
    tx: &mut TenantTx,
    router: RouterId,
    taken: &Taken,
    reason: Reason,
) -> Result<Kept, ConfigurationError> {
    let now = app.clock.now();
    let fingerprint = app.vault.fingerprint(tx, "configuration", &taken.comparable).await?;
    let latest = store::state(tx, router).await?.and_then(|state| state.latest);
    let same = match latest {
        Some(latest) if store::has_fingerprint(tx, latest, &fingerprint).await? => Some(latest),
        Some(_) | None => None,
    };
    if let Some(id) = same {
        store::seen(tx, id, now).await?;
        store::succeeded(tx, router, id).await?;
        return Ok(Kept { id, new: false });
    }
    let id = ConfigurationId::generate(now, &*app.entropy);
    let sealed = app.vault.seal(tx, place(id), &taken.text).await?;
    let by: String = tx.actor().as_str().chars().take(BY_MAX).collect();
    store::insert(tx, &store::New { id, router, now, reason, by: &by, taken, fingerprint: &fingerprint, sealed: &sealed })
        .await?;
    store::succeeded(tx, router, id).await?;
    store::drop_oldest(tx, router, PER_ROUTER_MAX).await?;
    let details = serde_json::json!({ "configuration": id, "reason": reason, "commands": taken.commands });
    tx.audit(now, "router.configuration", &router.to_string(), details).await?;
    Ok(Kept { id, new: true })
}

/// Notes that no configuration could be taken, and why; since when is kept.
///
/// # Errors
/// When the database does not answer.
pub async fn failed(tx: &mut TenantTx, router: RouterId, why: &str, now: Timestamp) -> Result<(), DbError> {
    let why: String = why.chars().take(FAILURE_MAX).collect();
    store::failed(tx, router, &why, now).await
}

/// Notes whether the file that an export is read from may lie on a router.
///
/// # Errors
/// When the database does not answer.
pub async fn note_file(tx: &mut TenantTx, router: RouterId, left: bool) -> Result<(), DbError> {
    store::note_file(tx, router, left).await
}

/// Says whether the file that an export is read from may lie on a router, because a controller ended while it was there.
///
/// # Errors
/// When the database does not answer.
pub async fn file_left(tx: &mut TenantTx, router: RouterId) -> Result<bool, DbError> {
    Ok(store::state(tx, router).await?.is_some_and(|state| state.file_left))
}

/// Counts the tenant's routers of which none could be taken for three days.
///
/// # Errors
/// When the database does not answer.
pub async fn failing_long(tx: &mut TenantTx, now: Timestamp) -> Result<i64, DbError> {
    store::failing_before(tx, now - FAILING_MAX).await
}

/// Raises or clears the condition about routers of all tenants whose configuration could not be taken for three days.
///
/// # Errors
/// When the database does not answer.
pub async fn tell(app: &App, failing: i64) -> Result<(), DbError> {
    if failing == 0 {
        return health::clear(app, CONDITION).await;
    }
    let raised = Raised {
        code: CONDITION.to_owned(),
        severity: Severity::Warning,
        text: format!("Of {failing} router(s) no configuration could be taken for three days, though they were there."),
        remedy: "Each ISP sees why with: mastwire-controller router config list ROUTER".to_owned(),
    };
    health::raise(app, &raised).await
}
