//! Goal: devices get the addresses that the DHCP server has for them, for as long as its leases say, and the router knows who has which.
//! Method: a pure router, devices that ask, time that passes.

use crate::support::Lab;
use routeros_sim::device::DhcpError;
use routeros_sim::router::{Customer, CustomerReport};

const PHONE: &str = "AA:00:00:00:00:01";
const TABLET: &str = "AA:00:00:00:00:02";

/// A bridge over `ether3` with a DHCP server and three addresses for anybody.
fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.ok(&["/interface/bridge/add", "name=lan"]);
    lab.ok(&["/interface/bridge/port/add", "interface=ether3", "bridge=lan"]);
    lab.ok(&["/ip/address/add", "address=10.7.0.1/24", "interface=lan"]);
    lab.ok(&["/ip/pool/add", "name=anybody", "ranges=10.7.0.100-10.7.0.102"]);
    lab.ok(&["/ip/dhcp-server/add", "name=lan", "interface=lan", "address-pool=anybody", "lease-time=10m"]);
    lab
}

fn ask(lab: &mut Lab, mac: &str) -> Result<String, DhcpError> {
    let now = lab.now;
    lab.router.device_mut().dhcp_ask(mac, "ether3", now).map(|grant| grant.address.to_string())
}

fn join(lab: &mut Lab, mac: &str, address: Option<&str>) -> CustomerReport {
    let now = lab.now;
    let address = address.map(|text| text.parse().expect("an address"));
    lab.router.add_customer(Customer::Dhcp { mac: mac.into(), interface: "ether3".into(), address }, now).expect("room")
}

fn report(lab: &Lab, mac: &str) -> CustomerReport {
    lab.router.customers().into_iter().find(|customer| customer.name == mac).expect("a device")
}

#[test]
fn a_stranger_gets_an_address_of_the_pool() {
    let mut lab = lab();
    assert_eq!(ask(&mut lab, PHONE).as_deref(), Ok("10.7.0.100"));
    assert_eq!(ask(&mut lab, PHONE).as_deref(), Ok("10.7.0.100"), "the same again");
    assert_eq!(ask(&mut lab, TABLET).as_deref(), Ok("10.7.0.101"));
    let lease = lab.row("/ip/dhcp-server/lease", "mac-address", PHONE);
    assert_eq!((lease["status"].as_str(), lease["dynamic"].as_str(), lease["expires-after"].as_str()), ("bound", "true", "10m"));
    lab.pass(600);
    assert!(lab.print("/ip/dhcp-server/lease").is_empty(), "nobody asked again");
    lab.ok(&["/ip/dhcp-server/set", ".id=lan", "address-pool=static-only"]);
    assert_eq!(ask(&mut lab, PHONE), Err(DhcpError::NoAddress));
    lab.ok(&["/ip/dhcp-server/disable", ".id=lan"]);
    assert_eq!(ask(&mut lab, PHONE), Err(DhcpError::NoServer));
}

#[test]
fn an_own_lease_waits_until_its_device_asks() {
    let mut lab = lab();
    assert_eq!(join(&mut lab, PHONE, None).address.map(|address| address.to_string()).as_deref(), Some("10.7.0.100"));
    lab.ok(&["/ip/dhcp-server/lease/add", "address=10.7.0.5", "mac-address=aa:00:00:00:00:01", "server=lan"]);
    assert_eq!(lab.row("/ip/dhcp-server/lease", "address", "10.7.0.5")["status"], "waiting");
    assert_eq!(lab.print("/ip/dhcp-server/lease").len(), 2, "the one that it had goes on");
    lab.pass(301);
    assert_eq!(report(&lab, PHONE).address.map(|address| address.to_string()).as_deref(), Some("10.7.0.5"));
    assert_eq!(lab.row("/ip/dhcp-server/lease", "mac-address", PHONE)["status"], "bound");
    lab.router.remove_customer(PHONE, lab.now);
    lab.pass(600);
    assert_eq!(lab.row("/ip/dhcp-server/lease", "mac-address", PHONE)["status"], "waiting", "it is kept for the device");
}

#[test]
fn a_device_and_an_address_have_one_lease() {
    let mut lab = lab();
    lab.ok(&["/interface/bridge/add", "name=other"]);
    lab.ok(&["/ip/dhcp-server/add", "name=other", "interface=other"]);
    let id = lab.ok(&["/ip/dhcp-server/lease/add", "address=10.7.0.5", "mac-address=AA:00:00:00:00:01", "server=lan"]);
    let mut refused = |address: &str, mac: &str, server: &str| {
        lab.refused(&[
            "/ip/dhcp-server/lease/add",
            &format!("address={address}"),
            &format!("mac-address={mac}"),
            &format!("server={server}"),
        ])
    };
    assert_eq!(refused("10.7.0.5", TABLET, "other"), "failure: already have static lease with this IP address");
    assert_eq!(refused("10.7.0.6", "aa:00:00:00:00:01", "lan"), "failure: already have static lease for this client");
    assert_eq!(refused("10.7.0.6", PHONE, "all"), "failure: already have static lease for this client");
    assert_eq!(refused("10.7.0.6", PHONE, "nobody"), "input does not match any value of server");
    lab.ok(&["/ip/dhcp-server/lease/add", "address=10.8.0.5", &format!("mac-address={PHONE}"), "server=other"]);
    lab.ok(&["/ip/dhcp-server/lease/disable", &format!(".id={id}")]);
    lab.ok(&["/ip/dhcp-server/lease/add", "address=10.7.0.6", &format!("mac-address={PHONE}"), "server=lan"]);
}

#[test]
fn a_pinned_interface_knows_devices_by_their_leases() {
    let mut lab = lab();
    lab.ok(&["/interface/bridge/set", ".id=lan", "arp=reply-only"]);
    assert!(!join(&mut lab, PHONE, None).online, "no lease of this server tells");
    lab.ok(&["/ip/dhcp-server/set", ".id=lan", "add-arp=yes"]);
    lab.pass(301);
    assert!(report(&lab, PHONE).online);
    assert_eq!(lab.row("/ip/arp", "mac-address", PHONE)["address"], "10.7.0.100");
    assert!(!join(&mut lab, TABLET, Some("10.7.0.100")).online, "the address is another's");
    lab.ok(&["/interface/bridge/set", ".id=lan", "arp=enabled"]);
    assert!(report(&lab, TABLET).online, "an interface that learns by itself believes anybody");
    lab.router.remove_customer(PHONE, lab.now);
    lab.pass(600);
    assert!(lab.print("/ip/arp").is_empty());
}
