//! Goal: what `docs/enrolment.md` promises about joining holds with a real hub, real packets and a real database. Method: virtual routers run
//! the very texts that the API answers; each row of the threat model is a test.

use axum::body::Body;
use axum::http::Request;
use controller::operators::Role;
use controller::provisioning;
use controller::serve::SystemClock;
use controller::testing::{Answer, TestApp, TestTenant};
use controller::{enrolment, tunnels};
use db::TenantDoor;
use jiff::SignedDuration;
use model::{EnrolmentId, RouterId, TenantId, WgPublicKey};
use routeros_sim::device::{Board, Config};
use routeros_sim::router::Ended;
use routeros_sim::simulator::{Options, Simulator};
use serde_json::{Value, json};
use sqlx::Connection as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;

/// A safety net; nothing here takes so long.
const LIMIT: Duration = Duration::from_secs(60);
const JOINED: &str = "Mastwire: joined. The rest happens at the controller.";
const PEERS: &str = "/interface/wireguard/peers";

/// Starts a virtual router; the same seed makes the same keys and the same serial number.
async fn router(seed: u64) -> Simulator {
    let config = Config::new(Board::find("hEX S").expect("a board"), "7.22.3".parse().expect("a version"), seed);
    Simulator::start(Options::new(config), Arc::new(SystemClock)).await.expect("a router without doors needs nothing")
}

/// Waits for something that will happen.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let wait = async {
        while !holds().await {
            look.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn paste(router: &Simulator, text: &str) -> Ended {
    tokio::time::timeout(LIMIT, router.shared().paste(text)).await.expect("it ends").expect("the terminal is free")
}

/// Pastes a block that will not be answered, and lets the router's time pass faster than ours.
async fn paste_in_vain(router: &Simulator, text: &str) -> Ended {
    let mut step = tokio::time::interval(Duration::from_millis(20));
    let hurry = async {
        loop {
            step.tick().await;
            router.shared().advance(Duration::from_secs(1));
        }
    };
    tokio::select! {
        ended = paste(router, text) => ended,
        () = hurry => unreachable!("it never ends by itself"),
    }
}

fn serial(router: &Simulator) -> String {
    router.shared().with(|router, _| router.device().config().serial.clone())
}

fn password(router: &Simulator) -> Option<String> {
    router.shared().with(|router, _| router.device().find("/user", "name", "mastwire").map(|row| row.get("password").to_owned()))
}

async fn add(test: &TestApp, tenant: &TestTenant, name: &str) -> Answer {
    test.call("POST", "/api/v1/routers", &tenant.token, Some(json!({ "name": name }))).await
}

async fn show(test: &TestApp, tenant: &TestTenant, id: &str) -> Value {
    test.call("GET", &format!("/api/v1/routers/{id}"), &tenant.token, None).await.expect(200).body
}

async fn state(test: &TestApp, tenant: &TestTenant, id: &str) -> String {
    show(test, tenant, id).await["enrolment"]["state"].as_str().expect("a state").to_owned()
}

async fn completed(test: &TestApp, tenant: &TestTenant, id: &str) {
    until("the enrolment is completed", || async { state(test, tenant, id).await == "completed" }).await;
}

fn router_id(added: &Answer) -> RouterId {
    added.text("id").parse().expect("a router id")
}

async fn door(test: &TestApp, tenant: TenantId) -> TenantDoor {
    let doors = test.app.db.locator().tenants("test").await.expect("the database is there");
    doors.into_iter().find(|door| door.tenant() == tenant).expect("the tenant is there")
}

/// Logs in with the account that the database knows.
async fn opens(test: &TestApp, tenant: &TestTenant, id: RouterId) -> bool {
    let door = door(test, tenant.id).await;
    provisioning::open(&test.app, &door, id).await.is_ok()
}

/// Everything between quotes behind a word of the block.
fn value<'a>(block: &'a str, word: &str) -> Vec<&'a str> {
    let pattern = format!("{word}=\"");
    block.split(&pattern).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_paste_joins_a_router_in_home_mode() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let (id, block) = (added.text("id"), added.text("block"));
    assert_eq!(added.text("address"), "10.10.1.1");
    assert_eq!(show(&test, &isp, &id).await["stage"], "created");

    let box_ = router(1).await;
    let ended = paste(&box_, &block).await;
    assert_eq!((ended.output, ended.failures), (vec![JOINED.to_owned()], vec![]));
    completed(&test, &isp, &id).await;
    let seen = show(&test, &isp, &id).await;
    assert_eq!((&seen["stage"], &seen["serial"]), (&json!("joined"), &json!(serial(&box_))));
    assert_eq!(seen["tunnel"]["connected"], true);

    let first = value(&block, "password")[0];
    let now = password(&box_).expect("the account");
    assert_ne!(now, first, "the password that was pasted is good no more");
    let peers: Vec<_> =
        box_.shared().with(|router, _| router.device().rows(PEERS).map(|row| row.get("allowed-address").to_owned()).collect());
    assert_eq!(peers, ["10.10.0.1/32"], "the enrolment peer is gone");
    assert!(opens(&test, &isp, router_id(&added)).await);

    let path = format!("/api/v1/routers/{id}/confirm");
    let _ = test.call("POST", &path, &isp.token, Some(json!({ "serial": "ANOTHER" }))).await.expect(400);
    assert_eq!(show(&test, &isp, &id).await["stage"], "joined");
    let _ = test.call("POST", &path, &isp.token, Some(json!({ "serial": serial(&box_) }))).await.expect(204);
    assert_eq!(show(&test, &isp, &id).await["stage"], "confirmed");

    // By the router that was bound it may be pasted again, even when it is over.
    assert_eq!(paste(&box_, &block).await.output, [JOINED]);
    assert_eq!(password(&box_), Some(now), "and it does not bring the old password back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_joins_once() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let server = tokio::spawn(axum::serve(listener, test.service()).into_future());
    let line = added.text("line").replace("127.0.0.1:8080", &address);
    let url = line.split('"').nth(1).expect("a quoted url");
    assert!(!url.contains("mw_line_"), "the token is not in the URL");

    let config = Config::new(Board::find("CHR").expect("a board"), "7.21.5".parse().expect("a version"), 2);
    let box_ = Simulator::start(Options::new(config), Arc::new(SystemClock)).await.expect("a router");
    let ended = paste(&box_, &line).await;
    assert_eq!(ended.failures, []);
    completed(&test, &isp, &added.text("id")).await;
    let files: Vec<_> =
        box_.shared().with(|router, _| router.device().rows("/file").map(|row| row.get("name").to_owned()).collect());
    assert_eq!(files, [""; 0], "the file with the secrets is gone");

    let other = router(3).await;
    let config = paste(&other, &line).await;
    assert!(!config.failures.is_empty(), "a home router may not fetch");
    let token = line.split("x-mastwire-token:").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    let _ = test.call("GET", "/api/v1/enrolment/block", token, None).await.expect(404);
    server.abort();
}

#[tokio::test]
async fn the_line_hands_out_the_same_block_once() {
    let test = TestApp::new().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let line = added.text("line");
    let token = line.split("x-mastwire-token:").nth(1).and_then(|rest| rest.split('"').next()).expect("a token").to_owned();
    let request = Request::get("/api/v1/enrolment/block").header("x-mastwire-token", &token).body(Body::empty()).expect("good");
    let response = test.service().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), 200);
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("whole");
    assert_eq!(body, added.text("block"));
    let _ = test.call("GET", "/api/v1/enrolment/block", &token, None).await.expect(404);
    let _ = test.call("GET", "/api/v1/enrolment/block", &token.replace("mw_line_", "mw_login_"), None).await.expect(404);
    let _ = test.call("GET", "/api/v1/enrolment/block", "", None).await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_routers_with_one_block_and_a_closed_api() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let (id, block) = (added.text("id"), added.text("block"));

    // The API is closed on the first, so that it is bound and its enrolment stays open.
    let first = router(4).await;
    paste(&first, "/ip service set api address=192.168.0.0/16").await;
    let ended = paste(&first, &block).await;
    assert!(ended.output.iter().any(|line| line == JOINED), "{:?}", ended.output);
    assert_eq!(state(&test, &isp, &id).await, "bound");

    let second = router(5).await;
    let ended = paste_in_vain(&second, &block).await;
    assert!(ended.output[0].starts_with("Mastwire: not joined"), "{:?}", ended.output);
    let key = second
        .shared()
        .with(|router, _| router.device().rows("/interface/wireguard").next().map(|row| row.get("public-key").to_owned()));
    until("the second router is named by its key", || async {
        let seen = show(&test, &isp, &id).await["enrolment"]["last_attempt"].as_str().unwrap_or_default().to_owned();
        seen.contains(key.as_deref().expect("it has a key")) && seen.contains("second router")
    })
    .await;

    // It is finished as soon as the API is opened, without a new paste or handshake.
    paste(&first, "/ip service set api address=10.10.0.1/32").await;
    until("the first router is finished", || async {
        enrolment::finish_bound(&test.app).await.expect("the database is there");
        state(&test, &isp, &id).await == "completed"
    })
    .await;
    assert_eq!(show(&test, &isp, &id).await["serial"], serial(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_proofs_at_once_one_is_bound() {
    let test = TestApp::new().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let enrolment: EnrolmentId = added.text("enrolment").parse().expect("an id");
    let from: SocketAddr = "192.0.2.9:51820".parse().expect("an address");
    let keys: Vec<_> = (1..=8).map(|number| WgPublicKey::from_bytes([number; 32])).collect();
    let proofs = keys.iter().map(|key| enrolment::proven(&test.app, enrolment, *key, from));
    let taken: Vec<_> = futures_util::future::join_all(proofs).await.into_iter().map(|proof| proof.expect("answered")).collect();
    let won: Vec<_> = (0..8).filter(|place| taken[*place] != enrolment::Bound::No).collect();
    assert_eq!(won.len(), 1, "{taken:?}");
    // The hub may say again what it has said.
    let again = enrolment::proven(&test.app, enrolment, keys[won[0]], from).await.expect("answered");
    assert_eq!(again, enrolment::Bound::Yes(router_id(&added)));
    let seen = show(&test, &isp, &added.text("id")).await;
    assert!(seen["enrolment"]["last_attempt"].as_str().is_some_and(|text| text.contains("second router")), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_is_seen_after_use_is_worth_nothing() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let owner = router(6).await;
    paste(&owner, &added.text("block")).await;
    completed(&test, &isp, &added.text("id")).await;

    let thief = router(7).await;
    let ended = paste_in_vain(&thief, &added.text("block")).await;
    assert!(ended.output[0].starts_with("Mastwire: not joined"), "{:?}", ended.output);
    assert_eq!(show(&test, &isp, &added.text("id")).await["serial"], serial(&owner));
    assert!(opens(&test, &isp, router_id(&added)).await, "and the owner is not disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_is_seen_before_use_shows_at_the_serial_number() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let id = added.text("id");
    let (thief, owner) = (router(8).await, router(9).await);
    paste(&thief, &added.text("block")).await;
    completed(&test, &isp, &id).await;

    let path = format!("/api/v1/routers/{id}");
    let wrong =
        test.call("POST", &format!("{path}/confirm"), &isp.token, Some(json!({ "serial": serial(&owner) }))).await.expect(400);
    assert!(wrong.text("detail").contains("sticker"), "{}", wrong.body);
    assert_eq!(show(&test, &isp, &id).await["stage"], "joined", "so nothing is set up on it");

    let _ = test.call("DELETE", &path, &isp.token, None).await.expect(200);
    let _ = test.call("GET", &path, &isp.token, None).await.expect(404);
    let address = "10.10.1.1".parse().expect("an address");
    assert!(test.app.tunnels.status(address).await.expect("the hub runs").is_none(), "its peer is revoked");
    let next = add(&test, &isp, "Mast 7").await.expect(201);
    assert_eq!(next.text("address"), "10.10.1.2", "an address that was used rests");
    paste(&owner, &next.text("block")).await;
    completed(&test, &isp, &next.text("id")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_is_pasted_a_month_later_does_nothing() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    // A login would be over by then.
    let isp = TestTenant { token: test.token(&isp, Role::Admin).await, ..isp };
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let id = added.text("id");
    test.clock.advance(SignedDuration::from_hours(30 * 24));
    // Even before anybody has swept, it binds nobody.
    let key = WgPublicKey::from_bytes([9; 32]);
    let from: SocketAddr = "192.0.2.9:51820".parse().expect("an address");
    let enrolment: EnrolmentId = added.text("enrolment").parse().expect("an id");
    let bound = enrolment::proven(&test.app, enrolment, key, from).await.expect("the database is there");
    assert_eq!(bound, enrolment::Bound::No);
    enrolment::expire(&test.app).await.expect("the database is there");
    assert_eq!(state(&test, &isp, &id).await, "expired");
    assert_eq!(show(&test, &isp, &id).await["address"], Value::Null);

    let late = router(10).await;
    let ended = paste_in_vain(&late, &added.text("block")).await;
    assert!(ended.output.iter().any(|line| line.contains("has expired")), "{:?}", ended.output);
    let other = add(&test, &isp, "Mast 8").await.expect(201);
    assert_eq!(other.text("address"), "10.10.1.1", "an address that nobody used is free at once");
    let again = test.call("POST", &format!("/api/v1/routers/{id}/reissue"), &isp.token, None).await.expect(201);
    assert_eq!(again.text("address"), "10.10.1.2");
    assert_eq!(state(&test, &isp, &id).await, "pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_texts_replace_the_old_and_a_working_tunnel_waits_for_them() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let (id, path) = (added.text("id"), format!("/api/v1/routers/{}/reissue", added.text("id")));
    let box_ = router(11).await;
    paste(&box_, &added.text("block")).await;
    completed(&test, &isp, &id).await;

    let cancelled = test.call("POST", &path, &isp.token, None).await.expect(201);
    let newest = test.call("POST", &path, &isp.token, None).await.expect(201);
    assert_eq!(newest.text("address"), added.text("address"));
    let ended = paste_in_vain(&box_, &cancelled.text("block")).await;
    assert!(ended.output.iter().any(|line| line.contains("earlier tunnel")), "{:?}", ended.output);
    assert!(opens(&test, &isp, router_id(&added)).await, "texts that were replaced do not disturb a tunnel that works");

    let before = password(&box_);
    assert_eq!(paste(&box_, &newest.text("block")).await.output, [JOINED]);
    completed(&test, &isp, &id).await;
    assert_ne!(password(&box_), before);
    assert!(opens(&test, &isp, router_id(&added)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_box_under_a_known_name_is_told() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let id = added.text("id");
    let (first, other) = (router(12).await, router(13).await);
    paste(&first, &added.text("block")).await;
    completed(&test, &isp, &id).await;
    let again = test.call("POST", &format!("/api/v1/routers/{id}/reissue"), &isp.token, None).await.expect(201);
    paste(&other, &again.text("block")).await;
    until("the serial numbers are named", || async {
        let seen = show(&test, &isp, &id).await["enrolment"]["last_attempt"].as_str().unwrap_or_default().to_owned();
        seen.contains(&serial(&first)) && seen.contains(&serial(&other))
    })
    .await;
    assert_eq!(state(&test, &isp, &id).await, "bound", "and it is not completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_key_is_refused_by_name() {
    let test = TestApp::running().await;
    let (isp, other) = (test.tenant("Savanna").await, test.tenant("Rift").await);
    let (one, two) = (add(&test, &isp, "Mast 7").await.expect(201), add(&test, &other, "Mast 7").await.expect(201));
    let original = router(14).await;
    paste(&original, &one.text("block")).await;
    completed(&test, &isp, &one.text("id")).await;
    // A router that was restored from the other's backup has its key.
    let key = original
        .shared()
        .with(|router, _| router.device().rows("/interface/wireguard").next().map(|row| row.get("public-key").to_owned()));
    let key: WgPublicKey = key.and_then(|key| key.parse().ok()).expect("it has a key");
    let enrolment: EnrolmentId = two.text("enrolment").parse().expect("an id");
    let from: SocketAddr = "192.0.2.9:51820".parse().expect("an address");
    let refused = enrolment::proven(&test.app, enrolment, key, from).await.expect_err("the key is another router's");
    assert!(refused.to_string().contains("belongs to another router"), "{refused}");
    let seen = show(&test, &other, &two.text("id")).await;
    assert_eq!(seen["enrolment"]["state"], "pending", "nothing was bound");
    assert!(seen["enrolment"]["last_attempt"].as_str().is_some_and(|text| text.contains("belongs to another router")), "{seen}");
    assert!(!opens(&test, &other, router_id(&two)).await && opens(&test, &isp, router_id(&one)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_binding_is_made_good_by_the_next_start() {
    let mut test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let id = router_id(&added);
    let box_ = router(15).await;
    paste(&box_, "/ip service set api disabled=yes address=192.168.0.0/16").await;
    paste(&box_, &added.text("block")).await;
    assert_eq!(state(&test, &isp, &added.text("id")).await, "bound");
    test.stop().await;

    // Bound in the database, and the hub lost everything.
    let address = "10.10.1.1".parse().expect("an address");
    test.app.tunnels.remove(address).await.expect("the hub runs");
    test.app.tunnels.forget(added.text("enrolment").parse().expect("an id")).await.expect("the hub runs");
    assert_eq!(enrolment::resume(&test.app).await.expect("the database is there"), 1);
    assert_eq!(tunnels::install_all(&test.app).await.expect("the database is there"), 1);
    until("the router is connected again", || async {
        test.app.tunnels.status(address).await.expect("the hub runs").is_some_and(|status| status.up)
    })
    .await;

    // The controller dies right after the router took the new password.
    paste(&box_, "/ip service set api disabled=no address=10.10.0.1/32").await;
    let first = password(&box_);
    let door = door(&test, isp.id).await;
    let died = tokio::select! {
        _ = async { loop { let _ = enrolment::complete(&test.app, &door, id).await; tokio::task::yield_now().await } } => false,
        () = until("the password is replaced", || async { password(&box_) != first }) => true,
    };
    assert!(died);
    assert!(opens(&test, &isp, id).await, "either of the two passwords logs in");
    until("it is finished", || async { enrolment::complete(&test.app, &door, id).await.is_ok() }).await;
    assert_eq!(state(&test, &isp, &added.text("id")).await, "completed");
    assert!(opens(&test, &isp, id).await);
}

#[tokio::test]
async fn a_stolen_database_holds_nothing_that_joins() {
    let test = TestApp::new().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let block = added.text("block");
    let mut secrets: Vec<Vec<u8>> = value(&block, "preshared-key").into_iter().map(key_bytes).collect();
    secrets.push(value(&block, "password")[0].as_bytes().to_vec());
    secrets.push(
        added.text("line").split("x-mastwire-token:").nth(1).and_then(|rest| rest.split('"').next()).expect("a token").into(),
    );
    assert_eq!(secrets.len(), 4);
    let enrolment: EnrolmentId = added.text("enrolment").parse().expect("an id");
    let key = WgPublicKey::from_bytes([9; 32]);
    enrolment::proven(&test.app, enrolment, key, "192.0.2.9:1".parse().expect("an address")).await.expect("it is bound");

    let mut owner = test.db.connect_as("postgres").await;
    for rows in [
        "SELECT coalesce(string_agg(t::text, ' '), '') FROM enrolment t",
        "SELECT coalesce(string_agg(t::text, ' '), '') FROM router t",
        "SELECT coalesce(string_agg(t::text, ' '), '') FROM router_object t",
        "SELECT coalesce(string_agg(t::text, ' '), '') FROM tunnel_peer t",
        "SELECT coalesce(string_agg(t::text, ' '), '') FROM hub_key t",
        "SELECT coalesce(string_agg(t::text, ' '), '') FROM audit_log t",
        "SELECT coalesce(string_agg(t::text, ' '), '') FROM platform_audit t",
    ] {
        let text: String = sqlx::query_scalar(rows).fetch_one(&mut owner).await.expect("readable");
        assert!(!text.is_empty(), "{rows}");
        for secret in &secrets {
            let plain = String::from_utf8_lossy(secret).into_owned();
            assert!(!text.contains(&hex::encode(secret)) && !text.contains(&plain), "{rows}");
        }
    }
    owner.close().await.expect("closed");
}

fn key_bytes(text: &str) -> Vec<u8> {
    text.parse::<WgPublicKey>().expect("44 base64 characters").as_bytes().to_vec()
}

#[tokio::test]
async fn secrets_are_erased_when_an_enrolment_ends() {
    let test = TestApp::new().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let _ = test.call("DELETE", &format!("/api/v1/routers/{}", added.text("id")), &isp.token, None).await.expect(200);
    let mut owner = test.db.connect_as("postgres").await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM enrolment WHERE num_nonnulls(hub_private_key, preshared_key, lasting_preshared_key, api_password, line_token_hash) > 0")
        .fetch_one(&mut owner)
        .await
        .expect("readable");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_tenant_may_have_so_many_waiting_and_no_more() {
    let test = TestApp::new().await;
    let (isp, other) = (test.tenant("Savanna").await, test.tenant("Rift").await);
    for number in 0..32 {
        let _ = add(&test, &isp, &format!("Mast {number}")).await.expect(201);
    }
    let refused = add(&test, &isp, "One too many").await.expect(429);
    assert!(refused.text("detail").contains("waiting to join"), "{}", refused.body);
    let free = add(&test, &other, "Mast 1").await.expect(201);
    assert_eq!(free.text("address"), "10.10.1.65", "another tenant has its own limit and its own block");

    // The whole hub is full when rows of others fill it.
    let mut owner = test.db.connect_as("postgres").await;
    for fill in [
        "INSERT INTO router (tenant_id, id, name, created_at)
         SELECT $1, gen_random_uuid(), 'Filler ' || n, now() FROM generate_series(1, 479) n",
        "INSERT INTO enrolment (tenant_id, id, router_id, hub_public_key, created_at, expires_at)
         SELECT $1, gen_random_uuid(), id, sha256(id::text::bytea), now(), now() + interval '1 year' FROM router
          WHERE tenant_id = $1 AND name LIKE 'Filler %'",
    ] {
        sqlx::query(fill).bind(other.id.uuid()).execute(&mut owner).await.expect("filled");
    }
    let third = test.tenant("Coast").await;
    let refused = add(&test, &third, "Mast 1").await.expect(429);
    assert!(refused.text("detail").contains("512"), "{}", refused.body);
}

#[tokio::test]
async fn routers_are_their_tenants_and_their_roles() {
    let test = TestApp::new().await;
    let (isp, other) = (test.tenant("Savanna").await, test.tenant("Rift").await);
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let _ = add(&test, &isp, "Mast 7").await.expect(409);
    let _ = add(&test, &isp, " ").await.expect(400);
    let _ = add(&test, &isp, "a\nb").await.expect(400);
    let _ = add(&test, &other, "Mast 7").await.expect(201);
    let path = format!("/api/v1/routers/{}", added.text("id"));
    for (method, path, body) in [
        ("GET", path.clone(), None),
        ("DELETE", path.clone(), None),
        ("POST", format!("{path}/reissue"), None),
        ("POST", format!("{path}/confirm"), Some(json!({ "serial": "x" }))),
    ] {
        let _ = test.call(method, &path, &other.token, body).await.expect(404);
    }
    let viewer = test.token(&isp, Role::Viewer).await;
    let _ = test.call("GET", &path, &viewer, None).await.expect(200);
    let _ = test.call("POST", "/api/v1/routers", &viewer, Some(json!({ "name": "x" }))).await.expect(403);
    let _ = test.call("POST", &format!("{path}/reissue"), &viewer, None).await.expect(403);
    let _ = test.call("POST", &format!("{path}/confirm"), &isp.token, Some(json!({ "serial": "x" }))).await.expect(409);
    let listed = test.call("GET", "/api/v1/routers", &isp.token, None).await.expect(200);
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_router_that_is_gone_can_be_removed() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let box_ = router(16).await;
    paste(&box_, &added.text("block")).await;
    completed(&test, &isp, &added.text("id")).await;
    // Its API answers no more, as if it had been reset.
    paste(&box_, "/ip service set api disabled=yes").await;
    let removed = test.call("DELETE", &format!("/api/v1/routers/{}", added.text("id")), &isp.token, None).await.expect(200);
    assert_eq!(removed.body["cleaned"], false);
    assert!(removed.text("left").contains("mw:"), "{}", removed.body);
    assert!(test.app.tunnels.status("10.10.1.1".parse().expect("an address")).await.expect("the hub runs").is_none());
    assert_eq!(add(&test, &isp, "Mast 7").await.expect(201).text("address"), "10.10.1.2");
}

// One thread: the last words that cut the path then leave in one packet, as they do when nothing else keeps the controller busy.
#[tokio::test]
async fn a_router_that_leaves_is_as_it_was() {
    let test = TestApp::running().await;
    let isp = test.tenant("Savanna").await;
    let added = add(&test, &isp, "Mast 7").await.expect(201);
    let box_ = router(17).await;
    paste(&box_, "/ip service set api disabled=yes").await;
    let before = configuration(&box_);
    paste(&box_, &added.text("block")).await;
    completed(&test, &isp, &added.text("id")).await;
    assert_ne!(configuration(&box_), before);
    let removed = test.call("DELETE", &format!("/api/v1/routers/{}", added.text("id")), &isp.token, None).await.expect(200);
    assert_eq!(removed.body, json!({ "cleaned": true, "left": null }));
    until("its last words have been done", || async { configuration(&box_) == before }).await;
}

/// Every row that somebody configured, and the settings that exist once and that the block touches.
fn configuration(router: &Simulator) -> Vec<String> {
    const MENUS: [&str; 8] = [
        "/interface/wireguard",
        PEERS,
        "/ip/address",
        "/ip/firewall/filter",
        "/ip/firewall/address-list",
        "/ip/service",
        "/user",
        "/user/group",
    ];
    let print = |menu: &str| {
        router.shared().with(|router, now| {
            let request = routeros_sim::device::Request::new(menu, "print");
            let answer = router.execute(&routeros_sim::device::Session::console(), &request, now).expect("it prints");
            let fleeting = ["last-logged-in", ".id", "bytes", "packets", "status", "synced-server"];
            answer
                .rows
                .into_iter()
                .map(|row| {
                    let kept = row.into_iter().filter(|(name, _)| !fleeting.contains(&name.as_str()));
                    kept.map(|(name, value)| format!("{name}={value} ")).collect::<String>()
                })
                .collect::<Vec<_>>()
        })
    };
    MENUS.into_iter().chain(["/system/ntp/client"]).flat_map(print).collect()
}
