//! People, their passwords and their logins in the database; memberships, tokens and the rest stand in files of their own.

pub mod factors;
pub mod invitations;
pub mod members;
pub mod people;
pub mod sessions;
pub mod tokens;
pub mod visits;

use super::rules::{Grant, locked_until};
use super::{Extent, OperatorError, PermissionSet, Role};
use db::{DbError, PlatformTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{LoginSessionId, OperatorId, TenantId};
use std::net::IpAddr;

pub(super) fn role(name: &str) -> Role {
    Role::from_stored(name).expect("the column's CHECK lets only roles in")
}

/// Puts a membership's or an invitation's columns together.
pub(super) fn grant(role_name: &str, added: &[String], removed: &[String], reach: &str) -> Grant {
    Grant {
        role: role(role_name),
        added: PermissionSet::from_stored(added),
        removed: PermissionSet::from_stored(removed),
        extent: Extent::from_stored(reach),
    }
}

pub(super) async fn find_operator(tx: &mut PlatformTx, login: &str) -> Result<Option<OperatorId>, DbError> {
    Ok(sqlx::query_scalar("SELECT id FROM operator WHERE login = $1").bind(login).fetch_optional(tx.conn()).await?)
}

pub(super) async fn login_name(tx: &mut PlatformTx, operator: OperatorId) -> Result<String, DbError> {
    Ok(sqlx::query_scalar("SELECT login FROM operator WHERE id = $1").bind(operator).fetch_one(tx.conn()).await?)
}

pub(super) async fn insert_operator(
    tx: &mut PlatformTx,
    id: OperatorId,
    login: &str,
    display_name: &str,
    platform: bool,
    now: Timestamp,
) -> Result<(), OperatorError> {
    sqlx::query("INSERT INTO operator (id, login, display_name, platform, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(login)
        .bind(display_name)
        .bind(platform)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await
        .map_err(|error| match on_constraint(&error) {
            Some("operator_login_unique") => OperatorError::Conflict("this login name was made a moment ago: try again"),
            _ => DbError::from(error).into(),
        })?;
    Ok(())
}

/// Gives a person a role in a tenant. Links for a lost password that lie around are good no more: whoever made one must not get into this
/// tenant by it.
pub(super) async fn insert_membership(
    tx: &mut PlatformTx,
    tenant: TenantId,
    operator: OperatorId,
    grant: &Grant,
    now: Timestamp,
) -> Result<(), OperatorError> {
    sqlx::query(
        "INSERT INTO membership (tenant_id, operator_id, role, added, removed, reach, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant)
    .bind(operator)
    .bind(grant.role.as_str())
    .bind(grant.added.names())
    .bind(grant.removed.names())
    .bind(grant.extent.as_str())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(|error| match on_constraint(&error) {
        Some("membership_pkey") => OperatorError::AlreadyServes,
        _ => DbError::from(error).into(),
    })?;
    sqlx::query(
        "UPDATE login_session s SET revoked_at = $2 FROM operator o
          WHERE s.operator_id = $1 AND s.purpose = 'setup' AND s.revoked_at IS NULL AND o.id = s.operator_id AND o.password_hash IS NOT NULL",
    )
    .bind(operator)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(())
}

/// A login, or a one-time link.
pub(super) struct NewSession {
    pub id: LoginSessionId,
    pub operator: OperatorId,
    pub tenant: Option<TenantId>,
    pub purpose: &'static str,
    pub token_hash: [u8; 32],
    pub now: Timestamp,
    pub expires_at: Timestamp,
    pub source: Option<IpAddr>,
    pub user_agent: String,
}

pub(super) async fn insert_session(tx: &mut PlatformTx, new: &NewSession) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO login_session (id, operator_id, tenant_id, purpose, token_hash, created_at, seen_at, expires_at, address, user_agent)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9)",
    )
    .bind(new.id)
    .bind(new.operator)
    .bind(new.tenant)
    .bind(new.purpose)
    .bind(&new.token_hash[..])
    .bind(new.now.to_sqlx())
    .bind(new.expires_at.to_sqlx())
    .bind(new.source)
    .bind(&new.user_agent)
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

/// Ends a person's logins and links in all tenants, but for one.
pub(super) async fn revoke_sessions(
    tx: &mut PlatformTx,
    operator: OperatorId,
    but: Option<LoginSessionId>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE login_session SET revoked_at = $3 WHERE operator_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id <> $2)",
    )
    .bind(operator)
    .bind(but)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Clears away logins and links that ended before a time, some thousands at once.
pub(super) async fn clear_sessions(tx: &mut PlatformTx, before: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query(
        "DELETE FROM login_session WHERE id IN (SELECT id FROM login_session WHERE expires_at < $1 ORDER BY expires_at LIMIT 5000)",
    )
    .bind(before.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

pub(super) async fn set_password(tx: &mut PlatformTx, operator: OperatorId, hash: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE operator SET password_hash = $2, failed_logins = 0, locked_until = NULL WHERE id = $1")
        .bind(operator)
        .bind(hash)
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

/// Whom somebody serves.
pub(super) struct Serves {
    pub platform: bool,
    pub tenants: Vec<TenantId>,
}

pub(super) async fn serves(tx: &mut PlatformTx, operator: OperatorId) -> Result<Serves, DbError> {
    let platform = sqlx::query_scalar("SELECT platform FROM operator WHERE id = $1").bind(operator).fetch_one(tx.conn()).await?;
    let tenants = sqlx::query_scalar("SELECT tenant_id FROM membership WHERE operator_id = $1 ORDER BY tenant_id")
        .bind(operator)
        .fetch_all(tx.conn())
        .await?;
    Ok(Serves { platform, tenants })
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
