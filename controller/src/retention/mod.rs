//! How long an ISP keeps what grows without end: much of it is personal data that nobody should keep longer than it is needed, and the audit
//! log is what an ISP has to be able to show. Which tables these are stands in the registry; what nobody keeps any more goes every night.

mod routes;
mod rules;
mod store;

pub use routes::routes;

use crate::app::App;
use crate::operators::{OperatorError, Permission, TenantScope};
use db::registry::{Kept, TABLES};
use db::{DbError, PlatformActor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Rows that go in one transaction.
const BATCH: i32 = 5_000;

/// Why it was not shown or set.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// A number is out of its range.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: String },
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How many days an ISP keeps what grows without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Retention {
    /// Days that sessions are kept after their end.
    pub sessions_days: i32,
    /// Days that hours of usage are kept.
    pub usage_days: i32,
    /// Days that outages are kept after their end.
    pub outages_days: i32,
    /// Days that diagnoses are kept; one that a ticket names stays with it.
    pub diagnoses_days: i32,
    /// Days that it is kept what was written to routers.
    pub changes_days: i32,
    /// Days that configurations of routers are kept after they were last seen; the one that a router holds stays.
    pub configurations_days: i32,
    /// Days that messages are kept.
    pub messages_days: i32,
    /// Days that lines of the audit log are kept; they go by whole months.
    pub audit_days: i32,
}

/// What to set; what is left out stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionChange {
    /// Days that sessions are kept after their end, 7 to 1100.
    pub sessions_days: Option<i32>,
    /// Days that hours of usage are kept, 7 to 1100.
    pub usage_days: Option<i32>,
    /// Days that outages are kept after their end, 31 to 1100.
    pub outages_days: Option<i32>,
    /// Days that diagnoses are kept, 7 to 1100.
    pub diagnoses_days: Option<i32>,
    /// Days that it is kept what was written to routers, 7 to 1100.
    pub changes_days: Option<i32>,
    /// Days that configurations of routers are kept after they were last seen, 7 to 1100.
    pub configurations_days: Option<i32>,
    /// Days that messages are kept, 31 to 1100.
    pub messages_days: Option<i32>,
    /// Days that lines of the audit log are kept, 366 to 3660.
    pub audit_days: Option<i32>,
}

/// Returns how long the tenant keeps what grows without end.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub async fn show(app: &App, scope: &TenantScope) -> Result<Retention, RetentionError> {
    let mut tx = scope.read(app, Permission::SettingsRead).await?;
    Ok(rules::in_force(&store::said(&mut tx).await?))
}

/// Says how long the tenant keeps what grows without end; what is older goes within a day.
///
/// # Errors
/// When the role may not, or a number is out of its range.
pub async fn set(app: &App, scope: &TenantScope, change: &RetentionChange) -> Result<(), RetentionError> {
    let mut tx = scope.write(app, Permission::SettingsWrite).await?;
    if let Some((field, message)) = rules::fault(change) {
        return Err(RetentionError::Field { field, message });
    }
    let before = rules::in_force(&store::said(&mut tx).await?);
    store::set(&mut tx, change).await?;
    let after = rules::in_force(&store::said(&mut tx).await?);
    tx.audit_change(app.clock.now(), "retention.set", &scope.tenant().to_string(), &before, &after).await?;
    Ok(tx.commit().await?)
}

/// Forgets what every tenant has kept long enough: whole months first, as far as nobody keeps them, then rows, batch by batch. Returns how many
/// rows went.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_old(app: &App) -> Result<i64, DbError> {
    let actor = PlatformActor::system("jobs");
    let kept: Vec<(&str, bool, Kept)> =
        TABLES.iter().filter_map(|table| Some((table.name, table.partitioned_by.is_some(), table.kept?))).collect();
    let now = app.clock.now();
    let mut tx = app.db.platform(&actor, "months that no ISP keeps were dropped", now).await?;
    let mut gone = 0;
    for (table, _, kept) in kept.iter().filter(|(_, by_month, _)| *by_month) {
        gone += store::drop_months(&mut tx, table, rules::unless_said(kept.setting), now).await?;
    }
    tx.commit().await?;
    for (table, _, kept) in &kept {
        loop {
            let mut tx = app.db.platform(&actor, "rows that their ISPs keep no longer were forgotten", now).await?;
            let forgotten = store::forget(&mut tx, table, rules::unless_said(kept.setting), now, BATCH).await?;
            if forgotten == 0 {
                // Nothing was done, so nothing is written down.
                break;
            }
            tx.commit().await?;
            gone += forgotten;
        }
    }
    Ok(gone)
}
