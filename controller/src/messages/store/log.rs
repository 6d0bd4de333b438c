//! What was written, as people look at it.

use super::CHECKED;
use crate::customers::Addressee;
use crate::http::{Page, PageItem};
use crate::messages::{Channel, Delivery, MessageState};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, GatewayId, MessageId, MessageRuleId, RouterId, TemplateId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// Rows that one statement forgets.
const BATCH: i64 = 5_000;

/// A message that was or will be sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageView {
    /// The message.
    pub id: MessageId,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// By what it travels.
    pub channel: Channel,
    /// To which number: digits, the country first.
    pub recipient: String,
    /// To whom.
    pub customer: CustomerId,
    /// The router that served the customer then.
    pub router: RouterId,
    /// The rule that wrote it; none when a person did.
    pub rule: Option<MessageRuleId>,
    /// By which template.
    pub template: Option<TemplateId>,
    /// By which version of its text.
    pub template_version: Option<i32>,
    /// What it says.
    pub text: String,
    /// How many segments it takes as a text message.
    pub segments: i32,
    /// Who wrote it, or in whose action it was written.
    pub author: String,
    /// Where it stands.
    pub state: MessageState,
    /// Why it waits, failed, or is not known; empty where there is nothing to say.
    pub reason: String,
    /// In how many rounds gateways were asked.
    pub attempts: i32,
    /// When it may go, or is tried again.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// When nobody needs it any more.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// The gateway that was asked last.
    pub gateway: Option<GatewayId>,
    /// The provider's name for it.
    pub provider_ref: Option<String>,
    /// When a gateway took it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
    /// What it cost, in millionths of a unit of `cost_currency`; empty while no gateway said so.
    pub cost_micros: Option<i64>,
    /// In which currency.
    pub cost_currency: Option<String>,
    /// Whether it arrived, as the gateway reports; empty while it did not.
    pub delivery: Option<Delivery>,
    /// Why it did not arrive.
    pub delivery_reason: Option<String>,
    /// When that was reported.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivery_at: Option<Timestamp>,
}

impl PageItem for MessageView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: MessageId,
    at: SqlTimestamp,
    channel: String,
    recipient: String,
    customer_id: CustomerId,
    router_id: RouterId,
    rule_id: Option<MessageRuleId>,
    template_id: Option<TemplateId>,
    template_version: Option<i32>,
    text: String,
    segments: i32,
    author: String,
    state: String,
    reason: String,
    attempts: i32,
    not_before: SqlTimestamp,
    not_after: SqlTimestamp,
    gateway_id: Option<GatewayId>,
    provider_ref: Option<String>,
    sent_at: Option<SqlTimestamp>,
    cost_micros: Option<i64>,
    cost_currency: Option<String>,
    delivery: Option<String>,
    delivery_reason: Option<String>,
    delivery_at: Option<SqlTimestamp>,
}

impl From<Row> for MessageView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at.to_jiff(),
            channel: Channel::from_stored(&row.channel).expect(CHECKED),
            recipient: row.recipient,
            customer: row.customer_id,
            router: row.router_id,
            rule: row.rule_id,
            template: row.template_id,
            template_version: row.template_version,
            text: row.text,
            segments: row.segments,
            author: row.author,
            state: MessageState::from_stored(&row.state).expect(CHECKED),
            reason: row.reason,
            attempts: row.attempts,
            not_before: row.not_before.to_jiff(),
            not_after: row.not_after.to_jiff(),
            gateway: row.gateway_id,
            provider_ref: row.provider_ref,
            sent_at: row.sent_at.map(SqlTimestamp::to_jiff),
            cost_micros: row.cost_micros,
            cost_currency: row.cost_currency,
            delivery: row.delivery.map(|name| Delivery::from_stored(&name).expect(CHECKED)),
            delivery_reason: row.delivery_reason,
            delivery_at: row.delivery_at.map(SqlTimestamp::to_jiff),
        }
    }
}

/// Messages of the tenant `$1`.
macro_rules! messages {
    ($rest:literal) => {
        concat!(
            "SELECT id, at, channel, recipient, customer_id, router_id, rule_id, template_id, template_version, text, segments, author, state,
                    reason, attempts, not_before, not_after, gateway_id, provider_ref, sent_at, cost_micros, cost_currency, delivery,
                    delivery_reason, delivery_at
               FROM message WHERE tenant_id = $1 AND ",
            $rest
        )
    };
}

/// A message to be written.
pub(in crate::messages) struct NewRow<'a> {
    pub(in crate::messages) id: MessageId,
    pub(in crate::messages) customer: &'a Addressee,
    pub(in crate::messages) channel: Channel,
    pub(in crate::messages) rule: Option<MessageRuleId>,
    pub(in crate::messages) template: Option<(TemplateId, i32)>,
    pub(in crate::messages) text: String,
    pub(in crate::messages) segments: usize,
    pub(in crate::messages) not_before: Timestamp,
    pub(in crate::messages) not_after: Timestamp,
    pub(in crate::messages) about_end: Option<Timestamp>,
    pub(in crate::messages) counted: bool,
}

pub(in crate::messages) async fn insert(tx: &mut TenantTx, rows: &[NewRow<'_>], now: Timestamp) -> Result<(), DbError> {
    fn column<'a, T>(rows: &'a [NewRow<'_>], value: impl Fn(&'a NewRow<'_>) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    let author = tx.actor().as_str().to_owned();
    sqlx::query(
        "INSERT INTO message (tenant_id, at, author, state, reason, id, channel, recipient, customer_id, router_id, kind, rule_id, template_id,
                template_version, text, segments, not_before, not_after, about_end, counted)
         SELECT $1, $2, $3, 'queued', '', n.*
           FROM unnest($4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::text[], $10::uuid[], $11::uuid[], $12::integer[],
                       $13::text[], $14::integer[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::boolean[]) AS n",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .bind(author)
    .bind(column(rows, |row| row.id.uuid()))
    .bind(column(rows, |row| row.channel.as_str()))
    .bind(column(rows, |row| row.customer.phone.as_str()))
    .bind(column(rows, |row| row.customer.id.uuid()))
    .bind(column(rows, |row| row.customer.router.uuid()))
    .bind(column(rows, |row| row.customer.kind.as_str()))
    .bind(column(rows, |row| row.rule.map(MessageRuleId::uuid)))
    .bind(column(rows, |row| row.template.map(|(id, _)| id.uuid())))
    .bind(column(rows, |row| row.template.map(|(_, version)| version)))
    .bind(column(rows, |row| row.text.as_str()))
    .bind(column(rows, |row| i32::try_from(row.segments).unwrap_or(i32::MAX)))
    .bind(column(rows, |row| row.not_before.to_sqlx()))
    .bind(column(rows, |row| row.not_after.to_sqlx()))
    .bind(column(rows, |row| row.about_end.map(|at| at.to_sqlx())))
    .bind(column(rows, |row| row.counted))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::messages) async fn get(tx: &mut TenantTx, id: MessageId) -> Result<Option<MessageView>, DbError> {
    let row: Option<Row> = sqlx::query_as(messages!("id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(MessageView::from))
}

pub(in crate::messages) async fn lock(tx: &mut TenantTx, id: MessageId) -> Result<Option<MessageView>, DbError> {
    let row: Option<Row> =
        sqlx::query_as(messages!("id = $2 FOR UPDATE")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(MessageView::from))
}

/// Which messages are asked for; one at a time, as each has its index.
#[derive(Debug, Clone, Copy)]
pub(in crate::messages) enum Among {
    All,
    State(MessageState),
    Customer(CustomerId),
    Rule(MessageRuleId),
}

pub(in crate::messages) async fn list(tx: &mut TenantTx, among: Among, page: &Page) -> Result<Vec<MessageView>, DbError> {
    // Without a choice the third parameter is null and only keeps its place.
    let (query, which): (&'static str, Option<Uuid>) = match among {
        Among::All => (messages!("id < $2 AND $3::uuid IS NULL ORDER BY id DESC LIMIT $4"), None),
        Among::State(state) => return by_state(tx, state, page).await,
        Among::Customer(id) => (messages!("id < $2 AND customer_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
        Among::Rule(id) => (messages!("id < $2 AND rule_id = $3 ORDER BY id DESC LIMIT $4"), Some(id.uuid())),
    };
    let rows: Vec<Row> =
        sqlx::query_as(query).bind(tx.tenant()).bind(page.before()).bind(which).bind(page.fetch()).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(MessageView::from).collect())
}

async fn by_state(tx: &mut TenantTx, state: MessageState, page: &Page) -> Result<Vec<MessageView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(messages!("id < $2 AND state = $3 ORDER BY id DESC LIMIT $4"))
        .bind(tx.tenant())
        .bind(page.before())
        .bind(state.as_str())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(MessageView::from).collect())
}

/// Forgets some of what rules wrote about, so long ago that it does not come up again.
pub(in crate::messages) async fn forget(tx: &mut TenantTx, before: Timestamp) -> Result<u64, DbError> {
    let forgotten = sqlx::query(
        "DELETE FROM message_cycle WHERE tenant_id = $1 AND (rule_id, customer_id, cycle) IN
            (SELECT rule_id, customer_id, cycle FROM message_cycle WHERE tenant_id = $1 AND at < $2 ORDER BY at LIMIT $3)",
    )
    .bind(tx.tenant())
    .bind(before.to_sqlx())
    .bind(BATCH)
    .execute(tx.conn())
    .await?;
    Ok(forgotten.rows_affected())
}
