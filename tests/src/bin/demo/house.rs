//! Everything that the demo has running, and the folder it lives in.

use crate::mast::{Mast, PATIENCE, Spec};
use crate::person::Person;
use crate::process::{Daemon, free_tcp_port, free_udp_port, until};
use crate::timeline::say;
use anyhow::{Context as _, ensure};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How long the controller may take to start: it makes a PostgreSQL first.
const START_LIMIT: Duration = Duration::from_secs(90);
/// Lines of the controller's log that a failure shows.
const LAST_WORDS: usize = 20;

/// An ISP with its admin.
#[derive(Debug)]
pub struct Isp {
    /// Its name.
    pub name: &'static str,
    /// The controller's id for it.
    pub tenant: String,
    /// Who runs it.
    pub admin: Person,
}

/// The two ISPs by name, with their admins' login names and the price of a month.
pub const ISPS: [(&str, &str, &str); 2] = [("Baraka Net", "amina", "1500"), ("Upepo Fibre", "otieno", "1200")];

/// The controller, the routers and the people.
#[derive(Debug)]
pub struct House {
    /// The routers, in the order in which they joined.
    pub masts: Vec<Mast>,
    /// The ISPs.
    pub isps: Vec<Isp>,
    controller: Option<Daemon>,
    platform: Option<Person>,
    url: String,
    programs: PathBuf,
    // The last to go: everything above lives in it.
    folder: TempDir,
}

impl House {
    /// Makes the folder and looks whether the programs are there.
    pub fn build() -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("this program does not know where it lies")?;
        let programs = own.parent().context("a program lies in a folder")?.to_owned();
        for program in ["mastwire-controller", "mastwire-router-sim"] {
            ensure!(programs.join(program).is_file(), "{program} is not built: start the demo by `cargo xtask demo`");
        }
        let folder = tempfile::Builder::new().prefix("mastwire-demo-").tempdir()?;
        // PostgreSQL's own user passes through when we are root; what lies in it closes itself.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
        let url = format!("http://127.0.0.1:{}", free_tcp_port()?);
        Ok(Self { masts: Vec::new(), isps: Vec::new(), controller: None, platform: None, url, programs, folder })
    }

    /// Returns the controller's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the controller in an empty folder; returns the token of the link that it prints for the first operator.
    pub async fn start_controller(&mut self) -> anyhow::Result<String> {
        let hub = format!("127.0.0.1:{}", free_udp_port()?);
        let data = self.data();
        let data = data.to_str().context("the temporary folder's name is not text")?;
        let http = self.url.trim_start_matches("http://");
        let arguments = ["serve", "--data", data, "--http", http, "--hub", &hub, "--endpoint", &hub];
        let program = self.programs.join("mastwire-controller");
        let log = self.folder.path().join("controller.log");
        let controller = self.controller.insert(Daemon::start("the controller", &program, &arguments, log)?);
        until("the controller is up", START_LIMIT, async || {
            controller.check()?;
            let printed = controller.printed();
            let link = printed.lines().map(str::trim).find_map(|line| line.split_once("/setup#"));
            Ok(link.map(|(_, token)| token.to_owned()).filter(|_| printed.contains("the hub is up")))
        })
        .await
    }

    /// Gives somebody a terminal.
    fn person(&self, login: &str) -> anyhow::Result<Person> {
        let folder = self.folder.path().join(login);
        Person::new(login, &self.programs.join("mastwire-controller"), &self.url, folder)
    }

    /// Lets the platform's first operator in.
    pub async fn let_in(&mut self, setup_token: &str) -> anyhow::Result<()> {
        let mut person = self.person("admin")?;
        person.arrive(setup_token).await?;
        self.platform = Some(person);
        Ok(())
    }

    /// Has the platform's operator make an ISP, and its admin arrive.
    pub async fn found(&mut self, name: &'static str, login: &str) -> anyhow::Result<()> {
        let platform = self.platform.as_ref().context("nobody has let the platform's operator in")?;
        let made = platform.run(&["tenant", "create", name, "--admin", login]).await?;
        let mut admin = self.person(login)?;
        admin.arrive(made["setup_token"].as_str().context("a new admin without a link")?).await?;
        let tenant = made["id"].as_str().context("a tenant without an id")?.to_owned();
        self.isps.push(Isp { name, tenant, admin });
        Ok(())
    }

    /// Switches a router on, as it comes out of the box.
    pub async fn switch_on(&self, spec: &'static Spec) -> anyhow::Result<Mast> {
        let name = format!("{}-{}", ISPS[spec.isp].1, spec.name);
        let socket = self.folder.path().join(format!("{name}.sock"));
        let path = socket.to_str().context("the temporary folder's name is not text")?;
        let arguments = ["run", "--board", spec.board, "--routeros", spec.version, "--device-mode", spec.mode, "--control", path];
        let program = self.programs.join("mastwire-router-sim");
        let daemon = Daemon::start(&name, &program, &arguments, self.folder.path().join(format!("{name}.log")))?;
        let mut mast = Mast {
            spec,
            daemon,
            socket,
            serial: String::new(),
            id: String::new(),
            address: std::net::Ipv4Addr::UNSPECIFIED,
            joined: Duration::ZERO,
            writes: 0,
        };
        let status = until("the router is up", PATIENCE, async || {
            mast.daemon.check()?;
            if mast.socket.exists() { mast.ask(routeros_sim::control::Command::Status).await.map(Some) } else { Ok(None) }
        })
        .await?;
        mast.serial = status["serial"].as_str().context("a router without a serial number")?.to_owned();
        Ok(mast)
    }

    /// Returns a router of an ISP.
    pub fn mast(&self, isp: usize, name: &str) -> &Mast {
        self.masts.iter().find(|mast| mast.spec.isp == isp && mast.spec.name == name).expect("all four have joined by now")
    }

    /// Returns an ISP with one of its routers.
    pub fn at(&self, isp: usize, name: &str) -> (&Isp, &Mast) {
        (&self.isps[isp], self.mast(isp, name))
    }

    /// Prints where everything is, for whoever wants to go on by hand.
    pub fn invite(&self) {
        let controller = shown(&self.programs.join("mastwire-controller"));
        say("\nEverything stays up until Ctrl-C.\n");
        say(format_args!("  API         {}/api/v1 (described in /api/v1/openapi.json)", self.url));
        say(format_args!("  data        {} (the controller's log lies beside it)", shown(&self.data())));
        let people = self.platform.iter().map(|person| ("the platform", person));
        for (of, person) in people.chain(self.isps.iter().map(|isp| (isp.name, &isp.admin))) {
            say(format_args!("  login       {:<8} password  {:<18} of {of}", person.login, person.password));
        }
        for mast in &self.masts {
            let place = format!("{} of {}", mast.spec.name, self.isps[mast.spec.isp].name);
            say(format_args!("  router      {place:<22} {}", shown(&mast.socket)));
        }
        say(format_args!("\nIn another terminal:\n\n  export MASTWIRE_URL={}", self.url));
        say(format_args!("  {controller} login amina\n  {controller} router list"));
        let socket = self.masts.first().map(|mast| shown(&mast.socket)).unwrap_or_default();
        say(format_args!("  {} ctl {socket} customers", shown(&self.programs.join("mastwire-router-sim"))));
    }

    /// Returns the end of the controller's log.
    pub fn last_words(&self) -> String {
        let printed = self.controller.as_ref().map(Daemon::printed).unwrap_or_default();
        let lines: Vec<&str> = printed.lines().filter(|line| !line.contains("mw_setup_")).collect();
        let tail = &lines[lines.len().saturating_sub(LAST_WORDS)..];
        format!("the end of the controller's log:\n  {}", tail.join("\n  "))
    }

    /// Stops the routers, then the controller, and looks whether its PostgreSQL has gone with it.
    ///
    /// # Errors
    /// The first thing that did not end well; everything else is stopped all the same.
    pub async fn close(&mut self) -> anyhow::Result<()> {
        let mut ended = Ok(());
        for mast in &mut self.masts {
            ended = ended.and(mast.daemon.stop().await);
        }
        if let Some(mut controller) = self.controller.take() {
            ended = ended.and(controller.stop().await);
        }
        ended?;
        let left = self.data().join("postgres/data/postmaster.pid");
        ensure!(!left.exists(), "the controller has ended, but its PostgreSQL has not");
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
