//! From a site to the objects its router should hold.
//!
//! Every object is marked: by its tag in the comment, or, in the three hotspot menus that have no comment, by a name that
//! begins with `mw-`. Names that people never choose (pools, profiles) are built from the tag, so that renaming a package
//! changes nothing on the router.

mod dhcp;
mod draft;
mod expired;
mod fasttrack;
mod firewall;
mod fuse;
mod hotspot;
mod lan;
mod listed;
mod people;
mod pppoe;
mod tunnel;
mod walls;

use crate::object::{Desired, Object, ObjectKey, SiteError};
use crate::site::{CUSTOMERS_MAX, Customer, PARTS_MAX, Package, PackageKind, Service, Site, Speed, State};
use crate::{Finding, Severity, menus};
pub use draft::COMMENT;
use draft::Draft;
use model::{BitsPerSec, PackageId, Tag};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
pub use tunnel::API_PORT;

/// What the names of our objects begin with.
pub const NAME_PREFIX: &str = "mw-";

/// The address list of expired customers, who reach the pay page alone; also the name of their profile and pool.
pub const EXPIRED: &str = "mw-expired";

/// The address list of customers who are switched off.
pub const BLOCKED: &str = "mw-blocked";

/// The address list of what expired customers may reach.
pub const PAY_HOSTS: &str = "mw-pay";

/// The address list of all customers who have an address of their own or one of a PPPoE pool.
pub const CUSTOMERS: &str = "mw-customers";

/// The chains through which the controller's packets come to the router itself: ours, and the one that leads into them.
pub const INPUT_CHAINS: [&str; 3] = [tunnel::INPUT, firewall::ROUTER, "input"];

/// Days that fuses reach ahead at most.
const FUSE_DAYS_MAX: u16 = 366;

/// Builds what a site's router should hold. Deterministic: equal input gives equal output.
///
/// # Errors
/// A tag is missing ([`keys`] names those needed), a value is not what RouterOS takes, or the site contradicts itself.
pub fn desired(site: &Site, tags: &dyn Fn(&ObjectKey) -> Option<Tag>) -> Result<Desired, SiteError> {
    check(site)?;
    let mut recipe = Recipe::new(site, tags);
    pppoe::service(&mut recipe)?;
    hotspot::service(&mut recipe)?;
    dhcp::service(&mut recipe)?;
    listed::customers(&mut recipe)?;
    expired::rules(&mut recipe)?;
    firewall::rules(&mut recipe)?;
    people::all(&mut recipe)?;
    fuse::all(&mut recipe)?;
    recipe.finish()
}

/// Lists the keys of all objects that need a tag before [`desired`] can be built, in order, each once.
///
/// # Errors
/// The site makes no sense, as for [`desired`].
pub fn keys(site: &Site) -> Result<Vec<ObjectKey>, SiteError> {
    let asked: RefCell<BTreeMap<ObjectKey, Tag>> = RefCell::default();
    desired(site, &|key| {
        let mut asked = asked.borrow_mut();
        // Names are made of tags, so each key needs a stand-in of its own.
        let number = asked.len();
        let stand_in = || format!("mw:{number:012x}").parse().expect("twelve hexadecimal digits");
        Some(*asked.entry(key.clone()).or_insert_with(stand_in))
    })?;
    Ok(asked.into_inner().into_keys().collect())
}

fn check(site: &Site) -> Result<(), SiteError> {
    let pppoe = site.services.iter().filter(|service| matches!(service, Service::Pppoe(_))).count();
    let hosts = site.portal.as_ref().map_or(0, |portal| portal.hosts.len());
    let counts = [
        ("customers", site.customers.len(), CUSTOMERS_MAX),
        ("packages", site.packages.len(), PARTS_MAX),
        ("services", site.services.len(), PARTS_MAX),
        ("pay hosts", hosts, PARTS_MAX),
        ("PPPoE services", pppoe, 1),
        ("days of fuses", usize::from(site.fuse_days), usize::from(FUSE_DAYS_MAX)),
    ];
    match counts.into_iter().find(|(_, count, max)| count > max) {
        Some((what, _, max)) => Err(SiteError::TooMany { what, max }),
        None => Ok(()),
    }
}

/// A site on its way to its objects.
struct Recipe<'a> {
    site: &'a Site,
    packages: BTreeMap<PackageId, &'a Package>,
    tags: &'a dyn Fn(&ObjectKey) -> Option<Tag>,
    objects: Vec<Object>,
    findings: Vec<Finding>,
}

impl<'a> Recipe<'a> {
    fn new(site: &'a Site, tags: &'a dyn Fn(&ObjectKey) -> Option<Tag>) -> Self {
        let packages = site.packages.iter().map(|package| (package.id, package)).collect();
        Self { site, packages, tags, objects: Vec::new(), findings: Vec::new() }
    }

    fn tag(&self, key: &ObjectKey) -> Result<Tag, SiteError> {
        (self.tags)(key).ok_or_else(|| SiteError::NoTag(key.clone()))
    }

    /// Builds a name that is unique on the router out of an object's tag.
    fn name(&self, key: &ObjectKey) -> Result<String, SiteError> {
        Ok(self.tag(key)?.to_string().replacen("mw:", NAME_PREFIX, 1))
    }

    fn add(&mut self, draft: Draft) -> Result<(), SiteError> {
        let tag = self.tag(&draft.key)?;
        self.objects.push(draft.finish(tag, self.site.facts.version)?);
        Ok(())
    }

    fn find(&mut self, severity: Severity, code: &'static str, text: String) {
        self.findings.push(Finding::new(severity, code, text));
    }

    fn package(&self, customer: &Customer) -> Result<&'a Package, SiteError> {
        let missing = || SiteError::NoPackage(ObjectKey::new("customer", customer.id));
        self.packages.get(&customer.package).copied().ok_or_else(missing)
    }

    /// Lists the customers of a kind with their packages, by id.
    fn customers(&self, kind: PackageKind) -> Result<Vec<(&'a Customer, &'a Package)>, SiteError> {
        let mut all = Vec::new();
        for customer in &self.site.customers {
            let package = self.package(customer)?;
            if package.kind == kind {
                all.push((customer, package));
            }
        }
        all.sort_by_key(|(customer, _)| customer.id);
        Ok(all)
    }

    fn finish(self) -> Result<Desired, SiteError> {
        let mut keys = BTreeSet::new();
        let mut rows = BTreeSet::new();
        for object in &self.objects {
            if !keys.insert(&object.key) {
                return Err(SiteError::Twice(object.key.to_string()));
            }
            let row: Vec<_> = object.menu.key.iter().map(|name| object.text(name)).collect();
            if row.iter().any(Option::is_some) && !rows.insert((object.menu.path, row)) {
                return Err(SiteError::Twice(object.key.to_string()));
            }
        }
        let mut objects = self.objects;
        objects.sort_by_key(|object| menus::rank(object.menu));
        Ok(Desired { objects, findings: self.findings })
    }
}

/// Names the state of a customer in a reason.
const fn state_word(state: State) -> &'static str {
    match state {
        State::Active(_) => "active",
        State::Expired => "expired",
        State::Suspended => "suspended",
    }
}

/// Writes a speed as a profile's `rate-limit`: what the router receives comes first, which is the customer's upload.
fn rate_limit(speed: Speed) -> String {
    let limit = pair(speed.up, speed.down);
    match speed.burst {
        None => limit,
        Some(burst) => format!(
            "{limit} {} {} {time}/{time}",
            pair(burst.up, burst.down),
            pair(burst.threshold_up, burst.threshold_down),
            time = burst.time_s
        ),
    }
}

fn pair(up: BitsPerSec, down: BitsPerSec) -> String {
    format!("{up}/{down}")
}

/// Counts things in a sentence.
fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

fn join(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
