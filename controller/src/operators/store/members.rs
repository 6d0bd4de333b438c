//! Memberships and assignments.

use super::{grant, role};
use crate::http::{Page, PageItem};
use crate::operators::rules::Grant;
use crate::operators::{Extent, Permission, Role};
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AssignmentId, Entropy, OperatorId, RouterId, SiteId, TenantId};
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
    /// `all`, or `assigned` for who sees only the routers assigned to them.
    pub reach: Extent,
    /// `active` or `suspended`.
    pub status: String,
}

impl PageItem for OperatorView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

/// An operator with all they may do and see.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberDetails {
    /// Who.
    #[serde(flatten)]
    pub operator: OperatorView,
    /// Permissions beside the role's.
    pub added: Vec<Permission>,
    /// Permissions taken away; they count last.
    pub removed: Vec<Permission>,
    /// What it comes to.
    pub effective: Vec<Permission>,
    /// The routers that are assigned to them, one by one.
    pub routers: Vec<RouterId>,
    /// The sites that are assigned to them, each with what stands below it.
    pub sites: Vec<SiteId>,
}

/// A membership as it is judged.
#[derive(Debug)]
pub struct Member {
    /// Who.
    pub view: OperatorView,
    /// What they have.
    pub grant: Grant,
}

#[derive(FromRow)]
struct Row {
    id: OperatorId,
    login: String,
    display_name: String,
    status: String,
    role: String,
    reach: String,
    added: Vec<String>,
    removed: Vec<String>,
}

impl From<Row> for Member {
    fn from(row: Row) -> Self {
        let grant = grant(&row.role, &row.added, &row.removed, &row.reach);
        let (role, reach) = (role(&row.role), grant.extent);
        let view = OperatorView { id: row.id, login: row.login, display_name: row.display_name, role, reach, status: row.status };
        Self { view, grant }
    }
}

pub(in crate::operators) async fn list(tx: &mut TenantTx, page: &Page) -> Result<Vec<OperatorView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.id, o.login, o.display_name, o.status, m.role, m.reach, m.added, m.removed
           FROM membership m JOIN operator o ON o.id = m.operator_id
          WHERE m.tenant_id = $1 AND m.operator_id < $2 ORDER BY m.operator_id DESC LIMIT $3",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| Member::from(row).view).collect())
}

pub(in crate::operators) async fn find(tx: &mut TenantTx, id: OperatorId) -> Result<Option<Member>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT o.id, o.login, o.display_name, o.status, m.role, m.reach, m.added, m.removed
           FROM membership m JOIN operator o ON o.id = m.operator_id WHERE m.tenant_id = $1 AND m.operator_id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Member::from))
}

/// Says whether somebody of that name serves the tenant.
pub(in crate::operators) async fn find_by_login(tx: &mut TenantTx, login: &str) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM membership m JOIN operator o ON o.id = m.operator_id WHERE m.tenant_id = $1 AND o.login = $2)",
    )
    .bind(tx.tenant())
    .bind(login)
    .fetch_one(tx.conn())
    .await?)
}

/// Locks a membership and those of all admins, in one order.
pub(in crate::operators) async fn lock(tx: &mut TenantTx, id: OperatorId) -> Result<Vec<Member>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.id, o.login, o.display_name, o.status, m.role, m.reach, m.added, m.removed
           FROM membership m JOIN operator o ON o.id = m.operator_id
          WHERE m.tenant_id = $1 AND (m.role = 'admin' OR m.operator_id = $2) ORDER BY m.operator_id FOR UPDATE OF m",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Member::from).collect())
}

pub(in crate::operators) async fn details(tx: &mut TenantTx, member: Member) -> Result<MemberDetails, DbError> {
    let rows: Vec<(Option<RouterId>, Option<SiteId>)> = sqlx::query_as(
        "SELECT router_id, site_id FROM assignment WHERE tenant_id = $1 AND operator_id = $2 ORDER BY router_id, site_id LIMIT 1000",
    )
    .bind(tx.tenant())
    .bind(member.view.id)
    .fetch_all(tx.conn())
    .await?;
    let (routers, sites): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    Ok(MemberDetails {
        operator: member.view,
        added: member.grant.added.iter().collect(),
        removed: member.grant.removed.iter().collect(),
        effective: member.grant.rights().iter().collect(),
        routers: routers.into_iter().flatten().collect(),
        sites: sites.into_iter().flatten().collect(),
    })
}

pub(in crate::operators) async fn update(tx: &mut TenantTx, id: OperatorId, grant: &Grant) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE membership SET role = $3, added = $4, removed = $5, reach = $6 WHERE tenant_id = $1 AND operator_id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(grant.role.as_str())
    .bind(grant.added.names())
    .bind(grant.removed.names())
    .bind(grant.extent.as_str())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::operators) async fn delete(tx: &mut TenantTx, id: OperatorId) -> Result<(), DbError> {
    sqlx::query("DELETE FROM membership WHERE tenant_id = $1 AND operator_id = $2")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Counts which of these routers are there and within the transaction's reach.
pub(in crate::operators) async fn count_routers(tx: &mut TenantTx, routers: &[RouterId]) -> Result<usize, DbError> {
    let found: i64 =
        sqlx::query_scalar("SELECT count(*) FROM router WHERE tenant_id = $1 AND id = ANY ($2) AND removed_at IS NULL")
            .bind(tx.tenant())
            .bind(routers)
            .fetch_one(tx.conn())
            .await?;
    Ok(usize::try_from(found).expect("a count"))
}

/// Counts which of these sites are there; for a limited caller, which of them are theirs.
pub(in crate::operators) async fn count_sites(tx: &mut TenantTx, sites: &[SiteId], limited: bool) -> Result<usize, DbError> {
    let found: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM site WHERE tenant_id = $1 AND id = ANY ($2) AND removed_at IS NULL
            AND (NOT $3 OR id IN (SELECT reachable_sites()))",
    )
    .bind(tx.tenant())
    .bind(sites)
    .bind(limited)
    .fetch_one(tx.conn())
    .await?;
    Ok(usize::try_from(found).expect("a count"))
}

pub(in crate::operators) async fn unassign_all(tx: &mut TenantTx, id: OperatorId) -> Result<(), DbError> {
    sqlx::query("DELETE FROM assignment WHERE tenant_id = $1 AND operator_id = $2")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(in crate::operators) async fn assign(
    tx: &mut TenantTx,
    id: OperatorId,
    routers: &[RouterId],
    sites: &[SiteId],
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<(), DbError> {
    let routers = routers.iter().map(|router| (Some(*router), None));
    let rows: Vec<(Option<RouterId>, Option<SiteId>)> = routers.chain(sites.iter().map(|site| (None, Some(*site)))).collect();
    let ids: Vec<AssignmentId> = rows.iter().map(|_| AssignmentId::generate(now, entropy)).collect();
    let (routers, sites): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    sqlx::query(
        "INSERT INTO assignment (tenant_id, id, operator_id, router_id, site_id, created_at)
         SELECT $1, a.id, $2, a.router_id, a.site_id, $6 FROM unnest($3::uuid[], $4::uuid[], $5::uuid[]) AS a (id, router_id, site_id)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(ids)
    .bind(routers)
    .bind(sites)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says whether somebody serves the tenant.
pub(in crate::operators) async fn is_member(tx: &mut TenantTx, operator: OperatorId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM membership WHERE tenant_id = $1 AND operator_id = $2)")
        .bind(tx.tenant())
        .bind(operator)
        .fetch_one(tx.conn())
        .await?)
}

/// Reads all who serve the tenant; their number is limited.
pub(in crate::operators) async fn all(tx: &mut TenantTx) -> Result<Vec<Member>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.id, o.login, o.display_name, o.status, m.role, m.reach, m.added, m.removed
           FROM membership m JOIN operator o ON o.id = m.operator_id WHERE m.tenant_id = $1 ORDER BY m.operator_id",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Member::from).collect())
}

/// Lists those to whom a router is assigned, itself or by a site that it stands in.
pub(in crate::operators) async fn assigned_to(tx: &mut TenantTx, router: RouterId) -> Result<Vec<OperatorId>, DbError> {
    Ok(sqlx::query_scalar(
        "WITH RECURSIVE above AS (
             SELECT site_id AS id FROM router WHERE tenant_id = $1 AND id = $2 AND site_id IS NOT NULL
             UNION
             SELECT s.parent_id FROM site s JOIN above a ON s.tenant_id = $1 AND s.id = a.id WHERE s.parent_id IS NOT NULL
         )
         SELECT DISTINCT operator_id FROM assignment
          WHERE tenant_id = $1 AND (router_id = $2 OR site_id IN (SELECT id FROM above))",
    )
    .bind(tx.tenant())
    .bind(router)
    .fetch_all(tx.conn())
    .await?)
}

pub(in crate::operators) async fn admins_of(tx: &mut PlatformTx, tenant: TenantId) -> Result<Vec<OperatorId>, DbError> {
    Ok(sqlx::query_scalar("SELECT operator_id FROM membership WHERE tenant_id = $1 AND role = 'admin' ORDER BY operator_id")
        .bind(tenant)
        .fetch_all(tx.conn())
        .await?)
}
