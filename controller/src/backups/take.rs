//! Taking a backup of a tenant: one read-only transaction sees everything as it was at one moment, while others go on writing.

use super::BackupError;
use super::file::{SealFor, Writer, Written};
use super::format::Kind;
use super::lines::{KeyLine, Line, Manifest, TableLine};
use super::store;
use crate::secrets::Keeper;
use db::copies::TableShape;
use db::registry::Copied;
use db::{TenantDoor, TenantTx};
use std::path::Path;

/// A backup that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What it is of.
    pub manifest: Manifest,
    /// The file.
    pub file: Written,
}

/// Takes a backup of a tenant into a file, which appears when it is whole.
///
/// # Errors
/// When another one of the same tenant is being taken, the file cannot be written, or the database does not answer.
///
/// # Cancel safety
/// Cancel safe: the unfinished file is removed.
pub async fn take(keeper: Keeper<'_>, door: &TenantDoor, path: &Path, seal_for: &SealFor) -> Result<Taken, BackupError> {
    take_with(keeper, door, path, seal_for, |_| ()).await
}

/// As [`take`], with something else written into the file about what it is: for tests of refusals.
///
/// # Errors
/// As [`take`].
#[cfg(feature = "testing")]
pub async fn take_as(
    keeper: Keeper<'_>,
    door: &TenantDoor,
    path: &Path,
    change: impl FnOnce(&mut Manifest) + Send,
) -> Result<Taken, BackupError> {
    take_with(keeper, door, path, &SealFor::Master, change).await
}

async fn take_with(
    keeper: Keeper<'_>,
    door: &TenantDoor,
    path: &Path,
    seal_for: &SealFor,
    change: impl FnOnce(&mut Manifest) + Send,
) -> Result<Taken, BackupError> {
    let mut tx = keeper.db.snapshot(door).await?;
    if !store::lock_backup(&mut tx).await? {
        return Err(BackupError::Busy);
    }
    // The snapshot is taken by the first statement, so the time is read after it: nothing later than that is in it.
    let taken_at = keeper.clock.now();
    let tenant = door.tenant();
    let shape = tx.shape().await?;
    let (name, row) = store::tenant_row(&mut tx).await?;
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let mut manifest = Manifest { tenant: Some(tenant), name, schema_version: shape.version, taken_at, program };
    change(&mut manifest);
    let mut file = Writer::create(path, Kind::Tenant, tenant, seal_for, keeper.vault, keeper.entropy).await?;
    file.say(&Line::Manifest(manifest.clone())).await?;
    for key in keeper.vault.keyring(&mut tx).await?.keys() {
        let line = KeyLine {
            id: key.id,
            purpose: key.purpose.as_str().to_owned(),
            version: key.version,
            created_at: key.created_at,
            key: hex::encode(key.key.expose()),
        };
        file.say(&Line::Key(line)).await?;
    }
    file.say(&Line::Tenant(row)).await?;
    for person in store::people(&mut tx).await? {
        file.say(&Line::Person(person)).await?;
    }
    for table in shape.of_tenants().filter(|table| table.entry.left_out_of(Copied::Backup).is_none()) {
        write_table(&mut tx, table, &mut file).await?;
    }
    // Ended here and not when it is dropped: the next backup may begin at once.
    tx.commit().await?;
    let file = file.finish().await?;
    Ok(Taken { manifest, file })
}

async fn write_table(tx: &mut TenantTx, table: &TableShape, file: &mut Writer) -> Result<(), BackupError> {
    let since = match table.entry.partitioned_by {
        Some(column) => tx.oldest(table, column).await?,
        None => None,
    };
    file.begin(&table_line(table, since)).await?;
    tx.open_rows(table).await?;
    loop {
        let rows = tx.next_rows().await?;
        if rows.is_empty() {
            break;
        }
        file.rows(&rows).await?;
    }
    tx.close_rows().await?;
    file.end().await
}

/// Describes a table; what the database computes by itself is no column of a copy.
pub(super) fn table_line(table: &TableShape, since: Option<jiff::Timestamp>) -> TableLine {
    let columns = table.columns.iter().filter(|column| !column.generated).map(|column| column.name.clone()).collect();
    TableLine { table: table.name().to_owned(), columns, since }
}
