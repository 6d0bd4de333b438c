//! Whose a payment may be, and who was paid for during an outage.

use super::CustomerError;
use super::rules::{self, Span};
use crate::app::App;
use db::{DbError, TenantTx};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, EntitlementId, PackageId, PackageVersionId, PaymentId, RouterId};
use sqlx::FromRow;

/// By what a payer was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecognisedBy {
    /// The account number that was typed.
    AccountNumber,
    /// The login that was typed.
    Login,
    /// The telephone, which only one customer has.
    Phone,
}

impl RecognisedBy {
    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountNumber => "account_number",
            Self::Login => "login",
            Self::Phone => "phone",
        }
    }
}

/// Checks that a customer is there.
///
/// # Errors
/// When there is no such customer.
pub async fn expect(tx: &mut TenantTx, id: CustomerId) -> Result<(), CustomerError> {
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM customer WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await
        .map_err(DbError::from)?;
    found.map(|_| ()).ok_or(CustomerError::NotFound)
}

/// Finds who typed an account number or a login, or whose telephone it is; nobody when several have that telephone.
///
/// # Errors
/// When the database does not answer.
pub async fn recognise(tx: &mut TenantTx, account: &str, phone: &str) -> Result<Option<(CustomerId, RecognisedBy)>, DbError> {
    let account = account.trim();
    let digits: String = account.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    // Numbers are kept with their check digit, so a typing error finds nobody.
    let by_number: Option<CustomerId> =
        sqlx::query_scalar("SELECT id FROM customer WHERE tenant_id = $1 AND account_number = $2 AND status <> 'terminated'")
            .bind(tx.tenant())
            .bind(&digits)
            .fetch_optional(tx.conn())
            .await?;
    if let Some(id) = by_number {
        return Ok(Some((id, RecognisedBy::AccountNumber)));
    }
    let by_login: Option<CustomerId> =
        sqlx::query_scalar("SELECT id FROM customer WHERE tenant_id = $1 AND login = $2 AND status <> 'terminated'")
            .bind(tx.tenant())
            .bind(account)
            .fetch_optional(tx.conn())
            .await?;
    if let Some(id) = by_login {
        return Ok(Some((id, RecognisedBy::Login)));
    }
    if phone.is_empty() {
        return Ok(None);
    }
    let by_phone: Vec<CustomerId> =
        sqlx::query_scalar("SELECT id FROM customer WHERE tenant_id = $1 AND phone = $2 AND status <> 'terminated' LIMIT 2")
            .bind(tx.tenant())
            .bind(phone)
            .fetch_all(tx.conn())
            .await?;
    Ok(match by_phone[..] {
        [only] => Some((only, RecognisedBy::Phone)),
        _ => None,
    })
}

/// A customer whose time was paid for, and the last of it.
#[derive(Debug, Clone, Copy)]
pub struct Entitled {
    /// Who.
    pub customer: CustomerId,
    /// What was paid for last.
    pub package: PackageId,
    /// As it was sold.
    pub version: PackageVersionId,
    last: Span,
}

#[derive(FromRow)]
struct EntitledRow {
    customer_id: CustomerId,
    package_id: PackageId,
    package_version_id: PackageVersionId,
    starts_at: SqlTimestamp,
    ends_at: SqlTimestamp,
    unbroken_since: SqlTimestamp,
}

/// Lists a router's customers who had time at any moment between two, and keeps others from changing what they are entitled to.
///
/// # Errors
/// When the database does not answer.
pub async fn lock_entitled(
    tx: &mut TenantTx,
    router: RouterId,
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<Entitled>, DbError> {
    // In one order, so that two of these cannot wait for each other.
    let ids: Vec<CustomerId> = sqlx::query_scalar(
        "SELECT c.id FROM customer c WHERE c.tenant_id = $1 AND c.router_id = $2 AND c.status <> 'terminated'
            AND EXISTS (SELECT 1 FROM entitlement e WHERE e.tenant_id = $1 AND e.customer_id = c.id AND e.voided_at IS NULL
                           AND e.starts_at <= $4 AND e.ends_at > $3)
          ORDER BY c.id FOR UPDATE",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(since.to_sqlx())
    .bind(until.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    let rows: Vec<EntitledRow> = sqlx::query_as(
        "SELECT DISTINCT ON (customer_id) customer_id, package_id, package_version_id, starts_at, ends_at, unbroken_since FROM entitlement
          WHERE tenant_id = $1 AND customer_id = ANY ($2) AND voided_at IS NULL ORDER BY customer_id, ends_at DESC",
    )
    .bind(tx.tenant())
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    let entitled = |row: EntitledRow| Entitled {
        customer: row.customer_id,
        package: row.package_id,
        version: row.package_version_id,
        last: Span {
            starts_at: row.starts_at.to_jiff(),
            ends_at: row.ends_at.to_jiff(),
            unbroken_since: row.unbroken_since.to_jiff(),
        },
    };
    Ok(rows.into_iter().map(entitled).collect())
}

/// Gives customers, who were locked by this transaction, some hours more behind what they have; `payments` are the rows that say why, in the
/// same order. Returns the router's generation that carries it.
///
/// # Errors
/// When the database does not answer.
pub async fn give_time(
    app: &App,
    tx: &mut TenantTx,
    router: RouterId,
    who: &[(Entitled, PaymentId)],
    time: SignedDuration,
    now: Timestamp,
) -> Result<i64, DbError> {
    let generation = tx.touch_router(router, now).await?;
    let spans: Vec<Span> = who
        .iter()
        .map(|(entitled, _)| {
            let (starts_at, unbroken_since) = rules::begin(Some(entitled.last), now);
            Span { starts_at, ends_at: starts_at.saturating_add(time).unwrap_or(Timestamp::MAX), unbroken_since }
        })
        .collect();
    sqlx::query(
        "INSERT INTO entitlement (tenant_id, router_id, generation, complimentary, id, customer_id, package_id, package_version_id, payment_id,
                starts_at, ends_at, unbroken_since)
         SELECT $1, $2, $3, true, * FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::timestamptz[],
                $10::timestamptz[], $11::timestamptz[])",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(generation)
    .bind(who.iter().map(|_| EntitlementId::generate(now, &*app.entropy).uuid()).collect::<Vec<_>>())
    .bind(who.iter().map(|(entitled, _)| entitled.customer.uuid()).collect::<Vec<_>>())
    .bind(who.iter().map(|(entitled, _)| entitled.package.uuid()).collect::<Vec<_>>())
    .bind(who.iter().map(|(entitled, _)| entitled.version.uuid()).collect::<Vec<_>>())
    .bind(who.iter().map(|(_, payment)| payment.uuid()).collect::<Vec<_>>())
    .bind(spans.iter().map(|span| span.starts_at.to_sqlx()).collect::<Vec<_>>())
    .bind(spans.iter().map(|span| span.ends_at.to_sqlx()).collect::<Vec<_>>())
    .bind(spans.iter().map(|span| span.unbroken_since.to_sqlx()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(generation)
}
