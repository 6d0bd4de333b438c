//! Vouchers: made in batches, printed, redeemed.

use super::client::{Call, Client, PageArgs, items};
use super::customers::CUSTOMER;
use super::packages::PACKAGE;
use super::payments::Key;
use super::routers::ROUTER;
use super::table::{fields, numbers, one_line, words};
use super::units::{moment, text, time};
use anyhow::Context as _;
use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Vouchers
#[derive(Debug, Subcommand)]
pub(super) enum Vouchers {
    /// Makes a batch and prints its codes, one a line
    #[command(after_help = "Examples:\n  \
        mastwire-controller voucher create --package Day --count 50 --expires 2027-01-01\n  \
        mastwire-controller voucher create --package Day --codes printed.txt --router mast-1")]
    Create(Create),
    /// Lists the batches
    #[command(after_help = "Example:\n  mastwire-controller voucher list")]
    List(PageArgs),
    /// Prints a batch's codes that are still good, one a line; the audit log says who did
    #[command(after_help = "Example:\n  mastwire-controller voucher print vba_0123456789abcdef0123456789abcdef")]
    Print {
        /// The batch's id
        batch: String,
    },
    /// Takes what is left of a batch out of use, such as one that was stolen
    #[command(after_help = "Example:\n  mastwire-controller voucher void vba_0123456789abcdef0123456789abcdef --reason stolen")]
    Void {
        /// The batch's id
        batch: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Redeems a code on a router
    #[command(after_help = "Examples:\n  \
        mastwire-controller voucher redeem K7PM-3XQ9 --router mast-1\n  \
        mastwire-controller voucher redeem K7PM-3XQ9 --router mast-1 --customer alice")]
    Redeem(Redeem),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).args(["count", "codes"]))]
pub(super) struct Create {
    /// What the vouchers buy
    #[arg(long)]
    package: String,
    /// How many codes to make, 1 to 10000
    #[arg(long, value_name = "N")]
    count: Option<u16>,
    /// A file with codes that are printed already, one a line
    #[arg(long, value_name = "FILE")]
    codes: Option<PathBuf>,
    /// How long the codes are, 8 to 10 characters
    #[arg(long, value_name = "N", requires = "count")]
    length: Option<u8>,
    /// The only router on which they are good
    #[arg(long)]
    router: Option<String>,
    /// Until when they can be redeemed, such as 2027-01-01
    #[arg(long, value_name = "TIME", value_parser = moment)]
    expires: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(super) struct Redeem {
    /// The code; case, spaces and dashes do not matter
    code: String,
    /// The router at which the customer is
    #[arg(long)]
    router: String,
    /// The customer who gets the time; a new hotspot customer named like the code when left out
    #[arg(long)]
    customer: Option<String>,
    /// The customer's device
    #[arg(long)]
    mac: Option<String>,
    #[command(flatten)]
    key: Key,
}

impl Vouchers {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Create(new) => new.run(client).await,
            Self::List(page) => {
                let columns = [
                    words("MADE", |item| time(item, "created_at")),
                    words("PACKAGE", |item| text(item, "package")),
                    words("ROUTER", |item| text(item, "router")),
                    numbers("CODES", |item| text(item, "size")),
                    numbers("LEFT", |item| text(item, "available")),
                    words("EXPIRES", |item| time(item, "expires_at")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(["voucher-batches"]), &page, &columns, &[("package", &PACKAGE), ("router", &ROUTER)]).await
            }
            Self::Print { batch } => {
                let answer = client.send(Call::get(["voucher-batches", &batch, "codes"])).await?;
                Ok(client.show(&answer, |value| {
                    let good = items(value).iter().filter(|item| item["state"] == "available");
                    good.map(|item| one_line(&text(item, "code")) + "\n").collect()
                }))
            }
            Self::Void { batch, reason } => {
                let call = Call::post(["voucher-batches", &batch, "void"]).json(&json!({ "reason": reason }));
                let answer = client.send(call).await?;
                Ok(client.show(&answer, |value| one_line(&format!("{} codes are void", value["voided"]))))
            }
            Self::Redeem(redeem) => redeem.run(client).await,
        }
    }
}

impl Create {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let package = client.id_of(&PACKAGE, &self.package).await?;
        let router = client.id_of_some(&ROUTER, self.router.as_deref()).await?;
        let printed = match &self.codes {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                Some(lines.map(str::to_owned).collect::<Vec<_>>())
            }
            None => None,
        };
        let body = json!({ "package": package, "count": self.count, "codes": printed, "length": self.length, "router": router,
                           "expires_at": self.expires });
        let answer = client.send(Call::post(["voucher-batches"]).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            let codes = value["codes"].as_array().map_or(&[][..], Vec::as_slice);
            codes.iter().filter_map(Value::as_str).map(|code| one_line(code) + "\n").collect()
        }))
    }
}

impl Redeem {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let router = client.id_of(&ROUTER, &self.router).await?;
        let customer = client.id_of_some(&CUSTOMER, self.customer.as_deref()).await?;
        let body = json!({ "code": self.code, "router": router, "customer": customer, "mac": self.mac });
        let answer = self.key.send(client, Call::post(["vouchers", "redeem"]).json(&body)).await?;
        let answer = client.named(answer, &[("customer", &CUSTOMER)]).await;
        Ok(client.show(&answer, |value| {
            fields(&[
                ("customer", text(value, "customer")),
                ("paid from", time(value, "starts_at")),
                ("paid until", time(value, "ends_at")),
                ("payment", text(value, "payment")),
            ])
        }))
    }
}
