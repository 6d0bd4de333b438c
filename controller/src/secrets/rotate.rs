//! Changing keys. A tenant's data key while everything goes on; the master key while the controller rests.
//!
//! What is left to do is what is still sealed with an older key, so there is no progress to lose: killed anywhere, the next run goes on.

use super::keyring::{Purpose, prefix};
use super::{Keeper, MasterKey, Place, Vault, VaultError, data_key_aad, put_key, store};
use db::copies::{ShapeError, TableShape};
use db::{DbError, PlatformActor, TenantDoor, TenantTx};
use model::TenantId;
use serde_json::json;
use uuid::Uuid;

/// Values that are sealed anew in one transaction.
const BATCH: i64 = 200;
/// How often it is looked whether anything is left, before giving up.
const ROUNDS_MAX: usize = 20;

/// Why keys were not changed. What was done stays done, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// A stored secret is not readable.
    #[error(
        "{table}.{column} of row {row} does not open with any key of the tenant; the old key stays. Set that secret anew (or remove the row), \
         then run the command again"
    )]
    Unreadable { table: &'static str, column: &'static str, row: Uuid },
    /// Somebody is sealing for very long.
    #[error("something has been writing secrets of this tenant for more than 20 s; run the command again when it is done")]
    Busy,
    /// The master key does not open what it should.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The tables cannot be read.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a change of a tenant's key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Whose key.
    pub tenant: TenantId,
    /// The key that seals now.
    pub version: u32,
    /// Values that this run sealed anew.
    pub values: u64,
    /// Older keys that are gone.
    pub retired: u64,
    /// Whether an earlier run had begun it.
    pub resumed: bool,
}

/// Gives a tenant a new data key, seals everything with it and retires the old one, or goes on with a change that was begun. Others may
/// read and write all the while.
///
/// # Errors
/// When a secret is not readable or the database does not answer; then both keys stay.
///
/// # Cancel safety
/// Cancel safe: the next run goes on.
pub async fn rotate_tenant(keeper: Keeper<'_>, actor: &PlatformActor, door: &TenantDoor) -> Result<Rotated, RotateError> {
    let tenant = door.tenant();
    let (version, resumed) = begin(keeper, actor, tenant).await?;
    let mut values = 0;
    for _ in 0..ROUNDS_MAX {
        values += walk(keeper, door, version).await?;
        if let Some(retired) = retire(keeper, actor, door, version).await? {
            let now = keeper.clock.now();
            let mut tx = keeper.db.tenant(door).await?;
            tx.audit(now, "keys.rotate", &tenant.to_string(), json!({ "version": version, "values": values })).await?;
            tx.commit().await?;
            return Ok(Rotated { tenant, version, values, retired, resumed });
        }
    }
    Err(RotateError::Busy)
}

/// Says whether a change of a tenant's key was begun and not ended.
///
/// # Errors
/// When the database does not answer.
pub async fn is_unfinished(keeper: Keeper<'_>, door: &TenantDoor) -> Result<bool, DbError> {
    let mut tx = keeper.db.tenant(door).await?;
    let rows = store::of_tenant(&mut tx).await?;
    Ok(rows.iter().filter(|row| row.purpose == Purpose::Seal.as_str()).count() > 1)
}

/// Adds the new key, unless one was added that has not finished its work.
async fn begin(keeper: Keeper<'_>, actor: &PlatformActor, tenant: TenantId) -> Result<(u32, bool), RotateError> {
    let now = keeper.clock.now();
    let mut tx = keeper.db.platform(actor, "a tenant's data key is changed", now).await?;
    let versions = store::sealing_versions(&mut tx, tenant).await?;
    let newest = *versions.first().ok_or(VaultError::NoDataKey)?;
    let newest = u32::try_from(newest).expect("the column is positive");
    if versions.len() > 1 {
        tx.commit().await?;
        return Ok((newest, true));
    }
    let key = keeper.vault.new_key(Purpose::Seal, newest + 1, now);
    put_key(keeper.vault, &mut tx, tenant, &key).await?;
    tx.commit().await?;
    Ok((newest + 1, false))
}

/// Seals with the newest key what is sealed with another; returns how much.
async fn walk(keeper: Keeper<'_>, door: &TenantDoor, version: u32) -> Result<u64, RotateError> {
    let shape = keeper.db.tenant(door).await?.shape().await?;
    let mut values = 0;
    for table in shape.of_tenants() {
        for column in table.entry.sealed {
            let mut after = Uuid::nil();
            while let Some((last, replaced)) = batch(keeper, door, table, column, version, after).await? {
                (after, values) = (last, values + replaced);
            }
        }
    }
    Ok(values)
}

/// Seals some values anew; returns the last row it looked at, and how many were still what they were.
async fn batch(
    keeper: Keeper<'_>,
    door: &TenantDoor,
    table: &TableShape,
    column: &'static str,
    version: u32,
    after: Uuid,
) -> Result<Option<(Uuid, u64)>, RotateError> {
    let mut tx = keeper.db.tenant(door).await?;
    let old = tx.sealed_otherwise(table, column, &prefix(version), after, BATCH).await?;
    let Some(last) = old.last().map(|value| value.id) else { return Ok(None) };
    let mut new = Vec::with_capacity(old.len());
    for value in &old {
        let place = Place { table: table.name(), column, row: value.id };
        let opened = keeper.vault.open(&mut tx, place, &value.value).await;
        let Ok(opened) = opened else {
            return Err(unreadable(&mut tx, table, column, value.id, &value.value).await);
        };
        new.push(keeper.vault.seal(&mut tx, place, opened.expose()).await?);
    }
    let replaced = tx.replace_sealed(table, column, &old, &new).await?;
    tx.commit().await?;
    Ok(Some((last, replaced)))
}

/// Tells which secret does not open; naming the row is what helps to mend it.
async fn unreadable(tx: &mut TenantTx, table: &TableShape, column: &'static str, row: Uuid, sealed: &[u8]) -> RotateError {
    tracing::warn!(tenant.id = %tx.tenant(), table = table.name(), column, row = %row, bytes = sealed.len(), "a secret does not open");
    RotateError::Unreadable { table: table.name(), column, row }
}

/// Removes the older keys, if nothing is sealed with them and nobody is about to; returns how many, or nothing if something is left.
async fn retire(keeper: Keeper<'_>, actor: &PlatformActor, door: &TenantDoor, version: u32) -> Result<Option<u64>, RotateError> {
    let now = keeper.clock.now();
    let mut tx = keeper.db.platform(actor, "a tenant's old data key is retired", now).await?;
    store::stop_sealing(&mut tx, door.tenant())
        .await
        .map_err(|error| if is_lock_timeout(&error) { RotateError::Busy } else { error.into() })?;
    // Whoever sealed with an older key has committed by now, and whoever seals from now on has to wait for the end of this.
    let mut look = keeper.db.tenant(door).await?;
    let shape = look.shape().await?;
    for table in shape.of_tenants() {
        for column in table.entry.sealed {
            if !look.sealed_otherwise(table, column, &prefix(version), Uuid::nil(), 1).await?.is_empty() {
                return Ok(None);
            }
        }
    }
    drop(look);
    let version = i32::try_from(version).expect("a version comes from that type");
    let retired = store::retire_before(&mut tx, door.tenant(), version).await?;
    tx.commit().await?;
    Ok(Some(retired))
}

fn is_lock_timeout(error: &DbError) -> bool {
    let DbError::Sqlx(error) = error;
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "55P03")
}

/// Seals everything that the master key seals with another one, in one transaction; returns how much. Nothing may serve meanwhile.
///
/// # Errors
/// When something does not open with the keys the vault has, or the database does not answer; then nothing was changed.
pub async fn rotate_master(keeper: Keeper<'_>, actor: &PlatformActor, next: &MasterKey) -> Result<u64, RotateError> {
    let now = keeper.clock.now();
    let new = Vault::with(vec![next.clone()], keeper.vault.entropy.clone());
    let mut tx = keeper.db.loading(actor, "the master key is changed", now).await?;
    let mut values = 0;
    for (tenant, id, version, sealed) in store::of_all(&mut tx).await? {
        let aad = data_key_aad(tenant, u32::try_from(version).expect("the column is positive"));
        // What an earlier run has sealed with the next key already opens with that.
        let opened = next.open(&aad, &sealed).or_else(|| keeper.vault.open_master(&aad, &sealed));
        let opened = opened.ok_or(VaultError::DoesNotOpen { table: "data_key", column: "sealed_key" })?;
        store::replace(&mut tx, tenant, id, &next.seal(&aad, opened.expose(), keeper.entropy)).await?;
        values += 1;
    }
    let shape = tx.shape().await?;
    for table in shape.of_platform() {
        for column in table.entry.master_sealed {
            for value in tx.master_sealed(table, column).await? {
                let place = Place { table: table.name(), column, row: value.id };
                let opened =
                    new.open_platform(place, &value.value).or_else(|_| keeper.vault.open_platform(place, &value.value))?;
                let sealed = new.seal_platform(place, opened.expose());
                tx.replace_master_sealed(table, column, value.id, &sealed).await?;
                values += 1;
            }
        }
    }
    tx.commit().await?;
    Ok(values)
}
