//! Goal: a customer's device asks for an address and gets the customer's own, with the customer's speed; it is held when the time is up
//! and comes back by a payment; a device that is nobody's is held; what is there already is not written again.
//! Method: devices behind virtual routers of three versions ask for addresses; the clock is moved past leases and ends.

use controller::testing::{TestApp, TestTenant};
use jiff::SignedDuration;
use routeros_sim::control::Command;
use serde_json::{Value, json};
use system_tests::world::{
    Router, apply, config, customer_with, fares, five_past, isp, onboard, package, pay, planned, print, row, serve, type_in,
    until, until_in_sync, until_online,
};

const SHOP: &str = "02:00:00:00:00:01";
const SPARE: &str = "02:00:00:00:00:02";
const STRANGER: &str = "02:00:00:00:00:03";

/// A bridge of the operator's own over `ether3`, and a DHCP service on it.
async fn lan(test: &TestApp, isp: &TestTenant, version: &str, pin: bool) -> Router {
    let serial = format!("CHR-{version}");
    let router = onboard(test, isp, &format!("mast {version}"), config("CHR", version, &serial)).await;
    type_in(&router, "/interface/bridge/add name=lan\n/interface/bridge/port/add bridge=lan interface=ether3").await;
    serve(test, isp, &router, json!([service(pin)])).await;
    router
}

fn service(pin: bool) -> Value {
    let (gateway, pool) = ("192.168.50.1/24", "192.168.50.10-192.168.50.19");
    json!({ "kind": "dhcp", "interface": "lan", "gateway": gateway, "pool": pool, "pin": pin })
}

async fn join(router: &Router, mac: &str, address: Option<&str>) -> Value {
    let address = address.map(|text| text.parse().expect("an address"));
    let join = Command::Dhcp { mac: mac.into(), interface: "ether3".into(), address };
    router.sim.control(join).await.expect("the device comes")
}

/// Lets half a lease pass, so that every device asks again.
async fn ask_again(test: &TestApp, router: &Router, mac: &str, address: &str) {
    test.clock.advance(SignedDuration::from_secs(301));
    until(&format!("{mac} has {address}"), async || fares(router, mac).await["address"] == address).await;
}

async fn nothing_to_write(test: &TestApp, isp: &TestTenant, router: &Router) {
    until_in_sync(test, isp, router).await;
    let plan = planned(test, isp, router).await;
    assert_eq!(plan["writes"], 0, "{plan}");
    assert_eq!(apply(test, isp, router).await, 0, "the second pass writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_gets_its_customers_address_and_speed() {
    for version in ["7.20.8", "7.21.5", "7.22.3"] {
        let test = TestApp::running().await;
        let alpha = isp(&test, "Alpha").await;
        five_past(&test);
        let router = lan(&test, &alpha, version, false).await;
        let line = package(&test, &alpha, "static", "Line", 500_000).await;
        // Her address lies in the pool of strangers, and is cut out of it.
        let more = json!({ "address": "192.168.50.10", "mac": SHOP });
        let shop = customer_with(&test, &alpha, &router, &line, "shop", more).await;
        until_in_sync(&test, &alpha, &router).await;

        let came = join(&router, SHOP, None).await;
        assert_eq!((&came["address"], &came["online"]), (&json!("192.168.50.10"), &json!(false)), "{version}: nothing is paid");
        let came = join(&router, STRANGER, None).await;
        assert_eq!(
            (&came["address"], &came["online"]),
            (&json!("192.168.50.11"), &json!(false)),
            "{version}: nobody's device is held"
        );
        pay(&test, &alpha, &shop, 500_000).await;
        until_online(&router, SHOP, true).await;
        assert_eq!(fares(&router, SHOP).await["limit"], json!([5_000_000, 10_000_000]), "{version}");
        nothing_to_write(&test, &alpha, &router).await;

        // She buys another device: the old one is nobody's from its next question on.
        let path = format!("/api/v1/customers/{shop}");
        let _ = test.call("PATCH", &path, &alpha.token, Some(json!({ "mac": SPARE }))).await.expect(204);
        until_in_sync(&test, &alpha, &router).await;
        ask_again(&test, &router, SHOP, "192.168.50.12").await;
        let came = join(&router, SPARE, None).await;
        assert_eq!((&came["address"], &came["online"]), (&json!("192.168.50.10"), &json!(true)), "{version}");
        assert_eq!(fares(&router, SHOP).await["online"], false, "{version}");

        test.clock.advance(SignedDuration::from_hours(24));
        until_online(&router, SPARE, false).await;
        nothing_to_write(&test, &alpha, &router).await;
        pay(&test, &alpha, &shop, 500_000).await;
        until_online(&router, SPARE, true).await;
        let _ = test.call("POST", &format!("{path}/suspend"), &alpha.token, None).await.expect(204);
        until_online(&router, SPARE, false).await;
        nothing_to_write(&test, &alpha, &router).await;

        let removed = test.call("DELETE", &format!("/api/v1/routers/{}", router.id), &alpha.token, None).await.expect(200);
        assert_eq!(removed.body["cleaned"], true, "{}", removed.body);
        for menu in ["/ip/dhcp-server", "/ip/dhcp-server/network", "/ip/pool", "/ip/firewall/address-list"] {
            assert_eq!(print(&router, menu, &[]).await, [json!(null); 0], "{version}: {menu}");
        }
        assert_eq!(print(&router, "/ip/dhcp-server/lease", &["dynamic=false"]).await, [json!(null); 0], "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_address_is_no_other_devices() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    let router = lan(&test, &alpha, "7.21.5", true).await;
    let line = package(&test, &alpha, "static", "Line", 500_000).await;
    let more = json!({ "address": "192.168.50.100", "mac": SHOP });
    let shop = customer_with(&test, &alpha, &router, &line, "shop", more).await;
    pay(&test, &alpha, &shop, 500_000).await;
    until_in_sync(&test, &alpha, &router).await;
    let codes = async || {
        let plan = planned(&test, &alpha, &router).await;
        let findings = plan["findings"].as_array().cloned().unwrap_or_default();
        findings.into_iter().find(|finding| finding["code"] == "dhcp-not-pinned")
    };
    let finding = codes().await.expect("the interface still learns by itself");
    assert_eq!(join(&router, STRANGER, Some("192.168.50.100")).await["online"], true, "it takes her address");
    assert_eq!(row(&router, "/interface/bridge", &["name=lan"]).await["arp"], "enabled", "nobody sets it but the operator");

    type_in(&router, finding["command"].as_str().expect("a command")).await;
    assert_eq!(row(&router, "/interface/bridge", &["name=lan"]).await["arp"], "reply-only");
    assert_eq!(join(&router, SHOP, None).await["online"], true);
    assert_eq!(fares(&router, STRANGER).await["online"], false, "the router knows whose it is");
    assert_eq!(codes().await, None);
    nothing_to_write(&test, &alpha, &router).await;

    // Unpinned it would cut everybody off, which is said before anything is written.
    let path = format!("/api/v1/routers/{}", router.id);
    let _ = test
        .call("PUT", &format!("{path}/services"), &alpha.token, Some(json!({ "services": [service(false)] })))
        .await
        .expect(204);
    let refused = test.call("POST", &format!("{path}/apply"), &alpha.token, None).await.expect(409);
    assert!(refused.body["detail"].as_str().is_some_and(|detail| detail.contains("service-arp")), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_change_hands_and_a_foreign_lease_stays() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    let router = lan(&test, &alpha, "7.22.3", false).await;
    let line = package(&test, &alpha, "static", "Line", 500_000).await;
    let more = |last: u8, mac: &str| json!({ "address": format!("192.168.50.{last}"), "mac": mac });
    let one = customer_with(&test, &alpha, &router, &line, "one", more(101, SHOP)).await;
    let two = customer_with(&test, &alpha, &router, &line, "two", more(102, SPARE)).await;
    until_in_sync(&test, &alpha, &router).await;

    // A router has a device once: whoever gives it up has to come first, also where two change places while the router is away.
    router.sim.control(Command::Fault(routeros_sim::control::Fault::CutLink)).await.expect("a fault");
    for (customer, mac) in [(&one, SPARE), (&two, SHOP)] {
        let path = format!("/api/v1/customers/{customer}");
        let _ = test.call("PATCH", &path, &alpha.token, Some(json!({ "mac": mac }))).await.expect(204);
    }
    router.sim.control(Command::Fault(routeros_sim::control::Fault::RestoreLink)).await.expect("a fault");
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(row(&router, "/ip/dhcp-server/lease", &["address=192.168.50.101"]).await["mac-address"], SPARE);
    assert_eq!(row(&router, "/ip/dhcp-server/lease", &["address=192.168.50.102"]).await["mac-address"], SHOP);

    // A lease of somebody else's stays, and what it stands in the way of is said.
    type_in(&router, &format!("/ip/dhcp-server/lease/add address=192.168.50.200 mac-address={STRANGER} comment=printer")).await;
    customer_with(&test, &alpha, &router, &line, "three", more(103, STRANGER)).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(row(&router, "/ip/dhcp-server/lease", &["comment=printer"]).await["address"], "192.168.50.200");
    let plan = planned(&test, &alpha, &router).await;
    assert!(plan["text"].as_str().is_some_and(|text| text.contains("192.168.50.103")), "{plan}");
    nothing_to_write(&test, &alpha, &router).await;
}
