//! Goal: customers get the speed of their package on a router whose operator uses FastTrack, and lose open connections when their time is
//! up; the operator's rule stays as it is.
//! Method: routers of three versions with the factory's firewall, which has FastTrack; a PPPoE customer, one with a fixed address and a
//! device that asks for its address.

use controller::testing::TestApp;
use jiff::SignedDuration;
use routeros_sim::control::Command;
use serde_json::json;
use system_tests::world::{
    apply, config, customer, customer_with, dial, fares, five_past, isp, onboard, package, pay, planned, print, serve, type_in,
    until, until_in_sync, until_online,
};

const SHOP: &str = "198.51.100.20";
const HOME: &str = "02:00:00:00:00:01";

#[tokio::test(flavor = "multi_thread")]
async fn a_package_means_its_speed_beside_fasttrack() {
    for version in ["7.20.8", "7.21.5", "7.22.3"] {
        let test = TestApp::running().await;
        let alpha = isp(&test, "Alpha").await;
        five_past(&test);
        let router = onboard(&test, &alpha, "mast", config("RB5009UG+S+", version, &format!("HF{version}"))).await;
        type_in(&router, "/interface/bridge/port/remove [find interface=ether8]").await;
        let theirs = print(&router, "/ip/firewall/filter", &["comment=defconf"]).await;
        assert!(theirs.iter().any(|rule| rule["action"] == "fasttrack-connection"), "{version}");
        let lan = json!({ "kind": "dhcp", "interface": "ether8", "gateway": "192.168.50.1/24" });
        serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }, lan])).await;
        let dialled = package(&test, &alpha, "pppoe", "Home", 150_000).await;
        let line = package(&test, &alpha, "static", "Line", 150_000).await;
        let jane = customer(&test, &alpha, &router, &dialled, "jane").await;
        let shop = customer_with(&test, &alpha, &router, &line, "shop", json!({ "address": SHOP })).await;
        let more = json!({ "address": "192.168.50.10", "mac": HOME });
        let home = customer_with(&test, &alpha, &router, &line, "home", more).await;
        until_in_sync(&test, &alpha, &router).await;
        router.sim.control(Command::Static { address: SHOP.parse().expect("an address") }).await.expect("a host");
        let join = Command::Dhcp { mac: HOME.into(), interface: "ether8".into(), address: None };
        router.sim.control(join).await.expect("a device");
        dial(&router, "jane", "dial-1234").await;
        for customer in [&jane, &shop, &home] {
            pay(&test, &alpha, customer, 150_000).await;
        }
        for name in ["jane", SHOP, HOME] {
            until_online(&router, name, true).await;
            let fares = fares(&router, name).await;
            assert_eq!(
                (&fares["limit"], &fares["goes_on"]),
                (&json!([5_000_000, 10_000_000]), &json!(true)),
                "{version}: {name}"
            );
        }
        until_in_sync(&test, &alpha, &router).await;
        let plan = planned(&test, &alpha, &router).await;
        assert_eq!(plan["writes"], 0, "{version}: {plan}");
        assert_eq!(apply(&test, &alpha, &router).await, 0, "{version}: the second pass writes nothing");

        // The ends stand on the router: what was open ends with them.
        test.clock.advance(SignedDuration::from_hours(24));
        for name in ["jane", SHOP, HOME] {
            until(&format!("{name} lost what was open"), async || fares(&router, name).await["goes_on"] == false).await;
        }
        let rules = print(&router, "/ip/firewall/filter", &["comment=defconf"]).await;
        assert_eq!(rules, theirs, "{version}: the operator's rules are what they were");

        let removed = test.call("DELETE", &format!("/api/v1/routers/{}", router.id), &alpha.token, None).await.expect(200);
        assert_eq!(removed.body["cleaned"], true, "{}", removed.body);
        assert_eq!(print(&router, "/ip/firewall/address-list", &[]).await, [json!(null); 0], "{version}");
        assert_eq!(print(&router, "/ip/firewall/filter", &["comment=defconf"]).await, theirs, "{version}");
    }
}
