//! Goal: by the tunnel the hub alone reaches the router, and its API alone; customers do not reach what manages the router, and nobody
//! outside is answered names; the operator's own ways in stay as they were, and an ISP that wants it otherwise says so.
//! Method: routers of three versions without a firewall of their own and with the factory's; packets are sent at their input chains before
//! and after. A router set up by an earlier recipe is brought to the present one.

use controller::provisioning::Faulty;
use controller::testing::{TestApp, TestTenant};
use reconcile::{Desired, Policy, Value as Wanted};
use routeros::catalogue::ip_firewall_filter as filter;
use routeros_sim::control::Command;
use serde_json::{Value, json};
use std::sync::Arc;
use system_tests::world::{
    Router, apply, change_sets, config, customer, customer_with, dial_on, fares, isp, onboard, package, pay, planned, print,
    serve, type_in, until_in_sync, until_online,
};

const SHOP: &str = "198.51.100.20";

/// Somebody at the operator's own desk.
const DESK: (&str, &str) = ("192.168.77.5", "lan");
const STRANGER: (&str, &str) = ("203.0.113.9", "ether1");
const HUB: (&str, &str) = ("10.10.0.1", "wg-mastwire");
const PEER: (&str, &str) = ("10.10.9.9", "wg-mastwire");

/// Says whether the router's firewall lets somebody in to each of some ports.
async fn let_in<const N: usize>(router: &Router, (source, interface): (&str, &str), ports: [(&str, u16); N]) -> [bool; N] {
    let mut all = [false; N];
    for (let_in, (protocol, port)) in all.iter_mut().zip(ports) {
        let source = source.parse().expect("an address");
        let knock = Command::Knock { source, interface: interface.into(), protocol: protocol.into(), port };
        *let_in = router.sim.control(knock).await.expect("the router is on")["let-in"] == true;
    }
    all
}

const MANAGEMENT: [(&str, u16); 4] = [("tcp", 8728), ("tcp", 8291), ("tcp", 22), ("tcp", 23)];
const DNS: [(&str, u16); 2] = [("udp", 53), ("tcp", 53)];

async fn nothing_to_write(test: &TestApp, isp: &TestTenant, router: &Router) {
    until_in_sync(test, isp, router).await;
    let plan = planned(test, isp, router).await;
    assert_eq!(plan["writes"], 0, "{plan}");
    assert_eq!(apply(test, isp, router).await, 0, "the second pass writes nothing");
}

/// Sets what the ISP's routers do not keep to themselves.
async fn open(test: &TestApp, isp: &TestTenant, routers: Value) {
    let mut now = test.call("GET", "/api/v1/settings", &isp.token, None).await.expect(200).body;
    now["settings"]["routers"] = routers;
    let body = json!({ "version": now["version"], "settings": now["settings"] });
    let _ = test.call("PUT", "/api/v1/settings", &isp.token, Some(body)).await.expect(200);
}

/// A router that has an office's network and no firewall; its operator answers names to everybody.
async fn tower(test: &TestApp, isp: &TestTenant, version: &str) -> Router {
    let router = onboard(test, isp, "tower", config("CHR", version, &format!("CHR-{version}"))).await;
    type_in(
        &router,
        "/interface/bridge/add name=lan\n/interface/bridge/port/add bridge=lan interface=ether3\n\
         /ip/address/add address=192.168.77.1/24 interface=lan",
    )
    .await;
    router
}

async fn services(test: &TestApp, isp: &TestTenant, router: &Router) {
    let path = format!("/api/v1/routers/{}/services", router.id);
    let services = json!({ "services": [{ "kind": "pppoe", "interfaces": ["ether2"] }] });
    let _ = test.call("PUT", &path, &isp.token, Some(services)).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_router_keeps_to_itself_what_nobody_outside_needs() {
    for version in ["7.20.8", "7.21.5", "7.22.3"] {
        let test = TestApp::running().await;
        let alpha = isp(&test, "Alpha").await;
        let router = tower(&test, &alpha, version).await;
        // The resolver is the operator's to open, and the plan says that customers need it.
        services(&test, &alpha, &router).await;
        let findings = planned(&test, &alpha, &router).await["findings"].as_array().cloned().unwrap_or_default();
        let closed = findings.iter().find(|finding| finding["code"] == "service-dns").expect("it is said");
        type_in(&router, closed["command"].as_str().expect("a command")).await;
        serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["ether2"] }])).await;
        let (home, line) =
            (package(&test, &alpha, "pppoe", "Home", 150_000).await, package(&test, &alpha, "static", "Line", 150_000).await);
        let jane = customer(&test, &alpha, &router, &home, "jane").await;
        let _shop = customer_with(&test, &alpha, &router, &line, "shop", json!({ "address": SHOP })).await;
        dial_on(&router, "ether2", "jane", "dial-1234").await;
        pay(&test, &alpha, &jane, 150_000).await;
        until_online(&router, "jane", true).await;
        until_in_sync(&test, &alpha, &router).await;

        let address = fares(&router, "jane").await["address"].as_str().expect("an address").to_owned();
        let (jane, shop) = ((address.as_str(), "<pppoe-jane>"), (SHOP, "lan"));
        for customer in [jane, shop] {
            assert_eq!(let_in(&router, customer, MANAGEMENT).await, [false; 4], "{version}: {customer:?}");
            assert_eq!(let_in(&router, customer, DNS).await, [true; 2], "{version}: {customer:?} is answered names");
        }
        assert_eq!(let_in(&router, STRANGER, DNS).await, [false; 2], "{version}");
        assert_eq!(
            let_in(&router, STRANGER, MANAGEMENT).await,
            [true; 4],
            "{version}: the operator's rules decide, and there are none"
        );
        assert_eq!(let_in(&router, DESK, MANAGEMENT).await, [true; 4], "{version}: the operator's own way in");
        assert_eq!(let_in(&router, DESK, DNS).await, [true; 2], "{version}");
        assert_eq!(let_in(&router, HUB, MANAGEMENT).await, [true, false, false, false], "{version}: the hub needs the API alone");
        assert_eq!(let_in(&router, PEER, MANAGEMENT).await, [false; 4], "{version}");
        assert_eq!(let_in(&router, PEER, DNS).await, [false; 2], "{version}");
        nothing_to_write(&test, &alpha, &router).await;

        open(&test, &alpha, json!({ "customers_manage": true })).await;
        until_in_sync(&test, &alpha, &router).await;
        assert_eq!(let_in(&router, jane, MANAGEMENT).await, [true; 4], "{version}: the ISP wants it so");
        assert_eq!(let_in(&router, STRANGER, DNS).await, [false; 2], "{version}");
        open(&test, &alpha, json!({ "resolve_outside": true })).await;
        until_in_sync(&test, &alpha, &router).await;
        assert_eq!(let_in(&router, jane, MANAGEMENT).await, [false; 4], "{version}");
        assert_eq!(let_in(&router, STRANGER, DNS).await, [true; 2], "{version}");
        nothing_to_write(&test, &alpha, &router).await;

        let removed = test.call("DELETE", &format!("/api/v1/routers/{}", router.id), &alpha.token, None).await.expect(200);
        assert_eq!(removed.body["cleaned"], true, "{}", removed.body);
        assert_eq!(print(&router, "/ip/firewall/filter", &[]).await, [json!(null); 0], "{version}");
        assert_eq!(print(&router, "/ip/firewall/address-list", &[]).await, [json!(null); 0], "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_the_factorys_firewall_nothing_of_the_operators_is_cut() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    let router = onboard(&test, &alpha, "tower", config("RB5009UG+S+", "7.22.3", "HF1234567AB")).await;
    let office = ("192.168.88.20", "bridge");
    serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(let_in(&router, office, MANAGEMENT).await, [true; 4]);
    assert_eq!(let_in(&router, office, DNS).await, [true; 2]);
    assert_eq!(let_in(&router, STRANGER, DNS).await, [false; 2]);
    assert_eq!(let_in(&router, STRANGER, MANAGEMENT).await, [false; 4], "theirs decides");
    assert_eq!(let_in(&router, HUB, MANAGEMENT).await, [true, false, false, false]);
    nothing_to_write(&test, &alpha, &router).await;
}

/// What an earlier recipe wished for: a rule in `input` that leads from the tunnel to the tunnel's rules, and nothing else there.
fn earlier(desired: &mut Desired, _: &mut Policy) {
    let later = ["mw-router", "mw-outside"];
    desired.objects.retain(|object| object.text(filter::CHAIN).is_none_or(|chain| !later.contains(&chain)));
    let jump = desired.objects.iter_mut().find(|object| object.text(filter::CHAIN) == Some("input")).expect("one leads in");
    jump.tag = EARLIER.parse().expect("a mark");
    for (name, text) in [(filter::COMMENT, EARLIER), (filter::IN_INTERFACE, "wg-mastwire"), (filter::JUMP_TARGET, "mw-input")] {
        jump.values.insert(name, Wanted::Plain(text.to_owned()));
    }
}

const EARLIER: &str = "mw:0123456789ab";

#[tokio::test(flavor = "multi_thread")]
async fn a_router_of_an_earlier_recipe_is_moved_under_an_undo() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    let router = onboard(&test, &alpha, "tower", config("RB5009UG+S+", "7.20.8", "HF1234567AB")).await;
    let id = router.id.parse().expect("an id");
    test.app.provisioner.set_faulty(id, Some(Faulty(Arc::new(earlier))));
    serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(print(&router, "/ip/firewall/filter", &["jump-target=mw-input"]).await.len(), 1);
    assert_eq!(print(&router, "/ip/firewall/filter", &["chain=mw-router"]).await.len(), 0, "as it was set up then");

    let before = change_sets(&test, &alpha, &router).await.len();
    test.app.provisioner.set_faulty(id, None);
    // A look that was still due moves it as well as this one.
    apply(&test, &alpha, &router).await;
    assert_eq!(change_sets(&test, &alpha, &router).await.len(), before + 1, "the move is one set of changes");
    assert_eq!(print(&router, "/ip/firewall/filter", &[&format!("comment={EARLIER}")]).await, [json!(null); 0]);
    assert_eq!(print(&router, "/ip/firewall/filter", &["jump-target=mw-router", "chain=input", "#&"]).await.len(), 1);
    assert_eq!(let_in(&router, HUB, MANAGEMENT).await, [true, false, false, false]);
    assert_eq!(let_in(&router, PEER, MANAGEMENT).await, [false; 4]);
    assert_eq!(print(&router, "/system/scheduler", &["name=mw-undo"]).await, [json!(null); 0], "confirmed");
    nothing_to_write(&test, &alpha, &router).await;
}
