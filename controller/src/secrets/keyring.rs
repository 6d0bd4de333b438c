//! A tenant's data keys, opened: what seals, what opened before it, and what makes fingerprints.

use super::{Place, VaultError, aad, decrypt, encrypt};
use hmac::{Hmac, KeyInit as _, Mac};
use jiff::Timestamp;
use model::{Entropy, Secret, TenantId};
use sha2::Sha256;
use uuid::Uuid;

const FORMAT: u8 = 1;
/// Format, key version and nonce stand before the ciphertext.
const HEADER_LEN: usize = 1 + 4 + super::NONCE_LEN;

/// What a data key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It seals secrets. Of several, the one with the highest version does; the others only open.
    Seal,
    /// It makes fingerprints, by which codes are found. It does not change: codes are in people's hands.
    Fingerprint,
}

impl Purpose {
    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Fingerprint => "fingerprint",
        }
    }

    /// Reads the stored name; the column's CHECK lets no other in.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        [Self::Seal, Self::Fingerprint].into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// One key.
#[derive(Debug, Clone)]
pub struct DataKey {
    /// Its row's id.
    pub id: Uuid,
    /// What it is for.
    pub purpose: Purpose,
    /// Which one of its purpose it is, from 1.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// The key.
    pub key: Secret<[u8; 32]>,
}

/// All data keys of a tenant.
#[derive(Debug, Clone)]
pub struct Keyring {
    tenant: TenantId,
    keys: Vec<DataKey>,
}

impl Keyring {
    /// Puts keys on a ring.
    #[must_use]
    pub const fn new(tenant: TenantId, keys: Vec<DataKey>) -> Self {
        Self { tenant, keys }
    }

    /// Returns the keys.
    #[must_use]
    pub fn keys(&self) -> &[DataKey] {
        &self.keys
    }

    /// Finds a key by its row's id.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<&DataKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Returns the key that seals.
    #[must_use]
    pub fn newest(&self) -> Option<&DataKey> {
        self.keys.iter().filter(|key| key.purpose == Purpose::Seal).max_by_key(|key| key.version)
    }

    /// Seals a secret with one of the keys.
    #[must_use]
    pub fn seal(&self, key: &DataKey, place: Place, plaintext: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let mut sealed = prefix(key.version);
        sealed.extend(encrypt(key.key.expose(), &aad(self.tenant.uuid(), place, key.version), plaintext, entropy));
        sealed
    }

    /// Opens a secret with the key it was sealed with.
    #[must_use]
    pub fn open(&self, place: Place, sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
        if sealed.len() <= HEADER_LEN {
            return None;
        }
        let is_it = |key: &&DataKey| key.purpose == Purpose::Seal && sealed[..5] == prefix(key.version);
        let key = self.keys.iter().find(is_it)?;
        decrypt(key.key.expose(), &aad(self.tenant.uuid(), place, key.version), &sealed[5..])
    }

    /// Returns a code's fingerprint, by which it can be found but not guessed back without the tenant's key.
    ///
    /// # Errors
    /// When the tenant has no key for it.
    pub fn fingerprint(&self, purpose: &str, code: &str) -> Result<[u8; 32], VaultError> {
        let key = self.keys.iter().find(|key| key.purpose == Purpose::Fingerprint).ok_or(VaultError::NoDataKey)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.key.expose()).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(code.as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }
}

/// What every value that was sealed with a version of the key begins with.
#[must_use]
pub fn prefix(version: u32) -> Vec<u8> {
    [&[FORMAT][..], &version.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SeededEntropy;

    fn key(number: u8, purpose: Purpose, version: u32) -> DataKey {
        let id = Uuid::from_u128(u128::from(number));
        DataKey { id, purpose, version, created_at: Timestamp::UNIX_EPOCH, key: Secret::new([number; 32]) }
    }

    fn ring(keys: &[DataKey]) -> Keyring {
        Keyring::new(TenantId::from_uuid(Uuid::from_u128(9)), keys.to_vec())
    }

    const PLACE: Place = Place { table: "customer", column: "password", row: Uuid::nil() };

    #[test]
    fn the_newest_seals_and_each_opens_its_own() {
        let entropy = SeededEntropy::new(1);
        let (old, new) = (key(1, Purpose::Seal, 1), key(2, Purpose::Seal, 2));
        let before = ring(std::slice::from_ref(&old)).seal(&old, PLACE, b"hunter2", &entropy);
        let both = ring(&[old, new.clone()]);
        assert_eq!(both.newest().expect("two").version, 2);
        let after = both.seal(both.newest().expect("two"), PLACE, b"hunter3", &entropy);
        let open = |ring: &Keyring, sealed: &[u8]| ring.open(PLACE, sealed).map(|secret| secret.expose().clone());
        assert_eq!(open(&both, &before).expect("sealed by the first"), b"hunter2");
        assert_eq!(open(&both, &after).expect("sealed by the second"), b"hunter3");
        let retired = ring(&[new]);
        assert!(open(&retired, &before).is_none() && open(&retired, &after).is_some());
        assert!(open(&both, &before[..20]).is_none(), "cut");
    }

    #[test]
    fn a_fingerprint_outlives_a_change_of_the_sealing_key() {
        let print = key(3, Purpose::Fingerprint, 1);
        let before = ring(&[key(1, Purpose::Seal, 1), print.clone()]).fingerprint("voucher", "ABC").expect("a key");
        let after = ring(&[key(2, Purpose::Seal, 2), print]).fingerprint("voucher", "ABC").expect("a key");
        assert_eq!(before, after);
        assert!(ring(&[key(1, Purpose::Seal, 1)]).fingerprint("voucher", "ABC").is_err());
    }
}
