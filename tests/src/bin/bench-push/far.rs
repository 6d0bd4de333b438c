//! A controller, a virtual router in a process of its own, and the line between them.

use crate::line::Line;
use anyhow::{Context as _, bail, ensure};
use controller::customers;
use controller::provisioning::Finished;
use controller::serve::SystemClock;
use controller::testing::{TestApp, TestTenant};
use db::TenantDoor;
use model::RouterId;
use routeros_sim::control::{Command, Fault, ask};
use routeros_sim::simulator::{Options, Simulator};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use system_tests::world::{config, isp, package, package_with};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command as Program};
use tokio::time::Instant;

/// How long the router takes over each write.
pub const WRITE: Duration = Duration::from_millis(1);
/// How long anything may take before the bench counts as failed.
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK: Duration = Duration::from_millis(20);
/// How long nothing has to happen until nothing will.
const CALM: Duration = Duration::from_millis(500);
/// Customers of one file: so few that reading it takes no memory to speak of.
const FILE: usize = 250;
const VERSION: &str = "7.22.3";

/// Runs a virtual router until nobody holds its input any more: in a process of its own, it shares neither memory nor threads with the
/// controller.
pub async fn router(control: &Path, serial: &str) -> anyhow::Result<()> {
    let api = Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    let options = Options { api, control: Some(control.to_owned()), ..Options::new(config("CHR", VERSION, serial)) };
    let router = Simulator::start(options, Arc::new(SystemClock)).await?;
    let address = router.api_address().context("its API listens")?;
    system_tests::bench::say(&address.to_string())?;
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    router.stop().await;
    Ok(())
}

/// A controller with one ISP.
pub struct Office {
    pub test: TestApp,
    isp: TestTenant,
    door: TenantDoor,
    folder: tempfile::TempDir,
    /// Two packages to change between.
    packages: [String; 2],
}

impl Office {
    pub async fn open() -> anyhow::Result<Self> {
        let test = TestApp::running().await;
        let isp = isp(&test, "Alpha").await;
        let door = test.app.db.locator().door(isp.id, "bench").await?.context("the tenant is there")?;
        let home = package(&test, &isp, "pppoe", "Home", 1_000).await;
        let speed = json!({ "speed": { "download_bps": 50_000_000, "upload_bps": 20_000_000 } });
        let fast = package_with(&test, &isp, "pppoe", "Fast", 1_000, speed).await;
        Ok(Self { test, isp, door, folder: tempfile::tempdir()?, packages: [home, fast] })
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let answer = self.test.call(method, &format!("/api/v1{path}"), &self.isp.token, body).await;
        ensure!(answer.status.is_success(), "{method} {path}: {}", answer.body);
        Ok(answer.body)
    }
}

/// A router far away.
pub struct Far<'a> {
    office: &'a Office,
    id: RouterId,
    name: String,
    serial: String,
    control: PathBuf,
    pub line: Line,
    /// Ends when it is dropped.
    _process: Child,
}

/// What a look took, in milliseconds, as the controller recorded it.
pub struct Look {
    pub writes: u64,
    /// Until everything was written.
    pub applied: f64,
    /// Until it was read back too.
    pub all: f64,
    /// For people.
    pub parts: String,
}

impl<'a> Far<'a> {
    /// Adds a router and has a virtual one join, through the tunnel; from then on it is reached over the line.
    pub async fn join(office: &'a Office, name: &str, round_trip: Duration) -> anyhow::Result<Self> {
        let (control, serial) = (office.folder.path().join(name), format!("HB{name:0>8}"));
        let mut process = Program::new(std::env::current_exe()?)
            .arg("router")
            .arg(&control)
            .arg(&serial)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let printed = process.stdout.take().context("its output is ours")?;
        let address = BufReader::new(printed).lines().next_line().await?.context("the router says where it listens")?;
        let line = Line::lay(address.parse()?, round_trip)?;
        let added = office.call("POST", "/routers", Some(json!({ "name": name }))).await?;
        let id: RouterId = text(&added, "id")?.parse()?;
        let far = Self { office, id, name: name.to_owned(), serial, control, line, _process: process };
        far.control(Command::Paste { text: text(&added, "block")? }).await?;
        let path = format!("/routers/{id}");
        let began = Instant::now();
        let joined = loop {
            let router = office.call("GET", &path, None).await?;
            if router["stage"] == "joined" {
                break router;
            }
            ensure!(began.elapsed() < PATIENCE, "the router does not join: {router}");
            tokio::time::sleep(LOOK).await;
        };
        office.test.app.provisioner.set_detour(text(&joined, "address")?.parse()?, far.line.address());
        let microseconds = Some(u32::try_from(WRITE.as_micros())?);
        far.control(Command::Fault(Fault::SlowWrites { microseconds })).await?;
        Ok(far)
    }

    /// Does something to the virtual router.
    pub async fn control(&self, command: Command) -> anyhow::Result<Value> {
        ask(&self.control, &command).await?.map_err(anyhow::Error::msg)
    }

    /// Lets customers be served from now on, and chooses PPPoE; nothing is written before that.
    pub async fn serve(&self) -> anyhow::Result<Look> {
        let (path, office) = (format!("/routers/{}", self.id), self.office);
        office.call("POST", &format!("{path}/confirm"), Some(json!({ "serial": self.serial }))).await?;
        let services = json!({ "services": [{ "kind": "pppoe", "interfaces": ["ether3"] }] });
        office.call("PUT", &format!("{path}/services"), Some(services)).await?;
        self.changing(async || office.call("POST", &format!("{path}/apply"), None).await.map(drop)).await
    }

    /// Imports customers, of whom none has paid: each becomes a secret.
    pub async fn import(&self, count: usize) -> anyhow::Result<()> {
        for first in (0..count).step_by(FILE) {
            self.import_file(first..count.min(first + FILE)).await?;
        }
        Ok(())
    }

    /// Imports customers in one file, and waits until all of them are on the router.
    pub async fn import_at_once(&self, count: usize) -> anyhow::Result<Look> {
        self.changing(async || self.import_file(0..count).await).await
    }

    async fn import_file(&self, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        let name = &self.name;
        let rows: String = numbers.map(|number| format!("{},dial-1234,{name},Home\n", self.login(number))).collect();
        let (file, app) = (format!("login,password,router,package\n{rows}"), &self.office.test.app);
        let mut tx = app.db.tenant(&self.office.door).await?;
        customers::import(app, &mut tx, file.into_bytes().into(), false, app.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Names one of the customers.
    pub fn login(&self, number: usize) -> String {
        format!("{}-{number}", self.name)
    }

    /// Has one customer's package changed, and waits until the router has it.
    pub async fn change(&self, customer: &str, package: usize) -> anyhow::Result<Look> {
        let body = json!({ "package": self.office.packages[package] });
        let path = format!("/customers/{customer}");
        self.changing(async || self.office.call("PATCH", &path, Some(body)).await.map(drop)).await
    }

    /// Takes cash from a customer, and waits until the router knows.
    pub async fn pay(&self, customer: &str) -> anyhow::Result<Look> {
        let body = json!({ "amount": { "minor": 1_000, "currency": "KES" } });
        let path = format!("/customers/{customer}/payments");
        self.changing(async || self.office.call("POST", &path, Some(body)).await.map(drop)).await
    }

    /// Finds a customer by login.
    pub async fn customer(&self, login: &str) -> anyhow::Result<String> {
        let found = self.office.call("GET", &format!("/customers?login={login}&limit=1"), None).await?;
        text(&found["items"][0], "id")
    }

    /// Makes the worker look, and returns how long that took. There must be nothing to write.
    pub async fn second_pass(&self, cold: bool) -> anyhow::Result<Duration> {
        let mut news = self.office.test.app.provisioner.finished();
        // Whatever was asked before is done.
        while tokio::time::timeout(CALM, news.recv()).await.is_ok() {}
        if cold {
            self.line.cut();
            // The controller hears of it before it is asked.
            tokio::time::sleep(CALM).await;
        }
        let began = Instant::now();
        self.office.test.app.provisioner.wake(&self.office.test.app, &self.office.door, self.id);
        let done = self.next(&mut news).await?;
        let took = began.elapsed();
        ensure!(done.result == Ok(0), "a second pass writes nothing: {:?}", done.result);
        Ok(took)
    }

    /// Does something that changes the router, and waits until it is as it should be.
    async fn changing(&self, act: impl AsyncFnOnce() -> anyhow::Result<()>) -> anyhow::Result<Look> {
        let mut news = self.office.test.app.provisioner.finished();
        act().await?;
        loop {
            match self.next(&mut news).await?.result {
                Ok(0) => {}
                Ok(_) => break,
                Err(why) => bail!("{}: {why}", self.name),
            }
        }
        let sets = self.office.call("GET", &format!("/routers/{}/change-sets?limit=1", self.id), None).await?;
        let set = &sets["items"][0];
        let part = |name: &str| set["timing"][name].as_f64().map(|us| us / 1e3).with_context(|| format!("{name} in {set}"));
        let names = ["connect_us", "read_us", "observe_us", "plan_us", "apply_us", "read_back_us"];
        let times = names.into_iter().map(part).collect::<anyhow::Result<Vec<f64>>>()?;
        let parts = names.iter().zip(&times).map(|(name, ms)| format!("{} {ms:.0}", name.trim_end_matches("_us")));
        Ok(Look {
            writes: set["writes"].as_u64().context("writes are counted")?,
            applied: times[..5].iter().sum(),
            all: times.iter().sum(),
            parts: parts.collect::<Vec<_>>().join(", "),
        })
    }

    async fn next(&self, news: &mut tokio::sync::broadcast::Receiver<Finished>) -> anyhow::Result<Finished> {
        let ours = async {
            loop {
                let done = news.recv().await?;
                if done.router == self.id {
                    return Ok(done);
                }
            }
        };
        tokio::time::timeout(PATIENCE, ours).await.context("the worker does not finish")?
    }
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    Ok(value[field].as_str().with_context(|| format!("{field} in {value}"))?.to_owned())
}
