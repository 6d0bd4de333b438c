//! ISPs, for the platform's operator.

use super::client::{Call, Client, Noun, PageArgs};
use super::table::{fields, words};
use super::units::{text, time};
use clap::{Args, Subcommand};
use serde_json::json;

const TENANT: Noun = Noun { prefix: "ten", word: "tenant", list: &["platform", "tenants"], name: "name", search: None };

/// ISPs; for the platform's operators
#[derive(Debug, Subcommand)]
pub(super) enum Tenants {
    /// Makes an ISP with its first admin
    #[command(
        after_help = "Example:\n  mastwire-controller tenant create \"Mast Net\" --admin ann --currency KES --time-zone Africa/Nairobi"
    )]
    Create(Create),
    /// Lists all ISPs
    #[command(after_help = "Example:\n  mastwire-controller tenant list")]
    List(PageArgs),
    /// Lets an ISP's operators only look; its customers keep what they paid for
    #[command(after_help = "Example:\n  mastwire-controller tenant suspend \"Mast Net\"")]
    Suspend {
        /// Its name or id
        tenant: String,
    },
    /// Ends a suspension
    #[command(after_help = "Example:\n  mastwire-controller tenant activate \"Mast Net\"")]
    Activate {
        /// Its name or id
        tenant: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The ISP's name
    name: String,
    /// The first admin's login name
    #[arg(long, value_name = "LOGIN")]
    admin: String,
    /// The first admin's name; the login name when left out
    #[arg(long, value_name = "NAME")]
    admin_name: Option<String>,
    /// The currency it sells in; KES when left out
    #[arg(long)]
    currency: Option<String>,
    /// Its time zone; Africa/Nairobi when left out
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

impl Tenants {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Create(new) => {
                let body = json!({ "name": new.name, "currency": new.currency, "time_zone": new.time_zone,
                                   "admin_login": new.admin, "admin_name": new.admin_name });
                let answer = client.send(Call::post(TENANT.list).json(&body)).await?;
                Ok(client.show(&answer, |value| {
                    let setup = text(value, "setup_token");
                    let note = if setup.is_empty() {
                        "the admin has a password already".to_owned()
                    } else {
                        format!("mastwire-controller setup {setup}")
                    };
                    fields(&[
                        ("tenant", text(value, "id")),
                        ("password by link", text(value, "setup_url")),
                        ("or by command", note),
                    ])
                }))
            }
            Self::List(page) => {
                let columns = [
                    words("NAME", |item| text(item, "name")),
                    words("STATUS", |item| text(item, "status")),
                    words("CURRENCY", |item| text(item, "currency")),
                    words("TIME ZONE", |item| text(item, "time_zone")),
                    words("SINCE", |item| time(item, "created_at")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(TENANT.list), &page, &columns, &[]).await
            }
            Self::Suspend { tenant } => {
                let id = client.id_of(&TENANT, &tenant).await?;
                client.done(Call::post(["platform", "tenants", &id, "suspend"]), &format!("`{tenant}` is suspended")).await
            }
            Self::Activate { tenant } => {
                let id = client.id_of(&TENANT, &tenant).await?;
                client.done(Call::post(["platform", "tenants", &id, "activate"]), &format!("`{tenant}` is active")).await
            }
        }
    }
}
