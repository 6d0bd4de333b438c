//! Goal: the enrolment block does on every version what it says, leaves nothing harmful when it stops in the middle, and finishes when it is
//! pasted again. Method: the golden render of the block runs at the console of virtual routers without a network; handshakes are reported to
//! them by hand.

use jiff::{SignedDuration, Timestamp};
use routeros_sim::device::{Board, Config, TunnelPeerStatus};
use routeros_sim::router::{Ended, Router};
use std::collections::BTreeMap;

const BLOCK: &str = include_str!("../../provisioning-scripts/enrol.golden.rsc");
/// What the block may leave rows in.
const MENUS: [&str; 9] = [
    "/interface/wireguard",
    "/interface/wireguard/peers",
    "/ip/address",
    "/ip/firewall/filter",
    "/ip/firewall/address-list",
    "/ip/service",
    "/user/group",
    "/user",
    "/interface/list/member",
];
const PEERS: &str = "/interface/wireguard/peers";

struct Box {
    router: Router,
    now: Timestamp,
}

impl Box {
    fn new(board: &str, version: &str) -> Self {
        let now = "2026-01-15T09:00:00Z".parse().expect("a time");
        let config = Config::new(Board::find(board).expect("a board"), version.parse().expect("a version"), 7);
        Self { router: Router::new(config, now), now }
    }

    /// Types something that ends at once.
    fn type_in(&mut self, text: &str) -> Vec<String> {
        let id = self.router.start_paste(text, self.now).expect("the terminal is free");
        let ended = self.router.take_ended(id).expect("it ends at once");
        assert_eq!(ended.failures, [], "{text}");
        ended.output
    }

    /// Runs a block; every second `see` is asked which peers have shaken hands.
    fn run(&mut self, text: &str, import: bool, see: impl Fn(&str) -> bool) -> Ended {
        let id = match import {
            true => self.router.start_script(text, self.now).expect("few scripts run"),
            false => self.router.start_paste(text, self.now).expect("the terminal is free"),
        };
        for _ in 0..90 {
            if let Some(ended) = self.router.take_ended(id) {
                return ended;
            }
            self.now += SignedDuration::from_secs(1);
            let seen: Vec<_> =
                self.router.device().rows(PEERS).filter(|row| see(row.get("allowed-address"))).map(|row| row.id).collect();
            for peer in seen {
                let status = TunnelPeerStatus { last_handshake: Some(self.now), ..TunnelPeerStatus::default() };
                self.router.device_mut().report_peer(peer, status);
            }
            self.router.tick(self.now);
        }
        panic!("the block does not end");
    }

    /// Everything the block may have left, without what differs from run to run.
    fn left(&self) -> BTreeMap<&'static str, Vec<BTreeMap<String, String>>> {
        let volatile = ["private-key", "public-key", "listen-port", "creation-time", "name"];
        let row = |menu: &str, row: &routeros_sim::device::Row| -> BTreeMap<String, String> {
            let keep = |name: &str| menu != PEERS && menu != "/interface/wireguard" || !volatile.contains(&name);
            let kept = row.fields.iter().filter(|(name, _)| keep(name) && **name != "creation-time");
            kept.map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        MENUS.map(|menu| (menu, self.router.device().rows(menu).map(|found| row(menu, found)).collect())).into()
    }
}

fn everybody(_: &str) -> bool {
    true
}

fn nobody(_: &str) -> bool {
    false
}

#[test]
fn joins_on_every_version_pasted_or_imported() {
    for (board, version) in [("hEX S", "7.20.8"), ("CHR", "7.21.5"), ("RB5009", "7.22.3"), ("hAP lite", "7.20.8")] {
        for import in [false, true] {
            let mut one = Box::new(board, version);
            let ended = one.run(BLOCK, import, everybody);
            assert_eq!(ended.failures, [], "{board} {version}");
            assert_eq!(ended.output, ["Mastwire: joined. The rest happens at the controller."], "{board} {version}");
            let rule = one.router.device().rows("/ip/firewall/filter").next().expect("a rule");
            assert_eq!((rule.get("src-address"), rule.get("in-interface")), ("10.10.0.1", "wg-mastwire"), "it stands first");
            let mut allowed: Vec<_> =
                one.router.device().rows(PEERS).map(|peer| peer.get("allowed-address").to_owned()).collect();
            allowed.sort();
            assert_eq!(allowed, ["10.10.0.1/32", "10.10.0.2/32"], "the hub's two addresses and nothing else");
            let user = one.router.device().find("/user", "name", "mastwire").expect("the account");
            assert_eq!(user.get("address"), "10.10.0.1/32");
        }
    }
}

#[test]
fn pasted_again_it_changes_nothing() {
    let mut one = Box::new("hEX S", "7.20.8");
    one.run(BLOCK, false, everybody);
    let before = one.left();
    let again = one.run(BLOCK, false, nobody);
    assert_eq!(again.output, ["Mastwire: joined. The rest happens at the controller."]);
    assert_eq!(one.left(), before);
}

#[test]
fn stopped_anywhere_it_harms_nothing_and_finishes_when_pasted_again() {
    let mut whole = Box::new("hEX S", "7.22.3");
    whole.run(BLOCK, false, everybody);
    let lines: Vec<&str> = BLOCK.lines().collect();
    let cuts: Vec<usize> = (0..lines.len())
        .filter(|place| {
            let starts = lines[*place].starts_with(':');
            let continues = *place > 0 && lines[place - 1].ends_with('\\');
            starts && !continues
        })
        .collect();
    assert!(cuts.len() > 12, "the block has steps to stop between");
    for cut in cuts {
        let mut text = lines.clone();
        text.insert(cut, ":error \"cut\"");
        let mut one = Box::new("hEX S", "7.22.3");
        let ended = one.run(&text.join("\n"), false, everybody);
        assert_eq!(ended.failures.len(), 1, "cut before line {cut}");
        let device = one.router.device();
        let placed = device.rows(PEERS).count();
        let account = device.find("/user", "name", "mastwire").is_some();
        assert!(account == (placed > 0), "the account comes with the tunnel it is for, cut before line {cut}");
        let ended = one.run(BLOCK, false, everybody);
        assert_eq!(ended.failures, [], "cut before line {cut}");
        assert_eq!(one.left(), whole.left(), "cut before line {cut}");
    }
}

#[test]
fn what_it_cannot_reach_it_says() {
    let mut one = Box::new("CHR", "7.21.5");
    let ended = one.run(BLOCK, false, nobody);
    assert_eq!(ended.failures, []);
    assert!(ended.output[0].starts_with("Mastwire: not joined within 60 s"), "{:?}", ended.output);
    let log: Vec<_> = one.router.device().rows("/log").map(|row| row.get("message").to_owned()).collect();
    assert_eq!(log.iter().filter(|message| message.starts_with("Mastwire: ")).count(), 1, "one clear line: {log:?}");

    // The commands that it names take away what it added.
    let fresh = Box::new("CHR", "7.21.5").left();
    let commands: Vec<_> = ended.output.iter().filter(|line| line.starts_with('/')).cloned().collect();
    for command in commands {
        one.type_in(&command);
    }
    assert_eq!(one.left(), fresh);
    let ntp = one.type_in(":put [/system ntp client get enabled]");
    assert_eq!(ntp, ["false"]);
}

#[test]
fn the_api_service_is_opened_when_off_and_reported_when_closed() {
    let api = |one: &Box| {
        let row = one.router.device().find("/ip/service", "name", "api").expect("the service").clone();
        (row.get("disabled").to_owned(), row.get("address").to_owned())
    };
    let mut off = Box::new("RB5009", "7.22.3");
    off.type_in("/ip service set api disabled=yes");
    off.run(BLOCK, false, everybody);
    assert_eq!(api(&off), ("false".to_owned(), "10.10.0.1/32".to_owned()));

    for closed in ["address=192.168.0.0/16", "disabled=yes address=192.168.0.0/16", "port=8900"] {
        let mut one = Box::new("RB5009", "7.22.3");
        one.type_in(&format!("/ip service set api {closed}"));
        let before = api(&one);
        let ended = one.run(BLOCK, false, everybody);
        assert!(ended.output[0].contains("closed to the controller"), "{closed}: {:?}", ended.output);
        assert_eq!(api(&one), before, "{closed}: somebody chose that, so it is not changed");
        one.type_in(&ended.output[1]);
        assert_eq!(api(&one), ("false".to_owned(), "10.10.0.1/32".to_owned()), "{closed}: the command that was named opens it");
    }
}

#[test]
fn settings_that_somebody_chose_stay() {
    let mut one = Box::new("CHR", "7.21.5");
    one.type_in("/system ntp client set enabled=yes servers=192.0.2.123");
    one.run(BLOCK, false, everybody);
    assert_eq!(one.type_in(":put [/system ntp client get servers]"), ["192.0.2.123"]);
    assert_eq!(one.router.device().rows("/ip/firewall/address-list").count(), 0, "nothing was changed, so nothing is marked");
}

#[test]
fn what_is_not_ours_stays() {
    for (foreign, named) in [
        ("/interface wireguard add name=wg-mastwire", "Take the old interface away"),
        ("/interface wireguard add name=wg-mastwire comment=mw:ffffffffffff", "Take the old interface away"),
        ("/user add name=mastwire group=full password=x", "Rename the account"),
        ("/user group add name=mastwire policy=read", "Rename the group"),
    ] {
        let mut one = Box::new("CHR", "7.21.5");
        one.type_in(foreign);
        let before = one.left();
        let ended = one.run(BLOCK, false, everybody);
        assert!(ended.failures.len() == 1 && ended.failures[0].to_string().contains(named), "{foreign}: {:?}", ended.failures);
        assert_eq!(one.left(), before, "{foreign}");
    }
}

/// The lasting peer and the account of an earlier enrolment, as the same router has them when it gets new texts.
fn joined_earlier() -> Box {
    let mut one = Box::new("hEX S", "7.22.3");
    one.run(BLOCK, false, everybody);
    for (menu, comment) in [("/interface wireguard peers", "mw:aaaaaaaaaaaa"), ("/user", "mw:bbbbbbbbbbbb")] {
        let rows = if menu == "/user" { "name=mastwire" } else { "allowed-address=10.10.0.1/32" };
        one.type_in(&format!("{menu} set [find where {rows}] comment={comment}"));
    }
    one.type_in("/interface wireguard peers remove [find where allowed-address=10.10.0.2/32]");
    one.type_in("/user set mastwire password=earlier");
    one
}

#[test]
fn a_tunnel_that_works_is_replaced_only_by_one_that_has_proven_itself() {
    let mut stale = joined_earlier();
    let before = stale.left();
    let ended = stale.run(BLOCK, false, |allowed| allowed == "10.10.0.1/32");
    assert!(ended.output.iter().any(|line| line.contains("earlier tunnel")), "{:?}", ended.output);
    assert_eq!(stale.left(), before, "a used or expired block leaves it as it was");

    let mut good = joined_earlier();
    let ended = good.run(BLOCK, false, everybody);
    assert_eq!(ended.output, ["Mastwire: joined. The rest happens at the controller."]);
    assert_eq!(good.router.device().rows(PEERS).filter(|peer| peer.get("comment") == "mw:aaaaaaaaaaaa").count(), 0);
    let user = good.router.device().find("/user", "name", "mastwire").expect("the account");
    assert_ne!(user.get("password"), "earlier");
}
