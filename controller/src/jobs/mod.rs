//! What is done at its hour: a list in the code says what, how often and for how long at most; a row in the database says when it is due and
//! which controller has it. A run that was missed is made up for once, at the next start. No text of the database is ever run.

mod definitions;
mod routes;
mod rules;
mod store;

pub use definitions::DEFINITIONS;
pub use routes::routes;
pub use rules::Cadence;

use crate::app::App;
use crate::health::{self, Raised, Severity};
use db::{DbError, ScheduleRow};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// How soon a run that failed is tried again, unless its cadence comes sooner.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// What a run came to: a sentence about what was done, or why it failed.
pub type Outcome = Result<String, String>;

/// A run as it goes on.
pub type Run = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Work that is done again and again.
#[derive(Debug)]
pub struct Definition {
    /// Its name; never changed, as the database knows it by that.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// How often.
    pub cadence: Cadence,
    /// The longest that a run may take; it is stopped then, and another controller may begin anew.
    pub limit: SignedDuration,
    /// The work.
    pub run: fn(Arc<App>) -> Run,
}

/// A job as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// How often it is done.
    pub cadence: String,
    /// When it is due.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// Whether a controller does it now.
    pub running: bool,
    /// When it was begun last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_started_at: Option<Timestamp>,
    /// When it ended last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_finished_at: Option<Timestamp>,
    /// Whether it then succeeded.
    pub succeeded: Option<bool>,
    /// What it then said.
    pub report: Option<String>,
    /// How often in a row it has failed.
    pub failures: i32,
}

/// Puts on the schedule what is not there yet.
///
/// # Errors
/// When the database does not answer.
pub async fn plan(app: &App, definitions: &[Definition]) -> Result<(), DbError> {
    let now = app.clock.now();
    for definition in definitions {
        app.db.locator().plan_work(definition.name, definition.cadence.first(now)).await?;
    }
    Ok(())
}

/// Does what is due and what no other controller does, one after another; returns what was done. `owner` is this controller's own name.
///
/// # Errors
/// When the database does not answer; what failed in itself is written down instead.
///
/// # Cancel safety
/// A run that is cut off is made up for when its lease has ended.
pub async fn run_due(app: &Arc<App>, owner: &str, definitions: &[Definition]) -> Result<Vec<&'static str>, DbError> {
    let mut done = Vec::new();
    for definition in definitions {
        if app.db.locator().claim_work(definition.name, owner, definition.limit, app.clock.now()).await? {
            run(app, owner, definition).await?;
            done.push(definition.name);
        }
    }
    Ok(done)
}

async fn run(app: &Arc<App>, owner: &str, definition: &Definition) -> Result<(), DbError> {
    let limit = Duration::try_from(definition.limit).expect("limits are positive");
    // On a task of its own, so that one that panics takes nothing with it; the guard stops it with this one.
    let mut task = tokio::task::JoinSet::new();
    task.spawn((definition.run)(app.clone()));
    let outcome = match tokio::time::timeout(limit, task.join_next()).await {
        Ok(Some(Ok(outcome))) => outcome,
        Ok(_) => Err("it broke off; the log says where".to_owned()),
        Err(_) => Err(format!("it was stopped after {limit:?}")),
    };
    let now = app.clock.now();
    let next = definition.cadence.next(now);
    let (said, due_at) = match &outcome {
        Ok(report) => (Ok(report.as_str()), next),
        Err(report) => (Err(report.as_str()), next.min(now + AGAIN_AFTER)),
    };
    if !app.db.locator().finish_work(definition.name, owner, said, due_at, now).await? {
        tracing::warn!(job = definition.name, "a job took longer than its lease, and another controller has it now");
        return Ok(());
    }
    let code = format!("job.{}", definition.name);
    match outcome {
        Ok(report) => {
            tracing::info!(job = definition.name, report, "a job was done");
            health::clear(app, &code).await
        }
        Err(report) => {
            tracing::warn!(job = definition.name, report, "a job failed and will be tried again");
            let text = format!("The job `{}` ({}) failed: {report}", definition.name, definition.about);
            let remedy =
                "See the log for its errors; it is tried again every 15 minutes, or now with: mastwire-controller job run"
                    .to_owned();
            health::raise(app, &Raised { code, severity: Severity::Warning, text, remedy }).await
        }
    }
}

/// Lists the jobs with how they went.
///
/// # Errors
/// When the database does not answer.
pub async fn list(app: &App) -> Result<Vec<JobView>, DbError> {
    let now = app.clock.now();
    let rows = app.db.locator().work().await?;
    let view = |definition: &Definition, row: &ScheduleRow| JobView {
        name: row.name.clone(),
        about: definition.about.to_owned(),
        cadence: definition.cadence.to_string(),
        due_at: row.due_at,
        running: row.leased_until.is_some_and(|until| until > now),
        last_started_at: row.last_started_at,
        last_finished_at: row.last_finished_at,
        succeeded: row.succeeded,
        report: row.report.clone(),
        failures: row.failures,
    };
    let known =
        |row: &ScheduleRow| DEFINITIONS.iter().find(|definition| definition.name == row.name).map(|found| view(found, row));
    // A row of a job that a newer version has, or an older one had, stays and is not shown.
    Ok(rows.iter().filter_map(known).collect())
}

/// Makes a job due now; a controller does it within moments. Says whether there is such a job.
///
/// # Errors
/// When the database does not answer.
pub async fn make_due(app: &App, actor: &db::PlatformActor, name: &str) -> Result<bool, DbError> {
    let now = app.clock.now();
    let mut tx = app.db.platform(actor, "a job was asked for", now).await?;
    let found = store::make_due(&mut tx, name, now).await?;
    if found {
        tx.commit().await?;
    }
    Ok(found)
}
