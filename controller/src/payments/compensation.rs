//! Hours for an outage: given to everybody on a router whose time was paid then. They are no revenue, and they are limited.

use super::{PaymentError, rules, store};
use crate::app::App;
use crate::customers::{self, CustomerError};
use crate::{routers, tenants};
use db::TenantTx;
use jiff::{SignedDuration, Timestamp};
use model::{PaymentId, RouterId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Hours to be given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Compensation {
    /// How many, 1 to 72.
    pub hours: u16,
    /// When the outage began, at most 14 days ago; now when left out. Who had paid time since then gets the hours.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Why, in 1 to 200 characters.
    pub reason: String,
}

/// Hours that were given.
#[derive(Debug, Serialize, ToSchema)]
pub struct Compensated {
    /// How many customers got them.
    pub customers: usize,
    /// The router's desired generation that carries it; none when nobody got anything.
    pub generation: Option<i64>,
}

/// Gives everybody on a router whose time was paid during an outage some hours behind what they have.
///
/// # Errors
/// When a field is wrong or there is no such router.
pub async fn compensate(
    app: &App,
    tx: &mut TenantTx,
    router: RouterId,
    given: &Compensation,
    now: Timestamp,
) -> Result<Compensated, PaymentError> {
    if !(1..=rules::COMPENSATION_HOURS_MAX).contains(&given.hours) {
        return Err(PaymentError::Field { field: "hours", message: "give 1 to 72 hours" });
    }
    if let Some((field, message)) = rules::reason_fault(&given.reason) {
        return Err(PaymentError::Field { field, message });
    }
    let since = given.since.unwrap_or(now);
    if since > now || now.duration_since(since) > SignedDuration::from_hours(rules::COMPENSATION_AGE_HOURS) {
        return Err(PaymentError::Field { field: "since", message: "name a moment in the last 14 days" });
    }
    if !routers::stands(tx, router).await? {
        return Err(CustomerError::NoRouter.into());
    }
    let entitled = customers::lock_entitled(tx, router, since, now).await?;
    let details =
        json!({ "router": router, "hours": given.hours, "since": since, "customers": entitled.len(), "reason": given.reason });
    tx.audit(now, "compensation.give", &router.to_string(), details).await?;
    if entitled.is_empty() {
        return Ok(Compensated { customers: 0, generation: None });
    }
    let who: Vec<_> = entitled.into_iter().map(|one| (one, PaymentId::generate(now, &*app.entropy))).collect();
    let rows: Vec<_> = who.iter().map(|(one, payment)| (*payment, one.customer, one.package, one.version)).collect();
    let currency = tenants::current(tx).await?.currency;
    store::insert_compensations(tx, &rows, currency.as_str(), now).await?;
    let time = SignedDuration::from_hours(i64::from(given.hours));
    let generation = customers::give_time(app, tx, router, &who, time, now).await?;
    Ok(Compensated { customers: who.len(), generation: Some(generation) })
}
