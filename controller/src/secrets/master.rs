//! The master key: 32 bytes in a file that only the controller's user can read.

use super::{decrypt, encrypt};
use hmac::{Hmac, KeyInit as _, Mac};
use model::{Entropy, Secret, TenantId};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Why the master key is not usable.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file is readable by others.
    #[error("{path} has mode {mode:o}; others can read it. Run: chmod 600 {path}")]
    Mode { path: PathBuf, mode: u32 },
    /// The file does not hold a key.
    #[error(
        "{0} does not hold a master key (64 hexadecimal digits). Restore your copy; a new key cannot open what the old one sealed"
    )]
    Malformed(PathBuf),
    /// The file cannot be read or written.
    #[error("the master key file {path} cannot be used")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// The key that seals all tenants' data keys.
#[derive(Debug, Clone)]
pub struct MasterKey(Secret<[u8; 32]>);

impl MasterKey {
    /// Reads the key from a file, or makes both; says whether it is new.
    ///
    /// # Errors
    /// When the file cannot be used or is open to others.
    pub fn load_or_create(path: &Path, entropy: &dyn Entropy) -> Result<(Self, bool), MasterKeyError> {
        let io = |source| MasterKeyError::Io { path: path.to_owned(), source };
        match File::open(path) {
            Ok(file) => Ok((Self::read(path, file)?, false)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = Self::draw(entropy);
                key.save(path)?;
                Ok((key, true))
            }
            Err(error) => Err(io(error)),
        }
    }

    fn draw(entropy: &dyn Entropy) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Self(Secret::new(key))
    }

    fn read(path: &Path, mut file: File) -> Result<Self, MasterKeyError> {
        let io = |source| MasterKeyError::Io { path: path.to_owned(), source };
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Mode { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let text = Secret::new(text);
        let mut key = [0; 32];
        hex::decode_to_slice(text.expose().trim(), &mut key).map_err(|_| MasterKeyError::Malformed(path.to_owned()))?;
        Ok(Self(Secret::new(key)))
    }

    /// Reads the key from a file.
    ///
    /// # Errors
    /// When the file is not there, cannot be used or is open to others.
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let file = File::open(path).map_err(|source| MasterKeyError::Io { path: path.to_owned(), source })?;
        Self::read(path, file)
    }

    /// Writes the key into a file that is not there yet.
    ///
    /// # Errors
    /// When it is there or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), MasterKeyError> {
        let io = |source| MasterKeyError::Io { path: path.to_owned(), source };
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{}", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).map_err(io)?;
        let text = Secret::new(format!("{}\n", hex::encode(self.0.expose())));
        file.write_all(text.expose().as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        // A link is refused where there is a file: two controllers that start at once must not each believe in a key of their own. And it
        // comes when the key is whole, so a crash leaves no half of one.
        let linked = std::fs::hard_link(&unfinished, path).map_err(io);
        drop(std::fs::remove_file(&unfinished));
        linked
    }

    /// Takes a key out of a backup of the whole instance.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Returns the key, for a backup of the whole instance.
    #[must_use]
    pub const fn bytes(&self) -> &Secret<[u8; 32]> {
        &self.0
    }

    /// Derives the key that a tenant's backup files are sealed for, and a name that tells nothing of it.
    #[must_use]
    pub fn backup_key(&self, tenant: TenantId) -> (Secret<[u8; 32]>, [u8; 16]) {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("HMAC takes a key of any length");
        mac.update(b"mastwire backup of a tenant\0");
        mac.update(tenant.uuid().as_bytes());
        let key: [u8; 32] = mac.finalize().into_bytes().into();
        let digest = Sha256::new().chain_update(b"mastwire name of a backup key\0").chain_update(key).finalize();
        (Secret::new(key), digest[..16].try_into().expect("a SHA-256 is longer"))
    }

    pub(super) fn seal(&self, aad: &[u8], plaintext: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        encrypt(self.0.expose(), aad, plaintext, entropy)
    }

    pub(super) fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
        decrypt(self.0.expose(), aad, sealed)
    }
}

/// The master key's file while the key is changed: the next key lies beside it until everything is sealed by that.
#[derive(Debug, Clone)]
pub struct MasterFile(PathBuf);

impl MasterFile {
    /// Names the file.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.0.as_os_str().to_owned();
        name.push(ending);
        name.into()
    }

    /// Reads the next key, if a change has begun and not ended.
    ///
    /// # Errors
    /// When its file cannot be used.
    pub fn next(&self) -> Result<Option<MasterKey>, MasterKeyError> {
        let path = self.beside(".next");
        if path.exists() { MasterKey::load(&path).map(Some) } else { Ok(None) }
    }

    /// Begins a change, or goes on with one that has begun.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn begin(&self, entropy: &dyn Entropy) -> Result<MasterKey, MasterKeyError> {
        MasterKey::load_or_create(&self.beside(".next"), entropy).map(|(key, _)| key)
    }

    /// Ends a change: the next key takes the place of the old one, which stays beside it under the name that is returned.
    ///
    /// # Errors
    /// When a file cannot be used; the change can then be gone on with.
    pub fn finish(&self, day: &str) -> Result<PathBuf, MasterKeyError> {
        let mut old = self.beside(&format!(".until-{day}"));
        for number in 2.. {
            if !old.exists() {
                break;
            }
            old = self.beside(&format!(".until-{day}.{number}"));
        }
        let io = |source| MasterKeyError::Io { path: self.0.clone(), source };
        // A second name first, then one rename over the first: at no moment is there no master key.
        std::fs::hard_link(&self.0, &old).map_err(io)?;
        std::fs::rename(self.beside(".next"), &self.0).map_err(io)?;
        let folder = self.0.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        Ok(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SeededEntropy;

    #[test]
    fn made_once_and_kept_to_ourselves() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.key");
        let entropy = SeededEntropy::new(3);
        let (first, new) = MasterKey::load_or_create(&path, &entropy).expect("made");
        assert!(new);
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let (second, new) = MasterKey::load_or_create(&path, &entropy).expect("read");
        assert!(!new && second.0 == first.0);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("opened up");
        assert!(matches!(MasterKey::load_or_create(&path, &entropy), Err(MasterKeyError::Mode { mode: 0o644, .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("closed");
        std::fs::write(&path, "torn").expect("written");
        assert!(matches!(MasterKey::load_or_create(&path, &entropy), Err(MasterKeyError::Malformed(_))));
    }

    #[test]
    fn there_is_a_master_key_at_every_moment_of_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.key");
        let entropy = SeededEntropy::new(3);
        let (first, _) = MasterKey::load_or_create(&path, &entropy).expect("made");
        let file = MasterFile::new(&path);
        assert!(file.next().expect("readable").is_none());
        let next = file.begin(&entropy).expect("begun");
        assert_eq!(file.begin(&entropy).expect("gone on with").0, next.0, "a second begin is the same change");
        assert_eq!(MasterKey::load(&path).expect("still there").0, first.0);
        let old = file.finish("2026-01-15").expect("finished");
        assert_eq!(MasterKey::load(&path).expect("replaced").0, next.0);
        assert_eq!(MasterKey::load(&old).expect("kept").0, first.0);
        assert!(file.next().expect("readable").is_none());
        file.begin(&entropy).expect("again");
        assert_ne!(file.finish("2026-01-15").expect("finished"), old, "no old key is written over");
    }
}
