//! What one should know.

use super::client::{Call, Client, PageArgs};
use super::table::words;
use super::units::{text, time};
use clap::Subcommand;

/// What you should know
#[derive(Debug, Subcommand)]
pub(super) enum Notifications {
    /// Lists your notifications, the newest first
    #[command(after_help = "Example:\n  mastwire-controller notification list --unread")]
    List {
        /// Only those that were not read yet
        #[arg(long)]
        unread: bool,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Marks your notifications as read: one, or all
    #[command(after_help = "Examples:\n  \
        mastwire-controller notification read\n  mastwire-controller notification read ntf_0190163d8694739b8fd74dd02ebd3dc4")]
    Read {
        /// The notification's id; all of them when left out
        notification: Option<String>,
    },
}

impl Notifications {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List { unread, page } => {
                let columns = [
                    words("WHEN", |item| time(item, "created_at")),
                    words("READ", |item| if item["read_at"].is_null() { "no".to_owned() } else { time(item, "read_at") }),
                    words("WHAT", |item| text(item, "text")),
                    words("LOOK AT", |item| text(item, "link")),
                    words("ID", |item| text(item, "id")),
                ];
                let call = Call::get(["me", "notifications"]).query("unread", unread.then(|| "true".to_owned()));
                client.list(call, &page, &columns, &[]).await
            }
            Self::Read { notification: Some(id) } => {
                client.done(Call::post(["me", "notifications", &id, "read"]), "the notification is read").await
            }
            Self::Read { notification: None } => {
                let answer = client.send(Call::post(["me", "notifications", "read"])).await?;
                Ok(client.show(&answer, |value| format!("{} notifications are read", text(value, "marked"))))
            }
        }
    }
}
