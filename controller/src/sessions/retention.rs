//! How long a tenant keeps what was observed of its customers: personal data that nobody should keep longer than it is needed.

use super::{SessionError, store};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Days that may be chosen; at least a week, so that a complaint can still be looked into.
const DAYS: std::ops::RangeInclusive<i32> = 7..=1100;
const HOURS_A_DAY: i64 = 24;

/// How long sessions and usage are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days that sessions are kept after their end, 7 to 1100.
    pub sessions_days: i32,
    /// Days that hours of usage are kept, 7 to 1100.
    pub usage_days: i32,
}

impl Default for Retention {
    /// A year and a month, so that a month can be compared with the same month a year before.
    fn default() -> Self {
        Self { sessions_days: 396, usage_days: 396 }
    }
}

/// Returns how long the tenant keeps what was observed.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub async fn retention(app: &App, scope: &TenantScope) -> Result<Retention, SessionError> {
    let mut tx = scope.read(app, Permission::SettingsRead).await?;
    Ok(store::retention(&mut tx).await?.unwrap_or_default())
}

/// Says how long the tenant keeps what was observed; what is older goes with the next sweep.
///
/// # Errors
/// When the role may not, or a number is out of its range.
pub async fn set_retention(app: &App, scope: &TenantScope, retention: Retention) -> Result<(), SessionError> {
    let mut tx = scope.write(app, Permission::SettingsWrite).await?;
    for (field, days) in [("sessions_days", retention.sessions_days), ("usage_days", retention.usage_days)] {
        if !DAYS.contains(&days) {
            return Err(SessionError::Field { field, message: "choose 7 to 1100 days" });
        }
    }
    let before = store::retention(&mut tx).await?.unwrap_or_default();
    store::set_retention(&mut tx, retention).await?;
    let details = serde_json::json!({ "before": before, "after": retention });
    tx.audit(app.clock.now(), "retention.set", &scope.tenant().to_string(), details).await?;
    Ok(tx.commit().await?)
}

/// Forgets what every tenant has kept long enough, batch by batch; returns how many rows went.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_old(app: &App) -> Result<u64, SessionError> {
    let mut gone = 0;
    for door in app.db.locator().tenants("sessions").await? {
        loop {
            let now = app.clock.now();
            let mut tx = app.db.tenant(&door).await?;
            let kept = store::retention(&mut tx).await?.unwrap_or_default();
            let since = |days: i32| now - SignedDuration::from_hours(i64::from(days) * HOURS_A_DAY);
            let forgotten = store::forget(&mut tx, since(kept.sessions_days), since(kept.usage_days)).await?;
            tx.commit().await?;
            gone += forgotten;
            if forgotten == 0 {
                break;
            }
        }
    }
    Ok(gone)
}
