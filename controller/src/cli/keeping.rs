//! Copies and keys, on the controller's own machine: backup, restore, comparison, changes of keys, and a new PostgreSQL.

use super::local::Data;
use super::table::{Column, fields, table};
use crate::backups::{self, Keys, SealFor, Target};
use crate::config::Config;
use crate::secrets::{self, Keeper, MasterFile, MasterKey, Vault};
use crate::serve::{self, DataFolder, Database, SystemClock, SystemEntropy};
use anyhow::{Context as _, bail};
use clap::Args;
use db::{Binaries, Cluster, NamedTenant, PlatformActor, Source};
use model::{Clock as _, Entropy, Secret};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A passphrase is a line; a file that is longer is something else.
const PASSPHRASE_MAX_BYTES: u64 = 4096;
/// As whom the machine's own commands act.
const MACHINE: &str = "machine";

/// The database and the keys, of a controller that runs or of none.
struct Attached {
    config: Config,
    database: Database,
    vault: Vault,
    entropy: Arc<dyn Entropy>,
    running: bool,
    _folder: Option<DataFolder>,
}

impl Attached {
    async fn open(data: Data) -> anyhow::Result<Self> {
        let config = data.config(|_| ())?;
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let folder = serve::cluster_folder(&config.data);
        let running = config.database_url.is_none() && Cluster::is_running(&folder);
        // A database of one's own is for many; the private one is for whoever holds its folder.
        let alone = config.database_url.is_none() && !running;
        let lock = if alone { Some(DataFolder::open(&config.data)?) } else { None };
        let (vault, _) = serve::open_vault(&config.data, &entropy)?;
        let database = if running {
            Database { db: db::connect(&Source::Private(&folder), entropy.clone()).await?, cluster: None }
        } else {
            serve::open_database(&config, entropy.clone()).await?
        };
        Ok(Self { config, database, vault, entropy, running, _folder: lock })
    }

    fn keeper(&self) -> Keeper<'_> {
        Keeper { db: &self.database.db, vault: &self.vault, clock: &SystemClock, entropy: &*self.entropy }
    }

    async fn tenant(&self, text: &str) -> anyhow::Result<NamedTenant> {
        let found = self.database.db.locator().tenant_named(text, MACHINE).await?;
        found.with_context(|| format!("there is no tenant `{text}`"))
    }

    async fn close(self) {
        self.database.db.close().await;
        drop(self.database.cluster);
    }
}

/// Reads a passphrase from a file that only its owner can read.
fn passphrase(path: Option<&Path>) -> anyhow::Result<Option<Secret<String>>> {
    let Some(path) = path else { return Ok(None) };
    let meta = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if meta.mode() & 0o077 != 0 {
        bail!("others can read {0}: run chmod 600 {0}", path.display());
    }
    if meta.len() > PASSPHRASE_MAX_BYTES {
        bail!("{} is too long for a passphrase", path.display());
    }
    let text = Secret::new(std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?);
    Ok(Some(Secret::new(text.expose().trim_end_matches(['\r', '\n']).to_owned())))
}

/// Writes a tenant, or everything, into sealed files while the controller runs
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mastwire-controller backup \"Mast Net\" --out mast-net.mwbackup\n  \
    mastwire-controller backup \"Mast Net\" --passphrase-file pass --out to-another-machine.mwbackup\n  \
    mastwire-controller backup --all --passphrase-file pass --out everything-2026-01-15")]
pub(super) struct Backup {
    /// The tenant's name or id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    tenant: Option<String>,
    /// The whole installation: a folder with a file for each tenant, and one with what is the platform's and the master key
    #[arg(long, requires = "passphrase_file", requires = "out")]
    all: bool,
    /// The file (or with --all the folder) to write; the tenant's id with the ending .mwbackup when left out
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Seal for whoever knows the passphrase in this file, instead of for this installation's master key
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

impl Backup {
    pub(super) async fn run(self) -> anyhow::Result<String> {
        let passphrase = passphrase(self.passphrase_file.as_deref())?;
        let attached = Attached::open(self.data).await?;
        let outcome = match (self.tenant, self.out, passphrase) {
            (Some(tenant), out, passphrase) => one(&attached, &tenant, out, passphrase).await,
            (None, Some(out), Some(passphrase)) => all(&attached, &out, &passphrase).await,
            (None, ..) => Err(anyhow::anyhow!("--all needs --out and --passphrase-file")),
        };
        attached.close().await;
        outcome
    }
}

async fn one(
    attached: &Attached,
    tenant: &str,
    out: Option<PathBuf>,
    passphrase: Option<Secret<String>>,
) -> anyhow::Result<String> {
    let tenant = attached.tenant(tenant).await?;
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.mwbackup", tenant.door.tenant())));
    let seal_for = passphrase.map_or(SealFor::Master, SealFor::Passphrase);
    let taken = backups::take(attached.keeper(), &tenant.door, &out, &seal_for).await?;
    Ok(fields(&[
        ("tenant", tenant.name),
        ("file", out.display().to_string()),
        ("as of", taken.manifest.taken_at.to_string()),
        ("tables", taken.file.tables.to_string()),
        ("rows", taken.file.rows.to_string()),
        ("bytes", taken.file.bytes.to_string()),
        ("sha256", hex::encode(taken.file.sha256)),
    ]))
}

async fn all(attached: &Attached, out: &Path, passphrase: &Secret<String>) -> anyhow::Result<String> {
    let master = MasterKey::load(&attached.config.data.join("master.key"))?;
    let actor = PlatformActor::system(MACHINE);
    let (platform, tenants) = backups::take_instance(attached.keeper(), &actor, &master, out, passphrase).await?;
    Ok(fields(&[
        ("folder", out.display().to_string()),
        ("tenants", tenants.len().to_string()),
        ("rows", (platform.file.rows + tenants.iter().map(|taken| taken.file.rows).sum::<u64>()).to_string()),
        ("restore with", "mastwire-controller restore --all DIR --passphrase-file FILE --data EMPTY".to_owned()),
    ]))
}

/// Puts a backup back: into place, into a fresh installation, or beside the original to be compared
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mastwire-controller restore mast-net.mwbackup --shadow \"Mast Net as of Monday\"\n  \
    mastwire-controller compare \"Mast Net\" \"Mast Net as of Monday\"\n  \
    mastwire-controller restore mast-net.mwbackup --replace \"Mast Net\"\n  \
    mastwire-controller restore --all everything-2026-01-15 --passphrase-file pass --data /var/lib/mastwire\n  \
    mastwire-controller restore mast-net.mwbackup --check")]
pub(super) struct Restore {
    /// The file, or with --all the folder
    from: PathBuf,
    /// Replace the rows of this tenant although it is neither suspended nor gone: its name, as a confirmation
    #[arg(long, value_name = "NAME", conflicts_with_all = ["shadow", "all"])]
    replace: Option<String>,
    /// Lay it beside the original under this name: to be compared, never at work
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    shadow: Option<String>,
    /// Read the file to its end, say what is in it, and restore nothing
    #[arg(long, conflicts_with_all = ["shadow", "all", "replace"])]
    check: bool,
    /// Restore a whole installation into a data folder that is not there yet
    #[arg(long, requires = "passphrase_file")]
    all: bool,
    /// The passphrase that the file was sealed with
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The master key that the file was sealed with, where it is not this installation's
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

impl Restore {
    pub(super) async fn run(self) -> anyhow::Result<String> {
        let master = self.master_key.as_deref().map(MasterKey::load).transpose()?;
        let keys = Keys { passphrase: passphrase(self.passphrase_file.as_deref())?, master };
        if self.all {
            return restore_all(&self.from, &keys, self.data).await;
        }
        let attached = Attached::open(self.data).await?;
        let outcome = if self.check {
            check(&attached, &self.from, &keys).await
        } else {
            let target = match self.shadow {
                Some(name) => Target::Shadow { name },
                None => Target::Place { replace: self.replace },
            };
            restore_one(&attached, &self.from, &keys, &target).await
        };
        attached.close().await;
        outcome
    }
}

async fn check(attached: &Attached, from: &Path, keys: &Keys) -> anyhow::Result<String> {
    let found = backups::inspect(attached.keeper(), from, keys).await?;
    let rows: u64 = found.tables.iter().map(|(_, rows)| rows).sum();
    Ok(fields(&[
        ("tenant", found.manifest.name),
        ("as of", found.manifest.taken_at.to_string()),
        ("schema version", found.manifest.schema_version.to_string()),
        ("taken by version", found.manifest.program),
        ("tables", found.tables.len().to_string()),
        ("rows", rows.to_string()),
        ("", "the file is whole and adds up; nothing was restored".to_owned()),
    ]))
}

async fn restore_one(attached: &Attached, from: &Path, keys: &Keys, target: &Target) -> anyhow::Result<String> {
    let actor = PlatformActor::system(MACHINE);
    let done = backups::restore(attached.keeper(), &actor, from, keys, target).await?;
    let touched = done.tables.iter().filter(|table| table.cleared > 0 || table.loaded > 0);
    let rows: Vec<Value> =
        touched.map(|table| json!({ "table": table.table, "before": table.cleared, "now": table.loaded })).collect();
    let columns = [
        super::table::words("TABLE", |item| super::units::text(item, "table")),
        super::table::numbers("BEFORE", |item| item["before"].to_string()),
        super::table::numbers("NOW", |item| item["now"].to_string()),
    ];
    let mut text = table(&columns, &rows);
    let mut notes = vec![("tenant", format!("{} ({})", done.name, done.tenant)), ("as of", done.manifest.taken_at.to_string())];
    notes.extend(done.other.iter().map(|(what, why)| ("other", format!("{what}: {why}"))));
    if attached.running && matches!(target, Target::Place { .. }) {
        notes.push(("restart", "the running controller learns of the routers' tunnel keys when it is started again".to_owned()));
    }
    text.push_str(&fields(&notes));
    Ok(text)
}

/// Restores everything beside the place, and moves it there when it is whole.
async fn restore_all(from: &Path, keys: &Keys, data: Data) -> anyhow::Result<String> {
    let config = data.config(|_| ())?;
    if config.data.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        bail!(
            "{} is not empty: a whole installation is restored into a data folder that is not there yet",
            config.data.display()
        );
    }
    if config.database_url.is_some() {
        bail!("with a PostgreSQL of your own, restore its backup; --all is for the private one. Unset MASTWIRE_DATABASE_URL");
    }
    let master = backups::unpack_master_key(from, keys).await?;
    let mut unfinished = config.data.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).with_context(|| format!("{} cannot be cleared away", unfinished.display()))?;
    }
    let folder = DataFolder::open(&unfinished)?;
    master.save(&unfinished.join("master.key"))?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let (vault, _) = serve::open_vault(&unfinished, &entropy)?;
    let moved = Config { data: unfinished.clone(), ..config.clone() };
    let database = serve::open_database(&moved, entropy.clone()).await?;
    let keeper = Keeper { db: &database.db, vault: &vault, clock: &SystemClock, entropy: &*entropy };
    let outcome = backups::restore_instance(keeper, &PlatformActor::system(MACHINE), from, keys).await;
    database.db.close().await;
    drop(database.cluster);
    drop(folder);
    let done = outcome.inspect_err(|_| drop(std::fs::remove_dir_all(&unfinished)))?;
    drop(std::fs::remove_dir(&config.data));
    std::fs::rename(&unfinished, &config.data).with_context(|| format!("{} cannot be made", config.data.display()))?;
    let rows: i64 = done.tenants.iter().flat_map(|tenant| &tenant.tables).map(|table| table.loaded).sum();
    Ok(fields(&[
        ("data folder", config.data.display().to_string()),
        ("as of", done.manifest.taken_at.to_string()),
        ("tenants", done.tenants.len().to_string()),
        ("rows", (rows + done.platform_rows).to_string()),
        ("start it with", format!("mastwire-controller serve --data {}", config.data.display())),
    ]))
}

/// Compares two tenants row by row; ends with an error when they differ
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mastwire-controller compare \"Mast Net\" \"Mast Net as of Monday\"")]
pub(super) struct Compare {
    /// The first tenant's name or id
    first: String,
    /// The second tenant's name or id
    second: String,
    #[command(flatten)]
    data: Data,
}

impl Compare {
    pub(super) async fn run(self) -> anyhow::Result<String> {
        let attached = Attached::open(self.data).await?;
        let outcome = async {
            let (first, second) = (attached.tenant(&self.first).await?, attached.tenant(&self.second).await?);
            anyhow::Ok(backups::compare(attached.keeper(), &first, &second).await?)
        };
        let outcome = outcome.await;
        attached.close().await;
        let found = outcome?;
        let text = shown(&found);
        if found.is_same() { Ok(text) } else { bail!("they differ\n{text}") }
    }
}

fn shown(found: &backups::Comparison) -> String {
    let columns: [Column; 5] = [
        super::table::words("TABLE", |item| super::units::text(item, "table")),
        super::table::numbers("SAME", |item| item["same"].to_string()),
        super::table::numbers("ONLY FIRST", |item| item["first"].to_string()),
        super::table::numbers("ONLY SECOND", |item| item["second"].to_string()),
        super::table::numbers("CHANGED", |item| item["changed"].to_string()),
    ];
    let rows: Vec<Value> = found
        .tables
        .iter()
        .map(|table| {
            json!({ "table": table.table, "same": table.same, "first": table.only_first, "second": table.only_second,
                    "changed": table.changed })
        })
        .collect();
    let mut text = table(&columns, &rows);
    for difference in &found.tables {
        let examples = difference.examples.iter().map(|example| (difference.table, example.clone()));
        text.push_str(&fields(&examples.collect::<Vec<_>>()));
    }
    text.push_str(&fields(&[("not compared", found.left_out.join(", "))]));
    text
}

/// Gives tenants new data keys while the controller runs, or changes the master key while it rests; goes on where it was broken off
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mastwire-controller rotate-keys \"Mast Net\"\n  \
    mastwire-controller rotate-keys --all\n  \
    mastwire-controller rotate-keys --unfinished\n  \
    mastwire-controller rotate-keys --master")]
pub(super) struct RotateKeys {
    /// The tenant's name or id
    #[arg(required_unless_present_any = ["all", "unfinished", "master"])]
    tenant: Option<String>,
    /// All tenants
    #[arg(long, conflicts_with = "tenant")]
    all: bool,
    /// Only finish what was begun and broken off
    #[arg(long, conflicts_with_all = ["tenant", "all"])]
    unfinished: bool,
    /// The master key; no controller may run meanwhile, on any machine that uses the database
    #[arg(long, conflicts_with_all = ["tenant", "all", "unfinished"])]
    master: bool,
    #[command(flatten)]
    data: Data,
}

impl RotateKeys {
    pub(super) async fn run(self) -> anyhow::Result<String> {
        let attached = Attached::open(self.data).await?;
        let outcome = if self.master {
            rotate_master(&attached).await
        } else {
            rotate(&attached, self.tenant.as_deref(), self.unfinished).await
        };
        attached.close().await;
        outcome
    }
}

async fn rotate(attached: &Attached, tenant: Option<&str>, unfinished: bool) -> anyhow::Result<String> {
    let doors = match tenant {
        Some(tenant) => vec![attached.tenant(tenant).await?.door],
        None => attached.database.db.locator().tenants(MACHINE).await?,
    };
    let actor = PlatformActor::system(MACHINE);
    let mut rows = Vec::new();
    for door in doors {
        if unfinished && !secrets::is_unfinished(attached.keeper(), &door).await? {
            continue;
        }
        let done = secrets::rotate_tenant(attached.keeper(), &actor, &door).await?;
        let how = if done.resumed { "gone on with" } else { "done" };
        rows.push(json!({ "tenant": done.tenant, "key": done.version, "values": done.values, "how": how }));
    }
    let columns = [
        super::table::words("TENANT", |item| super::units::text(item, "tenant")),
        super::table::numbers("KEY", |item| item["key"].to_string()),
        super::table::numbers("SEALED ANEW", |item| item["values"].to_string()),
        super::table::words("", |item| super::units::text(item, "how")),
    ];
    Ok(table(&columns, &rows))
}

async fn rotate_master(attached: &Attached) -> anyhow::Result<String> {
    if attached.running {
        bail!(
            "the controller runs on this data folder: stop it, change the master key, and start it again; routers keep serving"
        );
    }
    let data = &attached.config.data;
    let file = MasterFile::new(&data.join("master.key"));
    let next = file.begin(&*attached.entropy)?;
    let values = secrets::rotate_master(attached.keeper(), &PlatformActor::system(MACHINE), &next).await?;
    let new = Vault::new(next, attached.entropy.clone());
    let (files, foreign) = backups::rewrap_all(data, &attached.vault, &new, &*attached.entropy).await?;
    let old = file.finish(&SystemClock.now().strftime("%Y-%m-%d").to_string())?;
    let mut notes = vec![
        ("sealed anew", values.to_string()),
        ("backup files", files.to_string()),
        ("old key", format!("{}: it opens copies of backups that lie elsewhere; keep it safe or destroy it", old.display())),
        ("new key", format!("{}: keep a copy apart from the backups, now", data.join("master.key").display())),
    ];
    notes.extend(foreign.iter().map(|path| ("not opened", format!("{} is sealed for another key", path.display()))));
    Ok(fields(&notes))
}

/// Carries the private database over to a newer PostgreSQL; the old folder is kept
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mastwire-controller upgrade-postgres --data /var/lib/mastwire")]
pub(super) struct UpgradePostgres {
    /// The folder of the old PostgreSQL's programs; /usr/lib/postgresql/VERSION/bin when left out
    #[arg(long, value_name = "DIR")]
    old_bin: Option<PathBuf>,
    /// Carry over to a folder of the same version, to try the way
    #[arg(long, hide = true)]
    same_version: bool,
    #[command(flatten)]
    data: Data,
}

impl UpgradePostgres {
    pub(super) async fn run(self) -> anyhow::Result<String> {
        let config = self.data.config(|_| ())?;
        if config.database_url.is_some() {
            bail!("the database is a PostgreSQL of your own: upgrade it with its own tools");
        }
        let _folder = DataFolder::open(&config.data)?;
        let folder = serve::cluster_folder(&config.data);
        let done = db::upgrade(&folder, self.old_bin.as_deref(), &Binaries::find()?, self.same_version).await?;
        Ok(fields(&[
            ("from", format!("PostgreSQL {}", done.from)),
            ("to", format!("PostgreSQL {}", done.to)),
            ("compared", format!("{} tables, {} rows", done.tables, done.rows)),
            ("old folder", format!("{}: remove it when you are content", done.kept.display())),
        ]))
    }
}
