//! Logins that are in force: seen and ended by whoever they belong to, and by the tenant they lead to.

use super::{OperatorError, Permission, Person, TenantScope, members, store};
use crate::app::App;
use crate::http::{List, Page};
use model::{LoginSessionId, OperatorId};

pub use store::sessions::SessionView;

/// Lists the caller's own logins to the tenant (or the platform) that this one is for, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn own(app: &App, person: &Person, page: &Page) -> Result<List<SessionView>, OperatorError> {
    let now = app.clock.now();
    let mut items = match &person.scope {
        Some(scope) => {
            let mut tx = app.db.tenant(scope.door()).await?;
            store::sessions::list(&mut tx, Some(person.operator), now, page).await?
        }
        None => {
            let mut tx = app.db.platform(&person.actor, "an operator looked at their logins", now).await?;
            store::sessions::list_platform(&mut tx, person.operator, now, page).await?
        }
    };
    for item in &mut items {
        item.current = item.id == person.session;
    }
    Ok(page.list(items))
}

/// Ends one of the caller's own logins, or (without an id) all but the one that is used; returns how many.
///
/// # Errors
/// When there is none with that id.
pub async fn end_own(app: &App, person: &Person, id: Option<LoginSessionId>) -> Result<u64, OperatorError> {
    let now = app.clock.now();
    let which = store::sessions::Which { operator: person.operator, only: id, but: id.is_none().then_some(person.session) };
    let ended = match &person.scope {
        Some(scope) => {
            let mut tx = app.db.tenant(scope.door()).await?;
            let ended = store::sessions::end(&mut tx, &which, now).await?;
            if ended > 0 {
                let details = serde_json::json!({ "session": id, "ended": ended });
                tx.audit(now, "session.end", &person.operator.to_string(), details).await?;
                tx.commit().await?;
            }
            ended
        }
        None => {
            let mut tx = app.db.platform(&person.actor, "an operator ended their own logins", now).await?;
            let ended = store::sessions::end_platform(&mut tx, &which, now).await?;
            if ended > 0 {
                tx.commit().await?;
            }
            ended
        }
    };
    if id.is_some() && ended == 0 {
        return Err(OperatorError::NotFound("login session"));
    }
    Ok(ended)
}

/// Lists the logins to the tenant, of one person or of all, newest first.
///
/// # Errors
/// When the caller may not or the database does not answer.
pub async fn list(
    app: &App,
    scope: &TenantScope,
    operator: Option<OperatorId>,
    page: &Page,
) -> Result<List<SessionView>, OperatorError> {
    let mut tx = scope.read(app, Permission::OperatorsRead).await?;
    Ok(page.list(store::sessions::list(&mut tx, operator, app.clock.now(), page).await?))
}

/// Ends somebody's login to the tenant.
///
/// # Errors
/// When there is none, the caller may not, or the other may do more than the caller.
pub async fn end(app: &App, scope: &TenantScope, id: LoginSessionId) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    let operator = store::sessions::owner(&mut tx, id, now).await?.ok_or(OperatorError::NotFound("login session"))?;
    if let Some(member) = store::members::find(&mut tx, operator).await? {
        members::may_touch(scope, &member)?;
    }
    let which = store::sessions::Which { operator, only: Some(id), but: None };
    if store::sessions::end(&mut tx, &which, now).await? == 0 {
        return Err(OperatorError::NotFound("login session"));
    }
    tx.audit(now, "session.end", &operator.to_string(), serde_json::json!({ "session": id })).await?;
    Ok(tx.commit().await?)
}
