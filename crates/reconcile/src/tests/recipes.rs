//! What the example's router should hold.

use super::example::{active, customer, site, tags, wanted};
use crate::*;
use expect_test::{Expect, expect};
use model::Tag;
use std::fmt::Write as _;

/// Shows the objects of some menus, one a line, scripts in full below.
fn show(desired: &Desired, menus: &[&str]) -> String {
    let mut text = String::new();
    for object in desired.objects.iter().filter(|object| menus.contains(&object.menu.path)) {
        write!(text, "{} {}:", object.menu.path, object.key).expect("a String takes everything");
        let (scripts, plain): (Vec<_>, Vec<_>) = object.values.iter().partition(|(name, _)| **name == "on-event");
        for (name, value) in plain {
            write!(text, " {name}={value}").expect("a String takes everything");
        }
        writeln!(text, " # {}", object.reason).expect("a String takes everything");
        for line in scripts.into_iter().filter_map(|(_, script)| script.expose()).flat_map(str::lines) {
            writeln!(text, "    {line}").expect("a String takes everything");
        }
    }
    text
}

#[track_caller]
fn golden(menus: &[&str], expected: &Expect) {
    expected.assert_eq(&show(&wanted(&site()), menus));
}

#[test]
fn pppoe() {
    golden(
        &["/ppp/profile", "/interface/pppoe-server/server", "/ppp/secret"],
        &expect![[r#"
            /ppp/profile ppp-profile:pkg_00000000000070008000000000000001: address-list=(none) comment=mw:db1c1a2c9377 dns-server=1.1.1.1 local-address=10.64.0.1 name=mw-db1c1a2c9377 only-one=yes rate-limit="5M/10M 10M/20M 4M/8M 16s/16s" remote-address=mw-pppoe # profile of package Home 10
            /ppp/profile ppp-profile:pkg_00000000000070008000000000000004: address-list=(none) comment=mw:db1c1f2c9377 dns-server=1.1.1.1 local-address=10.64.0.1 name=mw-db1c1f2c9377 only-one=yes rate-limit=20M/50M remote-address=mw-pppoe # profile of package Home 50
            /ppp/profile ppp-profile:expired: address-list=mw-expired comment=mw:51ed473e93a4 dns-server=1.1.1.1 local-address=10.64.0.1 name=mw-expired only-one=yes rate-limit=256k/256k remote-address=mw-expired # profile of expired customers
            /interface/pppoe-server/server pppoe-server:ether2: authentication=chap,mschap1,mschap2,pap comment=mw:3bbe0801cf13 default-profile=mw-expired disabled=no interface=ether2 keepalive-timeout=30 one-session-per-host=yes pppoe-over-vlan-range=(none) service-name=mw-ether2 # customers dial in on ether2
            /ppp/secret ppp-secret:cus_00000000000070008000000000000001: caller-id=(none) comment=mw:792d23f94e29 disabled=no name=alice password=*** profile=mw-db1c1a2c9377 remote-address=(none) service=pppoe # customer alice is active, package Home 10
            /ppp/secret ppp-secret:cus_00000000000070008000000000000002: caller-id=(none) comment=mw:792d22f94e29 disabled=no name=bob password=*** profile=mw-expired remote-address=(none) service=pppoe # customer bob is expired, package Home 10
            /ppp/secret ppp-secret:cus_00000000000070008000000000000003: caller-id=(none) comment=mw:792d21f94e29 disabled=yes name=carol password=*** profile=mw-db1c1a2c9377 remote-address=(none) service=pppoe # customer carol is suspended, package Home 10
        "#]],
    );
}

#[test]
fn pppoe_in_vlans() {
    let mut site = site();
    let Service::Pppoe(pppoe) = &mut site.services[0] else { unreachable!("the example's first service") };
    pppoe.vlans = vec![VlanRange { first: 300, last: 300 }, VlanRange { first: 100, last: 199 }];
    let range = |site: &Site| {
        let server = wanted(site).objects.into_iter().find(|object| object.menu.path == "/interface/pppoe-server/server");
        server.expect("a server").text("pppoe-over-vlan-range").map(str::to_owned)
    };
    assert_eq!(range(&site).as_deref(), Some("100-199,300"));
    site.facts.version = model::RouterosVersion::new(7, 16, 2);
    assert_eq!(range(&site), None, "preflight refuses it there");
}

#[test]
fn pools_and_addresses() {
    golden(
        &["/ip/pool", "/ip/address", "/ip/dhcp-server", "/ip/dhcp-server/network"],
        &expect![[r#"
            /ip/pool pool:mw-pppoe: comment=mw:bc1d6cc4b6f3 name=mw-pppoe ranges=10.64.0.2-10.64.3.254 # addresses for PPPoE customers
            /ip/pool pool:mw-expired: comment=mw:e73dcd2ed95f name=mw-expired ranges=10.65.0.2-10.65.0.254 # addresses for PPPoE expired customers
            /ip/pool hotspot-pool:ether3: comment=mw:7b143cd42b2b name=mw-hotspot-ether3 ranges=192.168.88.10-192.168.88.254 # addresses of the hotspot on ether3
            /ip/address hotspot-address:ether3: address=192.168.88.1/24 comment=mw:5f89ff186f55 disabled=no interface=ether3 # the router's address of the hotspot on ether3
            /ip/dhcp-server/network hotspot-network:ether3: address=192.168.88.0/24 comment=mw:f7f172eed0a3 dns-server=192.168.88.1 gateway=192.168.88.1 # the network of the hotspot on ether3
            /ip/dhcp-server hotspot-dhcp:ether3: address-pool=mw-hotspot-ether3 comment=mw:9913060d14f0 disabled=no interface=ether3 lease-time=1h name=mw-hotspot-ether3 # the DHCP server of the hotspot on ether3
        "#]],
    );
}

#[test]
fn hotspot() {
    let menus =
        ["/ip/hotspot", "/ip/hotspot/profile", "/ip/hotspot/user", "/ip/hotspot/user/profile", "/ip/hotspot/walled-garden"];
    golden(
        &menus,
        &expect![[r#"
            /ip/hotspot/profile hotspot-server-profile:ether3: dns-name=login.isp.example hotspot-address=192.168.88.1 login-by=cookie,http-chap,http-pap,mac-cookie name=mw-hotspot-ether3 # the login page of the hotspot on ether3
            /ip/hotspot/user/profile hotspot-profile:pkg_00000000000070008000000000000002: add-mac-cookie=yes keepalive-timeout=5m name=mw-b7ebd4f1a490 rate-limit=5M/5M shared-users=2 # profile of package Day pass
            /ip/hotspot hotspot-server:ether3: address-pool=mw-hotspot-ether3 disabled=no interface=ether3 name=mw-hotspot-ether3 profile=mw-hotspot-ether3 # the hotspot on ether3
            /ip/hotspot/walled-garden walled-garden:portal.isp.example: action=allow comment=mw:286f794e73c9 dst-host=portal.isp.example # portal.isp.example is open before login
            /ip/hotspot/user hotspot-user:cus_00000000000070008000000000000004@1795170600: address=(none) comment=mw:6a4a88c1b65a disabled=no limit-bytes-total=1073741824 limit-uptime=2d10h mac-address=02:AA:BB:CC:DD:EE name=254700000004 password=*** profile=mw-b7ebd4f1a490 # customer 254700000004 is active, package Day pass
        "#]],
    );
}

#[test]
fn firewall() {
    golden(
        &["/ip/firewall/filter", "/ip/firewall/nat", "/ip/firewall/address-list"],
        &expect![[r#"
            /ip/firewall/address-list customers-at:10.64.0.2-10.64.3.254: address=10.64.0.2-10.64.3.254 comment=mw:0570632baff1 disabled=no list=mw-customers # customers have 10.64.0.2-10.64.3.254
            /ip/firewall/address-list customers-at:10.64.9.9: address=10.64.9.9 comment=mw:1417ff17a1fa disabled=no list=mw-customers # customers have 10.64.9.9
            /ip/firewall/address-list customers-at:10.65.0.2-10.65.0.254: address=10.65.0.2-10.65.0.254 comment=mw:8ec066c999a9 disabled=no list=mw-customers # customers have 10.65.0.2-10.65.0.254
            /ip/firewall/address-list customers-at:198.51.100.20: address=198.51.100.20 comment=mw:242556aea474 disabled=no list=mw-customers # customers have 198.51.100.20
            /ip/firewall/address-list customers-at:198.51.100.21: address=198.51.100.21 comment=mw:242555aea474 disabled=no list=mw-customers # customers have 198.51.100.21
            /ip/firewall/address-list pay-host:203.0.113.7: address=203.0.113.7 comment=mw:2bb8601feb25 disabled=no list=mw-pay # 203.0.113.7 is open to expired customers
            /ip/firewall/address-list pay-host:203.0.113.8: address=203.0.113.8 comment=mw:2bb85d1feb25 disabled=no list=mw-pay # 203.0.113.8 is open to expired customers
            /ip/firewall/address-list stop:cus_00000000000070008000000000000006: address=198.51.100.21 comment=mw:b1ac869f4e6f disabled=no list=mw-blocked # customer kiosk is expired, package Shop line
            /ip/firewall/nat nat:redirect-hosts: action=accept chain=mw-redirect comment=mw:be06472f6533 disabled=no dst-address-list=mw-pay # pay hosts are reached as they are
            /ip/firewall/nat nat:redirect-page: action=dst-nat chain=mw-redirect comment=mw:3ab175ed4b58 disabled=no dst-port=80 protocol=tcp to-addresses=203.0.113.7 to-ports=8081 # plain web requests of expired customers go to the pay page
            /ip/firewall/nat nat:redirect: action=jump chain=dstnat comment=mw:5f37b5986be2 disabled=no jump-target=mw-redirect src-address-list=mw-expired # expired customers are led to the pay page
            /ip/firewall/filter filter-expired:dns-udp: action=accept chain=mw-expired comment=mw:58223bbe133e disabled=no dst-address-list=(none) dst-port=53 protocol=udp # expired customers resolve names
            /ip/firewall/filter filter-expired:dns-tcp: action=accept chain=mw-expired comment=mw:62674cbe1984 disabled=no dst-address-list=(none) dst-port=53 protocol=tcp # expired customers resolve names
            /ip/firewall/filter filter-expired:hosts: action=accept chain=mw-expired comment=mw:9d30c13486a3 disabled=no dst-address-list=mw-pay # expired customers reach the pay hosts
            /ip/firewall/filter filter-expired:drop: action=drop chain=mw-expired comment=mw:01851b82abc3 disabled=no # expired customers reach nothing else
            /ip/firewall/filter filter-input:api: action=accept chain=mw-input comment=mw:70e7d4a84124 disabled=no dst-port=8728 protocol=tcp src-address=10.10.0.1 # the hub reaches the API
            /ip/firewall/filter filter-input:icmp: action=accept chain=mw-input comment=mw:6d3954a43ddb disabled=no protocol=icmp src-address=10.10.0.1 # the hub can ping
            /ip/firewall/filter filter-input:replies: action=accept chain=mw-input comment=mw:9127ac15dfe8 connection-state=established,related disabled=no src-address=10.10.0.1 # answers to what the router asked the hub
            /ip/firewall/filter filter-input:drop: action=drop chain=mw-input comment=mw:c50403fe839e disabled=no # nothing else comes in from the tunnel
            /ip/firewall/filter filter-outside:dns-udp@ether1: action=drop chain=mw-outside comment=mw:76fa3bf9fdbc disabled=no dst-port=53 in-interface=ether1 protocol=udp # nobody is answered names by way of ether1
            /ip/firewall/filter filter-outside:dns-tcp@ether1: action=drop chain=mw-outside comment=mw:1a671f68e4d7 disabled=no dst-port=53 in-interface=ether1 protocol=tcp # nobody is answered names by way of ether1
            /ip/firewall/filter filter-router:tunnel: action=jump chain=mw-router comment=mw:653cc43c84c4 disabled=no in-interface=wg-mastwire jump-target=mw-input # what the tunnel brings is judged by rules of its own
            /ip/firewall/filter filter-router:manage: action=drop chain=mw-router comment=mw:5b1254cf7b3a disabled=no dst-port=21,22,23,8291,8728,8729 protocol=tcp src-address-list=mw-customers # customers do not reach what manages the router
            /ip/firewall/filter filter-router:outside: action=jump chain=mw-router comment=mw:53464fd7ae03 disabled=no jump-target=mw-outside # what comes from outside is judged by rules of its own
            /ip/firewall/filter filter-router:jump: action=jump chain=input comment=mw:f37b07c9d026 disabled=no jump-target=mw-router # everything that comes to the router itself is judged by our rules first
            /ip/firewall/filter filter-forward:from-tunnel: action=drop chain=mw-forward comment=mw:1bbc373a6a4d disabled=no in-interface=wg-mastwire # nothing passes from or to the tunnel
            /ip/firewall/filter filter-forward:to-tunnel: action=drop chain=mw-forward comment=mw:57e0ed0ebfd9 disabled=no out-interface=wg-mastwire # nothing passes from or to the tunnel
            /ip/firewall/filter filter-forward:blocked: action=drop chain=mw-forward comment=mw:e1a2a13e6a65 disabled=no src-address-list=mw-blocked # switched-off customers reach nothing
            /ip/firewall/filter filter-forward:expired: action=jump chain=mw-forward comment=mw:89d2e5a2b8b6 disabled=no jump-target=mw-expired src-address-list=mw-expired # expired customers are held to the pay page
            /ip/firewall/filter filter-forward:jump: action=jump chain=forward comment=mw:6d42e59f707f disabled=no jump-target=mw-forward # everything that passes is judged by our rules first
        "#]],
    );
}

#[test]
fn customers_with_a_speed_stay_out_of_fasttrack() {
    let mut site = site();
    let lines = |site: &Site| {
        let shown = show(&wanted(site), &["/ip/firewall/address-list", "/ip/firewall/filter"]);
        shown
            .lines()
            .filter(|line| line.contains("mw-customers") && !line.contains("mw-router"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    assert!(!lines(&site).contains("/filter"), "where there is no FastTrack, nothing is kept out of it");
    site.facts.fasttrack = true;
    expect![[r#"
        /ip/firewall/address-list customers-at:10.64.0.2-10.64.3.254: address=10.64.0.2-10.64.3.254 comment=mw:0570632baff1 disabled=no list=mw-customers # customers have 10.64.0.2-10.64.3.254
        /ip/firewall/address-list customers-at:10.64.9.9: address=10.64.9.9 comment=mw:1417ff17a1fa disabled=no list=mw-customers # customers have 10.64.9.9
        /ip/firewall/address-list customers-at:10.65.0.2-10.65.0.254: address=10.65.0.2-10.65.0.254 comment=mw:8ec066c999a9 disabled=no list=mw-customers # customers have 10.65.0.2-10.65.0.254
        /ip/firewall/address-list customers-at:198.51.100.20: address=198.51.100.20 comment=mw:242556aea474 disabled=no list=mw-customers # customers have 198.51.100.20
        /ip/firewall/address-list customers-at:198.51.100.21: address=198.51.100.21 comment=mw:242555aea474 disabled=no list=mw-customers # customers have 198.51.100.21
        /ip/firewall/filter filter-forward:from-customers: action=accept chain=mw-forward comment=mw:7c3a984dbf02 connection-state=established,related disabled=no src-address-list=mw-customers # open connections of customers stay out of FastTrack, and so in their queues
        /ip/firewall/filter filter-forward:to-customers: action=accept chain=mw-forward comment=mw:e932ee265068 connection-state=established,related disabled=no dst-address-list=mw-customers # open connections of customers stay out of FastTrack, and so in their queues
    "#]].assert_eq(&lines(&site));
    let rules: Vec<_> = wanted(&site).objects.into_iter().filter(|object| object.text("chain") == Some("mw-forward")).collect();
    let place = |what: &str| {
        let place = rules.iter().position(|rule| rule.key.as_str() == format!("filter-forward:{what}"));
        place.expect("a rule of the chain")
    };
    for stop in ["blocked", "expired", "from-tunnel", "to-tunnel"] {
        assert!(
            place(stop) < place("from-customers") && place(stop) < place("to-customers"),
            "{stop} comes first, or it stops nobody"
        );
    }
}

#[test]
fn queues() {
    golden(
        &["/queue/simple"],
        &expect![[r#"
            /queue/simple queue:cus_00000000000070008000000000000005: burst-limit=(none) burst-threshold=(none) burst-time=(none) comment=mw:2cad8053c39d disabled=no max-limit=20000000/20000000 name=mw-shop target=198.51.100.20/32 # customer shop is active, package Shop line
            /queue/simple queue:cus_00000000000070008000000000000006: burst-limit=(none) burst-threshold=(none) burst-time=(none) comment=mw:2cad8353c39d disabled=no max-limit=20000000/20000000 name=mw-kiosk target=198.51.100.21/32 # customer kiosk is expired, package Shop line
        "#]],
    );
}

#[test]
fn fuses() {
    golden(
        &["/system/scheduler"],
        &expect![[r#"
            /system/scheduler fuse:2026-11-21T16: comment=mw:062b6429815c disabled=no interval=0s name=mw-fuse-2026112116 policy=read,test,write start-date=2026-11-21 start-time=16:00:00 # ends 1 grant at 2026-11-21 16:00 if the controller does not
                :do { /ppp/secret/set [find comment="mw:792d23f94e29"] profile=mw-expired } on-error={}
                :do { /ppp/secret/unset [find comment="mw:792d23f94e29"] value-name=remote-address } on-error={}
                :do { :local mwLogin [/ppp/secret/get [find comment="mw:792d23f94e29"] value-name=name]; /ppp/active/remove [find name=$mwLogin] } on-error={}
            /system/scheduler fuse:2026-11-21T17: comment=mw:062b6529815c disabled=no interval=0s name=mw-fuse-2026112117 policy=read,test,write start-date=2026-11-21 start-time=17:00:00 # ends 1 grant at 2026-11-21 17:00 if the controller does not
                :do { /ip/firewall/address-list/add list=mw-blocked address=198.51.100.20 comment="mw:b1ac859f4e6f" } on-error={}
            /system/scheduler fuse:2026-11-21T19: comment=mw:062b7329815c disabled=no interval=0s name=mw-fuse-2026112119 policy=read,test,write start-date=2026-11-21 start-time=19:00:00 # ends 1 grant at 2026-11-21 19:00 if the controller does not
                :do { /ip/hotspot/user/set [find comment="mw:6a4a88c1b65a"] disabled=yes } on-error={}
                :do { :local mwLogin [/ip/hotspot/user/get [find comment="mw:6a4a88c1b65a"] value-name=name]; /ip/hotspot/active/remove [find user=$mwLogin] } on-error={}
                :do { :local mwLogin [/ip/hotspot/user/get [find comment="mw:6a4a88c1b65a"] value-name=name]; /ip/hotspot/cookie/remove [find user=$mwLogin] } on-error={}
        "#]],
    );
}

#[test]
fn fuses_are_split_and_end_at_the_horizon() {
    let mut site = site();
    site.customers = (0..90).map(|number| customer(number, &format!("c\"$\\é{number}"), 1, active(1))).collect();
    site.customers.push(customer(100, "late", 1, active(24 * 8)));
    let desired = wanted(&site);
    let fuses: Vec<_> = desired.objects.iter().filter(|object| object.menu.path == "/system/scheduler").collect();
    let names: Vec<_> = fuses.iter().filter_map(|fuse| fuse.text("name")).collect();
    assert_eq!(names, ["mw-fuse-2026112115", "mw-fuse-2026112115-2", "mw-fuse-2026112115-3"]);
    for fuse in &fuses {
        let script = fuse.text("on-event").expect("a fuse has a script");
        assert!(script.is_ascii() && script.len() < 60_000, "{}", script.len());
    }
    expect![[r#"
        info fuse-horizon: The router carries fuses for 7 days; later ends are written when the time comes: 1 grant.
    "#]]
    .assert_eq(&desired.findings.iter().map(|finding| format!("{finding}\n")).collect::<String>());
}

#[test]
fn without_a_scheduler_the_plan_says_what_stands_in() {
    for (clock_set, scheduler_allowed, hotspot, expected) in [
        (
            true,
            false,
            HotspotSupport::Ready,
            expect![[r#"
                warning no-fuses: The router carries no scheduled ends, because device-mode forbids the scheduler. Ended by their online time nevertheless: 1 hotspot grant. Ended only when the controller reaches the router: 2 PPPoE or static grants.
            "#]],
        ),
        (
            false,
            true,
            HotspotSupport::Forbidden,
            expect![[r#"
                warning hotspot-left-out: The hotspot on ether3 is left out: device-mode forbids it.
                warning no-fuses: The router carries no scheduled ends, because its clock is not set. Ended by their online time nevertheless: 0 hotspot grants. Ended only when the controller reaches the router: 2 PPPoE or static grants.
            "#]],
        ),
    ] {
        let mut site = site();
        site.facts = Facts { clock_set, scheduler_allowed, hotspot, ..site.facts };
        let desired = wanted(&site);
        assert_eq!(show(&desired, &["/system/scheduler"]), "");
        expected.assert_eq(&desired.findings.iter().map(|finding| format!("{finding}\n")).collect::<String>());
    }
}

#[test]
fn a_fuse_never_cuts_early() {
    let mut site = site();
    // Summer time ends at 02:00 on this day, and the hour from 01:00 comes twice.
    site.facts.zone = jiff::tz::TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").expect("a zone");
    site.facts.now = "2026-11-01T04:00:00Z".parse().expect("a time");
    for minute in 0..300 {
        let until = site.facts.now + jiff::SignedDuration::from_mins(minute);
        site.customers = vec![customer(1, "alice", 1, active(0))];
        site.customers[0].state = State::Active(Grant { until, online_max: None, data_max: None });
        let desired = wanted(&site);
        let fuse = desired.objects.iter().find(|object| object.menu.path == "/system/scheduler").expect("a fuse");
        let at = format!("{}T{}", fuse.text("start-date").expect("a day"), fuse.text("start-time").expect("a time"));
        let at: jiff::civil::DateTime = at.parse().expect("a civil time");
        let first = site.facts.zone.to_ambiguous_timestamp(at).earlier().expect("in range");
        assert!(first >= until && first > site.facts.now, "{until} is cut at {first}");
        assert!(first.duration_since(until) < jiff::SignedDuration::from_hours(3), "{until} ends only at {first}");
    }
}

/// The example with a DHCP service: the shop's device is known, the kiosk's is the same one, the bakery's is unknown.
fn with_dhcp() -> Site {
    let mut site = site();
    site.services.push(Service::Dhcp(Dhcp {
        interface: "ether4".to_owned(),
        gateway: "198.51.100.1/24".parse().expect("a network"),
        pool: vec![AddressRange { first: [198, 51, 100, 16].into(), last: [198, 51, 100, 31].into() }],
        lease_s: 600,
        dns: Vec::new(),
        pin: true,
    }));
    let mut bakery = customer(7, "bakery", 3, active(3));
    bakery.address = Some([198, 51, 100, 40].into());
    let mut router = customer(8, "router", 3, active(3));
    router.address = Some([198, 51, 100, 1].into());
    router.mac_lock = Some("02:aa:bb:cc:dd:08".to_owned());
    let mut far = customer(9, "far", 3, active(3));
    far.address = Some([203, 0, 113, 99].into());
    far.mac_lock = Some("02:aa:bb:cc:dd:09".to_owned());
    site.customers.extend([bakery, router, far]);
    for customer in &mut site.customers[4..6] {
        customer.mac_lock = Some("02:aa:bb:cc:dd:05".to_owned());
    }
    site
}

#[test]
fn dhcp() {
    let desired = wanted(&with_dhcp());
    let menus = ["/ip/pool", "/ip/address", "/ip/dhcp-server/network", "/ip/dhcp-server", "/ip/dhcp-server/lease"];
    let lists = ["/ip/firewall/address-list"];
    let shown = show(&desired, &menus) + &show(&desired, &lists);
    let of_it = |line: &&str| line.contains("dhcp-") && !line.contains("hotspot");
    let mut shown: String = shown.lines().filter(of_it).map(|line| format!("{line}\n")).collect();
    for finding in desired.findings.iter().filter(|finding| finding.code.starts_with("dhcp")) {
        writeln!(shown, "{finding}").expect("a String takes everything");
    }
    expect![[r#"
        /ip/pool dhcp-pool:ether4: comment=mw:ad58b270bfa5 name=mw-dhcp-ether4 ranges=198.51.100.16-198.51.100.19,198.51.100.22-198.51.100.31 # addresses of the DHCP service on ether4
        /ip/address dhcp-address:ether4: address=198.51.100.1/24 comment=mw:061421ca0b9b disabled=no interface=ether4 # the router's address of the DHCP service on ether4
        /ip/dhcp-server/network dhcp-network:ether4: address=198.51.100.0/24 comment=mw:c15af2073acf dns-server=198.51.100.1 gateway=198.51.100.1 # the network of the DHCP service on ether4
        /ip/dhcp-server dhcp-dhcp:ether4: add-arp=yes address-pool=mw-dhcp-ether4 comment=mw:0bd2e009b578 disabled=no interface=ether4 lease-time=10m name=mw-dhcp-ether4 # the DHCP server of the DHCP service on ether4
        /ip/dhcp-server/lease dhcp-lease:cus_00000000000070008000000000000005: address=198.51.100.20 comment=mw:57067c923ecc disabled=no mac-address=02:AA:BB:CC:DD:05 server=mw-dhcp-ether4 # customer shop has the address 198.51.100.20
        /ip/firewall/address-list dhcp-strangers:ether4@198.51.100.16-198.51.100.19: address=198.51.100.16/30 comment=mw:d102e314a2f9 disabled=no list=mw-expired # devices on ether4 that are nobody's reach the pay hosts alone
        /ip/firewall/address-list dhcp-strangers:ether4@198.51.100.22-198.51.100.31: address=198.51.100.22-198.51.100.31 comment=mw:9e8976f0aa87 disabled=no list=mw-expired # devices on ether4 that are nobody's reach the pay hosts alone
        warning dhcp-no-device: Customers who get no lease on ether4, because their device is not known: 1 (bakery).
        warning dhcp-same-device: Customers who get no lease on ether4, because another customer's lease is for the same device: 1 (kiosk).
        warning dhcp-address-taken: Customers who get no lease on ether4, because their address is the router's own, or the first or last of the network: 1 (router).
    "#]].assert_eq(&shown);
}

#[test]
fn strangers_get_nothing_where_customers_leave_no_room() {
    let mut site = with_dhcp();
    let Some(Service::Dhcp(dhcp)) = site.services.last_mut() else { unreachable!("just pushed") };
    dhcp.pool = vec![AddressRange { first: [198, 51, 100, 20].into(), last: [198, 51, 100, 21].into() }];
    let desired = wanted(&site);
    assert!(desired.findings.iter().any(|finding| finding.code == "dhcp-pool-crowded"));
    let server = desired.objects.iter().find(|object| object.text("name") == Some("mw-dhcp-ether4")).expect("a server");
    assert_eq!((server.menu.path, server.text("address-pool")), ("/ip/dhcp-server", Some("static-only")));
    assert!(!desired.objects.iter().any(|object| object.key.as_str().starts_with("dhcp-strangers")));
}

#[test]
fn every_object_has_a_key_that_was_announced() {
    let site = site();
    let keys = keys(&site).expect("the site makes sense");
    let with = |missing: Option<&ObjectKey>| {
        let known = |key: &ObjectKey| tags(key).filter(|_| keys.contains(key) && Some(key) != missing);
        desired(&site, &known)
    };
    assert!(with(None).is_ok());
    for key in &keys {
        assert_eq!(with(Some(key)).expect_err("a tag is missing"), SiteError::NoTag(key.clone()));
    }
}

#[test]
fn nonsense_is_refused() {
    let check = |change: &dyn Fn(&mut Site), expected: &str| {
        let mut site = site();
        change(&mut site);
        assert_eq!(desired(&site, &tags).expect_err("nonsense").to_string(), expected);
    };
    check(&|site| site.customers[0].login = "bob".to_owned(), "`ppp-secret:cus_00000000000070008000000000000002` is there twice");
    check(&|site| site.customers[4].address = None, "`customer:cus_00000000000070008000000000000005` needs an address");
    check(
        &|site| site.packages.truncate(1),
        "`customer:cus_00000000000070008000000000000004` belongs to a package that the site does not list",
    );
    check(&|site| site.services.push(site.services[0].clone()), "too many PPPoE services: at most 1");
    check(
        &|site| site.customers[3].mac_lock = Some("x".to_owned()),
        "`hotspot-user:cus_00000000000070008000000000000004@1795170600` cannot have this `mac-address`",
    );
    let none: &dyn Fn(&ObjectKey) -> Option<Tag> = &|_| None;
    assert!(matches!(desired(&site(), none), Err(SiteError::NoTag(_))));
}
