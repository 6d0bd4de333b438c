//! Recurring work: one row for each kind of it, which controllers claim by a lease, so that of several only one does it.

use crate::doors::DbError;
use crate::locator::Locator;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use sqlx::FromRow;

/// The longest report of a run that is kept, in characters.
const REPORT_MAX: usize = 500;

/// How a piece of recurring work stands.
#[derive(Debug, Clone)]
pub struct ScheduleRow {
    /// Its name.
    pub name: String,
    /// When it is due.
    pub due_at: Timestamp,
    /// Until when a controller has it, if one does.
    pub leased_until: Option<Timestamp>,
    /// When it was begun last.
    pub last_started_at: Option<Timestamp>,
    /// When it ended last.
    pub last_finished_at: Option<Timestamp>,
    /// Whether it then succeeded.
    pub succeeded: Option<bool>,
    /// What it then said.
    pub report: Option<String>,
    /// How often in a row it failed.
    pub failures: i32,
}

#[derive(FromRow)]
struct Row {
    name: String,
    due_at: SqlTimestamp,
    leased_until: Option<SqlTimestamp>,
    last_started_at: Option<SqlTimestamp>,
    last_finished_at: Option<SqlTimestamp>,
    outcome: Option<String>,
    report: Option<String>,
    failures: i32,
}

impl Locator {
    /// Puts work on the schedule that is not there yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn plan_work(&self, name: &str, due_at: Timestamp) -> Result<(), DbError> {
        sqlx::query("INSERT INTO schedule (name, due_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(due_at.to_sqlx())
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Takes work that is due and that nobody holds; says whether it was got. The lease ends by itself, should its owner die.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_work(&self, name: &str, owner: &str, lease: SignedDuration, now: Timestamp) -> Result<bool, DbError> {
        let done = sqlx::query(
            "UPDATE schedule SET leased_until = $3, lease_owner = $2, last_started_at = $4
              WHERE name = $1 AND due_at <= $4 AND (leased_until IS NULL OR leased_until <= $4)",
        )
        .bind(name)
        .bind(owner)
        .bind((now + lease).to_sqlx())
        .bind(now.to_sqlx())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes down how a run went and when the next is due. Nothing is written by one whose lease went to another.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn finish_work(
        &self,
        name: &str,
        owner: &str,
        outcome: Result<&str, &str>,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        let (word, report) = match outcome {
            Ok(report) => ("done", report),
            Err(report) => ("failed", report),
        };
        let report: String = report.chars().take(REPORT_MAX).collect();
        let done = sqlx::query(
            "UPDATE schedule SET leased_until = NULL, lease_owner = NULL, last_finished_at = $5, outcome = $3, report = $4, due_at = $6,
                    failures = CASE WHEN $3 = 'done' THEN 0 ELSE failures + 1 END
              WHERE name = $1 AND lease_owner = $2",
        )
        .bind(name)
        .bind(owner)
        .bind(word)
        .bind(report)
        .bind(now.to_sqlx())
        .bind(due_at.to_sqlx())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Lists all recurring work by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn work(&self) -> Result<Vec<ScheduleRow>, DbError> {
        let rows: Vec<Row> = sqlx::query_as("SELECT * FROM schedule ORDER BY name").fetch_all(self.pool()).await?;
        Ok(rows
            .into_iter()
            .map(|row| ScheduleRow {
                name: row.name,
                due_at: row.due_at.to_jiff(),
                leased_until: row.leased_until.map(SqlTimestamp::to_jiff),
                last_started_at: row.last_started_at.map(SqlTimestamp::to_jiff),
                last_finished_at: row.last_finished_at.map(SqlTimestamp::to_jiff),
                succeeded: row.outcome.map(|outcome| outcome == "done"),
                report: row.report,
                failures: row.failures,
            })
            .collect())
    }
}
