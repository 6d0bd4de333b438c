//! Invitations.

use super::{grant, role};
use crate::http::{Page, PageItem};
use crate::operators::invitations::NewInvitation;
use crate::operators::rules::Grant;
use crate::operators::{Extent, Permission, Role};
use db::{ActorLabel, DbError, OpenInvitation, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{InvitationId, OperatorId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// An invitation without its token.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationView {
    /// The invitation.
    pub id: InvitationId,
    /// The name it is for.
    pub login: String,
    /// The name they will be called by, if they are new.
    pub display_name: String,
    /// The role they will have.
    pub role: Role,
    /// Permissions beside the role's.
    pub added: Vec<Permission>,
    /// Permissions taken away.
    pub removed: Vec<Permission>,
    /// How much they will see.
    pub reach: Extent,
    /// `open`, `accepted`, `withdrawn` or `expired`.
    pub state: &'static str,
    /// Who invited, as in the audit log.
    pub created_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl PageItem for InvitationView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: InvitationId,
    login: String,
    display_name: String,
    role: String,
    added: Vec<String>,
    removed: Vec<String>,
    reach: String,
    created_by: String,
    created_at: SqlTimestamp,
    expires_at: SqlTimestamp,
    accepted: bool,
    revoked: bool,
}

impl Row {
    fn view(self, now: Timestamp) -> InvitationView {
        let grant = grant(&self.role, &self.added, &self.removed, &self.reach);
        let expires_at = self.expires_at.to_jiff();
        let state = match (self.accepted, self.revoked) {
            (true, _) => "accepted",
            (false, true) => "withdrawn",
            (false, false) if expires_at <= now => "expired",
            (false, false) => "open",
        };
        InvitationView {
            id: self.id,
            login: self.login,
            display_name: self.display_name,
            role: role(&self.role),
            added: grant.added.iter().collect(),
            removed: grant.removed.iter().collect(),
            reach: grant.extent,
            state,
            created_by: self.created_by,
            created_at: self.created_at.to_jiff(),
            expires_at,
        }
    }
}

pub(in crate::operators) async fn insert(
    tx: &mut TenantTx,
    id: InvitationId,
    new: &NewInvitation,
    token_hash: &[u8; 32],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    let maker = tx.actor().as_str().to_owned();
    sqlx::query(
        "INSERT INTO invitation (tenant_id, id, login, display_name, role, added, removed, reach, token_hash, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&new.login)
    .bind(&new.display_name)
    .bind(new.grant.role.as_str())
    .bind(new.grant.added.names())
    .bind(new.grant.removed.names())
    .bind(new.grant.extent.as_str())
    .bind(&token_hash[..])
    .bind(maker)
    .bind(now.to_sqlx())
    .bind(expires_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::operators) async fn count(tx: &mut TenantTx, now: Timestamp) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM invitation WHERE tenant_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .fetch_one(tx.conn())
    .await?)
}

pub(in crate::operators) async fn list(tx: &mut TenantTx, now: Timestamp, page: &Page) -> Result<Vec<InvitationView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, login, display_name, role, added, removed, reach, created_by, created_at, expires_at,
                accepted_at IS NOT NULL AS accepted, revoked_at IS NOT NULL AS revoked
           FROM invitation WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.view(now)).collect())
}

/// Withdraws an invitation; false when there is none that waits.
pub(in crate::operators) async fn revoke(tx: &mut TenantTx, id: InvitationId, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE invitation SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Withdraws what waits for a login name.
pub(in crate::operators) async fn revoke_for(tx: &mut TenantTx, login: &str, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE invitation SET revoked_at = $3 WHERE tenant_id = $1 AND login = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(login)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Withdraws what somebody offered.
pub(in crate::operators) async fn revoke_those_of(tx: &mut TenantTx, maker: OperatorId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE invitation SET revoked_at = $3 WHERE tenant_id = $1 AND created_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(ActorLabel::operator(maker).as_str().to_owned())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The name that somebody new will be called by.
pub(in crate::operators) async fn display_name(tx: &mut PlatformTx, open: &OpenInvitation) -> Result<String, DbError> {
    Ok(sqlx::query_scalar("SELECT display_name FROM invitation WHERE tenant_id = $1 AND id = $2")
        .bind(open.tenant)
        .bind(open.id)
        .fetch_one(tx.conn())
        .await?)
}

/// Uses an invitation up; none when it is not in force any more.
pub(in crate::operators) async fn accept(
    tx: &mut PlatformTx,
    open: &OpenInvitation,
    operator: OperatorId,
    now: Timestamp,
) -> Result<Option<Grant>, DbError> {
    let row: Option<(String, Vec<String>, Vec<String>, String)> = sqlx::query_as(
        "UPDATE invitation SET accepted_at = $4, accepted_by = $3
          WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $4
         RETURNING role, added, removed, reach",
    )
    .bind(open.tenant)
    .bind(open.id)
    .bind(operator)
    .bind(now.to_sqlx())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|(role, added, removed, reach)| grant(&role, &added, &removed, &reach)))
}
