//! The inbox: money that came and fits nobody yet. Each item is settled once, by saying whose it is or by noting that it was given back.

use super::settle::{self, Aim, Booked, Difference, Received, Settled};
use super::store::{self, inbox as items};
use super::{Method, PaymentError, PaymentState, Taken, UnmatchedView, rules};
use crate::app::App;
use crate::customers::{self, CustomerError, CustomerStatus, RecognisedBy};
use crate::ledger::{self, About, Account, Entry, JournalKind};
use crate::packages;
use db::TenantTx;
use jiff::Timestamp;
use model::{CustomerId, GatewayId, Money, PackageId, PaymentId, UnmatchedId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// What is known of who paid.
#[derive(Debug, Clone, Default)]
pub struct Payer {
    /// What was typed as account, up to 100 characters.
    pub account: String,
    /// The telephone's digits, or a provider's hash of them, up to 64 characters.
    pub phone: String,
    /// The name, up to 100 characters.
    pub name: String,
}

/// Where an item of the inbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnmatchedState {
    /// It waits.
    Open,
    /// It was found out whose it is.
    Matched,
    /// It was given back.
    Refunded,
}

impl UnmatchedState {
    const ALL: [Self; 3] = [Self::Open, Self::Matched, Self::Refunded];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Matched => "matched",
            Self::Refunded => "refunded",
        }
    }

    pub(super) fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Money on a statement of the bank or of mobile money.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArrival {
    /// `bank` or `mobile_money`.
    pub method: Method,
    /// Through which gateway, if through one of the tenant's.
    pub gateway: Option<GatewayId>,
    /// The provider's number for it, 1 to 64 characters.
    pub receipt: String,
    /// How much.
    pub amount: Money,
    /// What was typed as account, up to 100 characters.
    #[serde(default)]
    pub account: String,
    /// The payer's telephone, up to 64 characters.
    #[serde(default)]
    pub phone: String,
    /// The payer's name, up to 100 characters.
    #[serde(default)]
    pub name: String,
    /// When it came; now when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub received_at: Option<Timestamp>,
}

/// What became of money on a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was counted for a customer.
    Counted,
    /// It lies in the inbox.
    Parked,
    /// It was there already.
    Known,
}

/// Money that arrived.
#[derive(Debug, Serialize, ToSchema)]
pub struct Arrived {
    /// What became of it.
    pub outcome: Outcome,
    /// The payment.
    pub payment: PaymentId,
    /// The item of the inbox.
    pub item: Option<UnmatchedId>,
}

/// Whose money an item is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Whose.
    pub customer: CustomerId,
    /// What it buys; the customer's own package when left out.
    pub package: Option<PackageId>,
}

/// That an item was given back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// How and to whom, in 1 to 200 characters.
    pub note: String,
}

/// Checks and trims what is known of a payer.
pub(super) fn payer(account: &str, phone: &str, name: &str) -> Result<Payer, PaymentError> {
    let kept = |field: &'static str, text: &str, most: usize, message: &'static str| {
        let text = text.trim();
        let good = text.chars().count() <= most && !text.contains(char::is_control);
        if good { Ok(text.to_owned()) } else { Err(PaymentError::Field { field, message }) }
    };
    // A telephone is found by its digits, whichever way it is written; a hash stays as it is.
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let written = phone.chars().all(|c| c.is_ascii_digit() || "+-() .".contains(c));
    Ok(Payer {
        account: kept("account", account, 100, "write at most 100 characters on one line")?,
        phone: kept("phone", if written { &digits } else { phone }, 64, "write at most 64 characters on one line")?,
        name: kept("name", name, 100, "write at most 100 characters on one line")?,
    })
}

/// Books money from a statement: for the customer whose account number or login was typed, else into the inbox.
///
/// # Errors
/// When a field is wrong, or the gateway is a sandbox or carries no money.
pub async fn arrive(app: &App, tx: &mut TenantTx, new: NewArrival) -> Result<Arrived, PaymentError> {
    if !matches!(new.method, Method::Bank | Method::MobileMoney) {
        return Err(PaymentError::Field { field: "method", message: "on a statement stand bank and mobile_money" });
    }
    let now = app.clock.now();
    let received_at = model::micros(new.received_at.unwrap_or(now));
    if received_at > now {
        return Err(PaymentError::Field { field: "received_at", message: "money that has come did not come in the future" });
    }
    let payer = payer(&new.account, &new.phone, &new.name)?;
    let money = Received { method: new.method, gateway: new.gateway, receipt: new.receipt, amount: new.amount, received_at };
    let found = customers::recognise(tx, &payer.account, &payer.phone).await?;
    let aim = match found {
        Some((customer, RecognisedBy::AccountNumber | RecognisedBy::Login)) => {
            Aim::Buy { customer, package: None, difference: Difference::Wallet }
        }
        // A telephone is lent and shared: it suggests, and decides nothing.
        Some((_, RecognisedBy::Phone)) | None => Aim::Nobody { payer },
    };
    Ok(match settle::settle(app, tx, money, aim).await? {
        Settled::Counted(taken) => Arrived { outcome: Outcome::Counted, payment: taken.payment, item: None },
        Settled::Parked { payment, item } => Arrived { outcome: Outcome::Parked, payment, item: Some(item) },
        Settled::Known(payment) => Arrived { outcome: Outcome::Known, payment, item: None },
    })
}

/// Puts money into the inbox, once for each receipt.
pub(super) async fn park(
    app: &App,
    tx: &mut TenantTx,
    money: &Received,
    payer: &Payer,
    why: &str,
) -> Result<Settled, PaymentError> {
    let now = app.clock.now();
    let payment = PaymentId::generate(now, &*app.entropy);
    let new = store::NewPayment {
        id: payment,
        customer: None,
        package: None,
        invoice: None,
        method: money.method,
        gateway: money.gateway,
        receipt: &money.receipt,
        amount: money.amount,
    };
    if !store::claim(tx, &new, money.received_at).await? {
        let known = store::claimed(tx, money.method, money.gateway, &money.receipt).await?;
        return Ok(Settled::Known(known.expect("what is in the way of a claim is there")));
    }
    let account = money.method.account().expect("what is parked is money");
    let about = About { payment: Some(payment), method: Some(money.method.as_str()), ..About::default() };
    let entries = vec![Entry::debit(account, money.amount), Entry::credit(Account::Unmatched, money.amount)];
    ledger::record(app, tx, JournalKind::Unmatched, about, entries, now).await?;
    let suggestion = customers::recognise(tx, &payer.account, &payer.phone).await?;
    let item = UnmatchedId::generate(now, &*app.entropy);
    items::insert(tx, item, payment, payer, why, suggestion, now).await?;
    let details = json!({ "receipt": money.receipt, "amount": money.amount, "method": money.method, "why": why });
    tx.audit(now, "unmatched_payment.park", &item.to_string(), details).await?;
    Ok(Settled::Parked { payment, item })
}

/// Says whose money an item is: it buys the package, or goes into the wallet.
///
/// # Errors
/// When there is no such item or customer, or it was settled already.
pub async fn resolve(app: &App, tx: &mut TenantTx, id: UnmatchedId, whose: Match) -> Result<Taken, PaymentError> {
    let now = app.clock.now();
    let item = items::get(tx, id).await?.ok_or(PaymentError::NotFound("unmatched payment"))?;
    let customer = customers::lock(tx, whose.customer).await?;
    if customer.status == CustomerStatus::Terminated {
        return Err(CustomerError::Terminated.into());
    }
    if !items::resolve(tx, id, UnmatchedState::Matched, "", now).await? {
        return Err(settled(item.state));
    }
    let order = match whose.package {
        Some(other) if other != customer.package => packages::on_sale(tx, other).await?,
        Some(_) | None => packages::get(tx, customer.package).await?,
    };
    let money = Received {
        method: item.method,
        gateway: item.gateway,
        receipt: item.receipt,
        amount: item.amount,
        received_at: item.received_at,
    };
    let (package, missing) = settle::decide(tx, &customer, Some(order), Difference::Wallet, &money).await?;
    let bought = package.as_ref().map(|package| (package.id, package.version_id));
    if !store::assign(tx, item.payment, customer.id, bought).await? {
        return Err(settled(item.state));
    }
    let booked = Booked {
        payment: item.payment,
        package: package.as_ref(),
        missing,
        from: Account::Unmatched,
        kind: Some(JournalKind::Match),
    };
    let taken = settle::book(app, tx, &customer, &booked, &money).await?;
    tx.audit(now, "unmatched_payment.match", &id.to_string(), json!({ "customer": customer.id, "payment": item.payment }))
        .await?;
    Ok(taken)
}

/// Notes that an item's money was given back.
///
/// # Errors
/// When there is no such item, the note is missing, or it was settled already.
pub async fn refund(app: &App, tx: &mut TenantTx, id: UnmatchedId, refund: Refund) -> Result<(), PaymentError> {
    let now = app.clock.now();
    if rules::reason_fault(&refund.note).is_some() {
        return Err(PaymentError::Field { field: "note", message: "say how and to whom, in 1 to 200 characters" });
    }
    let item = items::get(tx, id).await?.ok_or(PaymentError::NotFound("unmatched payment"))?;
    let done = items::resolve(tx, id, UnmatchedState::Refunded, &refund.note, now).await?;
    if !done || !store::refund(tx, item.payment).await? {
        return Err(settled(item.state));
    }
    let account = item.method.account().expect("what is in the inbox is money");
    let about =
        About { payment: Some(item.payment), method: Some(item.method.as_str()), reason: &refund.note, ..About::default() };
    let entries = vec![Entry::debit(Account::Unmatched, item.amount), Entry::credit(account, item.amount)];
    ledger::record(app, tx, JournalKind::Refund, about, entries, now).await?;
    let details = json!({ "payment": item.payment, "amount": item.amount, "note": refund.note });
    tx.audit(now, "unmatched_payment.refund", &id.to_string(), details).await?;
    Ok(())
}

fn settled(state: UnmatchedState) -> PaymentError {
    PaymentError::Resolved(match state {
        // Somebody else was faster.
        UnmatchedState::Open => "settled by somebody else just now",
        UnmatchedState::Matched => PaymentState::Completed.as_str(),
        UnmatchedState::Refunded => PaymentState::Refunded.as_str(),
    })
}

/// Reads an item.
///
/// # Errors
/// When there is no such item.
pub async fn item(tx: &mut TenantTx, id: UnmatchedId) -> Result<UnmatchedView, PaymentError> {
    items::get(tx, id).await?.ok_or(PaymentError::NotFound("unmatched payment"))
}
