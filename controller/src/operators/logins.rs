//! Logging in and out, and passwords: chosen by one-time link, changed, lost.

use super::tokens::{self, TokenKind};
use super::{Asked, OperatorError, Person, password_fault, passwords, second_factor, store};
use crate::app::App;
use db::{Db, OperatorCredential, PlatformActor, PlatformTx};
use jiff::{SignedDuration, Timestamp};
use model::{Entropy, LoginSessionId, OperatorId, Secret, TenantId};

/// How long a login lasts.
const LOGIN_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// How long a one-time link lasts.
const SETUP_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How long logins and links are kept after their end.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What is kept of what a client calls itself, in characters.
const USER_AGENT_MAX: usize = 200;

/// What somebody logs in with.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The login name.
    pub login: &'a str,
    /// The password.
    pub password: Secret<String>,
    /// The ISP's name; needed only by those who serve several.
    pub tenant: Option<&'a str>,
    /// The authenticator's code or a recovery code, for who has a second factor.
    pub code: Option<&'a str>,
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

/// Checks a password, and the second factor where there is one, and makes a login for one tenant or for the platform.
///
/// # Errors
/// When one of them is wrong, too much was tried, or a tenant must be chosen.
pub async fn log_in(app: &App, asked: &Asked, attempt: Attempt<'_>) -> Result<LoggedIn, OperatorError> {
    let tenant = attempt.tenant;
    let (mut tx, operator) = prove(app, asked, attempt).await?;
    let now = app.clock.now();
    let chosen = choose(&operator, tenant)?;
    let token = tokens::generate(TokenKind::Login, &*app.entropy);
    let session = store::NewSession {
        id: LoginSessionId::generate(now, &*app.entropy),
        operator: operator.id,
        tenant: chosen.as_ref().map(|(id, _)| *id),
        purpose: "login",
        token_hash: token.hash,
        now,
        expires_at: now + LOGIN_LIFE,
        source: asked.origin.as_ref().and_then(|origin| origin.source),
        user_agent: asked.user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect(),
    };
    store::insert_session(&mut tx, &session).await?;
    tx.commit().await?;
    Ok(LoggedIn { token: token.text, expires_at: session.expires_at, tenant: chosen.map(|(_, name)| name) })
}

/// Checks who somebody says they are. The transaction it returns holds the lock on the person, and their failures are forgotten with its
/// commit.
///
/// # Errors
/// When the password or the code is wrong, or too much was tried.
pub(super) async fn prove(
    app: &App,
    asked: &Asked,
    attempt: Attempt<'_>,
) -> Result<(PlatformTx, OperatorCredential), OperatorError> {
    let now = app.clock.now();
    slow_down(app, asked, now)?;
    let found = app.db.locator().operator(attempt.login).await?;
    let stored = found.as_ref().and_then(|operator| operator.password_hash.clone());
    if let Some(until) = found.as_ref().and_then(|operator| operator.locked_until).filter(|until| *until > now) {
        return Err(OperatorError::Locked(until));
    }
    let right = passwords::verify(attempt.password, stored.clone()).await.map_err(|_| OperatorError::TooFast)?;
    let Some(operator) = found else { return Err(OperatorError::Credential) };
    let actor = PlatformActor::system("login").with_origin(asked.origin.clone());
    let tx = app.db.platform(&actor, "a password was tried", now).await?;
    let proof = Proof { right: right && operator.active, stored: stored.as_deref(), code: Some(attempt.code) };
    Ok((settle(app, tx, operator.id, proof, now).await?, operator))
}

/// What was found out about a password before the person's row was locked.
struct Proof<'a> {
    right: bool,
    /// The hash it was held against.
    stored: Option<&'a str>,
    /// The code of the second factor, where one is asked for at all.
    code: Option<Option<&'a str>>,
}

/// Decides under the person's lock. Many may have been tried at once, all from before the lock: one after another they find it here, and learn
/// nothing. Likewise a password that was changed in the meantime.
async fn settle(
    app: &App,
    mut tx: PlatformTx,
    operator: OperatorId,
    proof: Proof<'_>,
    now: Timestamp,
) -> Result<PlatformTx, OperatorError> {
    let (locked_until, hash) = store::lock_login(&mut tx, operator).await?;
    if let Some(until) = locked_until.filter(|until| *until > now) {
        return Err(OperatorError::Locked(until));
    }
    let refusal = if !proof.right || hash.as_deref() != proof.stored {
        Some(OperatorError::Credential)
    } else if let Some(code) = proof.code {
        match second_factor::check(app, &mut tx, operator, code, now).await {
            Ok(()) => None,
            Err(OperatorError::CodeWrong) => Some(OperatorError::CodeWrong),
            Err(error) => return Err(error),
        }
    } else {
        None
    };
    match refusal {
        Some(error) => {
            store::count_failure(&mut tx, operator, now).await?;
            tx.commit().await?;
            Err(error)
        }
        None => {
            store::clear_failures(&mut tx, operator).await?;
            Ok(tx)
        }
    }
}

fn slow_down(app: &App, asked: &Asked, now: Timestamp) -> Result<(), OperatorError> {
    let source = asked.origin.as_ref().and_then(|origin| origin.source);
    if app.throttle.admit(source, now) { Ok(()) } else { Err(OperatorError::TooFast) }
}

/// Checks the password of somebody who is logged in already, before something that a found laptop should not be able to do. Wrong ones count
/// as at the login.
///
/// # Errors
/// When it is wrong, or too much was tried.
pub(super) async fn confirm(
    app: &App,
    asked: &Asked,
    person: &Person,
    field: &'static str,
    password: Secret<String>,
    reason: &str,
) -> Result<PlatformTx, OperatorError> {
    let now = app.clock.now();
    slow_down(app, asked, now)?;
    let mut tx = app.db.platform(&person.actor, reason, now).await?;
    let (_, stored) = store::lock_login(&mut tx, person.operator).await?;
    // The lock is not held while the password is checked.
    drop(tx);
    let right = passwords::verify(password, stored.clone()).await.map_err(|_| OperatorError::TooFast)?;
    let tx = app.db.platform(&person.actor, reason, now).await?;
    let proof = Proof { right, stored: stored.as_deref(), code: None };
    settle(app, tx, person.operator, proof, now).await.map_err(|error| match error {
        OperatorError::Credential => OperatorError::Field { field, message: "this is not your password" },
        error => error,
    })
}

fn choose(operator: &OperatorCredential, tenant: Option<&str>) -> Result<Option<(TenantId, String)>, OperatorError> {
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
    store::set_password(&mut tx, operator, &hashed).await?;
    store::revoke_sessions(&mut tx, operator, None, now).await?;
    Ok(tx.commit().await?)
}

/// Changes the password of somebody who knows the present one. All their other logins end, in every tenant.
///
/// # Errors
/// When the present one is wrong, the new one is too weak, or too much was tried.
pub async fn change_password(
    app: &App,
    asked: &Asked,
    person: &Person,
    present: Secret<String>,
    new: Secret<String>,
) -> Result<(), OperatorError> {
    if let Some(message) = password_fault(new.expose()) {
        return Err(OperatorError::Field { field: "new_password", message });
    }
    let now = app.clock.now();
    let hashed = passwords::hash(new, &*app.entropy).await;
    let mut tx = confirm(app, asked, person, "old_password", present, "an operator changed their password").await?;
    store::set_password(&mut tx, person.operator, &hashed).await?;
    store::revoke_sessions(&mut tx, person.operator, Some(person.session), now).await?;
    person.note(&mut tx, now, "operator.password");
    Ok(tx.commit().await?)
}

impl Person {
    /// Writes what somebody did to their own login into the log of the tenant they did it from.
    pub(super) fn note(&self, tx: &mut PlatformTx, now: Timestamp, action: &str) {
        if let Some(scope) = &self.scope {
            tx.audit_tenant(scope.tenant(), now, action, &self.operator.to_string(), serde_json::json!({}));
        }
    }
}

/// Makes a one-time link for an operator, in a transaction that makes or finds the operator.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn new_setup_token(
    tx: &mut PlatformTx,
    operator: OperatorId,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<(Secret<String>, Timestamp), OperatorError> {
    let token = tokens::generate(TokenKind::Setup, entropy);
    let link = store::NewSession {
        id: LoginSessionId::generate(now, entropy),
        operator,
        tenant: None,
        purpose: "setup",
        token_hash: token.hash,
        now,
        expires_at: now + SETUP_LIFE,
        source: None,
        user_agent: String::new(),
    };
    store::insert_session(tx, &link).await?;
    Ok((token.text, link.expires_at))
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
    let (token, _) = new_setup_token(&mut tx, operator, entropy, now).await?;
    tx.commit().await?;
    Ok(token)
}

/// Takes somebody's second factor away, for who has lost it with all recovery codes and has a shell on the machine.
///
/// # Errors
/// When there is no such operator.
pub async fn forget_second_factor(db: &Db, now: Timestamp, login: &str) -> Result<(), OperatorError> {
    let reason = format!("the second factor of {login} was taken away on the machine");
    let mut tx = db.platform(&PlatformActor::system("machine"), &reason, now).await?;
    let operator = store::find_operator(&mut tx, login).await?.ok_or(OperatorError::NotFound("operator"))?;
    store::factors::remove(&mut tx, operator).await?;
    Ok(tx.commit().await?)
}

/// Clears away logins and links that ended so long ago that nobody asks for them any more.
///
/// # Errors
/// When the database does not answer.
pub async fn clear_logins(app: &App) -> Result<u64, OperatorError> {
    let now = app.clock.now();
    let mut tx = app.db.platform(&PlatformActor::system("login"), "logins that ended a month ago were cleared away", now).await?;
    let mut gone = 0;
    loop {
        let some = store::clear_sessions(&mut tx, now - KEPT).await?;
        gone += some;
        if some == 0 {
            break;
        }
    }
    if gone > 0 {
        tx.commit().await?;
    }
    Ok(gone)
}
