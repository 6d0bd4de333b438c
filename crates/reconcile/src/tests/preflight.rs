//! What preflight says of routers as they come.

use super::example::{now, site};
use crate::preflight::*;
use crate::{AddressRange, Dhcp, Finding, Service, Severity, VlanRange};
use expect_test::{Expect, expect};
use model::{Bytes, RouterosVersion, Supernet};

/// A router that is ready.
fn ready() -> FactsObserved {
    let interface = |name: &str, kind: &str, bridge: Option<&str>| Interface {
        name: name.to_owned(),
        kind: kind.to_owned(),
        bridge: bridge.map(str::to_owned),
        vlan: None,
        arp: (kind != "wg").then(|| "enabled".to_owned()),
    };
    FactsObserved {
        version: RouterosVersion::new(7, 20, 8),
        architecture: "arm".to_owned(),
        free_flash: Bytes(5 << 20),
        packages: vec!["routeros".to_owned()],
        device_mode: Some(DeviceMode { hotspot: true, scheduler: true, fetch: true }),
        now: now(),
        clock: now(),
        supernet: Supernet::default(),
        tunnel: "wg-mastwire".to_owned(),
        interfaces: vec![
            interface("ether1", "ether", None),
            interface("ether2", "ether", Some("bridge")),
            interface("ether3", "ether", None),
            interface("ether4", "ether", None),
            interface("bridge", "bridge", None),
            interface("wg-mastwire", "wg", None),
        ],
        addresses: vec![
            address("10.10.1.2/32", "wg-mastwire"),
            address("192.168.1.2/24", "ether1"),
            address("192.168.88.1/24", "bridge"),
        ],
        pools: Vec::new(),
        servers: Vec::new(),
        default_routes: vec![Some("ether1".to_owned())],
        ways_out: ["ether1".to_owned()].into(),
        resolver: true,
        management_ports: [22, 8291, 8728].into(),
        fasttrack: false,
        source_nat: true,
        ppp_radius: false,
        hotspot_radius: Vec::new(),
        api: Api { enabled: true, port: 8728, address: vec!["10.10.0.1/32".parse().expect("a network")] },
    }
}

fn address(address: &str, interface: &str) -> InterfaceAddress {
    InterfaceAddress { address: address.parse().expect("an address"), interface: interface.to_owned() }
}

fn pool(name: &str, first: [u8; 4], last: [u8; 4]) -> Pool {
    Pool { name: name.to_owned(), ranges: vec![AddressRange { first: first.into(), last: last.into() }], ours: false }
}

fn server(kind: ServerKind, interface: &str, ours: bool) -> Server {
    Server { kind, name: format!("server-{interface}"), interface: interface.to_owned(), ours }
}

#[track_caller]
fn golden(facts: &FactsObserved, expected: &Expect) {
    expected.assert_eq(&preflight(facts).iter().map(|finding| format!("{finding}\n")).collect::<String>());
}

#[test]
fn a_ready_router_has_no_findings() {
    assert_eq!(preflight(&ready()), Vec::<Finding>::new());
}

#[test]
fn a_router_in_home_mode() {
    let device_mode = Some(DeviceMode { hotspot: false, scheduler: false, fetch: false });
    golden(
        &FactsObserved { device_mode, ..ready() },
        &expect![[r#"
        warning device-mode-hotspot: Device-mode forbids hotspot: no hotspot can be set up. After the command press the board's button, or cut its power, within 5 minutes. Run: /system/device-mode/update hotspot=yes scheduler=yes fetch=yes
        warning device-mode-scheduler: Device-mode forbids scheduler: grants do not end by themselves while the controller is away. After the command press the board's button, or cut its power, within 5 minutes. Run: /system/device-mode/update hotspot=yes scheduler=yes fetch=yes
        info device-mode-fetch: Device-mode forbids fetch: enrolment works by the block alone, not by the line. After the command press the board's button, or cut its power, within 5 minutes. Run: /system/device-mode/update hotspot=yes scheduler=yes fetch=yes
    "#]],
    );
}

#[test]
fn an_old_small_router_without_a_clock() {
    let facts = FactsObserved {
        version: RouterosVersion::new(7, 8, 0),
        free_flash: Bytes(300_000),
        clock: "1970-01-02T00:00:00Z".parse().expect("a time"),
        ..ready()
    };
    golden(
        &facts,
        &expect![[r#"
        blocker flash-low: Only 300000 bytes of flash are free: the router may lose what it is told. Remove files. Run: /file/print
        blocker version-old: RouterOS 7.8 is too old: at least 7.9 is needed. The router restarts to upgrade. Run: /system/package/update install
        warning clock: The router's clock is not set: grants cannot end by themselves, and the tunnel may not come back. Run: /system/ntp/client/set enabled=yes servers=pool.ntp.org
    "#]],
    );
    let facts = FactsObserved {
        version: RouterosVersion::new(7, 26, 0),
        architecture: "smips".to_owned(),
        clock: now() + jiff::SignedDuration::from_mins(90),
        ..ready()
    };
    golden(
        &facts,
        &expect![[r#"
        warning clock: The router's clock is wrong by 90 minutes: grants would end at the wrong time. Run: /system/ntp/client/set enabled=yes servers=pool.ntp.org
        warning hotspot-package: This board needs the hotspot as a separate package. Put the file hotspot-<version>-smips.npk from mikrotik.com onto the router and restart it; until then it can serve PPPoE and static customers. Run: /system reboot
        warning version-untested: RouterOS 7.26 is newer than what was tested (7.25 and later are not).
    "#]],
    );
}

#[test]
fn a_router_that_serves_customers_already() {
    let facts = FactsObserved {
        pools: vec![pool("dhcp", [192, 168, 88, 10], [192, 168, 88, 254]), pool("old", [10, 10, 5, 2], [10, 10, 5, 99])],
        servers: vec![server(ServerKind::Pppoe, "ether3", false), server(ServerKind::Hotspot, "bridge", true)],
        fasttrack: true,
        source_nat: false,
        ppp_radius: true,
        hotspot_radius: vec!["hsprof1".to_owned()],
        ..ready()
    };
    golden(
        &facts,
        &expect![[r#"
            warning pool-overlap: The pool old lies within the tunnels' network 10.10.0.0/16. It works, because the router reaches the hub alone through the tunnel, but it confuses people.
            warning ppp-radius: PPP asks RADIUS: a name that is unknown here may still be let in there. Run: /ppp/aaa/set use-radius=no
            warning pppoe-server-foreign: There is a PPPoE server `server-ether3` on ether3 already; it stays as it is. Choose another interface for ours, or remove it.
            warning source-nat-missing: No rule translates customers' addresses: those with private addresses do not reach the internet. Run: /ip/firewall/nat/add chain=srcnat out-interface=ether1 action=masquerade
            info fasttrack: FastTrack is on, and its connections pass by queues and rules. PPPoE, DHCP and static customers are kept out of it by rules of ours; what it carries already stays with it until it ends.
            info hotspot-radius: The hotspot profile `hsprof1` asks RADIUS.
            info pools-foreign: Pools that are not ours stay as they are: dhcp, old. Ours need other addresses.
        "#]],
    );
}

#[test]
fn addresses_of_the_hub_block() {
    let mut facts = ready();
    facts.addresses.push(address("10.10.0.254/24", "ether4"));
    facts.addresses.push(address("10.10.7.1/24", "ether3"));
    facts.pools.push(Pool { ours: true, ..pool("wide", [10, 9, 0, 1], [10, 10, 0, 2]) });
    golden(
        &facts,
        &expect![[r#"
            blocker address-overlap: The address 10.10.0.254/24 on ether4 covers the hub's own address: the tunnel and these devices get in each other's way. Use other addresses.
            blocker pool-overlap: The pool wide covers the hub's own address: the tunnel and these devices get in each other's way. Use other addresses.
            warning address-overlap: The address 10.10.7.1/24 on ether3 lies within the tunnels' network 10.10.0.0/16. It works, because the router reaches the hub alone through the tunnel, but it confuses people.
        "#]],
    );
}

#[test]
fn services_and_routes_that_are_missing() {
    let mut facts = ready();
    facts.api.address.clear();
    facts.default_routes.clear();
    golden(
        &facts,
        &expect![[r#"
        warning api-open: The API service answers everybody who reaches the router. Run: /ip/service/set api address=10.10.0.1/32
        warning wan-missing: There is no active default route: the router has no way to the internet. Run: /ip/route/print where dst-address=0.0.0.0/0
    "#]],
    );
    facts = ready();
    facts.api.address = vec!["192.168.88.0/24".parse().expect("a network")];
    golden(
        &facts,
        &expect![[r#"
        blocker api-closed: The API service does not answer the hub (10.10.0.1). Run: /ip/service/set api address=192.168.88.0/24,10.10.0.1/32
    "#]],
    );
    facts.api.port = 8729;
    golden(
        &facts,
        &expect![[r#"
        blocker api-port: The API service listens on port 8729, and the rules for the tunnel open 8728 alone. Run: /ip/service/set api port=8728
    "#]],
    );
    facts.api.enabled = false;
    golden(
        &facts,
        &expect![[r#"
        blocker api-closed: The API service is off, and the controller reaches the router by nothing else. Run: /ip/service/set api disabled=no address=10.10.0.1/32
    "#]],
    );
}

#[test]
fn the_worst_comes_first() {
    let mut facts = ready();
    facts.api.enabled = false;
    facts.ppp_radius = true;
    facts.device_mode = Some(DeviceMode { hotspot: true, scheduler: true, fetch: false });
    let severities: Vec<_> = preflight(&facts).iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Blocker, Severity::Warning, Severity::Info]);
}

#[test]
fn interfaces_have_roles() {
    let mut facts = ready();
    facts.servers.push(server(ServerKind::Pppoe, "ether3", true));
    expect![[r#"
        ether1: Wan
        ether2: Port { bridge: "bridge" }
        ether3: Serves { kind: Pppoe }
        ether4: Free
        bridge: Lan { address: 192.168.88.1 }
        wg-mastwire: Tunnel
    "#]]
    .assert_eq(&roles(&facts).iter().map(|(name, role)| format!("{name}: {role:?}\n")).collect::<String>());
}

#[test]
fn what_leads_outside_leads_to_nobody_else() {
    let mut facts = ready();
    facts.ways_out.extend(["bridge", "ether3", "wg-mastwire", "<l2tp-home>"].map(str::to_owned));
    facts.servers = vec![server(ServerKind::Dhcp, "bridge", false)];
    assert_eq!(facts.outside(), ["ether1", "ether3"].map(str::to_owned).into(), "a spare uplink behind the LAN is the LAN");
}

/// What is wrong with the example's services, changed, on a router.
#[track_caller]
fn golden_services(facts: &FactsObserved, change: impl Fn(&mut Service), expected: &Expect) {
    let mut services = site().services;
    services.iter_mut().for_each(change);
    let findings = services.iter().flat_map(|service| fits(facts, service));
    expected.assert_eq(&findings.map(|finding| format!("{finding}\n")).collect::<String>());
}

#[test]
fn services_that_fit() {
    let mut facts = ready();
    facts.interfaces[1].bridge = None;
    facts.addresses.pop();
    golden_services(&facts, |_| (), &expect![[""]]);
    (facts.fasttrack, facts.resolver) = (true, false);
    golden_services(
        &facts,
        |_| (),
        &expect![[r#"
        warning service-fasttrack: FastTrack is on: the hotspot's guests are not held to their speed, because its connections pass by their queues. Run: /ip/firewall/filter/disable [find where action=fasttrack-connection]
    "#]],
    );
    (facts.fasttrack, facts.resolver) = (false, true);
    // The same once they are there.
    facts.addresses.push(address("192.168.88.1/24", "ether3"));
    facts.servers = vec![server(ServerKind::Pppoe, "ether2", true), server(ServerKind::Hotspot, "ether3", true)];
    facts.pools = vec![Pool { ours: true, ..pool("mw-pppoe", [10, 64, 0, 2], [10, 64, 3, 254]) }];
    golden_services(&facts, |_| (), &expect![[""]]);
}

#[test]
fn services_that_do_not_fit() {
    let mut facts = ready();
    facts.servers.push(server(ServerKind::Hotspot, "ether3", false));
    facts.pools.push(pool("old", [10, 64, 0, 100], [10, 64, 0, 200]));
    golden_services(
        &facts,
        |_| (),
        &expect![[r#"
        blocker service-interface: ether2 is a port of bridge: choose bridge, or take the port out of it.
        warning service-pool-overlap: 10.64.0.2-10.64.3.254 shares addresses with the pool old, which is not ours.
        blocker service-interface: ether3 has `server-ether3` already, which is not ours.
        blocker service-address-overlap: 192.168.88.0-192.168.88.255 overlaps 192.168.88.1/24 on bridge. Use other addresses.
    "#]],
    );
    let change = |service: &mut Service| match service {
        Service::Pppoe(pppoe) => {
            pppoe.interfaces = ["ether1", "wg-mastwire", "ether9"].map(str::to_owned).to_vec();
            pppoe.pool = vec![AddressRange { first: [10, 9, 0, 1].into(), last: [10, 10, 0, 1].into() }];
            pppoe.expired_pool.clone_from(&pppoe.pool);
        }
        Service::Dhcp(_) => unreachable!("the example has none"),
        Service::Hotspot(hotspot) => {
            hotspot.interface = "ether4".to_owned();
            hotspot.gateway = "172.16.0.1/24".parse().expect("a network");
            hotspot.pool[0].first = [172, 16, 0, 1].into();
            hotspot.pool[0].last = [172, 16, 1, 1].into();
        }
    };
    golden_services(
        &facts,
        change,
        &expect![[r#"
        blocker service-interface: ether1 is the router's way to the internet.
        blocker service-interface: wg-mastwire is the tunnel to the controller.
        blocker service-interface: The router has no interface ether9.
        blocker service-address-overlap: 10.9.0.1-10.10.0.1 lies within the tunnels' network 10.10.0.0/16. Use other addresses.
        blocker service-address-overlap: 10.9.0.1-10.10.0.1 lies within the tunnels' network 10.10.0.0/16. Use other addresses.
        blocker service-pools-share: The pools for customers and for expired customers share addresses.
        blocker service-pool-outside: The pool 172.16.0.1-172.16.1.1 is not within the hotspot's network 172.16.0.1/24.
        blocker service-pool-gateway: The pool 172.16.0.1-172.16.1.1 holds the router's own address 172.16.0.1.
    "#]],
    );
}

#[test]
fn dhcp_services() {
    let dhcp = |pin| Dhcp {
        interface: "ether3".to_owned(),
        gateway: "192.168.50.1/24".parse().expect("a network"),
        pool: vec![AddressRange { first: [192, 168, 50, 200].into(), last: [192, 168, 50, 250].into() }],
        lease_s: 600,
        dns: Vec::new(),
        pin,
    };
    let golden = |facts: &FactsObserved, dhcp: Dhcp, expected: Expect| {
        expected.assert_eq(&fits(facts, &Service::Dhcp(dhcp)).iter().map(|finding| format!("{finding}\n")).collect::<String>());
    };
    let mut facts = ready();
    golden(&facts, dhcp(false), expect![[""]]);
    facts.resolver = false;
    golden(
        &facts,
        dhcp(false),
        expect![[r#"
        warning service-dns: Customers of the DHCP service are told to ask the router for names, and its resolver answers nobody but the router itself. Run: /ip/dns/set allow-remote-requests=yes
    "#]],
    );
    golden(&facts, Dhcp { dns: vec![[9, 9, 9, 9].into()], ..dhcp(false) }, expect![[""]]);
    facts.resolver = true;
    golden(
        &facts,
        dhcp(true),
        expect![[r#"
        warning dhcp-not-pinned: ether3 still learns by itself which device has which address, so a device may take another's. Devices with fixed addresses of their own on ether3 need entries in /ip/arp before it learns from leases alone. Run: /interface/ethernet/set [find name="ether3"] arp=reply-only
    "#]],
    );
    facts.interfaces[2].arp = Some("reply-only".to_owned());
    golden(&facts, dhcp(true), expect![[""]]);
    golden(
        &facts,
        dhcp(false),
        expect![[r#"
        blocker service-arp: ether3 answers only devices that its table of ARP names (arp=reply-only), and an unpinned service names none: pin it, or set the interface's arp to enabled.
    "#]],
    );
    facts.servers = vec![server(ServerKind::Dhcp, "ether3", false), server(ServerKind::Dhcp, "bridge", false)];
    facts.interfaces[2].arp = None;
    let mut odd = dhcp(true);
    odd.gateway = "192.168.88.200/25".parse().expect("a network");
    golden(
        &facts,
        odd,
        expect![[r#"
        blocker service-interface: ether3 has `server-ether3` already, which is not ours.
        blocker service-address-overlap: 192.168.88.128-192.168.88.255 overlaps 192.168.88.1/24 on bridge. Use other addresses.
        blocker service-pool-outside: The pool 192.168.50.200-192.168.50.250 is not within the DHCP service's network 192.168.88.200/25.
        warning dhcp-not-pinned: ether3 still learns by itself which device has which address, so a device may take another's. Devices with fixed addresses of their own on ether3 need entries in /ip/arp before it learns from leases alone. Run: /interface/ethernet/set [find name="ether3"] arp=reply-only
    "#]],
    );
    expect![[r#"
        ether1: Wan
        ether2: Port { bridge: "bridge" }
        ether3: Free
        ether4: Free
        bridge: Lan { address: 192.168.88.1 }
        wg-mastwire: Tunnel
    "#]]
    .assert_eq(&roles(&facts).iter().map(|(name, role)| format!("{name}: {role:?}\n")).collect::<String>());
    facts.interfaces[2].name = "the \"lan\"".to_owned();
    let quoted = fits(&facts, &Service::Dhcp(Dhcp { interface: facts.interfaces[2].name.clone(), ..dhcp(true) }));
    let command = r#"/interface/ethernet/set [find name="the \"lan\""] arp=reply-only"#;
    assert_eq!(quoted.iter().find_map(|finding| finding.command.as_deref()), Some(command));
    assert_eq!(preflight(&facts), [], "every network has a DHCP server");
}

#[test]
fn vlans_of_a_pppoe_service() {
    let mut facts = ready();
    facts.interfaces[1].bridge = None;
    facts.addresses.pop();
    let vlan = |name: &str, parent: &str, tag| Interface {
        name: name.to_owned(),
        vlan: Some((parent.to_owned(), tag)),
        ..ready().interfaces[0].clone()
    };
    facts.interfaces.extend([vlan("office", "ether2", 150), vlan("camera", "ether2", 200), vlan("other", "ether3", 150)]);
    let tagged = |service: &mut Service| {
        if let Service::Pppoe(pppoe) = service {
            pppoe.vlans = vec![VlanRange { first: 100, last: 199 }, VlanRange { first: 300, last: 300 }];
        }
    };
    golden_services(
        &facts,
        tagged,
        &expect![[r#"
        blocker service-vlan: VLAN 150 of ether2 is the interface office already: leave it out of 100-199, or choose it.
    "#]],
    );
    facts.version = RouterosVersion::new(7, 16, 2);
    golden_services(
        &facts,
        tagged,
        &expect![[r#"
        blocker service-vlan-version: RouterOS 7.16.2 answers callers in VLANs on interfaces of their own alone: choose those interfaces, or upgrade to 7.18.
    "#]],
    );
}
