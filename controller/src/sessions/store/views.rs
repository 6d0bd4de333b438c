//! What is read of sessions: lists for people, and what watching and diagnosing ask.

use super::{Known, Raw};
use crate::http::{Page, PageItem};
use crate::sessions::{Cause, SessionKind};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{Bytes, CustomerId, RouterId, SessionId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::HashMap;
use std::net::IpAddr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A session as its operators see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionView {
    /// The session.
    pub id: SessionId,
    /// The router.
    pub router: RouterId,
    /// Whose it is; none when the login is no customer's.
    pub customer: Option<CustomerId>,
    /// How it came about.
    pub kind: SessionKind,
    /// The login as the router has it.
    pub login: String,
    /// The customer's address.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// The customer's device.
    pub station: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it was last seen.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// How long it lasted until then, in seconds.
    pub online_seconds: u64,
    /// Bytes from the customer; none where the router does not count them.
    pub upload_bytes: Option<Bytes>,
    /// Bytes to the customer.
    pub download_bytes: Option<Bytes>,
    /// When it ended; none while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// Why it ended, in words.
    pub cause_text: Option<&'static str>,
}

impl PageItem for SessionView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

impl From<Raw> for SessionView {
    fn from(raw: Raw) -> Self {
        let Known { id, customer, sighting, .. } = Known::from(raw);
        Self {
            id,
            router: sighting.router,
            customer,
            kind: sighting.kind,
            login: sighting.login,
            address: sighting.address,
            station: sighting.station,
            started_at: sighting.started_at,
            seen_at: sighting.seen_at,
            online_seconds: sighting.online_seconds,
            upload_bytes: sighting.upload,
            download_bytes: sighting.download,
            ended_at: sighting.ended.map(|end| end.at),
            cause: sighting.ended.map(|end| end.cause),
            cause_text: sighting.ended.map(|end| end.cause.words()),
        }
    }
}

/// Which of the sessions that have ended are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct HistoryFilter {
    /// Only on this router.
    pub router: Option<RouterId>,
    /// Only this customer's.
    pub customer: Option<CustomerId>,
    /// Only those that ended at or after this time.
    pub from: Option<Timestamp>,
    /// Only those that began before this time.
    pub until: Option<Timestamp>,
}

/// Lists what is live, newest first. Each filter has an index in this order.
pub(in crate::sessions) async fn list(
    tx: &mut TenantTx,
    router: Option<RouterId>,
    customer: Option<CustomerId>,
    page: &Page,
) -> Result<Vec<SessionView>, DbError> {
    let rows: Vec<Raw> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(live),
        " FROM session_live WHERE tenant_id = $1 AND id < $2 AND ($3::uuid IS NULL OR router_id = $3) AND ($4::uuid IS NULL OR customer_id = $4)
           ORDER BY id DESC LIMIT $5"
    ))
    .bind(tx.tenant())
    .bind(page.before())
    .bind(router)
    .bind(customer)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(SessionView::from).collect())
}

/// Lists what has ended, newest first.
pub(in crate::sessions) async fn history(
    tx: &mut TenantTx,
    filter: HistoryFilter,
    page: &Page,
) -> Result<Vec<SessionView>, DbError> {
    // An end is never noted before it happened, so the months before `from` need not be looked at.
    let rows: Vec<Raw> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(history),
        " FROM session_history WHERE tenant_id = $1 AND id < $2 AND ($3::uuid IS NULL OR router_id = $3) AND ($4::uuid IS NULL OR customer_id = $4)
             AND ($5::timestamptz IS NULL OR (closed_at >= $5 AND ended_at >= $5)) AND ($6::timestamptz IS NULL OR started_at < $6)
           ORDER BY id DESC LIMIT $7"
    ))
    .bind(tx.tenant())
    .bind(page.before())
    .bind(filter.router)
    .bind(filter.customer)
    .bind(filter.from.map(|at| at.to_sqlx()))
    .bind(filter.until.map(|at| at.to_sqlx()))
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(SessionView::from).collect())
}

/// Lists a customer's sessions, those that go on and those that have ended, newest first.
pub(in crate::sessions) async fn of_customer(
    tx: &mut TenantTx,
    customer: CustomerId,
    page: &Page,
) -> Result<Vec<SessionView>, DbError> {
    let rows: Vec<Raw> = sqlx::query_as(concat!(
        "(SELECT ",
        columns!(live),
        " FROM session_live WHERE tenant_id = $1 AND customer_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4)
         UNION ALL (SELECT ",
        columns!(history),
        " FROM session_history WHERE tenant_id = $1 AND customer_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4)
         ORDER BY id DESC LIMIT $4"
    ))
    .bind(tx.tenant())
    .bind(customer)
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(SessionView::from).collect())
}

/// Returns a customer's last session that has ended.
///
/// # Errors
/// When the database does not answer.
pub async fn last_of(tx: &mut TenantTx, customer: CustomerId) -> Result<Option<SessionView>, DbError> {
    let row: Option<Raw> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(history),
        " FROM session_history WHERE tenant_id = $1 AND customer_id = $2 ORDER BY id DESC LIMIT 1"
    ))
    .bind(tx.tenant())
    .bind(customer)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(SessionView::from))
}

/// Since when somebody is online, and when that was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Online {
    /// The start of the oldest session that goes on.
    pub since: Timestamp,
    /// When one of them was last seen.
    pub seen_at: Timestamp,
}

/// Says which of some customers are online.
///
/// # Errors
/// When the database does not answer.
pub async fn online(tx: &mut TenantTx, customers: &[CustomerId]) -> Result<HashMap<CustomerId, Online>, DbError> {
    let ids: Vec<Uuid> = customers.iter().map(|customer| customer.uuid()).collect();
    let rows: Vec<(CustomerId, SqlTimestamp, SqlTimestamp)> = sqlx::query_as(
        "SELECT customer_id, min(started_at), max(seen_at) FROM session_live WHERE tenant_id = $1 AND customer_id = ANY ($2) GROUP BY customer_id",
    )
    .bind(tx.tenant())
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    let online = |since: SqlTimestamp, seen: SqlTimestamp| Online { since: since.to_jiff(), seen_at: seen.to_jiff() };
    Ok(rows.into_iter().map(|(customer, since, seen)| (customer, online(since, seen))).collect())
}

/// Counts the customers who are online on a router, and says when its sessions were last listed.
///
/// # Errors
/// When the database does not answer.
pub async fn live_count(tx: &mut TenantTx, router: RouterId) -> Result<(i64, Option<Timestamp>), DbError> {
    let row: (i64, Option<SqlTimestamp>) = sqlx::query_as(
        "SELECT (SELECT count(DISTINCT customer_id) FROM session_live WHERE tenant_id = $1 AND router_id = $2),
                (SELECT listed_at FROM session_source WHERE tenant_id = $1 AND router_id = $2)",
    )
    .bind(tx.tenant())
    .bind(router)
    .fetch_one(tx.conn())
    .await?;
    Ok((row.0, row.1.map(SqlTimestamp::to_jiff)))
}

/// The end of a dialled session, and when its customer was online again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// The session that ended.
    pub session: SessionId,
    /// Whose.
    pub customer: CustomerId,
    /// Where.
    pub router: RouterId,
    /// When it ended.
    pub ended_at: Timestamp,
    /// When the end was noted.
    pub closed_at: Timestamp,
    /// When another session of the customer began, at the earliest when this one ended; none when there was none.
    pub back_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct BreakRow {
    id: SessionId,
    customer_id: CustomerId,
    router_id: RouterId,
    ended_at: SqlTimestamp,
    closed_at: SqlTimestamp,
    back_at: Option<SqlTimestamp>,
}

/// Lists the ends of customers' dialled sessions that were noted after `after` (a time, and the last session of that time that was read)
/// and not after `until`, in that order, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn breaks(
    tx: &mut TenantTx,
    after: (Timestamp, Option<SessionId>),
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Break>, DbError> {
    let rows: Vec<BreakRow> = sqlx::query_as(
        "SELECT h.id, h.customer_id, h.router_id, h.ended_at, h.closed_at, n.back_at
           FROM session_history h LEFT JOIN LATERAL (
                SELECT min(greatest(o.started_at, h.ended_at)) AS back_at FROM (
                    SELECT l.started_at FROM session_live l WHERE l.tenant_id = $1 AND l.customer_id = h.customer_id
                    UNION ALL
                    SELECT p.started_at FROM session_history p
                     WHERE p.tenant_id = $1 AND p.customer_id = h.customer_id AND p.id <> h.id AND p.ended_at > h.ended_at
                       AND p.closed_at >= h.ended_at) o) n ON true
          WHERE h.tenant_id = $1 AND h.kind = 'pppoe' AND h.customer_id IS NOT NULL AND (h.closed_at, h.id) > ($2, $3) AND h.closed_at <= $4
          ORDER BY h.closed_at, h.id LIMIT $5",
    )
    .bind(tx.tenant())
    .bind(after.0.to_sqlx())
    .bind(after.1.map_or(Uuid::max(), SessionId::uuid))
    .bind(until.to_sqlx())
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    let read = |row: BreakRow| Break {
        session: row.id,
        customer: row.customer_id,
        router: row.router_id,
        ended_at: row.ended_at.to_jiff(),
        closed_at: row.closed_at.to_jiff(),
        back_at: row.back_at.map(SqlTimestamp::to_jiff),
    };
    Ok(rows.into_iter().map(read).collect())
}
