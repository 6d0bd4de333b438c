//! Customers out of a table in CSV: looked at first, and written all or not at all.

mod judge;
mod read;

pub(super) use read::COLUMNS;

use super::rules::Draft;
use super::{CHUNK, CustomerError, ImportView, expect_room, ground, store};
use crate::app::App;
use crate::http::{List, Page};
use crate::operators::{Permission, TenantScope};
use crate::tenants::{self, Limit, LimitError};
use crate::{packages, routers, sites};
use bytes::Bytes;
use db::TenantTx;
use jiff::Timestamp;
use judge::{Judged, Known};
use model::{ImportId, PackageId, RouterId};
use read::Read;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use utoipa::ToSchema;

/// A fault in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImportProblem {
    /// The line in which the row begins; the names of the columns stand in line 1.
    pub line: u64,
    /// The column, or `row` where the row as a whole is wrong.
    pub field: &'static str,
    /// What is wrong, and what belongs there.
    pub message: String,
}

/// What is wrong with a file of which nothing was written.
#[derive(Debug, Clone)]
pub struct WrongRows {
    /// How many rows the file has.
    pub read: usize,
    /// How many name somebody who is there already.
    pub exists: usize,
    /// How many are wrong.
    pub rows: usize,
    /// How many faults these have.
    pub faults: usize,
    /// The first 1,000 faults.
    pub first: Vec<ImportProblem>,
}

impl WrongRows {
    /// Tells the first fault, for a message.
    pub(super) fn begins(&self) -> String {
        self.first
            .first()
            .map(|fault| format!("; the first: line {}: {}: {}", fault.line, fault.field, fault.message))
            .unwrap_or_default()
    }
}

/// How many customers a router gets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RouterImport {
    /// The router.
    pub router: RouterId,
    /// How many are new.
    pub new: usize,
}

/// What came of a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct Imported {
    /// The import; none where the file was only looked at.
    pub id: Option<ImportId>,
    /// Whether it was only looked at.
    pub dry_run: bool,
    /// How many rows the file has.
    pub rows: usize,
    /// How many customers are new.
    pub new: usize,
    /// How many were there already, and stay as they are.
    pub exists: usize,
    /// How many rows are wrong; nothing is written until there are none.
    pub errors: usize,
    /// How many faults these rows have.
    pub problems: usize,
    /// The first 1,000 faults, in the file's order.
    pub items: Vec<ImportProblem>,
    /// How the new customers are spread.
    pub routers: Vec<RouterImport>,
    /// When the very same file was taken in before, if it was.
    pub before: Option<ImportView>,
}

/// Reads a file of customers. A dry run says what would be done; otherwise all new ones are made, unless a row is wrong. The caller may
/// import, and commits.
///
/// # Errors
/// When the file is no such table, a row is wrong, or a router has no room.
pub async fn import(app: &App, tx: &mut TenantTx, file: Bytes, dry_run: bool, now: Timestamp) -> Result<Imported, CustomerError> {
    let hash: [u8; 32] = Sha256::digest(&file).into();
    let bytes = file.len();
    // Taking a large file apart is work; the threads that answer others are not for it.
    let rows = tokio::task::spawn_blocking(move || read::read(&file)).await;
    let rows = rows.expect("reading does not panic").map_err(CustomerError::File)?;
    let read = rows.len();
    let known = known(app, tx, &rows).await?;
    let Judged { drafts, exists, wrong, faults, named } = judge::judge(rows, known, &*app.entropy, now);
    let mut per_router: BTreeMap<RouterId, usize> = BTreeMap::new();
    for draft in &drafts {
        *per_router.entry(draft.router).or_default() += 1;
    }
    let mut imported = Imported {
        id: None,
        dry_run,
        rows: read,
        new: drafts.len(),
        exists,
        errors: wrong,
        problems: faults,
        items: named,
        routers: per_router.iter().map(|(router, new)| RouterImport { router: *router, new: *new }).collect(),
        before: store::import_of(tx, &hash).await?,
    };
    if dry_run {
        let more = i64::try_from(drafts.len()).expect("a file's rows are counted");
        tenants::check(tx, Limit::Customers, more, now).await?;
        for (router, more) in &per_router {
            let more = i64::try_from(*more).expect("a file's rows are counted");
            if store::count_on_router(tx, *router).await? + more > super::PER_ROUTER_MAX {
                return Err(CustomerError::RouterFull);
            }
        }
        return Ok(imported);
    }
    if wrong > 0 {
        return Err(CustomerError::Rows(WrongRows { read, exists, rows: wrong, faults, first: imported.items }));
    }
    write(app, tx, &drafts, &per_router, now).await?;
    let id = ImportId::generate(now, &*app.entropy);
    let outcome = store::Outcome { id, hash: &hash, bytes, rows: read, made: drafts.len(), known: exists, wrong: 0 };
    store::insert_import(tx, &outcome, now).await?;
    let details = serde_json::json!({ "new": drafts.len(), "exists": exists, "file_sha256": hex::encode(hash) });
    tx.audit(now, "customer.import", &id.to_string(), details).await?;
    imported.id = Some(id);
    Ok(imported)
}

async fn write(
    app: &App,
    tx: &mut TenantTx,
    drafts: &[Draft],
    per_router: &BTreeMap<RouterId, usize>,
    now: Timestamp,
) -> Result<(), CustomerError> {
    super::insert(app, tx, drafts, now).await?;
    // The limits at the end, since whoever else makes customers waits from here on. A BTreeMap's order is the same for everybody, so that
    // two imports cannot wait for each other.
    let more = i64::try_from(drafts.len()).expect("a file's rows are counted");
    tenants::check(tx, Limit::Customers, 0, now).await.map_err(|error| match error {
        LimitError::Reached { limit, used, hard } => LimitError::Reached { limit, used: used - more, hard },
        LimitError::Db(error) => LimitError::Db(error),
    })?;
    for router in per_router.keys() {
        expect_room(tx, *router, now).await?;
    }
    Ok(())
}

/// Writes down that a file was refused, so that it is seen who tried what.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub async fn note_refusal(app: &App, scope: &TenantScope, file: &[u8], wrong: &WrongRows) -> Result<(), CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomersImport).await?;
    let id = ImportId::generate(now, &*app.entropy);
    let hash: [u8; 32] = Sha256::digest(file).into();
    let outcome =
        store::Outcome { id, hash: &hash, bytes: file.len(), rows: wrong.read, made: 0, known: wrong.exists, wrong: wrong.rows };
    store::insert_import(&mut tx, &outcome, now).await?;
    let details = serde_json::json!({ "wrong": wrong.rows, "file_sha256": hex::encode(hash) });
    tx.audit(now, "customer.import.refuse", &id.to_string(), details).await?;
    Ok(tx.commit().await?)
}

/// Lists the files that were taken in or refused, newest first.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub async fn imports(app: &App, scope: &TenantScope, page: &Page) -> Result<List<ImportView>, CustomerError> {
    let mut tx = scope.read(app, Permission::CustomersImport).await?;
    Ok(page.list(store::imports(&mut tx, page).await?))
}

async fn known(app: &App, tx: &mut TenantTx, rows: &[Read]) -> Result<Known, CustomerError> {
    let routers = routers::by_name(tx).await?;
    let packages: HashMap<_, _> =
        packages::all_on_sale(tx).await?.into_iter().map(|package| (package.name.clone(), package)).collect();
    let named = rows.iter().filter_map(|(_, row)| {
        let row = row.as_ref().ok()?;
        let package = packages.get(row.get("package")).filter(|package| !package.everywhere)?;
        Some((package.id, *routers.get(row.get("router"))?))
    });
    let mut unsold: HashSet<(PackageId, RouterId)> = HashSet::new();
    for (package, router) in named.collect::<HashSet<_>>() {
        if !packages::in_scope(tx, package, router).await? {
            unsold.insert((package, router));
        }
    }
    let logins: Vec<&str> = rows.iter().filter_map(|(_, row)| Some(row.as_ref().ok()?.get("login"))).collect();
    let mut taken = HashSet::new();
    for logins in logins.chunks(CHUNK) {
        taken.extend(store::live_logins(tx, logins).await?);
    }
    Ok(Known {
        ground: ground(app, tx).await?,
        routers,
        packages,
        unsold,
        sites: sites::by_path(tx).await?,
        logins: taken,
        addresses: store::live_addresses(tx).await?,
    })
}
