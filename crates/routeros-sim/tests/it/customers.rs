//! Goal: PPPoE customers get what their secret and profile say, and lose it when the configuration says so.
//! Method: a pure router, customers that dial, time that passes.

use crate::support::Lab;
use routeros_sim::device::{Dial, DialError, Limit};
use routeros_sim::router::{Customer, CustomerReport};

fn asha() -> Customer {
    Customer::Pppoe {
        name: "asha".into(),
        password: "secret".into(),
        mac: "02:00:00:00:00:01".into(),
        interface: "ether2".into(),
    }
}

fn dial(lab: &mut Lab, name: &str, password: &str, mac: &str, interface: &str) -> Result<String, DialError> {
    let now = lab.now;
    let wish = Limit::default();
    lab.router.device_mut().dial(Dial { name, password, mac, interface, wish }, now).map(|grant| grant.address.to_string())
}

fn report(lab: &Lab) -> CustomerReport {
    lab.router.customers().into_iter().next().expect("a customer")
}

#[test]
fn a_session_brings_its_rows_and_takes_them_away() {
    let mut lab = Lab::new().with_pppoe();
    lab.ok(&["/ppp/profile/set", ".id=home", "address-list=paying"]);
    let now = lab.now;
    let joined = lab.router.add_customer(asha(), now).expect("room");
    assert!(joined.online && joined.limit == (5_000_000, 10_000_000), "{joined:?}");
    let active = lab.row("/ppp/active", "name", "asha");
    assert_eq!((active["address"].as_str(), active["caller-id"].as_str()), ("10.5.0.2", "02:00:00:00:00:01"));
    let queue = lab.row("/queue/simple", "name", "<pppoe-asha>");
    assert_eq!((queue["max-limit"].as_str(), queue["dynamic"].as_str()), ("5000000/10000000", "true"));
    assert_eq!(lab.row("/ip/firewall/address-list", "list", "paying")["address"], "10.5.0.2");
    assert_eq!(lab.row("/interface", "name", "<pppoe-asha>")["type"], "pppoe-in");
    assert_eq!(lab.row("/ip/pool/used", "address", "10.5.0.2")["pool"], "homes");
    let text = lab.refused(&["/queue/simple/set", &format!(".id={}", queue[".id"]), "max-limit=1M/1M"]);
    assert_eq!(text, "failure: can not change dynamic object");
    assert_eq!(
        lab.refused(&["/queue/simple/remove", &format!(".id={}", queue[".id"])]),
        "failure: can not remove dynamic object"
    );
    assert_eq!(lab.router.remove_customer("asha", now), 1);
    for path in ["/ppp/active", "/queue/simple", "/ip/firewall/address-list", "/ip/pool/used", "/interface/pppoe-server"] {
        assert!(lab.print(path).is_empty(), "{path}");
    }
    assert_eq!(lab.row("/ppp/secret", "name", "asha")["last-disconnect-reason"], "peer terminated");
}

#[test]
fn a_server_answers_in_its_vlans() {
    let mut lab = Lab::new().with_pppoe();
    let mac = "02:00:00:00:00:01";
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2:120"), Err(DialError::NoServer));
    let id = lab.row("/interface/pppoe-server/server", "interface", "ether2")[".id"].clone();
    lab.ok(&["/interface/pppoe-server/server/set", &format!(".id={id}"), "pppoe-over-vlan-range=100-199,300"]);
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2:200"), Err(DialError::NoServer));
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether3:120"), Err(DialError::NoServer));
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2:300").as_deref(), Ok("10.5.0.2"));
    lab.ok(&["/ppp/secret/add", "name=juma", "password=secret", "profile=home", "service=pppoe"]);
    assert_eq!(dial(&mut lab, "juma", "secret", "02:00:00:00:00:02", "ether2").as_deref(), Ok("10.5.0.3"), "and without a tag");
    let mut old = Lab::with(crate::support::config("CHR", "7.16.2")).with_pppoe();
    let id = old.row("/interface/pppoe-server/server", "interface", "ether2")[".id"].clone();
    let text = old.refused(&["/interface/pppoe-server/server/set", &format!(".id={id}"), "pppoe-over-vlan-range=100"]);
    assert_eq!(text, "unknown parameter pppoe-over-vlan-range");
}

#[test]
fn fasttrack_passes_by_queues_and_rules() {
    let mut lab = Lab::new().with_pppoe();
    let now = lab.now;
    lab.router.add_customer(asha(), now).expect("room");
    lab.ok(&["/ip/firewall/filter/add", "chain=forward", "action=fasttrack-connection", "connection-state=established,related"]);
    assert_eq!(report(&lab).limit, (0, 0), "nothing holds her");
    lab.ok(&["/ip/firewall/address-list/add", "list=slow", "address=10.5.0.0/24"]);
    let first = format!("place-before={}", lab.row("/ip/firewall/filter", "action", "fasttrack-connection")[".id"]);
    lab.ok(&["/ip/firewall/filter/add", "chain=forward", "action=drop", "src-address-list=bad", &first]);
    lab.ok(&["/ip/firewall/address-list/add", "list=bad", "address=10.5.0.2"]);
    assert_eq!((report(&lab).online, report(&lab).goes_on), (false, true), "what comes back still hands her connection over");
    let rule = ["/ip/firewall/filter/add", "chain=forward", "action=accept", "connection-state=established,related", &first];
    lab.ok(&[&rule[..], &["src-address-list=slow"]].concat());
    assert_eq!(report(&lab).limit, (0, 0), "one direction is enough for FastTrack");
    lab.ok(&[&rule[..], &["dst-address-list=slow"]].concat());
    assert_eq!(report(&lab).limit, (5_000_000, 10_000_000));
    assert_eq!((report(&lab).online, report(&lab).goes_on), (false, false));
}

#[test]
fn a_caller_sees_why() {
    let mut lab = Lab::new().with_pppoe();
    let mac = "02:00:00:00:00:01";
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether3"), Err(DialError::NoServer));
    assert_eq!(dial(&mut lab, "asha", "wrong", mac, "ether2"), Err(DialError::Authentication));
    assert_eq!(dial(&mut lab, "nobody", "secret", mac, "ether2"), Err(DialError::Authentication));
    lab.ok(&["/ppp/secret/set", ".id=asha", "caller-id=02:00:00:00:00:99"]);
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2"), Err(DialError::Authentication));
    lab.ok(&["/ppp/secret/set", ".id=asha", "caller-id=", "service=pptp"]);
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2"), Err(DialError::Authentication));
    lab.ok(&["/ppp/secret/set", ".id=asha", "service=pppoe", "disabled=yes"]);
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2"), Err(DialError::Authentication));
    lab.ok(&["/ppp/secret/enable", ".id=asha"]);
    lab.ok(&["/ppp/profile/set", ".id=home", "only-one=yes"]);
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2").as_deref(), Ok("10.5.0.2"));
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2"), Err(DialError::AlreadyActive));
    lab.ok(&["/ppp/profile/set", ".id=home", "only-one=no"]);
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2").as_deref(), Ok("10.5.0.3"));
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2"), Err(DialError::NoAddress), "two addresses are given out");
    lab.ok(&["/interface/pppoe-server/server/set", ".id=*1", "one-session-per-host=yes"]);
    assert_eq!(dial(&mut lab, "asha", "secret", mac, "ether2"), Err(DialError::NoServer));
    lab.ok(&["/interface/pppoe-server/server/set", ".id=*1", "one-session-per-host=no", "max-sessions=2"]);
    assert_eq!(dial(&mut lab, "asha", "secret", "02:00:00:00:00:02", "ether2"), Err(DialError::NoServer), "the server is full");
}

#[test]
fn a_port_of_a_bridge_is_served_by_the_bridge() {
    let mut lab = Lab::new().with_pppoe();
    lab.ok(&["/interface/bridge/add", "name=lan"]);
    lab.ok(&["/interface/bridge/port/add", "bridge=lan", "interface=ether4"]);
    lab.ok(&["/interface/pppoe-server/server/set", ".id=*1", "interface=lan"]);
    assert_eq!(dial(&mut lab, "asha", "secret", "02:00:00:00:00:01", "ether4").as_deref(), Ok("10.5.0.2"));
}

#[test]
fn only_a_removed_session_is_dropped() {
    let mut lab = Lab::new().with_pppoe();
    let now = lab.now;
    lab.router.add_customer(asha(), now).expect("room");
    lab.ok(&["/ppp/profile/set", ".id=home", "rate-limit=1M/2M"]);
    lab.ok(&["/ppp/secret/disable", ".id=asha"]);
    lab.pass(5);
    assert_eq!(report(&lab).limit, (5_000_000, 10_000_000), "a live session keeps what it came with");
    lab.ok(&["/ppp/secret/enable", ".id=asha"]);
    let id = lab.row("/ppp/active", "name", "asha")[".id"].clone();
    lab.ok(&["/ppp/active/remove", &format!(".id={id}")]);
    lab.pass(1);
    assert_eq!(report(&lab).limit, (1_000_000, 2_000_000), "it dialled again by itself");
    lab.ok(&["/interface/pppoe-server/server/disable", ".id=*1"]);
    assert!(!report(&lab).connected);
    lab.pass(60);
    assert_eq!(report(&lab).reason, "no PPPoE server answers");
    lab.ok(&["/interface/pppoe-server/server/enable", ".id=*1"]);
    lab.pass(31);
    assert!(report(&lab).online, "a box does not give up");
}

#[test]
fn expired_customers_are_redirected() {
    let mut lab = Lab::new().with_pppoe();
    lab.ok(&["/ppp/profile/add", "name=expired", "local-address=10.5.0.1", "remote-address=homes", "address-list=expired"]);
    lab.ok(&[
        "/ip/firewall/nat/add",
        "chain=dstnat",
        "src-address-list=expired",
        "protocol=tcp",
        "dst-port=80",
        "action=dst-nat",
        "to-addresses=10.9.9.9",
        "comment=pay",
    ]);
    lab.ok(&["/ip/firewall/filter/add", "chain=forward", "src-address-list=expired", "action=drop", "comment=late"]);
    let now = lab.now;
    lab.router.add_customer(asha(), now).expect("room");
    assert!(report(&lab).online);
    lab.ok(&["/ppp/secret/set", ".id=asha", "profile=expired"]);
    let id = lab.row("/ppp/active", "name", "asha")[".id"].clone();
    lab.ok(&["/ppp/active/remove", &format!(".id={id}")]);
    lab.pass(1);
    let late = report(&lab);
    assert_eq!((late.connected, late.online, late.reason.as_str()), (true, false, "redirected: pay"));
    lab.ok(&["/ip/firewall/nat/disable", ".id=*1"]);
    assert_eq!(report(&lab).reason, "blocked: late");
    let wan = lab.now;
    lab.ok(&["/ip/firewall/filter/disable", ".id=*1"]);
    lab.router.device_mut().set_internet(false);
    lab.router.tick(wan);
    assert_eq!(report(&lab).reason, "the uplink does not work");
}

#[test]
fn bytes_are_counted_within_the_limit() {
    let mut lab = Lab::new().with_pppoe();
    lab.ok(&["/ppp/profile/set", ".id=home", "rate-limit=80k/800k"]);
    let now = lab.now;
    lab.router.add_customer(asha(), now).expect("room");
    lab.pass(10);
    assert_eq!(lab.row("/queue/simple", "name", "<pppoe-asha>")["bytes"], "100000/1000000");
    assert_eq!(lab.row("/ppp/active", "name", "asha")["uptime"], "10s");
    lab.ok(&["/ppp/profile/set", ".id=home", "session-timeout=30s"]);
    let id = lab.row("/ppp/active", "name", "asha")[".id"].clone();
    lab.ok(&["/ppp/active/remove", &format!(".id={id}")]);
    lab.pass(1);
    let id = lab.row("/ppp/active", "name", "asha")[".id"].clone();
    lab.pass(31);
    assert_ne!(lab.row("/ppp/active", "name", "asha")[".id"], id, "the session was ended at its time");
}

#[test]
fn a_host_with_an_address_is_limited_and_suspended() {
    let mut lab = Lab::new();
    lab.ok(&["/queue/simple/add", "name=shop", "target=10.9.0.7", "max-limit=80k/160k"]);
    lab.ok(&["/ip/firewall/filter/add", "chain=forward", "src-address-list=suspended", "action=drop", "comment=unpaid"]);
    let now = lab.now;
    let shop = lab.router.add_customer(Customer::Static { address: "10.9.0.7".parse().expect("an address") }, now).expect("room");
    assert!(shop.online && shop.limit == (80_000, 160_000), "{shop:?}");
    lab.pass(10);
    assert_eq!(lab.row("/queue/simple", "name", "shop")["bytes"], "100000/200000");
    lab.ok(&["/ip/firewall/address-list/add", "list=suspended", "address=10.9.0.7", "timeout=5s"]);
    lab.pass(1);
    assert_eq!(report(&lab).reason, "blocked: unpaid");
    lab.pass(5);
    assert!(report(&lab).online, "the entry went away at its time");
}

#[test]
fn rules_are_matched_by_their_conditions() {
    let mut lab = Lab::with(crate::support::config("hEX S", "7.20.8"));
    let now = lab.now;
    lab.router.add_customer(Customer::Static { address: "10.9.0.7".parse().expect("an address") }, now).expect("room");
    for (conditions, stopped) in [
        (&["src-address=10.9.0.0/24"][..], true),
        (&["src-address=!10.9.0.0/24"], false),
        (&["src-address=10.9.0.1-10.9.0.9", "protocol=tcp", "dst-port=80,443"], true),
        (&["protocol=udp"], false),
        (&["protocol=tcp", "dst-port=1-79"], false),
        (&["dst-address=10.0.0.0/8"], false),
        (&["out-interface-list=WAN"], true),
        (&["out-interface-list=LAN"], false),
        (&["out-interface=ether1", "connection-state=new"], true),
        (&["connection-state=established,related"], false),
        (&["src-address-list=!vip"], true),
        (&["dst-address-list=vip"], false),
    ] {
        let rule = [&["/ip/firewall/filter/add", "chain=forward", "action=drop", "place-before=*1"], conditions].concat();
        let id = lab.ok(&rule);
        assert_eq!(!report(&lab).online, stopped, "{conditions:?}");
        lab.ok(&["/ip/firewall/filter/remove", &format!(".id={id}")]);
    }
    lab.ok(&["/ip/firewall/filter/add", "chain=forward", "action=jump", "jump-target=late", "place-before=*1"]);
    assert!(report(&lab).online);
    lab.ok(&["/ip/firewall/filter/add", "chain=late", "action=return", "src-address=10.9.0.7", "disabled=yes"]);
    lab.ok(&["/ip/firewall/filter/add", "chain=late", "action=reject", "comment=late"]);
    assert_eq!(report(&lab).reason, "blocked: late");
    let back = lab.row("/ip/firewall/filter", "action", "return")[".id"].clone();
    lab.ok(&["/ip/firewall/filter/enable", &format!(".id={back}")]);
    assert!(report(&lab).online);
    let redirect =
        ["/ip/firewall/nat/add", "chain=dstnat", "action=redirect", "dst-address-type=!local", "protocol=tcp", "comment=pay"];
    lab.ok(&redirect);
    assert_eq!(report(&lab).reason, "redirected: pay");
}
