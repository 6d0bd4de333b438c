//! The people and programs of an ISP.

use super::client::{Call, Client, Noun, PageArgs};
use super::local::Recover;
use super::table::{fields, words};
use super::units::{text, time};
use clap::{Args, Subcommand};
use serde_json::json;

const TOKEN: Noun = Noun { prefix: "tok", word: "token", list: &["tokens"], name: "name", search: None };
const ROLES: [&str; 6] = ["admin", "staff", "customer_care", "field_tech", "viewer", "reseller"];

/// The people who serve the ISP
#[derive(Debug, Subcommand)]
pub(super) enum Operators {
    #[command(flatten)]
    People(People),
    /// Makes a one-time link for somebody who lost their password; works on the controller's machine alone
    #[command(after_help = "Example:\n  mastwire-controller operator recover admin")]
    Recover(Recover),
}

#[derive(Debug, Subcommand)]
pub(super) enum People {
    /// Adds a person
    #[command(after_help = "Example:\n  mastwire-controller operator add ben --name \"Ben O.\" --role field_tech")]
    Add(Add),
    /// Lists the people
    #[command(after_help = "Example:\n  mastwire-controller operator list")]
    List(PageArgs),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name they log in with
    login: String,
    /// The name they are called by; the login name when left out
    #[arg(long)]
    name: Option<String>,
    /// What they may do
    #[arg(long, value_parser = ROLES)]
    role: String,
}

impl People {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add(new) => {
                let name = new.name.unwrap_or_else(|| new.login.clone());
                let body = json!({ "login": new.login, "display_name": name, "role": new.role });
                let answer = client.send(Call::post(["operators"]).json(&body)).await?;
                Ok(client.show(&answer, |value| {
                    let setup = text(value, "setup_token");
                    let command = if setup.is_empty() { setup } else { format!("mastwire-controller setup {setup}") };
                    fields(&[("operator", text(value, "id")), ("password by command", command)])
                }))
            }
            Self::List(page) => {
                let columns = [
                    words("LOGIN", |item| text(item, "login")),
                    words("NAME", |item| text(item, "display_name")),
                    words("ROLE", |item| text(item, "role")),
                    words("STATUS", |item| text(item, "status")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(["operators"]), &page, &columns, &[]).await
            }
        }
    }
}

/// Access for programs
#[derive(Debug, Subcommand)]
pub(super) enum Tokens {
    /// Makes a token, which is shown this once
    #[command(after_help = "Example:\n  mastwire-controller token create billing-export --role viewer")]
    Create {
        /// What it is for
        name: String,
        /// What it may do
        #[arg(long, value_parser = ROLES)]
        role: String,
    },
    /// Lists the tokens
    #[command(after_help = "Example:\n  mastwire-controller token list")]
    List(PageArgs),
    /// Ends a token
    #[command(after_help = "Example:\n  mastwire-controller token revoke billing-export")]
    Revoke {
        /// Its name or id; of several with one name, the newest that is in force
        #[arg(value_name = "TOKEN")]
        name: String,
    },
}

impl Tokens {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Create { name, role } => {
                let answer = client.send(Call::post(TOKEN.list).json(&json!({ "name": name, "role": role }))).await?;
                Ok(client.show(&answer, |value| {
                    fields(&[("id", text(value, "id")), ("token, shown this once", text(value, "token"))])
                }))
            }
            Self::List(page) => {
                let columns = [
                    words("NAME", |item| text(item, "name")),
                    words("ROLE", |item| text(item, "role")),
                    words("SINCE", |item| time(item, "created_at")),
                    words("REVOKED", |item| time(item, "revoked_at")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(TOKEN.list), &page, &columns, &[]).await
            }
            Self::Revoke { name } => {
                let id = client.id_of(&TOKEN, &name).await?;
                client.done(Call::delete(["tokens", &id]), &format!("`{name}` is revoked")).await
            }
        }
    }
}
