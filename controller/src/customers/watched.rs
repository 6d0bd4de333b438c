//! What those who watch the network ask of customers.

use super::{CustomerError, CustomerStatus};
use crate::packages::PackageKind;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, RouterId};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Finds whose logins are; a login that nobody has as it is written is looked for on this router in any letters, since devices write
/// them as they like. Logins of nobody are left out.
///
/// # Errors
/// When the database does not answer.
pub async fn by_logins(
    tx: &mut TenantTx,
    router: RouterId,
    logins: &[String],
) -> Result<HashMap<String, CustomerId>, CustomerError> {
    let exact: Vec<(String, CustomerId)> =
        sqlx::query_as("SELECT login, id FROM customer WHERE tenant_id = $1 AND status <> 'terminated' AND login = ANY ($2)")
            .bind(tx.tenant())
            .bind(logins)
            .fetch_all(tx.conn())
            .await
            .map_err(DbError::from)?;
    let mut found: HashMap<String, CustomerId> = exact.into_iter().collect();
    let missing: Vec<String> =
        logins.iter().filter(|login| !found.contains_key(*login)).map(|login| login.to_lowercase()).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    let similar: Vec<(String, CustomerId)> = sqlx::query_as(
        "SELECT lower(login), (array_agg(id))[1] FROM customer
          WHERE tenant_id = $1 AND router_id = $2 AND status <> 'terminated' AND lower(login) = ANY ($3)
          GROUP BY lower(login) HAVING count(*) = 1",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(&missing)
    .fetch_all(tx.conn())
    .await
    .map_err(DbError::from)?;
    let similar: HashMap<String, CustomerId> = similar.into_iter().collect();
    for login in logins {
        if let Some(id) = similar.get(&login.to_lowercase()) {
            found.entry(login.clone()).or_insert(*id);
        }
    }
    Ok(found)
}

/// Says whether there is such a customer, one who has left too.
///
/// # Errors
/// When the database does not answer.
pub async fn exists(tx: &mut TenantTx, id: CustomerId) -> Result<bool, CustomerError> {
    let found = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM customer WHERE tenant_id = $1 AND id = $2)")
        .bind(tx.tenant())
        .bind(id)
        .fetch_one(tx.conn())
        .await
        .map_err(DbError::from)?;
    Ok(found)
}

/// Says which of some customers are to be served at a time: active, and the time is paid.
///
/// # Errors
/// When the database does not answer.
pub async fn owed(tx: &mut TenantTx, customers: &[CustomerId], at: Timestamp) -> Result<HashSet<CustomerId>, CustomerError> {
    let ids: Vec<Uuid> = customers.iter().map(|customer| customer.uuid()).collect();
    let owed: Vec<CustomerId> = sqlx::query_scalar(
        "SELECT c.id FROM customer c WHERE c.tenant_id = $1 AND c.id = ANY ($2) AND c.status = 'active' AND EXISTS
            (SELECT 1 FROM entitlement e
              WHERE e.tenant_id = $1 AND e.customer_id = c.id AND e.voided_at IS NULL AND e.starts_at <= $3 AND e.ends_at > $3)",
    )
    .bind(tx.tenant())
    .bind(ids)
    .bind(at.to_sqlx())
    .fetch_all(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(owed.into_iter().collect())
}

/// Counts the customers of a router who are to be served at a time and who connect by sessions.
///
/// # Errors
/// When the database does not answer.
pub async fn owed_on(tx: &mut TenantTx, router: RouterId, at: Timestamp) -> Result<i64, CustomerError> {
    let count = sqlx::query_scalar(
        "SELECT count(DISTINCT c.id) FROM customer c JOIN entitlement e ON e.tenant_id = $1 AND e.customer_id = c.id
          WHERE c.tenant_id = $1 AND c.router_id = $2 AND c.status = 'active' AND c.kind <> 'static' AND e.voided_at IS NULL
            AND e.starts_at <= $3 AND e.ends_at > $3",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(at.to_sqlx())
    .fetch_one(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(count)
}

/// How a customer is to be served, without any secret.
#[derive(Debug, Clone)]
pub struct Service {
    /// The name used to dial or log in.
    pub login: String,
    /// What the ISP wants.
    pub status: CustomerStatus,
    /// How the customer connects.
    pub kind: PackageKind,
    /// Where.
    pub router: RouterId,
    /// The end of what is paid without a gap; none when nothing is paid now.
    pub paid_until: Option<Timestamp>,
}

/// Reads how a customer is to be served at a time.
///
/// # Errors
/// When the database does not answer.
pub async fn service(tx: &mut TenantTx, id: CustomerId, at: Timestamp) -> Result<Option<Service>, CustomerError> {
    let row: Option<(String, String, String, RouterId, Option<SqlTimestamp>)> = sqlx::query_as(
        "SELECT c.login, c.status, c.kind, c.router_id,
                (SELECT max(l.ends_at) FROM entitlement e JOIN entitlement l ON l.tenant_id = $1 AND l.customer_id = c.id
                                                                            AND l.voided_at IS NULL AND l.unbroken_since = e.unbroken_since
                  WHERE e.tenant_id = $1 AND e.customer_id = c.id AND e.voided_at IS NULL AND e.starts_at <= $3 AND e.ends_at > $3)
           FROM customer c WHERE c.tenant_id = $1 AND c.id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(at.to_sqlx())
    .fetch_optional(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(row.map(|(login, status, kind, router, paid_until)| Service {
        login,
        status: CustomerStatus::from_stored(&status).expect("the column's CHECK lets only these in"),
        kind: PackageKind::from_stored(&kind).expect("the column's CHECK lets only kinds in"),
        router,
        paid_until: paid_until.map(SqlTimestamp::to_jiff),
    }))
}
