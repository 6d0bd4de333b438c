//! Logging in and out. The login is kept in a file that only its owner can read.

use super::client::{Answer, Call, Client, base_url};
use super::password;
use super::table::fields;
use super::units::{text, time};
use anyhow::Context as _;
use clap::Args;
use model::Secret;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The last login.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedLogin {
    /// The controller that gave the token.
    pub url: String,
    /// The name that was used.
    pub login: String,
    /// The token.
    pub token: Secret<String>,
}

/// The same, for writing: a secret cannot be serialised by accident.
#[derive(Serialize)]
struct ToSave<'a> {
    url: &'a str,
    login: &'a str,
    token: &'a str,
}

impl SavedLogin {
    /// Reads the last login, if there is one.
    pub(super) fn read() -> anyhow::Result<Option<Self>> {
        let Ok(path) = path() else { return Ok(None) };
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map(Some)
                .with_context(|| format!("{} is not as it was written: log in again after removing it", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// Says whether the controller at an address gave the token.
    pub(super) fn is_for(&self, url: &Url) -> bool {
        base_url(&self.url).is_ok_and(|own| own == *url)
    }

    fn write(&self) -> anyhow::Result<PathBuf> {
        let path = path()?;
        let text = toml::to_string(&ToSave { url: &self.url, login: &self.login, token: self.token.expose() })?;
        keep(&path, &text).with_context(|| format!("the login cannot be kept in {}", path.display()))?;
        Ok(path)
    }

    fn remove() -> anyhow::Result<()> {
        let path = path()?;
        let gone = fs::remove_file(&path);
        gone.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .with_context(|| format!("{} cannot be removed", path.display()))
    }
}

/// Where the login is kept: `$XDG_CONFIG_HOME/mastwire/login.toml`.
fn path() -> anyhow::Result<PathBuf> {
    let folder =
        folder().context("neither XDG_CONFIG_HOME nor HOME is set, so there is no place for the login: use MASTWIRE_TOKEN")?;
    Ok(folder.join("login.toml"))
}

/// The folder with what is kept for the person at this machine: `$XDG_CONFIG_HOME/mastwire`.
pub(super) fn folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("mastwire"))
}

/// Keeps a text in a file that only its owner can read.
///
/// # Errors
/// When it cannot be written; the former file is there then.
pub(super) fn keep(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // Written beside and moved: the file is whole or the former one, and never open to others.
    let beside = path.with_extension("new");
    let gone = fs::remove_file(&beside);
    gone.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&beside, path)
}

/// Logs in with a password, which is asked for, or read as one line when piped.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  mastwire-controller login ann --url https://isp.example\n  mastwire-controller login ann < password.txt"
)]
pub(super) struct Login {
    /// The login name; that of the last login when left out
    login: Option<String>,
    /// The ISP's name, for who serves several
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// The authenticator's code or a recovery code, for who has a second factor; asked for at a terminal
    #[arg(long, value_name = "CODE")]
    code: Option<Secret<String>>,
}

impl Login {
    pub(super) async fn run(self, client: &Client, saved: Option<&SavedLogin>) -> anyhow::Result<String> {
        let login = self
            .login
            .or_else(|| saved.map(|saved| saved.login.clone()))
            .context("say who you are: mastwire-controller login NAME")?;
        let password = password::ask()?;
        let mut body = json!({ "login": login, "password": password.expose(), "tenant": self.tenant });
        let answer = with_code(client, &["login"], &mut body, self.code).await?;
        let new = SavedLogin { url: client.url().to_string(), login, token: Secret::new(text(&answer.value, "token")) };
        let path = new.write()?;
        Ok(client.show(&answer, |value| {
            let place = value["tenant"].as_str().map_or_else(|| "the platform".to_owned(), |tenant| format!("`{tenant}`"));
            format!("logged in to {place} as {} until {}; kept in {}", new.login, time(value, "expires_at"), path.display())
        }))
    }
}

/// Sends a body with a password in it, and once more with the code of the second factor if that turns out to be needed.
async fn with_code(
    client: &Client,
    path: &[&str],
    body: &mut serde_json::Value,
    code: Option<Secret<String>>,
) -> anyhow::Result<Answer> {
    if let Some(code) = &code {
        body["code"] = json!(code.expose());
    }
    match client.send(Call::post(path).json(body)).await {
        Err(error) if error.is_kind("code-wanted") && code.is_none() => {
            let Some(code) = password::ask_for_code()? else { return Err(error.into()) };
            body["code"] = json!(code.expose());
            Ok(client.send(Call::post(path).json(body)).await?)
        }
        answer => Ok(answer?),
    }
}

/// Accepts an invitation to serve an ISP. Who has a login already gives its password; who is new chooses one. It is asked for, or read as one
/// line when piped.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mastwire-controller accept mw_invite_…")]
pub(super) struct Accept {
    /// The token out of the link
    #[arg(value_name = "TOKEN")]
    invitation_token: Secret<String>,
    /// The authenticator's code or a recovery code, for who has a second factor; asked for at a terminal
    #[arg(long, value_name = "CODE")]
    code: Option<Secret<String>>,
}

impl Accept {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let password = password::ask()?;
        let mut body = json!({ "token": self.invitation_token.expose(), "password": password.expose() });
        let answer = with_code(client, &["invitations", "accept"], &mut body, self.code).await?;
        Ok(client.show(&answer, |value| {
            format!("the invitation is accepted; now: mastwire-controller login {}", text(value, "login"))
        }))
    }
}

/// Ends the login.
pub(super) async fn log_out(client: &Client) -> anyhow::Result<String> {
    // The file goes first: if the controller cannot be reached, the token is at least not here any more.
    let ended = client.send(Call::post(["logout"])).await;
    SavedLogin::remove()?;
    ended.context("the login was forgotten here, but the controller could not be told; it ends by itself within 12 hours")?;
    Ok("logged out\n".to_owned())
}

/// Sets a password by a one-time link's token. The password is asked for, or read as one line when piped.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mastwire-controller setup mw_setup_…")]
pub(super) struct Setup {
    /// The token out of the link
    #[arg(value_name = "TOKEN")]
    setup_token: Secret<String>,
}

impl Setup {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let password = password::ask_new()?;
        let body = json!({ "token": self.setup_token.expose(), "password": password.expose() });
        client.done(Call::post(["setup"]).json(&body), "the password is set; now: mastwire-controller login NAME").await
    }
}

/// Says as whom the API is used.
pub(super) async fn who_am_i(client: &Client) -> anyhow::Result<String> {
    let answer = client.send(Call::get(["me"])).await?;
    let tenant = match answer.value["tenant"].as_str() {
        Some(_) => client.send(Call::get(["tenant"])).await?,
        None => Answer { text: String::new(), value: serde_json::Value::Null },
    };
    Ok(client.show(&answer, |value| {
        let list = |value: &serde_json::Value| {
            value.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(" ")
        };
        let second_factor = |value: &serde_json::Value| match value["second_factor"].as_bool() {
            Some(false) => "none; set one up with: mastwire-controller second-factor begin".to_owned(),
            Some(true) => "in force".to_owned(),
            None => String::new(),
        };
        let or_platform = |text: String| if text.is_empty() { "the platform".to_owned() } else { text };
        fields(&[
            ("controller", client.url().to_string()),
            ("actor", text(value, "actor")),
            ("tenant", or_platform(text(&tenant.value, "name"))),
            ("role", text(value, "role")),
            ("sees", text(value, "reach")),
            ("may", list(&value["permissions"])),
            ("on a visit", text(&value["impersonation"], "reason")),
            ("second factor", second_factor(value)),
            ("currency", text(&tenant.value, "currency")),
            ("time zone", text(&tenant.value, "time_zone")),
        ])
    }))
}
