//! A controller, tenants and virtual routers, ready for a scenario.

use crate::recordings;
use controller::operators::Role;
use controller::testing::{TestApp, TestTenant};
use jiff::SignedDuration;
use model::{Clock, RouterosVersion};
use routeros::codec::Sentence;
use routeros::contract::{Schema, check};
use routeros_sim::control::{Command, Fault};
use routeros_sim::device::{BOARDS, Config};
use routeros_sim::shell::Shared;
use routeros_sim::simulator::{Options, Simulator};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// How long anything may take before a scenario counts as failed; far beyond what it takes, so that a slow machine fails nothing.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A virtual router with its record in the controller.
#[derive(Debug)]
pub struct Router {
    /// The controller's id for it.
    pub id: String,
    /// The router itself.
    pub sim: Simulator,
    /// Its serial number.
    pub serial: String,
    /// Held to the recordings at the end.
    pub sent: Sent,
}

/// What a router is sent, which is held to the recording of its version when a test is done with it, where there are recordings.
#[derive(Debug)]
pub struct Sent {
    shared: Arc<Shared>,
}

impl Sent {
    /// Holds what a router is sent to the recording of its version.
    #[must_use]
    pub fn to(router: &Simulator) -> Self {
        Self { shared: router.shared().clone() }
    }
}

impl Drop for Sent {
    /// # Panics
    /// When the router was sent what its version does not have.
    fn drop(&mut self) {
        static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| recordings::schemas().expect("recordings that can be read"));
        if std::thread::panicking() {
            return;
        }
        let (version, sentences) = self
            .shared
            .with(|router, _| (router.device().config().version, router.transcript().cloned().collect::<Vec<Sentence>>()));
        for schema in SCHEMAS.iter().filter(|schema| schema.version() == version) {
            assert_eq!(check(&sentences, schema), [], "sent to a router of {version}");
        }
    }
}

/// Waits until a condition holds.
///
/// # Panics
/// When it does not within [`PATIENCE`].
pub async fn until<F: AsyncFnMut() -> bool>(what: &str, holds: F) {
    assert!(holds_in_time(holds).await, "not within {PATIENCE:?}: {what}");
}

async fn holds_in_time<F: AsyncFnMut() -> bool>(mut holds: F) -> bool {
    let mut look = tokio::time::interval(LOOK);
    let waiting = async {
        while !holds().await {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.is_ok()
}

/// Describes a router of a board and version with a serial number.
///
/// # Panics
/// When the board is unknown.
#[must_use]
pub fn config(board: &str, version: &str, serial: &str) -> Config {
    let board = BOARDS.iter().find(|known| known.name == board).expect("a known board");
    let version: RouterosVersion = version.parse().expect("a version");
    // Two boxes with one seed would make the same keys.
    let seed = serial.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(131).wrapping_add(byte.into()));
    let mut config = Config::new(board, version, seed);
    config.serial = serial.to_owned();
    config
}

/// Makes an ISP; its token is good for ever, so that a scenario may let days pass.
///
/// # Panics
/// When that fails.
pub async fn isp(test: &TestApp, name: &str) -> TestTenant {
    let tenant = test.tenant(name).await;
    let token = test.token(&tenant, Role::Admin).await;
    TestTenant { token, ..tenant }
}

/// Moves the clock to five minutes past a full hour: what ends in whole hours from now ends 55 minutes before its fuse.
pub fn five_past(test: &TestApp) {
    let past = test.clock.now().as_second().rem_euclid(3600);
    test.clock.advance(SignedDuration::from_secs(3600 + 300 - past));
}

/// Switches a virtual router on that nobody knows yet.
///
/// # Panics
/// When it does not start.
pub async fn start(test: &TestApp, config: Config) -> Simulator {
    let clock: Arc<dyn Clock> = test.clock.clone();
    Simulator::start(Options::new(config), clock).await.expect("a virtual router")
}

/// Adds a router, pastes the block into a virtual one, waits until it has joined, and confirms its serial number.
///
/// # Panics
/// When any of it fails.
pub async fn onboard(test: &TestApp, tenant: &TestTenant, name: &str, config: Config) -> Router {
    let serial = config.serial.clone();
    let added = test.call("POST", "/api/v1/routers", &tenant.token, Some(json!({ "name": name }))).await.expect(201);
    let sim = start(test, config).await;
    let id = added.text("id");
    let pasted = sim.control(Command::Paste { text: added.text("block") }).await.expect("the terminal takes it");
    let path = format!("/api/v1/routers/{id}");
    let joined = async || test.call("GET", &path, &tenant.token, None).await.expect(200).body["stage"] == "joined";
    let waited = tokio::time::timeout(PATIENCE, until("the router joins", joined)).await;
    assert!(waited.is_ok(), "{pasted}");
    let confirm = json!({ "serial": serial });
    let _ = test.call("POST", &format!("{path}/confirm"), &tenant.token, Some(confirm)).await.expect(204);
    let sent = Sent::to(&sim);
    Router { id, sim, serial, sent }
}

/// Chooses services for a router and applies the plan; returns the answer.
///
/// # Panics
/// When it is not applied.
pub async fn serve(test: &TestApp, tenant: &TestTenant, router: &Router, services: Value) -> Value {
    let path = format!("/api/v1/routers/{}", router.id);
    let body = json!({ "services": services });
    let _ = test.call("PUT", &format!("{path}/services"), &tenant.token, Some(body)).await.expect(204);
    test.call("POST", &format!("{path}/apply"), &tenant.token, None).await.expect(200).body
}

/// Makes a package that lasts a day, 10 Mbit/s down and 5 up; returns its id. `more` adds to or replaces these fields.
///
/// # Panics
/// When it is refused.
pub async fn package_with(test: &TestApp, tenant: &TestTenant, kind: &str, name: &str, minor: i64, more: Value) -> String {
    let body = json!({
        "name": name, "kind": kind, "price": { "minor": minor, "currency": "KES" },
        "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 },
        "validity": { "seconds": 86_400 },
    });
    test.call("POST", "/api/v1/packages", &tenant.token, Some(with(body, &more))).await.expect(201).text("id")
}

/// Makes a package that lasts a day, 10 Mbit/s down and 5 up; returns its id.
///
/// # Panics
/// When it is refused.
pub async fn package(test: &TestApp, tenant: &TestTenant, kind: &str, name: &str, minor: i64) -> String {
    package_with(test, tenant, kind, name, minor, json!({})).await
}

/// Makes a customer with the password `dial-1234`; returns the id. `more` adds to these fields.
///
/// # Panics
/// When it is refused.
pub async fn customer_with(
    test: &TestApp,
    tenant: &TestTenant,
    router: &Router,
    package: &str,
    login: &str,
    more: Value,
) -> String {
    let body = json!({ "login": login, "password": "dial-1234", "router": router.id, "package": package });
    test.call("POST", "/api/v1/customers", &tenant.token, Some(with(body, &more))).await.expect(201).text("id")
}

/// Makes a customer with the password `dial-1234`; returns the id.
///
/// # Panics
/// When it is refused.
pub async fn customer(test: &TestApp, tenant: &TestTenant, router: &Router, package: &str, login: &str) -> String {
    customer_with(test, tenant, router, package, login, json!({})).await
}

fn with(mut body: Value, more: &Value) -> Value {
    for (field, value) in more.as_object().into_iter().flatten() {
        body[field] = value.clone();
    }
    body
}

/// Takes cash for a customer; returns the payment's id.
///
/// # Panics
/// When it is refused.
pub async fn pay(test: &TestApp, tenant: &TestTenant, customer: &str, minor: i64) -> String {
    let body = json!({ "amount": { "minor": minor, "currency": "KES" } });
    test.call("POST", &format!("/api/v1/customers/{customer}/payments"), &tenant.token, Some(body))
        .await
        .expect(201)
        .text("payment")
}

/// Returns how the virtual router's customer of that name fares, as its control socket tells.
///
/// # Panics
/// When the router does not tell.
pub async fn fares(router: &Router, name: &str) -> Value {
    let all = router.sim.control(Command::Customers).await.expect("a running router tells");
    let list = all.as_array().cloned().unwrap_or_default();
    list.into_iter().find(|customer| customer["name"] == name).unwrap_or(Value::Null)
}

/// Switches a customer's box on a port on, or off and on again; it dials at once.
///
/// # Panics
/// When the router refuses the command.
pub async fn dial_on(router: &Router, interface: &str, name: &str, password: &str) {
    let dial = Command::Dial { name: name.into(), password: password.into(), interface: interface.into(), mac: String::new() };
    router.sim.control(dial).await.expect("the box is switched on");
}

/// Switches a customer's box on `ether5` on, or off and on again; it dials at once.
///
/// # Panics
/// When the router refuses the command.
pub async fn dial(router: &Router, name: &str, password: &str) {
    dial_on(router, "ether5", name, password).await;
}

/// Types lines at a virtual router's terminal, as its operator does.
///
/// # Panics
/// When a line fails.
pub async fn type_in(router: &Router, lines: &str) {
    let done = router.sim.control(Command::Paste { text: format!("{lines}\n") }).await.expect("the terminal takes it");
    assert_eq!(done["failures"], json!([]), "{lines}");
}

/// Lets something go wrong on a virtual router, or right again.
///
/// # Panics
/// When it cannot.
pub async fn fault(router: &Router, fault: Fault) {
    router.sim.control(Command::Fault(fault)).await.expect("a fault that this router can have");
}

/// Has the router brought to what is wanted now, and returns how many writes that took.
///
/// # Panics
/// When it is not applied.
pub async fn apply(test: &TestApp, tenant: &TestTenant, router: &Router) -> u64 {
    let path = format!("/api/v1/routers/{}/apply", router.id);
    let done = test.call("POST", &path, &tenant.token, None).await.expect(200).body;
    done["writes"].as_u64().expect("a number")
}

/// Prints a menu of a virtual router as its administrator sees it; each query is a word such as `name=jane`.
///
/// # Panics
/// When the router refuses.
pub async fn print(router: &Router, path: &str, queries: &[&str]) -> Vec<Value> {
    let queries = queries.iter().map(|&query| query.to_owned()).collect();
    let rows = router.sim.control(Command::Print { path: path.into(), queries }).await.expect("a menu that exists");
    rows.as_array().cloned().unwrap_or_default()
}

/// Prints the one row of a menu for which the queries hold.
///
/// # Panics
/// When there is none, or more than one.
pub async fn row(router: &Router, path: &str, queries: &[&str]) -> Value {
    let mut rows = print(router, path, queries).await;
    assert_eq!(rows.len(), 1, "{path} {queries:?}: {rows:?}");
    rows.remove(0)
}

/// Waits until the virtual router's customer reaches the internet, or does not.
///
/// # Panics
/// When that does not happen in time.
pub async fn until_online(router: &Router, name: &str, online: bool) {
    let is = async || fares(router, name).await["online"] == online;
    assert!(holds_in_time(is).await, "{name} is not online: {online} within {PATIENCE:?}: {}", fares(router, name).await);
}

/// Returns how a router stands to what it should hold.
///
/// # Panics
/// When it is refused.
pub async fn state(test: &TestApp, tenant: &TestTenant, router: &Router) -> Value {
    test.call("GET", &format!("/api/v1/routers/{}/state", router.id), &tenant.token, None).await.expect(200).body
}

/// Waits until a router was seen to hold what is wanted.
///
/// # Panics
/// When that does not happen in time.
pub async fn until_in_sync(test: &TestApp, tenant: &TestTenant, router: &Router) {
    let in_sync = async || state(test, tenant, router).await["in_sync"] == true;
    assert!(holds_in_time(in_sync).await, "not in sync within {PATIENCE:?}: {}", state(test, tenant, router).await);
}

/// Returns the plans that were applied to a router, newest first.
///
/// # Panics
/// When it is refused.
pub async fn change_sets(test: &TestApp, tenant: &TestTenant, router: &Router) -> Vec<Value> {
    let path = format!("/api/v1/routers/{}/change-sets?limit=100", router.id);
    let list = test.call("GET", &path, &tenant.token, None).await.expect(200);
    list.body["items"].as_array().cloned().unwrap_or_default()
}

/// Returns how many writes a second pass would send.
///
/// # Panics
/// When the router cannot be read.
pub async fn planned(test: &TestApp, tenant: &TestTenant, router: &Router) -> Value {
    test.call("GET", &format!("/api/v1/routers/{}/plan", router.id), &tenant.token, None).await.expect(200).body
}

/// Brings a phone to the hotspot on `ether2`, or to its login page again, and logs it in; returns how it fares.
///
/// # Panics
/// When the router does not tell.
pub async fn hotspot_login(router: &Router, mac: &str, user: &str, password: &str) -> Value {
    let (user, password) = (Some(user.to_owned()), password.to_owned());
    let login = Command::HotspotLogin { mac: mac.into(), interface: "ether2".into(), user, password };
    router.sim.control(login).await.expect("the phone comes");
    fares(router, mac).await
}
