//! Who reaches the router itself, judged by the rules that a plan leaves on it.

use super::example::{row, site, wanted};
use crate::testing::simulate;
use crate::*;
use expect_test::expect;
use routeros::catalogue::{ip_firewall_address_list as list, ip_firewall_filter as filter};
use std::net::Ipv4Addr;

/// A packet to the router itself, the first of its connection.
#[derive(Clone, Copy)]
struct Packet {
    from: &'static str,
    by: &'static str,
    protocol: &'static str,
    port: &'static str,
}

const fn tcp(from: &'static str, by: &'static str, port: &'static str) -> Packet {
    Packet { from, by, protocol: "tcp", port }
}

const HUB_API: Packet = tcp("10.10.0.1", "wg-mastwire", "8728");
const PEER_API: Packet = tcp("10.10.3.4", "wg-mastwire", "8728");

/// What becomes of a packet: the action of the rule that decides, if one does.
fn judge(router: &Observed, chain: &str, packet: Packet) -> Option<String> {
    for rule in router.rows(&filter::MENU).iter().filter(|rule| rule.text(filter::CHAIN) == chain) {
        let empty_or = |name: &str, holds: &dyn Fn(&str) -> bool| rule.text(name).is_empty() || holds(rule.text(name));
        let matches = empty_or(filter::SRC_ADDRESS, &|address| address == packet.from)
            && empty_or(filter::SRC_ADDRESS_LIST, &|name| listed(router, name, packet.from))
            && empty_or(filter::IN_INTERFACE, &|interface| interface == packet.by)
            && empty_or(filter::PROTOCOL, &|protocol| protocol == packet.protocol)
            && empty_or(filter::DST_PORT, &|ports| ports.split(',').any(|port| port == packet.port))
            && rule.text(filter::CONNECTION_STATE).is_empty();
        if !matches {
            continue;
        }
        match rule.text(filter::ACTION) {
            "jump" => match judge(router, rule.text(filter::JUMP_TARGET), packet) {
                None => {}
                verdict => return verdict,
            },
            action => return Some(action.to_owned()),
        }
    }
    None
}

fn listed(router: &Observed, name: &str, address: &str) -> bool {
    let address: Ipv4Addr = address.parse().expect("an address");
    let holds = |entry: &str| {
        let (first, last) = entry.split_once('-').unwrap_or((entry, entry));
        let [first, last] = [first, last].map(|end| end.parse::<Ipv4Addr>().expect("an address"));
        first <= address && address <= last
    };
    router.rows(&list::MENU).iter().any(|row| row.text(list::LIST) == name && holds(row.text(list::ADDRESS)))
}

/// A router whose operator lets everything in, with what enrolment left.
fn empty(site: &Site) -> Observed {
    let mut router = Observed::default();
    for print in observe_list(site) {
        router.insert(print.menu, Vec::new());
    }
    let rules = router.rows_mut(&filter::MENU);
    let (accept, wireguard) = ((filter::ACTION, "accept"), (filter::IN_INTERFACE, "wg-mastwire"));
    let enrolment = [(filter::CHAIN, "input"), accept, wireguard, (filter::SRC_ADDRESS, "10.10.0.1"), (filter::COMMENT, KEPT)];
    rules.push(row("*1", &enrolment));
    rules.push(row("*2", &[(filter::CHAIN, "input"), accept, (filter::COMMENT, "theirs")]));
    router
}

/// The mark of the rule that enrolment left.
const KEPT: &str = "mw:00000000beef";

fn policy() -> Policy {
    Policy { keep: [KEPT.parse().expect("a tag")].into(), ..Policy::default() }
}

fn settled(site: &Site) -> Observed {
    let router = empty(site);
    simulate(&router, &plan(&wanted(site), &router, &policy()))
}

/// Applies a plan one change after the other, and looks at the router after each.
fn step_by_step(router: &Observed, set: &ChangeSet, look: impl Fn(&Observed, &str)) -> Observed {
    let mut at = String::from("before");
    for number in 0..=set.changes.len() {
        let part = ChangeSet { changes: set.changes[..number].to_vec(), ..ChangeSet::default() };
        look(&simulate(router, &part), &at);
        at = set.changes.get(number).map(ToString::to_string).unwrap_or_default();
    }
    simulate(router, set)
}

#[test]
fn only_the_hub_comes_in_by_the_tunnel_and_to_the_api_alone() {
    let router = settled(&site());
    assert_eq!(judge(&router, "input", HUB_API).as_deref(), Some("accept"));
    for port in ["22", "23", "53", "80", "8291", "8729"] {
        assert_eq!(judge(&router, "input", tcp("10.10.0.1", "wg-mastwire", port)).as_deref(), Some("drop"), "{port}");
    }
    for from in ["10.10.3.4", "10.10.0.2", "10.64.0.7", "192.168.88.5"] {
        assert_eq!(judge(&router, "input", tcp(from, "wg-mastwire", "8728")).as_deref(), Some("drop"), "{from}");
    }
}

#[test]
fn customers_do_not_manage_the_router_and_the_operator_does() {
    let mut site = site();
    let router = settled(&site);
    let [pool, expired, own, shop] = ["10.64.0.7", "10.65.0.3", "10.64.9.9", "198.51.100.20"];
    for (customer, port) in [(pool, "8291"), (expired, "22"), (own, "8728"), (shop, "23")] {
        assert_eq!(judge(&router, "input", tcp(customer, "<pppoe-alice>", port)).as_deref(), Some("drop"), "{customer}:{port}");
    }
    for (from, by, port) in [
        ("192.168.88.5", "bridge", "8291"),
        ("192.168.88.5", "bridge", "22"),
        // A web page of the router's may be meant for customers.
        (pool, "<pppoe-alice>", "80"),
        (pool, "<pppoe-alice>", "53"),
        // A guest of the hotspot: the operator may be one.
        ("192.168.88.77", "ether3", "8291"),
    ] {
        assert_eq!(judge(&router, "input", tcp(from, by, port)).as_deref(), Some("accept"), "theirs decides about {from}:{port}");
    }
    site.openings.customers_manage = true;
    let router = simulate(&router, &plan(&wanted(&site), &router, &policy()));
    assert_eq!(judge(&router, "input", tcp(pool, "<pppoe-alice>", "8291")).as_deref(), Some("accept"));
}

#[test]
fn nobody_outside_is_answered_names() {
    let mut site = site();
    let mut router = settled(&site);
    let verdicts = |router: &Observed| {
        ["ether1", "ether9", "bridge", "<pppoe-alice>"].map(|by| {
            ["udp", "tcp"].map(|protocol| judge(router, "input", Packet { from: "203.0.113.9", by, protocol, port: "53" }))
        })
    };
    let (open, shut) =
        ([Some("accept".to_owned()), Some("accept".to_owned())], [Some("drop".to_owned()), Some("drop".to_owned())]);
    assert_eq!(verdicts(&router), [shut.clone(), open.clone(), open.clone(), open.clone()]);
    // Another uplink comes: rules in a chain of its own are added, and nothing on the controller's path changes.
    site.facts.outside.insert("ether9".to_owned());
    let set = plan(&wanted(&site), &router, &policy());
    assert_eq!((set.changes.len(), set.risk()), (2, Risk::Safe), "{set}");
    router = simulate(&router, &set);
    assert_eq!(verdicts(&router), [shut.clone(), shut, open.clone(), open.clone()]);
    site.facts.outside.remove("ether9");
    let set = plan(&wanted(&site), &router, &policy());
    assert_eq!((set.changes.len(), set.risk()), (2, Risk::Safe), "{set}");
    site.openings.resolve_outside = true;
    router = simulate(&router, &plan(&wanted(&site), &router, &policy()));
    assert_eq!(verdicts(&router), [open.clone(), open.clone(), open.clone(), open]);
}

/// Routers that were set up before everything led through one chain have a rule for the tunnel alone.
#[test]
fn the_move_to_one_chain_leaves_no_gap() {
    let site = site();
    let mut router = settled(&site);
    let rules = router.rows_mut(&filter::MENU);
    rules.retain(|rule| !["mw-router", "mw-outside"].contains(&rule.text(filter::CHAIN)));
    let jump = rules.iter_mut().find(|rule| rule.text(filter::CHAIN) == "input").expect("the rule that leads in");
    let (wireguard, tag) = ((filter::IN_INTERFACE, "wg-mastwire"), (filter::COMMENT, "mw:5a8ce4ab0d87"));
    let led = [(filter::CHAIN, "input"), (filter::ACTION, "jump"), wireguard, (filter::JUMP_TARGET, "mw-input"), tag];
    *jump = row("*OLD", &led);
    let set = plan(&wanted(&site), &router, &policy());
    expect![[r#"
        + /ip/firewall/filter add mw-outside drop action=drop chain=mw-outside comment=mw:76fa3bf9fdbc disabled=no dst-port=53 in-interface=ether1 protocol=udp # nobody is answered names by way of ether1
        + /ip/firewall/filter add mw-outside drop action=drop chain=mw-outside comment=mw:1a671f68e4d7 disabled=no dst-port=53 in-interface=ether1 protocol=tcp # nobody is answered names by way of ether1
        + /ip/firewall/filter add mw-router jump action=jump chain=mw-router comment=mw:653cc43c84c4 disabled=no in-interface=wg-mastwire jump-target=mw-input # what the tunnel brings is judged by rules of its own [management path]
        + /ip/firewall/filter add mw-router drop action=drop chain=mw-router comment=mw:5b1254cf7b3a disabled=no dst-port=21,22,23,8291,8728,8729 protocol=tcp src-address-list=mw-customers # customers do not reach what manages the router [management path]
        + /ip/firewall/filter add mw-router jump action=jump chain=mw-router comment=mw:53464fd7ae03 disabled=no jump-target=mw-outside # what comes from outside is judged by rules of its own [management path]
        + /ip/firewall/filter add input jump action=jump chain=input comment=mw:f37b07c9d026 disabled=no jump-target=mw-router before *1 # everything that comes to the router itself is judged by our rules first [management path]
        - /ip/firewall/filter remove input jump # not wanted any more [management path]
    "#]].assert_eq(&set.to_string());
    let after = step_by_step(&router, &set, |router, at| {
        assert_eq!(judge(router, "input", HUB_API).as_deref(), Some("accept"), "{at}");
        assert_eq!(judge(router, "input", PEER_API).as_deref(), Some("drop"), "{at}");
        assert_eq!(judge(router, "input", tcp("10.10.0.1", "wg-mastwire", "8291")).as_deref(), Some("drop"), "{at}");
    });
    assert!(plan(&wanted(&site), &after, &policy()).is_empty());
}

#[test]
fn the_first_plan_and_the_last_keep_the_controllers_path() {
    let site = site();
    let router = empty(&site);
    let open = |router: &Observed, at: &str| assert_eq!(judge(router, "input", HUB_API).as_deref(), Some("accept"), "{at}");
    let router = step_by_step(&router, &plan(&wanted(&site), &router, &policy()), open);
    let nothing = Desired { objects: Vec::new(), findings: Vec::new() };
    let left = step_by_step(&router, &plan(&nothing, &router, &policy()), open);
    assert_eq!(left.rows(&filter::MENU).len(), 2, "what enrolment left, and theirs");
}
