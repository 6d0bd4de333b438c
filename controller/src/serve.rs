//! The life of a controller: everything is made ready in order, each step refused clearly, and taken down in the opposite order.

use crate::app::App;
use crate::config::{Config, HTTP_DEFAULT};
use crate::http::Server;
use crate::provisioning::Provisioner;
use crate::secrets::{MasterFile, MasterKey, Vault};
use crate::tenants::Rates;
use crate::tunnels::{self, Tunnels};
use crate::{enrolment, http, operators, workers};
use anyhow::{Context as _, bail};
use db::{Binaries, Cluster, ClusterOptions, Db, Source};
use jiff::Timestamp;
use model::{Clock, Entropy, Secret, micros};
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tunnel::HubEvent;

/// Below this the controller does not start: PostgreSQL stops when it cannot write, and a half-written start helps nobody.
const FREE_MIN_BYTES: u64 = 200 << 20;

/// The system's clock.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
    fn now(&self) -> Timestamp {
        micros(Timestamp::now())
    }
}

/// The system's randomness.
#[derive(Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the shell is where randomness is drawn")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the system gives randomness once it has started");
    }
}

/// Where the controller keeps its things when nobody says otherwise.
#[must_use]
pub fn default_data_folder() -> PathBuf {
    if nix::unistd::Uid::effective().is_root() {
        return PathBuf::from("/var/lib/mastwire");
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(|| home.map(|home| home.join(".local/share")));
    data.unwrap_or_else(|| PathBuf::from(".")).join("mastwire")
}

/// Guesses the address by which this machine is reached: the one its default route leaves by. Nothing is sent.
#[must_use]
pub fn guess_host() -> String {
    // 192.0.2.1 is a documentation address (RFC 5737); connecting a UDP socket only asks the routing table.
    let probe = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    probe.map_or_else(|_| "127.0.0.1".to_owned(), |address| address.ip().to_string())
}

/// The data folder, locked by this process.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: Flock<File>,
}

impl DataFolder {
    /// Makes the folder when it is missing, and locks it.
    ///
    /// # Errors
    /// When another controller has it, the disk is full, or it cannot be written.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("the data folder {} cannot be made", path.display()))?;
        let path = std::fs::canonicalize(path)?;
        // PostgreSQL's user has to pass through when we are root; everything in here closes itself.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o711))
            .with_context(|| format!("the data folder {} is not ours", path.display()))?;
        let stat = nix::sys::statvfs::statvfs(&path).context("the disk's free space cannot be read")?;
        let free = stat.blocks_available() * stat.fragment_size();
        if free < FREE_MIN_BYTES {
            bail!(
                "the disk of {} has {} MiB left; the controller needs {} MiB to start. Free some space",
                path.display(),
                free >> 20,
                FREE_MIN_BYTES >> 20
            );
        }
        let file = File::create(path.join("lock")).with_context(|| format!("{} cannot be written", path.display()))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
            anyhow::anyhow!(
                "another controller runs on the data folder {}: stop it, or choose another with --data",
                path.display()
            )
        })?;
        Ok(Self { path, _lock: lock })
    }
}

/// A database that is ready, with the private cluster if there is one.
#[derive(Debug)]
pub struct Database {
    /// The doors.
    pub db: Db,
    /// The private cluster, which stops when this is dropped.
    pub cluster: Option<Cluster>,
}

/// Starts or finds the database, and migrates it when it is our own.
///
/// # Errors
/// When it cannot be used; the error says what to do.
pub async fn open_database(config: &Config, entropy: Arc<dyn Entropy>) -> anyhow::Result<Database> {
    if let Some(url) = &config.database_url {
        let db = db::connect(&Source::Url(url), entropy).await?;
        return Ok(Database { db, cluster: None });
    }
    let folder = cluster_folder(&config.data);
    let cluster = Cluster::start(&ClusterOptions { folder: folder.clone(), durable: true }, &Binaries::find()?).await?;
    let source = Source::Private(cluster.folder());
    db::migrate(&source).await?;
    let db = db::connect(&source, entropy).await?;
    Ok(Database { db, cluster: Some(cluster) })
}

/// Where the private cluster lies.
#[must_use]
pub fn cluster_folder(data: &Path) -> PathBuf {
    data.join("postgres")
}

/// Runs the controller until it is told to stop.
///
/// # Errors
/// When something it needs is not there; the error says what and what to do.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    // First of all: a signal that comes while things are being made ready stops them in order too.
    let stop = told_to_stop()?;
    let folder = DataFolder::open(&config.data)?;
    let server = Server::bind(config.http, config.tls.as_ref()).await?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (vault, new_key) = open_vault(&folder.path, &entropy)?;
    let Database { db, cluster } = open_database(&config, entropy.clone()).await?;
    let (tunnels, events) = Tunnels::start(&db, &vault, &*clock, &*entropy, &config).await?;
    let app = Arc::new(App {
        db,
        vault,
        clock,
        entropy,
        tunnels,
        provisioner: Provisioner::default(),
        rates: Rates::default(),
        throttle: operators::Throttle::default(),
        strangers: operators::Strangers::default(),
        config,
    });
    let address = server.address()?;
    greet(&app, address, new_key.then(|| folder.path.join("master.key"))).await?;
    run(&app, server, events, stop).await?;
    tracing::info!("stopping");
    app.tunnels.shutdown().await;
    app.db.close().await;
    drop(cluster);
    tracing::info!("stopped; nothing is running any more");
    Ok(())
}

/// Returns a future that waits for SIGTERM or SIGINT, also for one that came before it was waited on.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Reads or makes the master key.
///
/// # Errors
/// When its file cannot be used.
pub fn open_vault(data: &Path, entropy: &Arc<dyn Entropy>) -> anyhow::Result<(Vault, bool)> {
    let key = data.join("master.key");
    // A new key beside an old database could open nothing in it, and would be found out only later, one secret at a time.
    if !key.exists() && cluster_folder(data).join("data/PG_VERSION").exists() {
        bail!(
            "the master key {} is missing, but the database it sealed is there. Put your copy of the key back; without it no password in \
             the database can be read. To start with an empty database instead, choose another folder with --data",
            key.display()
        );
    }
    let (master, new) = MasterKey::load_or_create(&key, &**entropy)?;
    // A change of the key that was broken off has left values sealed with either.
    let next = MasterFile::new(&key).next()?;
    Ok((Vault::with(std::iter::once(master).chain(next).collect(), entropy.clone()), new))
}

async fn run(
    app: &Arc<App>,
    server: Server,
    events: mpsc::Receiver<HubEvent>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let peers = tunnels::install_all(app).await?;
    enrolment::resume(app).await?;
    tracing::info!(peers, udp = %app.tunnels.address(), "the hub is up");
    let workers = workers::start(app, events);
    server.run(http::service(app.clone()), stop).await?;
    drop(workers);
    Ok(())
}

/// Says on the terminal what a person has to know at the start.
#[expect(clippy::print_stdout, reason = "this is what the person who starts the controller reads")]
async fn greet(app: &App, address: std::net::SocketAddr, new_key: Option<PathBuf>) -> anyhow::Result<()> {
    let config = &app.config;
    println!("Mastwire {} is starting; its data is in {}", env!("CARGO_PKG_VERSION"), config.data.display());
    if let Some(path) = new_key {
        println!();
        println!("A new master key was made: {}", path.display());
        println!(
            "  It seals every password and key in the database. If it is lost, they cannot be read again by anybody: every router"
        );
        println!(
            "  has to be enrolled anew and every customer needs a new password. Keep a copy apart from the database's backups, now:"
        );
        println!("  cp {} /somewhere/safe/", path.display());
    }
    println!();
    println!("HTTP     {address} ({})", config.public_url);
    println!("Tunnel   UDP {}; routers dial {}:{}", app.tunnels.address(), config.endpoint_host, config.endpoint_port);
    if config.endpoint_guessed {
        println!("         This address was guessed. If routers cannot reach it, set MASTWIRE_ENDPOINT=host:port and restart.");
    }
    if let Some(token) = operators::first_operator(app).await? {
        print_setup(&app.config, "admin", &token);
    }
    println!();
    Ok(())
}

/// Prints a one-time link and the command that does the same.
#[expect(clippy::print_stdout, reason = "the link is for the person at the terminal")]
pub fn print_setup(config: &Config, login: &str, token: &Secret<String>) {
    let token = token.expose();
    // The command looks at the default address unless it is told another.
    let elsewhere = config.public_url != format!("http://{HTTP_DEFAULT}");
    let url = if elsewhere { format!(" --url {}", config.public_url) } else { String::new() };
    println!();
    println!("Set the password of `{login}` within 24 hours, once, by this link:");
    println!("  {}", config.setup_url(token));
    println!("or by this command:");
    println!("  mastwire-controller setup {token}{url}");
}
