//! Carries the private PostgreSQL over to another major version: everything is written out of the old one and into a new folder, compared
//! row by row, and the two folders change places in one step. Until then the old one is as it was, and after it the old one is kept.

use crate::cluster::{Binaries, Cluster, ClusterError, ClusterOptions, SUPERUSER};
use crate::migrate::{DATABASE, prepare_private};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why the folder was not carried over. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// There is nothing to carry over.
    #[error("there is no private PostgreSQL in {0}: an upgrade is for a data folder that has been used")]
    Nothing(PathBuf),
    /// The folder has the newest version already.
    #[error(
        "{folder} is of PostgreSQL {have} already, and {bin} is of no newer one: install the newer PostgreSQL first (its server programs), or \
         name its folder in MASTWIRE_PG_BIN"
    )]
    NotNewer { folder: PathBuf, have: u32, bin: PathBuf },
    /// The old programs are gone.
    #[error(
        "{folder} was made by PostgreSQL {major}, and its programs are needed once more to read it: install postgresql-{major} again, or name \
         their folder with --old-bin"
    )]
    NoOldPrograms { folder: PathBuf, major: u32 },
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {words}")]
    Program { program: &'static str, words: String },
    /// The copy is not the same.
    #[error("the table {0} is not the same in the copy; nothing was changed")]
    Differs(String),
    /// A cluster did not start.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A cluster did not answer.
    #[error("the database did not answer as it should")]
    Sqlx(#[from] sqlx::Error),
    /// A folder cannot be handled.
    #[error("{what} failed")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
}

/// What an upgrade did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// The version before.
    pub from: u32,
    /// The version now.
    pub to: u32,
    /// Tables that were carried over and compared.
    pub tables: usize,
    /// Rows of all of them.
    pub rows: i64,
    /// Where the old folder is kept.
    pub kept: PathBuf,
}

/// Carries a stopped private PostgreSQL over to the version of `new`.
///
/// # Errors
/// When there is nothing to do, a program is missing or fails, or the copy differs; then the folder is as it was.
///
/// # Cancel safety
/// Cancel safe: an unfinished copy is cleared away by the next run.
pub async fn upgrade(folder: &Path, old: Option<&Path>, new: &Binaries, same_major: bool) -> Result<Upgraded, UpgradeError> {
    let version = fs::read_to_string(folder.join("data/PG_VERSION")).map_err(|_| UpgradeError::Nothing(folder.to_owned()))?;
    let from: u32 = version.trim().parse().map_err(|_| UpgradeError::Nothing(folder.to_owned()))?;
    if new.major() < from || (new.major() == from && !same_major) {
        return Err(UpgradeError::NotNewer { folder: folder.to_owned(), have: from, bin: new.folder().to_owned() });
    }
    let missing = || UpgradeError::NoOldPrograms { folder: folder.to_owned(), major: from };
    let default = PathBuf::from(format!("/usr/lib/postgresql/{from}/bin"));
    let old = Binaries::at(old.unwrap_or(&default)).filter(|found| found.major() == from).ok_or_else(missing)?;
    let beside = beside(folder, "upgrade");
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(io(&format!("clearing {} away", beside.display())))?;
    }
    let (tables, rows) = copy(folder, &old, &beside, new).await?;
    // Both exist at every moment, under one name or the other: a crash leaves no empty place where a new database would be made.
    renameat2(AT_FDCWD, folder, AT_FDCWD, &beside, RenameFlags::RENAME_EXCHANGE)
        .map_err(|error| io("letting the two folders change places")(error.into()))?;
    let kept = kept(folder, from);
    fs::rename(&beside, &kept).map_err(io(&format!("naming the old folder {}", kept.display())))?;
    Ok(Upgraded { from, to: new.major(), tables, rows, kept })
}

fn io(what: &str) -> impl FnOnce(std::io::Error) -> UpgradeError {
    let what = what.to_owned();
    move |source| UpgradeError::Io { what, source }
}

fn beside(folder: &Path, ending: &str) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

fn kept(folder: &Path, major: u32) -> PathBuf {
    let first = beside(folder, &major.to_string());
    if !first.exists() {
        return first;
    }
    (2..).map(|number| beside(folder, &format!("{major}-{number}"))).find(|path| !path.exists()).expect("one is free")
}

/// Writes everything of one into the other and compares; both have stopped when it returns.
async fn copy(folder: &Path, old: &Binaries, beside: &Path, new: &Binaries) -> Result<(usize, i64), UpgradeError> {
    let source = Cluster::start(&ClusterOptions { folder: folder.to_owned(), durable: true }, old).await?;
    let target = Cluster::start(&ClusterOptions { folder: beside.to_owned(), durable: true }, new).await?;
    prepare_private(target.folder(), DATABASE).await?;
    let dump = target.folder().join("upgrade.dump");
    run("pg_dump", new, source.folder(), |command| command.arg("--format=custom").arg("--file").arg(&dump))?;
    run("pg_restore", new, target.folder(), |command| command.args(["--exit-on-error", "--single-transaction"]).arg(&dump))?;
    fs::remove_file(&dump).map_err(io("removing the written-out copy"))?;
    let mut before = Cluster::connect_options(source.folder(), SUPERUSER, DATABASE).connect().await?;
    let mut after = Cluster::connect_options(target.folder(), SUPERUSER, DATABASE).connect().await?;
    let (first, second) = (fingerprints(&mut before).await?, fingerprints(&mut after).await?);
    if let Some((table, ..)) = first.iter().find(|table| !second.contains(table)) {
        return Err(UpgradeError::Differs(table.clone()));
    }
    sqlx::raw_sql("ANALYZE").execute(&mut after).await?;
    drop(before.close().await);
    drop(after.close().await);
    source.stop();
    target.stop();
    Ok((first.len(), first.iter().map(|(_, rows, _)| rows).sum()))
}

fn run(
    program: &'static str,
    binaries: &Binaries,
    socket: &Path,
    arguments: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<(), UpgradeError> {
    let mut command = Command::new(binaries.folder().join(program));
    command.arg("--host").arg(socket).args(["--username", SUPERUSER, "--dbname", DATABASE, "--no-password"]);
    let output = arguments(&mut command).env("LC_ALL", "C").output().map_err(io(&format!("running {program}")))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).lines().take(3).collect::<Vec<_>>().join("; ");
    Err(UpgradeError::Program { program, words })
}

/// Counts and sums up every table, partitions by themselves.
async fn fingerprints(conn: &mut PgConnection) -> Result<Vec<(String, i64, String)>, sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut found = Vec::with_capacity(tables.len());
    for table in tables {
        // The name comes quoted out of the catalogue.
        let query = format!("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {table} t");
        let (rows, sum): (i64, String) = sqlx::query_as(AssertSqlSafe(query)).fetch_one(&mut *conn).await?;
        found.push((table, rows, sum));
    }
    Ok(found)
}
