//! Second factors and recovery codes.

use db::{DbError, PlatformTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::OperatorId;

/// A second factor.
pub(in crate::operators) struct Factor {
    pub sealed_secret: Vec<u8>,
    pub confirmed: bool,
    pub last_step: i64,
}

pub(in crate::operators) async fn lock(tx: &mut PlatformTx, operator: OperatorId) -> Result<Option<Factor>, DbError> {
    let row: Option<(Vec<u8>, bool, i64)> = sqlx::query_as(
        "SELECT sealed_secret, confirmed_at IS NOT NULL, last_step FROM operator_totp WHERE operator_id = $1 FOR UPDATE",
    )
    .bind(operator)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|(sealed_secret, confirmed, last_step)| Factor { sealed_secret, confirmed, last_step }))
}

/// Keeps a secret that is not in force yet, in place of one before.
pub(in crate::operators) async fn put(
    tx: &mut PlatformTx,
    operator: OperatorId,
    sealed: &[u8],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO operator_totp (operator_id, sealed_secret, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (operator_id) DO UPDATE SET sealed_secret = $2, created_at = $3, confirmed_at = NULL, last_step = 0",
    )
    .bind(operator)
    .bind(sealed)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::operators) async fn put_in_force(
    tx: &mut PlatformTx,
    operator: OperatorId,
    step: i64,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("UPDATE operator_totp SET confirmed_at = $2, last_step = $3 WHERE operator_id = $1")
        .bind(operator)
        .bind(now.to_sqlx())
        .bind(step)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(in crate::operators) async fn use_step(tx: &mut PlatformTx, operator: OperatorId, step: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE operator_totp SET last_step = $2 WHERE operator_id = $1")
        .bind(operator)
        .bind(step)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(in crate::operators) async fn insert_recovery_code(
    tx: &mut PlatformTx,
    operator: OperatorId,
    hash: &[u8; 32],
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO recovery_code (operator_id, code_hash) VALUES ($1, $2)")
        .bind(operator)
        .bind(&hash[..])
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Uses a recovery code up; false when there is none like it that was not used.
pub(in crate::operators) async fn use_recovery_code(
    tx: &mut PlatformTx,
    operator: OperatorId,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE recovery_code SET used_at = $3 WHERE operator_id = $1 AND code_hash = $2 AND used_at IS NULL")
        .bind(operator)
        .bind(&hash[..])
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::operators) async fn recovery_codes_left(tx: &mut PlatformTx, operator: OperatorId) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM recovery_code WHERE operator_id = $1 AND used_at IS NULL")
        .bind(operator)
        .fetch_one(tx.conn())
        .await?)
}

/// Takes a second factor away, in force or not, with its recovery codes; false when there was none.
pub(in crate::operators) async fn remove(tx: &mut PlatformTx, operator: OperatorId) -> Result<bool, DbError> {
    sqlx::query("DELETE FROM recovery_code WHERE operator_id = $1").bind(operator).execute(tx.conn()).await?;
    let done = sqlx::query("DELETE FROM operator_totp WHERE operator_id = $1").bind(operator).execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}
