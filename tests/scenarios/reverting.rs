//! Goal: a change that cuts the controller's way to a router is taken back by the router itself within the window, the failure is
//! explained, and nothing foreign is changed; one that does not cut it leaves no undo behind.
//! Method: faulty recipes wish for rules and addresses that cut the path; the virtual routers' time is moved past the window, power fails,
//! and the controller is switched off between arming and disarming.

use controller::provisioning::Faulty;
use controller::testing::{TestApp, TestTenant};
use reconcile::{Desired, Object, ObjectKey, Policy, Position, Risk};
use routeros::catalogue::{ip_address, ip_firewall_filter as filter};
use routeros_sim::control::{Command, Fault};
use routeros_sim::device::Mode;
use serde_json::{Value, json};
use std::sync::Arc;
use system_tests::world::{
    Router, apply, change_sets, config, fault, isp, onboard, planned, print, row, serve, state, type_in, until, until_in_sync,
};

/// The mark of what the faulty recipes wish for.
const MARK: &str = "mw:0123456789ab";

/// Sets up a router that serves PPPoE and has rules, an address and a timer of its own.
async fn tower(test: &TestApp) -> (TestTenant, Router) {
    let tenant = isp(test, "Alpha").await;
    let router = onboard(test, &tenant, "tower", config("RB5009UG+S+", "7.22.3", "HF1234567AB")).await;
    type_in(
        &router,
        "/ip/firewall/filter/add chain=input action=accept protocol=icmp comment=\"ping from anywhere\"\n\
         /ip/firewall/filter/add chain=input action=drop protocol=tcp dst-port=8728 comment=\"no API for anybody\"\n\
         /ip/address/add address=172.16.5.1/24 interface=ether5\n\
         /system/scheduler/add name=theirs interval=1h on-event=\":put 1\"",
    )
    .await;
    serve(test, &tenant, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    until_in_sync(test, &tenant, &router).await;
    assert_eq!(
        print(&router, "/system/scheduler", &["name=mw-undo"]).await,
        Vec::<Value>::new(),
        "what was confirmed is disarmed"
    );
    // So that the router's uptime tells a restart.
    pass(&router, 30).await;
    (tenant, router)
}

/// Lets seconds pass on the router.
async fn pass(router: &Router, seconds: u64) {
    router.sim.control(Command::Clock { set: None, advance: seconds }).await.expect("time passes");
}

/// Everything a risky change may touch, without counters.
async fn held(router: &Router) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for menu in ["/ip/firewall/filter", "/ip/address", "/system/scheduler", "/interface/wireguard", "/ip/service"] {
        let mut rows = print(router, menu, &[]).await;
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.retain(|name, _| !["bytes", "packets", "run-count", "next-run", "last-handshake"].contains(&name.as_str()));
        }
        all.push(rows);
    }
    all
}

/// Gives the router a recipe that wishes for one rule more, before all others of the tunnel.
fn wish_for_rule(test: &TestApp, router: &Router, action: &'static str) {
    wish(test, router, move |desired, _| {
        let values = [(filter::CHAIN, "mw-input"), (filter::ACTION, action), (filter::COMMENT, MARK)];
        desired.objects.insert(0, object(&filter::MENU, &values, Some(Position::Sequence)));
    });
}

fn wish(test: &TestApp, router: &Router, wish: impl Fn(&mut Desired, &mut Policy) + Send + Sync + 'static) {
    test.app.provisioner.set_faulty(router.id.parse().expect("an id"), Some(Faulty(Arc::new(wish))));
}

fn mend(test: &TestApp, router: &Router) {
    test.app.provisioner.set_faulty(router.id.parse().expect("an id"), None);
}

fn object(menu: &'static routeros::catalogue::Menu, values: &[(&'static str, &str)], position: Option<Position>) -> Object {
    let tag = values.iter().find(|(name, _)| *name == filter::COMMENT).expect("every object has a mark").1;
    Object {
        menu,
        key: ObjectKey::new("faulty", menu.path),
        tag: tag.parse().expect("a mark"),
        values: values.iter().map(|(name, text)| (*name, reconcile::Value::Plain((*text).to_owned()))).collect(),
        reason: "a mistake".to_owned(),
        risk: Risk::Path,
        position,
    }
}

/// Has the faulty recipe applied; once `cut` holds the recipe is mended and `then` happens. Returns what is said about it.
async fn cut(test: &TestApp, tenant: &TestTenant, router: &Router, cut: impl AsyncFn() -> bool, then: impl AsyncFn()) -> String {
    let path = format!("/api/v1/routers/{}/apply", router.id);
    let applied = test.call("POST", &path, &tenant.token, None);
    let meanwhile = async {
        until("the change is on the router", async || cut().await).await;
        assert_eq!(print(router, "/system/scheduler", &["name=mw-undo"]).await.len(), 1, "not without its undo");
        mend(test, router);
        then().await;
    };
    let (answer, ()) = tokio::join!(applied, meanwhile);
    assert_ne!(answer.status, 200, "nobody says that it is done: {}", answer.body);
    let told = async || change_sets(test, tenant, router).await[0]["outcome"] == "failed";
    until("the failure is recorded", told).await;
    let error = change_sets(test, tenant, router).await[0]["error"].as_str().expect("a reason").to_owned();
    assert!(error.contains("took a change back by itself"), "{error}");
    assert!(error.contains("It is as it was before"), "{error}");
    assert!(answer.body["detail"].as_str().is_none_or(|detail| detail.contains("took a change back")), "{}", answer.body);
    error
}

/// Says that the router is as it was, reachable, and in sync without a write.
async fn is_as_before(test: &TestApp, tenant: &TestTenant, router: &Router, before: &[Vec<Value>]) {
    assert_eq!(held(router).await, before);
    until_in_sync(test, tenant, router).await;
    assert_eq!(apply(test, tenant, router).await, 0);
    assert_eq!(planned(test, tenant, router).await["writes"], 0);
    assert_eq!(state(test, tenant, router).await["last_error"], Value::Null);
    assert_eq!(held(router).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_rule_that_cuts_the_path_is_taken_back() {
    let test = TestApp::running().await;
    let (alpha, router) = tower(&test).await;
    let before = held(&router).await;
    wish_for_rule(&test, &router, "drop");
    let on = async || !print(&router, "/ip/firewall/filter", &[&format!("comment={MARK}")]).await.is_empty();
    let error = cut(&test, &alpha, &router, on, async || pass(&router, 75).await).await;
    assert!(error.contains("/ip/firewall/filter add mw-input drop"), "the change is named: {error}");
    is_as_before(&test, &alpha, &router, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_is_taken_back() {
    let test = TestApp::running().await;
    let (alpha, router) = tower(&test).await;
    let before = held(&router).await;
    let own = row(&router, "/ip/address", &["interface=wg-mastwire"]).await;
    let mark = own["comment"].as_str().expect("our mark").to_owned();
    wish(&test, &router, move |desired, policy| {
        policy.keep.remove(&mark.parse().expect("a mark"));
        let values = [(ip_address::ADDRESS, "10.10.200.9/32"), (ip_address::COMMENT, mark.as_str())];
        desired.objects.push(object(&ip_address::MENU, &values, None));
    });
    let wrong = async || row(&router, "/ip/address", &["interface=wg-mastwire"]).await["address"] == "10.10.200.9/32";
    let error = cut(&test, &alpha, &router, wrong, async || pass(&router, 75).await).await;
    assert!(error.contains("-> 10.10.200.9/32"), "the change is named: {error}");
    is_as_before(&test, &alpha, &router, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_takes_it_back_at_once() {
    let test = TestApp::running().await;
    let (alpha, router) = tower(&test).await;
    let before = held(&router).await;
    wish_for_rule(&test, &router, "drop");
    let on = async || !print(&router, "/ip/firewall/filter", &[&format!("comment={MARK}")]).await.is_empty();
    let error = cut(&test, &alpha, &router, on, async || fault(&router, Fault::Reboot).await).await;
    assert!(error.contains("it restarted before the change was confirmed"), "{error}");
    is_as_before(&test, &alpha, &router, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_killed_before_it_confirmed_leaves_the_undo_to_the_router() {
    let mut test = TestApp::running().await;
    let (alpha, router) = tower(&test).await;
    let before = held(&router).await;
    // A rule that cuts nothing; the router is so slow that the controller dies before it has read it back.
    wish_for_rule(&test, &router, "accept");
    fault(&router, Fault::Slow { bytes_per_second: Some(2_000) }).await;
    let path = format!("/api/v1/routers/{}/apply", router.id);
    tokio::select! {
        answer = test.call("POST", &path, &alpha.token, None) => panic!("it is not done: {}", answer.body),
        () = until("the change is on the router", async || !print(&router, "/ip/firewall/filter", &[&format!("comment={MARK}")]).await.is_empty()) => {}
    }
    test.power_off().await;
    assert_eq!(print(&router, "/system/scheduler", &["name=mw-undo"]).await.len(), 1, "died between arming and disarming");
    fault(&router, Fault::Slow { bytes_per_second: None }).await;
    test.power_on().await;
    // The new controller does not want the rule: it says so, writes nothing, and leaves the undo to run.
    let waits = async || {
        let state = state(&test, &alpha, &router).await;
        state["last_error"].as_str().is_some_and(|error| error.contains("has not run yet"))
    };
    until("it waits for the undo", waits).await;
    pass(&router, 75).await;
    is_as_before(&test, &alpha, &router, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_left_behind_is_disarmed_when_everything_is_as_wanted() {
    let test = TestApp::running().await;
    let (alpha, router) = tower(&test).await;
    let before = held(&router).await;
    type_in(
        &router,
        "/system/scheduler/add name=mw-undo start-time=startup interval=10s policy=read,write comment=\"mw:00000000feed\" \
         on-event=\":if ([/system/resource/get uptime] > 10m) do={ /ip/firewall/filter/remove [find chain=mw-input] }\"",
    )
    .await;
    apply(&test, &alpha, &router).await;
    assert_eq!(held(&router).await, before, "it is gone, and nothing else");
    pass(&router, 900).await;
    is_as_before(&test, &alpha, &router, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_scheduler_is_forbidden_the_plan_says_that_there_was_no_undo() {
    let test = TestApp::running().await;
    let tenant = isp(&test, "Alpha").await;
    let mut home = config("hEX S", "7.20.8", "HEX0000001");
    home.mode = Mode::Home;
    let router = onboard(&test, &tenant, "mast", home).await;
    serve(&test, &tenant, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    until_in_sync(&test, &tenant, &router).await;
    let sets = change_sets(&test, &tenant, &router).await;
    let risky = sets.iter().find(|set| set["changes"].to_string().contains("mw-input")).expect("the tunnel's rules are written");
    let findings = risky["changes"]["findings"].as_array().cloned().unwrap_or_default();
    assert!(findings.iter().any(|finding| finding["code"] == "no-undo"), "{findings:?}");
}
