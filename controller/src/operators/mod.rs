//! The people and programs that use the controller: who they are, how they log in, what they may do.
//!
//! A login or a token belongs to one tenant (or to the platform), and that is where a request's tenant comes from: there is no other way.

pub mod passwords;
mod permissions;
mod routes;
mod rules;
mod store;
pub mod tokens;

pub use permissions::{Permission, PermissionSet, Role};
pub use routes::routes;
pub(crate) use routes::setup_page;
pub use rules::{login_fault, password_fault};
pub use store::{OperatorView, TokenView};

use crate::app::App;
use db::{ActorLabel, Db, DbError, LoginMembership, Origin, PlatformActor, TenantDoor, TenantTx};
use jiff::{SignedDuration, Timestamp};
use model::{ApiTokenId, Deed, Entropy, LoginSessionId, OperatorId, Secret, Standing, TenantId};
use tokens::TokenKind;

/// How long a login lasts.
const LOGIN_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// How long a one-time link lasts.
const SETUP_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Live API tokens that a tenant may have.
const TOKENS_MAX: i64 = 100;

/// Why an operation on operators was refused.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The credential is not in force.
    #[error("the login, password or token is not valid")]
    Credential,
    /// Too many wrong passwords.
    #[error("too many wrong passwords; try again after {0}")]
    Locked(Timestamp),
    /// The operator serves several tenants and must say which.
    #[error("you serve several ISPs: say which one ({})", .0.join(", "))]
    ChooseTenant(Vec<String>),
    /// The role does not include the permission.
    #[error("your role may not do this")]
    Forbidden,
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
    /// The login name is taken.
    #[error("the login name is taken")]
    LoginTaken,
    /// There is no such operator or token.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A limit was reached.
    #[error("a tenant may have {TOKENS_MAX} live API tokens; revoke one first")]
    TooManyTokens,
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
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
    },
    /// A tenant's operator or token.
    Tenant {
        /// The way in and the rights.
        scope: TenantScope,
        /// The login that was used, unless it was a token.
        session: Option<LoginSessionId>,
    },
}

impl Actor {
    /// Returns the actor as a request brings it: its audit lines name the request.
    #[must_use]
    pub fn with_origin(self, origin: Option<Origin>) -> Self {
        match self {
            Self::Platform { actor, session } => Self::Platform { actor: actor.with_origin(origin), session },
            Self::Tenant { scope, session } => {
                Self::Tenant { scope: TenantScope { door: scope.door.with_origin(origin), ..scope }, session }
            }
        }
    }
}

/// A tenant as an authenticated caller may use it.
#[derive(Debug, Clone)]
pub struct TenantScope {
    door: TenantDoor,
    role: Role,
    standing: Standing,
}

impl TenantScope {
    /// Returns the tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.door.tenant()
    }

    /// Returns the role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Opens the tenant's transaction to look, if the role includes the permission.
    ///
    /// # Errors
    /// When it does not, or the database does not answer.
    pub async fn read(&self, app: &App, permission: Permission) -> Result<TenantTx, OperatorError> {
        if !self.role.allows(permission) {
            return Err(OperatorError::Forbidden);
        }
        Ok(app.db.tenant(&self.door).await?)
    }

    /// Opens the tenant's transaction to change something, if the role includes the permission and the tenant's standing lets it change
    /// anything. Taking data out is let in longer than all else.
    ///
    /// # Errors
    /// When one of them is not so, or the database does not answer.
    pub async fn write(&self, app: &App, permission: Permission) -> Result<TenantTx, OperatorError> {
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

/// Finds out who presents a token.
///
/// # Errors
/// When it is not in force, or the database does not answer.
pub async fn authenticate(app: &App, token: &str) -> Result<Actor, OperatorError> {
    let now = app.clock.now();
    let locator = app.db.locator();
    let (door, role, status, session) = match tokens::recognise(token) {
        Some((TokenKind::Login, hash)) => {
            let login = locator.login(&hash, "login", now).await?.ok_or(OperatorError::Credential)?;
            match login.kind {
                LoginMembership::Platform(actor) => return Ok(Actor::Platform { actor, session: login.session }),
                LoginMembership::Tenant { door, role, tenant_status } => (door, role, tenant_status, Some(login.session)),
            }
        }
        Some((TokenKind::Api, hash)) => {
            let token = locator.api_token(&hash, now).await?.ok_or(OperatorError::Credential)?;
            (token.door, token.role, token.tenant_status, None)
        }
        Some((TokenKind::Setup | TokenKind::Line, _)) | None => return Err(OperatorError::Credential),
    };
    let role = Role::from_stored(&role).ok_or(OperatorError::Credential)?;
    // Into a tenant that is being removed nothing leads any more.
    let standing =
        Standing::from_stored(&status).filter(|standing| standing.allows(Deed::Read)).ok_or(OperatorError::Credential)?;
    Ok(Actor::Tenant { scope: TenantScope { door, role, standing }, session })
}

/// What a login gives.
#[derive(Debug)]
pub struct LoggedIn {
    /// The token, shown once.
    pub token: Secret<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The tenant it belongs to; none for the platform.
    pub tenant: Option<String>,
}

/// Checks a password and makes a login for one tenant, or for the platform. `tenant` is a name, and needed only by those who serve several.
///
/// # Errors
/// When the password is wrong, the login is locked, or a tenant must be chosen.
pub async fn log_in(app: &App, login: &str, password: Secret<String>, tenant: Option<&str>) -> Result<LoggedIn, OperatorError> {
    let now = app.clock.now();
    let found = app.db.locator().operator(login).await?;
    if let Some(until) = found.as_ref().and_then(|operator| operator.locked_until).filter(|until| *until > now) {
        return Err(OperatorError::Locked(until));
    }
    let stored = found.as_ref().and_then(|operator| operator.password_hash.clone());
    let right = passwords::verify(password, stored.clone()).await;
    let Some(operator) = found else { return Err(OperatorError::Credential) };
    let mut tx = app.db.platform(&PlatformActor::system("login"), "a password was tried", now).await?;
    // Many may have been tried at once, all from before the lock: one after another they find it here, and learn nothing. Likewise a
    // password that was changed in the meantime.
    let (locked_until, password_hash) = store::lock_login(&mut tx, operator.id).await?;
    if let Some(until) = locked_until.filter(|until| *until > now) {
        return Err(OperatorError::Locked(until));
    }
    if !right || !operator.active || password_hash != stored {
        store::count_failure(&mut tx, operator.id, now).await?;
        tx.commit().await?;
        return Err(OperatorError::Credential);
    }
    let chosen = choose(&operator, tenant)?;
    let token = tokens::generate(TokenKind::Login, &*app.entropy);
    let expires_at = now + LOGIN_LIFE;
    let session = LoginSessionId::generate(now, &*app.entropy);
    store::insert_session(
        &mut tx,
        session,
        operator.id,
        chosen.as_ref().map(|(id, _)| *id),
        "login",
        &token.hash,
        now,
        expires_at,
    )
    .await?;
    store::clear_failures(&mut tx, operator.id).await?;
    tx.commit().await?;
    Ok(LoggedIn { token: token.text, expires_at, tenant: chosen.map(|(_, name)| name) })
}

fn choose(operator: &db::OperatorCredential, tenant: Option<&str>) -> Result<Option<(TenantId, String)>, OperatorError> {
    match tenant {
        Some(name) => {
            operator.tenants.iter().find(|(_, known)| known == name).cloned().map(Some).ok_or(OperatorError::Credential)
        }
        None if operator.platform => Ok(None),
        None => match &operator.tenants[..] {
            [] => Err(OperatorError::Credential),
            [only] => Ok(Some(only.clone())),
            several => Err(OperatorError::ChooseTenant(several.iter().map(|(_, name)| name.clone()).collect())),
        },
    }
}

/// Ends the login that was used.
///
/// # Errors
/// When the database does not answer.
pub async fn log_out(app: &App, session: LoginSessionId) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = app.db.platform(&PlatformActor::system("login"), "a login was ended", now).await?;
    store::revoke_session(&mut tx, session, now).await?;
    Ok(tx.commit().await?)
}

/// Sets the password of whoever holds a one-time link, and uses the link up. Earlier logins of that person end.
///
/// # Errors
/// When the link is not in force or the password is too weak.
pub async fn set_password(app: &App, setup_token: &str, password: Secret<String>) -> Result<(), OperatorError> {
    if let Some(message) = password_fault(password.expose()) {
        return Err(OperatorError::Field { field: "password", message });
    }
    let now = app.clock.now();
    let Some((TokenKind::Setup, hash)) = tokens::recognise(setup_token) else { return Err(OperatorError::Credential) };
    let (session, operator) = app.db.locator().setup_link(&hash, now).await?.ok_or(OperatorError::Credential)?;
    let hashed = passwords::hash(password, &*app.entropy).await;
    let mut tx = app.db.platform(&PlatformActor::system("login"), "a password was set by one-time link", now).await?;
    // The link is used up by the same statement that proves it is still good, so a second click finds nothing.
    if !store::revoke_session(&mut tx, session, now).await? {
        return Err(OperatorError::Credential);
    }
    store::set_password(&mut tx, operator, &hashed, now).await?;
    Ok(tx.commit().await?)
}

/// Makes a one-time link for an operator, in a transaction that makes or finds the operator.
///
/// # Errors
/// When the database does not answer.
async fn new_setup_token(
    tx: &mut db::PlatformTx,
    operator: OperatorId,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<Secret<String>, OperatorError> {
    let token = tokens::generate(TokenKind::Setup, entropy);
    let id = LoginSessionId::generate(now, entropy);
    store::insert_session(tx, id, operator, None, "setup", &token.hash, now, now + SETUP_LIFE).await?;
    Ok(token.text)
}

/// Makes the first platform operator's one-time link, as long as nobody can log in to the platform. Each start makes a new one.
///
/// # Errors
/// When the database does not answer.
pub async fn first_operator(app: &App) -> Result<Option<Secret<String>>, OperatorError> {
    if app.db.locator().has_platform_operator().await? {
        return Ok(None);
    }
    recover(&app.db, &*app.entropy, app.clock.now(), "admin", true).await.map(Some)
}

/// Makes a one-time link for an operator, for who has a shell on the machine. `create` makes a missing platform operator.
///
/// # Errors
/// When there is no such operator.
pub async fn recover(
    db: &Db,
    entropy: &dyn Entropy,
    now: Timestamp,
    login: &str,
    create: bool,
) -> Result<Secret<String>, OperatorError> {
    let mut tx = db.platform(&PlatformActor::system("machine"), "a one-time link was asked for on the machine", now).await?;
    let operator = match store::find_operator(&mut tx, login).await? {
        Some(id) => id,
        None if create => {
            let id = OperatorId::generate(now, entropy);
            store::insert_operator(&mut tx, id, login, "Platform operator", true, now).await?;
            id
        }
        None => return Err(OperatorError::NotFound("operator")),
    };
    let token = new_setup_token(&mut tx, operator, entropy, now).await?;
    tx.commit().await?;
    Ok(token)
}

/// Finds or makes the person behind a login name and gives them a role in a tenant; returns the id and, for a new person, a one-time link.
///
/// # Errors
/// When a field is wrong or the database does not answer.
pub async fn add_member(
    app: &App,
    tx: &mut db::PlatformTx,
    tenant: TenantId,
    login: &str,
    display_name: &str,
    role: Role,
) -> Result<(OperatorId, Option<Secret<String>>), OperatorError> {
    if let Some(message) = login_fault(login) {
        return Err(OperatorError::Field { field: "login", message });
    }
    if !(1..=100).contains(&display_name.chars().count()) {
        return Err(OperatorError::Field { field: "display_name", message: "write 1 to 100 characters" });
    }
    let now = app.clock.now();
    // Whether the name is known is not told: an unknown one is made, a known one only gets the membership.
    let (id, setup) = match store::find_operator(tx, login).await? {
        Some(id) => (id, None),
        None => {
            let id = OperatorId::generate(now, &*app.entropy);
            store::insert_operator(tx, id, login, display_name, false, now).await?;
            (id, Some(new_setup_token(tx, id, &*app.entropy, now).await?))
        }
    };
    store::insert_membership(tx, tenant, id, role, now).await?;
    Ok((id, setup))
}

/// Makes a new person with a role in the caller's tenant, and their one-time link.
///
/// # Errors
/// When the role may not, a field is wrong, or the login name is taken: a person known elsewhere is added by the platform's operator.
pub async fn invite(
    app: &App,
    scope: &TenantScope,
    login: &str,
    display_name: &str,
    role: Role,
) -> Result<(OperatorId, Option<Secret<String>>), OperatorError> {
    let now = app.clock.now();
    let mut tenant_tx = scope.write(app, Permission::OperatorsWrite).await?;
    let mut tx = app.db.platform(&PlatformActor::system("operators"), "an ISP's admin adds an operator", now).await?;
    if store::find_operator(&mut tx, login).await?.is_some() {
        return Err(OperatorError::LoginTaken);
    }
    let added = add_member(app, &mut tx, scope.tenant(), login, display_name, role).await?;
    tx.commit().await?;
    tenant_tx
        .audit(now, "operator.add", &added.0.to_string(), serde_json::json!({ "login": login, "role": role.as_str() }))
        .await?;
    tenant_tx.commit().await?;
    Ok(added)
}

/// Makes an API token for the tenant; its role may not exceed the maker's, so only an admin makes them.
///
/// # Errors
/// When the role may not, a field is wrong, or there are too many.
pub async fn create_token(
    app: &App,
    scope: &TenantScope,
    name: &str,
    role: Role,
) -> Result<(ApiTokenId, Secret<String>), OperatorError> {
    if !(1..=100).contains(&name.chars().count()) {
        return Err(OperatorError::Field { field: "name", message: "write 1 to 100 characters" });
    }
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    if store::count_tokens(&mut tx, now).await? >= TOKENS_MAX {
        return Err(OperatorError::TooManyTokens);
    }
    let id = ApiTokenId::generate(now, &*app.entropy);
    let token = tokens::generate(TokenKind::Api, &*app.entropy);
    store::insert_token(&mut tx, id, name, role, &token.hash, now).await?;
    tx.audit(now, "token.create", &id.to_string(), serde_json::json!({ "name": name, "role": role.as_str() })).await?;
    tx.commit().await?;
    Ok((id, token.text))
}

/// Ends an API token at once.
///
/// # Errors
/// When there is none, or the role may not.
pub async fn revoke_token(app: &App, scope: &TenantScope, id: ApiTokenId) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    if !store::revoke_token(&mut tx, id, now).await? {
        return Err(OperatorError::NotFound("API token"));
    }
    tx.audit(now, "token.revoke", &id.to_string(), serde_json::json!({})).await?;
    Ok(tx.commit().await?)
}
