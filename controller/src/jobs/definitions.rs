//! The list of jobs, in the order of their names. Each calls the domain that knows what to do.

use super::{Cadence, Definition, Outcome};
use crate::app::App;
use crate::{audit, backups, messages, notifications, operators, provisioning, retention, tenants};
use jiff::SignedDuration;
use std::sync::Arc;

/// Every job.
pub const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "audit",
        about: "proves the wall between tenants and that the books agree",
        cadence: Cadence::Daily { hour: 2, minute: 30 },
        limit: SignedDuration::from_hours(4),
        run: |app| Box::pin(nightly_audit(app)),
    },
    Definition {
        name: "backups",
        about: "marks backups as failed whose controller ended while it took them",
        cadence: Cadence::Every(SignedDuration::from_hours(1)),
        limit: SignedDuration::from_mins(10),
        run: |app| Box::pin(fail_backups(app)),
    },
    Definition {
        name: "configurations",
        about: "takes the configuration of every router that is there, and tells of those that gave none for three days",
        cadence: Cadence::Daily { hour: 1, minute: 10 },
        limit: SignedDuration::from_hours(6),
        run: |app| Box::pin(take_configurations(app)),
    },
    Definition {
        name: "logins",
        about: "clears away logins and one-time links that ended a month ago",
        cadence: Cadence::Daily { hour: 4, minute: 10 },
        limit: SignedDuration::from_mins(10),
        run: |app| Box::pin(clear_logins(app)),
    },
    Definition {
        name: "messages",
        about: "forgets notifications, and about what rules wrote, when both are long over",
        cadence: Cadence::Daily { hour: 3, minute: 50 },
        limit: SignedDuration::from_hours(1),
        run: |app| Box::pin(forget_messages(app)),
    },
    Definition {
        name: "metering",
        about: "measures what each tenant is and uses, and writes its day's row",
        cadence: Cadence::Every(SignedDuration::from_hours(6)),
        limit: SignedDuration::from_hours(1),
        run: |app| Box::pin(measure(app)),
    },
    Definition {
        name: "months",
        about: "makes the partitions of the months to come",
        cadence: Cadence::Every(SignedDuration::from_hours(12)),
        limit: SignedDuration::from_mins(5),
        run: |app| Box::pin(make_months(app)),
    },
    Definition {
        name: "retention",
        about: "forgets what its ISP keeps no longer, and drops the months that nobody keeps",
        cadence: Cadence::Daily { hour: 3, minute: 30 },
        limit: SignedDuration::from_hours(2),
        run: |app| Box::pin(forget(app)),
    },
    Definition {
        name: "standing",
        about: "moves tenants along whose trial ended, or who settled nothing for too long",
        cadence: Cadence::Every(SignedDuration::from_hours(1)),
        limit: SignedDuration::from_mins(10),
        run: |app| Box::pin(move_tenants(app)),
    },
];

/// Turns an error into what is kept of it: the whole chain, which goes to the log too.
fn told<T>(result: Result<T, db::DbError>) -> Result<T, String> {
    result.map_err(|error| telemetry::chain(&error))
}

async fn nightly_audit(app: Arc<App>) -> Outcome {
    told(audit::nightly(&app).await)
}

async fn fail_backups(app: Arc<App>) -> Outcome {
    let failed = told(backups::fail_forgotten(&app).await)?;
    Ok(format!("{failed} backups were marked as failed"))
}

async fn take_configurations(app: Arc<App>) -> Outcome {
    let night = provisioning::take_all(&app).await.map_err(|error| telemetry::chain(&error))?;
    let provisioning::Night { taken, new, away, failed } = night;
    Ok(format!("{taken} configurations were taken, {new} of them new; {away} routers were away, and {failed} gave none"))
}

async fn clear_logins(app: Arc<App>) -> Outcome {
    let gone = operators::clear_logins(&app).await.map_err(|error| telemetry::chain(&error))?;
    Ok(format!("{gone} logins and links were cleared away"))
}

async fn make_months(app: Arc<App>) -> Outcome {
    let made = told(audit::make_months(&app).await)?;
    Ok(format!("{made} partitions were made"))
}

async fn measure(app: Arc<App>) -> Outcome {
    let measured = told(tenants::measure(&app).await)?;
    Ok(format!("{measured} tenants were measured"))
}

async fn forget(app: Arc<App>) -> Outcome {
    let gone = told(retention::forget_old(&app).await)?;
    Ok(format!("{gone} rows went that their ISPs keep no longer"))
}

async fn forget_messages(app: Arc<App>) -> Outcome {
    let messages = told(messages::forget_old(&app).await)?;
    let notifications = told(notifications::forget_old(&app).await)?;
    Ok(format!("{messages} claims of rules and {notifications} notifications were forgotten"))
}

async fn move_tenants(app: Arc<App>) -> Outcome {
    let moved = tenants::sweep(&app).await.map_err(|error| telemetry::chain(&error))?;
    Ok(format!("{moved} tenants were moved along"))
}
