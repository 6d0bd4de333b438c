//! Looking past all doors at a database as a whole: how large its tables are, and by which plans its statements were carried out.

use super::TestDb;
use crate::cluster::{Cluster, SUPERUSER};
use crate::doors::{ActorLabel, Reach, TenantDoor};
use crate::migrate::open_pool;
use crate::registry::TABLES;
use model::TenantId;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, SqlSafeStr};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// Connections past all policies.
pub type Hands = PgPool;

/// As many connections as the pools have together, and more.
const CONNECTIONS_MAX: usize = 40;

/// How large a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    /// Its name.
    pub name: &'static str,
    /// How many rows it has.
    pub rows: i64,
    /// What it takes on the disk with its indexes and months.
    pub bytes: i64,
}

/// The statements that a database carries out from now on, with their plans.
#[derive(Debug)]
pub struct Plans {
    log: PathBuf,
    read: u64,
}

/// One statement as it was carried out.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The statement.
    pub query: String,
    /// Its plan as `EXPLAIN (ANALYZE, FORMAT JSON)` tells it.
    pub root: Value,
}

impl TestDb {
    /// Counts every table's rows and what they take.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn sizes(&self) -> Vec<TableSize> {
        let mut superuser = self.connect_as(SUPERUSER).await;
        let mut sizes = Vec::new();
        for table in TABLES {
            let name = table.name;
            let query = format!(
                "SELECT (SELECT count(*) FROM {name}),
                        coalesce((SELECT sum(pg_total_relation_size(t.relid))::bigint FROM pg_partition_tree('{name}') t),
                                 pg_total_relation_size('{name}'))"
            );
            let read = sqlx::query_as(AssertSqlSafe(query)).fetch_one(&mut superuser).await;
            let (rows, bytes) = read.expect("a superuser sees everything");
            sizes.push(TableSize { name, rows, bytes });
        }
        sizes
    }

    /// Takes a statement that was put together at run time, for a bench that plays the part of somebody who writes SQL by hand.
    pub fn by_hand(statement: String) -> impl SqlSafeStr {
        AssertSqlSafe(statement)
    }

    /// Opens connections past all policies for the bench's other side: a pool like ours, so that the wall is all that differs.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn hands(&self, connections: u32) -> Hands {
        let options = Cluster::connect_options(&self.folder, SUPERUSER, &self.name);
        open_pool(options, connections).await.expect("a superuser can connect")
    }

    /// Begins to note down the plan of every statement. Connections that are open are closed: they would not.
    ///
    /// # Panics
    /// When the database refuses; PostgreSQL's own extension `auto_explain` must be installed.
    pub async fn watch_plans(&self) -> Plans {
        let mut superuser = self.connect_as(SUPERUSER).await;
        let settings = [
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_timing", "off"),
            ("auto_explain.log_format", "json"),
        ];
        let database = &self.name;
        for (name, value) in settings {
            Self::run(&mut superuser, &format!("LOAD 'auto_explain'; ALTER DATABASE {database} SET {name} = '{value}'")).await;
        }
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        Self::run(&mut superuser, others).await;
        // A pool believes in a connection that was just used, until it fails once.
        let door = TenantDoor::new(TenantId::from_uuid(uuid::Uuid::nil()), ActorLabel::system("plans"), Reach::All);
        for _ in 0..CONNECTIONS_MAX {
            drop(self.db.tenant(&door).await);
            drop(self.db.locator().work().await);
        }
        let log = self.folder.join("postgres.log");
        let read = std::fs::metadata(&log).map_or(0, |meta| meta.len());
        Plans { log, read }
    }

    /// Reads the plans of what was carried out since the last look, after waiting for transactions to end: a plan is noted down at its
    /// statement's very end.
    ///
    /// # Panics
    /// When the database does not answer or the log cannot be read.
    pub async fn plans(&self, plans: &mut Plans) -> Vec<Plan> {
        let mut superuser = self.connect_as(SUPERUSER).await;
        let busy = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                                      AND backend_type = 'client backend' AND state <> 'idle')";
        while sqlx::query_scalar::<_, bool>(busy).fetch_one(&mut superuser).await.expect("the catalogue answers") {
            tokio::task::yield_now().await;
        }
        let mut file = File::open(&plans.log).expect("the server writes a log");
        file.seek(SeekFrom::Start(plans.read)).expect("a file can be read from any place");
        let mut text = Vec::new();
        plans.read += u64::try_from(file.read_to_end(&mut text).expect("the log can be read")).expect("a log is not that long");
        read_plans(&String::from_utf8_lossy(&text)).into_iter().filter(|plan| plan.query != busy).collect()
    }
}

/// Finds the plans in a log: each follows its line, moved in by a tabulator.
fn read_plans(log: &str) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.ends_with("plan:") {
            continue;
        }
        let mut text = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
            text.push_str(line);
        }
        let mut plan: Value = serde_json::from_str(&text).expect("the plan is JSON");
        let query = plan["Query Text"].as_str().unwrap_or_default().to_owned();
        plans.push(Plan { query, root: plan["Plan"].take() });
    }
    plans
}
