//! What routers' configurations were.

use super::client::{Call, Client, Noun, PageArgs};
use super::routers::ROUTER;
use super::table::{fields, numbers, one_line, several_lines, words};
use super::units::{text, time};
use clap::Subcommand;
use serde_json::Value;

/// A configuration is called by its id alone.
const CONFIGURATION: Noun = Noun { prefix: "cfg", word: "configuration", list: &["configurations"], name: "id", search: None };

/// What a router's configuration was, by its own export: kept at night, before risky changes, and when asked for
#[derive(Debug, Subcommand)]
pub(super) enum Configurations {
    /// Lists what a router's configuration was; a row for each time it differed
    #[command(after_help = "Example:\n  mastwire-controller router config list mast-1")]
    List {
        /// The router's name or id
        router: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Takes a router's configuration now
    #[command(after_help = "Example:\n  mastwire-controller router config take mast-1")]
    Take {
        /// The router's name or id
        router: String,
    },
    /// Prints a configuration as `/import` takes it, without secrets
    #[command(after_help = "Example:\n  \
        mastwire-controller router config show cfg_0190163d8694739b8fd74dd02ebd3dc4 > mast-1.rsc")]
    Show {
        /// The configuration's id
        configuration: String,
    },
    /// Says what differs from the configuration before, or from another one of the router
    #[command(after_help = "Examples:\n  \
        mastwire-controller router config diff cfg_0190163d8694739b8fd74dd02ebd3dc4\n  \
        mastwire-controller router config diff cfg_0190163d8694739b8fd74dd02ebd3dc4 --with cfg_0190163d8694739b8fd74dd02ebd3dc3")]
    Diff {
        /// The configuration's id
        configuration: String,
        /// The configuration to compare with
        #[arg(long, value_name = "CONFIGURATION")]
        with: Option<String>,
    },
}

impl Configurations {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List { router, page } => list(client, &router, &page).await,
            Self::Take { router } => {
                let id = client.id_of(&ROUTER, &router).await?;
                let answer = client.send(Call::post(["routers", &id, "configurations"])).await?;
                Ok(client.show(&answer, |value| {
                    let came = if value["new"] == true { "kept: it differs from the one before" } else { "the same as before" };
                    fields(&[("outcome", came.to_owned()), ("configuration", text(value, "id"))])
                }))
            }
            Self::Show { configuration } => {
                let id = client.id_of(&CONFIGURATION, &configuration).await?;
                let answer = client.send(Call::get(["configurations", &id])).await?;
                Ok(client.show(&answer, |value| several_lines(&text(value, "text"))))
            }
            Self::Diff { configuration, with } => {
                let id = client.id_of(&CONFIGURATION, &configuration).await?;
                let with = client.id_of_some(&CONFIGURATION, with.as_deref()).await?;
                let answer = client.send(Call::get(["configurations", &id, "diff"]).query("with", with)).await?;
                Ok(client.show(&answer, |value| {
                    let side = |name: &str| format!("{} ({})", time(&value[name], "taken_at"), text(&value[name], "id"));
                    format!(
                        "{}\n{}",
                        fields(&[("before", side("before")), ("after", side("after"))]),
                        several_lines(&text(value, "text"))
                    )
                }))
            }
        }
    }
}

async fn list(client: &Client, router: &str, page: &PageArgs) -> anyhow::Result<String> {
    let id = client.id_of(&ROUTER, router).await?;
    let columns = [
        words("SINCE", |item| time(item, "taken_at")),
        words("SEEN UNTIL", |item| time(item, "seen_until")),
        words("WHY", |item| text(item, "reason")),
        words("BY", |item| text(item, "taken_by")),
        words("VERSION", |item| text(item, "version")),
        numbers("COMMANDS", |item| text(item, "commands")),
        words("NOTE", note),
        words("ID", |item| text(item, "id")),
    ];
    let path = ["routers", id.as_str(), "configurations"];
    let mut shown = client.list(Call::get(path), page, &columns, &[]).await?;
    let newest = client.send(Call::get(path).query("limit", Some("1".to_owned()))).await?;
    let failing = client.show(&newest, |value| match value["failure"].as_str() {
        Some(why) => format!("\nNone could be taken since {}: {}\n", time(value, "failing_since"), one_line(why)),
        None => String::new(),
    });
    // With --json the list says so itself.
    if failing.starts_with('\n') {
        shown.push_str(&failing);
    }
    Ok(shown)
}

/// What is out of the ordinary about a configuration.
fn note(item: &Value) -> String {
    let count = |name: &str, what: &str| item[name].as_i64().filter(|count| *count > 0).map(|count| format!("{count} {what}"));
    let notes =
        [count("faults", "menus not exported"), count("hidden", "secrets hidden"), count("left_out", "commands of scripts")];
    notes.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
