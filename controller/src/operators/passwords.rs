//! Argon2id on the blocking pool, a bounded number at a time: each takes 19 MiB and some 20 ms of a core.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, PasswordHash};
use model::{Entropy, Secret};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Hashes at once; the rest wait their turn.
const AT_ONCE: usize = 2;

/// Checks that may wait for their turn: at some 40 a second, the last of them waits for about three seconds. Whoever comes then is sent away,
/// so that a flood costs an answer each and no memory.
const WAITING_MAX: usize = 128;

/// The hash of a random password that was thrown away.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$7M1rJ3O0vN8o1mVb3ZcZk1F7Fv0n9xkZJtq0vQvYkKo";

static TURN: Semaphore = Semaphore::const_new(AT_ONCE);
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Too many wait already.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords wait to be checked")]
pub struct Busy;

/// Counts itself out of the queue, whichever way it leaves.
struct Waiting;

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn turn() -> Result<SemaphorePermit<'static>, Busy> {
    let before = WAITING.fetch_add(1, Ordering::Relaxed);
    let _waiting = Waiting;
    if before >= WAITING_MAX {
        return Err(Busy);
    }
    Ok(TURN.acquire().await.expect("the semaphore is never closed"))
}

/// Hashes a password with Argon2id at the crate's defaults (19 MiB, 2 passes; OWASP's recommendation).
///
/// # Cancel safety
/// Cancel safe: a hash that nobody waits for is thrown away.
pub async fn hash(password: Secret<String>, entropy: &dyn Entropy) -> String {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    let _turn = TURN.acquire().await.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password_with_salt(password.expose().as_bytes(), &salt)
            .expect("16 bytes are a good salt and the password is bounded")
            .to_string()
    })
    .await
    .expect("hashing does not panic")
}

/// Says whether a password belongs to a hash. Without a hash it takes as long and says no, so that a name's existence does not show.
///
/// # Errors
/// When too many wait already.
///
/// # Cancel safety
/// Cancel safe.
pub async fn verify(password: Secret<String>, stored: Option<String>) -> Result<bool, Busy> {
    let _turn = turn().await?;
    let checked = tokio::task::spawn_blocking(move || {
        let known = stored.is_some();
        let text = stored.unwrap_or_else(|| NOBODY.to_owned());
        let Ok(parsed) = PasswordHash::new(&text) else { return false };
        Argon2::default().verify_password(password.expose().as_bytes(), &parsed).is_ok() && known
    });
    Ok(checked.await.expect("verifying does not panic"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SeededEntropy;

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let stored = hash(Secret::new("correct horse".to_owned()), &SeededEntropy::new(1)).await;
        assert!(stored.starts_with("$argon2id$v=19$"), "the column's CHECK wants this form: {stored}");
        let fits = async |password: &str, stored| verify(Secret::new(password.to_owned()), stored).await.expect("nobody waits");
        assert!(fits("correct horse", Some(stored.clone())).await);
        assert!(!fits("wrong horse", Some(stored)).await);
        assert!(!fits("correct horse", None).await);
    }

    #[tokio::test]
    async fn nobodys_hash_costs_what_a_real_one_does() {
        let real = hash(Secret::new("correct horse".to_owned()), &SeededEntropy::new(1)).await;
        let cost = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(cost(NOBODY), cost(&real));
        assert!(PasswordHash::new(NOBODY).is_ok(), "a hash that does not parse is judged at once");
    }
}
