//! The form of a backup file, without files, clocks or randomness of its own: what is pushed in comes out sealed, and the other way round.
//!
//! ```text
//! header, 128 bytes     magic, version, kind, recipient, key id or salt, Argon2 parameters, tenant, wrapped file key
//! chunk, chunk, …       64 KiB of plaintext each (the last one less), XChaCha20-Poly1305 under the file key
//! ```
//!
//! Each file has a random key of its own, so the nonces count: chunk number and whether it is the last one. A chunk that is missing,
//! doubled, moved, cut off or of another file does not open. The wrapped key alone depends on whose the file is, so a new master key
//! rewraps 128 bytes and leaves the rest as it is.

use super::BackupError;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use model::{Secret, TenantId};
use uuid::Uuid;

/// Bytes of the header.
pub const HEADER_LEN: usize = 128;
/// Plaintext bytes of every chunk but the last.
pub const CHUNK_LEN: usize = 64 << 10;
/// What Poly1305 adds to a chunk.
const TAG_LEN: usize = 16;
/// Bytes of a sealed chunk that is not the last.
pub const SEALED_LEN: usize = CHUNK_LEN + TAG_LEN;
const MAGIC: &[u8; 8] = b"MASTWIRE";
/// The version of this form. A file with a higher one is refused.
const VERSION: u8 = 1;
/// Nonce, key and tag.
const WRAPPED_LEN: usize = 24 + 32 + TAG_LEN;
/// What stands before the wrapped key, which is bound to it.
const BOUND_LEN: usize = HEADER_LEN - WRAPPED_LEN;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One tenant.
    Tenant,
    /// What belongs to the platform: operators, the hub's key, and the master key.
    Instance,
}

/// How much work a guess at a passphrase costs: Argon2id's memory in KiB, passes and lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// 64 MiB and 3 passes: a quarter of a second here, once a file.
    pub const DEFAULT: Self = Self { memory_kib: 64 << 10, passes: 3, lanes: 1 };
    /// More than a file may ask of who reads it.
    const MAX: Self = Self { memory_kib: 1 << 20, passes: 16, lanes: 8 };

    const fn is_bearable(self) -> bool {
        self.memory_kib <= Self::MAX.memory_kib
            && self.memory_kib >= 8
            && self.passes <= Self::MAX.passes
            && self.passes >= 1
            && self.lanes <= Self::MAX.lanes
            && self.lanes >= 1
    }
}

/// Who can open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// Who has the master key that this is the tenant's key of.
    Master {
        /// Says which key it is, without telling anything of it.
        key_id: [u8; 16],
    },
    /// Who knows the passphrase.
    Passphrase {
        /// Makes the same passphrase another key in each file.
        salt: [u8; 16],
        /// What turning it into a key costs.
        cost: Cost,
    },
}

/// What can be known of a file without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What it holds.
    pub kind: Kind,
    /// Who can open it.
    pub recipient: Recipient,
    /// The tenant it was taken of; nil for an instance.
    pub tenant: TenantId,
    wrapped: [u8; WRAPPED_LEN],
}

/// The key of one file.
pub type FileKey = Secret<[u8; 32]>;

impl Header {
    /// Makes a file's header: wraps the file's key for its recipient.
    #[must_use]
    pub fn new(
        kind: Kind,
        tenant: TenantId,
        recipient: Recipient,
        recipient_key: &FileKey,
        file_key: &FileKey,
        nonce: [u8; 24],
    ) -> Self {
        let mut header = Self { kind, recipient, tenant, wrapped: [0; WRAPPED_LEN] };
        let payload = Payload { msg: file_key.expose(), aad: &header.bound() };
        let sealed = XChaCha20Poly1305::new(recipient_key.expose().into())
            .encrypt(&XNonce::from(nonce), payload)
            .expect("32 bytes are below every limit");
        header.wrapped[..24].copy_from_slice(&nonce);
        header.wrapped[24..].copy_from_slice(&sealed);
        header
    }

    /// Gets the file's key out with the recipient's.
    ///
    /// # Errors
    /// When it is the wrong key or passphrase, or the header was changed.
    pub fn unwrap(&self, recipient_key: &FileKey) -> Result<FileKey, BackupError> {
        let (nonce, sealed) = self.wrapped.split_first_chunk::<24>().expect("the array is longer");
        let opened = XChaCha20Poly1305::new(recipient_key.expose().into())
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &self.bound() })
            .map_err(|_| match self.recipient {
                Recipient::Master { .. } => BackupError::WrongMasterKey,
                Recipient::Passphrase { .. } => BackupError::WrongPassphrase,
            })?;
        let opened = Secret::new(opened);
        Ok(Secret::new(opened.expose().as_slice().try_into().expect("what was sealed are 32 bytes")))
    }

    /// Returns the header as it stands in the file.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..BOUND_LEN].copy_from_slice(&self.bound());
        bytes[BOUND_LEN..].copy_from_slice(&self.wrapped);
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// When this is no backup, or one in a form that is not known here.
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, BackupError> {
        if bytes[..8] != *MAGIC {
            return Err(BackupError::NotABackup);
        }
        if bytes[8] != VERSION {
            return Err(BackupError::UnknownForm { found: bytes[8], known: VERSION });
        }
        let kind = match bytes[9] {
            1 => Kind::Tenant,
            2 => Kind::Instance,
            _ => return Err(BackupError::Damaged),
        };
        let sixteen = |at: usize| -> [u8; 16] { bytes[at..at + 16].try_into().expect("sixteen bytes") };
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let recipient = match bytes[10] {
            1 => Recipient::Master { key_id: sixteen(12) },
            2 => {
                let cost = Cost { memory_kib: number(28), passes: number(32), lanes: number(36) };
                // Nobody's file may make us take all memory or run for hours.
                if !cost.is_bearable() {
                    return Err(BackupError::Damaged);
                }
                Recipient::Passphrase { salt: sixteen(12), cost }
            }
            _ => return Err(BackupError::Damaged),
        };
        let tenant = TenantId::from_uuid(Uuid::from_bytes(sixteen(40)));
        let header = Self { kind, recipient, tenant, wrapped: bytes[BOUND_LEN..].try_into().expect("the rest") };
        // Bytes without a meaning would be bytes that nobody checks.
        if header.bound() != bytes[..BOUND_LEN] {
            return Err(BackupError::Damaged);
        }
        Ok(header)
    }

    /// What the wrapped key is bound to.
    fn bound(&self) -> [u8; BOUND_LEN] {
        let mut bytes = [0; BOUND_LEN];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = VERSION;
        bytes[9] = match self.kind {
            Kind::Tenant => 1,
            Kind::Instance => 2,
        };
        match self.recipient {
            Recipient::Master { key_id } => {
                bytes[10] = 1;
                bytes[12..28].copy_from_slice(&key_id);
            }
            Recipient::Passphrase { salt, cost } => {
                bytes[10] = 2;
                bytes[12..28].copy_from_slice(&salt);
                bytes[28..32].copy_from_slice(&cost.memory_kib.to_be_bytes());
                bytes[32..36].copy_from_slice(&cost.passes.to_be_bytes());
                bytes[36..40].copy_from_slice(&cost.lanes.to_be_bytes());
            }
        }
        bytes[40..56].copy_from_slice(self.tenant.uuid().as_bytes());
        bytes
    }

    /// What each chunk is bound to: not the recipient, who may change.
    fn chunk_aad(&self) -> Vec<u8> {
        let bound = self.bound();
        [&bound[..10], &bound[40..56]].concat()
    }
}

fn chunk_nonce(number: u64, last: bool) -> XNonce {
    let mut nonce = [0; 24];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[8] = u8::from(last);
    XNonce::from(nonce)
}

/// Seals what is pushed into it, chunk by chunk.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    aad: Vec<u8>,
    number: u64,
    waiting: Vec<u8>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({} chunks)", self.number)
    }
}

impl Sealer {
    /// Begins a file; the header goes before what comes out.
    #[must_use]
    pub fn new(header: &Header, key: &FileKey) -> Self {
        let cipher = XChaCha20Poly1305::new(key.expose().into());
        Self { cipher, aad: header.chunk_aad(), number: 0, waiting: Vec::with_capacity(CHUNK_LEN) }
    }

    /// Takes plaintext and appends the chunks that are full to `out`.
    pub fn push(&mut self, mut plaintext: &[u8], out: &mut Vec<u8>) {
        while !plaintext.is_empty() {
            // A full chunk waits until more comes, because the last one is sealed as such.
            if self.waiting.len() == CHUNK_LEN {
                self.seal(false, out);
            }
            let fits = plaintext.len().min(CHUNK_LEN - self.waiting.len());
            self.waiting.extend_from_slice(&plaintext[..fits]);
            plaintext = &plaintext[fits..];
        }
    }

    /// Appends the last chunk to `out`. Nothing is pushed after it.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.seal(true, out);
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>) {
        let payload = Payload { msg: &self.waiting, aad: &self.aad };
        let sealed = self.cipher.encrypt(&chunk_nonce(self.number, last), payload).expect("a chunk is below every limit");
        out.extend(sealed);
        self.number += 1;
        self.waiting.clear();
    }
}

/// Opens what is pushed into it, chunk by chunk; nothing comes out that was not sealed exactly there.
pub struct Opener {
    cipher: XChaCha20Poly1305,
    aad: Vec<u8>,
    number: u64,
    waiting: Vec<u8>,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opener({} chunks)", self.number)
    }
}

impl Opener {
    /// Begins behind the header.
    #[must_use]
    pub fn new(header: &Header, key: &FileKey) -> Self {
        let cipher = XChaCha20Poly1305::new(key.expose().into());
        Self { cipher, aad: header.chunk_aad(), number: 0, waiting: Vec::with_capacity(SEALED_LEN) }
    }

    /// Takes sealed bytes and appends to `out` what can be opened by now.
    ///
    /// # Errors
    /// When a chunk is not the one that belongs there.
    pub fn push(&mut self, mut sealed: &[u8], out: &mut Vec<u8>) -> Result<(), BackupError> {
        while !sealed.is_empty() {
            if self.waiting.len() == SEALED_LEN {
                self.open(false, out)?;
            }
            let fits = sealed.len().min(SEALED_LEN - self.waiting.len());
            self.waiting.extend_from_slice(&sealed[..fits]);
            sealed = &sealed[fits..];
        }
        Ok(())
    }

    /// Opens the last chunk. Nothing is pushed after it.
    ///
    /// # Errors
    /// When what came last was not sealed as the last one: the file was cut off or changed.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), BackupError> {
        self.open(true, out)
    }

    fn open(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), BackupError> {
        let payload = Payload { msg: &self.waiting, aad: &self.aad };
        let opened = self.cipher.decrypt(&chunk_nonce(self.number, last), payload).map_err(|_| BackupError::Damaged)?;
        out.extend(Secret::new(opened).expose());
        self.number += 1;
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> FileKey {
        Secret::new([byte; 32])
    }

    fn header(tenant: u128) -> Header {
        let tenant = TenantId::from_uuid(Uuid::from_u128(tenant));
        Header::new(Kind::Tenant, tenant, Recipient::Master { key_id: [3; 16] }, &key(1), &key(2), [9; 24])
    }

    fn seal(header: &Header, pieces: &[&[u8]]) -> Vec<u8> {
        let mut sealer = Sealer::new(header, &key(2));
        let mut out = Vec::new();
        for piece in pieces {
            sealer.push(piece, &mut out);
        }
        sealer.finish(&mut out);
        out
    }

    fn open(header: &Header, pieces: &[&[u8]]) -> Result<Vec<u8>, BackupError> {
        let mut opener = Opener::new(header, &key(2));
        let mut out = Vec::new();
        for piece in pieces {
            opener.push(piece, &mut out)?;
        }
        opener.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn a_header_comes_back_and_opens_for_its_recipient_alone() {
        for recipient in [Recipient::Master { key_id: [3; 16] }, Recipient::Passphrase { salt: [4; 16], cost: Cost::DEFAULT }] {
            let tenant = TenantId::from_uuid(Uuid::from_u128(7));
            let header = Header::new(Kind::Instance, tenant, recipient, &key(1), &key(2), [9; 24]);
            let decoded = Header::decode(&header.encode()).expect("it is one");
            assert_eq!(decoded, header);
            assert_eq!(decoded.unwrap(&key(1)).expect("the right key").expose(), key(2).expose());
            assert!(decoded.unwrap(&key(5)).is_err());
        }
    }

    #[test]
    fn every_bit_of_a_header_counts() {
        let good = header(7).encode();
        for bit in 0..HEADER_LEN * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            let outcome = Header::decode(&bytes).and_then(|header| header.unwrap(&key(1)));
            assert!(outcome.is_err(), "bit {bit} was flipped and nobody saw it");
        }
    }

    #[test]
    fn nobody_has_to_do_unbearable_work_for_a_file() {
        let cost = Cost { memory_kib: u32::MAX, passes: 3, lanes: 1 };
        let recipient = Recipient::Passphrase { salt: [4; 16], cost };
        let header = Header::new(Kind::Tenant, TenantId::from_uuid(Uuid::nil()), recipient, &key(1), &key(2), [9; 24]);
        assert!(matches!(Header::decode(&header.encode()), Err(BackupError::Damaged)));
    }

    #[test]
    fn a_cut_at_each_chunk_is_seen() {
        let header = header(7);
        let sealed = seal(&header, &[&vec![5; 3 * CHUNK_LEN]]);
        assert_eq!(sealed.len(), 3 * SEALED_LEN);
        for chunks in 0..3 {
            assert!(open(&header, &[&sealed[..chunks * SEALED_LEN]]).is_err(), "{chunks} chunks of 3");
        }
        assert!(open(&header, &[&sealed, b"more"]).is_err());
        assert!(open(&header, &[&sealed, &sealed[..SEALED_LEN]]).is_err(), "a chunk again");
        assert!(open(&header, &[&sealed[SEALED_LEN..2 * SEALED_LEN], &sealed[..SEALED_LEN], &sealed[2 * SEALED_LEN..]]).is_err());
    }

    #[test]
    fn a_chunk_of_another_tenants_file_does_not_open() {
        let sealed = seal(&header(7), &[b"rows"]);
        assert!(open(&header(8), &[&sealed]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_goes_in_comes_out_however_it_is_cut(
            length in prop_oneof![0_usize..300, CHUNK_LEN - 2..CHUNK_LEN + 3, 2 * CHUNK_LEN - 1..2 * CHUNK_LEN + 2],
            first in 0_usize..200_000,
            second in 0_usize..200_000,
        ) {
            let plaintext: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            let (head, tail) = plaintext.split_at(first.min(length));
            let sealed = seal(&header(7), &[head, tail]);
            let (head, tail) = sealed.split_at(second.min(sealed.len()));
            prop_assert_eq!(open(&header(7), &[head, tail]).expect("whole"), plaintext);
        }

        #[test]
        fn no_changed_or_missing_byte_goes_unseen(length in 0_usize..2 * CHUNK_LEN, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let sealed = seal(&header(7), &[&vec![7; length]]);
            let at = at.index(sealed.len());
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            prop_assert!(open(&header(7), &[&changed]).is_err());
            prop_assert!(open(&header(7), &[&sealed[..at]]).is_err());
        }
    }
}
