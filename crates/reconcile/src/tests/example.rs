//! An ISP with a bit of everything.

use crate::*;
use jiff::tz::{self, TimeZone};
use jiff::{SignedDuration, Timestamp};
use model::{BitsPerSec, Bytes, CustomerId, Entropy, PackageId, RouterosVersion, Secret, Tag};
use std::net::Ipv4Addr;

/// Half past one in the afternoon in Nairobi.
pub fn now() -> Timestamp {
    "2026-11-21T10:30:00Z".parse().expect("a time")
}

pub fn package_id(number: u8) -> PackageId {
    format!("pkg_000000000000700080000000000000{number:02x}").parse().expect("an id")
}

pub fn customer_id(number: u16) -> CustomerId {
    format!("cus_0000000000007000800000000000{number:04x}").parse().expect("an id")
}

/// Gives every key the same tag always, and different keys different ones.
#[expect(clippy::unnecessary_wraps, reason = "it stands in for a database that may not know a key")]
pub fn tags(key: &ObjectKey) -> Option<Tag> {
    #[derive(Debug)]
    struct Hash(u64);
    impl Entropy for Hash {
        fn fill(&self, buffer: &mut [u8]) {
            for (byte, hashed) in buffer.iter_mut().zip(self.0.to_be_bytes()) {
                *byte = hashed;
            }
        }
    }
    // FNV-1a.
    let hash =
        key.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    Some(Tag::generate(&Hash(hash)))
}

pub fn speed(down: u64, up: u64) -> Speed {
    Speed { down: BitsPerSec(down * 1_000_000), up: BitsPerSec(up * 1_000_000), burst: None }
}

pub fn package(number: u8, name: &str, kind: PackageKind, speed: Speed) -> Package {
    Package { id: package_id(number), name: name.to_owned(), kind, speed, on_expiry: OnExpiry::Redirect, shared_users: 1 }
}

pub fn customer(number: u16, login: &str, package: u8, state: State) -> Customer {
    Customer {
        id: customer_id(number),
        login: login.to_owned(),
        password: Secret::new(format!("{login}-secret")),
        package: package_id(package),
        address: None,
        mac_lock: None,
        counted_since: Some(now() - SignedDuration::from_hours(24)),
        state,
    }
}

/// A grant with so many hours left.
pub fn active(hours_left: i64) -> State {
    let until = now() + SignedDuration::from_hours(hours_left);
    State::Active(Grant { until, online_max: None, data_max: None })
}

pub fn facts() -> Facts {
    Facts {
        version: RouterosVersion::new(7, 20, 8),
        now: now(),
        zone: TimeZone::fixed(tz::offset(3)),
        clock_set: true,
        scheduler_allowed: true,
        fasttrack: false,
        management_ports: [21, 22, 23, 8291, 8728, 8729].into(),
        outside: ["ether1".to_owned()].into(),
        hotspot: HotspotSupport::Ready,
    }
}

fn range(first: [u8; 4], last: [u8; 4]) -> AddressRange {
    AddressRange { first: first.into(), last: last.into() }
}

pub fn site() -> Site {
    let burst = Burst {
        down: BitsPerSec(20_000_000),
        up: BitsPerSec(10_000_000),
        threshold_down: BitsPerSec(8_000_000),
        threshold_up: BitsPerSec(4_000_000),
        time_s: 16,
    };
    let mut disabling = package(3, "Shop line", PackageKind::Static, speed(20, 20));
    disabling.on_expiry = OnExpiry::Disable;
    let mut hotspot = package(2, "Day pass", PackageKind::Hotspot, speed(5, 5));
    hotspot.shared_users = 2;
    let fixed = |mut customer: Customer, address: [u8; 4]| {
        customer.address = Some(address.into());
        customer
    };
    let mut visitor = customer(4, "254700000004", 2, active(5));
    if let State::Active(grant) = &mut visitor.state {
        grant.data_max = Some(Bytes(1 << 30));
    }
    visitor.mac_lock = Some("02:aa:bb:cc:dd:ee".to_owned());
    Site {
        facts: facts(),
        hub: Ipv4Addr::new(10, 10, 0, 1),
        wireguard_interface: "wg-mastwire".to_owned(),
        openings: Openings::default(),
        services: vec![
            Service::Pppoe(Pppoe {
                interfaces: vec!["ether2".to_owned()],
                vlans: Vec::new(),
                local_address: Ipv4Addr::new(10, 64, 0, 1),
                pool: vec![range([10, 64, 0, 2], [10, 64, 3, 254])],
                expired_pool: vec![range([10, 65, 0, 2], [10, 65, 0, 254])],
                dns: vec![Ipv4Addr::new(1, 1, 1, 1)],
            }),
            Service::Hotspot(Hotspot {
                interface: "ether3".to_owned(),
                gateway: "192.168.88.1/24".parse().expect("a network"),
                pool: vec![range([192, 168, 88, 10], [192, 168, 88, 254])],
                dns_name: Some("login.isp.example".to_owned()),
                walled_garden: vec!["portal.isp.example".to_owned()],
            }),
        ],
        portal: Some(Portal { address: Ipv4Addr::new(203, 0, 113, 7), port: 8081, hosts: vec!["203.0.113.8".to_owned()] }),
        packages: vec![
            package(1, "Home 10", PackageKind::Pppoe, Speed { burst: Some(burst), ..speed(10, 5) }),
            hotspot,
            disabling,
            package(4, "Home 50", PackageKind::Pppoe, speed(50, 20)),
        ],
        customers: vec![
            customer(1, "alice", 1, active(2)),
            fixed(customer(2, "bob", 1, State::Expired), [10, 64, 9, 9]),
            customer(3, "carol", 1, State::Suspended),
            visitor,
            fixed(customer(5, "shop", 3, active(3)), [198, 51, 100, 20]),
            fixed(customer(6, "kiosk", 3, State::Expired), [198, 51, 100, 21]),
        ],
        fuse_days: FUSE_DAYS,
    }
}

pub fn wanted(site: &Site) -> Desired {
    desired(site, &tags).expect("the site makes sense")
}

/// Text of a print's row: `name=value` pairs.
pub fn row(id: &str, values: &[(&str, &str)]) -> Row {
    Row::new(id, values.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())))
}
