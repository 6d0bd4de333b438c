//! What was away, and how routers fared.

use super::client::{Call, Client, PageArgs};
use super::customers::CUSTOMER;
use super::routers::ROUTER;
use super::table::{fields, numbers, words};
use super::units::{span, text, time};
use clap::Subcommand;
use serde_json::Value;

/// Times in which routers were silent or paying customers were away
#[derive(Debug, Subcommand)]
pub(super) enum Outages {
    /// Lists them, the newest first
    #[command(after_help = "Examples:\n  \
        mastwire-controller outage list --open\n  \
        mastwire-controller outage list --customer alice")]
    List {
        /// Only one router's and its customers'
        #[arg(long)]
        router: Option<String>,
        /// Only one customer's
        #[arg(long)]
        customer: Option<String>,
        /// Only those that go on
        #[arg(long)]
        open: bool,
        /// Only those of routers themselves
        #[arg(long)]
        of_routers: bool,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Says how a router fared in a month
    #[command(after_help = "Example:\n  mastwire-controller outage uptime mast-1 --month 2026-01")]
    Uptime {
        /// The router's name or id
        router: String,
        /// The month, such as 2026-01; this one when left out
        #[arg(long)]
        month: Option<String>,
    },
}

impl Outages {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List { router, customer, open, of_routers, page } => {
                let router = client.id_of_some(&ROUTER, router.as_deref()).await?;
                let customer = client.id_of_some(&CUSTOMER, customer.as_deref()).await?;
                let columns = [
                    words("ROUTER", |item| text(item, "router")),
                    words("CUSTOMER", |item| text(item, "customer")),
                    words("BEGAN", |item| time(item, "started_at")),
                    words("ENDED", |item| if item["ended_at"].is_null() { "goes on".to_owned() } else { time(item, "ended_at") }),
                    words("EXPLAINED", |item| text(item, "suppressed")),
                    numbers("EXPLAINS", |item| text(item, "explains")),
                    words("ID", |item| text(item, "id")),
                ];
                let call = Call::get(["outages"]).query("router", router).query("customer", customer);
                let call = call
                    .query("open", open.then(|| "true".to_owned()))
                    .query("of_routers", of_routers.then(|| "true".to_owned()));
                client.list(call, &page, &columns, &[("router", &ROUTER), ("customer", &CUSTOMER)]).await
            }
            Self::Uptime { router, month } => {
                let id = client.id_of(&ROUTER, &router).await?;
                let answer = client.send(Call::get(["routers", &id, "uptime"]).query("month", month)).await?;
                Ok(client.show(&answer, uptime))
            }
        }
    }
}

fn uptime(value: &Value) -> String {
    let length = |field: &str| value[field].as_u64().map(span).unwrap_or_default();
    let share = value["up_per_myriad"].as_u64().map(|share| format!("{}.{:02} %", share / 100, share % 100));
    fields(&[
        ("month", text(value, "month")),
        ("connected", share.unwrap_or_else(|| "nothing is known".to_owned())),
        ("for", length("up_seconds")),
        ("silent for", length("down_seconds")),
        ("not known for", length("unknown_seconds")),
        ("outages", text(value, "outages")),
    ])
}
