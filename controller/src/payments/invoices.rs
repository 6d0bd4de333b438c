//! Bills are paid here, as all money is counted here.

use super::settle::{self, Received};
use super::{Method, PaymentError, rules};
use crate::app::App;
use crate::customers;
use crate::invoices;
use crate::ledger::{self, About, Account, Entry, JournalKind};
use db::TenantTx;
use jiff::Timestamp;
use model::{GatewayId, InvoiceId, Money, PaymentId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Money for a bill.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvoicePayment {
    /// `cash`, `bank`, `mobile_money`, or `wallet` for what the customer has put in before.
    pub method: Method,
    /// Through which gateway, of bank and mobile money.
    pub gateway: Option<GatewayId>,
    /// The number on the paper or the provider's, 1 to 64 characters; made for cash and wallet when left out.
    pub receipt: Option<String>,
    /// How much, at most what is open.
    pub amount: Money,
}

/// A bill, or a part of it, that was paid.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoicePaid {
    /// The payment.
    pub payment: PaymentId,
    /// The receipt's number.
    pub receipt: String,
    /// What is still open.
    pub open: Money,
}

/// Counts money for a bill.
///
/// # Errors
/// When there is no such bill, it is not issued, the amount is more than is open, the receipt was booked already, or the wallet does not hold
/// it.
pub async fn pay_invoice(
    app: &App,
    tx: &mut TenantTx,
    id: InvoiceId,
    new: NewInvoicePayment,
    now: Timestamp,
) -> Result<InvoicePaid, PaymentError> {
    if let Some((field, message)) = rules::amount_fault(new.amount) {
        return Err(PaymentError::Field { field, message });
    }
    let from = match new.method {
        Method::Cash => Account::Cash,
        Method::Bank => Account::Bank,
        Method::MobileMoney => Account::MobileMoney,
        Method::Wallet => Account::Wallets,
        Method::Voucher | Method::Compensation => {
            return Err(PaymentError::Field { field: "method", message: "a bill is paid by cash, bank, mobile_money or wallet" });
        }
    };
    let receipt = match (new.receipt, new.method) {
        (Some(receipt), _) => receipt,
        (None, Method::Bank | Method::MobileMoney) => {
            return Err(PaymentError::Field { field: "receipt", message: "give the provider's number for it" });
        }
        (None, _) => rules::new_receipt(if new.method == Method::Wallet { 'W' } else { 'C' }, &*app.entropy),
    };
    // The customer's row comes first, as wherever money is counted.
    let owner = invoices::owner(tx, id).await?;
    let customer = customers::lock(tx, owner).await?;
    let open = invoices::allocate(tx, id, new.amount).await?;
    let money = Received { method: new.method, gateway: new.gateway, receipt, amount: new.amount, received_at: now };
    let payment = settle::claim_for_invoice(app, tx, customer.id, id, &money).await?;
    let about = About {
        payment: Some(payment),
        invoice: Some(id),
        router: Some(customer.router),
        method: Some(new.method.as_str()),
        ..About::default()
    };
    let received = Entry::debit(from, new.amount);
    let received = if from == Account::Wallets { received.of(customer.id) } else { received };
    let entries = vec![received, Entry::credit(Account::Receivables, new.amount).of(customer.id)];
    ledger::record(app, tx, JournalKind::InvoicePayment, about, entries, now).await?;
    let details =
        json!({ "customer": customer.id, "invoice": id, "method": new.method, "amount": new.amount, "receipt": money.receipt });
    tx.audit(now, "payment.take", &payment.to_string(), details).await?;
    Ok(InvoicePaid { payment, receipt: money.receipt, open })
}
