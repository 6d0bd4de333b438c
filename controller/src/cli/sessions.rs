//! Who is online, who was, and what was used.

use super::client::{Call, Client, PageArgs, items};
use super::customers::CUSTOMER;
use super::routers::ROUTER;
use super::table::{Column, numbers, table, words};
use super::units::{moment, span, text, time, volume};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

/// Customers' stays on the internet
#[derive(Debug, Subcommand)]
pub(super) enum Sessions {
    /// Lists who is online, as last seen
    #[command(after_help = "Examples:\n  \
        mastwire-controller session list --router mast-1\n  \
        mastwire-controller session list --customer alice")]
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Lists sessions that have ended, and why
    #[command(after_help = "Example:\n  mastwire-controller session history --customer alice --from 2026-03-01")]
    History {
        #[command(flatten)]
        which: Which,
        /// Only those that ended at or after this time
        #[arg(long, value_parser = moment, value_name = "TIME")]
        from: Option<Timestamp>,
        /// Only those that began before this time
        #[arg(long, value_parser = moment, value_name = "TIME")]
        until: Option<Timestamp>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows what a customer used, day by day
    #[command(after_help = "Example:\n  mastwire-controller session usage alice --from 2026-03-01 --until 2026-03-31")]
    Usage {
        /// The customer's login or id
        customer: String,
        /// The first day; 30 days before the last when left out
        #[arg(long, value_name = "DAY")]
        from: Option<Date>,
        /// The last day; today when left out
        #[arg(long, value_name = "DAY")]
        until: Option<Date>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only on one router
    #[arg(long)]
    router: Option<String>,
    /// Only one customer's
    #[arg(long)]
    customer: Option<String>,
}

impl Which {
    async fn narrow<'a>(&self, client: &Client, call: Call<'a>) -> anyhow::Result<Call<'a>> {
        let router = client.id_of_some(&ROUTER, self.router.as_deref()).await?;
        let customer = client.id_of_some(&CUSTOMER, self.customer.as_deref()).await?;
        Ok(call.query("router", router).query("customer", customer))
    }
}

fn online(item: &Value) -> String {
    item["online_seconds"].as_u64().map(span).unwrap_or_default()
}

impl Sessions {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List { which, page } => {
                let columns: [Column; 9] = [
                    words("LOGIN", |item| text(item, "login")),
                    words("KIND", |item| text(item, "kind")),
                    words("ROUTER", |item| text(item, "router")),
                    words("ADDRESS", |item| text(item, "address")),
                    words("DEVICE", |item| text(item, "station")),
                    words("SINCE", |item| time(item, "started_at")),
                    words("SEEN", |item| time(item, "seen_at")),
                    numbers("DOWN", |item| volume(item, "download_bytes")),
                    numbers("UP", |item| volume(item, "upload_bytes")),
                ];
                let call = which.narrow(client, Call::get(["sessions"])).await?;
                client.list(call, &page, &columns, &[("router", &ROUTER)]).await
            }
            Self::History { which, from, until, page } => {
                let columns: [Column; 8] = [
                    words("LOGIN", |item| text(item, "login")),
                    words("ROUTER", |item| text(item, "router")),
                    words("BEGAN", |item| time(item, "started_at")),
                    words("ENDED", |item| time(item, "ended_at")),
                    numbers("ONLINE", online),
                    numbers("DOWN", |item| volume(item, "download_bytes")),
                    numbers("UP", |item| volume(item, "upload_bytes")),
                    words("WHY", |item| text(item, "cause_text")),
                ];
                let call = which.narrow(client, Call::get(["sessions", "history"])).await?;
                let call = call.query("from", from.map(|at| at.to_string())).query("until", until.map(|at| at.to_string()));
                client.list(call, &page, &columns, &[("router", &ROUTER)]).await
            }
            Self::Usage { customer, from, until } => {
                let id = client.id_of(&CUSTOMER, &customer).await?;
                let call = Call::get(["customers", &id, "usage"]);
                let call = call.query("from", from.map(|day| day.to_string())).query("until", until.map(|day| day.to_string()));
                Ok(client.show(&client.send(call).await?, used))
            }
        }
    }
}

fn used(value: &Value) -> String {
    let columns = [
        words("DAY", |item| text(item, "day")),
        numbers("ONLINE", online),
        numbers("DOWN", |item| volume(item, "download_bytes")),
        numbers("UP", |item| volume(item, "upload_bytes")),
    ];
    let mut days = value["days"].as_array().map_or(&[][..], Vec::as_slice).to_vec();
    let mut total = value["total"].clone();
    total["day"] = json!("together");
    days.push(total);
    table(&columns, items(&json!({ "items": days })))
}
