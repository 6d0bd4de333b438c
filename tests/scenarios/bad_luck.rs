//! Goal: whatever breaks between a payment and the customer's internet, the payment counts once and the customer comes online once things
//! work again; nothing is written twice.
//! Method: links are cut, answers lost, power fails, routers crawl and the database goes away, each in the middle of a payment.

use controller::testing::{TestApp, TestTenant};
use db::{Binaries, Cluster, ClusterOptions, TestDb};
use model::SeededEntropy;
use routeros_sim::control::{Command, Fault};
use serde_json::{Value, json};
use std::sync::Arc;
use system_tests::world::{
    Router, Sent, change_sets, config, customer, dial, fault, isp, onboard, package, pay, planned, print, row, serve, start,
    state, type_in, until, until_in_sync, until_online,
};

/// Sets a router up that serves PPPoE, with one customer who has not paid.
async fn tower(test: &TestApp, name: &str) -> (TestTenant, Router, String) {
    let tenant = isp(test, name).await;
    let router = onboard(test, &tenant, "tower", config("RB5009UG+S+", "7.22.3", &format!("SERIAL-{name}"))).await;
    serve(test, &tenant, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    let home = package(test, &tenant, "pppoe", "Home", 150_000).await;
    let jane = customer(test, &tenant, &router, &home, "jane").await;
    until_in_sync(test, &tenant, &router).await;
    (tenant, router, jane)
}

/// Returns the applied plans since there were `before` that wrote something to a menu.
async fn writes_to(test: &TestApp, tenant: &TestTenant, router: &Router, before: usize, menu: &str) -> Vec<Value> {
    let sets = change_sets(test, tenant, router).await;
    let changes =
        sets[..sets.len() - before].iter().flat_map(|set| set["changes"]["changes"].as_array().cloned().unwrap_or_default());
    changes.filter(|change| change["menu"] == menu).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_is_away_gets_it_once_when_it_is_back() {
    let test = TestApp::running().await;
    let (alpha, router, jane) = tower(&test, "Alpha").await;
    let before = change_sets(&test, &alpha, &router).await.len();
    let secret = row(&router, "/ppp/secret", &["name=jane"]).await;
    assert_eq!(secret["profile"], "mw-expired");

    fault(&router, Fault::CutLink).await;
    let path = format!("/api/v1/customers/{jane}/payments");
    let cash = json!({ "amount": { "minor": 150_000, "currency": "KES" } });
    let paid = test.call_with_key("POST", &path, &alpha.token, Some(cash.clone()), "one-click").await.expect(201);
    let again = test.call_with_key("POST", &path, &alpha.token, Some(cash), "one-click").await.expect(201);
    assert_eq!(paid.body, again.body, "a second click is the same payment");
    let all = test.call("GET", "/api/v1/payments", &alpha.token, None).await.expect(200);
    assert_eq!(all.body["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(row(&router, "/ppp/secret", &["name=jane"]).await, secret, "nothing reaches the router");
    assert_eq!(state(&test, &alpha, &router).await["in_sync"], false);

    fault(&router, Fault::RestoreLink).await;
    until_in_sync(&test, &alpha, &router).await;
    dial(&router, "jane", "dial-1234").await;
    until_online(&router, "jane", true).await;
    assert_eq!(writes_to(&test, &alpha, &router, before, "/ppp/secret").await.len(), 1, "written once");
    assert_eq!(print(&router, "/ppp/secret", &[]).await.len(), 1);
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);

    // Power fails right after the next payment, and the customer's box dials again by itself.
    pay(&test, &alpha, &jane, 150_000).await;
    fault(&router, Fault::Reboot).await;
    until_in_sync(&test, &alpha, &router).await;
    until_online(&router, "jane", true).await;
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_found_done() {
    let test = TestApp::running().await;
    let (alpha, router, jane) = tower(&test, "Alpha").await;
    let before = change_sets(&test, &alpha, &router).await.len();
    fault(&router, Fault::LoseReplies { count: 1 }).await;
    pay(&test, &alpha, &jane, 150_000).await;
    until("the lost answer is noticed", async || state(&test, &alpha, &router).await["failures"] != 0).await;
    assert!(state(&test, &alpha, &router).await["last_error"].is_string());
    until_in_sync(&test, &alpha, &router).await;
    dial(&router, "jane", "dial-1234").await;
    until_online(&router, "jane", true).await;
    // The fuse was written first, and its answer was lost: the next look found it there.
    assert_eq!(print(&router, "/system/scheduler", &[]).await.len(), 1, "no second one");
    let fuses = writes_to(&test, &alpha, &router, before, "/system/scheduler").await;
    assert_eq!(fuses.len(), 1, "and not one write more: {fuses:?}");
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changed_by_hand_is_named() {
    let test = TestApp::running().await;
    let (alpha, router, jane) = tower(&test, "Alpha").await;
    type_in(&router, "/user/set [find comment~\"mw:\"] password=changed-by-hand").await;
    // The connection that was open stays open on RouterOS; a restart ends it.
    fault(&router, Fault::Reboot).await;
    pay(&test, &alpha, &jane, 150_000).await;
    let refused = async || {
        let state = state(&test, &alpha, &router).await;
        state["last_error"].as_str().is_some_and(|error| error.contains("refused the login"))
    };
    until("the refused login is shown", refused).await;
    let path = format!("/api/v1/routers/{}/apply", router.id);
    let answer = test.call("POST", &path, &alpha.token, None).await.expect(502);
    assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains("refused the login")), "{}", answer.body);
    assert_eq!(state(&test, &alpha, &router).await["in_sync"], false, "and nobody says that it is done");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_box_that_takes_a_routers_new_block_gets_nothing() {
    let test = TestApp::running().await;
    let (alpha, router, jane) = tower(&test, "Alpha").await;
    pay(&test, &alpha, &jane, 150_000).await;
    until_in_sync(&test, &alpha, &router).await;
    let path = format!("/api/v1/routers/{}", router.id);
    let texts = test.call("POST", &format!("{path}/reissue"), &alpha.token, None).await.expect(201);
    fault(&router, Fault::CutLink).await;
    let other = start(&test, config("RB5009UG+S+", "7.22.3", "ANOTHER-BOX")).await;
    let sent = Sent::to(&other);
    let other = Router { id: router.id.clone(), sent, sim: other, serial: "ANOTHER-BOX".to_owned() };
    other.sim.control(Command::Paste { text: texts.text("block") }).await.expect("the terminal takes it");
    let named = async || {
        let seen = test.call("GET", &path, &alpha.token, None).await.expect(200).body["enrolment"]["last_attempt"].clone();
        seen.as_str().is_some_and(|seen| seen.contains("ANOTHER-BOX") && seen.contains("SERIAL-Alpha"))
    };
    until("both serial numbers are named", named).await;
    let shown = test.call("GET", &path, &alpha.token, None).await.expect(200);
    assert_eq!(shown.body["serial"], "SERIAL-Alpha", "the record is still the old box");
    // The customer pays while the wrong box is connected: her password is not for it.
    pay(&test, &alpha, &jane, 150_000).await;
    let refused = async || {
        let error = state(&test, &alpha, &router).await["last_error"].clone();
        error.as_str().is_some_and(|error| error.contains("ANOTHER-BOX"))
    };
    until("the look is refused", refused).await;
    assert_eq!(print(&other, "/ppp/secret", &[]).await, Vec::<Value>::new());
    assert_eq!(state(&test, &alpha, &router).await["in_sync"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_goes_away_in_the_middle_of_a_push() {
    let folder = tempfile::Builder::new().prefix("mw-away-").tempdir().expect("a folder");
    // PostgreSQL's own user has to pass through.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).expect("our folder");
    let options = ClusterOptions { folder: folder.path().join("pg"), durable: true };
    let binaries = Binaries::find().expect("tests need PostgreSQL: run `cargo xtask setup`");
    let cluster = Cluster::start(&options, &binaries).await.expect("it starts");
    let test = TestApp::running_on(TestDb::on(&cluster, Arc::new(SeededEntropy::new(0))).await).await;
    let (alpha, router, jane) = tower(&test, "Alpha").await;
    let before = change_sets(&test, &alpha, &router).await.len();

    // The router answers slowly, so that the database is gone before the push has ended.
    fault(&router, Fault::Slow { bytes_per_second: Some(2_000) }).await;
    pay(&test, &alpha, &jane, 150_000).await;
    until("the push has begun", async || !print(&router, "/system/scheduler", &[]).await.is_empty()).await;
    tokio::task::spawn_blocking(move || cluster.stop()).await.expect("it stops");
    let path = format!("/api/v1/customers/{jane}");
    let answer = test.call("GET", &path, &alpha.token, None).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    fault(&router, Fault::Slow { bytes_per_second: None }).await;
    until("the router has what was under way", async || {
        row(&router, "/ppp/secret", &["name=jane"]).await["profile"] != "mw-expired"
    })
    .await;

    let _cluster = Cluster::start(&options, &binaries).await.expect("it starts again");
    until("people can work again", async || test.call("GET", &path, &alpha.token, None).await.status == 200).await;
    until_in_sync(&test, &alpha, &router).await;
    dial(&router, "jane", "dial-1234").await;
    until_online(&router, "jane", true).await;
    let all = test.call("GET", "/api/v1/payments", &alpha.token, None).await.expect(200);
    assert_eq!(all.body["items"].as_array().map(Vec::len), Some(1), "the payment is not lost and not doubled");
    assert!(writes_to(&test, &alpha, &router, before, "/ppp/secret").await.len() <= 1);
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);
    pay(&test, &alpha, &jane, 150_000).await;
    until_in_sync(&test, &alpha, &router).await;
}
