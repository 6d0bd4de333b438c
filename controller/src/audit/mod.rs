//! What was done, by whom, and whether anybody tampered with it: the tenants' audit logs, the platform's own, and the nightly proof of the
//! wall. Lines are written by `TenantTx::audit` and `PlatformTx`; here they are read.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::{AuditView, PlatformAuditView};

use crate::app::App;
use crate::health::{self, Raised, Severity};
use crate::http::Page;
use crate::operators::{OperatorError, Permission, TenantScope};
use db::audit::Report;
use db::{DbError, PlatformActor};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// How far ahead there are partitions, and how far back they are made for what comes late.
const AHEAD: SignedDuration = SignedDuration::from_hours(93 * 24);
const BEHIND: SignedDuration = SignedDuration::from_hours(31 * 24);
/// Lines of an export that are read at once.
const EXPORT_BATCH: u16 = 250;
/// Lines of an export in all; a longer time is exported piece by piece.
const EXPORT_MAX: usize = 1_000_000;

/// Why the audit log was not shown.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A filter is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Which lines are wanted; what is left out limits nothing.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Who did it, as the log shows it: `operator:opr_…`, `token:tok_…`, `system:…`.
    pub actor: Option<String>,
    /// How the action begins: `customer.` or `customer.create`.
    pub action: Option<String>,
    /// To what, by its id.
    pub target: Option<String>,
    /// The earliest time.
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// The time before which it was.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// Lists lines of the caller's tenant, newest first.
///
/// # Errors
/// When the role may not, or a filter is wrong.
pub async fn list(app: &App, scope: &TenantScope, filter: &Filter, page: &Page) -> Result<Vec<AuditView>, AuditError> {
    let mut tx = scope.read(app, Permission::AuditRead).await?;
    if let Some((field, message)) = rules::fault(filter) {
        return Err(AuditError::Field { field, message });
    }
    Ok(store::list(&mut tx, filter, page.before(), page.fetch()).await?)
}

/// Reads the next lines of an export that stand behind `before`. Each call is a transaction of its own, so that a slow reader holds none.
///
/// # Errors
/// As [`list`].
pub async fn export_some(app: &App, scope: &TenantScope, filter: &Filter, before: Uuid) -> Result<Vec<AuditView>, AuditError> {
    let mut tx = scope.read(app, Permission::AuditRead).await?;
    if let Some((field, message)) = rules::fault(filter) {
        return Err(AuditError::Field { field, message });
    }
    Ok(store::list(&mut tx, filter, before, i64::from(EXPORT_BATCH)).await?)
}

/// Lists lines of the platform's own log, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list_platform(app: &App, actor: &PlatformActor, page: &Page) -> Result<Vec<PlatformAuditView>, DbError> {
    let mut tx = app.db.platform(actor, "the platform's audit log was read", app.clock.now()).await?;
    let lines = store::list_platform(&mut tx, page).await?;
    tx.commit().await?;
    Ok(lines)
}

/// Proves the wall, and makes what it finds a health condition; returns a sentence about it.
///
/// # Errors
/// When the database does not answer.
pub async fn nightly(app: &App) -> Result<String, DbError> {
    const CODE: &str = "audit.findings";
    let report = app.db.audit(app.clock.now()).await?;
    let sentence = summary(&report);
    if report.found() == 0 {
        health::clear(app, CODE).await?;
    } else {
        let text = format!("The audit of the database is not clean: {sentence}");
        let remedy =
            "Run `mastwire-controller audit` on the controller's machine: it names each place and what to do there".to_owned();
        health::raise(app, &Raised { code: CODE.to_owned(), severity: Severity::Critical, text, remedy }).await?;
    }
    Ok(sentence)
}

fn summary(report: &Report) -> String {
    let broken: Vec<&str> = report.rules.iter().filter(|rule| rule.found > 0).map(|rule| rule.name).collect();
    if broken.is_empty() {
        return format!("{} rules over {} tenants found nothing", report.rules.len(), report.tenants);
    }
    format!("{} findings in {} tenants, of the rules {}", report.found(), report.tenants, broken.join(", "))
}

/// Makes the partitions of the months to come, in all tables that are cut by month; returns how many were missing.
///
/// # Errors
/// When the database does not answer.
pub async fn make_months(app: &App) -> Result<i32, DbError> {
    let now = app.clock.now();
    let mut tx = app.db.platform(&PlatformActor::system("jobs"), "partitions were made ahead", now).await?;
    let made = store::ensure_partitions(&mut tx, now - BEHIND, now + AHEAD).await?;
    tx.commit().await?;
    Ok(made)
}
