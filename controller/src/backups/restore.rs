//! Putting a backup back: into place, into a fresh installation, or beside the original as a shadow. All of it in one transaction, or
//! nothing.

use super::BackupError;
use super::file::{Keys, Reader};
use super::format::Kind;
use super::lines::{KeyLine, Line, Manifest, TableLine};
use super::rules::{self, InShadow};
use super::store;
use crate::secrets::{self, DataKey, Keeper, Keyring, Place, Purpose, VaultError};
use db::copies::{RestoreKind, RestoreRun, Shape, TableShape};
use db::{DbError, PlatformActor, PlatformTx};
use jiff::Timestamp;
use model::{OperatorId, Secret, TenantId};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use uuid::Uuid;

/// Rows that are put in at a time, and the bytes after which fewer are.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 4 << 20;
/// What the platform has decided about a tenant; a backup does not change it.
const PLATFORMS_WORD: &[&str] =
    &["id", "status", "status_since", "status_reason", "trial_ends_at", "service_ends_at", "purged_at", "shadow_of"];

/// Where a backup goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Where it was taken, or where nothing of it is yet.
    Place {
        /// The tenant's name, if its rows are to be replaced although it is at work.
        replace: Option<String>,
    },
    /// Beside the tenant it was taken of, under another name.
    Shadow {
        /// The shadow's name.
        name: String,
    },
}

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRestored {
    /// Its name.
    pub table: &'static str,
    /// Rows that were there before.
    pub cleared: i64,
    /// Rows that are there now.
    pub loaded: i64,
}

/// What a restore did.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The tenant whose rows they are now.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// What was done.
    pub kind: RestoreKind,
    /// What was restored.
    pub manifest: Manifest,
    /// Each table.
    pub tables: Vec<TableRestored>,
    /// Tables and columns that are other than in the backup, with the reason.
    pub other: Vec<(String, String)>,
}

/// What a file holds, read to its end.
#[derive(Debug)]
pub struct Inspected {
    /// What it is.
    pub manifest: Manifest,
    /// Tables with their rows.
    pub tables: Vec<(TableLine, u64)>,
    keys: Vec<DataKey>,
    tenant_row: String,
    people: Vec<String>,
}

/// Reads a whole file and says what is in it; nothing is restored.
///
/// # Errors
/// When it does not open, is not whole, or does not add up.
pub async fn inspect(keeper: Keeper<'_>, path: &Path, keys: &Keys) -> Result<Inspected, BackupError> {
    read_through(&mut Reader::open(path, keys, Some(keeper.vault)).await?).await
}

async fn read_through(reader: &mut Reader) -> Result<Inspected, BackupError> {
    if reader.header().kind != Kind::Tenant {
        return Err(BackupError::OtherKind("a whole instance: restore it with --all"));
    }
    let (mut manifest, mut row, mut keys, mut people, mut tables) = (None, None, Vec::new(), Vec::new(), Vec::new());
    while let Some(line) = reader.next().await? {
        match line {
            Line::Manifest(found) => manifest = Some(found),
            Line::Key(key) => keys.push(data_key(&key)?),
            Line::Tenant(found) => row = Some(found),
            Line::Person(person) => people.push(person),
            Line::Table(table) => tables.push((table, 0)),
            Line::End(rows) => tables.last_mut().ok_or(BackupError::Damaged)?.1 = rows,
            Line::Row(_) | Line::Done => {}
            Line::Master(_) => return Err(BackupError::Damaged),
        }
    }
    let (Some(manifest), Some(tenant_row)) = (manifest, row) else { return Err(BackupError::Damaged) };
    // The header tells before the key is known; what is sealed has the last word.
    if manifest.tenant != Some(reader.header().tenant) {
        return Err(BackupError::Damaged);
    }
    Ok(Inspected { manifest, tables, keys, tenant_row, people })
}

fn data_key(line: &KeyLine) -> Result<DataKey, BackupError> {
    let mut key = [0; 32];
    hex::decode_to_slice(&line.key, &mut key).map_err(|_| BackupError::Damaged)?;
    let purpose = Purpose::from_stored(&line.purpose).ok_or(BackupError::Damaged)?;
    Ok(DataKey { id: line.id, purpose, version: line.version, created_at: line.created_at, key: Secret::new(key) })
}

/// Restores a tenant from a file.
///
/// # Errors
/// When the file does not open, is not whole, does not fit, or may not be put there; then nothing was changed.
///
/// # Cancel safety
/// Cancel safe: nothing is kept before the end.
pub async fn restore(
    keeper: Keeper<'_>,
    actor: &PlatformActor,
    path: &Path,
    keys: &Keys,
    target: &Target,
) -> Result<Restored, BackupError> {
    let mut reader = Reader::open(path, keys, Some(keeper.vault)).await?;
    let found = read_through(&mut reader).await?;
    let mut tx = keeper.db.loading(actor, "a tenant was restored from a backup", keeper.clock.now()).await?;
    let shape = tx.shape().await?;
    fits(&shape, &found)?;
    if let Some(since) = found.tables.iter().filter_map(|(table, _)| table.since).min() {
        tx.make_months(since, keeper.clock.now()).await?;
    }
    let mut work = Work { keeper, actor, shape, found, copy: None };
    let outcome = work.put(&mut tx, &mut reader, target).await;
    let restored = outcome.map_err(|error| work.explain(error))?;
    tx.commit().await.map_err(|error| work.explain(error.into()))?;
    if restored.kind != RestoreKind::Shadow {
        work.tell(&restored).await?;
    }
    Ok(restored)
}

/// Refuses a backup whose tables are not those of this program.
fn fits(shape: &Shape, found: &Inspected) -> Result<(), BackupError> {
    let version = found.manifest.schema_version;
    if version > shape.version {
        return Err(BackupError::NewerSchema { found: version, known: shape.version });
    }
    for (table, _) in &found.tables {
        if let Some(what) = rules::does_not_fit(shape, &table.table, &table.columns) {
            return Err(BackupError::OlderSchema { version, what });
        }
    }
    Ok(())
}

/// What is other in a shadow.
struct ShadowCopy {
    plan: BTreeMap<&'static str, InShadow>,
    mark: String,
    old: Keyring,
    new: Keyring,
}

struct Work<'a> {
    keeper: Keeper<'a>,
    actor: &'a PlatformActor,
    shape: Shape,
    found: Inspected,
    copy: Option<ShadowCopy>,
}

impl Work<'_> {
    async fn put(&mut self, tx: &mut PlatformTx, reader: &mut Reader, target: &Target) -> Result<Restored, BackupError> {
        let now = self.keeper.clock.now();
        let taken_of = self.found.manifest.tenant.expect("a tenant's file names it");
        let here = store::lock_tenant(tx, taken_of).await?;
        let kind = choose(target, &self.found.manifest, here.as_ref())?;
        let tenant = match kind {
            RestoreKind::Shadow => TenantId::generate(now, self.keeper.entropy),
            RestoreKind::Replace | RestoreKind::Fresh => taken_of,
        };
        let was_purged = here.is_some_and(|(_, status)| status == "purged");
        let name = self.put_tenant_row(tx, tenant, kind, target, was_purged, now).await?;
        let (taken_at, schema_version) = (self.found.manifest.taken_at, self.found.manifest.schema_version);
        let id = Uuid::from_bytes(self.random());
        let run = RestoreRun { id, tenant, kind, taken_at, taken_of, schema_version };
        tx.begin_restore(&run, self.actor, now).await?;
        let mut other = Vec::new();
        if kind == RestoreKind::Shadow {
            other = self.plan_shadow(tenant, taken_of, now);
        } else {
            for person in &self.found.people {
                let id: PersonId = serde_json::from_str(person).map_err(|_| BackupError::Damaged)?;
                if let Some(login) = store::put_person(tx, person, OperatorId::from_uuid(id.id)).await? {
                    other.push(("operator.login".to_owned(), format!("it was somebody else's here; now it is `{login}`")));
                }
            }
        }
        let cleared = if kind == RestoreKind::Replace { self.clear(tx, &run).await? } else { BTreeMap::new() };
        self.put_keys(tx, tenant).await?;
        let staged = self.stage(tx, reader, &run).await?;
        let tables = self.load(tx, &run, &staged, &cleared).await?;
        tx.settle_rows().await?;
        Ok(Restored { tenant, name, kind, manifest: self.found.manifest.clone(), tables, other })
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.keeper.entropy.fill(&mut bytes);
        bytes
    }

    /// Puts the tenant's own row in; returns its name.
    async fn put_tenant_row(
        &self,
        tx: &mut PlatformTx,
        tenant: TenantId,
        kind: RestoreKind,
        target: &Target,
        was_purged: bool,
        now: Timestamp,
    ) -> Result<String, BackupError> {
        let row: Map<String, Value> = serde_json::from_str(&self.found.tenant_row).map_err(|_| BackupError::Damaged)?;
        let version = self.found.manifest.schema_version;
        let mut columns: Vec<String> = row.keys().cloned().collect();
        if let Some(what) = rules::does_not_fit(&self.shape, "tenant", &columns) {
            return Err(BackupError::OlderSchema { version, what });
        }
        let taken = self.found.manifest.taken_at;
        let mut changes = json!({});
        let mut name = self.found.manifest.name.clone();
        if let Target::Shadow { name: wanted } = target {
            name.clone_from(wanted);
            changes = json!({ "id": tenant.uuid(), "name": wanted, "status": "suspended", "status_since": now, "purged_at": null,
                              "status_reason": format!("a shadow of `{}` as of {taken}", self.found.manifest.name),
                              "shadow_of": self.found.manifest.tenant.map(TenantId::uuid) });
        } else if was_purged {
            changes = json!({ "status": "suspended", "status_since": now, "purged_at": null,
                              "status_reason": format!("restored from the backup of {taken}") });
        } else if kind == RestoreKind::Replace {
            columns.retain(|column| !PLATFORMS_WORD.contains(&column.as_str()));
        }
        for column in changes.as_object().expect("it is one").keys() {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        // What this database does not know yet is not said to it.
        let known = self.shape.table("tenant").expect("the registry has it");
        columns.retain(|column| known.column(column).is_some());
        tx.put_tenant(&self.shape, tenant, &columns, &self.found.tenant_row, &changes.to_string()).await?;
        Ok(name)
    }

    fn plan_shadow(&mut self, tenant: TenantId, taken_of: TenantId, now: Timestamp) -> Vec<(String, String)> {
        let plan = rules::shadow_plan(&self.shape);
        let mut other = Vec::new();
        for (table, decided) in &plan {
            match decided {
                InShadow::LeftOut(reason) => other.push(((*table).to_owned(), format!("left out: {reason}"))),
                InShadow::Copied { emptied, marked } => {
                    let gone = |(column, reason): &(String, String)| (format!("{table}.{column}"), format!("emptied: {reason}"));
                    other.extend(emptied.iter().map(gone));
                    let mark =
                        |column: &&str| (format!("{table}.{column}"), "marked: it can be only once in all tenants".to_owned());
                    other.extend(marked.iter().map(mark));
                }
            }
        }
        let old = Keyring::new(taken_of, self.found.keys.clone());
        let mut keys: Vec<DataKey> = self.found.keys.iter().filter(|key| key.purpose == Purpose::Fingerprint).cloned().collect();
        keys.push(self.keeper.vault.new_key(Purpose::Seal, 1, now));
        self.copy = Some(ShadowCopy { plan, mark: rules::mark(tenant), old, new: Keyring::new(tenant, keys) });
        other
    }

    async fn put_keys(&self, tx: &mut PlatformTx, tenant: TenantId) -> Result<(), DbError> {
        let keys = self.copy.as_ref().map_or(self.found.keys.as_slice(), |copy| copy.new.keys());
        for key in keys {
            secrets::put_key(self.keeper.vault, tx, tenant, key).await?;
        }
        Ok(())
    }

    /// Removes what is there, children before their parents.
    async fn clear(&self, tx: &mut PlatformTx, run: &RestoreRun) -> Result<BTreeMap<&'static str, i64>, DbError> {
        let mut cleared = BTreeMap::new();
        for table in self.shape.of_tenants().rev().filter(|table| !["backup", "restore"].contains(&table.name())) {
            cleared.insert(table.name(), tx.clear_rows(run, table).await?);
        }
        Ok(cleared)
    }

    /// Reads the file again and hands its rows to the database; returns the columns of each table that has any.
    async fn stage(
        &self,
        tx: &mut PlatformTx,
        reader: &mut Reader,
        run: &RestoreRun,
    ) -> Result<BTreeMap<&'static str, (Vec<String>, i64)>, BackupError> {
        reader.rewind().await?;
        let mut staged = BTreeMap::new();
        let mut current: Option<(&TableShape, Vec<String>)> = None;
        let (mut batch, mut bytes, mut place) = (Vec::new(), 0, 0_i64);
        while let Some(line) = reader.next().await? {
            match line {
                Line::Table(line) => {
                    let table = self.shape.table(&line.table).ok_or(BackupError::Damaged)?;
                    current = self.goes_in(table).then_some((table, line.columns));
                    place = 0;
                }
                Line::Row(row) => {
                    let Some((table, _)) = &current else { continue };
                    bytes += row.len();
                    let changes = self.changes(table, &row)?;
                    batch.push((row, changes));
                    if batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
                        place += flush(tx, run.id, table, place, &mut batch).await?;
                        bytes = 0;
                    }
                }
                Line::End(_) => {
                    let Some((table, columns)) = current.take() else { continue };
                    place += flush(tx, run.id, table, place, &mut batch).await?;
                    bytes = 0;
                    staged.insert(table.name(), (columns, place));
                }
                Line::Manifest(_) | Line::Key(_) | Line::Tenant(_) | Line::Person(_) | Line::Master(_) | Line::Done => {}
            }
        }
        Ok(staged)
    }

    fn goes_in(&self, table: &TableShape) -> bool {
        match &self.copy {
            None => true,
            Some(copy) => matches!(copy.plan.get(table.name()), Some(InShadow::Copied { .. })),
        }
    }

    /// What is other in this copy of a row, as JSON: nothing, but in a shadow.
    fn changes(&self, table: &TableShape, row: &str) -> Result<String, BackupError> {
        let Some(copy) = &self.copy else { return Ok("{}".to_owned()) };
        let mut changes = Map::new();
        let Some(InShadow::Copied { emptied, marked }) = copy.plan.get(table.name()) else { return Ok("{}".to_owned()) };
        changes.extend(emptied.iter().map(|(column, _)| (column.clone(), Value::Null)));
        if !table.entry.sealed.is_empty() || !marked.is_empty() {
            let row: Map<String, Value> = serde_json::from_str(row).map_err(|_| BackupError::Damaged)?;
            for column in marked {
                let text = row.get(*column).and_then(Value::as_str).ok_or(BackupError::Damaged)?;
                changes.insert((*column).to_owned(), Value::String(format!("{text}{}", copy.mark)));
            }
            let id = row_id(table, &row)?;
            for column in table.entry.sealed {
                let Some(sealed) = bytes_of(row.get(*column))? else { continue };
                let place = Place { table: table.name(), column, row: id };
                let does_not_open = VaultError::DoesNotOpen { table: place.table, column: place.column };
                let opened = copy.old.open(place, &sealed).ok_or(does_not_open)?;
                let key = copy.new.newest().expect("a shadow was given one");
                let sealed = copy.new.seal(key, place, opened.expose(), self.keeper.entropy);
                changes.insert((*column).to_owned(), Value::String(format!("\\x{}", hex::encode(sealed))));
            }
        }
        Ok(Value::Object(changes).to_string())
    }

    async fn load(
        &self,
        tx: &mut PlatformTx,
        run: &RestoreRun,
        staged: &BTreeMap<&'static str, (Vec<String>, i64)>,
        cleared: &BTreeMap<&'static str, i64>,
    ) -> Result<Vec<TableRestored>, BackupError> {
        let mut tables = Vec::new();
        for table in self.shape.of_tenants() {
            let cleared = cleared.get(table.name()).copied().unwrap_or(0);
            let Some((columns, expected)) = staged.get(table.name()) else {
                tables.push(TableRestored { table: table.name(), cleared, loaded: 0 });
                continue;
            };
            let loaded = tx.load_rows(run, table, columns).await?;
            assert_eq!(loaded, *expected, "each row that was handed over is put in");
            tables.push(TableRestored { table: table.name(), cleared, loaded });
        }
        Ok(tables)
    }

    /// Says what a rule of the database means here.
    fn explain(&self, error: BackupError) -> BackupError {
        let BackupError::Db(database) = &error else { return error };
        let Some(rule) = store::broken_rule(database) else { return error };
        if rule == "tenant_name_unique" {
            return BackupError::Taken { key: "the name".to_owned(), why: "two tenants never have one name".to_owned() };
        }
        let global = self.shape.of_tenants().flat_map(|table| table.entry.global).find(|(name, _)| *name == rule);
        match global {
            Some((key, why)) => BackupError::Taken { key: (*key).to_owned(), why: (*why).to_owned() },
            None => BackupError::Refused { rule },
        }
    }

    /// Writes the restore into the tenant's own log, and has every router looked at: they hold what was true since.
    async fn tell(&self, restored: &Restored) -> Result<(), BackupError> {
        let now = self.keeper.clock.now();
        let door = self.keeper.db.locator().door(restored.tenant, "backups").await?.ok_or(BackupError::NotFound("tenant"))?;
        let mut tx = self.keeper.db.tenant(&door).await?;
        for router in store::routers(&mut tx).await? {
            tx.touch_router(router, now).await?;
        }
        let details = json!({ "taken_at": restored.manifest.taken_at, "schema_version": restored.manifest.schema_version,
                              "kind": restored.kind.as_str(), "by": self.actor.label().as_str() });
        tx.audit(now, "tenant.restore", &restored.tenant.to_string(), details).await?;
        Ok(tx.commit().await?)
    }
}

#[derive(serde::Deserialize)]
struct PersonId {
    id: Uuid,
}

/// Decides what a restore is, or refuses it.
fn choose(target: &Target, manifest: &Manifest, here: Option<&(String, String)>) -> Result<RestoreKind, BackupError> {
    match (target, here) {
        (Target::Shadow { .. }, None) => Err(BackupError::NoOriginal),
        (Target::Shadow { name }, Some(_)) if !(1..=100).contains(&name.chars().count()) => {
            Err(BackupError::Field { field: "shadow", message: "write a name of 1 to 100 characters" })
        }
        (Target::Shadow { .. }, Some(_)) => Ok(RestoreKind::Shadow),
        (Target::Place { replace: Some(name) }, None) if *name != manifest.name => {
            Err(BackupError::OtherTenant { found: manifest.name.clone(), wanted: name.clone() })
        }
        (Target::Place { .. }, None) => Ok(RestoreKind::Fresh),
        (Target::Place { .. }, Some((name, status))) if status == "purging" => Err(BackupError::BeingPurged(name.clone())),
        (Target::Place { replace: Some(wanted) }, Some((name, _))) if wanted != name => {
            Err(BackupError::OtherTenant { found: name.clone(), wanted: wanted.clone() })
        }
        (Target::Place { replace: None }, Some((name, status))) if !rules::may_be_replaced(status) => {
            Err(BackupError::AtWork { name: name.clone(), status: status.clone() })
        }
        (Target::Place { .. }, Some(_)) => Ok(RestoreKind::Replace),
    }
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

/// Reads what names a row within its tenant.
pub(super) fn row_id(table: &TableShape, row: &Map<String, Value>) -> Result<Uuid, BackupError> {
    let text = row.get(table.row_column()).and_then(Value::as_str).unwrap_or_default();
    Uuid::try_parse(text).map_err(|_| BackupError::Damaged)
}

/// Reads bytes as PostgreSQL writes them into JSON.
pub(super) fn bytes_of(value: Option<&Value>) -> Result<Option<Vec<u8>>, BackupError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let digits = text.strip_prefix("\\x").ok_or(BackupError::Damaged)?;
            hex::decode(digits).map(Some).map_err(|_| BackupError::Damaged)
        }
        Some(_) => Err(BackupError::Damaged),
    }
}

/// Lists what a shadow does not compare: tables, and columns of tables.
pub(super) fn not_in_shadow(shape: &Shape) -> (BTreeSet<&'static str>, BTreeMap<&'static str, Vec<String>>) {
    let (mut tables, mut columns) = (BTreeSet::new(), BTreeMap::new());
    for (table, decided) in rules::shadow_plan(shape) {
        match decided {
            InShadow::LeftOut(_) => {
                tables.insert(table);
            }
            InShadow::Copied { emptied, marked } => {
                let marked = marked.into_iter().map(str::to_owned);
                columns.insert(table, emptied.into_iter().map(|(column, _)| column).chain(marked).collect());
            }
        }
    }
    (tables, columns)
}
