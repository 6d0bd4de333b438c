//! People who may become customers.

use super::client::{Call, Client, Noun, PageArgs, items};
use super::operators::OPERATOR;
use super::packages::PACKAGE;
use super::routers::ROUTER;
use super::sites::{SITE, site_id};
use super::table::{Column, fields, table, words};
use super::units::{text, time};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::{Value, json};

const LEAD: Noun = Noun { prefix: "led", word: "lead", list: &["leads"], name: "name", search: None };

const STAGES: [&str; 5] = ["new", "contacted", "survey", "won", "lost"];

/// People who may become customers
#[derive(Debug, Subcommand)]
pub(super) enum Leads {
    /// Notes somebody who may become a customer
    #[command(
        after_help = "Example:\n  mastwire-controller lead add 'Jane Wanjiku' --phone 0712345678 --source neighbour --follow-up 2026-01-20"
    )]
    Add(Add),
    /// Lists the leads, the newest first
    #[command(after_help = "Example:\n  mastwire-controller lead list --stage survey")]
    List {
        /// Only those that have come so far
        #[arg(long, value_parser = STAGES)]
        stage: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Lists whom to call, those who have waited longest first
    #[command(after_help = "Example:\n  mastwire-controller lead due --by 2026-01-20")]
    Due {
        /// By which day
        #[arg(long)]
        by: Date,
    },
    /// Shows a lead
    #[command(after_help = "Example:\n  mastwire-controller lead show 'Jane Wanjiku'")]
    Show {
        /// Their name or the lead's id
        lead: String,
    },
    /// Says how far a lead has come, or when to call again
    #[command(after_help = "Example:\n  mastwire-controller lead change 'Jane Wanjiku' --stage contacted --follow-up 2026-02-01")]
    Change(Change),
    /// Makes a customer of a lead
    #[command(
        after_help = "Example:\n  mastwire-controller lead convert 'Jane Wanjiku' --login jane --router mast-1 --package Home"
    )]
    Convert(Convert),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Their name
    name: String,
    /// Their telephone number
    #[arg(long)]
    phone: Option<String>,
    /// Where they came from
    #[arg(long, default_value = "")]
    source: String,
    /// When to call again, such as 2026-01-20
    #[arg(long, value_name = "DAY")]
    follow_up: Option<Date>,
    /// Where they want it
    #[arg(long)]
    site: Option<String>,
    /// Who calls
    #[arg(long)]
    assignee: Option<String>,
    /// What is good to know
    #[arg(long, default_value = "")]
    notes: String,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Their name or the lead's id
    lead: String,
    /// How far it has come; to win it, convert it
    #[arg(long, value_parser = STAGES)]
    stage: Option<String>,
    /// When to call again, such as 2026-01-20
    #[arg(long, value_name = "DAY")]
    follow_up: Option<Date>,
    /// Who calls
    #[arg(long)]
    assignee: Option<String>,
    /// Notes, instead of those that are there
    #[arg(long)]
    notes: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Convert {
    /// Their name or the lead's id
    lead: String,
    /// The name to dial or log in with
    #[arg(long)]
    login: String,
    /// The router that serves them
    #[arg(long)]
    router: String,
    /// The package
    #[arg(long)]
    package: String,
}

fn columns() -> [Column; 7] {
    [
        words("NAME", |item| text(item, "name")),
        words("PHONE", |item| text(item, "phone")),
        words("STAGE", |item| text(item, "stage")),
        words("CALL ON", |item| text(item, "follow_up_on")),
        words("FROM", |item| text(item, "source")),
        words("ASSIGNEE", |item| text(item, "assignee")),
        words("ID", |item| text(item, "id")),
    ]
}

fn readable(item: &Value) -> String {
    fields(&[
        ("name", text(item, "name")),
        ("phone", text(item, "phone")),
        ("stage", text(item, "stage")),
        ("call on", text(item, "follow_up_on")),
        ("from", text(item, "source")),
        ("site", text(item, "site")),
        ("assignee", text(item, "assignee")),
        ("notes", text(item, "notes")),
        ("customer", text(item, "customer")),
        ("noted", time(item, "created_at")),
        ("id", text(item, "id")),
    ])
}

impl Leads {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add(add) => {
                let site = match &add.site {
                    Some(site) => Some(site_id(client, site).await?),
                    None => None,
                };
                let body = json!({
                    "name": add.name, "phone": add.phone, "source": add.source, "follow_up_on": add.follow_up, "notes": add.notes,
                    "site": site, "assignee": client.id_of_some(&OPERATOR, add.assignee.as_deref()).await?,
                });
                let answer = client.send(Call::post(LEAD.list).json(&body)).await?;
                Ok(client.show(&answer, |value| fields(&[("lead", text(value, "id"))])))
            }
            Self::List { stage, page } => {
                client.list(Call::get(LEAD.list).query("stage", stage), &page, &columns(), &[("assignee", &OPERATOR)]).await
            }
            Self::Due { by } => {
                let answer = client.send(Call::get(["leads", "due"]).query("by", Some(by.to_string()))).await?;
                Ok(client.show(&answer, |value| table(&columns(), items(&json!({ "items": value })))))
            }
            Self::Show { lead } => {
                let id = client.id_of(&LEAD, &lead).await?;
                let answer = client.send(Call::get(["leads", &id])).await?;
                Ok(client.show(&client.named(answer, &[("site", &SITE), ("assignee", &OPERATOR)]).await, readable))
            }
            Self::Change(change) => {
                let id = client.id_of(&LEAD, &change.lead).await?;
                let body = json!({
                    "stage": change.stage, "follow_up_on": change.follow_up, "notes": change.notes,
                    "assignee": client.id_of_some(&OPERATOR, change.assignee.as_deref()).await?,
                });
                client.done(Call::patch(["leads", &id]).json(&body), &format!("lead `{}` is changed", change.lead)).await
            }
            Self::Convert(convert) => {
                let id = client.id_of(&LEAD, &convert.lead).await?;
                let lead = client.send(Call::get(["leads", &id])).await?.value;
                let body = json!({
                    "login": convert.login, "full_name": lead["name"], "phone": lead["phone"], "site": lead["site"],
                    "router": client.id_of(&ROUTER, &convert.router).await?, "package": client.id_of(&PACKAGE, &convert.package).await?,
                });
                let answer = client.send(Call::post(["leads", &id, "convert"]).json(&body)).await?;
                let shown =
                    |value: &Value| fields(&[("customer", text(value, "customer")), ("password", text(value, "password"))]);
                Ok(client.show(&answer, shown))
            }
        }
    }
}
