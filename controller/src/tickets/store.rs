//! Tickets in the database.

use super::{Category, NewTicket, Priority, TicketStatus};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, DeviceId, DiagnosisId, OperatorId, RouterId, SiteId, TicketId, TicketNoteId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A ticket.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TicketView {
    /// The ticket.
    pub id: TicketId,
    /// What people say on the phone.
    pub number: i32,
    /// In one line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// What it is about.
    pub category: Category,
    /// How soon.
    pub priority: Priority,
    /// Where it stands.
    pub status: TicketStatus,
    /// Since when it stands there.
    #[schema(value_type = String, format = DateTime)]
    pub status_since: Timestamp,
    /// The customer it is about.
    pub customer: Option<CustomerId>,
    /// The router it is about.
    pub router: Option<RouterId>,
    /// The site it is about.
    pub site: Option<SiteId>,
    /// The device it is about.
    pub device: Option<DeviceId>,
    /// The diagnosis that belongs to it.
    pub diagnosis: Option<DiagnosisId>,
    /// Who works on it; they may have left since.
    pub assignee: Option<OperatorId>,
    /// Who opened it.
    pub opened_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// By when it should be done.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
}

impl PageItem for TicketView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

/// What was said on a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoteView {
    /// The note.
    pub id: TicketNoteId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// By whom.
    pub author: String,
    /// Whether the customer may read it.
    pub to_customer: bool,
    /// What.
    pub text: String,
}

impl PageItem for NoteView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: TicketId,
    number: i32,
    title: String,
    body: String,
    category: String,
    priority: String,
    status: String,
    status_since: SqlTimestamp,
    customer_id: Option<CustomerId>,
    router_id: Option<RouterId>,
    site_id: Option<SiteId>,
    device_id: Option<DeviceId>,
    diagnosis_id: Option<DiagnosisId>,
    assignee_id: Option<OperatorId>,
    opened_by: String,
    opened_at: SqlTimestamp,
    due_at: Option<SqlTimestamp>,
}

impl From<Row> for TicketView {
    fn from(row: Row) -> Self {
        const CHECKED: &str = "the column's CHECK lets only these in";
        Self {
            id: row.id,
            number: row.number,
            title: row.title,
            body: row.body,
            category: Category::from_stored(&row.category).expect(CHECKED),
            priority: Priority::from_stored(&row.priority).expect(CHECKED),
            status: TicketStatus::from_stored(&row.status).expect(CHECKED),
            status_since: row.status_since.to_jiff(),
            customer: row.customer_id,
            router: row.router_id,
            site: row.site_id,
            device: row.device_id,
            diagnosis: row.diagnosis_id,
            assignee: row.assignee_id,
            opened_by: row.opened_by,
            opened_at: row.opened_at.to_jiff(),
            due_at: row.due_at.map(SqlTimestamp::to_jiff),
        }
    }
}

/// Tickets of the tenant `$1`.
macro_rules! ticket {
    ($rest:literal) => {
        concat!(
            "SELECT id, number, title, body, category, priority, status, status_since, customer_id, router_id, site_id, device_id,
                    diagnosis_id, assignee_id, opened_by, opened_at, due_at
               FROM ticket WHERE tenant_id = $1 AND ",
            $rest
        )
    };
}

/// Whose tickets, or which, are asked for; one at a time, as each has its index.
#[derive(Debug, Clone, Copy)]
pub(super) enum Among {
    All,
    Status(TicketStatus),
    Assignee(OperatorId),
    Customer(CustomerId),
    Router(RouterId),
    Site(SiteId),
    Device(DeviceId),
}

/// Takes the tenant's next number; who asks after waits until this transaction ends.
pub(super) async fn next_number(tx: &mut TenantTx) -> Result<i32, DbError> {
    Ok(sqlx::query_scalar(
        "INSERT INTO ticket_counter (tenant_id, last) VALUES ($1, 1)
         ON CONFLICT (tenant_id) DO UPDATE SET last = ticket_counter.last + 1 RETURNING last",
    )
    .bind(tx.tenant())
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn count_open(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM ticket WHERE tenant_id = $1 AND status IN ('open', 'in_progress', 'waiting')")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?)
}

pub(super) async fn insert(tx: &mut TenantTx, id: TicketId, number: i32, new: &NewTicket, now: Timestamp) -> Result<(), DbError> {
    let opened_by = tx.actor().as_str().to_owned();
    sqlx::query(
        "INSERT INTO ticket (tenant_id, id, number, category, priority, status, status_since, title, body, customer_id, router_id, site_id,
                device_id, diagnosis_id, assignee_id, opened_by, opened_at, due_at)
         VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $6, $16)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(number)
    .bind(new.category.unwrap_or(Category::Other).as_str())
    .bind(new.priority.unwrap_or(Priority::Normal).as_str())
    .bind(now.to_sqlx())
    .bind(new.title.trim())
    .bind(new.body.trim())
    .bind(new.customer)
    .bind(new.router)
    .bind(new.site)
    .bind(new.device)
    .bind(new.diagnosis)
    .bind(new.assignee)
    .bind(opened_by)
    .bind(new.due_at.map(|at| model::micros(at).to_sqlx()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn lock(tx: &mut TenantTx, id: TicketId) -> Result<Option<TicketView>, DbError> {
    let row: Option<Row> =
        sqlx::query_as(ticket!("id = $2 FOR UPDATE")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(TicketView::from))
}

pub(super) async fn get(tx: &mut TenantTx, id: TicketId) -> Result<Option<TicketView>, DbError> {
    let row: Option<Row> = sqlx::query_as(ticket!("id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(TicketView::from))
}

/// Says about which router a ticket is, if there is such a ticket and it is about one.
///
/// # Errors
/// When the database does not answer.
pub async fn router_of(tx: &mut TenantTx, id: TicketId) -> Result<Option<Option<RouterId>>, DbError> {
    Ok(get(tx, id).await?.map(|ticket| ticket.router))
}

pub(super) async fn update(tx: &mut TenantTx, after: &TicketView) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE ticket SET status = $3, status_since = $4, priority = $5, assignee_id = $6, due_at = $7 WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(after.id)
    .bind(after.status.as_str())
    .bind(after.status_since.to_sqlx())
    .bind(after.priority.as_str())
    .bind(after.assignee)
    .bind(after.due_at.map(|at| model::micros(at).to_sqlx()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn list(tx: &mut TenantTx, among: Among, page: &Page) -> Result<Vec<TicketView>, DbError> {
    // Without a choice the third parameter is null and only keeps its place.
    let (query, which): (&'static str, Option<Uuid>) = match among {
        Among::All => (ticket!("id < $2 AND $3::uuid IS NULL ORDER BY id DESC LIMIT $4"), None),
        Among::Status(status) => return by_status(tx, status, page).await,
        Among::Assignee(id) => (ticket!("id < $2 AND assignee_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
        Among::Customer(id) => (ticket!("id < $2 AND customer_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
        Among::Router(id) => (ticket!("id < $2 AND router_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
        Among::Site(id) => (ticket!("id < $2 AND site_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
        Among::Device(id) => (ticket!("id < $2 AND device_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
    };
    let rows: Vec<Row> =
        sqlx::query_as(query).bind(tx.tenant()).bind(page.before()).bind(which).bind(page.fetch()).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(TicketView::from).collect())
}

async fn by_status(tx: &mut TenantTx, status: TicketStatus, page: &Page) -> Result<Vec<TicketView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(ticket!("id < $2 AND status = $3 ORDER BY id DESC LIMIT $4"))
        .bind(tx.tenant())
        .bind(page.before())
        .bind(status.as_str())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(TicketView::from).collect())
}

pub(super) async fn count_notes(tx: &mut TenantTx, ticket: TicketId) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM ticket_note WHERE tenant_id = $1 AND ticket_id = $2")
        .bind(tx.tenant())
        .bind(ticket)
        .fetch_one(tx.conn())
        .await?)
}

pub(super) async fn insert_note(
    tx: &mut TenantTx,
    id: TicketNoteId,
    ticket: TicketId,
    text: &str,
    to_customer: bool,
    now: Timestamp,
) -> Result<(), DbError> {
    let author = tx.actor().as_str().to_owned();
    sqlx::query(
        "INSERT INTO ticket_note (tenant_id, id, ticket_id, at, author, to_customer, text) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(ticket)
    .bind(now.to_sqlx())
    .bind(author)
    .bind(to_customer)
    .bind(text)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn notes(tx: &mut TenantTx, ticket: TicketId, page: &Page) -> Result<Vec<NoteView>, DbError> {
    #[derive(FromRow)]
    struct NoteRow {
        id: TicketNoteId,
        at: SqlTimestamp,
        author: String,
        to_customer: bool,
        text: String,
    }
    let rows: Vec<NoteRow> = sqlx::query_as(
        "SELECT id, at, author, to_customer, text FROM ticket_note WHERE tenant_id = $1 AND ticket_id = $2 AND id < $3
          ORDER BY id DESC LIMIT $4",
    )
    .bind(tx.tenant())
    .bind(ticket)
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    let view = |row: NoteRow| NoteView {
        id: row.id,
        at: row.at.to_jiff(),
        author: row.author,
        to_customer: row.to_customer,
        text: row.text,
    };
    Ok(rows.into_iter().map(view).collect())
}
