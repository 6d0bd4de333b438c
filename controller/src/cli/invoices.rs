//! Bills to customers.

use super::client::{Call, Client, Noun, PageArgs};
use super::customers::CUSTOMER;
use super::gateways::GATEWAY;
use super::packages::{PACKAGE, currency};
use super::payments::Key;
use super::table::{fields, numbers, one_line, table, words};
use super::units::{Amount, money, money_json, text, time};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A bill is called by its number.
const INVOICE: Noun = Noun { prefix: "ivc", word: "invoice", list: &["invoices"], name: "number", search: None };

/// Bills to customers
#[derive(Debug, Subcommand)]
pub(super) enum Invoices {
    /// Lists the bills
    #[command(after_help = "Example:\n  mastwire-controller invoice list --state issued")]
    List {
        #[command(flatten)]
        page: PageArgs,
        #[command(flatten)]
        filter: Filter,
    },
    /// Shows a bill with its lines
    #[command(after_help = "Example:\n  mastwire-controller invoice show INV-2027-000001")]
    Show {
        /// The bill's number or id
        invoice: String,
    },
    /// Writes a bill, not yet issued
    #[command(after_help = "Example:\n  \
        mastwire-controller invoice make alice --due 2027-01-31 --package Home-10 --fee \"Installation=1000\" --discount \"Neighbour=200\" --tax VAT=16")]
    Make(Make),
    /// Issues a bill: it gets its number and is owed from then on
    #[command(after_help = "Example:\n  mastwire-controller invoice issue ivc_0123456789abcdef0123456789abcdef")]
    Issue {
        /// The draft's id
        invoice: String,
        #[command(flatten)]
        key: Key,
    },
    /// Counts money for a bill
    #[command(after_help = "Examples:\n  \
        mastwire-controller invoice pay INV-2027-000001 1500\n  \
        mastwire-controller invoice pay INV-2027-000001 500 --method wallet")]
    Pay(Pay),
    /// Takes a bill back; its number stays used
    #[command(after_help = "Example:\n  mastwire-controller invoice void INV-2027-000001 --reason \"wrong customer\"")]
    Void {
        /// The bill's number or id
        invoice: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Writes the bills into a file in CSV
    #[command(after_help = "Example:\n  mastwire-controller invoice export invoices.csv --state issued")]
    Export {
        /// The file to write; one that is there is replaced
        file: PathBuf,
        #[command(flatten)]
        filter: Filter,
    },
}

#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only those of one customer
    #[arg(long)]
    customer: Option<String>,
    /// Only those that stand there
    #[arg(long, value_parser = ["draft", "issued", "paid", "void"])]
    state: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Make {
    /// The customer's login or id
    customer: String,
    /// When it is to be paid, at the latest, such as 2027-01-31
    #[arg(long, value_name = "DATE")]
    due: Date,
    /// A package, once; several times for several
    #[arg(long, value_name = "PACKAGE")]
    package: Vec<String>,
    /// What else costs something, as TEXT=AMOUNT
    #[arg(long, value_name = "TEXT=AMOUNT", value_parser = named)]
    fee: Vec<(String, Amount)>,
    /// What is taken off, as TEXT=AMOUNT
    #[arg(long, value_name = "TEXT=AMOUNT", value_parser = named)]
    discount: Vec<(String, Amount)>,
    /// A tax on all that, as TEXT=PER CENT
    #[arg(long, value_name = "TEXT=PERCENT", value_parser = rate)]
    tax: Vec<(String, u16)>,
    /// What stands before the number; that of the settings when left out
    #[arg(long)]
    prefix: Option<String>,
    /// What else it says
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
pub(super) struct Pay {
    /// The bill's number or id
    invoice: String,
    /// How much, such as 1500 or 1500.00
    amount: Amount,
    /// How it came in
    #[arg(long, value_parser = ["cash", "bank", "mobile_money", "wallet"], default_value = "cash")]
    method: String,
    /// Through which of your gateways
    #[arg(long)]
    gateway: Option<String>,
    /// The receipt's number; made for cash and wallet when left out
    #[arg(long)]
    receipt: Option<String>,
    #[command(flatten)]
    key: Key,
}

fn named(text: &str) -> Result<(String, Amount), String> {
    let (name, amount) = text.rsplit_once('=').ok_or("write it as TEXT=AMOUNT, such as Installation=1000")?;
    Ok((name.to_owned(), amount.parse().map_err(|error: super::units::Malformed| error.to_string())?))
}

/// Reads `VAT=16` or `VAT=7.5` as hundredths of a per cent.
fn rate(text: &str) -> Result<(String, u16), String> {
    let wrong = "write it as TEXT=PERCENT, such as VAT=16 or VAT=7.5";
    let (name, percent) = text.rsplit_once('=').ok_or(wrong)?;
    let (whole, part) = percent.split_once('.').unwrap_or((percent, ""));
    if whole.is_empty() || part.len() > 2 || !(whole.bytes().chain(part.bytes())).all(|byte| byte.is_ascii_digit()) {
        return Err(wrong.to_owned());
    }
    Ok((name.to_owned(), format!("{whole}{part:0<2}").parse().map_err(|_| wrong)?))
}

fn readable(item: &Value) -> String {
    let mut shown = fields(&[
        ("number", text(item, "number")),
        ("state", text(item, "state")),
        ("customer", text(item, "customer")),
        ("name", text(item, "customer_name")),
        ("address", text(item, "customer_address")),
        ("total", money(item, "total")),
        ("tax in it", money(item, "tax")),
        ("paid", money(item, "paid")),
        ("due", text(item, "due_on")),
        ("issued", time(item, "issued_at")),
        ("void since", time(item, "voided_at")),
        ("because", text(item, "void_reason")),
        ("note", text(item, "note")),
        ("id", text(item, "id")),
    ]);
    let columns = [
        words("LINE", |line| text(line, "text")),
        words("KIND", |line| text(line, "kind")),
        numbers("QUANTITY", |line| text(line, "quantity")),
        numbers("EACH", |line| money(line, "unit")),
        numbers("AMOUNT", |line| money(line, "amount")),
    ];
    shown.push_str(&table(&columns, item["lines"].as_array().map_or(&[][..], Vec::as_slice)));
    shown
}

impl Filter {
    async fn add<'a>(&self, client: &Client, call: Call<'a>) -> anyhow::Result<Call<'a>> {
        let customer = client.id_of_some(&CUSTOMER, self.customer.as_deref()).await?;
        Ok(call.query("customer", customer).query("state", self.state.clone()))
    }
}

impl Invoices {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List { page, filter } => {
                let columns = [
                    words("NUMBER", |item| text(item, "number")),
                    words("STATE", |item| text(item, "state")),
                    words("CUSTOMER", |item| text(item, "customer")),
                    numbers("TOTAL", |item| money(item, "total")),
                    numbers("PAID", |item| money(item, "paid")),
                    words("DUE", |item| text(item, "due_on")),
                    words("ID", |item| text(item, "id")),
                ];
                let call = filter.add(client, Call::get(INVOICE.list)).await?;
                client.list(call, &page, &columns, &[("customer", &CUSTOMER)]).await
            }
            Self::Show { invoice } => {
                let id = client.id_of(&INVOICE, &invoice).await?;
                let answer = client.send(Call::get(["invoices", &id])).await?;
                let answer = client.named(answer, &[("customer", &CUSTOMER)]).await;
                Ok(client.show(&answer, readable))
            }
            Self::Make(new) => new.run(client).await,
            Self::Issue { invoice, key } => {
                let id = client.id_of(&INVOICE, &invoice).await?;
                let answer = key.send(client, Call::post(["invoices", &id, "issue"]).json(&json!({}))).await?;
                Ok(client.show(&answer, |value| fields(&[("number", text(value, "number")), ("total", money(value, "total"))])))
            }
            Self::Pay(pay) => pay.run(client).await,
            Self::Void { invoice, reason } => {
                let id = client.id_of(&INVOICE, &invoice).await?;
                let call = Call::post(["invoices", &id, "void"]).json(&json!({ "reason": reason }));
                client.done(call, &format!("`{invoice}` is void")).await
            }
            Self::Export { file, filter } => {
                let call = filter.add(client, Call::get(["invoices", "export"])).await?;
                let bytes = client.save(call, &file).await?;
                Ok(one_line(&format!("{} holds {bytes} bytes", file.display())) + "\n")
            }
        }
    }
}

impl Make {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let customer = client.id_of(&CUSTOMER, &self.customer).await?;
        let currency = currency(client).await?;
        let mut lines = Vec::new();
        for package in &self.package {
            lines.push(json!({ "kind": "package", "package": client.id_of(&PACKAGE, package).await? }));
        }
        let sums = self.fee.iter().map(|sum| ("fee", sum)).chain(self.discount.iter().map(|sum| ("discount", sum)));
        lines.extend(
            sums.map(|(kind, (text, amount))| json!({ "kind": kind, "text": text, "unit_minor": amount.or(currency).minor })),
        );
        lines.extend(self.tax.iter().map(|(text, rate)| json!({ "kind": "tax", "text": text, "rate_bp": rate })));
        let body = json!({ "customer": customer, "prefix": self.prefix, "due_on": self.due, "note": self.note, "lines": lines });
        let answer = client.send(Call::post(INVOICE.list).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            let id = text(value, "id");
            fields(&[("draft", id.clone()), ("issue it", format!("mastwire-controller invoice issue {id}"))])
        }))
    }
}

impl Pay {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&INVOICE, &self.invoice).await?;
        let gateway = client.id_of_some(&GATEWAY, self.gateway.as_deref()).await?;
        let amount = self.amount.or(currency(client).await?);
        let body = json!({ "method": self.method, "gateway": gateway, "receipt": self.receipt, "amount": money_json(amount) });
        let answer = self.key.send(client, Call::post(["invoices", &id, "payments"]).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            fields(&[
                ("taken", amount.to_string()),
                ("receipt", text(value, "receipt")),
                ("still open", money(value, "open")),
                ("payment", text(value, "payment")),
            ])
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_hundredths_of_a_per_cent() {
        assert_eq!(rate("VAT=16"), Ok(("VAT".to_owned(), 1_600)));
        assert_eq!(rate("Levy A=7.5"), Ok(("Levy A".to_owned(), 750)));
        for wrong in ["VAT", "VAT=", "VAT=1.234", "VAT=-1", "VAT=x"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        assert!(named("Installation=1000").is_ok() && named("Installation").is_err() && named("Installation=1.5").is_err());
    }
}
