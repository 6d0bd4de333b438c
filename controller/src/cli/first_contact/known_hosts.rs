//! The host keys of routers that were met before, by address. They are kept beside the login, in a file of the person at this machine.

use super::super::login;
use super::Fingerprint;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The file's name.
const FILE: &str = "ssh-host-keys.toml";
/// The most addresses that are kept; beyond, the file is not ours.
const ADDRESSES_MAX: usize = 10_000;

/// The keys that are kept.
#[derive(Debug, Default)]
pub(super) struct KnownHosts {
    /// None where this machine has no place for them, or in a test.
    path: Option<PathBuf>,
    keys: BTreeMap<String, Fingerprint>,
}

impl KnownHosts {
    /// Reads them.
    ///
    /// # Errors
    /// When the file is there and cannot be read: a key that is not looked at must not be taken for a new one.
    pub(super) fn read() -> anyhow::Result<Self> {
        let Some(path) = login::folder().map(|folder| folder.join(FILE)) else { return Ok(Self::default()) };
        Self::read_from(path)
    }

    fn read_from(path: PathBuf) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self { path: Some(path), keys: BTreeMap::new() }),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let strange = || format!("{} is not as it was written: remove it to begin anew", path.display());
        let lines: BTreeMap<String, String> = toml::from_str(&text).with_context(strange)?;
        let keys = lines.into_iter().map(|(address, key)| Ok((address, key.parse()?))).collect::<anyhow::Result<_>>();
        let keys = keys.with_context(strange)?;
        Ok(Self { path: Some(path), keys })
    }

    /// Returns the key of an address.
    pub(super) fn of(&self, address: &str) -> Option<&Fingerprint> {
        self.keys.get(address)
    }

    /// Keeps the key of an address, in the place of an earlier one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn keep(&mut self, address: &str, key: &Fingerprint) -> anyhow::Result<()> {
        if self.keys.len() >= ADDRESSES_MAX {
            self.keys.clear();
        }
        self.keys.insert(address.to_owned(), key.clone());
        let Some(path) = &self.path else { return Ok(()) };
        let lines: BTreeMap<&str, &str> = self.keys.iter().map(|(address, key)| (address.as_str(), key.as_str())).collect();
        let text = toml::to_string(&lines)?;
        login::keep(path, &text).with_context(|| format!("the router's host key cannot be kept in {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_and_a_broken_file_is_not_taken_for_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deeper").join(FILE);
        let key = Fingerprint::of(&[7; 32]);
        let mut known = KnownHosts::read_from(path.clone()).expect("none is there yet");
        known.keep("192.168.88.1:22", &key).expect("kept");
        known.keep("[fe80::1]:22", &key).expect("kept");
        let again = KnownHosts::read_from(path.clone()).expect("read");
        assert_eq!(again.of("192.168.88.1:22"), Some(&key));
        assert_eq!(again.of("[fe80::1]:22"), Some(&key));
        assert_eq!(again.of("192.168.88.1:2222"), None);
        fs::write(&path, "\"192.168.88.1:22\" = \"SHA256:short\"").expect("written");
        assert!(KnownHosts::read_from(path).is_err());
    }
}
