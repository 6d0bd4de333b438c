//! Customers out of a table in CSV: looked at first, and written all or not at all.

use super::rules::{self, Draft};
use super::{CustomerError, NewCustomer, PER_ROUTER_MAX, RowFault, store};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use crate::packages::{self, PackageView};
use crate::tenants;
use csv::{ByteRecord, ErrorKind, ReaderBuilder, Trim};
use db::TenantTx;
use jiff::Timestamp;
use model::{Currency, CustomerId, Entropy, PackageId, RouterId, Supernet};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// Rows of one file.
const ROWS_MAX: usize = 10_000;
/// The columns that may stand in a file, in any order.
const COLUMNS: [&str; 9] = ["login", "password", "full_name", "phone", "kind", "router", "package", "address", "mac"];
/// The columns that must.
const NEEDED: [&str; 3] = ["login", "router", "package"];

/// What is to be done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowOutcome {
    /// The customer is made.
    New,
    /// A customer has the login already, and stays as they are.
    Exists,
    /// Something is wrong with it.
    Error,
}

/// One row of the file.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedRow {
    /// The line it begins in; the names of the columns stand in line 1.
    pub line: u64,
    /// The login.
    pub login: String,
    /// What is to be done.
    pub outcome: RowOutcome,
    /// What is wrong.
    pub message: Option<String>,
}

/// What came of a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct Imported {
    /// Whether it was only looked at.
    pub dry_run: bool,
    /// How many customers are new.
    pub new: usize,
    /// How many were there already.
    pub exists: usize,
    /// How many rows are wrong; nothing is written until there are none.
    pub errors: usize,
    /// All rows, in the file's order.
    pub items: Vec<ImportedRow>,
}

/// A row as it stands in the file.
#[derive(Debug, Deserialize)]
struct Row {
    login: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    full_name: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    kind: String,
    router: String,
    package: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    mac: String,
}

/// The line where a row begins, and the row, or what is wrong with its shape.
type Read = (u64, Result<Row, String>);

/// What rows are held against.
struct Known {
    currency: Currency,
    tunnel: Supernet,
    routers: HashMap<String, RouterId>,
    packages: HashMap<String, PackageView>,
    logins: HashSet<String>,
    addresses: HashSet<(RouterId, Ipv4Addr)>,
}

/// Reads a file of customers. A dry run says what would be done; otherwise all new ones are made, unless a row is wrong.
///
/// # Errors
/// When the role may not, the file is no such table, a row is wrong, or a router has no room.
pub async fn import(app: &App, scope: &TenantScope, file: &[u8], dry_run: bool) -> Result<Imported, CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomersWrite).await?;
    let rows = read(file).map_err(CustomerError::File)?;
    let logins: Vec<&str> = rows.iter().filter_map(|(_, row)| Some(row.as_ref().ok()?.login.as_str())).collect();
    let packages = packages::all_on_sale(&mut tx).await?;
    let known = Known {
        currency: tenants::current(&mut tx).await?.currency,
        tunnel: app.config.supernet,
        routers: store::routers_by_name(&mut tx).await?,
        packages: packages.into_iter().map(|package| (package.name.clone(), package)).collect(),
        logins: store::live_logins(&mut tx, &logins).await?,
        addresses: store::live_addresses(&mut tx).await?,
    };
    let unsold = unsold(&mut tx, &rows, &known).await?;
    let (mut items, drafts) = judge(rows, known, &unsold, &*app.entropy, now);
    let mut per_router: BTreeMap<RouterId, i64> = BTreeMap::new();
    for draft in &drafts {
        *per_router.entry(draft.router).or_default() += 1;
    }
    for (router, more) in &per_router {
        if store::count_on_router(&mut tx, *router).await? + more > PER_ROUTER_MAX {
            return Err(CustomerError::RouterFull);
        }
    }
    let count = |outcome| items.iter().filter(|item| item.outcome == outcome).count();
    let (new, exists, errors) = (count(RowOutcome::New), count(RowOutcome::Exists), count(RowOutcome::Error));
    if !dry_run {
        if errors > 0 {
            items.retain(|item| item.outcome == RowOutcome::Error);
            let fault = |item: ImportedRow| RowFault { line: item.line, message: item.message.unwrap_or_default() };
            return Err(CustomerError::Rows(items.into_iter().map(fault).collect()));
        }
        super::insert(app, &mut tx, &drafts, now).await?;
        // A BTreeMap's order is the same for everybody, so that two imports cannot wait for each other.
        for router in per_router.keys() {
            tx.touch_router(*router, now).await?;
        }
        tx.audit(now, "customer.import", "customers", serde_json::json!({ "new": new, "exists": exists })).await?;
        tx.commit().await?;
    }
    Ok(Imported { dry_run, new, exists, errors, items })
}

/// Takes the file apart: each row with its line, or what is wrong with its shape. Nothing of a row is repeated in a fault, since a
/// password may stand in it.
fn read(file: &[u8]) -> Result<Vec<Read>, String> {
    // Spreadsheets put a byte order mark in front.
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
    let columns = reader.byte_headers().map_err(|_| "this is no CSV".to_owned())?.clone();
    let names: Vec<&str> = columns.iter().map(|name| std::str::from_utf8(name).unwrap_or("?")).collect();
    let good = names.iter().all(|name| COLUMNS.contains(name))
        && NEEDED.iter().all(|name| names.contains(name))
        && names.iter().collect::<HashSet<_>>().len() == names.len();
    if !good {
        return Err(format!(
            "the first line names the columns, each once: {}, and if you like the others of {}",
            NEEDED.join(","),
            COLUMNS.join(",")
        ));
    }
    let mut rows = Vec::new();
    let mut record = ByteRecord::new();
    loop {
        let line = reader.position().line();
        let row = match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) => record.deserialize::<Row>(Some(&columns)).map_err(|_| "this is not UTF-8 text".to_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::UnequalLengths { .. }) => {
                Err("the row has another number of columns than the first line".to_owned())
            }
            Err(_) => return Err(format!("the file cannot be read from line {line} on")),
        };
        if rows.len() == ROWS_MAX {
            return Err(format!("a file has at most {ROWS_MAX} rows: cut it into several"));
        }
        rows.push((record.position().map_or(line, csv::Position::line), row));
    }
}

/// Finds which packages of a file are not sold on the routers that it names them with.
async fn unsold(tx: &mut TenantTx, rows: &[Read], known: &Known) -> Result<HashSet<(PackageId, RouterId)>, CustomerError> {
    let named = rows.iter().filter_map(|(_, row)| {
        let row = row.as_ref().ok()?;
        Some((known.packages.get(&row.package)?, *known.routers.get(&row.router)?))
    });
    let pairs: HashSet<_> =
        named.filter(|(package, _)| !package.everywhere).map(|(package, router)| (package.id, router)).collect();
    let mut unsold = HashSet::new();
    for (package, router) in pairs {
        if !packages::in_scope(tx, package, router).await? {
            unsold.insert((package, router));
        }
    }
    Ok(unsold)
}

/// Says of every row what is to be done, and returns the new customers.
fn judge(
    rows: Vec<Read>,
    mut known: Known,
    unsold: &HashSet<(PackageId, RouterId)>,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> (Vec<ImportedRow>, Vec<Draft>) {
    let (mut items, mut drafts) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    let mut seen: HashMap<String, u64> = HashMap::new();
    for (line, row) in rows {
        let (login, result) = match row {
            Err(message) => (String::new(), Err(message)),
            Ok(row) => {
                let login = row.login.clone();
                let result = match seen.insert(login.clone(), line) {
                    Some(first) => Err(format!("login: it stands in line {first} already")),
                    None if known.logins.contains(&login) => Ok(None),
                    None => draft(row, &mut known, unsold, CustomerId::generate(now, entropy)).map(Some),
                };
                (login, result)
            }
        };
        let (outcome, message) = match result {
            Ok(Some(draft)) => {
                drafts.push(draft);
                (RowOutcome::New, None)
            }
            Ok(None) => (RowOutcome::Exists, None),
            Err(message) => (RowOutcome::Error, Some(message)),
        };
        items.push(ImportedRow { line, login, outcome, message });
    }
    (items, drafts)
}

/// Makes a customer out of a row; the address is taken from then on.
fn draft(row: Row, known: &mut Known, unsold: &HashSet<(PackageId, RouterId)>, id: CustomerId) -> Result<Draft, String> {
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let router = *known.routers.get(&row.router).ok_or("router: there is no router with this name")?;
    let package = known.packages.get(&row.package).ok_or("package: there is no package with this name on sale")?;
    if filled(row.kind).is_some_and(|kind| kind != package.kind.as_str()) {
        return Err(format!("kind: the package is for {}", package.kind.as_str()));
    }
    if unsold.contains(&(package.id, router)) {
        return Err("package: it is not sold on this router".to_owned());
    }
    let address = filled(row.address).map(|text| text.parse::<Ipv4Addr>()).transpose();
    let new = NewCustomer {
        login: row.login,
        password: filled(row.password).map(Into::into),
        full_name: row.full_name,
        phone: row.phone,
        router,
        package: package.id,
        address: address.map_err(|_| "address: write an IPv4 address")?,
        mac: filled(row.mac),
    };
    let draft = rules::draft(id, new, package.kind, known.currency, known.tunnel)
        .map_err(|(field, message)| format!("{field}: {message}"))?;
    if draft.address.is_some_and(|address| !known.addresses.insert((router, address))) {
        return Err("address: another customer of this router has it".to_owned());
    }
    Ok(draft)
}
