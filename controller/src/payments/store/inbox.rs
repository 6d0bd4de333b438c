//! Money that fits nobody yet, in the database.

use crate::customers::RecognisedBy;
use crate::http::{Page, PageItem};
use crate::payments::Method;
use crate::payments::inbox::{Payer, UnmatchedState};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, GatewayId, Money, PaymentId, UnmatchedId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// Money that fits nobody yet, or what became of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UnmatchedView {
    /// The item.
    pub id: UnmatchedId,
    /// The payment.
    pub payment: PaymentId,
    /// How it came in.
    pub method: Method,
    /// Through which gateway.
    pub gateway: Option<GatewayId>,
    /// The receipt's number.
    pub receipt: String,
    /// How much.
    pub amount: Money,
    /// What the payer typed as account.
    pub account: String,
    /// The payer's telephone, or a provider's hash of it.
    pub phone: String,
    /// The payer's name.
    pub payer: String,
    /// Why it fitted nobody.
    pub why: String,
    /// Who it may be.
    pub suggested: Option<CustomerId>,
    /// By what: `account_number`, `login` or `phone`.
    pub suggested_by: Option<String>,
    /// Where it stands.
    pub state: UnmatchedState,
    /// When the money came.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// When it was settled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// Who settled it.
    pub resolved_by: Option<String>,
    /// What was said about it.
    pub note: String,
}

impl PageItem for UnmatchedView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: UnmatchedId,
    payment_id: PaymentId,
    method: String,
    gateway_id: Option<GatewayId>,
    receipt: String,
    amount_minor: i64,
    currency: String,
    account_text: String,
    phone: String,
    payer: String,
    why: String,
    suggested_customer_id: Option<CustomerId>,
    suggested_by: Option<String>,
    state: String,
    received_at: SqlTimestamp,
    resolved_at: Option<SqlTimestamp>,
    resolved_by: Option<String>,
    note: String,
}

impl From<Row> for UnmatchedView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            payment: row.payment_id,
            method: Method::from_stored(&row.method).expect("the column's CHECK lets only methods in"),
            gateway: row.gateway_id,
            receipt: row.receipt,
            amount: Money::new(row.amount_minor, row.currency.parse().expect("the column's CHECK lets only currencies in")),
            account: row.account_text,
            phone: row.phone,
            payer: row.payer,
            why: row.why,
            suggested: row.suggested_customer_id,
            suggested_by: row.suggested_by,
            state: UnmatchedState::from_stored(&row.state).expect("the column's CHECK lets only states in"),
            received_at: row.received_at.to_jiff(),
            resolved_at: row.resolved_at.map(SqlTimestamp::to_jiff),
            resolved_by: row.resolved_by,
            note: row.note,
        }
    }
}

pub(in crate::payments) async fn insert(
    tx: &mut TenantTx,
    id: UnmatchedId,
    payment: PaymentId,
    payer: &Payer,
    why: &str,
    suggestion: Option<(CustomerId, RecognisedBy)>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO unmatched_payment (tenant_id, id, payment_id, account_text, phone, payer, why, suggested_customer_id, suggested_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(payment)
    .bind(&payer.account)
    .bind(&payer.phone)
    .bind(&payer.name)
    .bind(why)
    .bind(suggestion.map(|(customer, _)| customer))
    .bind(suggestion.map(|(_, by)| by.as_str()))
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Settles an item, once; of two at once one finds nothing to settle.
pub(in crate::payments) async fn resolve(
    tx: &mut TenantTx,
    id: UnmatchedId,
    state: UnmatchedState,
    note: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let actor = tx.actor().as_str().to_owned();
    let done = sqlx::query(
        "UPDATE unmatched_payment SET state = $3, note = $4, resolved_at = $5, resolved_by = $6
          WHERE tenant_id = $1 AND id = $2 AND state = 'open'",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(state.as_str())
    .bind(note)
    .bind(now.to_sqlx())
    .bind(actor)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

macro_rules! unmatched {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.payment_id, p.method, p.gateway_id, p.receipt, p.amount_minor, p.currency, u.account_text, u.phone, u.payer, u.why,
                    u.suggested_customer_id, u.suggested_by, u.state, p.received_at, u.resolved_at, u.resolved_by, u.note
               FROM unmatched_payment u JOIN payment p ON p.tenant_id = $1 AND p.id = u.payment_id
              WHERE u.tenant_id = $1 AND ",
            $rest
        )
    };
}

pub(in crate::payments) async fn get(tx: &mut TenantTx, id: UnmatchedId) -> Result<Option<UnmatchedView>, DbError> {
    let row: Option<Row> = sqlx::query_as(unmatched!("u.id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(UnmatchedView::from))
}

pub(in crate::payments) async fn list(
    tx: &mut TenantTx,
    state: Option<UnmatchedState>,
    page: &Page,
) -> Result<Vec<UnmatchedView>, DbError> {
    let rows: Vec<Row> =
        sqlx::query_as(unmatched!("u.id < $2 AND ($3::text IS NULL OR u.state = $3) ORDER BY u.id DESC LIMIT $4"))
            .bind(tx.tenant())
            .bind(page.before())
            .bind(state.map(UnmatchedState::as_str))
            .bind(page.fetch())
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(UnmatchedView::from).collect())
}
