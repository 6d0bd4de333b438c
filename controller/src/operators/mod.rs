//! The people and programs that use the controller: who they are, how they log in, what they may do and how much they see.
//!
//! A login or a token belongs to one tenant (or to the platform), and that is where a request's tenant comes from: there is no other way.
//! A visit of the platform's support is a credential of its own, for one tenant and an hour at most.

pub mod api_tokens;
pub mod invitations;
mod logins;
pub mod members;
pub mod passwords;
pub mod people;
mod permissions;
mod routes;
mod rules;
pub mod second_factor;
pub mod sessions;
mod store;
mod strangers;
mod throttle;
pub mod tokens;
mod totp;
pub mod visits;

pub use logins::{
    Attempt, LoggedIn, change_password, clear_logins, first_operator, forget_second_factor, log_in, log_out, recover,
    set_password,
};
pub use members::{add_member, admins_of, assign_to_maker, serves, who_may_see};
pub use permissions::{Permission, PermissionSet, Role};
pub use routes::routes;
pub(crate) use routes::setup_page;
pub use rules::{login_fault, password_fault};
pub use strangers::{Asker, Strangers, tell_of_strangers};
pub use throttle::Throttle;
pub use visits::Visit;

use crate::app::App;
use crate::tenants::{FlagError, LimitError};
use db::{ActorLabel, DbError, LoginMembership, Origin, PlatformActor, Reach, TenantDoor, TenantTx};
use jiff::Timestamp;
use model::{Deed, LoginSessionId, OperatorId, Standing, TenantId};
use serde::{Deserialize, Serialize};
use tokens::TokenKind;
use utoipa::ToSchema;

/// Why an operation on operators was refused.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The credential is not in force.
    #[error("the login, password or token is not valid")]
    Credential,
    /// Too many wrong passwords.
    #[error("too many wrong passwords; try again after {0}")]
    Locked(Timestamp),
    /// Too many attempts from one place, or from everywhere at once.
    #[error("too many attempts to log in; try again in a minute")]
    TooFast,
    /// The password was right, and the person has a second factor.
    #[error("this login has a second factor: send the authenticator's six digits, or a recovery code, as `code`")]
    CodeWanted,
    /// The password was right and the code was not.
    #[error("the code is not right, or was used already: send the next one")]
    CodeWrong,
    /// The platform's people need a second factor here.
    #[error("this controller wants a second factor of the platform's operators: set yours up with POST /api/v1/me/second-factor")]
    CodeMissing,
    /// The operator serves several tenants and must say which.
    #[error("you serve several ISPs: say which one ({})", .0.join(", "))]
    ChooseTenant(Vec<String>),
    /// The permission is not among those of the caller.
    #[error("your role may not do this")]
    Forbidden,
    /// A person's own affair was asked for with a token or on a visit.
    #[error("this is a person's own affair: log in with a password, not with an API token or on a visit")]
    NotAPerson,
    /// It would give, or touch, more than the caller has.
    #[error("you can neither give what you do not have yourself, nor change somebody who may do or see more than you")]
    Exceeds,
    /// A visit looks unless it was raised.
    #[error("this visit may only look: begin one that may write, with a reason")]
    VisitLooks,
    /// A suspended tenant may only look.
    #[error("the ISP's account is suspended: nothing can be changed until it is active again")]
    Suspended,
    /// A restricted tenant neither sells nor grows.
    #[error(
        "the ISP's account is restricted: no sales, and no new customers, routers or vouchers, until what is owed to the platform is settled"
    )]
    Restricted,
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// Nobody would be left who can do everything.
    #[error("this is the last admin: make somebody else an admin of the whole ISP first")]
    LastAdmin,
    /// They serve the tenant already.
    #[error("they serve this ISP already: change their role instead")]
    AlreadyServes,
    /// Their password is not this tenant's affair alone.
    #[error("this person serves somebody else too, so only the platform's operator can make a new link: ask there")]
    ServesElsewhere,
    /// The state forbids it; the text says what to do.
    #[error("{0}")]
    Conflict(&'static str),
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A limit was reached; the text says which and what to do.
    #[error("{0}")]
    Limit(&'static str),
    /// The tenant has as much of it as it may.
    #[error(transparent)]
    TenantLimit(#[from] LimitError),
    /// It is turned off for the tenant.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A sealed secret does not open.
    #[error(transparent)]
    Vault(#[from] crate::secrets::VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a request tells of itself.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Its id and where it came from.
    pub origin: Option<Origin>,
    /// Method and path.
    pub what: String,
    /// What the client calls itself, as it says.
    pub user_agent: String,
}

/// How much of a tenant somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Reach)]
pub enum Extent {
    /// Everything.
    All,
    /// Of routers and what hangs on them, only those assigned, one by one or by site.
    Assigned,
}

impl Extent {
    const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Assigned => "assigned",
        }
    }

    fn from_stored(name: &str) -> Self {
        // Whatever is not everything is less.
        if name == "all" { Self::All } else { Self::Assigned }
    }
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub enum Actor {
    /// The platform's operator.
    Platform {
        /// What opens the platform's door.
        actor: PlatformActor,
        /// The login that was used.
        session: LoginSessionId,
        /// Who it is.
        operator: OperatorId,
        /// Whether they have a second factor.
        second_factor: bool,
    },
    /// A tenant's operator or token, or a visitor.
    Tenant {
        /// The way in and the rights.
        scope: TenantScope,
        /// The login that was used; none for a token and for a visit.
        session: Option<LoginSessionId>,
    },
}

/// Somebody who logged in with a password.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who.
    pub operator: OperatorId,
    /// The login that is used.
    pub session: LoginSessionId,
    /// The tenant it is for; none for the platform.
    pub scope: Option<TenantScope>,
    actor: PlatformActor,
}

impl Person {
    /// Returns the person behind a request.
    ///
    /// # Errors
    /// When it was sent with an API token or on a visit.
    pub fn behind(actor: Actor, origin: Option<Origin>) -> Result<Self, OperatorError> {
        match actor {
            Actor::Platform { actor, session, operator, .. } => Ok(Self { operator, session, scope: None, actor }),
            Actor::Tenant { scope, session: Some(session) } => {
                let operator = scope.operator.ok_or(OperatorError::NotAPerson)?;
                let actor = PlatformActor::person(operator).with_origin(origin);
                Ok(Self { operator, session, scope: Some(scope), actor })
            }
            Actor::Tenant { session: None, .. } => Err(OperatorError::NotAPerson),
        }
    }
}

/// A tenant as an authenticated caller may use it.
#[derive(Debug, Clone)]
pub struct TenantScope {
    door: TenantDoor,
    role: Option<Role>,
    rights: PermissionSet,
    standing: Standing,
    operator: Option<OperatorId>,
    visit: Option<Visit>,
}

impl TenantScope {
    /// Returns the tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.door.tenant()
    }

    /// Returns the role; a visitor has none.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        self.role
    }

    /// Returns who the caller is; a token and a visitor are nobody who serves the tenant.
    #[must_use]
    pub fn operator(&self) -> Option<OperatorId> {
        self.operator.filter(|_| self.visit.is_none())
    }

    /// Returns everything the caller may do.
    #[must_use]
    pub const fn rights(&self) -> PermissionSet {
        self.rights
    }

    /// Returns how much of the tenant is seen.
    #[must_use]
    pub const fn extent(&self) -> Extent {
        match self.door.reach() {
            Reach::All => Extent::All,
            Reach::AssignedTo(_) => Extent::Assigned,
        }
    }

    /// Returns the visit, if the caller is on one.
    #[must_use]
    pub const fn visit(&self) -> Option<&Visit> {
        self.visit.as_ref()
    }

    /// Opens the tenant's transaction to look, if the caller has the permission.
    ///
    /// # Errors
    /// When not, or the database does not answer.
    pub async fn read(&self, app: &App, permission: Permission) -> Result<TenantTx, OperatorError> {
        if !self.rights.contains(permission) {
            return Err(OperatorError::Forbidden);
        }
        Ok(app.db.tenant(&self.door).await?)
    }

    /// Opens the tenant's transaction to change something, if the caller has the permission and the tenant's standing lets it change
    /// anything. Taking data out is let in longer than all else.
    ///
    /// # Errors
    /// When one of them is not so, or the database does not answer.
    pub async fn write(&self, app: &App, permission: Permission) -> Result<TenantTx, OperatorError> {
        if self.visit.as_ref().is_some_and(|visit| !visit.writes) {
            return Err(OperatorError::VisitLooks);
        }
        let deed = if permission == Permission::DataExport { Deed::Export } else { Deed::Change };
        if !self.standing.allows(deed) {
            return Err(OperatorError::Suspended);
        }
        self.read(app, permission).await
    }

    /// As [`TenantScope::write`], for a deed that a tenant which owes something may not do any more.
    ///
    /// # Errors
    /// When one of them is not so, or the database does not answer.
    pub async fn write_to(&self, app: &App, deed: Deed, permission: Permission) -> Result<TenantTx, OperatorError> {
        let tx = self.write(app, permission).await?;
        if self.standing.allows(deed) { Ok(tx) } else { Err(OperatorError::Restricted) }
    }

    /// Returns who acts.
    #[must_use]
    pub const fn actor(&self) -> &ActorLabel {
        self.door.actor()
    }

    /// Returns the way in, for work that goes on after the request.
    #[must_use]
    pub const fn door(&self) -> &TenantDoor {
        &self.door
    }
}

/// Finds out who presents a token. What is done on a visit is written into the tenant's log before it is done.
///
/// # Errors
/// When it is not in force, or the database does not answer.
pub async fn authenticate(app: &App, token: &str, asked: &Asked) -> Result<Actor, OperatorError> {
    let now = app.clock.now();
    let locator = app.db.locator();
    match tokens::recognise(token) {
        Some((TokenKind::Login, hash)) => {
            let login = locator.login(&hash, now).await?.ok_or(OperatorError::Credential)?;
            locator.mark_seen(&login, asked.origin.as_ref().and_then(|origin| origin.source), now).await?;
            let (operator, session) = (login.operator, login.session);
            match login.kind {
                LoginMembership::Platform { actor, second_factor } => {
                    Ok(Actor::Platform { actor: actor.with_origin(asked.origin.clone()), session, operator, second_factor })
                }
                LoginMembership::Tenant { door, role, added, removed, tenant_status } => {
                    let role = Role::from_stored(&role).ok_or(OperatorError::Credential)?;
                    let (added, removed) = (PermissionSet::from_stored(&added), PermissionSet::from_stored(&removed));
                    let rights = rules::effective(role, added, removed);
                    let scope = scope(door, asked, Some(role), rights, &tenant_status)?;
                    Ok(Actor::Tenant { scope: TenantScope { operator: Some(operator), ..scope }, session: Some(session) })
                }
            }
        }
        Some((TokenKind::Api, hash)) => {
            let token = locator.api_token(&hash, now).await?.ok_or(OperatorError::Credential)?;
            let role = Role::from_stored(&token.role).ok_or(OperatorError::Credential)?;
            let rights = token.permissions.map_or_else(|| role.permissions(), |names| PermissionSet::from_stored(&names));
            Ok(Actor::Tenant { scope: scope(token.door, asked, Some(role), rights, &token.tenant_status)?, session: None })
        }
        Some((TokenKind::Visit, hash)) => {
            let visit = locator.visit(&hash, now).await?.ok_or(OperatorError::Credential)?;
            let scope = scope(visit.door.clone(), asked, None, rules::on_visit(visit.writes), &visit.tenant_status)?;
            let scope = TenantScope { visit: Some(Visit::from(visit)), ..scope };
            visits::note(app, &scope, asked).await?;
            Ok(Actor::Tenant { scope, session: None })
        }
        Some((TokenKind::Setup | TokenKind::Line | TokenKind::Invitation | TokenKind::Report, _)) | None => {
            Err(OperatorError::Credential)
        }
    }
}

fn scope(
    door: TenantDoor,
    asked: &Asked,
    role: Option<Role>,
    rights: PermissionSet,
    standing: &str,
) -> Result<TenantScope, OperatorError> {
    // Into a tenant that is being removed nothing leads any more.
    let standing =
        Standing::from_stored(standing).filter(|standing| standing.allows(Deed::Read)).ok_or(OperatorError::Credential)?;
    Ok(TenantScope { door: door.with_origin(asked.origin.clone()), role, rights, standing, operator: None, visit: None })
}
