//! Random sites on random routers.

use super::example::{active, customer, row, site, wanted};
use crate::menus::MANAGED;
use crate::testing::simulate;
use crate::*;
use proptest::prelude::*;
use routeros::catalogue::{Kind, Menu, Shape};

fn state() -> impl Strategy<Value = State> {
    prop_oneof![(1..400_i64).prop_map(active), Just(State::Expired), Just(State::Suspended)]
}

prop_compose! {
    pub fn any_site()(
        states in prop::collection::vec((state(), 1..4_u8, any::<bool>(), 0..3_u8, 0..3_i64), 0..12),
        services in 0..8_usize,
        portal in any::<bool>(),
        down in 1..50_u64,
    ) -> Site {
        let mut site = site();
        if services & 1 == 0 { site.services.remove(0); }
        if services & 2 == 0 { site.services.pop(); }
        if services & 4 == 0 {
            site.services.push(Service::Dhcp(Dhcp {
                interface: "ether4".to_owned(),
                gateway: "10.64.8.254/24".parse().expect("a network"),
                pool: vec![AddressRange { first: [10, 64, 8, 2].into(), last: [10, 64, 8, 40].into() }],
                lease_s: 600,
                dns: Vec::new(),
                pin: portal,
            }));
        }
        if !portal { site.portal = None; }
        site.facts.fasttrack = down % 2 == 0;
        site.openings = Openings { customers_manage: down % 3 == 0, resolve_outside: down % 5 == 0 };
        if down % 7 == 0 { site.facts.outside.insert("ether8".to_owned()); }
        site.packages[0].speed.down = model::BitsPerSec(down * 1_000_000);
        site.customers = states.into_iter().zip(0_u8..).map(|((state, package, fixed, name, periods), number)| {
            // Logins change hands between sites: the same names, other customers.
            let mut customer = customer(number.into(), &format!("user-{}", (number + name * 16) % 48), package, state);
            customer.counted_since = (periods > 0).then(|| super::example::now() - jiff::SignedDuration::from_hours(periods));
            if fixed || package == 3 { customer.address = Some([10, 64, 8, number + 1].into()); }
            // Devices change hands too.
            if fixed { customer.mac_lock = Some(format!("02:00:00:00:00:{:02X}", (number + name) % 6)); }
            customer
        }).collect();
        site
    }
}

/// Foreign rows for some menus: strangers, and ones that are in the way.
fn foreign() -> impl Strategy<Value = Vec<(usize, Row)>> {
    let one = (0..MANAGED.len(), 0..6_u8, 0..100_usize).prop_map(|(menu, kind, at)| {
        let name = match kind {
            0 => "user-1".to_owned(),
            1 => EXPIRED.to_owned(),
            2 => "mw-pppoe".to_owned(),
            _ => format!("stranger-{at}"),
        };
        let named = MANAGED[menu].arg("name").is_some() && MANAGED[menu].arg("comment").is_some();
        let chain = ["input", "forward", "dstnat", "mw-input"][at % 4];
        let mut values = vec![("comment", "not yours"), ("chain", chain), ("service", "pppoe"), ("server", "all")];
        if named {
            values.push(("name", &name));
        }
        (at, menu, row("", &values))
    });
    prop::collection::vec(one, 0..8).prop_map(|rows| {
        rows.into_iter()
            .enumerate()
            .map(|(n, (_, menu, mut row))| {
                row.id = format!("*Z{n}");
                (menu, row)
            })
            .collect()
    })
}

fn router(foreign: &[(usize, Row)]) -> Observed {
    let mut router = Observed::default();
    for (index, menu) in MANAGED.into_iter().enumerate() {
        router.insert(menu, foreign.iter().filter(|(at, _)| *at == index).map(|(_, row)| row.clone()).collect());
    }
    router
}

/// Writes values as routers show them: `true` for `yes`, no defaults, in other words.
fn respell(router: &Observed) -> Observed {
    let mut router = router.clone();
    for menu in MANAGED {
        for row in router.rows_mut(menu) {
            let shown = |(name, value): &(String, String)| {
                menu.arg(name).is_none_or(|arg| arg.default.is_none_or(|default| default != value))
            };
            let values = row.texts().into_iter().filter(shown);
            *row = Row::new(row.id.clone(), values.map(|(name, value)| (name.clone(), respell_value(menu, &name, value))));
        }
    }
    router
}

fn respell_value(menu: &Menu, name: &str, text: String) -> String {
    match menu.arg(name).map(|arg| arg.kind) {
        Some(Kind::Bool) => {
            if text == "yes" {
                "true".to_owned()
            } else {
                "false".to_owned()
            }
        }
        Some(Kind::Duration) => text.replace("1d", "24h"),
        Some(Kind::Mac) => text.to_lowercase(),
        Some(Kind::Pair(Kind::Rate)) => {
            let short = |rate: &str| rate.strip_suffix("000000").map_or(rate.to_owned(), |rate| format!("{rate}M"));
            text.split('/').map(short).collect::<Vec<_>>().join("/")
        }
        Some(_) | None => text,
    }
}

fn foreign_rows(router: &Observed) -> Vec<(&'static str, Vec<Row>)> {
    MANAGED
        .iter()
        .map(|menu| (menu.path, router.rows(menu).iter().filter(|row| row.id.starts_with("*Z")).cloned().collect()))
        .collect()
}

fn secrets(set: &ChangeSet) -> Vec<String> {
    set.changes.iter().filter_map(|change| change.values.get("password")?.expose().map(str::to_owned)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// From nothing to one site, then to another, with foreign rows in the way: each time the second plan is empty, in any
    /// spelling and any order, and foreign rows are what they were.
    #[test]
    fn a_plan_that_was_applied_leaves_nothing_to_plan(first in any_site(), second in any_site(), foreign in foreign(), seed in any::<u64>()) {
        let mut router = router(&foreign);
        let strangers = foreign_rows(&router);
        for site in [&first, &second] {
            let (desired, policy) = (wanted(site), Policy::default());
            let set = plan(&desired, &router, &policy);
            prop_assert_eq!(&set, &plan(&desired, &shuffle(&router, seed), &policy), "the order of rows matters");
            prop_assert_eq!(set.to_string(), plan(&desired, &respell(&router), &policy).to_string(), "the spelling matters");
            let shown = format!("{set}{set:?}{}", serde_json::to_string(&set).expect("a plan is data"));
            for secret in secrets(&set) {
                prop_assert!(!shown.contains(&secret));
            }
            router = rename(&simulate(&router, &set));
            prop_assert_eq!(&foreign_rows(&router), &strangers);
            let again = plan(&desired, &respell(&router), &policy);
            prop_assert!(again.is_empty(), "{again}");
        }
    }

    /// Each of RouterOS' own chains is entered by one rule, which leads into a chain of ours.
    #[test]
    fn every_rule_stands_in_a_chain_of_ours(site in any_site()) {
        let desired = wanted(&site);
        let mut entered = std::collections::BTreeSet::new();
        for rule in desired.objects.iter().filter(|object| object.text("chain").is_some_and(|chain| !chain.starts_with(NAME_PREFIX))) {
            prop_assert_eq!(rule.text("action"), Some("jump"), "{}", &rule.key);
            prop_assert!(rule.text("jump-target").is_some_and(|chain| chain.starts_with(NAME_PREFIX)), "{}", &rule.key);
            prop_assert!(entered.insert((rule.menu.path, rule.text("chain"))), "{} is entered twice", &rule.key);
        }
    }

    /// Stages are in order, and whatever a plan refers to comes in an earlier stage.
    #[test]
    fn stages_only_grow(site in any_site(), foreign in foreign()) {
        let set = plan(&wanted(&site), &router(&foreign), &Policy::default());
        prop_assert!(set.changes.windows(2).all(|pair| pair[0].stage <= pair[1].stage));
        for change in &set.changes {
            let same = set.changes.iter().filter(|other| other.stage == change.stage);
            prop_assert!(same.into_iter().all(|other| other.menu.path == change.menu.path));
        }
    }
}

/// Gives new rows lasting ids, as a router does.
fn rename(router: &Observed) -> Observed {
    let mut router = router.clone();
    let mut next = 0;
    for menu in MANAGED {
        for row in router.rows_mut(menu).iter_mut().filter(|row| !row.id.starts_with("*Z")) {
            next += 1;
            row.id = format!("*{next:X}");
        }
    }
    router
}

/// Puts the rows of tables into another order; the order of rules means something and stays.
fn shuffle(router: &Observed, seed: u64) -> Observed {
    let mut router = router.clone();
    for menu in MANAGED.into_iter().filter(|menu| menu.shape != Shape::Ordered) {
        router
            .rows_mut(menu)
            .sort_by_key(|row| row.id.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)));
    }
    router
}
