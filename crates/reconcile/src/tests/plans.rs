//! What is planned in the situations that matter.

use super::example::{active, customer_id, now, package_id, row, site, wanted};
use crate::testing::simulate;
use crate::*;
use expect_test::{Expect, expect};
use model::BitsPerSec;
use routeros::catalogue::{self, Menu};

fn menu(path: &str) -> &'static Menu {
    catalogue::menu(path).expect("a menu of the catalogue")
}

/// The router after the first plan, with every menu printed.
fn settled(site: &Site) -> Observed {
    let mut empty = Observed::default();
    for print in observe_list(site) {
        empty.insert(print.menu, Vec::new());
    }
    simulate(&empty, &plan(&wanted(site), &empty, &Policy::default()))
}

#[track_caller]
fn golden(site: &Site, router: &Observed, expected: &Expect) -> Observed {
    let set = plan(&wanted(site), router, &Policy::default());
    expected.assert_eq(&set.to_string());
    let after = simulate(router, &set);
    assert!(plan(&wanted(site), &after, &Policy::default()).is_empty(), "the second plan is not empty");
    after
}

/// Adds a row to a menu of the router.
fn with(mut router: Observed, path: &str, id: &str, values: &[(&str, &str)]) -> Observed {
    router.rows_mut(menu(path)).push(row(id, values));
    router
}

/// Changes an argument of a row, as a person at the router would.
fn alter(router: &mut Observed, path: &str, name: &str, arg: &str, value: &str) {
    let row = router.rows_mut(menu(path)).iter_mut().find(|row| row.text("name") == name).expect("a row of that name");
    row.set(arg, Some(value));
}

#[test]
fn the_first_plan() {
    let mut empty = Observed::default();
    for print in observe_list(&site()) {
        empty.insert(print.menu, Vec::new());
    }
    golden(
        &site(),
        &empty,
        &expect![[r#"
            + /system/scheduler add mw-fuse-2026112116 comment=mw:062b6429815c disabled=no interval=0s name=mw-fuse-2026112116 on-event=:do { /ppp/secret/set [find comment="mw:792d23f94e29"] profile=mw-expired } on-error={} … (+2 lines) policy=read,test,write start-date=2026-11-21 start-time=16:00:00 # ends 1 grant at 2026-11-21 16:00 if the controller does not
            + /system/scheduler add mw-fuse-2026112117 comment=mw:062b6529815c disabled=no interval=0s name=mw-fuse-2026112117 on-event=":do { /ip/firewall/address-list/add list=mw-blocked address=198.51.100.20 comment="mw:b1ac859f4e6f" } on-error={}" policy=read,test,write start-date=2026-11-21 start-time=17:00:00 # ends 1 grant at 2026-11-21 17:00 if the controller does not
            + /system/scheduler add mw-fuse-2026112119 comment=mw:062b7329815c disabled=no interval=0s name=mw-fuse-2026112119 on-event=:do { /ip/hotspot/user/set [find comment="mw:6a4a88c1b65a"] disabled=yes } on-error={} … (+2 lines) policy=read,test,write start-date=2026-11-21 start-time=19:00:00 # ends 1 grant at 2026-11-21 19:00 if the controller does not
            + /ip/pool add mw-pppoe comment=mw:bc1d6cc4b6f3 name=mw-pppoe ranges=10.64.0.2-10.64.3.254 # addresses for PPPoE customers
            + /ip/pool add mw-expired comment=mw:e73dcd2ed95f name=mw-expired ranges=10.65.0.2-10.65.0.254 # addresses for PPPoE expired customers
            + /ip/pool add mw-hotspot-ether3 comment=mw:7b143cd42b2b name=mw-hotspot-ether3 ranges=192.168.88.10-192.168.88.254 # addresses of the hotspot on ether3
            + /ip/address add 192.168.88.1/24 ether3 address=192.168.88.1/24 comment=mw:5f89ff186f55 disabled=no interface=ether3 # the router's address of the hotspot on ether3
            + /ip/dhcp-server/network add 192.168.88.0/24 address=192.168.88.0/24 comment=mw:f7f172eed0a3 dns-server=192.168.88.1 gateway=192.168.88.1 # the network of the hotspot on ether3
            + /ip/dhcp-server add mw-hotspot-ether3 address-pool=mw-hotspot-ether3 comment=mw:9913060d14f0 disabled=no interface=ether3 lease-time=1h name=mw-hotspot-ether3 # the DHCP server of the hotspot on ether3
            + /ppp/profile add mw-db1c1a2c9377 comment=mw:db1c1a2c9377 dns-server=1.1.1.1 local-address=10.64.0.1 name=mw-db1c1a2c9377 only-one=yes rate-limit="5M/10M 10M/20M 4M/8M 16s/16s" remote-address=mw-pppoe # profile of package Home 10 [may end sessions]
            + /ppp/profile add mw-db1c1f2c9377 comment=mw:db1c1f2c9377 dns-server=1.1.1.1 local-address=10.64.0.1 name=mw-db1c1f2c9377 only-one=yes rate-limit=20M/50M remote-address=mw-pppoe # profile of package Home 50 [may end sessions]
            + /ppp/profile add mw-expired address-list=mw-expired comment=mw:51ed473e93a4 dns-server=1.1.1.1 local-address=10.64.0.1 name=mw-expired only-one=yes rate-limit=256k/256k remote-address=mw-expired # profile of expired customers [may end sessions]
            + /interface/pppoe-server/server add mw-ether2 ether2 authentication=chap,mschap1,mschap2,pap comment=mw:3bbe0801cf13 default-profile=mw-expired disabled=no interface=ether2 keepalive-timeout=30 one-session-per-host=yes service-name=mw-ether2 # customers dial in on ether2 [may end sessions]
            + /ip/hotspot/profile add mw-hotspot-ether3 dns-name=login.isp.example hotspot-address=192.168.88.1 login-by=cookie,http-chap,http-pap,mac-cookie name=mw-hotspot-ether3 # the login page of the hotspot on ether3
            + /ip/hotspot/user/profile add mw-b7ebd4f1a490 add-mac-cookie=yes keepalive-timeout=5m name=mw-b7ebd4f1a490 rate-limit=5M/5M shared-users=2 # profile of package Day pass [may end sessions]
            + /ip/hotspot add mw-hotspot-ether3 address-pool=mw-hotspot-ether3 disabled=no interface=ether3 name=mw-hotspot-ether3 profile=mw-hotspot-ether3 # the hotspot on ether3 [may end sessions]
            + /ip/hotspot/walled-garden add allow portal.isp.example action=allow comment=mw:286f794e73c9 dst-host=portal.isp.example # portal.isp.example is open before login
            + /ip/firewall/address-list add mw-customers 10.64.0.2-10.64.3.254 address=10.64.0.2-10.64.3.254 comment=mw:0570632baff1 disabled=no list=mw-customers # customers have 10.64.0.2-10.64.3.254
            + /ip/firewall/address-list add mw-customers 10.64.9.9 address=10.64.9.9 comment=mw:1417ff17a1fa disabled=no list=mw-customers # customers have 10.64.9.9
            + /ip/firewall/address-list add mw-customers 10.65.0.2-10.65.0.254 address=10.65.0.2-10.65.0.254 comment=mw:8ec066c999a9 disabled=no list=mw-customers # customers have 10.65.0.2-10.65.0.254
            + /ip/firewall/address-list add mw-customers 198.51.100.20 address=198.51.100.20 comment=mw:242556aea474 disabled=no list=mw-customers # customers have 198.51.100.20
            + /ip/firewall/address-list add mw-customers 198.51.100.21 address=198.51.100.21 comment=mw:242555aea474 disabled=no list=mw-customers # customers have 198.51.100.21
            + /ip/firewall/address-list add mw-pay 203.0.113.7 address=203.0.113.7 comment=mw:2bb8601feb25 disabled=no list=mw-pay # 203.0.113.7 is open to expired customers
            + /ip/firewall/address-list add mw-pay 203.0.113.8 address=203.0.113.8 comment=mw:2bb85d1feb25 disabled=no list=mw-pay # 203.0.113.8 is open to expired customers
            + /ip/firewall/address-list add mw-blocked 198.51.100.21 address=198.51.100.21 comment=mw:b1ac869f4e6f disabled=no list=mw-blocked # customer kiosk is expired, package Shop line
            + /ip/firewall/nat add mw-redirect accept action=accept chain=mw-redirect comment=mw:be06472f6533 disabled=no dst-address-list=mw-pay # pay hosts are reached as they are
            + /ip/firewall/nat add mw-redirect dst-nat action=dst-nat chain=mw-redirect comment=mw:3ab175ed4b58 disabled=no dst-port=80 protocol=tcp to-addresses=203.0.113.7 to-ports=8081 # plain web requests of expired customers go to the pay page
            + /ip/firewall/nat add dstnat jump action=jump chain=dstnat comment=mw:5f37b5986be2 disabled=no jump-target=mw-redirect src-address-list=mw-expired # expired customers are led to the pay page
            + /ip/firewall/filter add mw-expired accept action=accept chain=mw-expired comment=mw:58223bbe133e disabled=no dst-port=53 protocol=udp # expired customers resolve names
            + /ip/firewall/filter add mw-expired accept action=accept chain=mw-expired comment=mw:62674cbe1984 disabled=no dst-port=53 protocol=tcp # expired customers resolve names
            + /ip/firewall/filter add mw-expired accept action=accept chain=mw-expired comment=mw:9d30c13486a3 disabled=no dst-address-list=mw-pay # expired customers reach the pay hosts
            + /ip/firewall/filter add mw-expired drop action=drop chain=mw-expired comment=mw:01851b82abc3 disabled=no # expired customers reach nothing else
            + /ip/firewall/filter add mw-input accept action=accept chain=mw-input comment=mw:70e7d4a84124 disabled=no dst-port=8728 protocol=tcp src-address=10.10.0.1 # the hub reaches the API [management path]
            + /ip/firewall/filter add mw-input accept action=accept chain=mw-input comment=mw:6d3954a43ddb disabled=no protocol=icmp src-address=10.10.0.1 # the hub can ping
            + /ip/firewall/filter add mw-input accept action=accept chain=mw-input comment=mw:9127ac15dfe8 connection-state=established,related disabled=no src-address=10.10.0.1 # answers to what the router asked the hub
            + /ip/firewall/filter add mw-input drop action=drop chain=mw-input comment=mw:c50403fe839e disabled=no # nothing else comes in from the tunnel [management path]
            + /ip/firewall/filter add mw-outside drop action=drop chain=mw-outside comment=mw:76fa3bf9fdbc disabled=no dst-port=53 in-interface=ether1 protocol=udp # nobody is answered names by way of ether1
            + /ip/firewall/filter add mw-outside drop action=drop chain=mw-outside comment=mw:1a671f68e4d7 disabled=no dst-port=53 in-interface=ether1 protocol=tcp # nobody is answered names by way of ether1
            + /ip/firewall/filter add mw-router jump action=jump chain=mw-router comment=mw:653cc43c84c4 disabled=no in-interface=wg-mastwire jump-target=mw-input # what the tunnel brings is judged by rules of its own [management path]
            + /ip/firewall/filter add mw-router drop action=drop chain=mw-router comment=mw:5b1254cf7b3a disabled=no dst-port=21,22,23,8291,8728,8729 protocol=tcp src-address-list=mw-customers # customers do not reach what manages the router [management path]
            + /ip/firewall/filter add mw-router jump action=jump chain=mw-router comment=mw:53464fd7ae03 disabled=no jump-target=mw-outside # what comes from outside is judged by rules of its own [management path]
            + /ip/firewall/filter add input jump action=jump chain=input comment=mw:f37b07c9d026 disabled=no jump-target=mw-router # everything that comes to the router itself is judged by our rules first [management path]
            + /ip/firewall/filter add mw-forward drop action=drop chain=mw-forward comment=mw:1bbc373a6a4d disabled=no in-interface=wg-mastwire # nothing passes from or to the tunnel
            + /ip/firewall/filter add mw-forward drop action=drop chain=mw-forward comment=mw:57e0ed0ebfd9 disabled=no out-interface=wg-mastwire # nothing passes from or to the tunnel
            + /ip/firewall/filter add mw-forward drop action=drop chain=mw-forward comment=mw:e1a2a13e6a65 disabled=no src-address-list=mw-blocked # switched-off customers reach nothing
            + /ip/firewall/filter add mw-forward jump action=jump chain=mw-forward comment=mw:89d2e5a2b8b6 disabled=no jump-target=mw-expired src-address-list=mw-expired # expired customers are held to the pay page
            + /ip/firewall/filter add forward jump action=jump chain=forward comment=mw:6d42e59f707f disabled=no jump-target=mw-forward # everything that passes is judged by our rules first
            + /queue/simple add mw-shop comment=mw:2cad8053c39d disabled=no max-limit=20000000/20000000 name=mw-shop target=198.51.100.20/32 # customer shop is active, package Shop line
            + /queue/simple add mw-kiosk comment=mw:2cad8353c39d disabled=no max-limit=20000000/20000000 name=mw-kiosk target=198.51.100.21/32 # customer kiosk is expired, package Shop line
            + /ppp/secret add alice comment=mw:792d23f94e29 disabled=no name=alice password=*** profile=mw-db1c1a2c9377 service=pppoe # customer alice is active, package Home 10
            + /ppp/secret add bob comment=mw:792d22f94e29 disabled=no name=bob password=*** profile=mw-expired service=pppoe # customer bob is expired, package Home 10
            + /ppp/secret add carol comment=mw:792d21f94e29 disabled=yes name=carol password=*** profile=mw-db1c1a2c9377 service=pppoe # customer carol is suspended, package Home 10
            + /ip/hotspot/user add 254700000004 comment=mw:6a4a88c1b65a disabled=no limit-bytes-total=1073741824 limit-uptime=2d10h mac-address=02:AA:BB:CC:DD:EE name=254700000004 password=*** profile=mw-b7ebd4f1a490 # customer 254700000004 is active, package Day pass
        "#]],
    );
}

#[test]
fn nothing_to_do() {
    golden(
        &site(),
        &settled(&site()),
        &expect![[r#"
        nothing to do
    "#]],
    );
}

#[test]
fn a_payment_opens_and_an_end_closes() {
    let mut site = site();
    let router = settled(&site);
    site.customers[0].state = State::Expired;
    site.customers[1].state = active(30 * 24);
    site.customers[5].state = active(30 * 24);
    golden(
        &site,
        &router,
        &expect![[r#"
            ~ /ppp/secret set alice profile: mw-db1c1a2c9377 -> mw-expired # customer alice is expired, package Home 10
            ~ /ppp/secret set bob profile: mw-expired -> mw-db1c1a2c9377 remote-address: (none) -> 10.64.9.9 # customer bob is active, package Home 10
            - /ip/firewall/address-list remove mw-blocked 198.51.100.21 # not wanted any more
            - /system/scheduler remove mw-fuse-2026112116 # not wanted any more
            ? info fuse-horizon: The router carries fuses for 7 days; later ends are written when the time comes: 2 grants.
        "#]],
    );
}

/// Puts a PPPoE session on a router: its row, its queue, and the list entry of an expired customer.
fn session(router: Observed, name: &str, address: &str, limit: &str, expired: bool) -> Observed {
    let (id, queue) = (format!("*8{}", name.len()), format!("<pppoe-{name}>"));
    let values =
        [("name", name), ("service", "pppoe"), ("address", address), ("caller-id", "02:00:00:00:00:01"), ("radius", "false")];
    let router = with(router, "/ppp/active", &id, &values);
    let values = [("name", queue.as_str()), ("target", queue.as_str()), ("max-limit", limit), ("dynamic", "true")];
    let router = with(router, "/queue/simple", &format!("*D{id}"), &values);
    if !expired {
        return router;
    }
    with(router, "/ip/firewall/address-list", &format!("*L{id}"), &[("list", EXPIRED), ("address", address), ("dynamic", "true")])
}

#[test]
fn sessions_that_are_right_stay() {
    let router = session(settled(&site()), "alice", "10.64.0.2", "5000000/10000000", false);
    golden(
        &site(),
        &session(router, "bob", "10.65.0.2", "256000/256000", true),
        &expect![[r#"
        nothing to do
    "#]],
    );
}

#[test]
fn sessions_that_are_wrong_end() {
    let mut site = site();
    let router = session(settled(&site), "alice", "10.64.0.2", "1000000/1000000", false);
    let router = session(router, "bob", "10.64.9.9", "5000000/10000000", false);
    let router = session(router, "carol", "10.64.0.4", "5000000/10000000", false);
    let router = session(router, "nobody", "10.64.0.5", "5000000/10000000", false);
    let values = [("user", "254700000004"), ("address", "192.168.88.9"), ("mac-address", "02:00:00:00:00:09")];
    let router = with(router, "/ip/hotspot/active", "*90", &values);
    golden(
        &site,
        &router,
        &expect![[r#"
        ! /ip/hotspot/active remove 254700000004 # the login belongs to another device
        ! /ppp/active remove alice # the speed has changed
        ! /ppp/active remove bob # the customer's time is up
        ! /ppp/active remove carol # the customer is switched off
        ! /ppp/active remove nobody # the login does not exist any more
    "#]],
    );
    site.customers.truncate(0);
    let router = with(settled(&self::site()), "/ip/hotspot/active", "*90", &values);
    golden(
        &site,
        &with(router, "/ip/hotspot/cookie", "*91", &[("user", "254700000004")]),
        &expect![[r#"
            - /ip/hotspot/user remove 254700000004 # not wanted any more
            - /ppp/secret remove alice # not wanted any more
            - /ppp/secret remove bob # not wanted any more
            - /ppp/secret remove carol # not wanted any more
            - /queue/simple remove mw-shop # not wanted any more
            - /queue/simple remove mw-kiosk # not wanted any more
            - /ip/firewall/address-list remove mw-customers 10.64.9.9 # not wanted any more
            - /ip/firewall/address-list remove mw-customers 198.51.100.20 # not wanted any more
            - /ip/firewall/address-list remove mw-customers 198.51.100.21 # not wanted any more
            - /ip/firewall/address-list remove mw-blocked 198.51.100.21 # not wanted any more
            - /system/scheduler remove mw-fuse-2026112116 # not wanted any more
            - /system/scheduler remove mw-fuse-2026112117 # not wanted any more
            - /system/scheduler remove mw-fuse-2026112119 # not wanted any more
            ! /ip/hotspot/active remove 254700000004 # the login does not exist any more
            ! /ip/hotspot/cookie remove 254700000004 # the device may not come back by itself
        "#]],
    );
}

#[test]
fn a_hotspot_user_whose_time_begins_anew_is_counted_anew() {
    let mut site = site();
    let session = [("user", "254700000004"), ("address", "192.168.88.9"), ("mac-address", "02:AA:BB:CC:DD:EE")];
    let router = with(settled(&site), "/ip/hotspot/active", "*90", &session);
    let visitor = &mut site.customers[3];
    visitor.counted_since = Some(now());
    golden(
        &site,
        &router,
        &expect![[r#"
        ~ /system/scheduler set mw-fuse-2026112119 on-event: :do { /ip/hotspot/user/set [find comment="mw:6a4a88c1b65a"] disabled=yes } on-error={} … (+2 lines) -> :do { /ip/hotspot/user/set [find comment="mw:2240ceddf882"] disabled=yes } on-error={} … (+2 lines) # ends 1 grant at 2026-11-21 19:00 if the controller does not
        - /ip/hotspot/active remove *90 # ends before its user is counted anew
        - /ip/hotspot/user remove 254700000004 # makes room, and is added again
        + /ip/hotspot/user add 254700000004 comment=mw:2240ceddf882 disabled=no limit-bytes-total=1073741824 limit-uptime=10h mac-address=02:AA:BB:CC:DD:EE name=254700000004 password=*** profile=mw-b7ebd4f1a490 # customer 254700000004 is active, package Day pass
    "#]],
    );
    // The tag of the time before is gone with its row, so nothing is left to do.
    let set = plan(&wanted(&site), &router, &Policy::default());
    assert_eq!(set.changes[1].undo(), Undo::Nothing, "nobody can begin a guest's session again");
    assert!(plan(&wanted(&site), &simulate(&router, &set), &Policy::default()).is_empty());
}

#[test]
fn foreign_sessions_are_left_alone() {
    let router = with(settled(&site()), "/ppp/secret", "*F1", &[("name", "dave"), ("service", "pppoe"), ("comment", "uncle")]);
    let router = session(router, "dave", "10.64.0.9", "1000000/1000000", false);
    let router = with(router, "/ppp/active", "*F2", &[("name", "vpn"), ("service", "l2tp")]);
    let router = with(router, "/ppp/active", "*F3", &[("name", "eve"), ("service", "pppoe"), ("radius", "true")]);
    golden(
        &site(),
        &with(router, "/ip/hotspot/active", "*F4", &[("user", "T-02:00:00:00:00:01")]),
        &expect![[r#"
        nothing to do
    "#]],
    );
}

#[test]
fn a_new_speed_is_set_and_kicks() {
    let mut site = site();
    let router = session(settled(&site), "alice", "10.64.0.2", "5000000/10000000", false);
    site.packages[0].speed.down = BitsPerSec(12_000_000);
    site.packages[0].speed.burst = None;
    let set = plan(&wanted(&site), &router, &Policy::default());
    let after = simulate(&router, &set);
    golden(
        &site,
        &after,
        &expect![[r#"
        nothing to do
    "#]],
    );
    golden(
        &site,
        &session(after, "alice", "10.64.0.2", "5000000/10000000", false),
        &expect![[r#"
        ! /ppp/active remove alice # the speed has changed
    "#]],
    );
}

#[test]
fn a_foreign_secret_for_any_service_is_in_the_way_of_ours() {
    let site = site();
    let mut router = settled(&site);
    router.rows_mut(menu("/ppp/secret")).retain(|row| row.text("name") != "alice");
    golden(
        &site,
        &with(router, "/ppp/secret", "*F1", &[("name", "alice"), ("comment", "from before")]),
        &expect![[r#"
            nothing to do
            ? warning conflict: /ppp/secret already has `alice`, which is not ours and stays as it is. Rename or remove it.
        "#]],
    );
}

#[test]
fn a_foreign_object_in_the_way_is_reported_and_left_alone() {
    let mut router = settled(&site());
    let profile = wanted(&site()).objects.into_iter().find(|o| o.key.as_str() == format!("ppp-profile:{}", package_id(1)));
    let profile = profile.expect("the package has a profile");
    let name = profile.text("name").expect("it has a name").to_owned();
    let row = router.rows_mut(menu("/ppp/profile")).iter_mut().find(|row| row.text("name") == name).expect("a row");
    row.set("comment", Some("do not touch"));
    row.set("rate-limit", Some("1M/1M"));
    let mut site = site();
    site.customers[0].state = State::Expired;
    site.customers[1].state = State::Suspended;
    golden(
        &site,
        &router,
        &expect![[r#"
            ~ /ppp/secret set alice profile: mw-db1c1a2c9377 -> mw-expired # customer alice is expired, package Home 10
            ~ /ppp/secret set bob disabled: no -> yes profile: mw-expired -> mw-db1c1a2c9377 remote-address: (none) -> 10.64.9.9 # customer bob is suspended, package Home 10
            - /system/scheduler remove mw-fuse-2026112116 # not wanted any more
            ? warning conflict: /ppp/profile already has `mw-db1c1a2c9377`, which is not ours and stays as it is. Rename or remove it.
        "#]],
    );
}

#[test]
fn a_payment_waits_for_a_profile_that_cannot_be_made() {
    let mut before = site();
    before.customers.truncate(1);
    before.customers[0].state = State::Expired;
    let mut router = Observed::default();
    router.insert(menu("/ip/pool"), vec![row("*F", &[("name", "mw-pppoe"), ("ranges", "10.1.1.1"), ("comment", "old system")])]);
    // The profile of the expired has a pool of its own, so alice's secret is written; her package's profile is not.
    let router = simulate(&router, &plan(&wanted(&before), &router, &Policy::default()));
    let mut paid = before;
    paid.customers[0].state = super::example::active(5);
    let set = plan(&wanted(&paid), &router, &Policy::default());
    assert!(set.changes.iter().all(|change| change.menu.path != "/ppp/secret"), "a router would refuse it: {set}");
    assert!(set.findings.iter().any(|finding| finding.code == "conflict" && finding.text.contains("mw-pppoe")), "{set}");
    // What does not depend on the profile is written all the same.
    paid.customers[0].state = State::Suspended;
    let set = plan(&wanted(&paid), &router, &Policy::default());
    assert!(set.to_string().contains("/ppp/secret set alice disabled: no -> yes"), "{set}");
}

#[test]
fn sessions_are_not_judged_by_a_profile_that_cannot_be_written() {
    let mut router = session(settled(&site()), "alice", "10.64.0.2", "1000000/1000000", false);
    for row in router.rows_mut(menu("/ppp/profile")) {
        row.set("comment", Some("do not touch"));
        row.set("rate-limit", Some("1M/1M"));
    }
    assert!(plan(&wanted(&site()), &router, &Policy::default()).is_empty());
}

#[test]
fn what_refers_to_a_foreign_object_waits() {
    let mut empty = Observed::default();
    empty.insert(menu("/ip/pool"), vec![row("*F", &[("name", "mw-pppoe"), ("ranges", "10.1.1.1"), ("comment", "old system")])]);
    let mut site = site();
    site.services.pop();
    site.customers.truncate(1);
    let set = plan(&wanted(&site), &empty, &Policy::default());
    let written: Vec<_> = set.changes.iter().map(|change| change.label.as_str()).collect();
    assert!(written.contains(&EXPIRED) && !written.contains(&"mw-pppoe") && !written.contains(&"alice"), "{written:?}");
    expect![[r#"
        warning conflict: /ip/pool already has `mw-pppoe`, which is not ours and stays as it is. 3 other objects wait for it. Rename or remove it.
    "#]].assert_eq(&set.findings.iter().map(|finding| format!("{finding}\n")).collect::<String>());
}

#[test]
fn lost_marks_are_found_again() {
    let mut router = settled(&site());
    // Ours without its comment, and ours under a tag that nobody knows.
    alter(&mut router, "/ip/pool", "mw-pppoe", "comment", "");
    alter(&mut router, "/ppp/secret", "alice", "comment", "mw:0123456789ab");
    golden(
        &site(),
        &router,
        &expect![[r#"
        ~ /ip/pool set mw-pppoe comment: "" -> mw:bc1d6cc4b6f3 # addresses for PPPoE customers
        ~ /ppp/secret set alice comment: mw:0123456789ab -> mw:792d23f94e29 # customer alice is active, package Home 10
    "#]],
    );
}

#[test]
fn what_is_not_wanted_any_more_goes_in_reverse_order() {
    let full = site();
    let mut site = site();
    site.services.clear();
    site.customers.clear();
    site.portal = None;
    golden(
        &site,
        &settled(&full),
        &expect![[r#"
            - /ip/hotspot/user remove 254700000004 # not wanted any more
            - /ppp/secret remove alice # not wanted any more
            - /ppp/secret remove bob # not wanted any more
            - /ppp/secret remove carol # not wanted any more
            - /queue/simple remove mw-shop # not wanted any more
            - /queue/simple remove mw-kiosk # not wanted any more
            - /ip/firewall/filter remove mw-expired accept # not wanted any more
            - /ip/firewall/nat remove dstnat jump # not wanted any more
            - /ip/firewall/nat remove mw-redirect accept # not wanted any more
            - /ip/firewall/nat remove mw-redirect dst-nat # not wanted any more
            - /ip/firewall/address-list remove mw-customers 10.64.0.2-10.64.3.254 # not wanted any more
            - /ip/firewall/address-list remove mw-customers 10.64.9.9 # not wanted any more
            - /ip/firewall/address-list remove mw-customers 10.65.0.2-10.65.0.254 # not wanted any more
            - /ip/firewall/address-list remove mw-customers 198.51.100.20 # not wanted any more
            - /ip/firewall/address-list remove mw-customers 198.51.100.21 # not wanted any more
            - /ip/firewall/address-list remove mw-pay 203.0.113.7 # not wanted any more
            - /ip/firewall/address-list remove mw-pay 203.0.113.8 # not wanted any more
            - /ip/firewall/address-list remove mw-blocked 198.51.100.21 # not wanted any more
            - /ip/hotspot/walled-garden remove allow portal.isp.example # not wanted any more
            - /ip/hotspot remove mw-hotspot-ether3 # not wanted any more
            - /ip/hotspot/user/profile remove mw-b7ebd4f1a490 # not wanted any more
            - /ip/hotspot/profile remove mw-hotspot-ether3 # not wanted any more
            - /interface/pppoe-server/server remove mw-ether2 ether2 # not wanted any more
            - /ppp/profile remove mw-db1c1a2c9377 # not wanted any more
            - /ppp/profile remove mw-db1c1f2c9377 # not wanted any more
            - /ppp/profile remove mw-expired # not wanted any more
            - /ip/dhcp-server remove mw-hotspot-ether3 # not wanted any more
            - /ip/dhcp-server/network remove 192.168.88.0/24 # not wanted any more
            - /ip/address remove 192.168.88.1/24 ether3 # not wanted any more [management path]
            - /ip/pool remove mw-pppoe # not wanted any more
            - /ip/pool remove mw-expired # not wanted any more
            - /ip/pool remove mw-hotspot-ether3 # not wanted any more
            - /system/scheduler remove mw-fuse-2026112116 # not wanted any more
            - /system/scheduler remove mw-fuse-2026112117 # not wanted any more
            - /system/scheduler remove mw-fuse-2026112119 # not wanted any more
        "#]],
    );
}

#[test]
fn kept_marks_are_left_alone() {
    let tag = "mw:00000000beef".parse().expect("a tag");
    let rule = [("chain", "input"), ("action", "accept"), ("comment", "mw:00000000beef")];
    let router = with(settled(&site()), "/ip/firewall/filter", "*K", &rule);
    let policy = Policy { keep: [tag].into(), ..Policy::default() };
    assert!(plan(&wanted(&site()), &router, &policy).is_empty());
    assert_eq!(plan(&wanted(&site()), &router, &Policy::default()).changes.len(), 1);
}

#[test]
fn rules_stand_before_foreign_ones_and_in_order() {
    let mut router = settled(&site());
    let rows = router.rows_mut(menu("/ip/firewall/filter"));
    rows.insert(0, row("*F1", &[("chain", "forward"), ("action", "fasttrack-connection")]));
    rows.insert(0, row("*F0", &[("chain", "input"), ("action", "drop"), ("dynamic", "true")]));
    // The last rule of a chain of ours first, and one of them gone.
    let drop = rows.iter().position(|row| row.text("chain") == "mw-input" && row.text("action") == "drop").expect("a rule");
    let drop = rows.remove(drop);
    rows.insert(0, drop);
    rows.retain(|row| row.text("protocol") != "icmp");
    golden(
        &site(),
        &router,
        &expect![[r#"
            ^ /ip/firewall/filter move forward jump before *F1 # everything that passes is judged by our rules first
            ^ /ip/firewall/filter move mw-input accept before *ADD35 # answers to what the router asked the hub
            ^ /ip/firewall/filter move mw-input accept before *ADD34 # the hub reaches the API [management path]
            + /ip/firewall/filter add mw-input accept action=accept chain=mw-input comment=mw:6d3954a43ddb disabled=no protocol=icmp src-address=10.10.0.1 before *ADD34 # the hub can ping
        "#]],
    );
}

#[test]
fn logins_that_change_hands() {
    let mut site = site();
    let router = settled(&site);
    // alice gives her login to a new customer and takes dora; carol takes bob's, who takes a new one.
    site.customers[0].login = "dora".to_owned();
    let mut new = site.customers[0].clone();
    new.id = customer_id(77);
    new.login = "alice".to_owned();
    site.customers.push(new);
    site.customers[2].login = "bob".to_owned();
    site.customers[1].login = "robert".to_owned();
    golden(
        &site,
        &router,
        &expect![[r#"
            ~ /system/scheduler set mw-fuse-2026112116 on-event: :do { /ppp/secret/set [find comment="mw:792d23f94e29"] profile=mw-expired } on-error={} … (+2 lines) -> :do { /ppp/secret/set [find comment="mw:792d23f94e29"] profile=mw-expired } on-error={} … (+5 lines) # ends 2 grants at 2026-11-21 16:00 if the controller does not
            ~ /ppp/secret set dora name: alice -> dora # customer dora is active, package Home 10
            ~ /ppp/secret set robert name: bob -> robert # customer robert is expired, package Home 10
            ~ /ppp/secret set bob name: carol -> bob # customer bob is suspended, package Home 10
            + /ppp/secret add alice comment=mw:791f40f94e1d disabled=no name=alice password=*** profile=mw-db1c1a2c9377 service=pppoe # customer alice is active, package Home 10
        "#]],
    );
}

#[test]
fn whoever_gives_up_a_login_goes_first() {
    let mut site = site();
    let router = settled(&site);
    site.customers[2].login = "bob".to_owned();
    site.customers[1].login = "robert".to_owned();
    let set = plan(&wanted(&site), &router, &Policy::default());
    let stages: Vec<_> = set.changes.iter().map(|change| (change.label.as_str(), change.stage)).collect();
    assert_eq!(stages, [("robert", 0), ("bob", 1)]);
}

#[test]
fn logins_that_are_swapped() {
    let mut site = site();
    let router = settled(&site);
    site.customers[1].login = "carol".to_owned();
    site.customers[2].login = "bob".to_owned();
    golden(
        &site,
        &router,
        &expect![[r#"
        - /ppp/secret remove bob # makes room, and is added again
        ~ /ppp/secret set bob name: carol -> bob # customer bob is suspended, package Home 10
        + /ppp/secret add carol comment=mw:792d22f94e29 disabled=no name=carol password=*** profile=mw-expired service=pppoe # customer carol is expired, package Home 10
    "#]],
    );
}

#[test]
fn secrets_are_nowhere() {
    let mut site = site();
    let router = settled(&site);
    site.customers[0].password = "another-secret".to_owned().into();
    let set = plan(&wanted(&site), &router, &Policy::default());
    let undo = set.changes[0].undo();
    let texts = [
        set.to_string(),
        format!("{set:?}"),
        serde_json::to_string(&set).expect("a plan is data"),
        format!("{router:?}{undo:?}"),
    ];
    for text in texts {
        assert!(!text.contains("alice-secret") && !text.contains("another-secret"), "{text}");
    }
    expect![[r#"
        {
          "stage": 0,
          "menu": "/ppp/secret",
          "action": {
            "what": "set"
          },
          "id": "*ADD49",
          "key": "ppp-secret:cus_00000000000070008000000000000001",
          "tag": "mw:792d23f94e29",
          "label": "alice",
          "values": {
            "password": "***"
          },
          "before": {
            "password": "***"
          },
          "stood_before": null,
          "reason": "customer alice is active, package Home 10",
          "risk": "safe"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&set.changes[0]).expect("a plan is data"));
    assert_eq!(set.changes[0].values["password"].expose(), Some("another-secret"));
}

#[test]
fn hidden_passwords_are_written_when_asked_for() {
    let site = site();
    let mut router = settled(&site);
    for path in ["/ppp/secret", "/ip/hotspot/user"] {
        router.rows_mut(menu(path)).iter_mut().for_each(|row| row.set("password", None));
    }
    let mut policy = Policy { secrets_shown: false, ..Policy::default() };
    assert!(plan(&wanted(&site), &router, &policy).is_empty());
    policy.rewrite.insert(ObjectKey::new("ppp-secret", customer_id(1)));
    assert_eq!(plan(&wanted(&site), &router, &policy).changes.len(), 1);
}

#[test]
fn only_what_is_asked_for_is_printed() {
    let mut site = site();
    let desired = wanted(&site);
    let prints = observe_list(&site);
    for object in &desired.objects {
        let print = prints.iter().find(|print| print.menu.path == object.menu.path).expect("a managed menu is printed");
        assert!(object.values.keys().all(|name| print.proplist.contains(name)), "{}", object.key);
    }
    site.facts.hotspot = HotspotSupport::Forbidden;
    assert!(observe_list(&site).iter().all(|print| !print.menu.path.starts_with("/ip/hotspot")));
    let list = prints.iter().find(|print| print.menu.path == "/ip/firewall/address-list").expect("lists are printed");
    assert_eq!(list.any_of.len(), 4);
}

#[test]
fn a_chain_is_left_before_it_is_emptied() {
    let router = settled(&site());
    let nothing = Desired { objects: Vec::new(), findings: Vec::new() };
    let set = plan(&nothing, &router, &Policy::default());
    let rules: Vec<&Change> = set.changes.iter().filter(|change| change.menu.path == "/ip/firewall/filter").collect();
    let leads = |change: &Change| change.before.get("action").is_some_and(|action| action.expose() == Some("jump"));
    let (jumps, rest): (Vec<&Change>, Vec<&Change>) = rules.into_iter().partition(|change| leads(change));
    assert_eq!((jumps.len(), rest.is_empty()), (5, false));
    let last_jump = jumps.iter().map(|change| change.stage).max();
    assert!(rest.iter().all(|change| Some(change.stage) > last_jump), "else the drop at its end would cut the controller off");
}
