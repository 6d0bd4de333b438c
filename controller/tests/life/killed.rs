//! Goal: a payment that was answered is never lost, however the controller ends before the router has heard of it.
//! Method: a virtual router joins the real program and goes away; a payment is taken; the program is killed without a word and started
//! again; the router comes back and its customer goes online, paid once.

use super::program::Program;
use model::{Clock, RouterosVersion};
use routeros_sim::control::{Command, Fault};
use routeros_sim::device::{Board, Config};
use routeros_sim::simulator::{Options, Simulator};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long anything may take before the test gives up; a restarted hub is found again within its routers' keepalives.
const PATIENCE: Duration = Duration::from_secs(150);

async fn until<F: AsyncFnMut() -> bool>(what: &str, mut holds: F) {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let waiting = async {
        while !holds().await {
            look.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not within {PATIENCE:?}: {what}");
}

async fn expect(program: &Program, status: u16, method: &str, path: &str, token: &str, body: Option<Value>) -> Value {
    let (got, answer) = program.call(method, path, token, body).await;
    assert_eq!(got, status, "{method} {path}: {answer}");
    answer
}

/// Makes a tenant and logs its admin in.
async fn tenant(program: &mut Program) -> String {
    let platform = program.first_operator().await;
    let body = json!({ "name": "Baraka Net", "admin_login": "baraka" });
    let made = expect(program, 201, "POST", "/api/v1/platform/tenants", &platform, Some(body)).await;
    program.log_in_as("baraka", made["setup_token"].as_str().expect("a new person"), "a long second password").await
}

/// Brings a virtual router in, up to serving PPPoE; returns its path in the API.
async fn join(program: &Program, token: &str) -> (Simulator, String, String) {
    let added = expect(program, 201, "POST", "/api/v1/routers", token, Some(json!({ "name": "tower" }))).await;
    let board = Board::find("RB5009").expect("a known board");
    let mut config = Config::new(board, RouterosVersion::new(7, 22, 3), 11);
    config.serial = "HF9999999ZZ".to_owned();
    let clock: Arc<dyn Clock> = Arc::new(controller::serve::SystemClock);
    let sim = Simulator::start(Options::new(config), clock).await.expect("a virtual router");
    let text = added["block"].as_str().expect("a block").to_owned();
    sim.control(Command::Paste { text }).await.expect("the terminal takes it");
    let id = added["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/routers/{id}");
    until("the router joins", async || program.call("GET", &path, token, None).await.1["stage"] == "joined").await;
    expect(program, 204, "POST", &format!("{path}/confirm"), token, Some(json!({ "serial": "HF9999999ZZ" }))).await;
    let services = json!({ "services": [{ "kind": "pppoe", "interfaces": ["bridge"] }] });
    expect(program, 204, "PUT", &format!("{path}/services"), token, Some(services)).await;
    expect(program, 200, "POST", &format!("{path}/apply"), token, None).await;
    (sim, id, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_survives_the_kill_of_the_controller_before_the_push() {
    let mut program = Program::start_for_routers().await;
    let token = tenant(&mut program).await;
    let (sim, router, path) = join(&program, &token).await;
    let package = json!({ "name": "Home", "kind": "pppoe", "price": { "minor": 150_000, "currency": "KES" },
        "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }, "validity": { "seconds": 86_400 }, "on_expiry": "redirect" });
    let package = expect(&program, 201, "POST", "/api/v1/packages", &token, Some(package)).await["id"].clone();
    let customer = json!({ "login": "jane", "password": "dial-1234", "router": router, "package": package });
    let customer = expect(&program, 201, "POST", "/api/v1/customers", &token, Some(customer)).await;
    let dial =
        Command::Dial { name: "jane".into(), password: "dial-1234".into(), interface: "ether5".into(), mac: String::new() };
    sim.control(dial).await.expect("she dials");

    sim.control(Command::Fault(Fault::CutLink)).await.expect("the uplink goes away");
    let payments = format!("/api/v1/customers/{}/payments", customer["id"].as_str().expect("an id"));
    let cash = json!({ "amount": { "minor": 150_000, "currency": "KES" } });
    let paid = expect(&program, 201, "POST", &payments, &token, Some(cash.clone())).await;
    program.kill().await;

    let mut program = program.restart(&["--endpoint", "127.0.0.1:1"]).await;
    // The desk did not see the answer and sends the same again.
    let again = expect(&program, 201, "POST", &payments, &token, Some(cash)).await;
    assert_eq!(again, paid, "done once, answered the same");
    sim.control(Command::Fault(Fault::RestoreLink)).await.expect("the uplink is back");
    until("the router holds it", async || program.call("GET", &format!("{path}/state"), &token, None).await.1["in_sync"] == true)
        .await;
    until("jane is online", async || {
        let customers = sim.control(Command::Customers).await.expect("a running router tells");
        customers[0]["online"] == true
    })
    .await;
    let balances = expect(&program, 200, "GET", "/api/v1/ledger/balances", &token, None).await;
    assert!(balances.to_string().contains("150000") && !balances.to_string().contains("300000"), "counted once: {balances}");
    assert!(program.terminate().await.success());
    sim.stop().await;
}
