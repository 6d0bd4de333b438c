//! Texts with holes, and when messages are written by themselves.

use super::client::{Call, Client, Noun, PageArgs, items};
use super::table::{fields, numbers, table, words};
use super::units::{text, time};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

pub(super) const TEMPLATE: Noun =
    Noun { prefix: "tpl", word: "message template", list: &["message-templates"], name: "name", search: None };
/// A rule is called by its id alone.
const RULE: Noun = Noun { prefix: "mrl", word: "message rule", list: &["message-rules"], name: "id", search: None };

const EVENTS: [&str; 7] =
    ["customer_created", "payment_received", "expiry", "outage_start", "outage_end", "ticket_opened", "ticket_closed"];

/// Texts with holes, for messages to customers
#[derive(Debug, Subcommand)]
pub(super) enum Templates {
    /// Makes a template
    #[command(after_help = "Examples:\n  \
        mastwire-controller message-template add Reminder 'Dear {name}, your {package} ends {until}.' --event expiry\n  \
        mastwire-controller message-template add Reminder 'Habari {name}, {package} inaisha {until}.' --event expiry --language sw")]
    Add(Add),
    /// Lists the templates
    #[command(after_help = "Example:\n  mastwire-controller message-template list")]
    List(PageArgs),
    /// Shows a template and what it said before
    #[command(after_help = "Example:\n  mastwire-controller message-template show Reminder")]
    Show {
        /// Its name or id; where there are several languages, its id
        template: String,
    },
    /// Gives a template a new text
    #[command(after_help = "Example:\n  mastwire-controller message-template text Reminder 'Dear {name}, pay before {until}.'")]
    Text {
        /// Its name or id
        template: String,
        /// The text
        text: String,
    },
    /// Shows what somebody would get, and how many segments it takes
    #[command(
        after_help = "Example:\n  mastwire-controller message-template preview 'Asante {name}, umelipa {amount}' --event payment_received"
    )]
    Preview {
        /// The text
        text: String,
        /// What it is written for
        #[arg(long, value_parser = EVENTS)]
        event: Option<String>,
    },
    /// Lists what a text may name
    #[command(after_help = "Example:\n  mastwire-controller message-template variables --event payment_received")]
    Variables {
        /// What it is written for
        #[arg(long, value_parser = EVENTS)]
        event: Option<String>,
    },
    /// Takes a template out of use
    #[command(after_help = "Example:\n  mastwire-controller message-template remove Reminder")]
    Remove {
        /// Its name or id
        template: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name; templates of one name say the same in several languages
    name: String,
    /// The text, with variables in braces
    text: String,
    /// What it is written for; left out, it is for messages by hand
    #[arg(long, value_parser = EVENTS)]
    event: Option<String>,
    /// By what it travels
    #[arg(long, value_parser = ["sms", "whatsapp"], default_value = "sms")]
    channel: String,
    /// The language, such as sw or en-KE
    #[arg(long, default_value = "")]
    language: String,
}

impl Templates {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add(add) => {
                let body = json!({
                    "name": add.name, "text": add.text, "event": add.event, "channel": add.channel, "language": add.language
                });
                let answer = client.send(Call::post(TEMPLATE.list).json(&body)).await?;
                Ok(client.show(&answer, |value| fields(&[("template", text(value, "id"))])))
            }
            Self::List(page) => {
                let columns = [
                    words("NAME", |item| text(item, "name")),
                    words("CHANNEL", |item| text(item, "channel")),
                    words("EVENT", |item| text(item, "event")),
                    words("LANGUAGE", |item| text(item, "language")),
                    numbers("VERSION", |item| text(item, "version")),
                    words("TEXT", |item| text(item, "text").chars().take(40).collect()),
                    words("REMOVED", |item| time(item, "removed_at")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(TEMPLATE.list), &page, &columns, &[]).await
            }
            Self::Show { template } => show(client, &client.id_of(&TEMPLATE, &template).await?).await,
            Self::Text { template, text: written } => {
                let id = client.id_of(&TEMPLATE, &template).await?;
                let call = Call::post(["message-templates", &id, "versions"]).json(&json!({ "text": written }));
                let answer = client.send(call).await?;
                Ok(client.show(&answer, |value| fields(&[("version", text(value, "version"))])))
            }
            Self::Preview { text: written, event } => {
                let call = Call::post(["message-templates", "preview"]).json(&json!({ "text": written, "event": event }));
                let answer = client.send(call).await?;
                Ok(client.show(&answer, |value| {
                    fields(&[
                        ("text", text(value, "text")),
                        ("written in", text(value, "encoding")),
                        ("units", text(value, "units")),
                        ("segments", text(value, "segments")),
                    ])
                }))
            }
            Self::Variables { event } => {
                let answer = client.send(Call::get(["message-variables"]).query("event", event)).await?;
                let columns =
                    [words("NAME", |item| format!("{{{}}}", text(item, "name"))), words("SUCH AS", |item| text(item, "sample"))];
                Ok(client.show(&answer, |value| table(&columns, items(value))))
            }
            Self::Remove { template } => {
                let id = client.id_of(&TEMPLATE, &template).await?;
                let call = Call::delete(["message-templates", &id]);
                client.done(call, &format!("template `{template}` is out of use")).await
            }
        }
    }
}

async fn show(client: &Client, id: &str) -> anyhow::Result<String> {
    let mut answer = client.send(Call::get(["message-templates", id])).await?;
    answer.value["versions"] = client.send(Call::get(["message-templates", id, "versions"])).await?.value["items"].clone();
    Ok(client.show(&answer, |item| {
        let mut shown = fields(&[
            ("name", text(item, "name")),
            ("channel", text(item, "channel")),
            ("event", text(item, "event")),
            ("language", text(item, "language")),
            ("made", time(item, "created_at")),
            ("removed", time(item, "removed_at")),
            ("id", text(item, "id")),
        ]);
        let columns = [
            numbers("VERSION", |item| text(item, "version")),
            words("SINCE", |item| time(item, "made_at")),
            words("BY", |item| text(item, "made_by")),
            words("TEXT", |item| text(item, "text")),
        ];
        shown.push('\n');
        shown.push_str(&table(&columns, items(&json!({ "items": item["versions"] }))));
        shown
    }))
}

/// When messages are written by themselves
#[derive(Debug, Subcommand)]
pub(super) enum Rules {
    /// Makes a rule; it writes about nothing that was before
    #[command(after_help = "Examples:\n  \
        mastwire-controller message-rule add expiry Reminder --hours=-72\n  mastwire-controller message-rule add payment_received Receipt")]
    Add(AddRule),
    /// Lists the rules
    #[command(after_help = "Example:\n  mastwire-controller message-rule list")]
    List(PageArgs),
    /// Lets a rule write again
    #[command(after_help = "Example:\n  mastwire-controller message-rule enable mrl_0190163d8694739b8fd74dd02ebd3dc4")]
    Enable {
        /// The rule's id
        rule: String,
    },
    /// Lets a rule write nothing for now
    #[command(after_help = "Example:\n  mastwire-controller message-rule disable mrl_0190163d8694739b8fd74dd02ebd3dc4")]
    Disable {
        /// The rule's id
        rule: String,
    },
    /// Takes a rule out of use
    #[command(after_help = "Example:\n  mastwire-controller message-rule remove mrl_0190163d8694739b8fd74dd02ebd3dc4")]
    Remove {
        /// The rule's id
        rule: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddRule {
    /// What it writes about
    #[arg(value_parser = EVENTS)]
    event: String,
    /// What it writes: a template's name or id
    template: String,
    /// Of reminders: hours after the end of what is paid; before it, with a minus, as --hours=-72
    #[arg(long, allow_negative_numbers = true)]
    hours: Option<i32>,
    /// Only to customers who connect so
    #[arg(long, value_parser = ["pppoe", "hotspot", "static"])]
    kind: Option<String>,
    /// Whether it waits for the end of quiet hours; all wait but receipts
    #[arg(long, value_name = "true|false")]
    waits: Option<bool>,
}

impl Rules {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add(add) => {
                let body = json!({
                    "event": add.event, "template": client.id_of(&TEMPLATE, &add.template).await?, "kind": add.kind, "waits": add.waits,
                    "offset_minutes": add.hours.map(|hours| i64::from(hours) * 60),
                });
                let answer = client.send(Call::post(RULE.list).json(&body)).await?;
                Ok(client.show(&answer, |value| fields(&[("rule", text(value, "id"))])))
            }
            Self::List(page) => {
                let columns = [
                    words("EVENT", |item| text(item, "event")),
                    numbers("HOURS", hours),
                    words("TEMPLATE", |item| text(item, "template")),
                    words("TO", |item| text(item, "kind")),
                    words("WAITS", |item| text(item, "waits")),
                    words("WRITES", |item| text(item, "enabled")),
                    words("REMOVED", |item| time(item, "removed_at")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(RULE.list), &page, &columns, &[("template", &TEMPLATE)]).await
            }
            Self::Enable { rule } => switch(client, &rule, true).await,
            Self::Disable { rule } => switch(client, &rule, false).await,
            Self::Remove { rule } => {
                let id = client.id_of(&RULE, &rule).await?;
                client.done(Call::delete(["message-rules", &id]), "the rule is out of use").await
            }
        }
    }
}

/// Minutes as hours, with a part where there is one.
fn hours(item: &Value) -> String {
    item["offset_minutes"].as_f64().map(|minutes| (minutes / 60.0).to_string()).unwrap_or_default()
}

async fn switch(client: &Client, rule: &str, enabled: bool) -> anyhow::Result<String> {
    let id = client.id_of(&RULE, rule).await?;
    let said = if enabled { "the rule writes" } else { "the rule writes nothing" };
    client.done(Call::patch(["message-rules", &id]).json(&json!({ "enabled": enabled })), said).await
}
