//! Cash, what became of it, and the books.

use super::client::{Answer, Call, Client, Noun, PageArgs, items};
use super::customers::CUSTOMER;
use super::packages::{PACKAGE, currency};
use super::routers::ROUTER;
use super::table::{fields, numbers, one_line, table, words};
use super::units::{Amount, moment, money, money_json, text, time};
use crate::serve::SystemEntropy;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use model::Entropy as _;
use serde_json::{Value, json};

/// A payment is called by its receipt.
const PAYMENT: Noun = Noun { prefix: "pay", word: "payment", list: &["payments"], name: "receipt", search: None };

/// Makes a money write repeatable.
#[derive(Debug, Args)]
pub(super) struct Key {
    /// The key that was printed when an answer was lost: what was done already is not done again
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl Key {
    /// Sends a money write with the key that was given, or a new one, which is told when it is not known whether the write was done.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub(super) async fn send(self, client: &Client, call: Call<'_>) -> anyhow::Result<Answer> {
        let key = self.key.unwrap_or_else(new_key);
        client.send(call.key(&key)).await.map_err(|error| {
            let doubt = error.leaves_doubt();
            let error = anyhow::Error::from(error);
            if doubt {
                error.context(format!(
                    "it is not known whether this was done. Run the same command again with --key {}: it is not done twice",
                    one_line(&key)
                ))
            } else {
                error
            }
        })
    }
}

fn new_key() -> String {
    let mut random = [0; 16];
    SystemEntropy.fill(&mut random);
    hex::encode(random)
}

/// Takes cash from a customer, who is online within a second if the router is
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mastwire-controller pay alice 1500\n  \
    mastwire-controller pay alice 3000 --package Home-20 --receipt A-0017\n  \
    mastwire-controller pay alice 1000 --wallet")]
pub(super) struct Pay {
    /// The customer's login or id
    customer: String,
    /// The package's price, such as 1500 or 1500.00; any sum with --wallet
    amount: Amount,
    /// Another package than the customer has
    #[arg(long)]
    package: Option<String>,
    /// The receipt's number; made when left out
    #[arg(long)]
    receipt: Option<String>,
    /// Put what is over into the customer's wallet, and take what is missing from it
    #[arg(long)]
    wallet: bool,
    #[command(flatten)]
    key: Key,
}

impl Pay {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let customer = client.id_of(&CUSTOMER, &self.customer).await?;
        let package = client.id_of_some(&PACKAGE, self.package.as_deref()).await?;
        let amount = self.amount.or(currency(client).await?);
        let difference = self.wallet.then_some("wallet");
        let body = json!({ "receipt": self.receipt, "amount": money_json(amount), "package": package, "difference": difference });
        let answer = self.key.send(client, Call::post(["customers", &customer, "payments"]).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            fields(&[
                ("taken", amount.to_string()),
                ("from", self.customer),
                ("receipt", text(value, "receipt")),
                ("paid from", time(value, "starts_at")),
                ("paid until", time(value, "ends_at")),
                ("missing", money(value, "missing")),
                ("in the wallet", money(value, "wallet")),
                ("payment", text(value, "payment")),
            ])
        }))
    }
}

/// Money that was taken
#[derive(Debug, Subcommand)]
pub(super) enum Payments {
    /// Lists the payments
    #[command(after_help = "Example:\n  mastwire-controller payment list --customer alice")]
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Only those of one customer
        #[arg(long)]
        customer: Option<String>,
    },
    /// Shows a payment and how long it took to bring the customer online
    #[command(after_help = "Example:\n  mastwire-controller payment show A-0017")]
    Show {
        /// The payment's receipt or id
        payment: String,
    },
    /// Takes a payment back: the time it paid for is voided
    #[command(after_help = "Example:\n  mastwire-controller payment reverse A-0017 --reason \"wrong customer\"")]
    Reverse {
        /// The payment's receipt or id
        payment: String,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        key: Key,
    },
    /// Lists the attempts to collect money through gateways
    #[command(after_help = "Example:\n  mastwire-controller payment attempts --state pending")]
    Attempts {
        #[command(flatten)]
        page: PageArgs,
        /// Only those that stand there
        #[arg(long, value_parser = ["pending", "completed", "failed", "expired", "cancelled"])]
        state: Option<String>,
    },
    /// Gives everybody on a router whose time was paid during an outage some hours more
    #[command(after_help = "Example:\n  \
        mastwire-controller payment compensate mast-1 --hours 5 --since 2027-01-31T08:00:00+03:00 --reason \"no power at the mast\"")]
    Compensate {
        /// The router's name or id
        router: String,
        /// How many hours, 1 to 72
        #[arg(long, value_name = "N")]
        hours: u16,
        /// When the outage began; now when left out
        #[arg(long, value_name = "TIME", value_parser = moment)]
        since: Option<Timestamp>,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        key: Key,
    },
}

impl Payments {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List { page, customer } => {
                let customer = client.id_of_some(&CUSTOMER, customer.as_deref()).await?;
                let columns = [
                    words("RECEIVED", |item| time(item, "received_at")),
                    words("RECEIPT", |item| text(item, "receipt")),
                    words("CUSTOMER", |item| text(item, "customer")),
                    words("METHOD", |item| text(item, "method")),
                    numbers("AMOUNT", |item| money(item, "amount")),
                    words("STATE", |item| text(item, "state")),
                    words("TAKEN BY", |item| text(item, "taken_by")),
                    words("ID", |item| text(item, "id")),
                ];
                client
                    .list(Call::get(PAYMENT.list).query("customer", customer), &page, &columns, &[("customer", &CUSTOMER)])
                    .await
            }
            Self::Show { payment } => {
                let id = client.id_of(&PAYMENT, &payment).await?;
                let answer = client.send(Call::get(["payments", &id])).await?;
                let answer = client.named(answer, &[("customer", &CUSTOMER), ("package", &PACKAGE)]).await;
                Ok(client.show(&answer, readable))
            }
            Self::Reverse { payment, reason, key } => {
                let id = client.id_of(&PAYMENT, &payment).await?;
                let answer =
                    key.send(client, Call::post(["payments", &id, "reverse"]).json(&json!({ "reason": reason }))).await?;
                Ok(client.show(&answer, |_| one_line(&format!("`{payment}` is reversed"))))
            }
            Self::Attempts { page, state } => {
                let columns = [
                    words("BEGAN", |item| time(item, "created_at")),
                    words("STATE", |item| text(item, "state")),
                    words("ENVIRONMENT", |item| text(item, "environment")),
                    words("PHONE", |item| text(item, "phone")),
                    numbers("AMOUNT", |item| money(item, "amount")),
                    words("CUSTOMER", |item| text(item, "customer")),
                    words("OUTCOME", |item| text(item, "outcome")),
                    words("ID", |item| text(item, "id")),
                ];
                let call = Call::get(["payment-attempts"]).query("state", state);
                client.list(call, &page, &columns, &[("customer", &CUSTOMER)]).await
            }
            Self::Compensate { router, hours, since, reason, key } => {
                let id = client.id_of(&ROUTER, &router).await?;
                let body = json!({ "hours": hours, "since": since, "reason": reason });
                let answer = key.send(client, Call::post(["routers", &id, "compensate"]).json(&body)).await?;
                Ok(client.show(&answer, |value| fields(&[("customers", text(value, "customers"))])))
            }
        }
    }
}

fn readable(item: &Value) -> String {
    let after = |field: &str| item[field].as_u64().map(|millis| format!("after {millis} ms")).unwrap_or_default();
    fields(&[
        ("receipt", text(item, "receipt")),
        ("amount", money(item, "amount")),
        ("method", text(item, "method")),
        ("state", text(item, "state")),
        ("customer", text(item, "customer")),
        ("package", text(item, "package")),
        ("taken by", text(item, "taken_by")),
        ("received", time(item, "received_at")),
        ("on the router", after("applied_ms")),
        ("online", after("online_ms")),
        ("paid from", time(item, "starts_at")),
        ("paid until", time(item, "ends_at")),
        ("reversed", time(item, "reversed_at")),
        ("because", text(item, "reversal_reason")),
        ("id", text(item, "id")),
    ])
}

/// The books
#[derive(Debug, Subcommand)]
pub(super) enum Ledger {
    /// Shows what stands in each account
    #[command(after_help = "Example:\n  mastwire-controller ledger balances")]
    Balances,
    /// Lists the journals, each with its entries
    #[command(after_help = "Example:\n  mastwire-controller ledger journals")]
    Journals(PageArgs),
}

impl Ledger {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Balances => {
                let answer = client.send(Call::get(["ledger", "balances"])).await?;
                let columns = [words("ACCOUNT", |item| text(item, "account")), numbers("BALANCE", |item| money(item, "balance"))];
                Ok(client.show(&answer, |value| table(&columns, items(value))))
            }
            Self::Journals(page) => {
                let columns = [
                    words("WHEN", |item| time(item, "at")),
                    words("KIND", |item| text(item, "kind")),
                    words("ENTRIES", |item| {
                        let entries = item["entries"].as_array().map_or(&[][..], Vec::as_slice);
                        let entry = |entry: &Value| format!("{} {}", text(entry, "account"), money(entry, "amount"));
                        entries.iter().map(entry).collect::<Vec<_>>().join(", ")
                    }),
                    words("PAYMENT", |item| text(item, "payment")),
                ];
                client.list(Call::get(["ledger", "journals"]), &page, &columns, &[]).await
            }
        }
    }
}
