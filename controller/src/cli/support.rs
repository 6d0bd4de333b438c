//! People across ISPs, and visits of the platform's support in one.

use super::client::{Call, Client, Noun, PageArgs, items};
use super::operators::ROLES;
use super::table::{fields, words};
use super::units::{text, time};
use clap::Subcommand;
use serde_json::{Value, json};

const PERSON: Noun =
    Noun { prefix: "opr", word: "operator", list: &["platform", "operators"], name: "login", search: Some("login") };
const TENANT: Noun = Noun { prefix: "ten", word: "tenant", list: &["platform", "tenants"], name: "name", search: None };

/// People across ISPs; for the platform's operators
#[derive(Debug, Subcommand)]
pub(super) enum People {
    /// Lists people with whom they serve
    #[command(after_help = "Examples:\n  mastwire-controller person list\n  mastwire-controller person list --login ben")]
    List {
        /// Only who logs in with this name
        #[arg(long)]
        login: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Makes a one-time link for somebody who lost their password
    #[command(after_help = "Example:\n  mastwire-controller person reset ben --forget-second-factor")]
    Reset {
        /// Their login name or id
        person: String,
        /// Also take the second factor away, for who has lost it with all recovery codes
        #[arg(long)]
        forget_second_factor: bool,
    },
    /// Moves somebody from one ISP to another, with nothing of the one left to them
    #[command(after_help = "Example:\n  mastwire-controller person move ben --from \"Mast Net\" --to \"Hill Net\" --role staff")]
    Move {
        /// Their login name or id
        person: String,
        /// The ISP they serve now
        #[arg(long, value_name = "TENANT")]
        from: String,
        /// The ISP they will serve
        #[arg(long, value_name = "TENANT")]
        to: String,
        /// What they will be there
        #[arg(long, value_parser = ROLES)]
        role: String,
    },
}

impl People {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List { login, page } => {
                let columns = [
                    words("LOGIN", |item| text(item, "login")),
                    words("NAME", |item| text(item, "display_name")),
                    words("SERVES", serves),
                    words("SECOND FACTOR", |item| if item["second_factor"] == true { "yes" } else { "no" }.to_owned()),
                    words("STATUS", |item| text(item, "status")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(PERSON.list).query("login", login), &page, &columns, &[]).await
            }
            Self::Reset { person, forget_second_factor } => {
                let id = client.id_of(&PERSON, &person).await?;
                let body = json!({ "forget_second_factor": forget_second_factor });
                let answer = client.send(Call::post(["platform", "operators", &id, "reset"]).json(&body)).await?;
                Ok(client.show(&answer, reset_link))
            }
            Self::Move { person, from, to, role } => {
                let id = client.id_of(&PERSON, &person).await?;
                let (from_id, to_id) = (client.id_of(&TENANT, &from).await?, client.id_of(&TENANT, &to).await?);
                let body = json!({ "from": from_id, "to": to_id, "role": role });
                let call = Call::post(["platform", "operators", &id, "move"]).json(&body);
                client.done(call, &format!("`{person}` serves `{to}` now, and `{from}` no more")).await
            }
        }
    }
}

/// A one-time link as it is shown.
pub(super) fn reset_link(value: &Value) -> String {
    let command = format!("mastwire-controller setup {}", text(value, "setup_token"));
    fields(&[
        ("password by page", text(value, "setup_url")),
        ("password by command", command),
        ("until", time(value, "expires_at")),
    ])
}

fn serves(item: &Value) -> String {
    let platform = (item["platform"] == true).then(|| "the platform".to_owned());
    let tenants = item["tenants"].as_array().into_iter().flatten();
    let tenants = tenants.map(|tenant| format!("{} ({})", text(tenant, "name"), text(tenant, "role")));
    platform.into_iter().chain(tenants).collect::<Vec<_>>().join(", ")
}

/// Visits of the platform's support: begun by the platform, seen and ended by the ISP
#[derive(Debug, Subcommand)]
pub(super) enum Visits {
    /// Begins a visit in an ISP, which reads the reason; it looks only unless raised. For the platform's operators
    #[command(after_help = "Examples:\n  \
        mastwire-controller visit begin \"Mast Net\" --reason \"ticket 17: invoices are missing\"\n  \
        MASTWIRE_TOKEN=mw_visit_… mastwire-controller router list")]
    Begin {
        /// The ISP's name or id
        tenant: String,
        /// What for
        #[arg(long)]
        reason: String,
        /// For how long, 1 to 60
        #[arg(long, default_value_t = 30)]
        minutes: i64,
        /// Something will be changed
        #[arg(long)]
        write: bool,
    },
    /// Lists the visits in your ISP
    #[command(after_help = "Example:\n  mastwire-controller visit list")]
    List(PageArgs),
    /// Ends a visit in your ISP at once; the newest that goes on, if none is named
    #[command(after_help = "Example:\n  mastwire-controller visit end")]
    End {
        /// Its id
        id: Option<String>,
    },
}

impl Visits {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Begin { tenant, reason, minutes, write } => {
                let id = client.id_of(&TENANT, &tenant).await?;
                let body = json!({ "reason": reason, "minutes": minutes, "write": write });
                let answer = client.send(Call::post(["platform", "tenants", &id, "impersonations"]).json(&body)).await?;
                Ok(client.show(&answer, |value| {
                    let token = text(value, "token");
                    fields(&[
                        ("visit", text(value, "id")),
                        ("token, shown this once", token),
                        ("until", time(value, "expires_at")),
                    ])
                }))
            }
            Self::List(page) => {
                let columns = [
                    words("WHO", |item| text(item, "visitor")),
                    words("REASON", |item| text(item, "reason")),
                    words("MAY", |item| if item["writes"] == true { "change" } else { "look" }.to_owned()),
                    words("FROM", |item| time(item, "created_at")),
                    words(
                        "UNTIL",
                        |item| if item["ended_at"].is_null() { time(item, "expires_at") } else { time(item, "ended_at") },
                    ),
                    words("", |item| if item["open"] == true { "goes on" } else { "over" }.to_owned()),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(["impersonations"]), &page, &columns, &[]).await
            }
            Self::End { id } => {
                let id = match id {
                    Some(id) => id,
                    None => {
                        let page = client.send(Call::get(["impersonations"])).await?.value;
                        let open = items(&page).iter().find(|item| item["open"] == true);
                        open.map(|item| text(item, "id")).ok_or_else(|| anyhow::anyhow!("no visit goes on"))?
                    }
                };
                client.done(Call::delete(["impersonations", &id]), "the visit is over").await
            }
        }
    }
}
