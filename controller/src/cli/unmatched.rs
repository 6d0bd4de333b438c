//! Money that came and fits nobody yet, and statements of the bank and of mobile money.

use super::client::{Call, Client, Noun, PageArgs};
use super::customers::CUSTOMER;
use super::gateways::GATEWAY;
use super::packages::{PACKAGE, currency};
use super::payments::Key;
use super::table::{fields, numbers, one_line, table, words};
use super::units::{Amount, moment, money, money_json, text, time};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;

/// An item is called by its receipt.
const ITEM: Noun =
    Noun { prefix: "unm", word: "unmatched payment", list: &["unmatched-payments"], name: "receipt", search: None };

/// Money whose owner is not known
#[derive(Debug, Subcommand)]
pub(super) enum Unmatched {
    /// Lists the money that fits nobody
    #[command(after_help = "Example:\n  mastwire-controller unmatched list")]
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Settled ones too
        #[arg(long)]
        all: bool,
    },
    /// Shows an item and who it may be
    #[command(after_help = "Example:\n  mastwire-controller unmatched show SFC1K2L3M4")]
    Show {
        /// The item's receipt or id
        item: String,
    },
    /// Books money from a statement, for the customer whose account number or login was typed
    #[command(
        after_help = "Example:\n  mastwire-controller unmatched add SFC1K2L3M4 1500 --method mobile_money --account 12345674"
    )]
    Add(Add),
    /// Books a statement in CSV with the columns receipt and amount, and date, account, phone and name
    #[command(after_help = "Example:\n  mastwire-controller unmatched import january.csv --method bank --dry-run")]
    Import(Import),
    /// Says whose money it is
    #[command(after_help = "Example:\n  mastwire-controller unmatched match SFC1K2L3M4 --customer alice")]
    Match {
        /// The item's receipt or id
        item: String,
        /// Whose it is
        #[arg(long)]
        customer: String,
        /// What it buys; the customer's own package when left out
        #[arg(long)]
        package: Option<String>,
        #[command(flatten)]
        key: Key,
    },
    /// Notes that the money was given back
    #[command(after_help = "Example:\n  mastwire-controller unmatched refund SFC1K2L3M4 --note \"sent back to 0712 345 678\"")]
    Refund {
        /// The item's receipt or id
        item: String,
        /// How and to whom
        #[arg(long)]
        note: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The provider's number for it
    receipt: String,
    /// How much, such as 1500 or 1500.00
    amount: Amount,
    /// How it came
    #[arg(long, value_parser = ["bank", "mobile_money"])]
    method: String,
    /// Through which of your gateways
    #[arg(long)]
    gateway: Option<String>,
    /// What the payer typed as account
    #[arg(long, default_value = "")]
    account: String,
    /// The payer's telephone
    #[arg(long, default_value = "")]
    phone: String,
    /// The payer's name
    #[arg(long, default_value = "")]
    name: String,
    /// When it came, such as 2027-01-31
    #[arg(long, value_name = "TIME", value_parser = moment)]
    received: Option<Timestamp>,
    #[command(flatten)]
    key: Key,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file
    file: PathBuf,
    /// How the money came
    #[arg(long, value_parser = ["bank", "mobile_money"], default_value = "bank")]
    method: String,
    /// Through which of your gateways
    #[arg(long)]
    gateway: Option<String>,
    /// Only look
    #[arg(long)]
    dry_run: bool,
}

fn readable(item: &Value) -> String {
    fields(&[
        ("receipt", text(item, "receipt")),
        ("amount", money(item, "amount")),
        ("method", text(item, "method")),
        ("account", text(item, "account")),
        ("phone", text(item, "phone")),
        ("payer", text(item, "payer")),
        ("came", time(item, "received_at")),
        ("why", text(item, "why")),
        ("may be", text(item, "suggested")),
        ("by", text(item, "suggested_by")),
        ("state", text(item, "state")),
        ("settled", time(item, "resolved_at")),
        ("settled by", text(item, "resolved_by")),
        ("note", text(item, "note")),
        ("payment", text(item, "payment")),
        ("id", text(item, "id")),
    ])
}

impl Unmatched {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List { page, all } => {
                let columns = [
                    words("CAME", |item| time(item, "received_at")),
                    words("RECEIPT", |item| text(item, "receipt")),
                    numbers("AMOUNT", |item| money(item, "amount")),
                    words("ACCOUNT", |item| text(item, "account")),
                    words("PHONE", |item| text(item, "phone")),
                    words("MAY BE", |item| text(item, "suggested")),
                    words("STATE", |item| text(item, "state")),
                    words("ID", |item| text(item, "id")),
                ];
                let state = (!all).then(|| "open".to_owned());
                client.list(Call::get(ITEM.list).query("state", state), &page, &columns, &[("suggested", &CUSTOMER)]).await
            }
            Self::Show { item } => {
                let id = client.id_of(&ITEM, &item).await?;
                let answer = client.send(Call::get(["unmatched-payments", &id])).await?;
                let answer = client.named(answer, &[("suggested", &CUSTOMER)]).await;
                Ok(client.show(&answer, readable))
            }
            Self::Add(new) => new.run(client).await,
            Self::Import(import) => import.run(client).await,
            Self::Match { item, customer, package, key } => {
                let id = client.id_of(&ITEM, &item).await?;
                let customer = client.id_of(&CUSTOMER, &customer).await?;
                let package = client.id_of_some(&PACKAGE, package.as_deref()).await?;
                let body = json!({ "customer": customer, "package": package });
                let answer = key.send(client, Call::post(["unmatched-payments", &id, "match"]).json(&body)).await?;
                Ok(client.show(&answer, |value| {
                    fields(&[
                        ("paid until", time(value, "ends_at")),
                        ("in the wallet", money(value, "wallet")),
                        ("missing", money(value, "missing")),
                        ("payment", text(value, "payment")),
                    ])
                }))
            }
            Self::Refund { item, note } => {
                let id = client.id_of(&ITEM, &item).await?;
                let call = Call::post(["unmatched-payments", &id, "refund"]).json(&json!({ "note": note }));
                client.done(call, &format!("`{item}` is noted as given back")).await
            }
        }
    }
}

impl Add {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let gateway = client.id_of_some(&GATEWAY, self.gateway.as_deref()).await?;
        let amount = self.amount.or(currency(client).await?);
        let body = json!({
            "method": self.method, "gateway": gateway, "receipt": self.receipt, "amount": money_json(amount), "account": self.account,
            "phone": self.phone, "name": self.name, "received_at": self.received
        });
        let answer = self.key.send(client, Call::post(ITEM.list).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            fields(&[("outcome", text(value, "outcome")), ("payment", text(value, "payment")), ("item", text(value, "item"))])
        }))
    }
}

impl Import {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let file = std::fs::read(&self.file).with_context(|| format!("{} cannot be read", self.file.display()))?;
        let gateway = client.id_of_some(&GATEWAY, self.gateway.as_deref()).await?;
        let call = Call::post(["statements"])
            .query("dry_run", Some(self.dry_run.to_string()))
            .query("method", Some(self.method))
            .query("gateway", gateway)
            .csv(file);
        let answer = client.send(call).await?;
        Ok(client.show(&answer, |value| {
            let mut shown = fields(&[
                ("counted", text(value, "counted")),
                ("parked", text(value, "parked")),
                ("known", text(value, "known")),
                ("wrong", text(value, "errors")),
            ]);
            let faults = value["faults"].as_array().map_or(&[][..], Vec::as_slice);
            if !faults.is_empty() {
                let columns = [numbers("LINE", |item| text(item, "line")), words("WHAT IS WRONG", |item| text(item, "message"))];
                shown.push_str(&table(&columns, faults));
            }
            if self.dry_run {
                shown.push_str(&(one_line("nothing was booked: it was a dry run") + "\n"));
            }
            shown
        }))
    }
}
