//! Says of every row of a file what is to be done with it. Pure.

use super::super::rules::{self, Draft, Ground};
use super::super::{CustomerStatus, NewCustomer, Origin};
use super::ImportProblem;
use super::read::{Fault, Read, Row};
use crate::packages::PackageView;
use crate::sites::Position;
use jiff::Timestamp;
use model::{CustomerId, Entropy, PackageId, RouterId, SiteId};
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

/// Faults that are named; all are counted.
const NAMED_MAX: usize = 1_000;

/// What rows are held against.
pub(super) struct Known {
    pub(super) ground: Ground,
    pub(super) routers: HashMap<String, RouterId>,
    pub(super) packages: HashMap<String, PackageView>,
    /// Packages that are not sold on a router that the file names them with.
    pub(super) unsold: HashSet<(PackageId, RouterId)>,
    /// Sites by the names on the way to them, with slashes in between.
    pub(super) sites: HashMap<String, SiteId>,
    /// Logins that are in use.
    pub(super) logins: HashSet<String>,
    /// Addresses that are in use, and those that the file gives.
    pub(super) addresses: HashSet<(RouterId, Ipv4Addr)>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// The new customers.
    pub(super) drafts: Vec<Draft>,
    /// How many rows name somebody who is there already.
    pub(super) exists: usize,
    /// How many rows are wrong.
    pub(super) wrong: usize,
    /// How many faults they have.
    pub(super) faults: usize,
    /// The first of these.
    pub(super) named: Vec<ImportProblem>,
}

/// Says of every row what is to be done.
pub(super) fn judge(rows: Vec<Read>, mut known: Known, entropy: &dyn Entropy, now: Timestamp) -> Judged {
    let mut judged = Judged::default();
    let mut seen: HashMap<String, u64> = HashMap::with_capacity(rows.len());
    for (line, row) in rows {
        let result = row.map_err(|fault| vec![fault]).and_then(|mut row| {
            let login = row.take("login");
            if let Some(first) = seen.get(&login) {
                return Err(vec![("login", format!("it stands in line {first} already"))]);
            }
            seen.insert(login.clone(), line);
            if known.logins.contains(&login) {
                return Ok(None);
            }
            draft(login, row, &mut known, CustomerId::generate(now, entropy)).map(Some)
        });
        match result {
            Ok(Some(draft)) => judged.drafts.push(draft),
            Ok(None) => judged.exists += 1,
            Err(faults) => {
                judged.wrong += 1;
                judged.faults += faults.len();
                let room = NAMED_MAX - judged.named.len();
                let named = faults.into_iter().take(room);
                judged.named.extend(named.map(|(field, message)| ImportProblem { line, field, message }));
            }
        }
    }
    judged
}

/// Makes a customer out of a row; the address is taken from then on.
fn draft(login: String, mut row: Row, known: &mut Known, id: CustomerId) -> Result<Draft, Vec<Fault>> {
    let mut faults: Vec<Fault> = Vec::new();
    let (router, package, site) = names(&mut row, known, &mut faults);
    let address = row.filled("address").map(|text| text.parse::<Ipv4Addr>());
    let unreadable = matches!(address, Some(Err(_)));
    if unreadable {
        faults.push(("address", "write an IPv4 address".to_owned()));
    }
    let location = location(&mut row).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    let status = status(&mut row).unwrap_or_else(|fault| {
        faults.push(fault);
        CustomerStatus::Active
    });
    let Some(package) = package else { return Err(faults) };
    // Where the router is not known, nothing is written, whatever stands here.
    let router = router.unwrap_or(RouterId::from_uuid(uuid::Uuid::nil()));
    let new = NewCustomer {
        password: row.filled("password").map(Into::into),
        full_name: row.take("full_name"),
        phone: row.take("phone"),
        email: row.take("email"),
        language: row.take("language"),
        notes: row.take("notes"),
        location,
        site,
        address: address.and_then(Result::ok),
        mac: row.filled("mac"),
        ..NewCustomer::named(login, router, package.id)
    };
    match rules::draft(id, new, package.kind, Origin::Import, known.ground) {
        Ok(draft) => {
            if draft.address.is_some_and(|address| !known.addresses.insert((router, address))) {
                faults.push(("address", "another customer of this router has it".to_owned()));
            }
            if faults.is_empty() { Ok(Draft { status, ..draft }) } else { Err(faults) }
        }
        Err(more) => {
            // An address that cannot be read is no address that is missing.
            let more = more.into_iter().filter(|(field, _)| !(unreadable && *field == "address"));
            faults.extend(more.map(|(field, message)| (field, message.to_owned())));
            Err(faults)
        }
    }
}

/// Finds what a row names: router, package and site.
fn names(row: &mut Row, known: &Known, faults: &mut Vec<Fault>) -> (Option<RouterId>, Option<PackageView>, Option<SiteId>) {
    let router = known.routers.get(&row.take("router")).copied();
    if router.is_none() {
        faults.push(("router", "there is no router with this name".to_owned()));
    }
    let package = known.packages.get(&row.take("package"));
    match (package, router) {
        (None, _) => faults.push(("package", "there is no package with this name on sale".to_owned())),
        (Some(package), Some(router)) if known.unsold.contains(&(package.id, router)) => {
            faults.push(("package", "it is not sold on this router".to_owned()));
        }
        (Some(package), _) if row.filled("kind").is_some_and(|kind| kind != package.kind.as_str()) => {
            faults.push(("kind", format!("the package is for {}", package.kind.as_str())));
        }
        (Some(_), _) => {}
    }
    let site = row.filled("site").map(|path| known.sites.get(&path).copied());
    if site == Some(None) {
        faults
            .push(("site", "there is no such site: write the names on the way to it, as in Kilimani/House 7/Flat 3".to_owned()));
    }
    (router, package.cloned(), site.flatten())
}

fn status(row: &mut Row) -> Result<CustomerStatus, Fault> {
    match row.take("status").as_str() {
        "" | "active" => Ok(CustomerStatus::Active),
        "suspended" => Ok(CustomerStatus::Suspended),
        _ => Err(("status", "write active or suspended, or leave it empty".to_owned())),
    }
}

fn location(row: &mut Row) -> Result<Option<Position>, Fault> {
    const DEGREES: &str = "write latitude and longitude in degrees, such as -1.2921 and 36.8219, or leave both empty";
    match (row.filled("latitude"), row.filled("longitude")) {
        (None, None) => Ok(None),
        (Some(latitude), Some(longitude)) => {
            let degrees = |field, text: &str| text.parse::<f64>().map_err(|_| (field, DEGREES.to_owned()));
            Ok(Some(Position { latitude: degrees("latitude", &latitude)?, longitude: degrees("longitude", &longitude)? }))
        }
        (Some(_), None) => Err(("longitude", DEGREES.to_owned())),
        (None, Some(_)) => Err(("latitude", DEGREES.to_owned())),
    }
}
