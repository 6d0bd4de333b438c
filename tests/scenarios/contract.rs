//! Goal: every menu, command, argument and property that is sent to a router exists in RouterOS.
//! Method: a virtual router of each version is taken from the block to its removal, through everything a service can ask for; what it
//! was sent is held to the recordings of all versions. A clone without them skips this and says so.

use controller::testing::{TestApp, TestTenant};
use jiff::SignedDuration;
use routeros::codec::Sentence;
use routeros_sim::control::Command;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write as _;
use system_tests::recordings;
use system_tests::world::{Router, config, customer, isp, onboard, package_with, pay, serve, until_in_sync, until_online};

const MENUS: [&str; 7] = [
    "/ppp/secret",
    "/ppp/active",
    "/ip/hotspot/user",
    "/ip/dhcp-server/lease",
    "/queue/simple",
    "/ip/firewall/address-list",
    "/system/scheduler",
];

#[tokio::test(flavor = "multi_thread")]
async fn routers_are_sent_what_they_have() {
    let schemas = recordings::schemas().expect("recordings that can be read");
    if schemas.is_empty() {
        // Straight to the terminal, past the test harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "skipped: no recordings of RouterOS in MASTWIRE_SHARED or beside the repository");
        return;
    }
    assert!(schemas.len() >= 3, "the recordings of at least three versions belong here");
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    for schema in &schemas {
        let version = schema.version();
        let serial = format!("HC{:08}", u32::from(version.minor));
        let router = onboard(&test, &alpha, &format!("tower {version}"), config("CHR", &version.to_string(), &serial)).await;
        live(&test, &alpha, &router).await;
        let sentences = transcript(&router).await;
        let used: BTreeSet<&str> = MENUS
            .into_iter()
            .filter(|menu| sentences.iter().any(|sentence| String::from_utf8_lossy(sentence.first()).starts_with(menu)))
            .collect();
        assert_eq!(used, BTreeSet::from(MENUS), "the road leads through all of them");
        assert_eq!(recordings::strangers(version, &sentences, &schemas), [""; 0], "sent to {version}");
    }
}

/// Takes a router through customers of every kind, what becomes of them, and its removal.
async fn live(test: &TestApp, isp: &TestTenant, router: &Router) {
    let name = &router.serial;
    let services = json!([
        { "kind": "dhcp", "interface": "ether2", "gateway": "192.168.9.1/24", "pool": "192.168.9.100-192.168.9.199", "pin": true },
        { "kind": "pppoe", "interfaces": ["ether3"] },
        { "kind": "hotspot", "interface": "ether4", "dns_name": "login.isp.example", "walled_garden": ["pay.isp.example"] },
    ]);
    assert_eq!(serve(test, isp, router, services).await["applied"], true);
    let burst = json!({
        "download_bps": 10_000_000, "upload_bps": 5_000_000, "burst": {
            "download_bps": 20_000_000, "upload_bps": 9_000_000, "download_threshold_bps": 8_000_000,
            "upload_threshold_bps": 4_000_000, "seconds": 16 } });
    let package = async |kind: &str, more| package_with(test, isp, kind, &format!("{kind} {name}"), 1_000, more).await;
    let home = package("pppoe", json!({ "speed": burst, "on_expiry": "redirect" })).await;
    let day = package("hotspot", json!({ "data_bytes": 1 << 30, "online_seconds": 3_600, "shared_users": 2 })).await;
    let office = package("static", json!({ "speed": burst })).await;

    let jane = customer(test, isp, router, &home, &format!("jane-{name}")).await;
    let phone = customer(test, isp, router, &day, &format!("phone-{name}")).await;
    let shop = json!({ "login": format!("shop-{name}"), "router": router.id, "package": office, "address": "192.168.9.20", "mac": "02:00:00:00:00:20" });
    let shop = test.call("POST", "/api/v1/customers", &isp.token, Some(shop)).await.expect(201).text("id");
    for customer in [&jane, &phone, &shop] {
        pay(test, isp, customer, 1_000).await;
    }
    let login = format!("jane-{name}");
    let (interface, mac) = ("ether3".into(), String::new());
    let dial = Command::Dial { name: login.clone(), password: "dial-1234".into(), interface, mac };
    router.sim.control(dial).await.expect("the box is switched on");
    until_online(router, &login, true).await;
    let path = |customer: &str, step: &str| format!("/api/v1/customers/{customer}/{step}");
    for (customer, step) in [(&jane, "suspend"), (&shop, "suspend"), (&jane, "resume"), (&phone, "terminate")] {
        let _ = test.call("POST", &path(customer, step), &isp.token, None).await.expect(204);
        until_in_sync(test, isp, router).await;
    }
    test.clock.advance(SignedDuration::from_hours(25));
    until_online(router, &login, false).await;
    until_in_sync(test, isp, router).await;
    let removed = test.call("DELETE", &format!("/api/v1/routers/{}", router.id), &isp.token, None).await.expect(200);
    assert_eq!(removed.body["cleaned"], true, "{}", removed.body);
}

async fn transcript(router: &Router) -> Vec<Sentence> {
    let sentences = router.sim.control(Command::Transcript).await.expect("a running router tells");
    let sentences: Vec<Vec<String>> = serde_json::from_value(sentences).expect("lists of words");
    sentences.into_iter().map(Sentence::new).collect()
}
