//! Conditions in the database.

use super::{Condition, Raised, Severity};
use db::{DbError, PlatformTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};

/// Conditions that are listed; there are fewer kinds of them than that.
const LIST_MAX: i64 = 500;

pub(super) async fn upsert(tx: &mut PlatformTx, raised: &Raised, now: Timestamp) -> Result<(), DbError> {
    let text: String = raised.text.chars().take(1000).collect();
    sqlx::query(
        "INSERT INTO health_condition (code, severity, text, remedy, since, seen_at) VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (code) DO UPDATE SET severity = EXCLUDED.severity, text = EXCLUDED.text, remedy = EXCLUDED.remedy, seen_at = EXCLUDED.seen_at",
    )
    .bind(&raised.code)
    .bind(raised.severity.as_str())
    .bind(text)
    .bind(&raised.remedy)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut PlatformTx, code: &str) -> Result<bool, DbError> {
    let done = sqlx::query("DELETE FROM health_condition WHERE code = $1").bind(code).execute(tx.conn()).await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn list(tx: &mut PlatformTx) -> Result<Vec<Condition>, DbError> {
    type Row = (String, String, String, String, SqlTimestamp, SqlTimestamp);
    let rows: Vec<Row> =
        sqlx::query_as("SELECT code, severity, text, remedy, since, seen_at FROM health_condition ORDER BY code LIMIT $1")
            .bind(LIST_MAX)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows
        .into_iter()
        .map(|(code, severity, text, remedy, since, seen_at)| Condition {
            code,
            severity: Severity::from_stored(&severity),
            text,
            remedy,
            since: since.to_jiff(),
            seen_at: seen_at.to_jiff(),
        })
        .collect())
}
