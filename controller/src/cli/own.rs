//! What belongs to a person: password, second factor, logins.

use super::client::{Call, Client, PageArgs};
use super::password;
use super::table::{fields, words};
use super::units::{text, time};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Changes your password; all your other logins end. The present one and the new one are asked for, or read as two lines when piped.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mastwire-controller password")]
pub(super) struct Password;

impl Password {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let old = password::ask()?;
        let new = password::ask_new()?;
        let body = json!({ "old_password": old.expose(), "new_password": new.expose() });
        client.done(Call::post(["me", "password"]).json(&body), "the password is changed; other logins of yours have ended").await
    }
}

/// Your second factor: an authenticator's codes beside the password
#[derive(Debug, Subcommand)]
pub(super) enum SecondFactor {
    /// Shows whether it is in force, and how many recovery codes are left
    #[command(after_help = "Example:\n  mastwire-controller second-factor show")]
    Show,
    /// Makes the secret for an authenticator; it counts once confirmed
    #[command(after_help = "Example:\n  mastwire-controller second-factor begin")]
    Begin,
    /// Puts it in force with the code that the authenticator shows; prints the recovery codes, this once
    #[command(after_help = "Example:\n  mastwire-controller second-factor confirm 123456")]
    Confirm {
        /// The six digits
        code: String,
    },
    /// Gives it up
    #[command(after_help = "Example:\n  mastwire-controller second-factor disable")]
    Disable,
}

impl SecondFactor {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let path = ["me", "second-factor"];
        match self {
            Self::Show => {
                let answer = client.send(Call::get(path)).await?;
                Ok(client.show(&answer, |value| {
                    let in_force = if value["in_force"] == true { "yes" } else { "no" };
                    fields(&[("in force", in_force.to_owned()), ("recovery codes left", text(value, "recovery_codes"))])
                }))
            }
            Self::Begin => {
                let password = password::ask()?;
                let answer = client.send(Call::post(path).json(&json!({ "password": password.expose() }))).await?;
                Ok(client.show(&answer, |value| {
                    let next = "mastwire-controller second-factor confirm CODE".to_owned();
                    fields(&[("secret", text(value, "secret")), ("as a link", text(value, "otpauth_url")), ("then", next)])
                }))
            }
            Self::Confirm { code } => {
                let answer = client.send(Call::post(["me", "second-factor", "confirm"]).json(&json!({ "code": code }))).await?;
                Ok(client.show(&answer, recovery_codes))
            }
            Self::Disable => {
                let password = password::ask()?;
                let call = Call::post(["me", "second-factor", "disable"]).json(&json!({ "password": password.expose() }));
                client.done(call, "the second factor is given up").await
            }
        }
    }
}

fn recovery_codes(value: &Value) -> String {
    let mut told = "the second factor is in force; each of these logs in once in its place, and is not shown again:\n".to_owned();
    for code in value["recovery_codes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        writeln!(told, "  {code}").expect("a string takes everything");
    }
    told
}

/// Your logins to the ISP that this one is for
#[derive(Debug, Subcommand)]
pub(super) enum Logins {
    /// Lists them
    #[command(after_help = "Example:\n  mastwire-controller logins list")]
    List(PageArgs),
    /// Ends one of them
    #[command(after_help = "Example:\n  mastwire-controller logins end lgn_0190163d8694739b8fd74dd02ebd3dc4")]
    End {
        /// Its id
        id: String,
    },
    /// Ends all but the one that is used
    #[command(after_help = "Example:\n  mastwire-controller logins end-others")]
    EndOthers,
}

impl Logins {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List(page) => {
                let columns = [
                    words("SINCE", |item| time(item, "created_at")),
                    words("SEEN", |item| time(item, "seen_at")),
                    words("FROM", |item| text(item, "address")),
                    words("WITH", |item| text(item, "user_agent")),
                    words("", |item| if item["current"] == true { "this one" } else { "" }.to_owned()),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(["me", "sessions"]), &page, &columns, &[]).await
            }
            Self::End { id } => client.done(Call::delete(["me", "sessions", &id]), "the login has ended").await,
            Self::EndOthers => {
                let answer = client.send(Call::post(["me", "sessions", "end-others"])).await?;
                Ok(client.show(&answer, |value| format!("{} other logins have ended", text(value, "ended"))))
            }
        }
    }
}
