//! The second factor: an authenticator's codes, and recovery codes for who has lost it. It belongs to the person, in whichever tenant they
//! work.

use super::logins::confirm;
use super::tokens::hash;
use super::{Asked, OperatorError, Person, store, totp};
use crate::app::App;
use crate::secrets::Place;
use db::PlatformTx;
use jiff::Timestamp;
use model::{Entropy, OperatorId, Secret};

pub use totp::is_code;
#[cfg(feature = "testing")]
pub use totp::{from_base32, shown};

/// Recovery codes that are made at once.
const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code: 80 bits, so that a fast hash is enough.
const RECOVERY_BYTES: usize = 10;

/// What an authenticator needs.
#[derive(Debug)]
pub struct Enrolment {
    /// The secret in base 32, to type.
    pub secret: Secret<String>,
    /// The same as an address, to show as a QR code.
    pub address: Secret<String>,
}

fn place(operator: OperatorId) -> Place {
    Place { table: "operator_totp", column: "sealed_secret", row: operator.uuid() }
}

/// Checks the code of somebody whose password was right, and uses it up. Who has no second factor passes.
///
/// # Errors
/// When a code is needed, or the one given is wrong or was used.
pub(super) async fn check(
    app: &App,
    tx: &mut PlatformTx,
    operator: OperatorId,
    given: Option<&str>,
    now: Timestamp,
) -> Result<(), OperatorError> {
    let Some(factor) = store::factors::lock(tx, operator).await?.filter(|factor| factor.confirmed) else { return Ok(()) };
    let given = given.map(str::trim).filter(|code| !code.is_empty()).ok_or(OperatorError::CodeWanted)?;
    if is_code(given) {
        let secret = app.vault.open_platform(place(operator), &factor.sealed_secret)?;
        let step = totp::step_of(secret.expose(), given, now.as_second(), factor.last_step).ok_or(OperatorError::CodeWrong)?;
        store::factors::use_step(tx, operator, step).await?;
        return Ok(());
    }
    if store::factors::use_recovery_code(tx, operator, &hash(&plain(given)), now).await? {
        Ok(())
    } else {
        Err(OperatorError::CodeWrong)
    }
}

/// A recovery code without what people put into it.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// Begins a second factor: makes its secret, which counts once a code has proved that the authenticator has it. Beginning again makes a new one.
///
/// # Errors
/// When the password is wrong, or a second factor is in force.
pub async fn begin(app: &App, asked: &Asked, person: &Person, password: Secret<String>) -> Result<Enrolment, OperatorError> {
    let now = app.clock.now();
    let mut tx = confirm(app, asked, person, "password", password, "an operator began a second factor").await?;
    if store::factors::lock(&mut tx, person.operator).await?.is_some_and(|factor| factor.confirmed) {
        return Err(OperatorError::Conflict("you have a second factor already; disable it first"));
    }
    let mut bytes = [0; totp::SECRET_BYTES];
    app.entropy.fill(&mut bytes);
    let sealed = app.vault.seal_platform(place(person.operator), &bytes);
    store::factors::put(&mut tx, person.operator, &sealed, now).await?;
    let login = store::login_name(&mut tx, person.operator).await?;
    tx.commit().await?;
    Ok(Enrolment { secret: Secret::new(totp::base32(&bytes)), address: Secret::new(totp::address(&bytes, &login)) })
}

/// Puts a second factor in force with its first code; returns the recovery codes, which are shown this once.
///
/// # Errors
/// When none was begun, one is in force already, or the code is wrong.
pub async fn confirm_code(app: &App, person: &Person, code: &str) -> Result<Vec<Secret<String>>, OperatorError> {
    let now = app.clock.now();
    let mut tx = app.db.platform(&person.actor, "an operator set up a second factor", now).await?;
    let factor = store::factors::lock(&mut tx, person.operator).await?;
    let factor = factor.ok_or(OperatorError::Conflict("begin a second factor first"))?;
    if factor.confirmed {
        return Err(OperatorError::Conflict("your second factor is in force already"));
    }
    let secret = app.vault.open_platform(place(person.operator), &factor.sealed_secret)?;
    let step = totp::step_of(secret.expose(), code.trim(), now.as_second(), factor.last_step);
    let message = "this is not the code that the authenticator shows now: look at the clock of the device it runs on";
    let step = step.ok_or(OperatorError::Field { field: "code", message })?;
    store::factors::put_in_force(&mut tx, person.operator, step, now).await?;
    let codes: Vec<Secret<String>> = (0..RECOVERY_CODES).map(|_| recovery_code(&*app.entropy)).collect();
    for code in &codes {
        store::factors::insert_recovery_code(&mut tx, person.operator, &hash(&plain(code.expose()))).await?;
    }
    person.note(&mut tx, now, "operator.second_factor");
    tx.commit().await?;
    Ok(codes)
}

/// Four groups of four, of letters and digits that cannot be mistaken for each other.
fn recovery_code(entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = [0; RECOVERY_BYTES];
    entropy.fill(&mut bytes);
    let text = totp::base32(&bytes);
    Secret::new(format!("{}-{}-{}-{}", &text[..4], &text[4..8], &text[8..12], &text[12..]))
}

/// Takes the caller's own second factor away, with its recovery codes.
///
/// # Errors
/// When the password is wrong or there is none.
pub async fn disable(app: &App, asked: &Asked, person: &Person, password: Secret<String>) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = confirm(app, asked, person, "password", password, "an operator gave up their second factor").await?;
    if !store::factors::remove(&mut tx, person.operator).await? {
        return Err(OperatorError::Conflict("you have no second factor"));
    }
    person.note(&mut tx, now, "operator.second_factor_off");
    Ok(tx.commit().await?)
}

/// How somebody's second factor stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Whether it is in force.
    pub in_force: bool,
    /// Recovery codes that were not used yet.
    pub recovery_codes: i64,
}

/// Tells how the caller's own second factor stands.
///
/// # Errors
/// When the database does not answer.
pub async fn standing(app: &App, person: &Person) -> Result<Standing, OperatorError> {
    let mut tx = app.db.platform(&person.actor, "an operator looked at their second factor", app.clock.now()).await?;
    let in_force = store::factors::lock(&mut tx, person.operator).await?.is_some_and(|factor| factor.confirmed);
    let recovery_codes = store::factors::recovery_codes_left(&mut tx, person.operator).await?;
    // Nothing was done: the transaction, and with it the line about it, is given up.
    drop(tx);
    Ok(Standing { in_force, recovery_codes })
}
