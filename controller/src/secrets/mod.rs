//! Secrets at rest: XChaCha20-Poly1305 under one data key per tenant, which is itself sealed by the master key.
//!
//! The additional data names tenant, table, column, row and key version, so a sealed value that is moved to another row, column or tenant
//! does not open. Deleting a tenant's data key makes everything of that tenant unreadable at once.

mod master;

pub use master::{MasterKey, MasterKeyError};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use db::{DbError, TenantTx};
use hmac::{Hmac, Mac};
use model::{Entropy, Secret, TenantId};
use sha2::Sha256;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use uuid::Uuid;
use zeroize::Zeroize as _;

const FORMAT: u8 = 1;
const NONCE_LEN: usize = 24;
/// Format, key version and nonce stand before the ciphertext.
const HEADER_LEN: usize = 1 + 4 + NONCE_LEN;

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

struct DataKey {
    version: u32,
    key: Secret<[u8; 32]>,
}

/// Seals and opens tenants' secrets; keeps the data keys that were used in memory.
pub struct Vault {
    master: MasterKey,
    entropy: Arc<dyn Entropy>,
    keys: Mutex<HashMap<TenantId, Arc<DataKey>>>,
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
        Self { master, entropy, keys: Mutex::default() }
    }

    /// Makes the sealed first data key of a new tenant.
    #[must_use]
    pub fn new_data_key(&self, tenant: TenantId) -> Vec<u8> {
        let mut key = [0; 32];
        self.entropy.fill(&mut key);
        let sealed = self.master.seal(&data_key_aad(tenant, 1), &key, &*self.entropy);
        key.zeroize();
        sealed
    }

    /// Seals a secret of the platform itself under the master key.
    #[must_use]
    pub fn seal_platform(&self, place: Place, plaintext: &[u8]) -> Vec<u8> {
        self.master.seal(&aad(Uuid::nil(), place, 0), plaintext, &*self.entropy)
    }

    /// Opens a secret of the platform itself.
    ///
    /// # Errors
    /// When it was not sealed for this place by this master key.
    pub fn open_platform(&self, place: Place, sealed: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        self.master
            .open(&aad(Uuid::nil(), place, 0), sealed)
            .ok_or(VaultError::DoesNotOpen { table: place.table, column: place.column })
    }

    /// Seals a secret of the transaction's tenant.
    ///
    /// # Errors
    /// When the tenant's data key cannot be read.
    pub async fn seal(&self, tx: &mut TenantTx, place: Place, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        let key = self.data_key(tx).await?;
        let aad = aad(tx.tenant().uuid(), place, key.version);
        let mut sealed = vec![FORMAT];
        sealed.extend(key.version.to_be_bytes());
        sealed.extend(encrypt(key.key.expose(), &aad, plaintext, &*self.entropy));
        Ok(sealed)
    }

    /// Opens a secret of the transaction's tenant.
    ///
    /// # Errors
    /// When it was not sealed for this tenant and place, or the data key cannot be read.
    pub async fn open(&self, tx: &mut TenantTx, place: Place, sealed: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        let key = self.data_key(tx).await?;
        let aad = aad(tx.tenant().uuid(), place, key.version);
        let fits = sealed.len() > HEADER_LEN && sealed[0] == FORMAT && sealed[1..5] == key.version.to_be_bytes();
        fits.then(|| decrypt(key.key.expose(), &aad, &sealed[5..]))
            .flatten()
            .ok_or(VaultError::DoesNotOpen { table: place.table, column: place.column })
    }

    /// Opens a secret that is text.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_text(&self, tx: &mut TenantTx, place: Place, sealed: &[u8]) -> Result<Secret<String>, VaultError> {
        let bytes = self.open(tx, place, sealed).await?;
        String::from_utf8(bytes.expose().clone())
            .map(Secret::new)
            .map_err(|_| VaultError::DoesNotOpen { table: place.table, column: place.column })
    }

    /// Returns a code's fingerprint, by which it can be found but not guessed back without the tenant's key.
    ///
    /// # Errors
    /// When the tenant's data key cannot be read.
    pub async fn fingerprint(&self, tx: &mut TenantTx, purpose: &'static str, code: &str) -> Result<[u8; 32], VaultError> {
        let key = self.data_key(tx).await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.key.expose()).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(code.as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }

    async fn data_key(&self, tx: &mut TenantTx) -> Result<Arc<DataKey>, VaultError> {
        let tenant = tx.tenant();
        if let Some(key) = self.keys.lock().expect("nobody panics with the lock").get(&tenant) {
            return Ok(key.clone());
        }
        let row: Option<(i32, Vec<u8>)> =
            sqlx::query_as("SELECT version, sealed_key FROM data_key WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1")
                .bind(tenant)
                .fetch_optional(tx.conn())
                .await
                .map_err(DbError::from)?;
        let (version, sealed) = row.ok_or(VaultError::NoDataKey)?;
        let version = u32::try_from(version).expect("the column is positive");
        let opened = self
            .master
            .open(&data_key_aad(tenant, version), &sealed)
            .ok_or(VaultError::DoesNotOpen { table: "data_key", column: "sealed_key" })?;
        let bytes: [u8; 32] = opened.expose().as_slice().try_into().map_err(|_| VaultError::NoDataKey)?;
        let key = Arc::new(DataKey { version, key: Secret::new(bytes) });
        self.keys.lock().expect("nobody panics with the lock").insert(tenant, key.clone());
        Ok(key)
    }
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
