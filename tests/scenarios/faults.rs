//! Goal: whatever goes wrong at whatever moment of a guarded change, the router ends as it should be, or what is wrong is said by its
//! cause; nothing of anybody else's is ever changed.
//! Method: every mishap of the simulator strikes at every phase, each on a router of its own, while a payment and a rule that somebody
//! deleted are written. The outcomes are the table of `docs/faults.md`.

use controller::provisioning::Finished;
use controller::testing::{TestApp, TestTenant};
use futures_util::FutureExt as _;
use routeros_sim::control::{Command, Fault};
use routeros_sim::router::Mishap;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;
use system_tests::world::{
    Router, config, customer, fault, isp, onboard, package, pay, planned, print, row, serve, type_in, until, until_in_sync,
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// How long a look may take before the minute of its undo is over and somebody mends what is wrong: longer than the 30 s for which the
/// controller waits for an answer, and shorter than the 55 s in which it confirms.
const GIVEN: Duration = Duration::from_secs(46);

/// A moment of a guarded change, by the command that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Observe,
    Apply,
    ReadBack,
    Confirm,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Observe, Self::Apply, Self::ReadBack, Self::Confirm];

    /// Menu, command, and at how many of them.
    const fn command(self) -> (&'static str, &'static str, u32) {
        match self {
            // What is printed side by side has no order, so it strikes at the rules themselves.
            Self::Observe => ("/ip/firewall/filter", "print", 1),
            Self::Apply => ("/ip/firewall/filter", "add", 1),
            // The first look at the timers belongs to observing, the second goes over the connection that proves the path.
            Self::ReadBack => ("/system/scheduler", "print", 2),
            Self::Confirm => ("/system/scheduler", "remove", 1),
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Apply => "apply",
            Self::ReadBack => "read back",
            Self::Confirm => "confirm",
        }
    }
}

/// What the report of a mishap may name as the cause; one that lists nothing has to be got over without a report.
const fn causes(mishap: Mishap) -> &'static [&'static str] {
    match mishap {
        Mishap::LoseReply | Mishap::Slow => &["did not answer in time"],
        Mishap::Cut => &["the connection ended before the answer"],
        Mishap::Restart => &["it restarted before the change was confirmed", "the connection ended before the answer"],
        Mishap::FullFlash => &["not enough space on disk"],
        Mishap::WrongClock => &[],
        Mishap::NoPermission => &["not enough permissions"],
        Mishap::DeviceMode => &["not allowed by device-mode"],
        Mishap::SessionLimit => &["all API sessions that it allows are taken"],
        Mishap::OtherAdmin => &["still differs", "did not hold what was written"],
    }
}

/// What an outcome says that names none of the causes.
const UNNAMED: &str = "the cause is not named";

/// What stands for the outcome of a cell that did not end well.
const FAILED: &str = "did not end well";

/// What an administrator does who works on the router at the same time: a rule of their own before ours, and one of ours deleted.
const LINES: &str = "/ip/firewall/filter/add chain=input action=accept protocol=gre comment=\"mine, just now\" place-before=0\n\
                     /ip/firewall/filter/remove [find chain=mw-input protocol=icmp]";

/// A router in sync, with rows of somebody else's, and a customer who is about to pay.
struct Cell {
    mishap: Mishap,
    phase: Phase,
    router: Router,
    customer: String,
}

async fn cell(test: &TestApp, tenant: &TestTenant, package: &str, mishap: Mishap, phase: Phase) -> Cell {
    let name = format!("{mishap:?}-{phase:?}");
    let router = onboard(test, tenant, &name, config("RB5009UG+S+", "7.22.3", &name)).await;
    type_in(
        &router,
        "/ip/firewall/filter/add chain=mw-input action=log comment=\"theirs in our chain\"\n\
         /ppp/secret/add name=theirs password=theirs\n\
         /system/scheduler/add name=theirs interval=1h on-event=\":put 1\"",
    )
    .await;
    serve(test, tenant, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    let customer = customer(test, tenant, &router, package, &name.to_lowercase()).await;
    until_in_sync(test, tenant, &router).await;
    Cell { mishap, phase, router, customer }
}

/// Rows without our mark, in order, without what the router itself counts; what the other administrator adds is theirs to add.
async fn foreign(router: &Router) -> Vec<Value> {
    let mut all = Vec::new();
    for menu in
        ["/ip/firewall/filter", "/ip/firewall/nat", "/ip/address", "/ip/pool", "/ppp/profile", "/ppp/secret", "/system/scheduler"]
    {
        let mut rows = print(router, menu, &[]).await;
        rows.retain(|row| {
            let comment = row["comment"].as_str().unwrap_or_default();
            !comment.starts_with("mw:") && comment != "mine, just now" && row["dynamic"] != "true"
        });
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.retain(|name, _| !["bytes", "packets", "run-count", "next-run"].contains(&name.as_str()));
        }
        all.append(&mut rows);
    }
    all
}

async fn has_struck(router: &Router) -> bool {
    router.sim.control(Command::Status).await.expect("a running router tells")["waits"].is_null()
}

/// Waits for the end of the look in which the mishap has struck.
async fn next(news: &mut Receiver<Finished>, router: &Router) -> Finished {
    loop {
        match news.recv().await {
            Ok(done) if done.router.to_string() == router.id && has_struck(router).await => return done,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => panic!("the controller is gone"),
        }
    }
}

impl Cell {
    /// Has the mishap strike while a change is made, and tells what came of it in the end.
    async fn run(self, test: &TestApp, tenant: &TestTenant) -> String {
        let Self { mishap, phase, router, customer } = &self;
        let what = format!("{mishap:?} at {phase:?}");
        let before = foreign(router).await;
        let mut news = test.app.provisioner.finished();
        let (menu, command, nth) = phase.command();
        let strike = Fault::Strike { mishap: *mishap, menu: menu.into(), command: command.into(), nth, lines: LINES.into() };
        // Nobody looks in between, so that one look has all of it to do.
        let turn = test.app.provisioner.turn(router.id.parse().expect("an id")).await;
        type_in(router, "/ip/firewall/filter/remove [find chain=mw-input action=drop]").await;
        fault(router, strike).await;
        pay(test, tenant, customer, 150_000).await;
        drop(turn);

        let ended = tokio::time::timeout(GIVEN, next(&mut news, router)).await;
        assert!(has_struck(router).await, "{what}: it never came to this phase");
        let ended = match ended {
            Ok(ended) => ended,
            Err(_) => {
                // The minute of the undo is over, and somebody mends what is wrong.
                router.sim.control(Command::Clock { set: None, advance: 75 }).await.expect("time passes");
                fault(router, Fault::Mend).await;
                next(&mut news, router).await
            }
        };
        let outcome = match ended.result {
            Ok(_) => "converged".to_owned(),
            Err(error) => {
                let cause = causes(*mishap).iter().find(|cause| error.contains(**cause));
                cause.map_or_else(|| format!("{UNNAMED}: {error}"), |cause| format!("reported: {cause}"))
            }
        };
        fault(router, Fault::Mend).await;
        self.settle(test, tenant, &what, &before).await;
        outcome
    }

    /// Waits until everything is as it should be, and finds nothing of anybody else's changed.
    async fn settle(&self, test: &TestApp, tenant: &TestTenant, what: &str, before: &[Value]) {
        let router = &self.router;
        // Where an undo is still armed it has to run first.
        let armed = async || !print(router, "/system/scheduler", &["name=mw-undo"]).await.is_empty();
        if armed().await {
            router.sim.control(Command::Clock { set: None, advance: 75 }).await.expect("time passes");
        }
        until(&format!("{what}: no undo is left"), async || !armed().await).await;
        until_in_sync(test, tenant, router).await;
        // A connection that the mending has cut is noticed when it is used.
        let path = format!("/api/v1/routers/{}/apply", router.id);
        let applies = async || test.call("POST", &path, &tenant.token, None).await.status == 200;
        until(&format!("{what}: it can be written"), applies).await;
        assert_eq!(planned(test, tenant, router).await["writes"], 0, "{what}: a second pass writes nothing");
        assert_eq!(row(router, "/ip/firewall/filter", &["chain=mw-input", "action=drop"]).await["disabled"], "false", "{what}");
        let name = format!("{:?}-{:?}", self.mishap, self.phase).to_lowercase();
        let secret = row(router, "/ppp/secret", &[&format!("name={name}")]).await;
        assert_ne!(secret["profile"], "mw-expired", "{what}: the payment has reached the router");
        assert_eq!(foreign(router).await, before, "{what}: what is somebody else's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_phase() {
    let test = TestApp::running().await;
    let rows = Mishap::ALL.iter().map(|mishap| row_of(&test, *mishap));
    let rows: Vec<[String; 4]> = futures_util::future::join_all(rows).await;
    let mut page = String::from(HEAD);
    writeln!(page, "| fault | {} |\n|---|---|---|---|---|", Phase::ALL.map(Phase::title).join(" | "))
        .expect("a String takes everything");
    for (mishap, cells) in Mishap::ALL.iter().zip(rows) {
        let name = serde_json::to_value(mishap).expect("a word");
        writeln!(page, "| {} | {} |", name.as_str().unwrap_or_default(), cells.join(" | ")).expect("a String takes everything");
    }
    assert!(!page.contains(UNNAMED) && !page.contains(FAILED), "{page}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, page).expect("our folder");
    } else {
        let kept = std::fs::read_to_string(path).expect("docs/faults.md is there");
        assert!(kept == page, "docs/faults.md is not what happened; UPDATE_EXPECT=1 writes it anew:\n{page}");
    }
}

const HEAD: &str = "# What goes wrong, and what comes of it

A test (`tests/scenarios/faults.rs`) has each fault of the simulator strike at each phase of a change that may cut the tunnel, and writes
this page. In every cell the router ends as it should be once the fault is over, a second pass writes nothing, no undo is left armed,
and nothing that is not ours has changed. *Converged* says that the look during which it struck ended well by itself; *reported* that it
failed and named this cause. What each fault is stands beside it in `crates/routeros-sim/src/router/faults.rs`.

";

/// Runs the four cells of a mishap, in an ISP of its own.
async fn row_of(test: &TestApp, mishap: Mishap) -> [String; 4] {
    let tenant = isp(test, &format!("{mishap:?}")).await;
    let home = package(test, &tenant, "pppoe", "Home", 150_000).await;
    let run = async |phase| {
        let cell = async { cell(test, &tenant, &home, mishap, phase).await.run(test, &tenant).await };
        // One that fails says so, and the others go on.
        AssertUnwindSafe(cell).catch_unwind().await.unwrap_or_else(|_| FAILED.to_owned())
    };
    let [observe, apply, read_back, confirm] = Phase::ALL;
    tokio::join!(run(observe), run(apply), run(read_back), run(confirm)).into()
}
