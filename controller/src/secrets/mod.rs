//! Secrets at rest: XChaCha20-Poly1305 under one data key per tenant, which is itself sealed by the master key.
//!
//! The additional data names tenant, table, column, row and key version, so a sealed value that is moved to another row, column or tenant
//! does not open. Deleting a tenant's data keys makes everything of that tenant unreadable at once.
//!
//! Keys can be changed while the controller works (`rotate`): a tenant then has two for a while, the newest seals and each opens what it
//! sealed. Which one is the newest is asked of the database in every transaction that seals, so a controller whose memory is older than a
//! rotation, or than a restore, does not seal with a key that is gone.

mod keyring;
mod master;
mod rotate;
mod store;

pub use keyring::{DataKey, Keyring, Purpose, prefix};
pub use master::{MasterFile, MasterKey, MasterKeyError};
pub use rotate::{RotateError, Rotated, is_unfinished, rotate_master, rotate_tenant};

use crate::app::App;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use db::{Db, DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use model::{Clock, DataKeyId, Entropy, Secret, TenantId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

const NONCE_LEN: usize = 24;

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The stored bytes are not what was sealed here: moved, cut or sealed by another key.
    #[error(
        "a stored secret in {table}.{column} does not open: the master key is not the one it was sealed with, or the row was tampered with"
    )]
    DoesNotOpen { table: &'static str, column: &'static str },
    /// The tenant has no data key.
    #[error("the tenant has no data key")]
    NoDataKey,
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Where a secret stands; it is sealed into the ciphertext.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's id.
    pub row: Uuid,
}

impl Place {
    const fn does_not_open(self) -> VaultError {
        VaultError::DoesNotOpen { table: self.table, column: self.column }
    }
}

/// What work on keys and whole tenants needs, which also goes on where no controller serves.
#[derive(Debug, Clone, Copy)]
pub struct Keeper<'a> {
    /// The database's doors.
    pub db: &'a Db,
    /// Seals and opens secrets.
    pub vault: &'a Vault,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Randomness.
    pub entropy: &'a dyn Entropy,
}

impl<'a> Keeper<'a> {
    /// Takes what is needed from a controller.
    #[must_use]
    pub fn of(app: &'a App) -> Self {
        Self { db: &app.db, vault: &app.vault, clock: &*app.clock, entropy: &*app.entropy }
    }
}

/// Seals and opens tenants' secrets; keeps the data keys that were used in memory.
pub struct Vault {
    /// The first seals; another is there while the master key is being changed.
    masters: Vec<MasterKey>,
    entropy: Arc<dyn Entropy>,
    rings: Mutex<HashMap<TenantId, Arc<Keyring>>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the vault with the master key.
    #[must_use]
    pub fn new(master: MasterKey, entropy: Arc<dyn Entropy>) -> Self {
        Self::with(vec![master], entropy)
    }

    /// Opens the vault with several master keys, of which the first seals.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn with(masters: Vec<MasterKey>, entropy: Arc<dyn Entropy>) -> Self {
        assert!(!masters.is_empty(), "a vault has a key");
        Self { masters, entropy, rings: Mutex::default() }
    }

    /// Forgets the opened keys of a tenant, whose rows are being removed.
    pub fn forget(&self, tenant: TenantId) {
        self.rings.lock().expect("nobody panics with the lock").remove(&tenant);
    }

    /// Draws a new data key.
    #[must_use]
    pub fn new_key(&self, purpose: Purpose, version: u32, now: Timestamp) -> DataKey {
        let mut key = [0; 32];
        self.entropy.fill(&mut key);
        let id = DataKeyId::generate(now, &*self.entropy).uuid();
        DataKey { id, purpose, version, created_at: now, key: Secret::new(key) }
    }

    /// Seals a data key with the master key, as it is stored.
    #[must_use]
    pub fn seal_key(&self, tenant: TenantId, key: &DataKey) -> Vec<u8> {
        self.masters[0].seal(&data_key_aad(tenant, key.version), key.key.expose(), &*self.entropy)
    }

    /// Seals a secret of the platform itself under the master key.
    #[must_use]
    pub fn seal_platform(&self, place: Place, plaintext: &[u8]) -> Vec<u8> {
        self.masters[0].seal(&aad(Uuid::nil(), place, 0), plaintext, &*self.entropy)
    }

    /// Opens a secret of the platform itself.
    ///
    /// # Errors
    /// When it was not sealed for this place by this master key.
    pub fn open_platform(&self, place: Place, sealed: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        self.open_master(&aad(Uuid::nil(), place, 0), sealed).ok_or(place.does_not_open())
    }

    fn open_master(&self, aad: &[u8], sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
        self.masters.iter().find_map(|master| master.open(aad, sealed))
    }

    /// Derives the key that a tenant's backup files are sealed for, and what names it.
    #[must_use]
    pub fn backup_key(&self, tenant: TenantId) -> (Secret<[u8; 32]>, [u8; 16]) {
        self.masters[0].backup_key(tenant)
    }

    /// Finds the key with this name among those that a tenant's backup files may be sealed for here.
    #[must_use]
    pub fn backup_key_named(&self, tenant: TenantId, name: &[u8; 16]) -> Option<Secret<[u8; 32]>> {
        let mut keys = self.masters.iter().map(|master| master.backup_key(tenant));
        keys.find(|(_, found)| found == name).map(|(key, _)| key)
    }

    /// Seals a secret of the transaction's tenant.
    ///
    /// # Errors
    /// When the tenant's data key cannot be read.
    pub async fn seal(&self, tx: &mut TenantTx, place: Place, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        let id = tx.sealing_key().await?.ok_or(VaultError::NoDataKey)?;
        let known = self.cached(tx.tenant()).filter(|ring| ring.find(id).is_some());
        let ring = match known {
            Some(ring) => ring,
            None => self.keyring(tx).await?,
        };
        let key = ring.find(id).ok_or(VaultError::NoDataKey)?;
        Ok(ring.seal(key, place, plaintext, &*self.entropy))
    }

    /// Opens a secret of the transaction's tenant.
    ///
    /// # Errors
    /// When it was not sealed for this tenant and place, or the data key cannot be read.
    pub async fn open(&self, tx: &mut TenantTx, place: Place, sealed: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        if let Some(opened) = self.cached(tx.tenant()).and_then(|ring| ring.open(place, sealed)) {
            return Ok(opened);
        }
        // Sealed with a key that came after the last look, or there was none yet.
        self.keyring(tx).await?.open(place, sealed).ok_or(place.does_not_open())
    }

    /// Opens a secret that is text.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_text(&self, tx: &mut TenantTx, place: Place, sealed: &[u8]) -> Result<Secret<String>, VaultError> {
        let bytes = self.open(tx, place, sealed).await?;
        String::from_utf8(bytes.expose().clone()).map(Secret::new).map_err(|_| place.does_not_open())
    }

    /// Returns a code's fingerprint, by which it can be found but not guessed back without the tenant's key.
    ///
    /// # Errors
    /// When the tenant's data key cannot be read.
    pub async fn fingerprint(&self, tx: &mut TenantTx, purpose: &'static str, code: &str) -> Result<[u8; 32], VaultError> {
        if let Some(ring) = self.cached(tx.tenant()) {
            return ring.fingerprint(purpose, code);
        }
        self.keyring(tx).await?.fingerprint(purpose, code)
    }

    fn cached(&self, tenant: TenantId) -> Option<Arc<Keyring>> {
        self.rings.lock().expect("nobody panics with the lock").get(&tenant).cloned()
    }

    /// Reads the tenant's keys as they are now.
    ///
    /// # Errors
    /// When there are none, or the master key does not open them.
    pub async fn keyring(&self, tx: &mut TenantTx) -> Result<Arc<Keyring>, VaultError> {
        let tenant = tx.tenant();
        let mut keys = Vec::new();
        for row in store::of_tenant(tx).await? {
            let version = u32::try_from(row.version).expect("the column is positive");
            let opened = self.open_master(&data_key_aad(tenant, version), &row.sealed_key);
            let opened = opened.ok_or(VaultError::DoesNotOpen { table: "data_key", column: "sealed_key" })?;
            let key = Secret::new(opened.expose().as_slice().try_into().map_err(|_| VaultError::NoDataKey)?);
            let purpose = Purpose::from_stored(&row.purpose).expect("the column's CHECK lets no other in");
            keys.push(DataKey { id: row.id, purpose, version, created_at: row.created_at(), key });
        }
        if keys.is_empty() {
            return Err(VaultError::NoDataKey);
        }
        let ring = Arc::new(Keyring::new(tenant, keys));
        self.rings.lock().expect("nobody panics with the lock").insert(tenant, ring.clone());
        Ok(ring)
    }
}

/// Gives a new tenant its keys.
///
/// # Errors
/// When the database does not answer.
pub async fn make_keys(vault: &Vault, tx: &mut PlatformTx, tenant: TenantId, now: Timestamp) -> Result<(), DbError> {
    for purpose in [Purpose::Seal, Purpose::Fingerprint] {
        put_key(vault, tx, tenant, &vault.new_key(purpose, 1, now)).await?;
    }
    Ok(())
}

/// Stores a tenant's key, sealed by the master key.
///
/// # Errors
/// When the database does not answer.
pub async fn put_key(vault: &Vault, tx: &mut PlatformTx, tenant: TenantId, key: &DataKey) -> Result<(), DbError> {
    store::insert(tx, tenant, key, &vault.seal_key(tenant, key)).await
}

fn aad(tenant: Uuid, place: Place, version: u32) -> Vec<u8> {
    format!("{}|{}|{}|{}|{version}", tenant.simple(), place.table, place.column, place.row.simple()).into_bytes()
}

fn data_key_aad(tenant: TenantId, version: u32) -> Vec<u8> {
    aad(tenant.uuid(), Place { table: "data_key", column: "sealed_key", row: tenant.uuid() }, version)
}

/// Returns nonce and ciphertext.
fn encrypt(key: &[u8; 32], aad: &[u8], plaintext: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    entropy.fill(&mut nonce);
    let cipher = XChaCha20Poly1305::new(key.into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad }).expect("secrets are far below 256 GiB");
    [&nonce[..], &sealed].concat()
}

fn decrypt(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad }).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SeededEntropy;

    fn place(column: &'static str) -> Place {
        Place { table: "customer", column, row: Uuid::nil() }
    }

    #[test]
    fn opens_only_where_it_was_sealed() {
        let entropy = SeededEntropy::new(1);
        let key = [7; 32];
        let here = aad(Uuid::nil(), place("password"), 1);
        let sealed = encrypt(&key, &here, b"hunter2", &entropy);
        assert_eq!(decrypt(&key, &here, &sealed).map(|secret| secret.expose().clone()), Some(b"hunter2".to_vec()));
        for elsewhere in
            [aad(Uuid::max(), place("password"), 1), aad(Uuid::nil(), place("mac"), 1), aad(Uuid::nil(), place("password"), 2)]
        {
            assert!(decrypt(&key, &elsewhere, &sealed).is_none());
        }
        assert!(decrypt(&[8; 32], &here, &sealed).is_none(), "another key");
        assert!(decrypt(&key, &here, &sealed[..20]).is_none(), "cut");
    }
}
