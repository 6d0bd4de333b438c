//! Ways by which money and messages travel.

use super::client::{Call, Client, Noun, PageArgs, items};
use super::routers::ROUTER;
use super::table::{fields, numbers, table, words};
use super::units::{text, time};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(super) const GATEWAY: Noun = Noun { prefix: "gwy", word: "gateway", list: &["gateways"], name: "name", search: None };

/// Ways by which money and messages travel
#[derive(Debug, Subcommand)]
pub(super) enum Gateways {
    /// Sets a gateway up
    #[command(after_help = "Examples:\n  \
        mastwire-controller gateway add Paybill --provider mpesa --environment production --credentials mpesa.json\n  \
        mastwire-controller gateway add Messages --provider africas_talking --environment sandbox --credentials sms.json --purpose hotspot\n\n\
        The file holds the provider's keys as JSON, such as {\"secret_key\": \"…\"}: arguments can be seen by other users of the machine.\n\n\
        Messages travel through http_sms and http_whatsapp, which take {\"url\": \"https://…\", \"body\": \"to={phone}&message={text}\"}, the body as a\n\
        form or as JSON, and if need be `authorization`, `success` (what a good answer has in it), `reference` (where its name for it stands, such as /data/0/id),\n\
        `cost` (where its price stands) and `cost_currency` (where the price does not say it).")]
    Add(Add),
    /// Lists the gateways
    #[command(after_help = "Example:\n  mastwire-controller gateway list")]
    List(PageArgs),
    /// Lists the gateways in the order in which they are tried
    #[command(after_help = "Example:\n  mastwire-controller gateway order --purpose hotspot --router mast-1")]
    Order {
        /// What is to travel
        #[arg(long, value_parser = ["money", "sms", "whatsapp", "email"], default_value = "money")]
        kind: String,
        /// Whose matter it is
        #[arg(long, value_parser = ["hotspot", "pppoe", "all"], default_value = "all")]
        purpose: String,
        /// On which router
        #[arg(long)]
        router: Option<String>,
    },
    /// Shows a gateway and which of its keys are set
    #[command(after_help = "Example:\n  mastwire-controller gateway show Paybill")]
    Show {
        /// Its name or id
        gateway: String,
    },
    /// Changes a gateway's name or its place in the order
    #[command(after_help = "Example:\n  mastwire-controller gateway change Paybill --default true --position 1")]
    Change(Change),
    /// Gives a gateway new keys
    #[command(after_help = "Example:\n  mastwire-controller gateway credentials Paybill mpesa.json")]
    Credentials {
        /// Its name or id
        gateway: String,
        /// A file with the provider's keys as JSON, all of them
        file: PathBuf,
    },
    /// Uses a gateway again
    #[command(after_help = "Example:\n  mastwire-controller gateway enable Paybill")]
    Enable {
        /// Its name or id
        gateway: String,
    },
    /// Uses a gateway no more for now
    #[command(after_help = "Example:\n  mastwire-controller gateway disable Paybill")]
    Disable {
        /// Its name or id
        gateway: String,
    },
    /// Makes an address for delivery reports; the one before is good no more
    #[command(after_help = "Example:\n  mastwire-controller gateway report-address \"Mast SMS\"\n\n\
        Give it to the service as its callback. The gateway's keys say how a report is read: `report_id` and `report_status` (where the message\n\
        and its status stand, such as /id; the fields of a form too), `report_delivered` and `report_failed` (the words, with commas between them),\n\
        and if you like `report_reason` and `report_cost`. Whoever knows the address may report; make a new one if it gets known.")]
    ReportAddress {
        /// Its name or id
        gateway: String,
    },
    /// Takes a gateway out of use for good; its keys are forgotten
    #[command(after_help = "Example:\n  mastwire-controller gateway remove Paybill")]
    Remove {
        /// Its name or id
        gateway: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name
    name: String,
    /// Who runs it: mpesa, paystack, intasend, flutterwave, pesapal, africas_talking, twilio, http_sms, http_whatsapp, meta_whatsapp or smtp
    #[arg(long)]
    provider: String,
    /// Whether what happens is real
    #[arg(long, value_parser = ["sandbox", "production"])]
    environment: String,
    /// A file with the provider's keys as JSON
    #[arg(long, value_name = "FILE")]
    credentials: PathBuf,
    /// Whose matters travel through it
    #[arg(long, value_parser = ["hotspot", "pppoe", "all"], default_value = "all")]
    purpose: String,
    /// Only for customers of this router
    #[arg(long)]
    router: Option<String>,
    /// Try it before others of its kind and purpose
    #[arg(long)]
    default: bool,
    /// Its place among those that fit equally well, 0 to 1000
    #[arg(long, default_value_t = 0, value_name = "N")]
    position: u16,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Its name or id
    gateway: String,
    /// Another name
    #[arg(long)]
    name: Option<String>,
    /// Whose matters travel through it
    #[arg(long, value_parser = ["hotspot", "pppoe", "all"])]
    purpose: Option<String>,
    /// Only for customers of this router; empty for all
    #[arg(long)]
    router: Option<String>,
    /// Try it before others of its kind and purpose
    #[arg(long, value_name = "true|false")]
    default: Option<bool>,
    /// Its place among those that fit equally well, 0 to 1000
    #[arg(long, value_name = "N")]
    position: Option<u16>,
}

fn keys(file: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} holds no JSON", file.display()))
}

fn readable(item: &Value) -> String {
    let fields_set = item["fields"].as_array().map_or(&[][..], Vec::as_slice);
    let set: Vec<&str> = fields_set.iter().filter_map(Value::as_str).collect();
    fields(&[
        ("name", text(item, "name")),
        ("environment", text(item, "environment")),
        ("kind", text(item, "kind")),
        ("provider", text(item, "provider")),
        ("purpose", text(item, "purpose")),
        ("router", text(item, "router")),
        ("default", text(item, "default")),
        ("position", text(item, "position")),
        ("in use", text(item, "enabled")),
        ("keys that are set", set.join(", ")),
        ("set so often", text(item, "credential_version")),
        ("made", time(item, "created_at")),
        ("changed", time(item, "changed_at")),
        ("removed", time(item, "removed_at")),
        ("id", text(item, "id")),
    ])
}

impl Gateways {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let columns = [
            words("NAME", |item| text(item, "name")),
            words("ENVIRONMENT", |item| text(item, "environment")),
            words("KIND", |item| text(item, "kind")),
            words("PROVIDER", |item| text(item, "provider")),
            words("PURPOSE", |item| text(item, "purpose")),
            words("ROUTER", |item| text(item, "router")),
            words("DEFAULT", |item| text(item, "default")),
            numbers("POSITION", |item| text(item, "position")),
            words("IN USE", |item| text(item, "enabled")),
            words("ID", |item| text(item, "id")),
        ];
        match self {
            Self::Add(new) => new.run(client).await,
            Self::List(page) => client.list(Call::get(GATEWAY.list), &page, &columns, &[("router", &ROUTER)]).await,
            Self::Order { kind, purpose, router } => {
                let router = client.id_of_some(&ROUTER, router.as_deref()).await?;
                let call = Call::get(["gateways", "order"]).query("kind", Some(kind)).query("purpose", Some(purpose));
                let answer = client.send(call.query("router", router)).await?;
                let answer = client.named(answer, &[("router", &ROUTER)]).await;
                Ok(client.show(&answer, |value| table(&columns, items(value))))
            }
            Self::Show { gateway } => {
                let id = client.id_of(&GATEWAY, &gateway).await?;
                let answer = client.send(Call::get(["gateways", &id])).await?;
                let answer = client.named(answer, &[("router", &ROUTER)]).await;
                Ok(client.show(&answer, readable))
            }
            Self::Change(change) => change.run(client).await,
            Self::Credentials { gateway, file } => {
                let id = client.id_of(&GATEWAY, &gateway).await?;
                let call = Call::put(["gateways", &id, "credentials"]).json(&json!({ "credentials": keys(&file)? }));
                client.done(call, &format!("gateway `{gateway}` has new keys")).await
            }
            Self::Enable { gateway } => switch(client, &gateway, true).await,
            Self::Disable { gateway } => switch(client, &gateway, false).await,
            Self::ReportAddress { gateway } => {
                let id = client.id_of(&GATEWAY, &gateway).await?;
                let answer = client.send(Call::post(["gateways", &id, "report-address"])).await?;
                Ok(client.show(&answer, |value| text(value, "address")))
            }
            Self::Remove { gateway } => {
                let id = client.id_of(&GATEWAY, &gateway).await?;
                client.done(Call::delete(["gateways", &id]), &format!("gateway `{gateway}` is removed")).await
            }
        }
    }
}

async fn switch(client: &Client, gateway: &str, enabled: bool) -> anyhow::Result<String> {
    let id = client.id_of(&GATEWAY, gateway).await?;
    let said = if enabled { "in use" } else { "out of use" };
    let call = Call::patch(["gateways", &id]).json(&json!({ "enabled": enabled }));
    client.done(call, &format!("gateway `{gateway}` is {said}")).await
}

impl Add {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let router = client.id_of_some(&ROUTER, self.router.as_deref()).await?;
        let body = json!({
            "name": self.name, "provider": self.provider, "environment": self.environment, "purpose": self.purpose, "router": router,
            "default": self.default, "position": self.position, "credentials": keys(&self.credentials)?
        });
        let answer = client.send(Call::post(GATEWAY.list).json(&body)).await?;
        Ok(client.show(&answer, |value| fields(&[("gateway", text(value, "id"))])))
    }
}

impl Change {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&GATEWAY, &self.gateway).await?;
        let mut body = json!({});
        if let Some(router) = &self.router {
            body["router"] = match router.as_str() {
                "" => Value::Null,
                name => json!(client.id_of(&ROUTER, name).await?),
            };
        }
        for (field, value) in [
            ("name", self.name.map(Value::from)),
            ("purpose", self.purpose.map(Value::from)),
            ("default", self.default.map(Value::from)),
            ("position", self.position.map(Value::from)),
        ] {
            if let Some(value) = value {
                body[field] = value;
            }
        }
        client.done(Call::patch(["gateways", &id]).json(&body), &format!("gateway `{}` is changed", self.gateway)).await
    }
}
