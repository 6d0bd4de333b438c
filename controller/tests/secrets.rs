//! Goal: a secret stands where it is asked for and nowhere else (promise 14): not in the log, not in another answer, not in the database's
//! rows. Method: secrets of every kind are used the way they are meant to be, a virtual router included; then the whole log at its most
//! talkative, every answer that can be read, and every row of every table are searched for each of them in every form. It is a program of its
//! own, since a process has one log.

use controller::operators::{self, Role};
use controller::serve::SystemClock;
use controller::testing::{TestApp, TestTenant};
use controller::{backups, secrets};
use routeros_sim::device::{Board, Config};
use routeros_sim::simulator::{Options, Simulator};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A safety net; nothing here takes so long.
const LIMIT: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What shows secrets, because that is what it is for, with what it shows.
const SHOWN: &[(&str, &str)] =
    &[("/api/v1/customers/{id}/password", "the customer's password"), ("/api/v1/voucher-batches/{id}/codes", "a voucher's code")];

/// The log, in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts logging everything that the controller and what it is built of say; the virtual router is no part of it.
fn log() -> Log {
    let log = Log::default();
    let writer = log.clone();
    let filter = "trace,routeros_sim=off";
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(move || writer.clone()).init();
    log
}

/// Secrets with what they are, which is all that a failure tells of them.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 8, "{what} is too short to be searched for");
        self.0.push((what, secret.clone()));
        secret
    }

    /// Names the secrets that a text holds in any form.
    fn found_in(&self, text: &str) -> Vec<&'static str> {
        let lower = text.to_lowercase();
        let held = self.0.iter().filter(|(_, secret)| forms(secret).iter().any(|form| lower.contains(form)));
        held.map(|(what, _)| *what).collect()
    }
}

/// A secret as text, as bytes in hexadecimal, as a list of bytes, in base64, and a key's bytes in hexadecimal.
fn forms(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    let list = format!("{:?}", secret.as_bytes());
    let mut forms = vec![secret.to_owned(), hex::encode(secret), list, STANDARD_NO_PAD.encode(secret)];
    if let Ok(key) = STANDARD.decode(secret) {
        forms.push(hex::encode(&key));
        forms.push(format!("{key:?}"));
    }
    forms.iter().map(|form| form.to_lowercase()).collect()
}

/// Everything between quotes behind a word of a block.
fn quoted(block: &str, word: &str) -> Vec<String> {
    let pattern = format!("{word}=\"");
    block.split(&pattern).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

struct Scene {
    test: TestApp,
    isp: TestTenant,
    secrets: Secrets,
}

impl Scene {
    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.test.call("POST", &format!("/api/v1{path}"), &self.isp.token, Some(body)).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        answer.body
    }

    async fn get(&self, path: &str) -> Value {
        self.test.call("GET", &format!("/api/v1{path}"), &self.isp.token, None).await.expect(200).body
    }

    async fn until(&self, what: &str, path: &str, holds: impl Fn(&Value) -> bool) {
        let mut look = tokio::time::interval(LOOK);
        let wait = async {
            while !holds(&self.get(path).await) {
                look.tick().await;
            }
        };
        tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// Logs people in, wrongly and rightly, and makes tokens.
    async fn people(&mut self) {
        self.secrets.add("an operator's password", "a password for tests");
        let wrong = self.secrets.add("a wrong password", "Planted-Wrong-Pass");
        let login = self.isp.token.clone();
        self.secrets.add("a login's token", login);
        let attempt = json!({ "login": "savanna", "password": wrong });
        let _ = self.test.call("POST", "/api/v1/login", "", Some(attempt)).await.expect(401);
        let invited = json!({ "login": "amina", "display_name": "Amina", "role": "staff" });
        let token = self.post("/invitations", invited).await["token"].as_str().expect("a token").to_owned();
        let token = self.secrets.add("an invitation's token", token);
        let chosen = self.secrets.add("a chosen password", "Planted-Chosen-Pass");
        let body = json!({ "token": token, "password": chosen });
        let accepted = self.test.call("POST", "/api/v1/invitations/accept", "", Some(body)).await.expect(200);
        let link = self.post(&format!("/operators/{}/reset", accepted.text("operator")), json!({})).await;
        let setup = self.secrets.add("a one-time link's token", link["setup_token"].as_str().expect("a token"));
        let again = self.secrets.add("a password set anew", "Planted-Second-Pass");
        let body = json!({ "token": setup, "password": again });
        let _ = self.test.call("POST", "/api/v1/setup", "", Some(body)).await.expect(204);
        self.second_factor(&again).await;
        let api = self.test.token(&self.isp, Role::Admin).await;
        self.secrets.add("an API token", api.clone());
        self.isp.token = api;
        let unknown = self.secrets.add("a token that is not ours", "mw_api_PlantedPlantedPlantedPlantedPlantedPlantedxx");
        let _ = self.test.call("GET", "/api/v1/me", &unknown, None).await.expect(401);
    }

    /// Puts a second factor in force, and uses one of its recovery codes.
    async fn second_factor(&mut self, password: &str) {
        let login = json!({ "login": "amina", "password": password });
        let token = self.test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200).text("token");
        let path = "/api/v1/me/second-factor";
        let begun = self.test.call("POST", path, &token, Some(json!({ "password": password }))).await.expect(201);
        let secret = self.secrets.add("a second factor's secret", begun.text("secret"));
        let bytes = operators::second_factor::from_base32(&secret);
        let code = operators::second_factor::shown(&bytes, self.test.app.clock.now().as_second());
        let confirmed =
            self.test.call("POST", &format!("{path}/confirm"), &token, Some(json!({ "code": code }))).await.expect(200);
        let recovery = confirmed.body["recovery_codes"][0].as_str().expect("a code");
        let recovery = self.secrets.add("a recovery code", recovery);
        let login = json!({ "login": "amina", "password": password, "code": recovery });
        let _ = self.test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200);
    }

    /// Lets a virtual router join and serve; returns it with its id.
    async fn router(&mut self) -> (String, Simulator) {
        let added = self.post("/routers", json!({ "name": "Mast 7" })).await;
        let (id, block) = (added["id"].as_str().expect("an id").to_owned(), added["block"].as_str().expect("a block").to_owned());
        for key in quoted(&block, "preshared-key") {
            self.secrets.add("a pre-shared key", key);
        }
        for password in quoted(&block, "password") {
            self.secrets.add("the account's first password", password);
        }
        let line = added["line"].as_str().and_then(|line| line.split("x-mastwire-token:").nth(1)).expect("a line");
        self.secrets.add("a line's token", line.split('"').next().expect("quoted"));
        let config = Config::new(Board::find("hEX S").expect("a board"), "7.22.3".parse().expect("a version"), 1);
        let router = Simulator::start(Options::new(config), Arc::new(SystemClock)).await.expect("a router");
        let pasting = tokio::time::timeout(LIMIT, router.shared().paste(&block)).await;
        drop(pasting.expect("it ends").expect("the terminal is free"));
        self.until("the router joins", &format!("/routers/{id}"), |router| router["enrolment"]["state"] == "completed").await;
        let field = |menu: &str, name: &str| {
            let rows =
                |device: &routeros_sim::device::Device| device.rows(menu).map(|row| row.get(name).to_owned()).collect::<Vec<_>>();
            router
                .shared()
                .with(|router, _| rows(router.device()))
                .into_iter()
                .filter(|value| value.len() > 8)
                .collect::<Vec<_>>()
        };
        for key in field("/interface/wireguard", "private-key") {
            self.secrets.add("the router's private key", key);
        }
        for password in field("/user", "password") {
            self.secrets.add("the account's lasting password", password);
        }
        let serial = router.shared().with(|router, _| router.device().config().serial.clone());
        self.post(&format!("/routers/{id}/confirm"), json!({ "serial": serial })).await;
        let services = json!({ "services": [{ "kind": "pppoe", "interfaces": ["bridge"] }] });
        let path = format!("/api/v1/routers/{id}");
        let _ = self.test.call("PUT", &format!("{path}/services"), &self.isp.token, Some(services)).await.expect(204);
        let _ = self.test.call("POST", &format!("{path}/apply"), &self.isp.token, None).await.expect(200);
        (id, router)
    }

    /// Sells: a customer whose passwords reach the router, a payment, and vouchers.
    async fn customers(&mut self, router: &str) -> Vec<(&'static str, String)> {
        let package = json!({
            "name": "Home", "kind": "pppoe", "price": { "minor": 1000, "currency": "KES" }, "validity": { "months": 1 },
            "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }
        });
        let text = |answer: &Value, field: &str| answer[field].as_str().unwrap_or_else(|| panic!("{field}")).to_owned();
        let package = text(&self.post("/packages", package).await, "id");
        let first = self.secrets.add("a customer's first password", "Planted-First-Pass");
        let jane = json!({ "login": "jane", "router": router, "package": package, "password": first });
        let jane = text(&self.post("/customers", jane).await, "id");
        let paid =
            self.post(&format!("/customers/{jane}/payments"), json!({ "amount": { "minor": 1000, "currency": "KES" } })).await;
        let state = format!("/routers/{router}/state");
        self.until("jane is on the router", &state, |state| state["in_sync"] == true).await;
        let second = self.secrets.add("the customer's password", "Planted-Second-Pass");
        self.post(&format!("/customers/{jane}/password"), json!({ "password": second })).await;
        let made = json!({ "login": "john", "router": router, "package": package });
        let made = text(&self.post("/customers", made).await, "password");
        self.secrets.add("a customer's drawn password", made);

        let codes = [self.secrets.add("a voucher's code", "PLANTED234"), self.secrets.add("a used voucher's code", "PLANTED567")];
        let batch = text(&self.post("/voucher-batches", json!({ "package": package, "codes": codes })).await, "id");
        self.post("/vouchers/redeem", json!({ "code": "planted-567", "router": router, "customer": jane })).await;
        let wrong = self.secrets.add("a wrong code", "PLANTED89A");
        let wrong = json!({ "code": wrong, "router": router, "customer": jane });
        let _ = self.test.call("POST", "/api/v1/vouchers/redeem", &self.isp.token, Some(wrong)).await.expect(404);
        self.until("the router has all of it", &state, |state| state["in_sync"] == true).await;
        vec![
            ("RouterId", router.to_owned()),
            ("PackageId", package),
            ("CustomerId", jane),
            ("PaymentId", text(&paid, "payment")),
            ("VoucherBatchId", batch),
        ]
    }

    /// Finds an id for a path: one that was made here, else the first of the list that the path belongs to.
    async fn id_for(&self, path: &str, kind: &str, ids: &[(&'static str, String)], token: &str) -> Option<String> {
        if let Some((_, id)) = ids.iter().find(|(known, _)| *known == kind) {
            return Some(id.clone());
        }
        let list = self.test.call("GET", path.split("/{").next()?, token, None).await;
        list.body["items"][0]["id"].as_str().map(str::to_owned)
    }

    /// Takes the whole ISP out in every way there is, and says which of them hold secrets in the clear.
    async fn take_out(&self) -> Vec<(String, Vec<&'static str>)> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("savanna.mwbackup");
        let keeper = secrets::Keeper::of(&self.test.app);
        let door = self.test.app.db.locator().door(self.isp.id, "test").await.expect("answered").expect("a tenant");
        backups::take(keeper, &door, &file, &backups::SealFor::Master).await.expect("a backup");
        let actor = db::PlatformActor::system("test");
        let done = secrets::rotate_tenant(keeper, &actor, &door).await.expect("a new key");
        assert!(done.values >= 5, "secrets were sealed anew: {done:?}");
        let shadow = backups::Target::Shadow { name: "Savanna as of now".to_owned() };
        backups::restore(keeper, &actor, &file, &backups::Keys::default(), &shadow).await.expect("laid beside");
        let export = self.test.call("GET", "/api/v1/export", &self.isp.token, None).await.expect(200);
        let sealed = std::fs::read(&file).expect("a file");
        let texts = [("a backup", String::from_utf8_lossy(&sealed).into_owned()), ("an export", export.body.to_string())];
        assert!(texts[1].1.contains("jane"), "the export holds what it should");
        let telling = texts.iter().map(|(what, text)| ((*what).to_owned(), self.secrets.found_in(text)));
        telling.filter(|(_, found)| !found.is_empty()).collect()
    }

    /// Reads everything that can be read, and says which answers hold secrets.
    async fn read_all(&self, ids: &[(&'static str, String)], platform: &str) -> Vec<(String, Vec<&'static str>)> {
        let document = serde_json::to_value(controller::http::openapi()).expect("plain data");
        let mut telling = Vec::new();
        let mut read = 0;
        for (path, methods) in document["paths"].as_object().expect("paths") {
            if !methods["get"].is_object() || path == "/api/v1/enrolment/block" {
                continue;
            }
            let kind = methods["get"]["parameters"].as_array().into_iter().flatten().find(|parameter| parameter["in"] == "path");
            let kind = kind.and_then(|parameter| parameter["schema"]["$ref"].as_str()?.rsplit('/').next());
            let token = if path.starts_with("/api/v1/platform") { platform } else { &self.isp.token };
            let real = match kind {
                None => path.clone(),
                Some(kind) => match self.id_for(path, kind, ids, token).await {
                    Some(id) => path.replace("{id}", &id),
                    // There is none of it here, so there is nothing to read.
                    None => continue,
                },
            };
            let answer = self.test.call("GET", &real, token, None).await;
            // What needs a parameter or a thing that is not here says so, which is searched too.
            read += usize::from(answer.status == 200);
            let found = self.secrets.found_in(&answer.body.to_string());
            if !found.is_empty() {
                telling.push((path.clone(), found));
            }
        }
        assert!(read >= 20, "the document has lost operations: {read}");
        telling
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_stand_where_they_are_asked_for_and_nowhere_else() {
    let log = log();
    let test = TestApp::running().await;
    let platform = test.platform().await;
    let isp = test.tenant("Savanna").await;
    let mut scene = Scene { test, isp, secrets: Secrets::default() };
    scene.secrets.add("the platform operator's token", platform.clone());
    scene.people().await;
    let (id, router) = scene.router().await;
    let ids = scene.customers(&id).await;
    assert!(scene.secrets.0.len() >= 18, "secrets of every kind were planted: {}", scene.secrets.0.len());
    let plans = scene.get(&format!("/routers/{id}/change-sets")).await;
    assert!(plans["items"].as_array().is_some_and(|plans| plans.len() >= 2), "passwords went to the router: {plans}");

    // These must be found, or the search is worth nothing.
    let telling = scene.read_all(&ids, &platform).await;
    for (path, what) in SHOWN {
        assert!(telling.iter().any(|(known, found)| known == path && found.contains(what)), "{path} shows {what}: {telling:?}");
    }
    let others: Vec<_> = telling.iter().filter(|(path, _)| !SHOWN.iter().any(|(known, _)| path == known)).collect();
    assert!(others.is_empty(), "answers that hold secrets: {others:?}");

    let taken_out = scene.take_out().await;
    assert!(taken_out.is_empty(), "copies that hold secrets: {taken_out:?}");

    for (table, row) in scene.test.db.rows(None).await {
        assert_eq!(scene.secrets.found_in(&row), [""; 0], "a row of {table} holds a secret in the clear");
    }
    drop(router);
    scene.test.stop().await;
    let log = String::from_utf8(log.0.lock().expect("no writer panics").clone()).expect("text");
    for line in log.lines() {
        let found = scene.secrets.found_in(line);
        let head: String = line.chars().take(90).collect();
        assert!(found.is_empty(), "the log holds {found:?} in a line that begins: {head}");
    }
    for said in ["DEBUG", "/api/v1/login", "sqlx::query", "boringtun", "controller::provisioning"] {
        assert!(log.contains(said), "the log says nothing of {said}, so it was not all searched");
    }
}
