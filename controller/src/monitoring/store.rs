//! Outages, watched times and diagnoses in the database.

mod diagnoses;

pub(super) use diagnoses::{DiagnosisRow, diagnoses, diagnosis, insert_diagnosis};

use super::rules::Stretch;
use super::{Ending, LongOutage};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, OutageId, RouterId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Returns until when the tenant was watched, and holds it against others who would judge.
pub(super) async fn hold_watch(tx: &mut TenantTx, now: Timestamp) -> Result<Option<Timestamp>, DbError> {
    let made = sqlx::query("INSERT INTO watch (tenant_id, watched_at) VALUES ($1, $2) ON CONFLICT (tenant_id) DO NOTHING")
        .bind(tx.tenant())
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?
        .rows_affected();
    let at: SqlTimestamp = sqlx::query_scalar("SELECT watched_at FROM watch WHERE tenant_id = $1 FOR UPDATE")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?;
    Ok((made == 0).then(|| at.to_jiff()))
}

pub(super) async fn set_watch(tx: &mut TenantTx, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE watch SET watched_at = greatest(watched_at, $2) WHERE tenant_id = $1")
        .bind(tx.tenant())
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn insert_gap(tx: &mut TenantTx, from: Timestamp, until: Timestamp) -> Result<(), DbError> {
    sqlx::query("INSERT INTO watch_gap (tenant_id, started_at, ended_at) VALUES ($1, $2, $3)")
        .bind(tx.tenant())
        .bind(from.to_sqlx())
        .bind(until.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn gaps(tx: &mut TenantTx, within: Stretch) -> Result<Vec<Stretch>, DbError> {
    let rows: Vec<(SqlTimestamp, SqlTimestamp)> =
        sqlx::query_as("SELECT started_at, ended_at FROM watch_gap WHERE tenant_id = $1 AND ended_at > $2 AND started_at < $3")
            .bind(tx.tenant())
            .bind(within.0.to_sqlx())
            .bind(within.1.to_sqlx())
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(|(from, until)| (from.to_jiff(), until.to_jiff())).collect())
}

/// An outage to be written.
#[derive(Debug, Clone)]
pub(super) struct NewOutage {
    pub id: OutageId,
    pub router: RouterId,
    pub customer: Option<CustomerId>,
    pub started_at: Timestamp,
    /// When it ended, if it is over already.
    pub ended_at: Option<Timestamp>,
    pub parent: Option<OutageId>,
}

/// Writes outages; one whose subject has an open one already is left out.
pub(super) async fn open(tx: &mut TenantTx, outages: &[NewOutage]) -> Result<(), DbError> {
    if outages.is_empty() {
        return Ok(());
    }
    fn column<T>(outages: &[NewOutage], value: impl Fn(&NewOutage) -> T) -> Vec<T> {
        outages.iter().map(value).collect()
    }
    sqlx::query(
        "INSERT INTO outage (tenant_id, id, router_id, customer_id, started_at, ended_at, parent_id, ending)
         SELECT $1, n.*, CASE WHEN n.ended_at IS NOT NULL THEN 'back' END
           FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::uuid[])
             AS n (id, router_id, customer_id, started_at, ended_at, parent_id)
         ON CONFLICT DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(column(outages, |outage| outage.id.uuid()))
    .bind(column(outages, |outage| outage.router.uuid()))
    .bind(column(outages, |outage| outage.customer.map(CustomerId::uuid)))
    .bind(column(outages, |outage| outage.started_at.to_sqlx()))
    .bind(column(outages, |outage| outage.ended_at.map(|at| at.to_sqlx())))
    .bind(column(outages, |outage| outage.parent.map(OutageId::uuid)))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Returns the routers' outages that are open.
pub(super) async fn open_routers(tx: &mut TenantTx) -> Result<HashMap<RouterId, (OutageId, Timestamp)>, DbError> {
    let rows: Vec<(RouterId, OutageId, SqlTimestamp)> = sqlx::query_as(
        "SELECT router_id, id, started_at FROM outage WHERE tenant_id = $1 AND ended_at IS NULL AND customer_id IS NULL",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(router, id, began)| (router, (id, began.to_jiff()))).collect())
}

/// Returns the customers' outages that are open.
pub(super) async fn open_customers(tx: &mut TenantTx) -> Result<Vec<(OutageId, CustomerId, Timestamp)>, DbError> {
    let rows: Vec<(OutageId, CustomerId, SqlTimestamp)> = sqlx::query_as(
        "SELECT id, customer_id, started_at FROM outage WHERE tenant_id = $1 AND ended_at IS NULL AND customer_id IS NOT NULL",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(id, customer, began)| (id, customer, began.to_jiff())).collect())
}

pub(super) async fn close_router(tx: &mut TenantTx, router: RouterId, at: Timestamp, ending: Ending) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE outage SET ended_at = $3, ending = $4 WHERE tenant_id = $1 AND router_id = $2 AND customer_id IS NULL AND ended_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(at.to_sqlx())
    .bind(ending.as_str())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn close(tx: &mut TenantTx, closed: &[(OutageId, Timestamp, Ending)]) -> Result<(), DbError> {
    if closed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE outage o SET ended_at = n.at, ending = n.ending FROM unnest($2::uuid[], $3::timestamptz[], $4::text[]) AS n (id, at, ending)
          WHERE o.tenant_id = $1 AND o.id = n.id AND o.ended_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(closed.iter().map(|(id, _, _)| id.uuid()).collect::<Vec<_>>())
    .bind(closed.iter().map(|(_, at, _)| at.to_sqlx()).collect::<Vec<_>>())
    .bind(closed.iter().map(|(_, _, ending)| ending.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Finds the router's own outage within which, or close beside which, something happened.
pub(super) async fn router_outage_around(
    tx: &mut TenantTx,
    router: RouterId,
    at: Timestamp,
    slack: SignedDuration,
) -> Result<Option<OutageId>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM outage WHERE tenant_id = $1 AND router_id = $2 AND customer_id IS NULL AND started_at <= $4
            AND (ended_at IS NULL OR ended_at >= $3) ORDER BY id DESC LIMIT 1",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind((at - slack).to_sqlx())
    .bind((at + slack).to_sqlx())
    .fetch_optional(tx.conn())
    .await?)
}

/// Lists routers' outages of some length that came to it, or ended, after a time.
pub(super) async fn long_outages(
    tx: &mut TenantTx,
    since: Timestamp,
    now: Timestamp,
    long: SignedDuration,
) -> Result<Vec<LongOutage>, DbError> {
    type Found = (OutageId, RouterId, String, SqlTimestamp, Option<SqlTimestamp>, Option<String>);
    let rows: Vec<Found> = sqlx::query_as(
        "SELECT o.id, o.router_id, r.name, o.started_at, o.ended_at, o.ending
           FROM outage o JOIN router r ON r.tenant_id = $1 AND r.id = o.router_id
          WHERE o.tenant_id = $1 AND o.customer_id IS NULL AND (o.ended_at IS NULL OR o.ended_at > $2)
            AND coalesce(o.ended_at, $3) >= o.started_at + make_interval(secs => $4)
          ORDER BY o.id",
    )
    .bind(tx.tenant())
    .bind(since.to_sqlx())
    .bind(now.to_sqlx())
    .bind(long.as_secs_f64())
    .fetch_all(tx.conn())
    .await?;
    let outage = |(id, router, name, began, ended, ending): Found| LongOutage {
        id,
        router,
        name,
        started_at: began.to_jiff(),
        long_at: began.to_jiff() + long,
        over: ended.is_some(),
        ended_at: ended.filter(|_| ending.as_deref() == Some(Ending::Back.as_str())).map(SqlTimestamp::to_jiff),
    };
    Ok(rows.into_iter().map(outage).collect())
}

/// Returns a router's own outages that touch a stretch of time; one that is open lasts until now.
pub(super) async fn router_stretches(
    tx: &mut TenantTx,
    router: RouterId,
    within: Stretch,
    now: Timestamp,
) -> Result<Vec<Stretch>, DbError> {
    let rows: Vec<(SqlTimestamp, Option<SqlTimestamp>)> = sqlx::query_as(
        "SELECT started_at, ended_at FROM outage WHERE tenant_id = $1 AND router_id = $2 AND customer_id IS NULL AND started_at < $4
            AND (ended_at IS NULL OR ended_at > $3)",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(within.0.to_sqlx())
    .bind(within.1.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(from, until)| (from.to_jiff(), until.map_or(now, SqlTimestamp::to_jiff))).collect())
}

/// Says when a router was added; it looks along a foreign key from its far end.
pub(super) async fn router_added(tx: &mut TenantTx, router: RouterId) -> Result<Timestamp, DbError> {
    let at: SqlTimestamp = sqlx::query_scalar("SELECT created_at FROM router WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(router)
        .fetch_one(tx.conn())
        .await?;
    Ok(at.to_jiff())
}

/// A time in which a router was silent, or a paying customer was not online.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OutageView {
    /// The outage.
    pub id: OutageId,
    /// The router.
    pub router: RouterId,
    /// The customer; none when it is the router's own.
    pub customer: Option<CustomerId>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended; none while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// The router's outage that explains it; then nobody is alarmed for this one.
    pub parent: Option<OutageId>,
    /// Whether it is explained by another, and so silent.
    pub suppressed: bool,
    /// How many outages this one explains.
    pub explains: i64,
}

impl PageItem for OutageView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: OutageId,
    router_id: RouterId,
    customer_id: Option<CustomerId>,
    started_at: SqlTimestamp,
    ended_at: Option<SqlTimestamp>,
    ending: Option<String>,
    parent_id: Option<OutageId>,
    explains: i64,
}

impl From<Row> for OutageView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            router: row.router_id,
            customer: row.customer_id,
            started_at: row.started_at.to_jiff(),
            ended_at: row.ended_at.map(SqlTimestamp::to_jiff),
            ending: row.ending.as_deref().map(Ending::from_stored),
            parent: row.parent_id,
            suppressed: row.parent_id.is_some(),
            explains: row.explains,
        }
    }
}

/// Which outages are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Filter {
    /// Only on this router: its own and its customers'.
    pub router: Option<RouterId>,
    /// Only this customer's.
    pub customer: Option<CustomerId>,
    /// Only those that go on, or that are over.
    pub open: Option<bool>,
    /// Only those of routers, or of customers.
    pub of_routers: Option<bool>,
}

pub(super) async fn list(tx: &mut TenantTx, filter: Filter, page: &Page) -> Result<Vec<OutageView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.id, o.router_id, o.customer_id, o.started_at, o.ended_at, o.ending, o.parent_id,
                (SELECT count(*) FROM outage c WHERE c.tenant_id = $1 AND c.parent_id = o.id) AS explains
           FROM outage o
          WHERE o.tenant_id = $1 AND o.id < $2 AND ($3::uuid IS NULL OR o.router_id = $3) AND ($4::uuid IS NULL OR o.customer_id = $4)
            AND ($5::boolean IS NULL OR (o.ended_at IS NULL) = $5) AND ($6::boolean IS NULL OR (o.customer_id IS NULL) = $6)
          ORDER BY o.id DESC LIMIT $7",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(filter.router)
    .bind(filter.customer)
    .bind(filter.open)
    .bind(filter.of_routers)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(OutageView::from).collect())
}
