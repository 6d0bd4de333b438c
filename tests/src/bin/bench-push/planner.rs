//! The pure planner on one core: what is wanted beside what was observed, equal, and growing.

use anyhow::{Context as _, ensure};
use jiff::tz::TimeZone;
use model::{BitsPerSec, CustomerId, PackageId, RouterosVersion, Secret, Tag};
use reconcile::{
    AddressRange, Customer, Desired, Facts, HotspotSupport, Observed, OnExpiry, Openings, Package, PackageKind, Policy, Pppoe,
    Row, Service, Site, Speed, State,
};
use routeros::catalogue::{Kind, ppp_secret};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;
use system_tests::bench::{Figure, core_time, progress};

/// The most customers of one site; of more, only the secrets are taken.
const PART: usize = 10_000;
const TRIES: usize = 5;
/// What ten times as much may cost: sorting makes it a little more than ten times.
const TENFOLD: f64 = 14.0;

/// Times plans of so many secrets beside as many rows; the target is that of the middle size.
pub fn measure(sizes: [usize; 3]) -> anyhow::Result<Vec<Figure>> {
    let mut times = Vec::new();
    for size in sizes {
        let time = ms(plan(size)?);
        progress(&format!("{size} secrets planned beside as many rows: {time:.1} ms"));
        times.push(time);
    }
    let what = |size: usize| format!("{size} secrets planned beside as many rows, one core");
    let [small, middle, large] = sizes;
    let tenfold = (times[2] / times[1]) / (large as f64 / middle as f64) * 10.0;
    Ok(vec![
        Figure::new(what(small), times[0], "ms"),
        Figure::new(what(middle), times[1], "ms").stays(50.0),
        Figure::new(what(large), times[2], "ms"),
        Figure::new("how many times longer ten times as many secrets take", tenfold, "times").stays(TENFOLD),
    ])
}

fn plan(size: usize) -> anyhow::Result<Duration> {
    let desired = desired(size)?;
    let observed = observed(&desired);
    let policy = Policy::default();
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        let (set, time) = core_time(|| reconcile::plan(&desired, &observed, &policy));
        ensure!(set.is_empty(), "a router that holds everything needs nothing: {:?}", set.changes.first());
        best = best.min(time);
    }
    Ok(best)
}

fn desired(size: usize) -> anyhow::Result<Desired> {
    let mut all: Option<Desired> = None;
    for first in (0..size).step_by(PART) {
        let site = site(first..size.min(first + PART))?;
        let keys = reconcile::keys(&site)?;
        let tags: BTreeMap<_, Tag> = keys.iter().enumerate().map(|(number, key)| (key, tag(first * 2 + number))).collect();
        let part = reconcile::desired(&site, &|key| tags.get(key).copied())?;
        match &mut all {
            None => all = Some(part),
            Some(all) => all.objects.extend(part.objects.into_iter().filter(|object| object.menu.path == ppp_secret::MENU.path)),
        }
    }
    all.context("there is at least one customer")
}

fn tag(number: usize) -> Tag {
    format!("mw:{number:012x}").parse().expect("twelve hexadecimal digits")
}

/// A router that holds all of it, as it prints it.
fn observed(desired: &Desired) -> Observed {
    let mut rows: BTreeMap<&str, (&'static routeros::catalogue::Menu, Vec<Row>)> = BTreeMap::new();
    for object in &desired.objects {
        let (_, rows) = rows.entry(object.menu.path).or_insert((object.menu, Vec::new()));
        let shown = |name, text| match (object.menu.arg(name).map(|arg| arg.kind), text) {
            (Some(Kind::Bool), "yes") => "true",
            (Some(Kind::Bool), "no") => "false",
            (_, other) => other,
        };
        let values = object.values.iter().filter_map(|(name, value)| Some((*name, shown(name, value.expose()?))));
        rows.push(Row::new(format!("*{:X}", rows.len() + 1), values));
    }
    let mut observed = Observed::default();
    for (menu, rows) in rows.into_values() {
        observed.insert(menu, rows);
    }
    observed
}

fn site(customers: std::ops::Range<usize>) -> anyhow::Result<Site> {
    let range = |first: [u8; 4], last: [u8; 4]| AddressRange { first: first.into(), last: last.into() };
    let package: PackageId = "pkg_00000000000070008000000000000001".parse()?;
    let speed = Speed { down: BitsPerSec(10_000_000), up: BitsPerSec(5_000_000), burst: None };
    let customer = |number: usize| {
        let id: CustomerId = format!("cus_0000000000007000800000{number:010x}").parse()?;
        Ok(Customer {
            id,
            login: format!("customer-{number}"),
            password: Secret::new("dial-1234".to_owned()),
            package,
            address: None,
            mac_lock: None,
            counted_since: None,
            state: State::Expired,
        })
    };
    Ok(Site {
        facts: Facts {
            version: RouterosVersion::new(7, 22, 3),
            now: "2026-01-15T09:00:00Z".parse()?,
            zone: TimeZone::UTC,
            clock_set: true,
            scheduler_allowed: true,
            fasttrack: false,
            management_ports: [21, 22, 23, 8291, 8728, 8729].into(),
            outside: ["ether1".to_owned()].into(),
            hotspot: HotspotSupport::Ready,
        },
        hub: Ipv4Addr::new(10, 10, 0, 1),
        wireguard_interface: "wg-mastwire".to_owned(),
        services: vec![Service::Pppoe(Pppoe {
            interfaces: vec!["ether2".to_owned()],
            vlans: Vec::new(),
            local_address: Ipv4Addr::new(10, 64, 0, 1),
            pool: vec![range([10, 64, 0, 2], [10, 64, 255, 254])],
            expired_pool: vec![range([10, 65, 0, 2], [10, 65, 255, 254])],
            dns: vec![Ipv4Addr::new(1, 1, 1, 1)],
        })],
        portal: None,
        openings: Openings::default(),
        packages: vec![Package {
            id: package,
            name: "Home".to_owned(),
            kind: PackageKind::Pppoe,
            speed,
            on_expiry: OnExpiry::Redirect,
            shared_users: 1,
        }],
        customers: customers.map(customer).collect::<anyhow::Result<_>>()?,
        fuse_days: reconcile::FUSE_DAYS,
    })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
