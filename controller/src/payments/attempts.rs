//! Attempts to collect money through a gateway. An attempt ends by its state and never vanishes: a success that comes late, after it had
//! failed or run out, still counts, and nothing that comes later undoes a success.

use super::inbox::Payer;
use super::settle::{self, Difference, Received, Settled};
use super::store::attempts as store;
use super::{AttemptView, Method, PaymentError, inbox, rules};
use crate::app::App;
use crate::customers::{self, CustomerStatus};
use crate::gateways::{self, Environment, Kind};
use crate::packages;
use db::{DbError, TenantTx};
use jiff::SignedDuration;
use model::{CustomerId, GatewayId, Money, PackageId, PaymentAttemptId, PaymentId, RouterId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// How long an answer is waited for before the attempt runs out; what comes later revives it.
pub const PENDING_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// The longest hint that is kept, in bytes; what is longer is cut.
const HINT_MAX: usize = 8_000;

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Asked for, and nothing is known yet.
    Pending,
    /// The money came.
    Completed,
    /// The provider said no.
    Failed,
    /// Nothing came in time.
    Expired,
    /// The payer said no.
    Cancelled,
}

impl AttemptState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Completed, Self::Failed, Self::Expired, Self::Cancelled];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Says whether this may become that: what is open may end in any way, what ended without money may still succeed, and a success stays.
    #[must_use]
    pub const fn may_become(self, to: Self) -> bool {
        match (self, to) {
            (Self::Completed, _) | (_, Self::Pending) => false,
            (Self::Pending, _) | (_, Self::Completed) => true,
            (Self::Failed | Self::Expired | Self::Cancelled, _) => false,
        }
    }
}

/// An attempt to be written down, when the provider has taken it on.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// Through which gateway.
    pub gateway: GatewayId,
    /// The provider's name for it, 1 to 128 visible characters.
    pub checkout: String,
    /// The telephone that is asked: digits with the country code.
    pub phone: String,
    /// What is bought; its price now is what counts.
    pub package: PackageId,
    /// For whom, if that is known.
    pub customer: Option<CustomerId>,
    /// On which router; a customer's own counts when there is one.
    pub router: RouterId,
    /// The device in the hotspot, as `AA:BB:CC:DD:EE:FF`.
    pub mac: Option<String>,
}

/// What became of a success.
#[derive(Debug)]
pub enum Completed {
    /// The money was counted, or parked.
    Settled(Settled),
    /// It was a playground's and counts as nothing.
    Sandbox,
    /// The attempt had succeeded already, with this payment.
    Already(Option<PaymentId>),
}

/// Writes an attempt down, with the package's price at this moment.
///
/// # Errors
/// When the gateway carries no money or is off, the package is not on sale, or the customer or router is not there.
pub async fn begin(app: &App, tx: &mut TenantTx, new: NewAttempt) -> Result<PaymentAttemptId, PaymentError> {
    let now = app.clock.now();
    let gateway = gateways::get(tx, new.gateway).await?;
    if gateway.kind != Kind::Money || !gateway.enabled {
        return Err(PaymentError::NoMoneyGateway);
    }
    let visible = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible(&new.checkout, 128) {
        return Err(PaymentError::Field { field: "checkout", message: "give 1 to 128 visible characters" });
    }
    if !visible(&new.phone, 15) || !new.phone.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PaymentError::Field { field: "phone", message: "give 1 to 15 digits with the country code" });
    }
    let router = match new.customer {
        Some(customer) => customers::lock(tx, customer).await?.router,
        None if new.mac.is_none() => {
            return Err(PaymentError::Field { field: "mac", message: "name the customer or the device" });
        }
        None => new.router,
    };
    let package = packages::on_sale(tx, new.package).await?;
    if !packages::in_scope(tx, package.id, router).await? {
        return Err(packages::PackageError::OutOfScope.into());
    }
    if let Some((field, message)) = rules::amount_fault(package.price) {
        return Err(PaymentError::Field { field, message });
    }
    let id = PaymentAttemptId::generate(now, &*app.entropy);
    let new = NewAttempt { router, ..new };
    let begun = store::Begun {
        environment: gateway.environment.as_str(),
        amount: package.price,
        version: package.version_id,
        expires_at: now + PENDING_LIFE,
    };
    if !store::insert(tx, id, &new, &begun, now).await? {
        return Err(PaymentError::Field { field: "checkout", message: "this gateway has an attempt of this name already" });
    }
    let details = json!({ "gateway": new.gateway, "package": new.package, "amount": package.price, "customer": new.customer });
    tx.audit(now, "payment_attempt.begin", &id.to_string(), details).await?;
    Ok(id)
}

/// Keeps what a provider sent about an attempt, before anything is made of it; what is too long is cut.
///
/// # Errors
/// When there is no such attempt.
pub async fn keep_hint(app: &App, tx: &mut TenantTx, id: PaymentAttemptId, hint: &str) -> Result<(), PaymentError> {
    // PostgreSQL keeps no NUL in a text.
    let clean: String = hint.chars().filter(|c| *c != '\0').collect();
    let cut = &clean[..clean.floor_char_boundary(HINT_MAX)];
    if store::keep_hint(tx, id, cut, app.clock.now()).await? { Ok(()) } else { Err(PaymentError::NotFound("payment attempt")) }
}

/// Ends an attempt without money.
///
/// # Errors
/// When there is no such attempt, it ended already, or the state is none in which one ends without money.
pub async fn end(
    app: &App,
    tx: &mut TenantTx,
    id: PaymentAttemptId,
    state: AttemptState,
    outcome: &str,
) -> Result<(), PaymentError> {
    let now = app.clock.now();
    let attempt = store::lock(tx, id).await?.ok_or(PaymentError::NotFound("payment attempt"))?;
    let outcome = &outcome[..outcome.floor_char_boundary(200)];
    if state == AttemptState::Completed || !store::end(tx, id, state, outcome, now).await? {
        return Err(PaymentError::Attempt(attempt.state.as_str()));
    }
    tx.audit(now, "payment_attempt.end", &id.to_string(), json!({ "state": state, "outcome": outcome })).await?;
    Ok(())
}

/// Ends an attempt with the money that came, as the provider's own answer to a question says it. The money is settled once, whoever comes
/// first, at the price that the package had when the attempt began.
///
/// # Errors
/// When there is no such attempt, or the money cannot be booked.
pub async fn complete(
    app: &App,
    tx: &mut TenantTx,
    id: PaymentAttemptId,
    method: Method,
    receipt: String,
    amount: Money,
) -> Result<Completed, PaymentError> {
    let now = app.clock.now();
    let attempt = store::lock(tx, id).await?.ok_or(PaymentError::NotFound("payment attempt"))?;
    if attempt.state == AttemptState::Completed {
        return Ok(Completed::Already(attempt.payment));
    }
    if attempt.environment == Environment::Sandbox.as_str() {
        store::complete(tx, id, None, None, "paid in the sandbox, which counts as nothing", now).await?;
        tx.audit(now, "payment_attempt.complete", &id.to_string(), json!({ "sandbox": true })).await?;
        return Ok(Completed::Sandbox);
    }
    let money = Received { method, gateway: Some(attempt.gateway), receipt, amount, received_at: now };
    settle::check(tx, &money).await?;
    let settled = settle_attempt(app, tx, &attempt, &money).await?;
    let payment = match &settled {
        Settled::Counted(taken) => taken.payment,
        Settled::Parked { payment, .. } | Settled::Known(payment) => *payment,
    };
    store::complete(tx, id, Some(payment), None, "paid", now).await?;
    let revived = attempt.state != AttemptState::Pending;
    tx.audit(now, "payment_attempt.complete", &id.to_string(), json!({ "payment": payment, "revived": revived })).await?;
    Ok(Completed::Settled(settled))
}

/// Settles an attempt's money: for its customer at the snapshot's price, or into the inbox when it is for a device that is nobody's.
async fn settle_attempt(app: &App, tx: &mut TenantTx, attempt: &AttemptView, money: &Received) -> Result<Settled, PaymentError> {
    let payer = Payer { phone: attempt.phone.clone(), ..Payer::default() };
    let Some(customer) = attempt.customer else {
        return inbox::park(app, tx, money, &payer, "it was paid for a device that is no customer's").await;
    };
    let customer = customers::lock(tx, customer).await?;
    if customer.status == CustomerStatus::Terminated {
        return inbox::park(app, tx, money, &payer, "the customer has left").await;
    }
    let package = packages::get(tx, attempt.package).await?;
    let as_sold = packages::PackageView { price: attempt.amount, version_id: attempt.package_version, ..package };
    settle::count(app, tx, &customer, Some(as_sold), Difference::Wallet, money).await
}

/// Ends the attempts of all tenants that ran out; returns how many. Their money still counts when it comes.
///
/// # Errors
/// When the database does not answer.
pub async fn expire(app: &App) -> Result<u64, DbError> {
    let mut ended = 0;
    for door in app.db.locator().tenants("payments").await? {
        let mut tx = app.db.tenant(&door).await?;
        ended += store::expire(&mut tx, app.clock.now()).await?;
        tx.commit().await?;
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::AttemptState::{self, Cancelled, Completed, Expired, Failed, Pending};

    #[test]
    fn success_comes_from_anywhere_and_is_left_for_nothing() {
        let allowed: Vec<(AttemptState, AttemptState)> = AttemptState::ALL
            .into_iter()
            .flat_map(|from| AttemptState::ALL.into_iter().map(move |to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        assert_eq!(
            allowed,
            [
                (Pending, Completed),
                (Pending, Failed),
                (Pending, Expired),
                (Pending, Cancelled),
                (Failed, Completed),
                (Expired, Completed),
                (Cancelled, Completed),
            ]
        );
    }
}
