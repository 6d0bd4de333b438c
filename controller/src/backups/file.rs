//! Backup files on disk: written under another name until they are whole, read twice, once to be sure.

use super::BackupError;
use super::format::{Cost, FileKey, HEADER_LEN, Header, Kind, Opener, Recipient, SEALED_LEN, Sealer};
use super::lines::{Auditor, Author, Line, TableLine};
use crate::secrets::{MasterKey, Vault};
use argon2::{Algorithm, Argon2, Params, Version};
use model::{Entropy, Secret, TenantId};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// The fewest characters of a passphrase: a file can be guessed at without end.
const PASSPHRASE_MIN: usize = 12;

/// Who is to be able to open a file.
#[derive(Debug, Clone)]
pub enum SealFor {
    /// Who has this installation's master key.
    Master,
    /// Who knows a passphrase.
    Passphrase(Secret<String>),
}

/// What may open a file.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The passphrase, if there is one.
    pub passphrase: Option<Secret<String>>,
    /// A master key other than this installation's.
    pub master: Option<MasterKey>,
}

/// Checks a new passphrase.
///
/// # Errors
/// When it is too short to stand against guesses.
pub fn check_passphrase(passphrase: &Secret<String>) -> Result<(), BackupError> {
    if passphrase.expose().chars().count() < PASSPHRASE_MIN {
        return Err(BackupError::WeakPassphrase(PASSPHRASE_MIN));
    }
    Ok(())
}

async fn stretch(passphrase: &Secret<String>, salt: [u8; 16], cost: Cost) -> Result<FileKey, BackupError> {
    let passphrase = passphrase.clone();
    let key = tokio::task::spawn_blocking(move || {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
        let mut key = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), &salt, &mut key)
            .ok()?;
        Some(Secret::new(key))
    });
    key.await.expect("hashing does not panic").ok_or(BackupError::Damaged)
}

/// A backup file that is being written.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    unfinished: PathBuf,
    sealer: Sealer,
    author: Author,
    plain: Vec<u8>,
    sealed: Vec<u8>,
    bytes: u64,
    hash: Sha256,
    done: bool,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Tables in it.
    pub tables: u32,
    /// Rows in it.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}

impl Writer {
    /// Begins a file beside the place where it will stand; what stands there is replaced when the new one is whole.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn create(
        path: &Path,
        kind: Kind,
        tenant: TenantId,
        seal_for: &SealFor,
        vault: &Vault,
        entropy: &dyn Entropy,
    ) -> Result<Self, BackupError> {
        let mut random = [0; 72];
        entropy.fill(&mut random);
        let (file_key, rest) = random.split_first_chunk::<32>().expect("72 bytes");
        let (nonce, salt) = rest.split_first_chunk::<24>().expect("40 bytes");
        let (file_key, salt): (FileKey, [u8; 16]) = (Secret::new(*file_key), salt.try_into().expect("16 bytes are left"));
        let (recipient, key) = match seal_for {
            SealFor::Master => {
                let (key, key_id) = vault.backup_key(tenant);
                (Recipient::Master { key_id }, key)
            }
            SealFor::Passphrase(passphrase) => {
                check_passphrase(passphrase)?;
                (Recipient::Passphrase { salt, cost: Cost::DEFAULT }, stretch(passphrase, salt, Cost::DEFAULT).await?)
            }
        };
        let header = Header::new(kind, tenant, recipient, &key, &file_key, *nonce);
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished).await.map_err(io(&unfinished))?;
        let sealer = Sealer::new(&header, &file_key);
        let mut writer = Self {
            file,
            path: path.to_owned(),
            unfinished,
            sealer,
            author: Author::default(),
            plain: Vec::new(),
            sealed: header.encode().to_vec(),
            bytes: 0,
            hash: Sha256::new(),
            done: false,
        };
        writer.flush().await?;
        Ok(writer)
    }

    /// Adds a line that is not about rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn say(&mut self, line: &Line) -> Result<(), BackupError> {
        self.author.say(line, &mut self.plain);
        self.seal().await
    }

    /// Begins a table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn begin(&mut self, table: &TableLine) -> Result<(), BackupError> {
        self.author.begin(table, &mut self.plain);
        self.seal().await
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn rows(&mut self, rows: &[(String, String)]) -> Result<(), BackupError> {
        for (_, row) in rows {
            self.author.row(row, &mut self.plain);
        }
        self.seal().await
    }

    /// Ends the table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn end(&mut self) -> Result<(), BackupError> {
        self.author.end(&mut self.plain);
        self.seal().await
    }

    /// Ends the file and puts it in its place, whole and on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish(mut self) -> Result<Written, BackupError> {
        let (tables, rows) = self.author.finish(&mut self.plain);
        self.seal().await?;
        self.sealer.finish(&mut self.sealed);
        self.flush().await?;
        self.file.sync_all().await.map_err(io(&self.unfinished))?;
        tokio::fs::rename(&self.unfinished, &self.path).await.map_err(io(&self.path))?;
        self.done = true;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = File::open(folder).await.map_err(io(folder))?;
        folder.sync_all().await.map_err(io(&self.path))?;
        let sha256 = std::mem::take(&mut self.hash).finalize().into();
        Ok(Written { tables, rows, bytes: self.bytes, sha256 })
    }

    async fn seal(&mut self) -> Result<(), BackupError> {
        self.sealer.push(&self.plain, &mut self.sealed);
        zeroize::Zeroize::zeroize(&mut self.plain);
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), BackupError> {
        self.hash.update(&self.sealed);
        self.bytes += self.sealed.len() as u64;
        self.file.write_all(&self.sealed).await.map_err(io(&self.unfinished))?;
        self.sealed.clear();
        self.file.flush().await.map_err(io(&self.unfinished))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.done {
            drop(std::fs::remove_file(&self.unfinished));
        }
    }
}

/// A backup file that is being read.
#[derive(Debug)]
pub struct Reader {
    file: File,
    path: PathBuf,
    header: Header,
    key: FileKey,
    opener: Opener,
    auditor: Auditor,
    sealed: Vec<u8>,
    opened: Vec<u8>,
    ended: bool,
}

impl Reader {
    /// Opens a file with the keys there are.
    ///
    /// # Errors
    /// When it is no backup, or none of the keys opens it.
    pub async fn open(path: &Path, keys: &Keys, vault: Option<&Vault>) -> Result<Self, BackupError> {
        let mut file = File::open(path).await.map_err(io(path))?;
        let header = read_header(&mut file, path).await?;
        let recipient_key = match header.recipient {
            Recipient::Master { key_id } => {
                let other = keys.master.as_ref().map(|master| master.backup_key(header.tenant));
                let other = other.filter(|(_, name)| *name == key_id).map(|(key, _)| key);
                let ours = || vault.and_then(|vault| vault.backup_key_named(header.tenant, &key_id));
                other.or_else(ours).ok_or(BackupError::WrongMasterKey)?
            }
            Recipient::Passphrase { salt, cost } => {
                let passphrase = keys.passphrase.as_ref().ok_or(BackupError::NeedsPassphrase)?;
                stretch(passphrase, salt, cost).await?
            }
        };
        let key = header.unwrap(&recipient_key)?;
        let opener = Opener::new(&header, &key);
        let (path, sealed) = (path.to_owned(), vec![0; SEALED_LEN]);
        Ok(Self { file, path, header, key, opener, auditor: Auditor::default(), sealed, opened: Vec::new(), ended: false })
    }

    /// Returns what the file says of itself.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Goes back to the beginning.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn rewind(&mut self) -> Result<(), BackupError> {
        self.file.seek(std::io::SeekFrom::Start(HEADER_LEN as u64)).await.map_err(io(&self.path))?;
        (self.opener, self.auditor, self.ended) = (Opener::new(&self.header, &self.key), Auditor::default(), false);
        Ok(())
    }

    /// Returns the next line; none behind the end of a file that is whole.
    ///
    /// # Errors
    /// When the file cannot be read, was cut off or changed, or does not add up.
    pub async fn next(&mut self) -> Result<Option<Line>, BackupError> {
        loop {
            if let Some(line) = self.auditor.next_line()? {
                return Ok(Some(line));
            }
            if self.ended {
                return if self.auditor.is_done() { Ok(None) } else { Err(BackupError::Damaged) };
            }
            let length = self.file.read(&mut self.sealed).await.map_err(io(&self.path))?;
            self.opened.clear();
            if length == 0 {
                self.opener.finish(&mut self.opened)?;
                self.ended = true;
            } else {
                self.opener.push(&self.sealed[..length], &mut self.opened)?;
            }
            self.auditor.push(&self.opened);
        }
    }
}

async fn read_header(file: &mut File, path: &Path) -> Result<Header, BackupError> {
    let mut bytes = [0; HEADER_LEN];
    match file.read_exact(&mut bytes).await {
        Ok(_) => Header::decode(&bytes),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(BackupError::NotABackup),
        Err(error) => Err(io(path)(error)),
    }
}

/// Seals a file's key for a new master key, if it is sealed for one that the vault has; says whether it is now. The rest of the file stays.
///
/// # Errors
/// When the file cannot be read or written.
pub async fn rewrap(path: &Path, vault: &Vault, next: &Vault, entropy: &dyn Entropy) -> Result<bool, BackupError> {
    let mut file = OpenOptions::new().read(true).write(true).open(path).await.map_err(io(path))?;
    let header = read_header(&mut file, path).await?;
    let Recipient::Master { key_id } = header.recipient else { return Ok(false) };
    let (key, name) = next.backup_key(header.tenant);
    if key_id == name {
        return Ok(true);
    }
    let Some(old) = vault.backup_key_named(header.tenant, &key_id) else { return Ok(false) };
    let file_key = header.unwrap(&old)?;
    let mut nonce = [0; 24];
    entropy.fill(&mut nonce);
    let header = Header::new(header.kind, header.tenant, Recipient::Master { key_id: name }, &key, &file_key, nonce);
    // 128 bytes at the beginning of a file lie in one sector: they are written whole or not at all.
    file.seek(std::io::SeekFrom::Start(0)).await.map_err(io(path))?;
    file.write_all(&header.encode()).await.map_err(io(path))?;
    file.sync_all().await.map_err(io(path))?;
    Ok(true)
}
