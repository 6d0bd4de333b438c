//! Invitations to serve a tenant: good once, for one login name. Whether somebody has that name already is not told to who invites: somebody
//! new chooses a password with it, somebody known shows that they know theirs.

use super::logins::{Attempt, prove};
use super::rules::Grant;
use super::tokens::{self, TokenKind};
use super::{Asked, OperatorError, Permission, TenantScope, members, password_fault, passwords, store};
use crate::app::App;
use crate::http::{List, Page};
use crate::tenants::{self, Limit};
use db::{OpenInvitation, OperatorCredential, PlatformActor, PlatformTx};
use jiff::{SignedDuration, Timestamp};
use model::{Deed, InvitationId, OperatorId, Secret, Standing};
use serde_json::json;

pub use store::invitations::InvitationView;

/// How long an invitation is good.
const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Invitations of a tenant that wait.
const OPEN_MAX: i64 = 100;

/// Who is invited, to what.
#[derive(Debug)]
pub struct NewInvitation {
    /// The name they log in with, or will.
    pub login: String,
    /// The name they are called by, if they are new.
    pub display_name: String,
    /// What they will have.
    pub grant: Grant,
}

/// An invitation that was made.
#[derive(Debug)]
pub struct Made {
    /// The invitation.
    pub id: InvitationId,
    /// The token for who is invited, shown once.
    pub token: Secret<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Invites somebody. An invitation for the same name that still waits is withdrawn.
///
/// # Errors
/// When the caller may not or has less than is offered, a field is wrong, they serve the tenant already, or too many wait.
pub async fn invite(app: &App, scope: &TenantScope, new: NewInvitation) -> Result<Made, OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    members::check_names(&new.login, &new.display_name)?;
    members::may_give(scope, &new.grant)?;
    if store::members::find_by_login(&mut tx, &new.login).await? {
        return Err(OperatorError::AlreadyServes);
    }
    store::invitations::revoke_for(&mut tx, &new.login, now).await?;
    let waiting = store::invitations::count(&mut tx, now).await?;
    if waiting >= OPEN_MAX {
        return Err(OperatorError::Limit("100 invitations wait already; withdraw those that are not needed"));
    }
    // Whoever accepts in time has a place, and so they are told now rather than then.
    tenants::check(&mut tx, Limit::Operators, waiting + 1, now).await?;
    let id = InvitationId::generate(now, &*app.entropy);
    let token = tokens::generate(TokenKind::Invitation, &*app.entropy);
    let expires_at = now + LIFE;
    store::invitations::insert(&mut tx, id, &new, &token.hash, now, expires_at).await?;
    let grant = &new.grant;
    let details = json!({ "login": new.login, "role": grant.role, "added": grant.added.names(), "removed": grant.removed.names(), "reach": grant.extent });
    tx.audit(now, "invitation.create", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(Made { id, token: token.text, expires_at })
}

/// Lists the tenant's invitations, newest first.
///
/// # Errors
/// When the caller may not or the database does not answer.
pub async fn list(app: &App, scope: &TenantScope, page: &Page) -> Result<List<InvitationView>, OperatorError> {
    let mut tx = scope.read(app, Permission::OperatorsRead).await?;
    Ok(page.list(store::invitations::list(&mut tx, app.clock.now(), page).await?))
}

/// Withdraws an invitation that waits.
///
/// # Errors
/// When there is none that waits, or the caller may not.
pub async fn withdraw(app: &App, scope: &TenantScope, id: InvitationId) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    if !store::invitations::revoke(&mut tx, id, now).await? {
        return Err(OperatorError::NotFound("invitation"));
    }
    tx.audit(now, "invitation.withdraw", &id.to_string(), json!({})).await?;
    Ok(tx.commit().await?)
}

/// Who begins to serve whom.
#[derive(Debug)]
pub struct Accepted {
    /// Who.
    pub operator: OperatorId,
    /// The name they log in with.
    pub login: String,
}

/// Accepts an invitation: somebody new chooses the password, somebody known proves theirs (and the second factor, if they have one).
///
/// # Errors
/// When the invitation is not in force, the password is wrong or too weak, or they serve the tenant already.
pub async fn accept(
    app: &App,
    asked: &Asked,
    token: &str,
    password: Secret<String>,
    code: Option<&str>,
) -> Result<Accepted, OperatorError> {
    let now = app.clock.now();
    let Some((TokenKind::Invitation, hash)) = tokens::recognise(token) else { return Err(OperatorError::Credential) };
    let open = app.db.locator().invitation(&hash, now).await?.ok_or(OperatorError::Credential)?;
    let standing = Standing::from_stored(&open.tenant_status).ok_or(OperatorError::Credential)?;
    if !standing.allows(Deed::Change) {
        return Err(OperatorError::Suspended);
    }
    let (mut tx, operator) = match app.db.locator().operator(&open.login).await? {
        Some(known) => known_person(app, asked, &open, known, password, code).await?,
        None => new_person(app, asked, &open, password, now).await?,
    };
    // Used up by the statement that proves it is still good: a second click finds nothing.
    let grant = store::invitations::accept(&mut tx, &open, operator, now).await?.ok_or(OperatorError::Credential)?;
    tenants::check_across(&mut tx, open.tenant, Limit::Operators, 1, now).await?;
    store::insert_membership(&mut tx, open.tenant, operator, &grant, now).await?;
    let details = json!({ "operator": operator, "role": grant.role });
    tx.audit_tenant(open.tenant, now, "invitation.accept", &open.id.to_string(), details);
    tx.commit().await?;
    Ok(Accepted { operator, login: open.login })
}

async fn known_person(
    app: &App,
    asked: &Asked,
    open: &OpenInvitation,
    known: OperatorCredential,
    password: Secret<String>,
    code: Option<&str>,
) -> Result<(PlatformTx, OperatorId), OperatorError> {
    // Who has not chosen a password yet does that with the link they have: an invitation must not choose it for them.
    let (tx, proved) = prove(app, asked, Attempt { login: &open.login, password, tenant: None, code }).await?;
    if proved.id != known.id {
        return Err(OperatorError::Credential);
    }
    Ok((tx, known.id))
}

async fn new_person(
    app: &App,
    asked: &Asked,
    open: &OpenInvitation,
    password: Secret<String>,
    now: Timestamp,
) -> Result<(PlatformTx, OperatorId), OperatorError> {
    if let Some(message) = password_fault(password.expose()) {
        return Err(OperatorError::Field { field: "password", message });
    }
    let hashed = passwords::hash(password, &*app.entropy).await;
    let id = OperatorId::generate(now, &*app.entropy);
    let actor = PlatformActor::person(id).with_origin(asked.origin.clone());
    let mut tx = app.db.platform(&actor, "somebody new accepted an invitation", now).await?;
    let name = store::invitations::display_name(&mut tx, open).await?;
    store::insert_operator(&mut tx, id, &open.login, &name, false, now).await?;
    store::set_password(&mut tx, id, &hashed).await?;
    Ok((tx, id))
}
