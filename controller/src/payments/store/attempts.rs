//! Attempts to collect money, in the database. Each change of state is one statement that says which states it may come from.

use crate::http::{Page, PageItem};
use crate::payments::attempts::{AttemptState, NewAttempt};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, GatewayId, Money, PackageId, PackageVersionId, PaymentAttemptId, PaymentId, RouterId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// An attempt to collect money.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttemptView {
    /// The attempt.
    pub id: PaymentAttemptId,
    /// Through which gateway.
    pub gateway: GatewayId,
    /// `sandbox` or `production`; a sandbox's money is none.
    pub environment: String,
    /// The provider's name for it.
    pub checkout: String,
    /// Where it stands.
    pub state: AttemptState,
    /// Whether it succeeded after it had failed or run out.
    pub revived: bool,
    /// The telephone that was asked.
    pub phone: String,
    /// What it was asked for.
    pub amount: Money,
    /// What is bought.
    pub package: PackageId,
    /// The package as it was sold when the attempt began.
    pub package_version: PackageVersionId,
    /// For whom.
    pub customer: Option<CustomerId>,
    /// On which router.
    pub router: RouterId,
    /// The device in the hotspot.
    pub mac: Option<String>,
    /// What came of it, in words.
    pub outcome: Option<String>,
    /// The payment that counted.
    pub payment: Option<PaymentId>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it runs out.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When the provider last sent something about it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub hint_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

impl PageItem for AttemptView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: PaymentAttemptId,
    gateway_id: GatewayId,
    environment: String,
    checkout: String,
    state: String,
    revived: bool,
    phone: String,
    amount_minor: i64,
    currency: String,
    package_id: PackageId,
    package_version_id: PackageVersionId,
    customer_id: Option<CustomerId>,
    router_id: RouterId,
    mac: Option<String>,
    outcome: Option<String>,
    payment_id: Option<PaymentId>,
    created_at: SqlTimestamp,
    expires_at: SqlTimestamp,
    hint_at: Option<SqlTimestamp>,
    ended_at: Option<SqlTimestamp>,
}

impl From<Row> for AttemptView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            gateway: row.gateway_id,
            environment: row.environment,
            checkout: row.checkout,
            state: AttemptState::from_stored(&row.state).expect("the column's CHECK lets only states in"),
            revived: row.revived,
            phone: row.phone,
            amount: Money::new(row.amount_minor, row.currency.parse().expect("the column's CHECK lets only currencies in")),
            package: row.package_id,
            package_version: row.package_version_id,
            customer: row.customer_id,
            router: row.router_id,
            mac: row.mac,
            outcome: row.outcome,
            payment: row.payment_id,
            created_at: row.created_at.to_jiff(),
            expires_at: row.expires_at.to_jiff(),
            hint_at: row.hint_at.map(SqlTimestamp::to_jiff),
            ended_at: row.ended_at.map(SqlTimestamp::to_jiff),
        }
    }
}

/// What is known of an attempt when it begins, beside what was asked for.
pub(in crate::payments) struct Begun<'a> {
    pub(in crate::payments) environment: &'a str,
    pub(in crate::payments) amount: Money,
    pub(in crate::payments) version: PackageVersionId,
    pub(in crate::payments) expires_at: Timestamp,
}

/// Writes an attempt; says whether the provider's name for it was new.
pub(in crate::payments) async fn insert(
    tx: &mut TenantTx,
    id: PaymentAttemptId,
    new: &NewAttempt,
    begun: &Begun<'_>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO payment_attempt (tenant_id, id, gateway_id, checkout, environment, phone, amount_minor, currency, package_id,
                package_version_id, customer_id, router_id, mac, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT ON CONSTRAINT payment_attempt_checkout_unique DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(new.gateway)
    .bind(&new.checkout)
    .bind(begun.environment)
    .bind(&new.phone)
    .bind(begun.amount.minor)
    .bind(begun.amount.currency.as_str())
    .bind(new.package)
    .bind(begun.version)
    .bind(new.customer)
    .bind(new.router)
    .bind(&new.mac)
    .bind(now.to_sqlx())
    .bind(begun.expires_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps what a provider sent, before anything is made of it.
pub(in crate::payments) async fn keep_hint(
    tx: &mut TenantTx,
    id: PaymentAttemptId,
    hint: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE payment_attempt SET hint = $3, hint_at = $4 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(hint)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends an attempt in a state, if it is in one that this may follow; of two at once one finds nothing to end.
pub(in crate::payments) async fn end(
    tx: &mut TenantTx,
    id: PaymentAttemptId,
    to: AttemptState,
    outcome: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let from: Vec<&str> = AttemptState::ALL.into_iter().filter(|from| from.may_become(to)).map(AttemptState::as_str).collect();
    let done = sqlx::query(
        "UPDATE payment_attempt SET state = $3, outcome = $4, ended_at = $5
          WHERE tenant_id = $1 AND id = $2 AND state = ANY ($6)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(to.as_str())
    .bind(outcome)
    .bind(now.to_sqlx())
    .bind(from)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends an attempt with success, from whatever state but success; `payment` is what counted, and nothing in a sandbox.
pub(in crate::payments) async fn complete(
    tx: &mut TenantTx,
    id: PaymentAttemptId,
    payment: Option<PaymentId>,
    customer: Option<CustomerId>,
    outcome: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE payment_attempt SET state = 'completed', outcome = $5, ended_at = $6, payment_id = $3, customer_id = coalesce(customer_id, $4),
                revived = revived OR state <> 'pending'
          WHERE tenant_id = $1 AND id = $2 AND state <> 'completed'",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(payment)
    .bind(customer)
    .bind(outcome)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends what ran out, and returns how many that were.
pub(in crate::payments) async fn expire(tx: &mut TenantTx, now: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE payment_attempt SET state = 'expired', outcome = 'nothing came in time', ended_at = $2
          WHERE tenant_id = $1 AND state = 'pending' AND expires_at <= $2",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

macro_rules! attempts {
    ($rest:literal) => {
        concat!(
            "SELECT id, gateway_id, environment, checkout, state, revived, phone, amount_minor, currency, package_id, package_version_id,
                    customer_id, router_id, mac, outcome, payment_id, created_at, expires_at, hint_at, ended_at
               FROM payment_attempt WHERE tenant_id = $1 AND ",
            $rest
        )
    };
}

/// Reads an attempt and keeps others from ending it until the transaction ends.
pub(in crate::payments) async fn lock(tx: &mut TenantTx, id: PaymentAttemptId) -> Result<Option<AttemptView>, DbError> {
    let row: Option<Row> =
        sqlx::query_as(attempts!("id = $2 FOR UPDATE")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(AttemptView::from))
}

pub(in crate::payments) async fn get(tx: &mut TenantTx, id: PaymentAttemptId) -> Result<Option<AttemptView>, DbError> {
    let row: Option<Row> = sqlx::query_as(attempts!("id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(AttemptView::from))
}

pub(in crate::payments) async fn list(
    tx: &mut TenantTx,
    state: Option<AttemptState>,
    page: &Page,
) -> Result<Vec<AttemptView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(attempts!("id < $2 AND ($3::text IS NULL OR state = $3) ORDER BY id DESC LIMIT $4"))
        .bind(tx.tenant())
        .bind(page.before())
        .bind(state.map(AttemptState::as_str))
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(AttemptView::from).collect())
}
