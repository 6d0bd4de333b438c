//! Customers' wallets.

use super::client::{Call, Client, PageArgs};
use super::customers::CUSTOMER;
use super::packages::{PACKAGE, currency};
use super::payments::Key;
use super::table::{fields, numbers, words};
use super::units::{Amount, money, money_json, text, time};
use clap::{ArgGroup, Args, Subcommand};
use model::Money;
use serde_json::{Value, json};

/// What customers put in and have not used
#[derive(Debug, Subcommand)]
pub(super) enum Wallets {
    /// Shows what a customer's wallet holds and what the customer owes
    #[command(after_help = "Example:\n  mastwire-controller wallet show alice")]
    Show {
        /// The customer's login or id
        customer: String,
    },
    /// Lists what went into a wallet and out of it
    #[command(after_help = "Example:\n  mastwire-controller wallet statement alice")]
    Statement {
        /// The customer's login or id
        customer: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Takes cash and puts it into the wallet
    #[command(after_help = "Example:\n  mastwire-controller wallet top-up alice 500 --receipt A-0018")]
    TopUp(TopUp),
    /// Pays a package out of the wallet
    #[command(after_help = "Examples:\n  \
        mastwire-controller wallet pay alice\n  \
        mastwire-controller wallet pay alice --package Home-20")]
    Pay {
        /// The customer's login or id
        customer: String,
        /// Another package than the customer has
        #[arg(long)]
        package: Option<String>,
        #[command(flatten)]
        key: Key,
    },
    /// Puts money into a wallet, or takes it out, by hand
    #[command(after_help = "Examples:\n  \
        mastwire-controller wallet adjust alice --put 100 --reason \"two days without power\"\n  \
        mastwire-controller wallet adjust alice --take 100 --reason \"typed twice\"")]
    Adjust(Adjust),
}

#[derive(Debug, Args)]
pub(super) struct TopUp {
    /// The customer's login or id
    customer: String,
    /// What was taken, such as 500 or 500.00
    amount: Amount,
    /// The receipt's number; made when left out
    #[arg(long)]
    receipt: Option<String>,
    #[command(flatten)]
    key: Key,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("way").required(true).args(["put", "take"]))]
pub(super) struct Adjust {
    /// The customer's login or id
    customer: String,
    /// How much to put in
    #[arg(long, value_name = "AMOUNT")]
    put: Option<Amount>,
    /// How much to take out
    #[arg(long, value_name = "AMOUNT")]
    take: Option<Amount>,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: Key,
}

fn taken(value: &Value) -> String {
    fields(&[
        ("receipt", text(value, "receipt")),
        ("paid from", time(value, "starts_at")),
        ("paid until", time(value, "ends_at")),
        ("in the wallet", money(value, "wallet")),
        ("missing", money(value, "missing")),
        ("payment", text(value, "payment")),
    ])
}

impl Wallets {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Show { customer } => {
                let id = client.id_of(&CUSTOMER, &customer).await?;
                let answer = client.send(Call::get(["customers", &id, "wallet"])).await?;
                Ok(client.show(&answer, |value| {
                    let owed = value["owed"].as_array().map_or(&[][..], Vec::as_slice);
                    let owed: Vec<String> = owed.iter().map(|sum| money(&json!({ "owed": sum }), "owed")).collect();
                    fields(&[("customer", customer), ("in the wallet", money(value, "balance")), ("owes", owed.join(", "))])
                }))
            }
            Self::Statement { customer, page } => {
                let id = client.id_of(&CUSTOMER, &customer).await?;
                let columns = [
                    numbers("NO", |item| text(item, "number")),
                    words("WHEN", |item| time(item, "at")),
                    words("WHAT", |item| text(item, "kind")),
                    numbers("AMOUNT", |item| money(item, "amount")),
                    numbers("BALANCE", |item| money(item, "balance")),
                    words("WHY", |item| text(item, "reason")),
                    words("PAYMENT", |item| text(item, "payment")),
                ];
                client.list(Call::get(["customers", &id, "wallet", "statement"]), &page, &columns, &[]).await
            }
            Self::TopUp(new) => {
                let id = client.id_of(&CUSTOMER, &new.customer).await?;
                let amount = new.amount.or(currency(client).await?);
                let body = json!({ "receipt": new.receipt, "amount": money_json(amount) });
                let answer = new.key.send(client, Call::post(["customers", &id, "wallet", "top-up"]).json(&body)).await?;
                Ok(client.show(&answer, taken))
            }
            Self::Pay { customer, package, key } => {
                let id = client.id_of(&CUSTOMER, &customer).await?;
                let package = client.id_of_some(&PACKAGE, package.as_deref()).await?;
                let body = json!({ "package": package });
                let answer = key.send(client, Call::post(["customers", &id, "wallet", "pay"]).json(&body)).await?;
                Ok(client.show(&answer, taken))
            }
            Self::Adjust(new) => {
                let id = client.id_of(&CUSTOMER, &new.customer).await?;
                let currency = currency(client).await?;
                let amount = match (new.put, new.take) {
                    (Some(put), _) => put.or(currency),
                    (None, take) => {
                        let take = take.expect("the group asks for one of the two").or(currency);
                        Money::new(-take.minor, take.currency)
                    }
                };
                let body = json!({ "amount": money_json(amount), "reason": new.reason });
                let answer = new.key.send(client, Call::post(["customers", &id, "wallet", "adjust"]).json(&body)).await?;
                Ok(client.show(&answer, |value| {
                    fields(&[("in the wallet", money(value, "balance")), ("journal", text(value, "journal"))])
                }))
            }
        }
    }
}
