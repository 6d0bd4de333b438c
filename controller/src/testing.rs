//! The controller in one process, on a real PostgreSQL, under a clock that the test moves; requests go through the whole HTTP service.

use crate::app::App;
use crate::config::{Config, Settings};
use crate::operators::{self, Asked, Attempt, Role, Strangers, Throttle};
use crate::provisioning::Provisioner;
use crate::secrets::{MasterKey, Vault};
use crate::serve::{SystemClock, SystemEntropy};
use crate::tenants::{self, NewTenant, Rates};
use crate::tunnels::{self, Tunnels};
use crate::{enrolment, workers};
use axum::Router as AxumRouter;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use db::{Db, PlatformActor, TestDb};
use jiff::{SignedDuration, Timestamp};
use model::{Clock, Currency, Entropy, Secret, SeededEntropy, TenantId};
use serde_json::Value;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tower::ServiceExt as _;
use tunnel::HubEvent;

/// Answers larger than this are a fault.
const ANSWER_MAX: usize = 8 << 20;
/// Requests a minute of a tenant whose limit no test has set.
const REQUESTS_PER_MINUTE: i64 = 1 << 40;
/// Where the hub listens unless a test needs it elsewhere.
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A clock that a test moves: one that stands still otherwise, or one that runs beside the system's.
#[derive(Debug)]
pub struct TestClock {
    stands_at: Option<Timestamp>,
    moved: Mutex<SignedDuration>,
}

impl TestClock {
    fn new(stands_at: Option<Timestamp>) -> Self {
        Self { stands_at, moved: Mutex::new(SignedDuration::ZERO) }
    }

    /// Moves forward, or back with a negative span.
    ///
    /// # Panics
    /// When a test left the calendar.
    pub fn advance(&self, by: SignedDuration) {
        *self.moved.lock().expect("no test panics while it moves the clock") += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let base = self.stands_at.unwrap_or_else(|| SystemClock.now());
        base + *self.moved.lock().expect("no test panics while it moves the clock")
    }
}

/// A controller for a test.
#[derive(Debug)]
pub struct TestApp {
    /// Its parts.
    pub app: Arc<App>,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Its database, for looking past all doors.
    pub db: TestDb,
    service: AxumRouter,
    workers: Option<JoinSet<()>>,
    /// Holds the master key and goes away with the test; none where the folder stays.
    _folder: Option<tempfile::TempDir>,
}

/// A tenant with its first admin, logged in.
#[derive(Debug, Clone)]
pub struct TestTenant {
    /// The tenant.
    pub id: TenantId,
    /// The admin's bearer token.
    pub token: String,
}

/// What a request got.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body; null where there is none.
    pub body: Value,
}

impl Answer {
    /// Returns a field of the body as text.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("{field} in {}", self.body)).to_owned()
    }

    /// Checks the status and returns the answer.
    ///
    /// # Panics
    /// When it is another.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }
}

impl TestApp {
    /// Makes one with an empty database and nothing in the background; the clock stands at 2026-01-15 09:00 UTC.
    ///
    /// # Panics
    /// When PostgreSQL is missing.
    pub async fn new() -> Self {
        let start: Timestamp = "2026-01-15T09:00:00Z".parse().expect("a time");
        Self::build(Some(start), LOOPBACK).await.0
    }

    /// Makes one whose workers run (hub events, outbox and sweeps), on a clock that goes with the system's.
    ///
    /// # Panics
    /// When PostgreSQL is missing.
    pub async fn running() -> Self {
        Self::running_at(LOOPBACK).await
    }

    /// As [`TestApp::running`], with a hub that routers dial at this address of the machine.
    ///
    /// # Panics
    /// When PostgreSQL is missing or the machine does not have the address.
    pub async fn running_at(hub: Ipv4Addr) -> Self {
        let (mut test, events) = Self::build(None, hub).await;
        test.workers = Some(workers::start(&test.app, events));
        test
    }

    /// As [`TestApp::running`], on a database of the test's own.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn running_on(db: TestDb) -> Self {
        let (mut test, events) = Self::build_on(db, None, LOOPBACK).await;
        test.workers = Some(workers::start(&test.app, events));
        test
    }

    async fn build(stands_at: Option<Timestamp>, hub: Ipv4Addr) -> (Self, mpsc::Receiver<HubEvent>) {
        Self::build_on(TestDb::new().await, stands_at, hub).await
    }

    async fn build_on(db: TestDb, stands_at: Option<Timestamp>, hub: Ipv4Addr) -> (Self, mpsc::Receiver<HubEvent>) {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(42));
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_owned();
        let (test, events) = Self::build_in(db, TestClock::new(stands_at), hub, entropy, data).await;
        (Self { _folder: Some(folder), ..test }, events)
    }

    async fn build_in(
        db: TestDb,
        clock: TestClock,
        hub: Ipv4Addr,
        entropy: Arc<dyn Entropy>,
        data: PathBuf,
    ) -> (Self, mpsc::Receiver<HubEvent>) {
        // Silent unless RUST_LOG asks for more: what a test has to know, it asserts.
        telemetry::init(telemetry::Format::Text, "off");
        let clock = Arc::new(clock);
        let settings = Settings { hub: Some(format!("{hub}:0")), endpoint: Some(format!("{hub}:1")), ..Settings::default() };
        let config = settings.check(data, "127.0.0.1").expect("these settings are good");
        let (app, events) = start(db.db(), clock.clone(), entropy, config).await;
        let service = crate::http::service(app.clone());
        (Self { app, clock, db, service, workers: None, _folder: None }, events)
    }

    /// Makes one on a database and in a data folder that stay, with nothing in the background: its master key is the folder's, its clock
    /// goes with the system's, and its randomness is the system's too, so that what is drawn anew was never drawn before.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn in_folder(db: TestDb, data: &Path) -> Self {
        Self::build_in(db, TestClock::new(None), LOOPBACK, Arc::new(SystemEntropy), data.to_owned()).await.0
    }

    /// Stops the controller: nothing runs in the background, and no router reaches the hub.
    pub async fn power_off(&mut self) {
        self.stop().await;
        self.app.tunnels.shutdown().await;
    }

    /// Starts the controller again after [`TestApp::power_off`], on the same database, keys and UDP port.
    ///
    /// # Panics
    /// When the database does not answer or the port was taken in the meantime.
    pub async fn power_on(&mut self) {
        let config = Config { hub: self.app.tunnels.address(), ..self.app.config.clone() };
        let (app, events) = start(self.app.db.clone(), self.clock.clone(), self.app.entropy.clone(), config).await;
        tunnels::install_all(&app).await.expect("the peers are read");
        enrolment::resume(&app).await.expect("the enrolments are read");
        self.service = crate::http::service(app.clone());
        self.workers = Some(workers::start(&app, events));
        self.app = app;
    }

    /// Ends what runs in the background.
    pub async fn stop(&mut self) {
        if let Some(mut workers) = self.workers.take() {
            workers.shutdown().await;
        }
    }

    /// Changes the configuration of a controller in which nothing runs yet.
    ///
    /// # Panics
    /// When something of it runs in the background.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut Config)) {
        self.service = AxumRouter::new();
        let app = Arc::get_mut(&mut self.app).expect("nothing else holds it");
        change(&mut app.config);
        self.service = crate::http::service(self.app.clone());
    }

    /// Returns the HTTP service, to listen with.
    pub fn service(&self) -> AxumRouter {
        self.service.clone()
    }

    /// Serves HTTP on a free port of this machine, and returns its address; for programs that are no part of the test.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let service = self.service();
        tokio::spawn(async move { axum::serve(listener, service).await });
        url
    }

    /// Makes a tenant and logs its admin in.
    ///
    /// # Panics
    /// When that fails.
    pub async fn tenant(&self, name: &str) -> TestTenant {
        let login = name.to_lowercase();
        let new = NewTenant {
            name: name.to_owned(),
            currency: Currency::KES,
            time_zone: "Africa/Nairobi".to_owned(),
            admin_login: login.clone(),
            admin_name: name.to_owned(),
            trial_ends_at: None,
        };
        let (id, setup) = tenants::create(&self.app, &PlatformActor::system("test"), new).await.expect("a new tenant");
        let token = self.log_in(&login, &setup.expect("a new person")).await;
        TestTenant { id, token }
    }

    /// Uses a setup token and logs in; returns the bearer token.
    ///
    /// # Panics
    /// When that fails.
    pub async fn log_in(&self, login: &str, setup: &Secret<String>) -> String {
        let password = Secret::new("a password for tests".to_owned());
        operators::set_password(&self.app, setup.expose(), password.clone()).await.expect("a good link");
        let attempt = Attempt { login, password, tenant: None, code: None };
        operators::log_in(&self.app, &Asked::default(), attempt).await.expect("the password just set").token.expose().clone()
    }

    /// Makes the platform's operator and logs in; returns the bearer token.
    ///
    /// # Panics
    /// When that fails.
    pub async fn platform(&self) -> String {
        let setup = operators::recover(&self.app.db, &*self.app.entropy, self.clock.now(), "admin", true).await.expect("made");
        self.log_in("admin", &setup).await
    }

    /// Invites somebody new to a tenant, accepts for them and logs them in; returns their id and bearer token. `grant` has a role and whatever
    /// else `POST /invitations` takes.
    ///
    /// # Panics
    /// When that fails.
    pub async fn operator(&self, tenant: &TestTenant, login: &str, mut grant: Value) -> (String, String) {
        grant["login"] = login.into();
        let token = self.call("POST", "/api/v1/invitations", &tenant.token, Some(grant)).await.expect(201).text("token");
        let password = "a password for tests";
        let body = serde_json::json!({ "token": token, "password": password });
        let accepted = self.call("POST", "/api/v1/invitations/accept", "", Some(body)).await.expect(200);
        let body = serde_json::json!({ "login": login, "password": password });
        (accepted.text("operator"), self.call("POST", "/api/v1/login", "", Some(body)).await.expect(200).text("token"))
    }

    /// Makes an API token of a role in a tenant.
    ///
    /// # Panics
    /// When that fails.
    pub async fn token(&self, tenant: &TestTenant, role: Role) -> String {
        let body = serde_json::json!({ "name": role.as_str(), "role": role.as_str() });
        self.call("POST", "/api/v1/tokens", &tenant.token, Some(body)).await.expect(201).text("token")
    }

    /// Sends a request. Money writes get a fresh idempotency key.
    ///
    /// # Panics
    /// When the answer is not JSON.
    pub async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut random = [0; 8];
        self.app.entropy.fill(&mut random);
        self.call_with_key(method, path, token, body, &hex::encode(random)).await
    }

    /// Sends a request with an idempotency key of the caller's.
    ///
    /// # Panics
    /// When the answer is not JSON.
    pub async fn call_with_key(&self, method: &str, path: &str, token: &str, body: Option<Value>, key: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("idempotency-key", key);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(value) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(value.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).expect("a good request")).await
    }

    /// Sends a request that was made by hand. A sheet of CSV comes as one text.
    ///
    /// # Panics
    /// When the answer is neither that nor JSON.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.service.clone().oneshot(request).await.expect("the service does not fail");
        let status = response.status();
        let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().to_vec()).unwrap_or_default();
        let is_file =
            [&b"text/csv"[..], b"application/jsonl", b"application/octet-stream"].iter().any(|file| kind.starts_with(file));
        let bytes = axum::body::to_bytes(response.into_body(), ANSWER_MAX).await.expect("a whole body");
        let body = match bytes.len() {
            0 => Value::Null,
            _ if is_file => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
            _ => serde_json::from_slice(&bytes).expect("a JSON body"),
        };
        Answer { status, body }
    }
}

/// Makes the parts of a controller; the master key lies in its data folder.
async fn start(
    db: Db,
    clock: Arc<TestClock>,
    entropy: Arc<dyn Entropy>,
    mut config: Config,
) -> (Arc<App>, mpsc::Receiver<HubEvent>) {
    let (master, _) = MasterKey::load_or_create(&config.data.join("master.key"), &*entropy).expect("a key");
    let vault = Vault::new(master, entropy.clone());
    let (tunnels, events) = Tunnels::start(&db, &vault, &*clock, &*entropy, &config).await.expect("a hub on a free port");
    config.endpoint_port = tunnels.address().port();
    // Tests ask faster than people do; the limit of one has to be set to be met.
    let rates = Rates::new(REQUESTS_PER_MINUTE);
    let app = App {
        db,
        vault,
        clock,
        entropy,
        tunnels,
        provisioner: Provisioner::default(),
        rates,
        throttle: Throttle::default(),
        strangers: Strangers::default(),
        config,
    };
    (Arc::new(app), events)
}
