//! The one way in which money counts. Whatever tells of it (the desk, a callback, a sweep, a statement, an operator), the receipt is claimed by
//! one insert, and who comes second is told that it counted already.

use super::inbox::{self, Payer};
use super::rules::{self, Bought};
use super::{Method, PaymentError, Taken, store};
use crate::app::App;
use crate::customers::{self, Customer, CustomerError, CustomerStatus};
use crate::gateways::{self, Environment, Kind};
use crate::ledger::{self, About, Account, JournalKind};
use crate::messages::{self, Event, Variable};
use crate::packages::{self, PackageView};
use crate::tenants;
use db::TenantTx;
use jiff::Timestamp;
use model::{CustomerId, GatewayId, InvoiceId, Money, PackageId, PaymentId, UnmatchedId, VoucherId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// What to do when an amount is not the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Take nothing: at a desk it is a slip of the hand.
    Refuse,
    /// What is over goes into the customer's wallet, and what is missing comes from it; if that does not reach, all goes into it.
    Wallet,
}

/// Money that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// How.
    pub method: Method,
    /// Through which gateway; only bank and mobile money come through one.
    pub gateway: Option<GatewayId>,
    /// The provider's or the paper's number for it: 1 to 64 characters.
    pub receipt: String,
    /// How much.
    pub amount: Money,
    /// When.
    pub received_at: Timestamp,
}

/// What the money is for.
#[derive(Debug, Clone)]
pub enum Aim {
    /// A package, the customer's own when none is named.
    Buy {
        /// For whom.
        customer: CustomerId,
        /// Which.
        package: Option<PackageId>,
        /// What to do when the amount is not the price.
        difference: Difference,
    },
    /// The customer's wallet.
    Wallet {
        /// Whose.
        customer: CustomerId,
    },
    /// Nobody knows yet.
    Nobody {
        /// What is known of who paid.
        payer: Payer,
    },
}

/// What became of money.
#[derive(Debug)]
pub enum Settled {
    /// It was counted.
    Counted(Taken),
    /// It lies in the inbox.
    Parked {
        /// The payment.
        payment: PaymentId,
        /// The item of the inbox.
        item: UnmatchedId,
    },
    /// It was there already, as this payment.
    Known(PaymentId),
}

/// Counts money that came, once for each receipt of a gateway.
///
/// # Errors
/// When a field is wrong, the gateway is a sandbox or carries no money, or, at the desk, the amount is not the price.
pub async fn settle(app: &App, tx: &mut TenantTx, money: Received, aim: Aim) -> Result<Settled, PaymentError> {
    check(tx, &money).await?;
    let (customer, order, difference) = match aim {
        Aim::Nobody { payer } => {
            return inbox::park(app, tx, &money, &payer, "nobody has this account, login or telephone").await;
        }
        Aim::Wallet { customer } => (customers::lock(tx, customer).await?, None, Difference::Wallet),
        Aim::Buy { customer, package, difference } => {
            let customer = customers::lock(tx, customer).await?;
            let order = ordered(tx, &customer, package).await?;
            (customer, Some(order), difference)
        }
    };
    if customer.status == CustomerStatus::Terminated {
        if money.method == Method::Cash {
            return Err(CustomerError::Terminated.into());
        }
        return inbox::park(app, tx, &money, &Payer::default(), "the customer has left").await;
    }
    count(app, tx, &customer, order, difference, &money).await
}

/// Checks money before anything is read for it.
pub(super) async fn check(tx: &mut TenantTx, money: &Received) -> Result<(), PaymentError> {
    if let Some((field, message)) = rules::receipt_fault(&money.receipt) {
        return Err(PaymentError::Field { field, message });
    }
    if money.method != Method::Cash
        && let Some((field, message)) = rules::amount_fault(money.amount)
    {
        return Err(PaymentError::Field { field, message });
    }
    let Some(gateway) = money.gateway else { return Ok(()) };
    if !matches!(money.method, Method::Bank | Method::MobileMoney) {
        return Err(PaymentError::Field { field: "gateway", message: "only bank and mobile money come through a gateway" });
    }
    let gateway = gateways::get(tx, gateway).await?;
    if gateway.kind != Kind::Money {
        return Err(PaymentError::NoMoneyGateway);
    }
    match gateway.environment {
        Environment::Production => Ok(()),
        Environment::Sandbox => Err(PaymentError::Sandbox),
    }
}

/// Reads what a customer, who was locked by this transaction, orders.
async fn ordered(tx: &mut TenantTx, customer: &Customer, package: Option<PackageId>) -> Result<PackageView, PaymentError> {
    Ok(match package {
        Some(other) if other != customer.package => packages::on_sale(tx, other).await?,
        Some(_) | None => packages::get(tx, customer.package).await?,
    })
}

/// Decides what a sum buys: the package, or nothing, and then what is missing.
pub(super) async fn decide(
    tx: &mut TenantTx,
    customer: &Customer,
    order: Option<PackageView>,
    difference: Difference,
    money: &Received,
) -> Result<(Option<PackageView>, Option<Money>), PaymentError> {
    let Some(order) = order else {
        // At the desk another currency is a slip of the hand; a provider's has come, and stands in a wallet of its own.
        if money.method == Method::Cash && money.amount.currency != tenants::current(tx).await?.currency {
            return Err(PaymentError::Field { field: "amount", message: "give it in the currency that you sell in" });
        }
        return Ok((None, None));
    };
    if difference == Difference::Refuse || (money.method == Method::Cash && money.amount.currency != order.price.currency) {
        return if money.amount == order.price { Ok((Some(order), None)) } else { Err(PaymentError::Amount(order.price)) };
    }
    if money.method != Method::Cash {
        // What has come cannot be refused: if the package cannot be had, the money waits in the wallet.
        let sold = order.kind == customer.kind && packages::in_scope(tx, order.id, customer.router).await?;
        if !sold || money.amount.currency != order.price.currency {
            return Ok((None, None));
        }
    }
    if money.amount.minor < 0 {
        return Err(PaymentError::Field { field: "amount", message: "give 0 to 1000000000000 minor units" });
    }
    let held = ledger::wallet_balance(tx, customer.id, order.price.currency).await?;
    Ok(match rules::bought(money.amount.minor, held.minor, order.price.minor) {
        Bought::Package => (Some(order), None),
        Bought::Nothing { missing } => (None, Some(Money::new(missing, order.price.currency))),
    })
}

/// Counts money for a customer who was locked by this transaction.
pub(super) async fn count(
    app: &App,
    tx: &mut TenantTx,
    customer: &Customer,
    order: Option<PackageView>,
    difference: Difference,
    money: &Received,
) -> Result<Settled, PaymentError> {
    let (package, missing) = decide(tx, customer, order, difference, money).await?;
    let new = store::NewPayment {
        id: PaymentId::generate(app.clock.now(), &*app.entropy),
        customer: Some(customer.id),
        package: package.as_ref().map(|package| (package.id, package.version_id)),
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
    let from = money.method.account().expect("a compensation is not settled");
    let booked = Booked { payment: new.id, package: package.as_ref(), missing, from, kind: None };
    Ok(Settled::Counted(book(app, tx, customer, &booked, money).await?))
}

/// What is left to do for a payment whose receipt was claimed.
pub(super) struct Booked<'a> {
    pub(super) payment: PaymentId,
    pub(super) package: Option<&'a PackageView>,
    pub(super) missing: Option<Money>,
    /// The account that the money comes from.
    pub(super) from: Account,
    /// What the journal is, where it is neither a sale nor a top-up.
    pub(super) kind: Option<JournalKind>,
}

/// Books a claimed payment: ledger, entitlement and the router's generation, and the line in the audit log.
pub(super) async fn book(
    app: &App,
    tx: &mut TenantTx,
    customer: &Customer,
    booked: &Booked<'_>,
    money: &Received,
) -> Result<Taken, PaymentError> {
    let now = app.clock.now();
    let price = booked.package.map_or(Money::new(0, money.amount.currency), |package| package.price);
    let plain = if booked.package.is_some() { JournalKind::Sale } else { JournalKind::TopUp };
    let about = About {
        payment: Some(booked.payment),
        router: Some(customer.router),
        method: Some(money.method.as_str()),
        ..About::default()
    };
    let entries = ledger::sale(booked.from, customer.id, money.amount, price);
    ledger::record(app, tx, booked.kind.unwrap_or(plain), about, entries, now).await?;
    let granted = match booked.package {
        Some(package) => Some(customers::grant(app, tx, customer, package, booked.payment, now).await?),
        None => None,
    };
    let details = json!({
        "customer": customer.id, "method": money.method, "receipt": money.receipt, "amount": money.amount,
        "package": booked.package.map(|package| package.id), "until": granted.map(|granted| granted.ends_at)
    });
    tx.audit(now, "payment.take", &booked.payment.to_string(), details).await?;
    let wallet = ledger::wallet_balance(tx, customer.id, money.amount.currency).await?;
    let more = [
        (Variable::Amount, money.amount.to_string()),
        (Variable::Receipt, money.receipt.clone()),
        (Variable::Wallet, wallet.to_string()),
    ];
    messages::on_event(app, tx, Event::PaymentReceived, customer.id, booked.payment.uuid(), &more).await?;
    Ok(Taken {
        payment: booked.payment,
        receipt: money.receipt.clone(),
        starts_at: granted.map(|granted| granted.starts_at),
        ends_at: granted.map(|granted| granted.ends_at),
        generation: granted.map(|granted| granted.generation),
        wallet,
        missing: booked.missing,
    })
}

/// Settles what a person hands over: a receipt that was booked already is the proof of another payment.
pub(super) async fn at_the_desk(app: &App, tx: &mut TenantTx, money: Received, aim: Aim) -> Result<Taken, PaymentError> {
    let receipt = money.receipt.clone();
    match settle(app, tx, money, aim).await? {
        Settled::Counted(taken) => Ok(taken),
        Settled::Known(_) => Err(PaymentError::ReceiptTaken(receipt)),
        Settled::Parked { .. } => unreachable!("cash is handed over for somebody who is there"),
    }
}

/// Pays a package out of the wallet.
pub(super) async fn from_wallet(
    app: &App,
    tx: &mut TenantTx,
    customer: CustomerId,
    package: Option<PackageId>,
    now: Timestamp,
) -> Result<Taken, PaymentError> {
    let customer = customers::lock(tx, customer).await?;
    if customer.status == CustomerStatus::Terminated {
        return Err(CustomerError::Terminated.into());
    }
    let order = ordered(tx, &customer, package).await?;
    let has = ledger::wallet_balance(tx, customer.id, order.price.currency).await?;
    if has.minor < order.price.minor {
        return Err(PaymentError::Short { price: order.price, has });
    }
    let receipt = rules::new_receipt('W', &*app.entropy);
    let money = Received { method: Method::Wallet, gateway: None, receipt, amount: order.price, received_at: now };
    claimed_once(app, tx, &customer, order, money).await
}

/// Counts a voucher.
pub(super) async fn voucher(
    app: &App,
    tx: &mut TenantTx,
    customer: CustomerId,
    package: &PackageView,
    voucher: VoucherId,
    now: Timestamp,
) -> Result<Taken, PaymentError> {
    let customer = customers::lock(tx, customer).await?;
    if customer.status == CustomerStatus::Terminated {
        return Err(CustomerError::Terminated.into());
    }
    let receipt = voucher.to_string();
    let money = Received { method: Method::Voucher, gateway: None, receipt, amount: package.price, received_at: now };
    claimed_once(app, tx, &customer, package.clone(), money).await
}

async fn claimed_once(
    app: &App,
    tx: &mut TenantTx,
    customer: &Customer,
    order: PackageView,
    money: Received,
) -> Result<Taken, PaymentError> {
    match count(app, tx, customer, Some(order), Difference::Refuse, &money).await? {
        Settled::Counted(taken) => Ok(taken),
        Settled::Known(_) | Settled::Parked { .. } => Err(PaymentError::ReceiptTaken(money.receipt)),
    }
}

/// Claims a receipt for a bill; the money is booked by the caller. Says which payment has it already when it was there.
pub(super) async fn claim_for_invoice(
    app: &App,
    tx: &mut TenantTx,
    customer: CustomerId,
    invoice: InvoiceId,
    money: &Received,
) -> Result<PaymentId, PaymentError> {
    check(tx, money).await?;
    let id = PaymentId::generate(app.clock.now(), &*app.entropy);
    let new = store::NewPayment {
        id,
        customer: Some(customer),
        package: None,
        invoice: Some(invoice),
        method: money.method,
        gateway: money.gateway,
        receipt: &money.receipt,
        amount: money.amount,
    };
    if store::claim(tx, &new, money.received_at).await? { Ok(id) } else { Err(PaymentError::ReceiptTaken(money.receipt.clone())) }
}
