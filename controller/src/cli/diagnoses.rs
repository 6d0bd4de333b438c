//! What is wrong, and the one thing to do.

use super::client::{Answer, Call, Client, Noun, PageArgs, items};
use super::customers::CUSTOMER;
use super::routers::ROUTER;
use super::table::{fields, one_line, table, words};
use super::units::{text, time};
use clap::Subcommand;
use serde_json::{Value, json};

/// A diagnosis is called by its id alone.
const DIAGNOSIS: Noun = Noun { prefix: "dia", word: "diagnosis", list: &["diagnoses"], name: "id", search: None };

/// Finds out what is wrong, and says the one thing to do
#[derive(Debug, Subcommand)]
pub(super) enum Diagnoses {
    /// Looks at a router, from the tunnel up to its customers
    #[command(after_help = "Example:\n  mastwire-controller diagnose router mast-1")]
    Router {
        /// The router's name or id
        router: String,
    },
    /// Looks at a customer, from the account up to the session
    #[command(after_help = "Example:\n  mastwire-controller diagnose customer alice")]
    Customer {
        /// The customer's login or id
        customer: String,
    },
    /// Lists what was found before
    #[command(after_help = "Example:\n  mastwire-controller diagnose list --router mast-1")]
    List {
        /// Only one router's and its customers'
        #[arg(long)]
        router: Option<String>,
        /// Only one customer's
        #[arg(long)]
        customer: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows what was found, and whether it is as it was written
    #[command(after_help = "Example:\n  mastwire-controller diagnose show dia_0190163d8694739b8fd74dd02ebd3dc4")]
    Show {
        /// The diagnosis' id
        diagnosis: String,
    },
}

impl Diagnoses {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Router { router } => {
                let id = client.id_of(&ROUTER, &router).await?;
                show(client, client.send(Call::post(["routers", &id, "diagnose"])).await?).await
            }
            Self::Customer { customer } => {
                let id = client.id_of(&CUSTOMER, &customer).await?;
                show(client, client.send(Call::post(["customers", &id, "diagnose"])).await?).await
            }
            Self::List { router, customer, page } => {
                let router = client.id_of_some(&ROUTER, router.as_deref()).await?;
                let customer = client.id_of_some(&CUSTOMER, customer.as_deref()).await?;
                let columns = [
                    words("WHEN", |item| time(item, "started_at")),
                    words("ROUTER", |item| text(item, "router")),
                    words("CUSTOMER", |item| text(item, "customer")),
                    words("CAUSE", |item| text(item, "cause")),
                    words("BY", |item| text(item, "run_by")),
                    words("GENUINE", |item| text(item, "genuine")),
                    words("ID", |item| text(item, "id")),
                ];
                let call = Call::get(DIAGNOSIS.list).query("router", router).query("customer", customer);
                client.list(call, &page, &columns, &[("router", &ROUTER), ("customer", &CUSTOMER)]).await
            }
            Self::Show { diagnosis } => {
                let id = client.id_of(&DIAGNOSIS, &diagnosis).await?;
                show(client, client.send(Call::get(["diagnoses", &id])).await?).await
            }
        }
    }
}

async fn show(client: &Client, answer: Answer) -> anyhow::Result<String> {
    let answer = client.named(answer, &[("router", &ROUTER), ("customer", &CUSTOMER)]).await;
    Ok(client.show(&answer, readable))
}

fn readable(value: &Value) -> String {
    let mark = |item: &Value| match item["status"].as_str() {
        Some("passed") => "ok".to_owned(),
        Some("warning") => "look".to_owned(),
        Some("failed") => "FAILS".to_owned(),
        _ => "-".to_owned(),
    };
    let columns =
        [words("CHECK", |item| text(item, "name")), words("", mark), words("WHAT WAS FOUND", |item| text(item, "summary"))];
    let mut shown = table(&columns, items(&json!({ "items": value["steps"] })));
    shown.push('\n');
    shown.push_str(&format!("{}\n", one_line(&text(value, "conclusion"))));
    if !text(value, "remedy").is_empty() {
        shown.push_str(&format!("What to do: {}\n", one_line(&text(value, "remedy"))));
    }
    shown.push('\n');
    shown.push_str(&fields(&[
        ("router", text(value, "router")),
        ("customer", text(value, "customer")),
        ("run by", text(value, "run_by")),
        ("at", time(value, "started_at")),
        ("as written", text(value, "genuine")),
        ("id", text(value, "id")),
    ]));
    shown
}
