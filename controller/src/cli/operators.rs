//! The people and programs of an ISP.

use super::client::{Call, Client, Noun, PageArgs};
use super::local::Recover;
use super::sites::site_id;
use super::support::reset_link;
use super::table::{fields, words};
use super::units::{moment, text, time};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

const TOKEN: Noun = Noun { prefix: "tok", word: "token", list: &["tokens"], name: "name", search: None };
pub(super) const OPERATOR: Noun = Noun { prefix: "opr", word: "operator", list: &["operators"], name: "login", search: None };
const INVITATION: Noun = Noun { prefix: "ivt", word: "invitation", list: &["invitations"], name: "login", search: None };
const ROUTER: Noun = Noun { prefix: "rtr", word: "router", list: &["routers"], name: "name", search: None };
pub(super) const ROLES: [&str; 6] = ["admin", "staff", "customer_care", "field_tech", "viewer", "reseller"];
const REACHES: [&str; 2] = ["all", "assigned"];

/// The people who serve the ISP
#[derive(Debug, Subcommand)]
pub(super) enum Operators {
    #[command(flatten)]
    People(Box<People>),
    /// Makes a one-time link for somebody who lost their password; works on the controller's machine alone
    #[command(after_help = "Examples:\n  mastwire-controller operator recover admin\n  \
        mastwire-controller operator recover admin --forget-second-factor")]
    Recover(Recover),
}

#[derive(Debug, Subcommand)]
pub(super) enum People {
    /// Invites somebody, whether or not they have a login already; what it prints is for them
    #[command(after_help = "Examples:\n  \
        mastwire-controller operator invite ben --name \"Ben O.\" --role field_tech --reach assigned\n  \
        mastwire-controller operator invite ann@isp.example --role staff --remove payments.take")]
    Invite(Invite),
    /// Lists the invitations
    #[command(after_help = "Example:\n  mastwire-controller operator invitations")]
    Invitations(PageArgs),
    /// Withdraws an invitation
    #[command(after_help = "Example:\n  mastwire-controller operator withdraw ben")]
    Withdraw {
        /// The login name it is for, or its id
        invitation: String,
    },
    /// Lists the people
    #[command(after_help = "Example:\n  mastwire-controller operator list")]
    List(PageArgs),
    /// Shows what somebody may do and see
    #[command(after_help = "Example:\n  mastwire-controller operator show ben")]
    Show(Who),
    /// Changes what somebody may do and how much they see
    #[command(after_help = "Examples:\n  \
        mastwire-controller operator change ben --role staff\n  \
        mastwire-controller operator change ben --add data.export --remove payments.take\n  \
        mastwire-controller operator change ben --as-role")]
    Change(Change),
    /// Says which routers and sites somebody sees whose reach is `assigned`; all of them, in place of those before
    #[command(after_help = "Example:\n  mastwire-controller operator assign ben --router mast-1 --site \"Kilimani/Ridge\"")]
    Assign {
        /// Their login name or id
        operator: String,
        /// A router; can be given several times
        #[arg(long = "router", value_name = "ROUTER")]
        routers: Vec<String>,
        /// A site with all that stands below it: its way from the top, or its id; can be given several times
        #[arg(long = "site", value_name = "SITE")]
        sites: Vec<String>,
    },
    /// Ends somebody's service; their logins end at once
    #[command(after_help = "Example:\n  mastwire-controller operator remove ben")]
    Remove(Who),
    /// Makes a one-time link for somebody who lost their password
    #[command(after_help = "Example:\n  mastwire-controller operator reset ben")]
    Reset(Who),
    /// Lists who is logged in
    #[command(after_help = "Example:\n  mastwire-controller operator logins --operator ben")]
    Logins {
        /// Only this person's
        #[arg(long)]
        operator: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Ends somebody's login
    #[command(after_help = "Example:\n  mastwire-controller operator end-login lgn_0190163d8694739b8fd74dd02ebd3dc4")]
    EndLogin {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Who {
    /// Their login name or id
    operator: String,
}

#[derive(Debug, Args)]
pub(super) struct Invite {
    /// The name they log in with, or will
    login: String,
    /// The name they are called by, if they are new; the login name when left out
    #[arg(long)]
    name: Option<String>,
    /// What they may do
    #[arg(long, value_parser = ROLES)]
    role: String,
    /// A permission beside the role's; can be given several times
    #[arg(long = "add", value_name = "PERMISSION")]
    added: Vec<String>,
    /// A permission of the role's that they do not have; can be given several times
    #[arg(long = "remove", value_name = "PERMISSION")]
    removed: Vec<String>,
    /// How much they see
    #[arg(long, value_parser = REACHES, default_value = "all")]
    reach: String,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Their login name or id
    operator: String,
    /// The new role
    #[arg(long, value_parser = ROLES)]
    role: Option<String>,
    /// One more permission beside the role's; can be given several times
    #[arg(long = "add", value_name = "PERMISSION")]
    added: Vec<String>,
    /// One more permission that they do not have; can be given several times
    #[arg(long = "remove", value_name = "PERMISSION")]
    removed: Vec<String>,
    /// Forget what was added and removed before
    #[arg(long)]
    as_role: bool,
    /// How much they see
    #[arg(long, value_parser = REACHES)]
    reach: Option<String>,
}

impl Change {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&OPERATOR, &self.operator).await?;
        let mut body = json!({ "role": self.role, "reach": self.reach });
        if self.as_role || !self.added.is_empty() || !self.removed.is_empty() {
            let now = client.send(Call::get(["operators", &id])).await?.value;
            let (added, removed) = overrides(&now, self.as_role, &self.added, &self.removed);
            (body["added"], body["removed"]) = (added, removed);
        }
        let answer = client.send(Call::patch(["operators", &id]).json(&body)).await?;
        Ok(client.show(&answer, details))
    }
}

/// Puts more permissions to those that were added and removed before; what is added is not removed any more, and the other way about.
fn overrides(now: &Value, afresh: bool, add: &[String], remove: &[String]) -> (Value, Value) {
    let before = |field: &str| if afresh { Vec::new() } else { names(&now[field]) };
    let put = |before: Vec<String>, more: &[String], other: &[String]| {
        let mut all: Vec<String> = before.into_iter().filter(|name| !other.contains(name)).collect();
        all.extend(more.iter().filter(|name| !other.contains(name)).cloned());
        all.sort_unstable();
        all.dedup();
        json!(all)
    };
    (put(before("added"), add, remove), put(before("removed"), remove, add))
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn details(value: &Value) -> String {
    fields(&[
        ("operator", text(value, "id")),
        ("login", text(value, "login")),
        ("name", text(value, "display_name")),
        ("status", text(value, "status")),
        ("role", text(value, "role")),
        ("added", names(&value["added"]).join(" ")),
        ("removed", names(&value["removed"]).join(" ")),
        ("may", names(&value["effective"]).join(" ")),
        ("sees", text(value, "reach")),
        ("routers", names(&value["routers"]).join(" ")),
        ("sites", names(&value["sites"]).join(" ")),
    ])
}

impl Invite {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let body = json!({
            "login": self.login, "display_name": self.name, "role": self.role, "added": self.added, "removed": self.removed,
            "reach": self.reach,
        });
        let answer = client.send(Call::post(INVITATION.list).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            let command = format!("mastwire-controller accept {}", text(value, "token"));
            fields(&[
                ("invitation", text(value, "id")),
                ("accept by page", text(value, "url")),
                ("accept by command", command),
                ("until", time(value, "expires_at")),
            ])
        }))
    }
}

impl People {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Invite(new) => new.run(client).await,
            Self::Invitations(page) => list_invitations(client, &page).await,
            Self::Withdraw { invitation } => {
                let id = client.id_of(&INVITATION, &invitation).await?;
                client.done(Call::delete(["invitations", &id]), &format!("the invitation of `{invitation}` is withdrawn")).await
            }
            Self::List(page) => {
                let columns = [
                    words("LOGIN", |item| text(item, "login")),
                    words("NAME", |item| text(item, "display_name")),
                    words("ROLE", |item| text(item, "role")),
                    words("SEES", |item| text(item, "reach")),
                    words("STATUS", |item| text(item, "status")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(OPERATOR.list), &page, &columns, &[]).await
            }
            Self::Show(Who { operator }) => {
                let id = client.id_of(&OPERATOR, &operator).await?;
                let answer = client.send(Call::get(["operators", &id])).await?;
                Ok(client.show(&answer, details))
            }
            Self::Change(change) => change.run(client).await,
            Self::Assign { operator, routers, sites } => assign(client, &operator, &routers, &sites).await,
            Self::Remove(Who { operator }) => {
                let id = client.id_of(&OPERATOR, &operator).await?;
                client.done(Call::delete(["operators", &id]), &format!("`{operator}` serves the ISP no more")).await
            }
            Self::Reset(Who { operator }) => {
                let id = client.id_of(&OPERATOR, &operator).await?;
                let answer = client.send(Call::post(["operators", &id, "reset"])).await?;
                Ok(client.show(&answer, reset_link))
            }
            Self::Logins { operator, page } => {
                let id = client.id_of_some(&OPERATOR, operator.as_deref()).await?;
                let columns = [
                    words("WHO", |item| text(item, "operator")),
                    words("SINCE", |item| time(item, "created_at")),
                    words("SEEN", |item| time(item, "seen_at")),
                    words("FROM", |item| text(item, "address")),
                    words("WITH", |item| text(item, "user_agent")),
                    words("ID", |item| text(item, "id")),
                ];
                client
                    .list(Call::get(["login-sessions"]).query("operator", id), &page, &columns, &[("operator", &OPERATOR)])
                    .await
            }
            Self::EndLogin { id } => client.done(Call::delete(["login-sessions", &id]), "the login has ended").await,
        }
    }
}

async fn list_invitations(client: &Client, page: &PageArgs) -> anyhow::Result<String> {
    let columns = [
        words("FOR", |item| text(item, "login")),
        words("ROLE", |item| text(item, "role")),
        words("STATE", |item| text(item, "state")),
        words("BY", |item| text(item, "created_by")),
        words("UNTIL", |item| time(item, "expires_at")),
        words("ID", |item| text(item, "id")),
    ];
    client.list(Call::get(INVITATION.list), page, &columns, &[]).await
}

async fn assign(client: &Client, operator: &str, routers: &[String], sites: &[String]) -> anyhow::Result<String> {
    let id = client.id_of(&OPERATOR, operator).await?;
    let (mut router_ids, mut site_ids) = (Vec::new(), Vec::new());
    for router in routers {
        router_ids.push(client.id_of(&ROUTER, router).await?);
    }
    for site in sites {
        site_ids.push(site_id(client, site).await?);
    }
    let body = json!({ "routers": router_ids, "sites": site_ids });
    let answer = client.send(Call::put(["operators", &id, "assignments"]).json(&body)).await?;
    Ok(client.show(&answer, details))
}

/// Access for programs
#[derive(Debug, Subcommand)]
pub(super) enum Tokens {
    /// Makes a token, which is shown this once
    #[command(after_help = "Examples:\n  mastwire-controller token create billing-export --role viewer\n  \
        mastwire-controller token create paywall --role staff --only payments.take --only customers.read")]
    Create {
        /// What it is for
        name: String,
        /// What it may do
        #[arg(long, value_parser = ROLES)]
        role: String,
        /// Exactly this permission instead of the role's; can be given several times
        #[arg(long = "only", value_name = "PERMISSION")]
        permissions: Vec<String>,
        /// When it ends by itself, such as 2026-12-31T23:59:00Z
        #[arg(long, value_parser = moment, value_name = "TIME")]
        until: Option<Timestamp>,
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
            Self::Create { name, role, permissions, until } => {
                let mut body = json!({ "name": name, "role": role, "expires_at": until });
                if !permissions.is_empty() {
                    body["permissions"] = json!(permissions);
                }
                let answer = client.send(Call::post(TOKEN.list).json(&body)).await?;
                Ok(client.show(&answer, |value| {
                    fields(&[("id", text(value, "id")), ("token, shown this once", text(value, "token"))])
                }))
            }
            Self::List(page) => {
                let columns = [
                    words("NAME", |item| text(item, "name")),
                    words("ROLE", |item| text(item, "role")),
                    words("SINCE", |item| time(item, "created_at")),
                    words("UNTIL", |item| time(item, "expires_at")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_not_removed_any_more() {
        let now = json!({ "added": ["data.export"], "removed": ["routers.write"] });
        let said = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (added, removed) = overrides(&now, false, &said(&["routers.write"]), &said(&["data.export"]));
        assert_eq!((added, removed), (json!(["routers.write"]), json!(["data.export"])));
        let (added, removed) = overrides(&now, true, &said(&["jobs.read"]), &[]);
        assert_eq!((added, removed), (json!(["jobs.read"]), json!([])));
    }
}
