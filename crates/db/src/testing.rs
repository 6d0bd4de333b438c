//! A database per test: one private cluster per test program, one migrated template in it, a copy for each test.

mod plans;

pub use plans::{Hands, Plan, Plans, TableSize};

use crate::cluster::{Binaries, Cluster, ClusterOptions, SUPERUSER};
use crate::doors::Db;
use crate::migrate::{DATABASE, OWNER, Source, connect, migrate, migrate_before, prepare_private};
use crate::registry::{Class, TABLES, Table};
use model::{Entropy, SeededEntropy, TenantId};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Mutex, OnceCell};

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static NEXT: AtomicU64 = AtomicU64::new(1);
const TEMPLATE: &str = "mastwire_template";

/// A migrated, empty database of its own, on a real PostgreSQL.
#[derive(Debug)]
pub struct TestDb {
    db: Db,
    folder: PathBuf,
    name: String,
    superuser: Mutex<Option<PgConnection>>,
}

impl TestDb {
    /// Makes one.
    ///
    /// # Panics
    /// When PostgreSQL is missing or refuses: a test without a database is no test.
    pub async fn new() -> Self {
        let cluster = CLUSTER.get_or_init(start).await;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let mut superuser =
            Cluster::connect_options(cluster.folder(), SUPERUSER, "postgres").connect().await.expect("the cluster answers");
        let create = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut superuser).await.expect("the template can be copied");
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(number));
        let db = connect(&Source::Named(cluster.folder(), &name), entropy).await.expect("the copy has the schema");
        Self { db, folder: cluster.folder().to_owned(), name, superuser: Mutex::default() }
    }

    /// Migrates and opens the database of a private cluster that the test started, and may stop and start again. In one that stays, what
    /// `entropy` gives must not be what it gave the last time.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub async fn on(cluster: &Cluster, entropy: Arc<dyn Entropy>) -> Self {
        let source = Source::Private(cluster.folder());
        migrate(&source).await.expect("the migrations run");
        let db = connect(&source, entropy).await.expect("the database has the schema");
        Self { db, folder: cluster.folder().to_owned(), name: DATABASE.to_owned(), superuser: Mutex::default() }
    }

    /// Returns the doors.
    #[must_use]
    pub fn db(&self) -> Db {
        self.db.clone()
    }

    /// Connects past all doors as a role: `mastwire_app`, `mastwire_platform`, `mastwire_owner` or `postgres`.
    ///
    /// # Panics
    /// When the role cannot connect.
    pub async fn connect_as(&self, role: &str) -> PgConnection {
        Cluster::connect_options(&self.folder, role, &self.name).connect().await.expect("the role can connect")
    }

    /// Deletes a tenant's rows of a table over a connection of the caller's, past whatever that connection is past.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn delete_rows(&self, connection: &mut PgConnection, table: &str, tenant: TenantId) {
        let query = format!("DELETE FROM {table} WHERE tenant_id = '{}'", tenant.uuid());
        sqlx::query(AssertSqlSafe(query)).execute(connection).await.expect("the connection may");
    }

    /// Counts a tenant's rows, past all doors and without asking the registry: of every table that has a `tenant_id` and such a row.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn count(&self, tenant: TenantId) -> BTreeMap<String, i64> {
        let mut superuser = self.connect_as(SUPERUSER).await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')",
        )
        .fetch_all(&mut superuser)
        .await
        .expect("a superuser sees everything");
        let mut counts = BTreeMap::new();
        for table in tables {
            let query = format!("SELECT count(*) FROM public.{table} WHERE tenant_id = $1");
            let count = sqlx::query_scalar(AssertSqlSafe(query)).bind(tenant).fetch_one(&mut superuser).await;
            let count: i64 = count.expect("a superuser sees everything");
            if count > 0 {
                counts.insert(table, count);
            }
        }
        counts
    }

    /// Reads every row as text, past all doors and policies: of one tenant's tables, or of all. A test compares two of these, or searches one.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn rows(&self, tenant: Option<TenantId>) -> Vec<(String, String)> {
        let wanted = |class| tenant.is_none() || class == Class::Tenant;
        let own = tenant.map(|id| format!(" WHERE tenant_id = '{}'", id.uuid())).unwrap_or_default();
        let tables = TABLES.iter().filter(|table| wanted(table.class));
        let parts: Vec<String> =
            tables.map(|Table { name, .. }| format!("SELECT '{name}', t::text FROM {name} t{own}")).collect();
        let query = format!("{} ORDER BY 1, 2", parts.join(" UNION ALL "));
        let mut superuser = self.connect_as(SUPERUSER).await;
        sqlx::query_as(AssertSqlSafe(query)).fetch_all(&mut superuser).await.expect("a superuser sees everything")
    }
}

impl TestDb {
    /// Reads a digest of every row, past all doors and policies: two are equal when nothing was changed in between.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn fingerprint(&self) -> String {
        let parts: Vec<String> = TABLES
            .iter()
            .map(|Table { name, .. }| {
                format!("SELECT '{name}', (SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t) AS digest")
            })
            .collect();
        let query = format!("SELECT string_agg(t::text, ',' ORDER BY t::text) FROM ({}) AS t", parts.join(" UNION ALL "));
        // Asked before and after each of thousands of requests, so the connection is kept.
        let mut kept = self.superuser.lock().await;
        let mut superuser = match kept.take() {
            Some(superuser) => superuser,
            None => self.connect_as(SUPERUSER).await,
        };
        let digest =
            sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut superuser).await.expect("a superuser sees everything");
        *kept = Some(superuser);
        digest
    }
}

impl TestDb {
    /// Runs one statement as the app role in a tenant, past all Rust types, and takes it back. Returns how many rows it touched, or what the
    /// database said.
    ///
    /// # Errors
    /// When the database refuses the statement; the text is its own.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn try_as_app(&self, tenant: TenantId, statement: &str) -> Result<u64, String> {
        let mut app = self.connect_as("mastwire_app").await;
        let begin = format!("BEGIN; SET LOCAL app.tenant_id = '{}'; SET LOCAL app.reach = 'all'", tenant.uuid());
        let mut tx = app.begin_with(AssertSqlSafe(begin)).await.expect("a transaction");
        let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await;
        drop(tx.rollback().await);
        done.map(|done| done.rows_affected()).map_err(|error| error.to_string())
    }
}

impl TestDb {
    /// Runs statements on a connection, whatever they are, as somebody who has broken in would.
    ///
    /// # Panics
    /// When the database refuses one.
    pub async fn run(connection: &mut PgConnection, statements: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(connection).await;
        done.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }
}

/// A database whose schema is older than this program's: a test fills it, migrates it, and looks what became of the rows.
#[derive(Debug)]
pub struct OldDb {
    folder: PathBuf,
    name: String,
}

impl OldDb {
    /// Makes one with all migrations before a version.
    ///
    /// # Panics
    /// When PostgreSQL is missing or refuses.
    pub async fn before(version: i64) -> Self {
        let cluster = CLUSTER.get_or_init(start).await;
        let name = format!("old_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        prepare_private(cluster.folder(), &name).await.expect("roles and database can be made");
        migrate_before(&Source::Named(cluster.folder(), &name), version).await.expect("the earlier migrations run");
        Self { folder: cluster.folder().to_owned(), name }
    }

    /// Connects as a role.
    ///
    /// # Panics
    /// When the role cannot connect.
    pub async fn connect_as(&self, role: &str) -> PgConnection {
        Cluster::connect_options(&self.folder, role, &self.name).connect().await.expect("the role can connect")
    }

    /// Runs the other migrations.
    ///
    /// # Panics
    /// When one of them fails.
    pub async fn migrate(self) -> TestDb {
        let source = Source::Named(&self.folder, &self.name);
        migrate(&source).await.expect("the migrations run");
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(0));
        let db = connect(&source, entropy).await.expect("the database has the schema");
        TestDb { db, folder: self.folder, name: self.name, superuser: Mutex::default() }
    }
}

/// Starts the program's cluster. It ends with the program; its folder is cleared away by the next program that finds its owner gone.
async fn start() -> Cluster {
    // A program ends without running destructors, so what an earlier one left is cleared away here.
    let root = std::env::temp_dir();
    for entry in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("mastwire-test-").and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
    let folder = root.join(format!("mastwire-test-{}", std::process::id()));
    let binaries = Binaries::find().expect("tests need PostgreSQL: run `cargo xtask setup`");
    let options = ClusterOptions { folder, durable: false };
    let cluster = Cluster::start(&options, &binaries).await.expect("a private PostgreSQL starts");
    prepare_private(cluster.folder(), TEMPLATE).await.expect("roles and template can be made");
    migrate(&Source::Named(cluster.folder(), TEMPLATE)).await.expect("the migrations run");
    // A test's clock stands in January 2026 or is moved from there, so those months are needed beside the real ones.
    let mut owner = Cluster::connect_options(cluster.folder(), OWNER, TEMPLATE).connect().await.expect("the owner can connect");
    sqlx::query("SELECT ensure_partitions('2025-12-01 00:00Z', '2027-02-01 00:00Z')").execute(&mut owner).await.expect("made");
    drop(owner.close().await);
    cluster
}
