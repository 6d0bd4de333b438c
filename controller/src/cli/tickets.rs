//! Complaints and tasks.

use super::client::{Call, Client, Noun, PageArgs};
use super::customers::CUSTOMER;
use super::operators::OPERATOR;
use super::routers::ROUTER;
use super::sites::{DEVICE, SITE, site_id};
use super::table::{fields, numbers, words};
use super::units::{moment, text, time};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A ticket is called by its number.
pub(super) const TICKET: Noun = Noun { prefix: "tkt", word: "ticket", list: &["tickets"], name: "number", search: None };

const CATEGORIES: [&str; 6] = ["no_internet", "slow", "installation", "billing", "hardware", "other"];
const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];
const STATUSES: [&str; 5] = ["open", "in_progress", "waiting", "resolved", "closed"];

/// Complaints and tasks
#[derive(Debug, Subcommand)]
pub(super) enum Tickets {
    /// Opens a ticket
    #[command(after_help = "Examples:\n  \
        mastwire-controller ticket open 'No internet since the rain' --customer alice --category no_internet --priority high\n  \
        mastwire-controller ticket open 'New mast' --site 'North ridge' --category installation --assignee juma")]
    Open(Open),
    /// Lists tickets, the newest first
    #[command(
        after_help = "Examples:\n  mastwire-controller ticket list --status open\n  mastwire-controller ticket list --operator juma"
    )]
    List(List),
    /// Shows a ticket with what was said on it
    #[command(after_help = "Example:\n  mastwire-controller ticket show 118")]
    Show {
        /// Its number or id
        ticket: String,
    },
    /// Says something on a ticket, for ever
    #[command(after_help = "Example:\n  mastwire-controller ticket note 118 'The cable is cut at the gate' --to-customer")]
    Note {
        /// Its number or id
        ticket: String,
        /// What is said
        text: String,
        /// The customer may read it
        #[arg(long)]
        to_customer: bool,
    },
    /// Gives a ticket to somebody
    #[command(after_help = "Example:\n  mastwire-controller ticket assign 118 juma")]
    Assign {
        /// Its number or id
        ticket: String,
        /// Their login or id
        operator: String,
    },
    /// Says where a ticket stands, or how soon it should be done
    #[command(after_help = "Examples:\n  \
        mastwire-controller ticket change 118 --status in_progress\n  mastwire-controller ticket change 118 --priority urgent --due 2026-03-01")]
    Change {
        /// Its number or id
        ticket: String,
        /// Where it stands
        #[arg(long, value_parser = STATUSES)]
        status: Option<String>,
        /// How soon
        #[arg(long, value_parser = PRIORITIES)]
        priority: Option<String>,
        /// By when, such as 2026-03-01
        #[arg(long, value_parser = moment)]
        due: Option<Timestamp>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Open {
    /// In one line
    title: String,
    /// The rest
    #[arg(long, default_value = "")]
    body: String,
    /// What it is about
    #[arg(long, value_parser = CATEGORIES)]
    category: Option<String>,
    /// How soon
    #[arg(long, value_parser = PRIORITIES)]
    priority: Option<String>,
    /// About which customer
    #[arg(long)]
    customer: Option<String>,
    /// About which router
    #[arg(long)]
    router: Option<String>,
    /// About which site
    #[arg(long)]
    site: Option<String>,
    /// About which device
    #[arg(long)]
    device: Option<String>,
    /// A diagnosis that was run, by its id
    #[arg(long)]
    diagnosis: Option<String>,
    /// Who works on it
    #[arg(long)]
    assignee: Option<String>,
    /// By when, such as 2026-03-01
    #[arg(long, value_parser = moment)]
    due: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those that stand so
    #[arg(long, value_parser = STATUSES)]
    status: Option<String>,
    /// Only those of one operator
    #[arg(long)]
    operator: Option<String>,
    /// Only those about one customer
    #[arg(long)]
    customer: Option<String>,
    /// Only those about one router
    #[arg(long)]
    router: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

impl Open {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let site = match &self.site {
            Some(site) => Some(site_id(client, site).await?),
            None => None,
        };
        let body = json!({
            "title": self.title, "body": self.body, "category": self.category, "priority": self.priority, "diagnosis": self.diagnosis,
            "due_at": self.due,
            "customer": client.id_of_some(&CUSTOMER, self.customer.as_deref()).await?,
            "router": client.id_of_some(&ROUTER, self.router.as_deref()).await?,
            "site": site,
            "device": client.id_of_some(&DEVICE, self.device.as_deref()).await?,
            "assignee": client.id_of_some(&OPERATOR, self.assignee.as_deref()).await?,
        });
        let answer = client.send(Call::post(TICKET.list).json(&body)).await?;
        Ok(client.show(&answer, |value| fields(&[("ticket", text(value, "number")), ("id", text(value, "id"))])))
    }
}

impl List {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let columns = [
            numbers("TICKET", |item| text(item, "number")),
            words("STATUS", |item| text(item, "status")),
            words("PRIORITY", |item| text(item, "priority")),
            words("ABOUT", |item| text(item, "category")),
            words("TITLE", |item| text(item, "title")),
            words("CUSTOMER", |item| text(item, "customer")),
            words("ROUTER", |item| text(item, "router")),
            words("ASSIGNEE", |item| text(item, "assignee")),
            words("OPENED", |item| time(item, "opened_at")),
            words("DUE", |item| time(item, "due_at")),
        ];
        let call = Call::get(TICKET.list)
            .query("status", self.status)
            .query("operator", client.id_of_some(&OPERATOR, self.operator.as_deref()).await?)
            .query("customer", client.id_of_some(&CUSTOMER, self.customer.as_deref()).await?)
            .query("router", client.id_of_some(&ROUTER, self.router.as_deref()).await?);
        let named = [("customer", &CUSTOMER), ("router", &ROUTER), ("assignee", &OPERATOR)];
        client.list(call, &self.page, &columns, &named).await
    }
}

impl Tickets {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Open(open) => open.run(client).await,
            Self::List(list) => list.run(client).await,
            Self::Show { ticket } => show(client, &client.id_of(&TICKET, &ticket).await?).await,
            Self::Note { ticket, text, to_customer } => {
                let id = client.id_of(&TICKET, &ticket).await?;
                let call = Call::post(["tickets", &id, "notes"]).json(&json!({ "text": text, "to_customer": to_customer }));
                client.done(call, &format!("it stands on ticket {ticket}")).await
            }
            Self::Assign { ticket, operator } => {
                let id = client.id_of(&TICKET, &ticket).await?;
                let assignee = client.id_of(&OPERATOR, &operator).await?;
                let call = Call::patch(["tickets", &id]).json(&json!({ "assignee": assignee }));
                client.done(call, &format!("ticket {ticket} is {operator}'s")).await
            }
            Self::Change { ticket, status, priority, due } => {
                let id = client.id_of(&TICKET, &ticket).await?;
                let body = json!({ "status": status, "priority": priority, "due_at": due });
                client.done(Call::patch(["tickets", &id]).json(&body), &format!("ticket {ticket} is changed")).await
            }
        }
    }
}

async fn show(client: &Client, id: &str) -> anyhow::Result<String> {
    let answer = client.send(Call::get(["tickets", id])).await?;
    let named = [("customer", &CUSTOMER), ("router", &ROUTER), ("site", &SITE), ("device", &DEVICE), ("assignee", &OPERATOR)];
    let mut answer = client.named(answer, &named).await;
    let notes = client.send(Call::get(["tickets", id, "notes"]).query("limit", Some("200".to_owned()))).await?;
    answer.value["notes"] = notes.value["items"].clone();
    Ok(client.show(&answer, readable))
}

fn readable(item: &Value) -> String {
    let mut shown = fields(&[
        ("ticket", text(item, "number")),
        ("title", text(item, "title")),
        ("body", text(item, "body")),
        ("about", text(item, "category")),
        ("priority", text(item, "priority")),
        ("status", text(item, "status")),
        ("since", time(item, "status_since")),
        ("customer", text(item, "customer")),
        ("router", text(item, "router")),
        ("site", text(item, "site")),
        ("device", text(item, "device")),
        ("diagnosis", text(item, "diagnosis")),
        ("assignee", text(item, "assignee")),
        ("opened by", text(item, "opened_by")),
        ("opened", time(item, "opened_at")),
        ("due", time(item, "due_at")),
        ("id", text(item, "id")),
    ]);
    for note in item["notes"].as_array().into_iter().flatten().rev() {
        let who = if note["to_customer"] == true { "to the customer" } else { "among us" };
        shown.push('\n');
        shown.push_str(&fields(&[
            ("at", time(note, "at")),
            ("by", text(note, "author")),
            ("said", text(note, "text")),
            ("for", who.to_owned()),
        ]));
    }
    shown
}
