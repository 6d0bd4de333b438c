//! Messages on their way to a gateway.

use super::CHECKED;
use crate::messages::rules::answers::Receipt;
use crate::messages::rules::reports::Report;
use crate::messages::{Channel, Delivery, MessageState};
use crate::packages::PackageKind;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, GatewayId, MessageId, RouterId};
use sqlx::FromRow;

/// Longest reason, in characters.
const REASON_MAX: usize = 300;

/// A message whose time has come.
#[derive(Debug)]
pub(in crate::messages) struct Due {
    pub(in crate::messages) id: MessageId,
    pub(in crate::messages) at: Timestamp,
    pub(in crate::messages) channel: Channel,
    pub(in crate::messages) recipient: String,
    pub(in crate::messages) customer: CustomerId,
    pub(in crate::messages) router: RouterId,
    pub(in crate::messages) kind: PackageKind,
    pub(in crate::messages) text: String,
    pub(in crate::messages) attempts: i32,
    pub(in crate::messages) not_after: Timestamp,
    pub(in crate::messages) about_end: Option<Timestamp>,
    pub(in crate::messages) counted: bool,
}

#[derive(FromRow)]
struct Row {
    id: MessageId,
    at: SqlTimestamp,
    channel: String,
    recipient: String,
    customer_id: CustomerId,
    router_id: RouterId,
    kind: String,
    text: String,
    attempts: i32,
    not_after: SqlTimestamp,
    about_end: Option<SqlTimestamp>,
    counted: bool,
}

/// Locks messages whose time has come and that nobody else holds, the longest due first.
pub(in crate::messages) async fn take_due(tx: &mut TenantTx, now: Timestamp, limit: i64) -> Result<Vec<Due>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, at, channel, recipient, customer_id, router_id, kind, text, attempts, not_after, about_end, counted
           FROM message WHERE tenant_id = $1 AND state = 'queued' AND not_before <= $2
          ORDER BY not_before, id LIMIT $3 FOR UPDATE SKIP LOCKED",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    let due = |row: Row| Due {
        id: row.id,
        at: row.at.to_jiff(),
        channel: Channel::from_stored(&row.channel).expect(CHECKED),
        recipient: row.recipient,
        customer: row.customer_id,
        router: row.router_id,
        kind: PackageKind::from_stored(&row.kind).expect(CHECKED),
        text: row.text,
        attempts: row.attempts,
        not_after: row.not_after.to_jiff(),
        about_end: row.about_end.map(SqlTimestamp::to_jiff),
        counted: row.counted,
    };
    Ok(rows.into_iter().map(due).collect())
}

/// Notes that a message is being sent from now on; whoever does so has until then.
pub(in crate::messages) async fn start(tx: &mut TenantTx, id: MessageId, until: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE message SET state = 'sending', reason = '', leased_until = $3, attempts = attempts + 1, counted = true
          WHERE tenant_id = $1 AND id = $2 AND state = 'queued'",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(until.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets a message wait, without anybody having been asked.
pub(in crate::messages) async fn put_off(
    tx: &mut TenantTx,
    id: MessageId,
    reason: &str,
    until: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("UPDATE message SET reason = $3, not_before = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'queued'")
        .bind(tx.tenant())
        .bind(id)
        .bind(short(reason))
        .bind(until.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends a message that waited, without anybody having been asked.
pub(in crate::messages) async fn finish(
    tx: &mut TenantTx,
    id: MessageId,
    state: MessageState,
    reason: &str,
) -> Result<(), DbError> {
    sqlx::query("UPDATE message SET state = $3, reason = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'queued'")
        .bind(tx.tenant())
        .bind(id)
        .bind(state.as_str())
        .bind(short(reason))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Notes that a gateway took a message. One of which this was not known is known now.
pub(in crate::messages) async fn set_sent(
    tx: &mut TenantTx,
    id: MessageId,
    gateway: GatewayId,
    receipt: &Receipt,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE message SET state = 'sent', reason = '', leased_until = NULL, gateway_id = $3, provider_ref = $4, sent_at = $5,
                cost_micros = $6, cost_currency = $7
          WHERE tenant_id = $1 AND id = $2 AND state IN ('sending', 'unknown')",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(gateway)
    .bind(receipt.reference.as_deref())
    .bind(at.to_sqlx())
    .bind(receipt.cost.as_ref().map(|cost| cost.micros))
    .bind(receipt.cost.as_ref().map(|cost| cost.currency.as_str()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Finds the message of which a gateway's service reports: under the service's name for it, or under ours.
pub(in crate::messages) async fn reported(
    tx: &mut TenantTx,
    gateway: GatewayId,
    reference: &str,
) -> Result<Option<MessageId>, DbError> {
    let ours: Option<MessageId> = reference.parse().ok();
    Ok(sqlx::query_scalar(
        "SELECT id FROM message WHERE tenant_id = $1 AND gateway_id = $2 AND provider_ref = $3
         UNION ALL
         SELECT id FROM message WHERE tenant_id = $1 AND gateway_id = $2 AND id = $4
         LIMIT 1",
    )
    .bind(tx.tenant())
    .bind(gateway)
    .bind(reference)
    .bind(ours)
    .fetch_optional(tx.conn())
    .await?)
}

/// Notes what a service reports of a message. One of which it was not known whether it was sent is known now. What arrived stays so,
/// whatever is reported later.
pub(in crate::messages) async fn set_reported(
    tx: &mut TenantTx,
    id: MessageId,
    report: &Report,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE message SET state = 'sent', reason = '', sent_at = coalesce(sent_at, $6), delivery = $3, delivery_reason = $4, delivery_at = $6
          WHERE tenant_id = $1 AND id = $2 AND $3 IS NOT NULL AND (state = 'unknown' OR state = 'sent' AND delivery IS DISTINCT FROM $5)
            AND delivery IS DISTINCT FROM $3",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(report.delivery.map(Delivery::as_str))
    .bind(report.reason.as_deref())
    .bind(Delivery::Delivered.as_str())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    if let Some(cost) = &report.cost {
        sqlx::query("UPDATE message SET cost_micros = $3, cost_currency = $4 WHERE tenant_id = $1 AND id = $2")
            .bind(tx.tenant())
            .bind(id)
            .bind(cost.micros)
            .bind(&cost.currency)
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// Notes how a message ended that no gateway is known to have taken.
pub(in crate::messages) async fn set_tried(
    tx: &mut TenantTx,
    id: MessageId,
    gateway: GatewayId,
    state: MessageState,
    reason: &str,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE message SET state = $4, reason = $5, leased_until = NULL, gateway_id = $3
          WHERE tenant_id = $1 AND id = $2 AND state IN ('sending', 'unknown')",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(gateway)
    .bind(state.as_str())
    .bind(short(reason))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts a message back that no gateway took. Not once its lease has ended: then it is `unknown` and stays so.
pub(in crate::messages) async fn try_again(
    tx: &mut TenantTx,
    id: MessageId,
    gateway: GatewayId,
    reason: &str,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE message SET state = 'queued', reason = $4, leased_until = NULL, gateway_id = $3, not_before = $5
          WHERE tenant_id = $1 AND id = $2 AND state = 'sending'",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(gateway)
    .bind(short(reason))
    .bind(at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes of messages whose lease has ended that nobody knows whether they were sent.
pub(in crate::messages) async fn give_up_leased(tx: &mut TenantTx, reason: &str, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE message SET state = 'unknown', reason = $3, leased_until = NULL
          WHERE tenant_id = $1 AND state = 'sending' AND leased_until < $2",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .bind(short(reason))
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn short(reason: &str) -> String {
    reason.chars().take(REASON_MAX).collect()
}
