//! Makes the schema what this binary needs, as the owner role, and opens the doors.

use crate::cluster::{Cluster, SUPERUSER};
use crate::doors::Db;
use model::Entropy;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");
const ROLES: &str = include_str!("../../../provisioning-scripts/postgresql-roles.sql");
pub(crate) const OWNER: &str = "mastwire_owner";
const APP: &str = "mastwire_app";
const PLATFORM: &str = "mastwire_platform";
pub(crate) const DATABASE: &str = "mastwire";
/// Connections for tenants' work, and for cross-tenant work.
const APP_CONNECTIONS: u32 = 16;
const PLATFORM_CONNECTIONS: u32 = 6;
/// How long a connection that was just used is taken to be alive.
const BELIEVED_ALIVE: Duration = Duration::from_millis(100);
/// How long a request waits for a connection before it is told that the database is away.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);

/// Why the schema is not usable.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The address of the database is malformed.
    #[error("MASTWIRE_DATABASE_URL is not a PostgreSQL address such as postgres://:password@host/mastwire")]
    Address(#[source] sqlx::Error),
    /// The database does not answer.
    #[error("the database does not answer as role {role}")]
    Connect {
        role: &'static str,
        #[source]
        source: sqlx::Error,
    },
    /// The roles are missing on a server of the operator's own.
    #[error(
        "the roles could not be prepared; on a server of your own, run provisioning-scripts/postgresql-roles.sql once as a superuser"
    )]
    Roles(#[source] sqlx::Error),
    /// The schema was made by a newer version of this program.
    #[error(
        "the database has schema version {found}, this program knows {known}: start the newer version, or restore a backup made before the upgrade"
    )]
    Newer { found: i64, known: i64 },
    /// The schema is behind and must be brought forward first.
    #[error("the database has schema version {found}, this program needs {known}: run `mastwire-controller migrate`")]
    Older { found: i64, known: i64 },
    /// A migration failed; nothing of it is kept.
    #[error("a migration failed and was rolled back")]
    Migration(#[source] sqlx::migrate::MigrateError),
}

/// Where the database is.
#[derive(Debug)]
pub enum Source<'a> {
    /// The private cluster in a folder; it must be running.
    Private(&'a Path),
    /// A database of a cluster that is already prepared; for tests, which make many.
    Named(&'a Path, &'a str),
    /// A server of the operator's own; the three roles log in with the address' password.
    Url(&'a str),
}

impl Source<'_> {
    fn options(&self, role: &'static str) -> Result<PgConnectOptions, MigrateError> {
        let options = match self {
            Self::Private(folder) => Cluster::connect_options(folder, role, DATABASE),
            Self::Named(folder, database) => Cluster::connect_options(folder, role, database),
            Self::Url(url) => PgConnectOptions::from_str(url).map_err(MigrateError::Address)?.username(role),
        };
        // Compiling a statement takes longer than any of ours runs, and partitions make the planner believe otherwise.
        Ok(options.options([("jit", "off")]))
    }
}

/// Makes the roles and the database where they are ours to make, and brings the schema to what this binary needs.
///
/// # Errors
/// When the database does not answer, is newer than this binary, or a migration fails.
pub async fn migrate(source: &Source<'_>) -> Result<(), MigrateError> {
    if let Source::Private(folder) = source {
        prepare_private(folder, DATABASE).await.map_err(MigrateError::Roles)?;
    }
    let mut owner = source.options(OWNER)?.connect().await.map_err(|source| MigrateError::Connect { role: OWNER, source })?;
    if let Some(found) = newest_applied(&mut owner).await
        && found > newest_known()
    {
        return Err(MigrateError::Newer { found, known: newest_known() });
    }
    MIGRATIONS.run(&mut owner).await.map_err(MigrateError::Migration)?;
    drop(owner.close().await);
    Ok(())
}

/// Runs the migrations before a version, for a test of that version with rows that were there before.
#[cfg(feature = "testing")]
pub(crate) async fn migrate_before(source: &Source<'_>, version: i64) -> Result<(), MigrateError> {
    let earlier = MIGRATIONS.iter().filter(|migration| migration.version < version).cloned().collect();
    let mut owner = source.options(OWNER)?.connect().await.map_err(|source| MigrateError::Connect { role: OWNER, source })?;
    Migrator::with_migrations(earlier).run(&mut owner).await.map_err(MigrateError::Migration)?;
    drop(owner.close().await);
    Ok(())
}

/// Opens the doors to a database whose schema is the one this binary knows.
///
/// # Errors
/// When the database does not answer, or its schema is older or newer.
pub async fn connect(source: &Source<'_>, entropy: Arc<dyn Entropy>) -> Result<Db, MigrateError> {
    let mut owner = source.options(OWNER)?.connect().await.map_err(|source| MigrateError::Connect { role: OWNER, source })?;
    let (found, known) = (newest_applied(&mut owner).await.unwrap_or(0), newest_known());
    drop(owner.close().await);
    if found > known {
        return Err(MigrateError::Newer { found, known });
    }
    if found < known {
        return Err(MigrateError::Older { found, known });
    }
    let app = pool(source.options(APP)?, APP_CONNECTIONS, APP).await?;
    let platform = pool(source.options(PLATFORM)?, PLATFORM_CONNECTIONS, PLATFORM).await?;
    Ok(Db::new(app, platform, entropy))
}

async fn pool(options: PgConnectOptions, size: u32, role: &'static str) -> Result<sqlx::PgPool, MigrateError> {
    open_pool(options, size).await.map_err(|source| MigrateError::Connect { role, source })
}

pub(crate) async fn open_pool(options: PgConnectOptions, size: u32) -> Result<sqlx::PgPool, sqlx::Error> {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_LIMIT)
        // Asking a connection whether it still lives costs a round trip, as much as a short statement.
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for > BELIEVED_ALIVE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
}

/// Makes the roles, and a database that belongs to the owner role.
pub(crate) async fn prepare_private(folder: &Path, database: &str) -> Result<(), sqlx::Error> {
    let mut superuser = Cluster::connect_options(folder, SUPERUSER, "postgres").connect().await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(database)
        .fetch_one(&mut superuser)
        .await?;
    if !exists {
        // The name is a constant of ours; CREATE DATABASE takes no parameter.
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {database}"))).execute(&mut superuser).await?;
    }
    drop(superuser.close().await);
    let mut inside = Cluster::connect_options(folder, SUPERUSER, database).connect().await?;
    sqlx::raw_sql(ROLES).execute(&mut inside).await?;
    drop(inside.close().await);
    Ok(())
}

pub(crate) fn newest_known() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The table of migrations is missing in a new database: then nothing is applied.
async fn newest_applied(owner: &mut PgConnection) -> Option<i64> {
    sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(owner).await.ok().flatten()
}
