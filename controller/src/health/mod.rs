//! What is wrong with the installation: conditions with a name, a plain sentence, and the one thing to do. A condition is raised by
//! whoever sees it and cleared when it is over; it keeps the time at which it began.

mod routes;
mod store;

pub use routes::routes;

use crate::app::App;
use db::{DbError, PlatformActor};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// How bad a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look at it soon.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    fn from_stored(name: &str) -> Self {
        if name == "critical" { Self::Critical } else { Self::Warning }
    }
}

/// A condition as it is raised.
#[derive(Debug, Clone)]
pub struct Raised {
    /// Its name: small letters, with dots between kinds, such as `audit.findings`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is the case, in a sentence of at most 1000 characters.
    pub text: String,
    /// What to do about it, in at most 500 characters.
    pub remedy: String,
}

/// A condition that holds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Condition {
    /// Its name.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is the case.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it was seen last.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
}

/// Says that a condition holds; one that held already keeps its beginning.
///
/// # Errors
/// When the database does not answer.
pub async fn raise(app: &App, raised: &Raised) -> Result<(), DbError> {
    let now = app.clock.now();
    let mut tx = app.db.platform(&PlatformActor::system("health"), "a health condition was seen", now).await?;
    store::upsert(&mut tx, raised, now).await?;
    tx.commit().await
}

/// Says that a condition does not hold, or not any more.
///
/// # Errors
/// When the database does not answer.
pub async fn clear(app: &App, code: &str) -> Result<(), DbError> {
    let mut tx = app.db.platform(&PlatformActor::system("health"), "a health condition is over", app.clock.now()).await?;
    // Nothing was the matter: then there is nothing to be written down either.
    if store::delete(&mut tx, code).await? { tx.commit().await } else { Ok(()) }
}

/// Lists the conditions that hold, the worst and oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn conditions(app: &App, actor: &PlatformActor) -> Result<Vec<Condition>, DbError> {
    let mut tx = app.db.platform(actor, "the health conditions were read", app.clock.now()).await?;
    let mut conditions = store::list(&mut tx).await?;
    tx.commit().await?;
    conditions.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.since.cmp(&b.since)));
    Ok(conditions)
}
