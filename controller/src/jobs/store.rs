//! Jobs in the database, besides what the locator claims.

use db::{DbError, PlatformTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

pub(super) async fn make_due(tx: &mut PlatformTx, name: &str, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE schedule SET due_at = least(due_at, $2) WHERE name = $1")
        .bind(name)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}
