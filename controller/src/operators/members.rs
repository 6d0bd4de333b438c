//! Who serves a tenant: their role, what was added to it and taken from it, and how much they see.

use super::rules::Grant;
use super::{Extent, OperatorError, Permission, PermissionSet, Role, TenantScope, login_fault, logins, store};
use crate::app::App;
use crate::http::{List, Page};
use db::{DbError, PlatformActor, PlatformTx, Reach, TenantTx};
use jiff::Timestamp;
use model::{OperatorId, RouterId, Secret, SiteId, TenantId};
use serde::Serialize;
use serde_json::json;

pub use store::members::{MemberDetails, OperatorView};

/// Routers, and sites, that can be assigned to one person.
const ASSIGNED_MAX: usize = 500;

/// What is changed of a membership; what is left out stays.
#[derive(Debug, Default)]
pub struct Change {
    /// The role.
    pub role: Option<Role>,
    /// The permissions beside the role's, all of them.
    pub added: Option<PermissionSet>,
    /// The permissions that are taken away, all of them.
    pub removed: Option<PermissionSet>,
    /// How much is seen.
    pub extent: Option<Extent>,
}

/// A grant as the audit log shows it.
#[derive(Serialize)]
struct Shown {
    role: Role,
    added: Vec<&'static str>,
    removed: Vec<&'static str>,
    reach: Extent,
}

impl From<&Grant> for Shown {
    fn from(grant: &Grant) -> Self {
        Self { role: grant.role, added: grant.added.names(), removed: grant.removed.names(), reach: grant.extent }
    }
}

/// Checks that the caller may change or end what somebody has.
///
/// # Errors
/// When the other may do or see more than the caller.
pub(super) fn may_touch(scope: &TenantScope, member: &store::members::Member) -> Result<(), OperatorError> {
    may_give(scope, &member.grant)
}

/// Checks that the caller has everything that a grant gives.
///
/// # Errors
/// When not.
pub(super) fn may_give(scope: &TenantScope, grant: &Grant) -> Result<(), OperatorError> {
    if grant.is_within(scope.rights(), scope.extent()) { Ok(()) } else { Err(OperatorError::Exceeds) }
}

/// Lists the people who serve the tenant, newest first.
///
/// # Errors
/// When the caller may not or the database does not answer.
pub async fn list(app: &App, scope: &TenantScope, page: &Page) -> Result<List<OperatorView>, OperatorError> {
    let mut tx = scope.read(app, Permission::OperatorsRead).await?;
    Ok(page.list(store::members::list(&mut tx, page).await?))
}

/// Returns one of them, with all they may do and see.
///
/// # Errors
/// When there is none, or the caller may not.
pub async fn get(app: &App, scope: &TenantScope, id: OperatorId) -> Result<MemberDetails, OperatorError> {
    let mut tx = scope.read(app, Permission::OperatorsRead).await?;
    details(&mut tx, id).await
}

async fn details(tx: &mut TenantTx, id: OperatorId) -> Result<MemberDetails, OperatorError> {
    let member = store::members::find(tx, id).await?.ok_or(OperatorError::NotFound("operator"))?;
    Ok(store::members::details(tx, member).await?)
}

/// Locks somebody's membership together with those of all who hold the keys, in one order, so that two who take them from each other at once
/// come one after the other.
async fn lock(tx: &mut TenantTx, id: OperatorId) -> Result<(store::members::Member, Vec<store::members::Member>), OperatorError> {
    let mut locked = store::members::lock(tx, id).await?;
    let place = locked.iter().position(|member| member.view.id == id).ok_or(OperatorError::NotFound("operator"))?;
    let member = locked.swap_remove(place);
    Ok((member, locked))
}

fn somebody_keeps_the_keys(others: &[store::members::Member]) -> Result<(), OperatorError> {
    let keeps = |member: &store::members::Member| member.view.status == "active" && member.grant.keeps_the_keys();
    if others.iter().any(keeps) { Ok(()) } else { Err(OperatorError::LastAdmin) }
}

/// Changes what somebody may do and see. It counts from their next request on.
///
/// # Errors
/// When there is nobody, the caller may not or has less, or nobody would be left who holds the keys.
pub async fn change(app: &App, scope: &TenantScope, id: OperatorId, change: Change) -> Result<MemberDetails, OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    let (member, others) = lock(&mut tx, id).await?;
    let before = member.grant;
    let after = Grant {
        role: change.role.unwrap_or(before.role),
        added: change.added.unwrap_or(before.added),
        removed: change.removed.unwrap_or(before.removed),
        extent: change.extent.unwrap_or(before.extent),
    };
    if after != before {
        may_give(scope, &before)?;
        may_give(scope, &after)?;
        if before.keeps_the_keys() && !after.keeps_the_keys() {
            somebody_keeps_the_keys(&others)?;
        }
        store::members::update(&mut tx, id, &after).await?;
        // What they offered to others they may not have themselves any more.
        store::invitations::revoke_those_of(&mut tx, id, now).await?;
        tx.audit_change(now, "operator.change", &id.to_string(), &Shown::from(&before), &Shown::from(&after)).await?;
    }
    let details = details(&mut tx, id).await?;
    tx.commit().await?;
    Ok(details)
}

/// Ends somebody's service to the tenant, and with it at once their logins to it, their assignments and the invitations they made.
///
/// # Errors
/// When there is nobody, the caller may not or has less, or nobody would be left who holds the keys.
pub async fn remove(app: &App, scope: &TenantScope, id: OperatorId) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    let (member, others) = lock(&mut tx, id).await?;
    may_touch(scope, &member)?;
    if member.grant.keeps_the_keys() {
        somebody_keeps_the_keys(&others)?;
    }
    let which = store::sessions::Which { operator: id, only: None, but: None };
    let ended = store::sessions::end(&mut tx, &which, now).await?;
    store::invitations::revoke_those_of(&mut tx, id, now).await?;
    store::members::unassign_all(&mut tx, id).await?;
    store::members::delete(&mut tx, id).await?;
    tx.audit(now, "operator.remove", &id.to_string(), json!({ "login": member.view.login, "sessions_ended": ended })).await?;
    Ok(tx.commit().await?)
}

/// Says which routers and sites somebody sees whose reach is limited; all of them, in place of those before.
///
/// # Errors
/// When there is nobody, a router or site is not the tenant's or not within the caller's reach, or the caller may not.
pub async fn assign(
    app: &App,
    scope: &TenantScope,
    id: OperatorId,
    mut routers: Vec<RouterId>,
    mut sites: Vec<SiteId>,
) -> Result<MemberDetails, OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    if routers.len() > ASSIGNED_MAX || sites.len() > ASSIGNED_MAX {
        return Err(OperatorError::Limit("500 routers and 500 sites can be assigned to one person; assign a site above them"));
    }
    let (member, _) = lock(&mut tx, id).await?;
    may_touch(scope, &member)?;
    routers.sort_unstable();
    routers.dedup();
    sites.sort_unstable();
    sites.dedup();
    let limited = scope.extent() == Extent::Assigned;
    if store::members::count_routers(&mut tx, &routers).await? != routers.len() {
        return Err(OperatorError::NotFound("router"));
    }
    if store::members::count_sites(&mut tx, &sites, limited).await? != sites.len() {
        return Err(OperatorError::NotFound("site"));
    }
    store::members::unassign_all(&mut tx, id).await?;
    store::members::assign(&mut tx, id, &routers, &sites, &*app.entropy, now).await?;
    tx.audit(now, "operator.assign", &id.to_string(), json!({ "routers": routers, "sites": sites })).await?;
    let details = details(&mut tx, id).await?;
    tx.commit().await?;
    Ok(details)
}

/// Assigns a router to whoever adds it, if they see only what is assigned to them. To be called in the transaction that adds it, right behind
/// the router itself.
///
/// # Errors
/// When the database does not answer.
pub async fn assign_to_maker(app: &App, tx: &mut TenantTx, router: RouterId) -> Result<(), OperatorError> {
    if let Reach::AssignedTo(operator) = tx.reach() {
        store::members::assign(tx, operator, &[router], &[], &*app.entropy, app.clock.now()).await?;
    }
    Ok(())
}

/// Makes a one-time link with which somebody who lost their password sets a new one. Their password is the tenant's affair only as long as they
/// serve nobody else.
///
/// # Errors
/// When there is nobody, the caller may not or has less, or they serve somebody else too.
pub async fn reset_link(app: &App, scope: &TenantScope, id: OperatorId) -> Result<(Secret<String>, Timestamp), OperatorError> {
    let now = app.clock.now();
    let mut tenant_tx = scope.write(app, Permission::OperatorsWrite).await?;
    let member = store::members::find(&mut tenant_tx, id).await?.ok_or(OperatorError::NotFound("operator"))?;
    may_touch(scope, &member)?;
    drop(tenant_tx);
    let actor = PlatformActor::on_behalf_of(scope.door());
    let mut tx = app.db.platform(&actor, "an ISP's admin made a link for a lost password", now).await?;
    store::lock_login(&mut tx, id).await?;
    let serves = store::serves(&mut tx, id).await?;
    if serves.platform || serves.tenants != [scope.tenant()] {
        return Err(OperatorError::ServesElsewhere);
    }
    let link = logins::new_setup_token(&mut tx, id, &*app.entropy, now).await?;
    tx.audit_tenant(scope.tenant(), now, "operator.reset", &id.to_string(), json!({}));
    tx.commit().await?;
    Ok(link)
}

/// Finds or makes the person behind a login name and gives them a role in a tenant; returns the id and, for a new person, a one-time link. For
/// the platform's operator alone: an ISP invites.
///
/// # Errors
/// When a field is wrong or the database does not answer.
pub async fn add_member(
    app: &App,
    tx: &mut PlatformTx,
    tenant: TenantId,
    login: &str,
    display_name: &str,
    role: Role,
) -> Result<(OperatorId, Option<Secret<String>>), OperatorError> {
    check_names(login, display_name)?;
    let now = app.clock.now();
    let (id, setup) = match store::find_operator(tx, login).await? {
        Some(id) => (id, None),
        None => {
            let id = OperatorId::generate(now, &*app.entropy);
            store::insert_operator(tx, id, login, display_name, false, now).await?;
            (id, Some(logins::new_setup_token(tx, id, &*app.entropy, now).await?.0))
        }
    };
    let none = PermissionSet::default();
    store::insert_membership(tx, tenant, id, &Grant { role, added: none, removed: none, extent: Extent::All }, now).await?;
    Ok((id, setup))
}

/// Checks a login name and the name somebody is called by.
///
/// # Errors
/// When one of them is wrong.
pub(super) fn check_names(login: &str, display_name: &str) -> Result<(), OperatorError> {
    if let Some(message) = login_fault(login) {
        return Err(OperatorError::Field { field: "login", message });
    }
    if !(1..=100).contains(&display_name.chars().count()) {
        return Err(OperatorError::Field { field: "display_name", message: "write 1 to 100 characters" });
    }
    Ok(())
}

/// Says whether somebody serves the transaction's tenant.
///
/// # Errors
/// When the database does not answer.
pub async fn serves(tx: &mut TenantTx, operator: OperatorId) -> Result<bool, OperatorError> {
    Ok(store::members::is_member(tx, operator).await?)
}

/// Lists those who serve the tenant, may do something, and see a router.
///
/// # Errors
/// When the database does not answer.
pub async fn who_may_see(tx: &mut TenantTx, permission: Permission, router: RouterId) -> Result<Vec<OperatorId>, OperatorError> {
    let assigned = store::members::assigned_to(tx, router).await?;
    let sees = |member: &store::members::Member| member.grant.extent == Extent::All || assigned.contains(&member.view.id);
    let all = store::members::all(tx).await?;
    Ok(all
        .into_iter()
        .filter(|member| member.view.status == "active" && member.grant.rights().contains(permission) && sees(member))
        .map(|member| member.view.id)
        .collect())
}

/// Lists a tenant's admins, for the platform.
///
/// # Errors
/// When the database does not answer.
pub async fn admins_of(tx: &mut PlatformTx, tenant: TenantId) -> Result<Vec<OperatorId>, DbError> {
    store::members::admins_of(tx, tenant).await
}
