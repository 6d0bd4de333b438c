//! Messages to customers.

use super::client::{Call, Client, Noun, PageArgs};
use super::customers::CUSTOMER;
use super::gateways::GATEWAY;
use super::table::{fields, numbers, words};
use super::templates::TEMPLATE;
use super::units::{text, time};
use clap::Subcommand;
use serde_json::{Value, json};

/// A message is called by its id alone.
const MESSAGE: Noun = Noun { prefix: "msg", word: "message", list: &["messages"], name: "id", search: None };

/// Messages to customers
#[derive(Debug, Subcommand)]
pub(super) enum Messages {
    /// Writes to a customer
    #[command(after_help = "Examples:\n  \
        mastwire-controller message send alice \"Your new antenna is here\"\n  mastwire-controller message send alice --template \"Antenna is here\"")]
    Send {
        /// The customer's login or id
        customer: String,
        /// The text
        #[arg(required_unless_present = "template", conflicts_with = "template")]
        text: Option<String>,
        /// A template for messages by hand instead
        #[arg(long)]
        template: Option<String>,
        /// By what it travels
        #[arg(long, value_parser = ["sms", "whatsapp"], conflicts_with = "template")]
        channel: Option<String>,
    },
    /// Lists what was written, the newest first
    #[command(
        after_help = "Examples:\n  mastwire-controller message list --state unknown\n  mastwire-controller message list --customer alice"
    )]
    List {
        /// Only those that stand so
        #[arg(long, value_parser = ["queued", "sending", "sent", "failed", "unknown", "cancelled"])]
        state: Option<String>,
        /// Only those to one customer
        #[arg(long)]
        customer: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows a message and what became of it
    #[command(after_help = "Example:\n  mastwire-controller message show msg_0190163d8694739b8fd74dd02ebd3dc4")]
    Show {
        /// The message's id
        message: String,
    },
    /// Stops a message that still waits
    #[command(after_help = "Example:\n  mastwire-controller message cancel msg_0190163d8694739b8fd74dd02ebd3dc4")]
    Cancel {
        /// The message's id
        message: String,
    },
}

impl Messages {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Send { customer, text: written, template, channel } => {
                let body = json!({
                    "customer": client.id_of(&CUSTOMER, &customer).await?, "text": written, "channel": channel,
                    "template": client.id_of_some(&TEMPLATE, template.as_deref()).await?,
                });
                let answer = client.send(Call::post(MESSAGE.list).json(&body)).await?;
                Ok(client.show(&answer, |value| fields(&[("message", text(value, "id"))])))
            }
            Self::List { state, customer, page } => {
                let columns = [
                    words("WRITTEN", |item| time(item, "at")),
                    words("STATE", state_of),
                    words("CUSTOMER", |item| text(item, "customer")),
                    words("TO", |item| text(item, "recipient")),
                    numbers("SEGMENTS", |item| text(item, "segments")),
                    words("TEXT", |item| text(item, "text").chars().take(40).collect()),
                    words("WHY", |item| text(item, "reason")),
                    words("ID", |item| text(item, "id")),
                ];
                let customer = client.id_of_some(&CUSTOMER, customer.as_deref()).await?;
                let call = Call::get(MESSAGE.list).query("state", state).query("customer", customer);
                client.list(call, &page, &columns, &[("customer", &CUSTOMER)]).await
            }
            Self::Show { message } => {
                let id = client.id_of(&MESSAGE, &message).await?;
                let answer = client.send(Call::get(["messages", &id])).await?;
                let named = [("customer", &CUSTOMER), ("gateway", &GATEWAY), ("template", &TEMPLATE)];
                Ok(client.show(&client.named(answer, &named).await, readable))
            }
            Self::Cancel { message } => {
                let id = client.id_of(&MESSAGE, &message).await?;
                client.done(Call::post(["messages", &id, "cancel"]), "the message will not be sent").await
            }
        }
    }
}

/// What became of it: what the gateway reports, or else what we know.
fn state_of(item: &Value) -> String {
    text(item, if item["delivery"].is_null() { "state" } else { "delivery" })
}

fn cost_of(item: &Value) -> String {
    let Some(micros) = item["cost_micros"].as_i64() else { return String::new() };
    format!("{} {}.{:06}", text(item, "cost_currency"), micros / 1_000_000, micros % 1_000_000)
}

fn readable(item: &Value) -> String {
    fields(&[
        ("state", text(item, "state")),
        ("why", text(item, "reason")),
        ("customer", text(item, "customer")),
        ("to", text(item, "recipient")),
        ("channel", text(item, "channel")),
        ("text", text(item, "text")),
        ("segments", text(item, "segments")),
        ("written", time(item, "at")),
        ("by", text(item, "author")),
        ("rule", text(item, "rule")),
        ("template", text(item, "template")),
        ("its version", text(item, "template_version")),
        ("not before", time(item, "not_before")),
        ("not after", time(item, "not_after")),
        ("gateway", text(item, "gateway")),
        ("rounds", text(item, "attempts")),
        ("sent", time(item, "sent_at")),
        ("gateway's name for it", text(item, "provider_ref")),
        ("cost", cost_of(item)),
        ("delivery", text(item, "delivery")),
        ("reported", time(item, "delivery_at")),
        ("it says", text(item, "delivery_reason")),
        ("id", text(item, "id")),
    ])
}
