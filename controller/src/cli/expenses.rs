//! What the ISP spends, and the accounts it stands in.

use super::client::{Call, Client, Noun, PageArgs, items};
use super::packages::currency;
use super::payments::Key;
use super::table::{fields, numbers, one_line, table, words};
use super::units::{Amount, money, money_json, text, time};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::{Value, json};
use std::path::PathBuf;

/// An account is called by its code.
const ACCOUNT: Noun = Noun { prefix: "acc", word: "account", list: &["accounts"], name: "code", search: None };

/// Where money stands in the books
#[derive(Debug, Subcommand)]
pub(super) enum Accounts {
    /// Lists the accounts
    #[command(after_help = "Example:\n  mastwire-controller account list")]
    List,
    /// Makes an account, such as one for a kind of expense
    #[command(after_help = "Example:\n  mastwire-controller account add office_rent \"Office rent\"")]
    Add {
        /// Its code, which stays: small letters, digits and _
        code: String,
        /// Its name for people
        name: String,
        /// What stands in it
        #[arg(long = "type", value_parser = ["expense", "asset", "equity"], default_value = "expense")]
        kind: String,
    },
    /// Gives an account another name
    #[command(after_help = "Example:\n  mastwire-controller account rename office_rent \"Rent of the office\"")]
    Rename {
        /// Its code or id
        account: String,
        /// The new name
        name: String,
    },
    /// Closes an account: nothing new is booked in it
    #[command(after_help = "Example:\n  mastwire-controller account close office_rent")]
    Close {
        /// Its code or id
        account: String,
    },
}

impl Accounts {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List => {
                let answer = client.send(Call::get(ACCOUNT.list)).await?;
                let columns = [
                    words("CODE", |item| text(item, "code")),
                    words("NAME", |item| text(item, "name")),
                    words("TYPE", |item| text(item, "type")),
                    words("OWN", |item| if item["system"] == true { String::new() } else { "yes".to_owned() }),
                    words("CLOSED", |item| time(item, "closed_at")),
                ];
                Ok(client.show(&answer, |value| table(&columns, items(value))))
            }
            Self::Add { code, name, kind } => {
                let body = json!({ "code": code, "name": name, "type": kind });
                client.done(Call::post(ACCOUNT.list).json(&body), &format!("account `{code}` is there")).await
            }
            Self::Rename { account, name } => {
                let id = client.id_of(&ACCOUNT, &account).await?;
                let call = Call::patch(["accounts", &id]).json(&json!({ "name": name }));
                client.done(call, &format!("account `{account}` is called `{name}`")).await
            }
            Self::Close { account } => {
                let id = client.id_of(&ACCOUNT, &account).await?;
                client.done(Call::post(["accounts", &id, "close"]), &format!("account `{account}` is closed")).await
            }
        }
    }
}

/// What the ISP spends
#[derive(Debug, Subcommand)]
pub(super) enum Expenses {
    /// Lists the expenses
    #[command(after_help = "Example:\n  mastwire-controller expense list --account office_rent")]
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Only those for one account
        #[arg(long)]
        account: Option<String>,
    },
    /// Notes an expense
    #[command(after_help = "Example:\n  \
        mastwire-controller expense add 800 --account expenses --vendor \"Power company\" --from bank --on 2027-01-10")]
    Add(Add),
    /// Takes an expense back
    #[command(
        after_help = "Example:\n  mastwire-controller expense reverse exp_0123456789abcdef0123456789abcdef --reason \"not ours\""
    )]
    Reverse {
        /// The expense's id
        expense: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Spent {
    /// How much, such as 800 or 800.00
    amount: Amount,
    /// What for: an account of type expense
    #[arg(long, default_value = "expenses")]
    account: String,
    /// Whom it goes to
    #[arg(long, default_value = "")]
    vendor: String,
    /// Where it comes from: an account of type asset
    #[arg(long = "from", value_name = "ACCOUNT", default_value = "cash")]
    paid_from: String,
    /// What else there is to say
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    #[command(flatten)]
    spent: Spent,
    /// The day; today when left out
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    #[command(flatten)]
    key: Key,
}

impl Spent {
    async fn body(&self, client: &Client) -> anyhow::Result<Value> {
        let amount = self.amount.or(currency(client).await?);
        Ok(json!({
            "amount": money_json(amount), "account": self.account, "vendor": self.vendor, "paid_from": self.paid_from, "note": self.note
        }))
    }
}

impl Expenses {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List { page, account } => {
                let columns = [
                    words("DAY", |item| text(item, "spent_on")),
                    words("ACCOUNT", |item| text(item, "account")),
                    words("VENDOR", |item| text(item, "vendor")),
                    numbers("AMOUNT", |item| money(item, "amount")),
                    words("FROM", |item| text(item, "paid_from")),
                    words("NOTE", |item| text(item, "note")),
                    words("REVERSED", |item| time(item, "reversed_at")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(["expenses"]).query("account", account), &page, &columns, &[]).await
            }
            Self::Add(new) => {
                let mut body = new.spent.body(client).await?;
                body["spent_on"] = json!(new.on);
                let answer = new.key.send(client, Call::post(["expenses"]).json(&body)).await?;
                Ok(client.show(&answer, |value| fields(&[("expense", text(value, "id"))])))
            }
            Self::Reverse { expense, reason } => {
                let call = Call::post(["expenses", &expense, "reverse"]).json(&json!({ "reason": reason }));
                client.done(call, "the expense is taken back").await
            }
        }
    }
}

/// What the ISP spends again and again
#[derive(Debug, Subcommand)]
pub(super) enum Recurring {
    /// Lists the expenses that repeat
    #[command(after_help = "Example:\n  mastwire-controller recurring-expense list")]
    List(PageArgs),
    /// Makes an expense that repeats; the 31st is the last day of a shorter month
    #[command(after_help = "Example:\n  \
        mastwire-controller recurring-expense add 10000 --vendor Landlord --unit month --first 2027-01-31")]
    Add(AddRecurring),
    /// Lets it rest; what falls due until it goes on is left out
    #[command(after_help = "Example:\n  mastwire-controller recurring-expense pause rex_0123456789abcdef0123456789abcdef")]
    Pause {
        /// Its id
        rule: String,
    },
    /// Lets it go on
    #[command(after_help = "Example:\n  mastwire-controller recurring-expense resume rex_0123456789abcdef0123456789abcdef")]
    Resume {
        /// Its id
        rule: String,
    },
    /// Ends it; what was spent by it stays
    #[command(after_help = "Example:\n  mastwire-controller recurring-expense end rex_0123456789abcdef0123456789abcdef")]
    End {
        /// Its id
        rule: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddRecurring {
    #[command(flatten)]
    spent: Spent,
    /// Every so many units
    #[arg(long, default_value_t = 1, value_name = "N")]
    every: u16,
    /// What the period is counted in
    #[arg(long, value_parser = ["day", "week", "month"])]
    unit: String,
    /// The first day
    #[arg(long, value_name = "DATE")]
    first: Date,
    /// The last day, if there is one
    #[arg(long, value_name = "DATE")]
    last: Option<Date>,
}

impl Recurring {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List(page) => {
                let columns = [
                    words("NEXT", |item| text(item, "next_due")),
                    words("EVERY", |item| format!("{} {}", text(item, "every"), text(item, "unit"))),
                    words("ACCOUNT", |item| text(item, "account")),
                    words("VENDOR", |item| text(item, "vendor")),
                    numbers("AMOUNT", |item| money(item, "amount")),
                    words("RESTS SINCE", |item| time(item, "paused_at")),
                    words("ENDED", |item| time(item, "ended_at")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(["recurring-expenses"]), &page, &columns, &[]).await
            }
            Self::Add(new) => {
                let mut body = new.spent.body(client).await?;
                for (field, value) in [
                    ("every", json!(new.every)),
                    ("unit", json!(new.unit)),
                    ("first_on", json!(new.first)),
                    ("last_on", json!(new.last)),
                ] {
                    body[field] = value;
                }
                let answer = client.send(Call::post(["recurring-expenses"]).json(&body)).await?;
                Ok(client.show(&answer, |value| fields(&[("recurring expense", text(value, "id"))])))
            }
            Self::Pause { rule } => client.done(Call::post(["recurring-expenses", &rule, "pause"]), "it rests").await,
            Self::Resume { rule } => client.done(Call::post(["recurring-expenses", &rule, "resume"]), "it goes on").await,
            Self::End { rule } => client.done(Call::delete(["recurring-expenses", &rule]), "it has ended").await,
        }
    }
}

/// Sums over the books
#[derive(Debug, Subcommand)]
pub(super) enum Reports {
    /// Sums the money of some days, by router and method
    #[command(after_help = "Examples:\n  \
        mastwire-controller report money --from 2027-01-01 --until 2027-01-31\n  \
        mastwire-controller report money --csv january.csv --from 2027-01-01 --until 2027-01-31")]
    Money {
        /// The first day; 30 days before the last when left out
        #[arg(long, value_name = "DATE")]
        from: Option<Date>,
        /// The last day; today when left out
        #[arg(long, value_name = "DATE")]
        until: Option<Date>,
        /// Write it into a file in CSV; one that is there is replaced
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
    },
}

impl Reports {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let Self::Money { from, until, csv } = self;
        let asked = |call: Call<'static>| {
            call.query("from", from.map(|day| day.to_string())).query("until", until.map(|day| day.to_string()))
        };
        if let Some(file) = csv {
            let bytes = client.save(asked(Call::get(["reports", "money", "export"])), &file).await?;
            return Ok(one_line(&format!("{} holds {bytes} bytes", file.display())) + "\n");
        }
        let answer = client.send(asked(Call::get(["reports", "money"]))).await?;
        let answer = client.named(answer, &[("router", &super::routers::ROUTER)]).await;
        let columns = [
            words("DAY", |item| text(item, "day")),
            words("ROUTER", |item| text(item, "router")),
            words("METHOD", |item| text(item, "method")),
            numbers("RECEIVED", |item| money(item, "received")),
            numbers("SOLD", |item| money(item, "sold")),
            numbers("INTO WALLETS", |item| money(item, "into_wallets")),
            numbers("PAYMENTS", |item| text(item, "payments")),
            numbers("REVERSALS", |item| text(item, "reversals")),
        ];
        Ok(client.show(&answer, |value| table(&columns, items(value))))
    }
}
