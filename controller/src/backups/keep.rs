//! Backups that an ISP takes of itself through the API. The files lie in the controller's data folder, sealed for its master key, the
//! newest few of each tenant.

use super::file::{SealFor, rewrap};
use super::{BackupError, store, take};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use crate::secrets::{Keeper, Vault};
use db::{DbError, Reach, TenantDoor};
use jiff::{SignedDuration, Timestamp};
use model::{BackupId, Entropy, TenantId};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::ToSchema;

/// How many backups of a tenant are kept; with the next one the oldest goes.
const KEPT: i64 = 7;
/// After so long a backup that is still being made is no more: its controller has ended.
const MAKING_MAX: SignedDuration = SignedDuration::from_hours(6);
/// Files and tables that are sent at the same time, in all tenants: each holds a connection to the database or a file open.
const DOWNLOADS_MAX: usize = 4;

static DOWNLOADS: Semaphore = Semaphore::const_new(DOWNLOADS_MAX);

/// A backup that was taken through the API.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BackupView {
    /// The backup.
    pub id: BackupId,
    /// `making`, `ready`, `failed` or `removed`.
    pub state: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it was ready or had failed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// The version of the database that it is of.
    pub schema_version: i64,
    /// Tables in it.
    pub tables: Option<i32>,
    /// Rows in it.
    pub rows: Option<i64>,
    /// Bytes of the file.
    pub bytes: Option<i64>,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Who asked for it.
    pub made_by: String,
}

/// Returns the folder of a tenant's backups.
#[must_use]
pub fn folder(data: &Path, tenant: TenantId) -> PathBuf {
    data.join("backups").join(tenant.to_string())
}

/// Returns where a backup lies.
#[must_use]
pub(super) fn path(data: &Path, tenant: TenantId, id: BackupId) -> PathBuf {
    folder(data, tenant).join(format!("{id}.mwbackup"))
}

/// Waits for nobody: a download begins, or there are too many.
///
/// # Errors
/// When there are too many.
pub fn downloads() -> Result<SemaphorePermit<'static>, BackupError> {
    DOWNLOADS.try_acquire().map_err(|_| BackupError::TooMany(DOWNLOADS_MAX))
}

/// A copy holds everything, so whoever sees a part takes none.
pub(super) fn sees_all(scope: &TenantScope) -> Result<(), BackupError> {
    if scope.door().reach() == Reach::All { Ok(()) } else { Err(BackupError::PartlySeen) }
}

/// Begins to take a backup of the caller's tenant; it goes on after the answer.
///
/// # Errors
/// When the caller may not, or one is being taken already.
pub async fn begin(app: &Arc<App>, scope: &TenantScope) -> Result<BackupId, BackupError> {
    sees_all(scope)?;
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::DataExport).await?;
    if !store::lock_backup(&mut tx).await? {
        return Err(BackupError::Busy);
    }
    store::fail_before(&mut tx, now - MAKING_MAX, now).await?;
    if store::count_making(&mut tx, now - MAKING_MAX).await? > 0 {
        return Err(BackupError::Busy);
    }
    let id = BackupId::generate(now, &*app.entropy);
    let shape = tx.shape().await?;
    store::insert(&mut tx, id, shape.version, now).await?;
    tx.audit(now, "backup.begin", &id.to_string(), json!({})).await?;
    tx.commit().await?;
    let door = app.db.locator().door(scope.tenant(), "backups").await?.ok_or(BackupError::NotFound("tenant"))?;
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(error) = make(&app, &door, id).await {
            tracing::error!(tenant.id = %door.tenant(), error = %telemetry::chain(&error), "a backup failed and could not be marked so");
        }
    });
    Ok(id)
}

/// Takes a backup that was begun, and removes the oldest when there are too many.
///
/// # Errors
/// When the outcome cannot be written down; a backup that fails is an outcome.
pub async fn make(app: &App, door: &TenantDoor, id: BackupId) -> Result<(), BackupError> {
    let (data, tenant) = (&app.config.data, door.tenant());
    let outcome = make_file(Keeper::of(app), data, door, id).await;
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    let removed = match &outcome {
        Ok(taken) => {
            store::set_ready(&mut tx, id, &taken.file, now).await?;
            let details = json!({ "rows": taken.file.rows, "bytes": taken.file.bytes, "sha256": hex::encode(taken.file.sha256) });
            tx.audit(now, "backup.finish", &id.to_string(), details).await?;
            store::remove_all_but(&mut tx, KEPT).await?
        }
        Err(error) => {
            tracing::warn!(tenant.id = %tenant, error = %telemetry::chain(error), "a backup failed");
            store::set_failed(&mut tx, id, &error.to_string(), now).await?;
            tx.audit(now, "backup.fail", &id.to_string(), json!({})).await?;
            Vec::new()
        }
    };
    tx.commit().await?;
    for old in removed {
        // One that is gone already is no fault.
        drop(tokio::fs::remove_file(path(data, tenant, old)).await);
    }
    Ok(())
}

async fn make_file(keeper: Keeper<'_>, data: &Path, door: &TenantDoor, id: BackupId) -> Result<super::Taken, BackupError> {
    let folder = folder(data, door.tenant());
    tokio::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .await
        .map_err(|source| BackupError::Io { path: folder.clone(), source })?;
    take(keeper, door, &path(data, door.tenant(), id), &SealFor::Master).await
}

/// Finds a backup's file for a download, which is written into the audit log.
///
/// # Errors
/// When the caller may not, or there is no such file.
pub(super) async fn open(app: &App, scope: &TenantScope, id: BackupId) -> Result<(BackupView, tokio::fs::File), BackupError> {
    sees_all(scope)?;
    let now = app.clock.now();
    let mut tx = scope.read(app, Permission::DataExport).await?;
    let backup =
        store::find(&mut tx, id).await?.filter(|backup| backup.state == "ready").ok_or(BackupError::NotFound("backup"))?;
    let path = path(&app.config.data, scope.tenant(), id);
    let file = match tokio::fs::File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(BackupError::NotFound("backup")),
        Err(source) => return Err(BackupError::Io { path, source }),
    };
    tx.audit(now, "backup.download", &id.to_string(), json!({})).await?;
    tx.commit().await?;
    Ok((backup, file))
}

/// Fails, in all tenants, what is still being made after six hours: its controller has ended.
///
/// # Errors
/// When the database does not answer.
pub async fn fail_forgotten(app: &App) -> Result<u64, DbError> {
    let now = app.clock.now();
    let mut failed = 0;
    for door in app.db.locator().tenants("backups").await? {
        let mut tx = app.db.tenant(&door).await?;
        failed += store::fail_before(&mut tx, now - MAKING_MAX, now).await?;
        tx.commit().await?;
    }
    Ok(failed)
}

/// Removes all backup files of a tenant, which is being purged; returns how many there were.
///
/// # Errors
/// When the folder cannot be read or a file not removed.
pub fn delete_files(data: &Path, tenant: TenantId) -> std::io::Result<u64> {
    let folder = folder(data, tenant);
    let files = match std::fs::read_dir(&folder) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for file in files {
        std::fs::remove_file(file?.path())?;
        removed += 1;
    }
    std::fs::remove_dir(&folder)?;
    Ok(removed)
}

/// Seals the files in the data folder for a new master key; returns how many are, and those that are sealed for neither.
///
/// # Errors
/// When a file cannot be read or written.
pub async fn rewrap_all(
    data: &Path,
    old: &Vault,
    new: &Vault,
    entropy: &dyn Entropy,
) -> Result<(u64, Vec<PathBuf>), BackupError> {
    let (mut done, mut foreign) = (0, Vec::new());
    let mut waiting = vec![data.join("backups")];
    while let Some(folder) = waiting.pop() {
        let Ok(mut entries) = tokio::fs::read_dir(&folder).await else { continue };
        let io = |source| BackupError::Io { path: folder.clone(), source };
        while let Some(entry) = entries.next_entry().await.map_err(io)? {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "mwbackup") {
                if rewrap(&path, old, new, entropy).await? {
                    done += 1;
                } else {
                    foreign.push(path);
                }
            }
        }
    }
    Ok((done, foreign))
}
