//! The master key: 32 bytes in a file that only the controller's user can read.

use super::{decrypt, encrypt};
use model::{Entropy, Secret};
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
                let mut key = [0; 32];
                entropy.fill(&mut key);
                // create_new: two controllers that start at once must not each believe in a key of their own.
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
                file.write_all(format!("{}\n", hex::encode(key)).as_bytes()).map_err(io)?;
                file.sync_all().map_err(io)?;
                Ok((Self(Secret::new(key)), true))
            }
            Err(error) => Err(io(error)),
        }
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

    pub(super) fn seal(&self, aad: &[u8], plaintext: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        encrypt(self.0.expose(), aad, plaintext, entropy)
    }

    pub(super) fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
        decrypt(self.0.expose(), aad, sealed)
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
}
