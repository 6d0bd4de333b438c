//! Goal: whatever two sites A and B are, a router that was brought to A and then to B is what B wants, and taking B's change set back
//! makes it what it was under A; rows that are somebody else's never change. In every menu that is written, for all recorded versions.
//! Method: random sites on virtual routers as strict as the recordings, with random strangers that are there before A and before B, also
//! between our rules; commands of a stage arrive in any order.

use super::example::{now, wanted};
use super::lab::{Lab, Shown};
use super::properties::any_site;
use crate::guard::{self, Unguardable, Window};
use crate::menus::MANAGED;
use crate::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use routeros::catalogue::{self as cat, Menu, Shape, ip_firewall_filter as filter, ip_hotspot_user, ppp_secret};
use routeros_sim::device::Request;
use std::collections::BTreeSet;

/// The versions of which there are recordings.
const VERSIONS: [&str; 3] = ["7.20.8", "7.21.5", "7.22.3"];

/// A row that is somebody else's.
#[derive(Debug, Clone)]
struct Stranger {
    menu: &'static Menu,
    /// Whether it has a name, address or device that ours may have.
    in_the_way: bool,
    number: usize,
    /// Where it stands in an ordered menu.
    place: usize,
}

impl Stranger {
    /// Its values, other than the comment; menus of which nothing is said here take a name.
    fn values(&self) -> Vec<(&'static str, String)> {
        let n = self.number;
        let plain = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let path = self.menu.path;
        let name = match path {
            _ if !self.in_the_way => format!("stranger-{n}"),
            _ if path == ppp_secret::MENU.path || path == ip_hotspot_user::MENU.path => format!("user-{n}"),
            _ if path == cat::queue_simple::MENU.path => format!("mw-user-{n}"),
            _ if path == cat::ip_pool::MENU.path && n.is_multiple_of(2) => "mw-pppoe".to_owned(),
            // Where a menu has no comment this name would make the row ours.
            _ if self.menu.arg("comment").is_some() => "mw-expired".to_owned(),
            _ => format!("stranger-{n}"),
        };
        match path {
            "/system/scheduler" => vec![("name", name), ("on-event", ":put 1".to_owned()), ("interval", "1h".to_owned())],
            "/ip/pool" => vec![("name", name), ("ranges", format!("172.19.{n}.2-172.19.{n}.9"))],
            "/ip/address" if self.in_the_way => plain(&[("address", "10.64.8.254/24"), ("interface", "ether4")]),
            "/ip/address" => vec![("address", format!("172.16.{n}.1/24")), ("interface", "ether1".to_owned())],
            "/ip/dhcp-server/network" if self.in_the_way => plain(&[("address", "10.64.8.0/24"), ("gateway", "10.64.8.1")]),
            "/ip/dhcp-server/network" => vec![("address", format!("172.17.{n}.0/24"))],
            "/ip/dhcp-server" => vec![("name", name), ("interface", "ether1".to_owned())],
            "/ip/dhcp-server/lease" => {
                let (mac, ip) = if self.in_the_way {
                    (format!("02:00:00:00:00:{:02X}", n % 6), format!("10.64.8.{}", n % 16 + 1))
                } else {
                    (format!("02:AA:00:00:00:{n:02X}"), format!("172.17.0.{n}"))
                };
                vec![("address", ip), ("mac-address", mac)]
            }
            "/interface/pppoe-server/server" => vec![("service-name", name), ("interface", "ether1".to_owned())],
            "/ip/hotspot" => vec![("name", name), ("interface", "ether1".to_owned())],
            "/ip/hotspot/walled-garden" => vec![("dst-host", format!("{name}.example")), ("action", "allow".to_owned())],
            "/ip/firewall/address-list" if self.in_the_way => {
                vec![("list", EXPIRED.to_owned()), ("address", format!("10.64.8.{}", n % 16 + 1))]
            }
            "/ip/firewall/address-list" => vec![("list", "theirs".to_owned()), ("address", format!("172.18.0.{n}"))],
            "/ip/firewall/nat" => plain(&[("chain", ["dstnat", "srcnat"][n % 2]), ("action", "accept")]),
            "/ip/firewall/filter" => {
                let chain = ["input", "forward", "mw-input", "mw-forward", "theirs"][n % 5];
                plain(&[("chain", chain), ("action", "accept"), ("protocol", "udp")])
            }
            "/queue/simple" => vec![("name", name), ("target", format!("172.18.0.{n}/32"))],
            "/ppp/secret" => {
                vec![("name", name), ("password", "theirs".to_owned()), ("service", ["any", "pppoe", "l2tp"][n % 3].to_owned())]
            }
            "/ip/hotspot/user" => vec![("name", name), ("password", "theirs".to_owned())],
            _ => vec![("name", name)],
        }
    }
}

fn strangers() -> impl Strategy<Value = Vec<Stranger>> {
    let one = (0..MANAGED.len(), any::<bool>(), 0..48_usize, 0..64_usize);
    let stranger = |(menu, in_the_way, number, place): (usize, bool, usize, usize)| Stranger {
        menu: MANAGED[menu],
        in_the_way,
        number,
        place,
    };
    prop::collection::vec(one.prop_map(stranger), 0..12)
}

/// One stranger for each menu that is written.
fn everywhere() -> Vec<Stranger> {
    MANAGED.into_iter().map(|menu| Stranger { menu, in_the_way: false, number: 99, place: 0 }).collect()
}

/// A router with strangers on it.
struct Tower {
    lab: Lab,
    strangers: BTreeSet<(&'static str, String)>,
}

impl Tower {
    fn new(version: &str) -> Self {
        let mut lab = Lab::new("RB5009", version, now());
        lab.run(&Request::new("/interface/wireguard", "add").arg("name", "wg-mastwire"));
        let mut all = Self { lab, strangers: BTreeSet::new() };
        for menu in MANAGED {
            let rows = all.lab.print(menu);
            all.strangers.extend(rows.into_iter().map(|row| (menu.path, row[cat::ID].clone())));
        }
        for stranger in everywhere() {
            assert!(all.meet(&stranger), "{stranger:?}");
        }
        all
    }

    /// Lets somebody else add a row; says whether the router took it.
    fn meet(&mut self, stranger: &Stranger) -> bool {
        let menu = stranger.menu;
        let mut add = Request::new(menu.path, "add");
        for (name, value) in stranger.values() {
            add = add.arg(name, &value);
        }
        if menu.arg("comment").is_some() {
            add = add.arg("comment", "not yours");
        }
        let rows = self.lab.print(menu);
        if menu.shape == Shape::Ordered && !rows.is_empty() {
            add = add.arg(filter::PLACE_BEFORE, &rows[stranger.place % rows.len()][cat::ID]);
        }
        let added = self.lab.attempt(&add).ok().flatten();
        self.strangers.extend(added.clone().map(|id| (menu.path, id)));
        added.is_some()
    }

    /// Lets somebody else add rows, of which the router refuses some.
    fn meet_all(&mut self, strangers: &[Stranger]) {
        for stranger in strangers {
            self.meet(stranger);
        }
    }

    /// Every stranger with all that is shown of it, in order.
    fn strange(&mut self) -> Vec<(&'static str, Shown)> {
        let Self { lab, strangers } = self;
        let rows = MANAGED.into_iter().flat_map(|menu| lab.print(menu).into_iter().map(|row| (menu.path, row)));
        rows.filter(|(path, row)| strangers.contains(&(*path, row[cat::ID].clone()))).collect()
    }

    fn plan(&mut self, site: &Site) -> ChangeSet {
        let observed = self.lab.observe(&observe_list(site));
        plan(&wanted(site), &observed, &Policy::default())
    }
}

/// Menus whose rows hold secrets, which must not stand in a script; the controller takes their changes back, a router does not.
const SECRETS: [&str; 2] = ["/ppp/secret", "/ip/hotspot/user"];
/// Menus without comments, where a script has nothing to find a row by that it made.
const MARKLESS: [&str; 3] = ["/ip/hotspot", "/ip/hotspot/profile", "/ip/hotspot/user/profile"];

/// Says that a router can take back by itself whatever may cut the path, and everything else but what is named above.
fn check_guard(set: &ChangeSet, observed: &Observed) -> Result<(), TestCaseError> {
    let mark = "mw:0000000000ff".parse().expect("a mark");
    let arm = |changes: &[Change]| guard::arm(changes, observed, mark, jiff::SignedDuration::ZERO, Window::DEFAULT);
    for part in guard::parts(&set.changes).filter(|part| part.risky) {
        prop_assert!(arm(part.changes).is_ok(), "{:?}", arm(part.changes));
    }
    for change in &set.changes {
        let allowed = match arm(&[Change { risk: Risk::Path, ..change.clone() }]) {
            Ok(_) => true,
            Err(Unguardable::Secret(_)) => SECRETS.contains(&change.menu.path),
            Err(Unguardable::Nameless(_)) => MARKLESS.contains(&change.menu.path),
            Err(Unguardable::Text(_) | Unguardable::TooLong(_)) => false,
        };
        prop_assert!(allowed, "{change}");
        prop_assert!(change.undo() != Undo::Nothing, "{change}");
    }
    Ok(())
}

/// A plan without the ids of the rows that others stand before: a rule that was removed and made again has another.
fn nameless(set: &ChangeSet) -> String {
    let text = set.to_string();
    let parts: Vec<&str> = text.split(" before *").map(|part| part.trim_start_matches(|c: char| c.is_ascii_hexdigit())).collect();
    parts.join(" before it")
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, max_shrink_iters: 500, rng_seed: RngSeed::Fixed(0x4d61_7374), ..ProptestConfig::with_cases(96)
    })]

    #[test]
    fn one_site_after_another_and_back(
        first in any_site(), second in any_site(), before in strangers(), between in strangers(), seed in any::<u64>(),
    ) {
        for version in VERSIONS {
            let at = |site: &Site| {
                let mut site = site.clone();
                site.facts.version = version.parse().expect("a version");
                site
            };
            let (a, b) = (at(&first), at(&second));
            let mut router = Tower::new(version);
            router.meet_all(&before);
            let strange = router.strange();
            let set = router.plan(&a);
            router.lab.apply_all(&set, seed);
            let again = router.plan(&a);
            prop_assert!(again.is_empty(), "{version}: A is there, but: {again}");
            prop_assert_eq!(&router.strange(), &strange, "{}", set);

            router.meet_all(&between);
            let strange = router.strange();
            let held = router.lab.held(&MANAGED);
            let still = router.plan(&a);
            let observed = router.lab.observe(&observe_list(&b));
            let set = router.plan(&b);
            check_guard(&set, &observed)?;
            let made = router.lab.apply_all(&set, seed);
            let again = router.plan(&b);
            prop_assert!(again.is_empty(), "{version}: B is there, but: {again}");
            prop_assert_eq!(&router.strange(), &strange, "{}", set);

            router.lab.take_back(&set, &made);
            let (is, was) = (router.lab.held(&MANAGED), held);
            for ((menu, is), was) in MANAGED.into_iter().zip(is).zip(was) {
                prop_assert_eq!(is, was, "{}: {} after taking back\n{}", version, menu.path, set);
            }
            prop_assert_eq!(&router.strange(), &strange, "{}", set);
            // What strangers moved in before B stays to be done, and nothing else.
            prop_assert_eq!(nameless(&router.plan(&a)), nameless(&still));
        }
    }
}
