//! What a payment gives a customer: made, voided, and followed until the router serves it.

use super::rules::{self, Span};
use super::store::{self, NewEntitlement};
use super::{Customer, CustomerError};
use crate::app::App;
use crate::packages::{self, PackageView};
use crate::tenants;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{CustomerId, EntitlementId, PaymentId, RouterId};

/// What a payment gave.
#[derive(Debug, Clone, Copy)]
pub struct Granted {
    /// When it begins: now, or the end of what was paid before.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The router's desired generation that carries it.
    pub generation: i64,
}

/// Entitles a customer, who was locked by this transaction, to a package once more, and gives them the package if they had another.
/// The payment's row is there already.
///
/// # Errors
/// When the package is for another kind of connection or not sold on the customer's router, or its validity leads out of the calendar.
pub async fn grant(
    app: &App,
    tx: &mut TenantTx,
    customer: &Customer,
    package: &PackageView,
    payment: PaymentId,
    now: Timestamp,
) -> Result<Granted, CustomerError> {
    if package.kind != customer.kind {
        return Err(CustomerError::Kind { customer: customer.kind, package: package.kind });
    }
    super::expect_in_scope(tx, package.id, customer.router).await?;
    if package.id != customer.package {
        store::set_package(tx, customer.id, package.id).await?;
    }
    let last = store::last_span(tx, customer.id).await?;
    let grace = tenants::settings_in_force(tx).await?.late_renewal.grace();
    let (mut starts_at, mut unbroken_since) = rules::begin_within(last, grace, now);
    let mut ends_at = packages::end_of(tx, package, starts_at).await?;
    if ends_at <= now {
        // From the old end it would be over already: who pays gets what they pay for.
        (starts_at, unbroken_since) = rules::begin(last, now);
        ends_at = packages::end_of(tx, package, starts_at).await?;
    }
    let generation = tx.touch_router(customer.router, now).await?;
    let new = NewEntitlement {
        id: EntitlementId::generate(now, &*app.entropy),
        customer: customer.id,
        package: package.id,
        version: package.version_id,
        router: customer.router,
        payment,
        span: Span { starts_at, ends_at, unbroken_since },
        generation,
    };
    store::insert_entitlement(tx, &new).await?;
    Ok(Granted { starts_at, ends_at, generation })
}

/// Takes back what a payment gave a customer, who was locked by this transaction; what was paid for later moves forward and keeps its
/// length. Returns the router's generation that carries it.
///
/// # Errors
/// When the database does not answer.
pub async fn void(tx: &mut TenantTx, customer: &Customer, payment: PaymentId, now: Timestamp) -> Result<i64, CustomerError> {
    if let Some(voided) = store::void(tx, payment, now).await? {
        let later = store::spans_from(tx, customer.id, voided.ends_at).await?;
        let spans: Vec<Span> = later.iter().map(|(_, span)| *span).collect();
        for ((id, before), after) in later.into_iter().zip(rules::pulled_forward(voided, &spans, now)) {
            if after != before {
                store::set_span(tx, id, after).await?;
            }
        }
    }
    Ok(tx.touch_router(customer.router, now).await?)
}

/// Writes down when a router was seen to hold a generation: everything granted up to it is applied. Returns how many were.
///
/// # Errors
/// When the database does not answer.
pub async fn mark_applied(tx: &mut TenantTx, router: RouterId, generation: i64, at: Timestamp) -> Result<u64, DbError> {
    store::mark_applied(tx, router, generation, at).await
}

/// Lists up to 500 customers of a router, with their logins, who were served something after `since` and were not seen online with it yet.
///
/// # Errors
/// When the database does not answer.
pub async fn awaiting_online(
    tx: &mut TenantTx,
    router: RouterId,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<(CustomerId, String)>, DbError> {
    store::awaiting_online(tx, router, since, now).await
}

/// Writes down when a router was first seen to list a session under what the customer has paid for and it holds; says whether it was the
/// first time.
///
/// # Errors
/// When the database does not answer.
pub async fn mark_online(tx: &mut TenantTx, customer: CustomerId, at: Timestamp) -> Result<bool, DbError> {
    store::mark_online(tx, customer, at).await
}
