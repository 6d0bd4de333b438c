//! What works on the controller's own machine, without its API.

use super::table::fields;
use crate::config::{Config, Settings};
use crate::operators;
use crate::serve::{self, DataFolder, Database, SystemClock, SystemEntropy};
use clap::{Args, Subcommand};
use db::{Cluster, Source};
use model::{Clock as _, Entropy};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the controller keeps its things.
#[derive(Debug, Args)]
pub(super) struct Data {
    /// The data folder; /var/lib/mastwire for root, else ~/.local/share/mastwire
    #[arg(long, env = "MASTWIRE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Data {
    /// Reads the settings: the file in the data folder, then the environment, then what `flags` changes.
    pub(super) fn config(self, flags: impl FnOnce(&mut Settings)) -> anyhow::Result<Config> {
        let data = self.data.unwrap_or_else(serve::default_data_folder);
        let mut settings = Settings::from_file(&data)?.with_environment(|name| std::env::var(name).ok());
        flags(&mut settings);
        Ok(settings.check(data, &serve::guess_host())?)
    }
}

/// Runs the controller until it is told to stop
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mastwire-controller serve\n  \
    mastwire-controller serve --http 0.0.0.0:443 --tls-certificate isp.pem --tls-key isp.key \\\n    \
    --public-url https://isp.example --endpoint vpn.isp.example:51820\n\n\
    Every flag can stand in DIR/mastwire.toml (with _ for -) and in the environment (MASTWIRE_HTTP and so on).")]
pub(super) struct Serve {
    #[command(flatten)]
    data: Data,
    /// Address and port of HTTP; 127.0.0.1:8080
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Address and port of the UDP socket that routers dial; 0.0.0.0:51820
    #[arg(long, value_name = "ADDR")]
    hub: Option<String>,
    /// Host and port that routers dial, as they see it; guessed when left out
    #[arg(long, value_name = "HOST:PORT")]
    endpoint: Option<String>,
    /// The address under which people and routers reach HTTP
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Certificate chain in PEM, for https
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Private key in PEM, for https
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Log one JSON object a line
    #[arg(long)]
    json_log: bool,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        telemetry::init(if self.json_log { telemetry::Format::Json } else { telemetry::Format::Text }, "info");
        let config = self.data.config(|settings| {
            let over = |setting: &mut Option<String>, flag: Option<String>| *setting = flag.or(setting.take());
            over(&mut settings.http, self.http);
            over(&mut settings.hub, self.hub);
            over(&mut settings.endpoint, self.endpoint);
            over(&mut settings.public_url, self.public_url);
            if self.tls_certificate.is_some() {
                (settings.tls_certificate, settings.tls_key) = (self.tls_certificate, self.tls_key);
            }
        })?;
        serve::serve(config).await
    }
}

/// Brings the database to what this version needs. The private one needs no command: `serve` does it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  MASTWIRE_DATABASE_URL=postgres://:secret@db.example/mastwire mastwire-controller migrate")]
pub(super) struct Migrate {
    #[command(flatten)]
    data: Data,
}

impl Migrate {
    pub(super) async fn run(self) -> anyhow::Result<String> {
        let config = self.data.config(|_| ())?;
        match &config.database_url {
            Some(url) => db::migrate(&Source::Url(url)).await?,
            None => {
                let _folder = DataFolder::open(&config.data)?;
                close(serve::open_database(&config, Arc::new(SystemEntropy)).await?).await;
            }
        }
        Ok("the database is as this version needs it\n".to_owned())
    }
}

/// Prints the OpenAPI document of the API
#[derive(Debug, Args)]
#[command(hide = true, after_help = "Example:\n  mastwire-controller openapi > docs/openapi.json")]
pub(super) struct OpenApi;

impl OpenApi {
    pub(super) fn run(self) -> anyhow::Result<String> {
        Ok(crate::http::openapi().to_pretty_json()? + "\n")
    }
}

/// The settings
#[derive(Debug, Subcommand)]
pub(super) enum Configuration {
    /// Checks the settings and prints what they come to
    #[command(after_help = "Example:\n  mastwire-controller config check")]
    Check(Data),
}

impl Configuration {
    pub(super) fn run(self) -> anyhow::Result<String> {
        let Self::Check(data) = self;
        let config = data.config(|_| ())?;
        let guessed = if config.endpoint_guessed { " (guessed)" } else { "" };
        let path = |path: &PathBuf| path.display().to_string();
        Ok(fields(&[
            ("data", path(&config.data)),
            ("http", config.http.to_string()),
            ("tls_certificate", config.tls.as_ref().map(|tls| path(&tls.certificate)).unwrap_or_default()),
            ("tls_key", config.tls.as_ref().map(|tls| path(&tls.key)).unwrap_or_default()),
            ("hub", config.hub.to_string()),
            ("endpoint", format!("{}:{}{guessed}", config.endpoint_host, config.endpoint_port)),
            ("public_url", config.public_url),
            ("supernet", config.supernet.to_string()),
            ("platform_second_factor", if config.platform_second_factor { "required" } else { "recommended" }.to_owned()),
            // The address holds a password.
            ("database_url", config.database_url.map_or("the private PostgreSQL", |_| "set, not shown").to_owned()),
        ]))
    }
}

/// Proves the wall between tenants, and that the books agree, on the database itself
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mastwire-controller audit\n  \
    MASTWIRE_DATABASE_URL=postgres://:secret@db.example/mastwire mastwire-controller audit --json\n\n\
    It looks and changes nothing, whether the controller runs or not. It ends with 0 when nothing was found, with 1 when something was, and with\n\
    2 when it could not look.")]
pub(super) struct Audit {
    #[command(flatten)]
    data: Data,
}

impl Audit {
    /// Returns the report as text, and how many findings there are.
    pub(super) async fn run(self, json: bool) -> anyhow::Result<(String, u64)> {
        let config = self.data.config(|_| ())?;
        let (database, _folder) = database_at_hand(&config, Arc::new(SystemEntropy)).await?;
        let report = database.db.audit(SystemClock.now()).await;
        close(database).await;
        let report = report?;
        let text = if json { serde_json::to_string_pretty(&report)? + "\n" } else { super::audit::readable(&report) };
        Ok((text, report.found()))
    }
}

#[derive(Debug, Args)]
pub(super) struct Recover {
    /// The operator's login name
    login: String,
    /// Also take the second factor away, for who has lost it with all recovery codes
    #[arg(long)]
    forget_second_factor: bool,
    #[command(flatten)]
    data: Data,
    /// The address for the link, where `serve` got it as a flag
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

impl Recover {
    /// Makes a one-time link in the database of a running controller, or in its database alone when it is not running.
    pub(super) async fn run(self) -> anyhow::Result<String> {
        let config = self.data.config(|settings| settings.public_url = self.public_url.or(settings.public_url.take()))?;
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let (database, _folder) = database_at_hand(&config, entropy.clone()).await?;
        let now = SystemClock.now();
        let forgotten = match self.forget_second_factor {
            true => operators::forget_second_factor(&database.db, now, &self.login).await,
            false => Ok(()),
        };
        let token = operators::recover(&database.db, &*entropy, now, &self.login, false).await;
        close(database).await;
        forgotten?;
        let token = token?;
        serve::print_setup(&config, &self.login, &token);
        Ok(String::new())
    }
}

/// Opens the database where it is: through the socket of a controller that runs, else by starting the private one for as long as the command
/// takes, with the data folder locked; or the operator's own server.
async fn database_at_hand(config: &Config, entropy: Arc<dyn Entropy>) -> anyhow::Result<(Database, Option<DataFolder>)> {
    let folder = serve::cluster_folder(&config.data);
    if config.database_url.is_none() && Cluster::is_running(&folder) {
        let db = db::connect(&Source::Private(&folder), entropy).await?;
        return Ok((Database { db, cluster: None }, None));
    }
    let locked = if config.database_url.is_none() { Some(DataFolder::open(&config.data)?) } else { None };
    Ok((serve::open_database(config, entropy).await?, locked))
}

async fn close(database: Database) {
    database.db.close().await;
    drop(database.cluster);
}
