//! People as the platform's operator sees them: across tenants, without any tenant's things.

use super::rules::Grant;
use super::{Extent, OperatorError, PermissionSet, Role, logins, store};
use crate::app::App;
use crate::http::{List, Page};
use crate::tenants::{self, Limit};
use db::PlatformActor;
use jiff::Timestamp;
use model::{OperatorId, Secret, TenantId};
use serde_json::json;

pub use store::people::PersonView;

/// Lists people, newest first; with `login`, whoever has that name.
///
/// # Errors
/// When the database does not answer.
pub async fn list(app: &App, actor: &PlatformActor, login: Option<&str>, page: &Page) -> Result<List<PersonView>, OperatorError> {
    let mut tx = app.db.platform(actor, "the people were listed", app.clock.now()).await?;
    let items = store::people::list(&mut tx, login, page).await?;
    tx.commit().await?;
    Ok(page.list(items))
}

/// Makes a one-time link for somebody who lost their password; with `forget`, takes a lost second factor away.
///
/// # Errors
/// When there is nobody.
pub async fn reset_link(
    app: &App,
    actor: &PlatformActor,
    id: OperatorId,
    forget: bool,
) -> Result<(Secret<String>, Timestamp), OperatorError> {
    let now = app.clock.now();
    let reason = if forget {
        "a link for a lost password, and no second factor, were given to"
    } else {
        "a link for a lost password was made for"
    };
    let mut tx = app.db.platform(actor, &format!("{reason} {id}"), now).await?;
    let serves = store::people::lock(&mut tx, id).await?.ok_or(OperatorError::NotFound("operator"))?;
    if forget {
        store::factors::remove(&mut tx, id).await?;
    }
    let link = logins::new_setup_token(&mut tx, id, &*app.entropy, now).await?;
    for tenant in serves.tenants {
        tx.audit_tenant(tenant, now, "operator.reset", &id.to_string(), json!({ "second_factor_off": forget }));
    }
    tx.commit().await?;
    Ok(link)
}

/// Moves somebody from one tenant to another: the one's logins, assignments and invitations of theirs end, and the other knows them as new.
///
/// # Errors
/// When they do not serve the one, serve the other already, or hold the one's keys alone.
pub async fn move_to(
    app: &App,
    actor: &PlatformActor,
    id: OperatorId,
    from: TenantId,
    to: TenantId,
    role: Role,
) -> Result<(), OperatorError> {
    if from == to {
        return Err(OperatorError::Field { field: "to", message: "this is where they are now" });
    }
    let now = app.clock.now();
    let mut tx = app.db.platform(actor, &format!("{id} was moved from {from} to {to}"), now).await?;
    store::people::lock(&mut tx, id).await?.ok_or(OperatorError::NotFound("operator"))?;
    let mut members = store::people::lock_members(&mut tx, from, id).await?;
    let place = members.iter().position(|(member, ..)| *member == id).ok_or(OperatorError::NotFound("operator"))?;
    let (_, active, before) = members.swap_remove(place);
    let keeps = |(_, active, grant): &(OperatorId, bool, Grant)| *active && grant.keeps_the_keys();
    if active && before.keeps_the_keys() && !members.iter().any(keeps) {
        return Err(OperatorError::LastAdmin);
    }
    if !store::people::takes_people(&mut tx, to).await? {
        return Err(OperatorError::NotFound("tenant"));
    }
    tenants::check_across(&mut tx, to, Limit::Operators, 1, now).await?;
    let ended = store::people::leave(&mut tx, from, id, now).await?;
    let none = PermissionSet::default();
    store::insert_membership(&mut tx, to, id, &Grant { role, added: none, removed: none, extent: Extent::All }, now).await?;
    // Neither learns which ISP the other is.
    tx.audit_tenant(from, now, "operator.move_away", &id.to_string(), json!({ "role": before.role, "sessions_ended": ended }));
    tx.audit_tenant(to, now, "operator.move_in", &id.to_string(), json!({ "role": role }));
    Ok(tx.commit().await?)
}
