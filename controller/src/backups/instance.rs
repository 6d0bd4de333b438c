//! The whole installation: every tenant in a file of its own, and in one more what belongs to the platform, with the master key, sealed
//! with a passphrase. Together they make an installation out of nothing.

use super::file::{Keys, Reader, SealFor, Writer};
use super::format::Kind;
use super::lines::{Line, Manifest};
use super::restore::{Restored, Target, restore};
use super::take::{Taken, table_line, take};
use super::{BackupError, rules};
use crate::secrets::{Keeper, MasterKey};
use db::copies::TableShape;
use db::{DbError, PlatformActor, PlatformTx};
use model::{Secret, TenantId};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The name of the file with what belongs to the platform.
pub const INSTANCE_FILE: &str = "instance.mwbackup";
/// Rows that are put in at a time.
const BATCH_ROWS: usize = 500;

/// What a whole restore did.
#[derive(Debug)]
pub struct InstanceRestored {
    /// What was restored.
    pub manifest: Manifest,
    /// Rows of the platform's own.
    pub platform_rows: i64,
    /// The tenants.
    pub tenants: Vec<Restored>,
}

/// Takes a backup of everything into a folder that is not there yet. Each tenant is as it was at one moment, a little after the one before
/// it; what belongs to the platform comes last, so that nobody is missing who serves a tenant.
///
/// # Errors
/// When the folder is there, a file cannot be written, or the database does not answer.
pub async fn take_instance(
    keeper: Keeper<'_>,
    actor: &PlatformActor,
    master: &MasterKey,
    folder: &Path,
    passphrase: &Secret<String>,
) -> Result<(Taken, Vec<Taken>), BackupError> {
    super::check_passphrase(passphrase)?;
    let mut unfinished = folder.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    if folder.exists() || unfinished.exists() {
        return Err(BackupError::NotEmpty(if folder.exists() { folder.to_owned() } else { unfinished }));
    }
    let io = |source| BackupError::Io { path: unfinished.clone(), source };
    tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(&unfinished).await.map_err(io)?;
    let outcome = take_all(keeper, actor, master, &unfinished, passphrase).await;
    match outcome {
        Ok(taken) => {
            tokio::fs::rename(&unfinished, folder).await.map_err(io)?;
            Ok(taken)
        }
        Err(error) => {
            drop(tokio::fs::remove_dir_all(&unfinished).await);
            Err(error)
        }
    }
}

async fn take_all(
    keeper: Keeper<'_>,
    actor: &PlatformActor,
    master: &MasterKey,
    folder: &Path,
    passphrase: &Secret<String>,
) -> Result<(Taken, Vec<Taken>), BackupError> {
    let mut tenants = Vec::new();
    for door in keeper.db.locator().tenants("backups").await? {
        let path = folder.join(format!("{}.mwbackup", door.tenant()));
        tenants.push(take(keeper, &door, &path, &SealFor::Master).await?);
    }
    let mut tx = keeper.db.platform_snapshot(actor, "the whole installation was backed up", keeper.clock.now()).await?;
    let shape = tx.shape().await?;
    let manifest = Manifest {
        tenant: None,
        name: "the whole installation".to_owned(),
        schema_version: shape.version,
        taken_at: keeper.clock.now(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let seal_for = SealFor::Passphrase(passphrase.clone());
    let path = folder.join(INSTANCE_FILE);
    let nobody = TenantId::from_uuid(Uuid::nil());
    let mut file = Writer::create(&path, Kind::Instance, nobody, &seal_for, keeper.vault, keeper.entropy).await?;
    file.say(&Line::Manifest(manifest.clone())).await?;
    file.say(&Line::Master(Secret::new(hex::encode(master.bytes().expose())))).await?;
    for table in shape.of_platform().filter(|table| is_carried(table)) {
        file.begin(&table_line(table, None)).await?;
        tx.open_rows(table).await?;
        loop {
            let rows = tx.next_rows().await?;
            if rows.is_empty() {
                break;
            }
            file.rows(&rows).await?;
        }
        tx.close_rows().await?;
        file.end().await?;
    }
    tx.commit().await?;
    Ok((Taken { manifest, file: file.finish().await? }, tenants))
}

/// Rows on their way in are nobody's.
fn is_carried(table: &TableShape) -> bool {
    table.name() != "restore_row"
}

/// Gets the master key out of a whole backup.
///
/// # Errors
/// When the file does not open, is not whole, or is a tenant's.
pub async fn unpack_master_key(folder: &Path, keys: &Keys) -> Result<MasterKey, BackupError> {
    let mut reader = Reader::open(&folder.join(INSTANCE_FILE), keys, None).await?;
    if reader.header().kind != Kind::Instance {
        return Err(BackupError::OtherKind("one tenant: restore it without --all"));
    }
    let mut master = None;
    while let Some(line) = reader.next().await? {
        if let Line::Master(digits) = line {
            let mut bytes = [0; 32];
            hex::decode_to_slice(digits.expose(), &mut bytes).map_err(|_| BackupError::Damaged)?;
            master = Some(MasterKey::from_bytes(bytes));
        }
    }
    master.ok_or(BackupError::Damaged)
}

/// Restores a whole backup into a database in which no tenant lives; the vault has the backup's master key by now. The tenants' files are
/// all read through before anything is put in.
///
/// # Errors
/// When a file does not open, is not whole or does not fit, or tenants live here.
pub async fn restore_instance(
    keeper: Keeper<'_>,
    actor: &PlatformActor,
    folder: &Path,
    keys: &Keys,
) -> Result<InstanceRestored, BackupError> {
    let mut files = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await.map_err(|source| BackupError::Io { path: folder.to_owned(), source })?;
    while let Some(entry) = entries.next_entry().await.map_err(|source| BackupError::Io { path: folder.to_owned(), source })? {
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == "mwbackup") && !path.ends_with(INSTANCE_FILE) {
            let found = super::inspect(keeper, &path, keys).await?;
            files.push((path, found.manifest.tenant.expect("inspecting made sure of it")));
        }
    }
    files.sort_by_key(|(path, _)| path.clone());
    let mut reader = Reader::open(&folder.join(INSTANCE_FILE), keys, None).await?;
    let mut tx = keeper.db.loading(actor, "the whole installation was restored from a backup", keeper.clock.now()).await?;
    let (manifest, platform_rows) = put_platform(keeper, &mut tx, &mut reader).await?;
    tx.commit().await?;
    let mut tenants = Vec::new();
    for (file, tenant) in files {
        // Its own row came with the platform's, whatever it says of how the tenant stands; there is nothing of it to lose.
        let known = keeper.db.locator().tenant_named(&tenant.to_string(), "backups").await?;
        let replace = known.map(|known| known.name);
        tenants.push(restore(keeper, actor, &file, keys, &Target::Place { replace }).await?);
    }
    Ok(InstanceRestored { manifest, platform_rows, tenants })
}

async fn put_platform(keeper: Keeper<'_>, tx: &mut PlatformTx, reader: &mut Reader) -> Result<(Manifest, i64), BackupError> {
    let shape = tx.shape().await?;
    let mut id = [0; 16];
    keeper.entropy.fill(&mut id);
    let id = Uuid::from_bytes(id);
    let (mut manifest, mut current, mut batch) = (None::<Manifest>, None, Vec::new());
    let (mut place, mut staged) = (0, Vec::new());
    while let Some(line) = reader.next().await? {
        match line {
            Line::Manifest(found) if found.schema_version > shape.version => {
                return Err(BackupError::NewerSchema { found: found.schema_version, known: shape.version });
            }
            Line::Manifest(found) => manifest = Some(found),
            Line::Table(line) => {
                if let Some(what) = rules::does_not_fit(&shape, &line.table, &line.columns) {
                    let version = manifest.as_ref().map_or(0, |manifest| manifest.schema_version);
                    return Err(BackupError::OlderSchema { version, what });
                }
                let table = shape.table(&line.table).ok_or(BackupError::Damaged)?;
                (current, place) = (Some((table, line.columns)), 0);
            }
            Line::Row(row) => {
                let (table, _) = current.as_ref().ok_or(BackupError::Damaged)?;
                batch.push((row, "{}".to_owned()));
                if batch.len() >= BATCH_ROWS {
                    place += flush(tx, id, table, place, &mut batch).await?;
                }
            }
            Line::End(_) => {
                let (table, columns) = current.take().ok_or(BackupError::Damaged)?;
                flush(tx, id, table, place, &mut batch).await?;
                staged.push((table.name(), columns));
            }
            Line::Key(_) | Line::Tenant(_) | Line::Person(_) | Line::Master(_) | Line::Done => {}
        }
    }
    let mut rows = 0;
    for table in shape.of_platform() {
        if let Some((_, columns)) = staged.iter().find(|(name, _)| *name == table.name()) {
            rows += tx.load_platform_rows(id, table, columns).await?;
        }
    }
    Ok((manifest.ok_or(BackupError::Damaged)?, rows))
}

async fn flush(
    tx: &mut PlatformTx,
    run: Uuid,
    table: &TableShape,
    place: i64,
    batch: &mut Vec<(String, String)>,
) -> Result<i64, DbError> {
    if batch.is_empty() {
        return Ok(0);
    }
    tx.stage_rows(run, table, place, batch).await?;
    let staged = i64::try_from(batch.len()).expect("a batch is small");
    batch.clear();
    Ok(staged)
}
