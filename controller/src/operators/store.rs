//! Operators, memberships, logins and tokens in the database.

use super::Role;
use super::rules::locked_until;
use crate::http::{Page, PageItem};
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{ApiTokenId, LoginSessionId, OperatorId, TenantId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// An operator as the tenant sees them.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorView {
    /// The person.
    pub id: OperatorId,
    /// The name they log in with.
    pub login: String,
    /// The name they are called by.
    pub display_name: String,
    /// What they are in this tenant.
    pub role: Role,
    /// `active` or `suspended`.
    pub status: String,
}

impl PageItem for OperatorView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

/// An API token without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// The token.
    pub id: ApiTokenId,
    /// What its maker called it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

impl PageItem for TokenView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

fn role(name: &str) -> Role {
    Role::from_stored(name).expect("the column's CHECK lets only roles in")
}

pub(super) async fn find_operator(tx: &mut PlatformTx, login: &str) -> Result<Option<OperatorId>, DbError> {
    Ok(sqlx::query_scalar("SELECT id FROM operator WHERE login = $1").bind(login).fetch_optional(tx.conn()).await?)
}

pub(super) async fn insert_operator(
    tx: &mut PlatformTx,
    id: OperatorId,
    login: &str,
    display_name: &str,
    platform: bool,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO operator (id, login, display_name, platform, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(login)
        .bind(display_name)
        .bind(platform)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn insert_membership(
    tx: &mut PlatformTx,
    tenant: TenantId,
    operator: OperatorId,
    role: Role,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO membership (tenant_id, operator_id, role, created_at) VALUES ($1, $2, $3, $4)")
        .bind(tenant)
        .bind(operator)
        .bind(role.as_str())
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one row's columns; a struct would only repeat them")]
pub(super) async fn insert_session(
    tx: &mut PlatformTx,
    id: LoginSessionId,
    operator: OperatorId,
    tenant: Option<TenantId>,
    purpose: &str,
    token_hash: &[u8; 32],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO login_session (id, operator_id, tenant_id, purpose, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(operator)
    .bind(tenant)
    .bind(purpose)
    .bind(&token_hash[..])
    .bind(now.to_sqlx())
    .bind(expires_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends a login or link; false when it had ended already.
pub(super) async fn revoke_session(tx: &mut PlatformTx, id: LoginSessionId, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE login_session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn set_password(tx: &mut PlatformTx, operator: OperatorId, hash: &str, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE operator SET password_hash = $2, failed_logins = 0, locked_until = NULL WHERE id = $1")
        .bind(operator)
        .bind(hash)
        .execute(tx.conn())
        .await?;
    sqlx::query("UPDATE login_session SET revoked_at = $2 WHERE operator_id = $1 AND revoked_at IS NULL")
        .bind(operator)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Locks an operator's row; returns until when the login is locked, and the password's hash.
pub(super) async fn lock_login(
    tx: &mut PlatformTx,
    operator: OperatorId,
) -> Result<(Option<Timestamp>, Option<String>), DbError> {
    let (until, hash): (Option<SqlTimestamp>, Option<String>) =
        sqlx::query_as("SELECT locked_until, password_hash FROM operator WHERE id = $1 FOR UPDATE")
            .bind(operator)
            .fetch_one(tx.conn())
            .await?;
    Ok((until.map(SqlTimestamp::to_jiff), hash))
}

pub(super) async fn count_failure(tx: &mut PlatformTx, operator: OperatorId, now: Timestamp) -> Result<(), DbError> {
    let failures: i32 =
        sqlx::query_scalar("UPDATE operator SET failed_logins = failed_logins + 1 WHERE id = $1 RETURNING failed_logins")
            .bind(operator)
            .fetch_one(tx.conn())
            .await?;
    if let Some(until) = locked_until(failures, now) {
        sqlx::query("UPDATE operator SET locked_until = $2 WHERE id = $1")
            .bind(operator)
            .bind(until.to_sqlx())
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

pub(super) async fn clear_failures(tx: &mut PlatformTx, operator: OperatorId) -> Result<(), DbError> {
    sqlx::query("UPDATE operator SET failed_logins = 0, locked_until = NULL WHERE id = $1")
        .bind(operator)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn list_operators(tx: &mut TenantTx, page: &Page) -> Result<Vec<OperatorView>, DbError> {
    #[derive(FromRow)]
    struct Row {
        id: OperatorId,
        login: String,
        display_name: String,
        role: String,
        status: String,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.id, o.login, o.display_name, m.role, o.status FROM membership m JOIN operator o ON o.id = m.operator_id
          WHERE m.tenant_id = $1 AND o.id < $2 ORDER BY o.id DESC LIMIT $3",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| OperatorView {
            id: row.id,
            login: row.login,
            display_name: row.display_name,
            role: role(&row.role),
            status: row.status,
        })
        .collect())
}

pub(super) async fn count_tokens(tx: &mut TenantTx, now: Timestamp) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM api_token WHERE tenant_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn insert_token(
    tx: &mut TenantTx,
    id: ApiTokenId,
    name: &str,
    role: Role,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO api_token (tenant_id, id, name, role, token_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(tx.tenant())
        .bind(id)
        .bind(name)
        .bind(role.as_str())
        .bind(&token_hash[..])
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn revoke_token(tx: &mut TenantTx, id: ApiTokenId, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE api_token SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn list_tokens(tx: &mut TenantTx, page: &Page) -> Result<Vec<TokenView>, DbError> {
    #[derive(FromRow)]
    struct Row {
        id: ApiTokenId,
        name: String,
        role: String,
        created_at: SqlTimestamp,
        revoked_at: Option<SqlTimestamp>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, name, role, created_at, revoked_at FROM api_token WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| TokenView {
            id: row.id,
            name: row.name,
            role: role(&row.role),
            created_at: row.created_at.to_jiff(),
            revoked_at: row.revoked_at.map(SqlTimestamp::to_jiff),
        })
        .collect())
}
