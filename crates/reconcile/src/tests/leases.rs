//! Leases: a router has an address once, and a device once in each server.

use super::example::{active, customer, row, site, wanted};
use crate::testing::simulate;
use crate::*;
use expect_test::{Expect, expect};
use routeros::catalogue::ip_dhcp_server_lease;

/// The example's router with nothing but a DHCP service and two customers of it.
fn two() -> Site {
    let of = |number: u16, login: &str| {
        let mut customer = customer(number, login, 3, active(30));
        customer.address = Some([198, 51, 100, u8::try_from(number).expect("few customers")].into());
        customer.mac_lock = Some(format!("02:00:00:00:00:{number:02X}"));
        customer
    };
    let services = vec![Service::Dhcp(Dhcp {
        interface: "ether4".to_owned(),
        gateway: "198.51.100.1/24".parse().expect("a network"),
        pool: Vec::new(),
        lease_s: 600,
        dns: Vec::new(),
        pin: false,
    })];
    Site { services, customers: vec![of(20, "anna"), of(21, "ben")], ..site() }
}

fn settled(site: &Site) -> Observed {
    simulate(&Observed::default(), &plan(&wanted(site), &Observed::default(), &Policy::default()))
}

/// Compares what is done to leases with what is expected.
#[track_caller]
fn golden(site: &Site, router: &Observed, expected: &Expect) {
    let set = plan(&wanted(site), router, &Policy::default());
    let leases: String = set.to_string().lines().filter(|line| line.contains("/lease")).map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&leases);
    assert!(plan(&wanted(site), &simulate(router, &set), &Policy::default()).changes.is_empty());
}

#[test]
fn devices_that_are_swapped() {
    let mut site = two();
    let router = settled(&site);
    site.customers[0].mac_lock = Some("02:00:00:00:00:15".to_owned());
    site.customers[1].mac_lock = Some("02:00:00:00:00:14".to_owned());
    golden(
        &site,
        &router,
        &expect![[r#"
            - /ip/dhcp-server/lease remove 198.51.100.20 02:00:00:00:00:14 # makes room, and is added again
            ~ /ip/dhcp-server/lease set 198.51.100.21 02:00:00:00:00:14 mac-address: 02:00:00:00:00:15 -> 02:00:00:00:00:14 # customer ben has the address 198.51.100.21
            + /ip/dhcp-server/lease add 198.51.100.20 02:00:00:00:00:15 address=198.51.100.20 comment=mw:570a01923ecf disabled=no mac-address=02:00:00:00:00:15 server=mw-dhcp-ether4 # customer anna has the address 198.51.100.20
        "#]],
    );
}

#[test]
fn whoever_gives_up_a_device_goes_first() {
    let mut site = two();
    let router = settled(&site);
    site.customers[0].mac_lock = Some("02:00:00:00:00:15".to_owned());
    site.customers[1].mac_lock = Some("02:00:00:00:00:99".to_owned());
    golden(
        &site,
        &router,
        &expect![[r#"
            ~ /ip/dhcp-server/lease set 198.51.100.21 02:00:00:00:00:99 mac-address: 02:00:00:00:00:15 -> 02:00:00:00:00:99 # customer ben has the address 198.51.100.21
            ~ /ip/dhcp-server/lease set 198.51.100.20 02:00:00:00:00:15 mac-address: 02:00:00:00:00:14 -> 02:00:00:00:00:15 # customer anna has the address 198.51.100.20
        "#]],
    );
    // The same where the other one is a customer no more.
    let mut site = two();
    let gone = site.customers.pop().expect("two customers");
    site.customers[0].mac_lock = gone.mac_lock;
    golden(
        &site,
        &router,
        &expect![[r#"
            - /ip/dhcp-server/lease remove 198.51.100.21 02:00:00:00:00:15 # makes room, and is added again
            ~ /ip/dhcp-server/lease set 198.51.100.20 02:00:00:00:00:15 mac-address: 02:00:00:00:00:14 -> 02:00:00:00:00:15 # customer anna has the address 198.51.100.20
        "#]],
    );
}

#[test]
fn foreign_leases_stay() {
    let site = two();
    let printer =
        |server: &str| row("*F", &[("address", "198.51.100.200"), ("mac-address", "02:00:00:00:00:14"), ("server", server)]);
    for (server, expected) in [
        (
            "all",
            expect![[r#"
                + /ip/dhcp-server/lease add 198.51.100.21 02:00:00:00:00:15 address=198.51.100.21 comment=mw:570a00923ecf disabled=no mac-address=02:00:00:00:00:15 server=mw-dhcp-ether4 # customer ben has the address 198.51.100.21
                ? warning conflict: /ip/dhcp-server/lease already has `198.51.100.20 02:00:00:00:00:14`, which is not ours and stays as it is. Rename or remove it.
            "#]],
        ),
        (
            "mw-dhcp-ether4",
            expect![[r#"
                + /ip/dhcp-server/lease add 198.51.100.21 02:00:00:00:00:15 address=198.51.100.21 comment=mw:570a00923ecf disabled=no mac-address=02:00:00:00:00:15 server=mw-dhcp-ether4 # customer ben has the address 198.51.100.21
                ? warning conflict: /ip/dhcp-server/lease already has `198.51.100.20 02:00:00:00:00:14`, which is not ours and stays as it is. Rename or remove it.
            "#]],
        ),
        (
            "other",
            expect![[r#"
                + /ip/dhcp-server/lease add 198.51.100.20 02:00:00:00:00:14 address=198.51.100.20 comment=mw:570a01923ecf disabled=no mac-address=02:00:00:00:00:14 server=mw-dhcp-ether4 # customer anna has the address 198.51.100.20
                + /ip/dhcp-server/lease add 198.51.100.21 02:00:00:00:00:15 address=198.51.100.21 comment=mw:570a00923ecf disabled=no mac-address=02:00:00:00:00:15 server=mw-dhcp-ether4 # customer ben has the address 198.51.100.21
            "#]],
        ),
    ] {
        let mut router = Observed::default();
        router.insert(&ip_dhcp_server_lease::MENU, vec![printer(server)]);
        golden(&site, &router, &expected);
    }
}
