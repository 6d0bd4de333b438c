//! Goal: what an operator does on the router by hand is respected where it is theirs and set right where it is ours, and a router that
//! leaves keeps nothing of ours.
//! Method: lines typed at a virtual router's terminal; its menus are printed before and after.

use controller::testing::{TestApp, TestTenant};
use routeros_sim::control::{Command, Fault};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use system_tests::world::{
    PATIENCE, Router, Sent, apply, config, customer, customer_with, dial, fault, isp, onboard, package, pay, planned, print, row,
    serve, start, type_in, until_in_sync, until_online,
};

/// Every menu in which the controller, or the block that was pasted, leaves something.
const MENUS: [&str; 24] = [
    "/interface/wireguard",
    "/interface/wireguard/peers",
    "/user",
    "/user/group",
    "/ip/service",
    "/system/ntp/client",
    "/system/scheduler",
    "/ip/pool",
    "/ip/address",
    "/ip/dhcp-server/network",
    "/ip/dhcp-server",
    "/ppp/profile",
    "/interface/pppoe-server/server",
    "/ip/hotspot/profile",
    "/ip/hotspot/user/profile",
    "/ip/hotspot",
    "/ip/hotspot/walled-garden",
    "/ip/firewall/address-list",
    "/ip/firewall/nat",
    "/ip/firewall/filter",
    "/queue/simple",
    "/ppp/secret",
    "/ip/hotspot/user",
    "/file",
];

async fn tower(test: &TestApp) -> (TestTenant, Router) {
    let tenant = isp(test, "Alpha").await;
    let router = onboard(test, &tenant, "tower", config("RB5009UG+S+", "7.22.3", "HF1234567AB")).await;
    (tenant, router)
}

/// Prints everything that a router holds where something of ours may be, without what it counts.
async fn held(router: &Router) -> BTreeMap<&'static str, Vec<Value>> {
    let mut all = BTreeMap::new();
    for menu in MENUS {
        let mut rows = print(router, menu, &[]).await;
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.retain(|name, _| !["bytes", "packets", "available", "used", "last-logged-in"].contains(&name.as_str()));
        }
        all.insert(menu, rows);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_is_set_right_and_theirs_is_left_alone() {
    let test = TestApp::running().await;
    let (alpha, router) = tower(&test).await;
    type_in(
        &router,
        "/ppp/secret/add name=boss password=do-not-touch comment=\"the boss\"\n\
         /ppp/secret/add name=jane password=older comment=\"from before\"\n\
         /ip/firewall/filter/add chain=forward action=drop src-address=203.0.113.9 comment=\"a spammer\"",
    )
    .await;
    let theirs = async || (row(&router, "/ppp/secret", &["name=boss"]).await, row(&router, "/ppp/secret", &["name=jane"]).await);
    let before = theirs().await;
    serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    let home = package(&test, &alpha, "pppoe", "Home", 150_000).await;
    let joe = customer(&test, &alpha, &router, &home, "joe").await;
    let jane = customer(&test, &alpha, &router, &home, "jane").await;
    pay(&test, &alpha, &joe, 150_000).await;
    pay(&test, &alpha, &jane, 150_000).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(theirs().await, before, "a secret that is not ours stays as it is, also where its name is in the way");
    let plan = planned(&test, &alpha, &router).await;
    let conflict = plan["findings"].as_array().into_iter().flatten().find(|finding| finding["code"] == "conflict");
    assert!(conflict.is_some_and(|finding| finding.to_string().contains("`jane`")), "it is reported: {plan}");
    assert_eq!(plan["writes"], 0);

    // Somebody edits, removes and switches off what is ours.
    let settled = held(&router).await;
    type_in(
        &router,
        "/ppp/secret/set [find name=joe] password=guessed profile=default\n\
         /ppp/profile/set [find name=mw-expired] rate-limit=100M/100M\n\
         /ip/pool/set [find name=mw-pppoe] ranges=192.0.2.1-192.0.2.9\n\
         /ip/firewall/filter/remove [find chain=mw-expired]\n\
         /interface/pppoe-server/server/disable [find service-name=mw-bridge]",
    )
    .await;
    assert!(apply(&test, &alpha, &router).await > 0);
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);
    dial(&router, "joe", "dial-1234").await;
    until_online(&router, "joe", true).await;
    let again = held(&router).await;
    for menu in ["/ppp/profile", "/ip/pool", "/interface/pppoe-server/server"] {
        assert_eq!(again[menu], settled[menu], "{menu}");
    }
    assert_eq!(again["/ip/firewall/filter"].len(), settled["/ip/firewall/filter"].len());
    assert_eq!(theirs().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_leaves_keeps_nothing_of_ours() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    let config = config("CHR", "7.22.3", "CHR-LEAVES-1");
    let sim = start(&test, config.clone()).await;
    let twin = Router { id: String::new(), sent: Sent::to(&sim), sim, serial: String::new() };
    let untouched = held(&twin).await;
    let router = onboard(&test, &alpha, "tower", config).await;
    let services = json!([{ "kind": "pppoe", "interfaces": ["ether3"] }, { "kind": "hotspot", "interface": "ether2" }]);
    serve(&test, &alpha, &router, services).await;
    for (kind, login) in [("pppoe", "jane"), ("hotspot", "visitor"), ("static", "shop")] {
        let package = package(&test, &alpha, kind, kind, 1_000).await;
        let more = if kind == "static" { json!({ "address": "198.51.100.20" }) } else { json!({}) };
        let who = customer_with(&test, &alpha, &router, &package, login, more).await;
        pay(&test, &alpha, &who, 1_000).await;
    }
    until_in_sync(&test, &alpha, &router).await;
    let path = format!("/api/v1/routers/{}", router.id);
    let removed = test.call("DELETE", &path, &alpha.token, None).await.expect(200);
    assert_eq!(removed.body["cleaned"], true, "{}", removed.body);
    let left = held(&router).await;
    for menu in MENUS {
        assert_eq!(left[menu], untouched[menu], "{menu} is as it came out of the box");
    }
    let _ = test.call("GET", &path, &alpha.token, None).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_cannot_be_reached_is_shut_out_all_the_same() {
    let test = TestApp::running().await;
    let (alpha, router) = tower(&test).await;
    let path = format!("/api/v1/routers/{}", router.id);
    let address = test.call("GET", &path, &alpha.token, None).await.expect(200).text("address");
    fault(&router, Fault::CutLink).await;
    let removed = tokio::time::timeout(PATIENCE, test.call("DELETE", &path, &alpha.token, None)).await;
    let removed = removed.expect("nobody waits for ever").expect(200);
    assert_eq!(removed.body["cleaned"], false);
    assert!(removed.body["left"].as_str().is_some_and(|left| left.contains("mw:")), "{}", removed.body);
    let _ = test.call("GET", &path, &alpha.token, None).await.expect(404);

    fault(&router, Fault::RestoreLink).await;
    let ping = Command::Ping { address: "10.10.0.1".parse().expect("an address") };
    let answered = router.sim.control(ping).await.map_or(json!(false), |answer| answer["answered"].clone());
    assert_eq!(answered, false, "its key opens nothing any more");
    let next = test.call("POST", "/api/v1/routers", &alpha.token, Some(json!({ "name": "tower" }))).await.expect(201);
    assert_ne!(next.text("address"), address, "the address rests");
}
