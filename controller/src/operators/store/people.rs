//! People across tenants, for the platform.

use super::{Serves, grant, role, serves};
use crate::http::{Page, PageItem};
use crate::operators::Role;
use crate::operators::rules::Grant;
use db::{ActorLabel, DbError, PlatformTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{OperatorId, TenantId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Whom somebody serves, as what.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServedView {
    /// The ISP.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// The role in it.
    pub role: Role,
}

/// A person as the platform sees them.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonView {
    /// The person.
    pub id: OperatorId,
    /// The name they log in with.
    pub login: String,
    /// The name they are called by.
    pub display_name: String,
    /// `active` or `suspended`.
    pub status: String,
    /// Whether they belong to the platform.
    pub platform: bool,
    /// Whether a second factor is in force.
    pub second_factor: bool,
    /// Whom they serve.
    pub tenants: Vec<ServedView>,
}

impl PageItem for PersonView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: OperatorId,
    login: String,
    display_name: String,
    status: String,
    platform: bool,
    second_factor: bool,
}

pub(in crate::operators) async fn list(
    tx: &mut PlatformTx,
    login: Option<&str>,
    page: &Page,
) -> Result<Vec<PersonView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.id, o.login, o.display_name, o.status, o.platform,
                EXISTS (SELECT 1 FROM operator_totp f WHERE f.operator_id = o.id AND f.confirmed_at IS NOT NULL) AS second_factor
           FROM operator o WHERE ($1::text IS NULL OR o.login = $1) AND o.id < $2 ORDER BY o.id DESC LIMIT $3",
    )
    .bind(login)
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    let ids: Vec<OperatorId> = rows.iter().map(|row| row.id).collect();
    let served: Vec<(OperatorId, TenantId, String, String)> = sqlx::query_as(
        "SELECT m.operator_id, m.tenant_id, t.name, m.role FROM membership m JOIN tenant t ON t.id = m.tenant_id
          WHERE m.operator_id = ANY ($1) ORDER BY t.name",
    )
    .bind(&ids)
    .fetch_all(tx.conn())
    .await?;
    let mut tenants: BTreeMap<OperatorId, Vec<ServedView>> = BTreeMap::new();
    for (operator, tenant, name, stored) in served {
        tenants.entry(operator).or_default().push(ServedView { tenant, name, role: role(&stored) });
    }
    let view = |row: Row| PersonView {
        tenants: tenants.remove(&row.id).unwrap_or_default(),
        id: row.id,
        login: row.login,
        display_name: row.display_name,
        status: row.status,
        platform: row.platform,
        second_factor: row.second_factor,
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Locks a person; returns whom they serve.
pub(in crate::operators) async fn lock(tx: &mut PlatformTx, id: OperatorId) -> Result<Option<Serves>, DbError> {
    let found: Option<OperatorId> =
        sqlx::query_scalar("SELECT id FROM operator WHERE id = $1 FOR UPDATE").bind(id).fetch_optional(tx.conn()).await?;
    match found {
        Some(_) => Ok(Some(serves(tx, id).await?)),
        None => Ok(None),
    }
}

/// Locks a membership and those of all admins of the tenant, in the order in which the tenant itself does.
pub(in crate::operators) async fn lock_members(
    tx: &mut PlatformTx,
    tenant: TenantId,
    id: OperatorId,
) -> Result<Vec<(OperatorId, bool, Grant)>, DbError> {
    #[derive(FromRow)]
    struct Row {
        operator_id: OperatorId,
        active: bool,
        role: String,
        added: Vec<String>,
        removed: Vec<String>,
        reach: String,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT m.operator_id, o.status = 'active' AS active, m.role, m.added, m.removed, m.reach
           FROM membership m JOIN operator o ON o.id = m.operator_id
          WHERE m.tenant_id = $1 AND (m.role = 'admin' OR m.operator_id = $2) ORDER BY m.operator_id FOR UPDATE OF m",
    )
    .bind(tenant)
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    let judged = |row: Row| (row.operator_id, row.active, grant(&row.role, &row.added, &row.removed, &row.reach));
    Ok(rows.into_iter().map(judged).collect())
}

/// Says whether a tenant is there that can take somebody in.
pub(in crate::operators) async fn takes_people(tx: &mut PlatformTx, tenant: TenantId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM tenant WHERE id = $1 AND status NOT IN ('exported', 'purging', 'purged'))",
    )
    .bind(tenant)
    .fetch_one(tx.conn())
    .await?)
}

/// Takes a person out of a tenant with all that hangs on it; returns how many logins ended. One-time links end as well, whoever made them.
pub(in crate::operators) async fn leave(
    tx: &mut PlatformTx,
    tenant: TenantId,
    id: OperatorId,
    now: Timestamp,
) -> Result<u64, DbError> {
    sqlx::query(
        "UPDATE invitation SET revoked_at = $3 WHERE tenant_id = $1 AND created_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tenant)
    .bind(ActorLabel::operator(id).as_str())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    sqlx::query("DELETE FROM assignment WHERE tenant_id = $1 AND operator_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(tx.conn())
        .await?;
    sqlx::query("DELETE FROM membership WHERE tenant_id = $1 AND operator_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(tx.conn())
        .await?;
    let ended = sqlx::query(
        "UPDATE login_session SET revoked_at = $3
          WHERE operator_id = $2 AND revoked_at IS NULL AND (tenant_id = $1 OR purpose = 'setup')",
    )
    .bind(tenant)
    .bind(id)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(ended.rows_affected())
}
