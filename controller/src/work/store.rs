//! Work entries in the database.

use super::{Material, NewWork, Position, WorkKind};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, OperatorId, RouterId, SiteId, TicketId, WorkId};
use serde::Serialize;
use sqlx::FromRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

/// Work that was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkView {
    /// The entry.
    pub id: WorkId,
    /// What kind.
    pub kind: WorkKind,
    /// Who did it; they may have left since.
    pub operator: OperatorId,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// How long it took, in minutes.
    pub minutes: i32,
    /// At which customer.
    pub customer: Option<CustomerId>,
    /// On which router.
    pub router: Option<RouterId>,
    /// At which site.
    pub site: Option<SiteId>,
    /// For which ticket.
    pub ticket: Option<TicketId>,
    /// What was used up.
    pub materials: Vec<Material>,
    /// Where it was noted.
    pub position: Option<Position>,
    /// What was written down.
    pub note: String,
    /// When it was struck out, if it was wrong.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub struck_at: Option<Timestamp>,
}

impl PageItem for WorkView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: WorkId,
    kind: String,
    operator_id: OperatorId,
    started_at: SqlTimestamp,
    minutes: i32,
    customer_id: Option<CustomerId>,
    router_id: Option<RouterId>,
    site_id: Option<SiteId>,
    ticket_id: Option<TicketId>,
    materials: Json<Vec<Material>>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy_m: Option<i32>,
    note: String,
    struck_at: Option<SqlTimestamp>,
}

impl From<Row> for WorkView {
    fn from(row: Row) -> Self {
        let position = row.latitude.zip(row.longitude).map(|(latitude, longitude)| Position {
            latitude,
            longitude,
            accuracy_m: row.accuracy_m.and_then(|metres| u32::try_from(metres).ok()),
        });
        Self {
            id: row.id,
            kind: WorkKind::from_stored(&row.kind).expect("the column's CHECK lets only kinds in"),
            operator: row.operator_id,
            started_at: row.started_at.to_jiff(),
            minutes: row.minutes,
            customer: row.customer_id,
            router: row.router_id,
            site: row.site_id,
            ticket: row.ticket_id,
            materials: row.materials.0,
            position,
            note: row.note,
            struck_at: row.struck_at.map(SqlTimestamp::to_jiff),
        }
    }
}

/// Work entries of the tenant `$1`.
macro_rules! work {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, operator_id, started_at, minutes, customer_id, router_id, site_id, ticket_id, materials, latitude, longitude,
                    accuracy_m, note, struck_at
               FROM work_entry WHERE tenant_id = $1 AND id < $2 AND ",
            $rest
        )
    };
}

/// Whose work is asked for; one at a time, as each has its index.
#[derive(Debug, Clone, Copy)]
pub(super) enum Among {
    All,
    Operator(OperatorId),
    Customer(CustomerId),
    Router(RouterId),
    Site(SiteId),
    Ticket(TicketId),
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    id: WorkId,
    operator: OperatorId,
    new: &NewWork,
    now: Timestamp,
) -> Result<(), DbError> {
    let accuracy = new.position.and_then(|position| position.accuracy_m).and_then(|metres| i32::try_from(metres).ok());
    sqlx::query(
        "INSERT INTO work_entry (tenant_id, id, kind, operator_id, started_at, minutes, customer_id, router_id, site_id, ticket_id,
                materials, latitude, longitude, accuracy_m, note, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(new.kind.as_str())
    .bind(operator)
    .bind(model::micros(new.started_at).to_sqlx())
    .bind(new.minutes)
    .bind(new.customer)
    .bind(new.router)
    .bind(new.site)
    .bind(new.ticket)
    .bind(Json(&new.materials))
    .bind(new.position.map(|position| position.latitude))
    .bind(new.position.map(|position| position.longitude))
    .bind(accuracy)
    .bind(new.note.trim())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Strikes an entry out; false when there is none that still counts.
pub(super) async fn strike(tx: &mut TenantTx, id: WorkId, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE work_entry SET struck_at = $3 WHERE tenant_id = $1 AND id = $2 AND struck_at IS NULL")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn list(tx: &mut TenantTx, among: Among, page: &Page) -> Result<Vec<WorkView>, DbError> {
    // Without a choice the third parameter is null and only keeps its place.
    let (query, which): (&'static str, Option<Uuid>) = match among {
        Among::All => (work!("$3::uuid IS NULL ORDER BY id DESC LIMIT $4"), None),
        Among::Operator(id) => (work!("operator_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
        Among::Customer(id) => (work!("customer_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
        Among::Router(id) => (work!("router_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
        Among::Site(id) => (work!("site_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
        Among::Ticket(id) => (work!("ticket_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
    };
    let rows: Vec<Row> =
        sqlx::query_as(query).bind(tx.tenant()).bind(page.before()).bind(which).bind(page.fetch()).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(WorkView::from).collect())
}
