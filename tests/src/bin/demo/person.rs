//! Somebody at a terminal, with a login of their own.

use crate::process::clean;
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// Far longer than any command takes.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// Somebody who uses the command line and the API.
#[derive(Debug)]
pub struct Person {
    /// The name they log in with.
    pub login: String,
    /// Their password.
    pub password: String,
    program: PathBuf,
    url: String,
    folder: PathBuf,
    token: String,
    http: reqwest::Client,
}

impl Person {
    /// Sits down at a terminal of their own.
    pub fn new(login: &str, program: &Path, url: &str, folder: PathBuf) -> anyhow::Result<Self> {
        Ok(Self {
            login: login.to_owned(),
            password: format!("the demo's {login}"),
            program: program.to_owned(),
            url: url.to_owned(),
            folder,
            token: String::new(),
            http: reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(COMMAND_LIMIT).build()?,
        })
    }

    /// Sets the password by a one-time token and logs in.
    pub async fn arrive(&mut self, setup_token: &str) -> anyhow::Result<()> {
        let password = format!("{}\n", self.password);
        self.type_in(&["setup", setup_token], &password).await?;
        let answer = self.type_in(&["login", &self.login], &password).await?;
        self.token = answer["token"].as_str().context("a login without a token")?.to_owned();
        Ok(())
    }

    /// Runs a command; returns what the API answered.
    pub async fn run(&self, words: &[&str]) -> anyhow::Result<Value> {
        self.type_in(words, "").await
    }

    /// Runs a command that reads a line, such as a password.
    pub async fn type_in(&self, words: &[&str], input: &str) -> anyhow::Result<Value> {
        let output = self.start(words, input).await?;
        ensure!(output.status.success(), "`{}` failed: {}", named(words), String::from_utf8_lossy(&output.stderr).trim());
        if output.stdout.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("`{}` printed no JSON", named(words)))
    }

    /// Runs a command that has to be refused; returns what it says.
    pub async fn refused(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.start(words, "").await?;
        if output.status.success() {
            bail!("`{}` was done, but should have been refused", named(words));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        // The request's id, by which the controller's log finds it, stands on a line of its own.
        let lines = said.trim().trim_start_matches("error: ").lines().map(str::trim).filter(|line| !line.starts_with("request "));
        Ok(lines.collect::<Vec<_>>().join(" "))
    }

    async fn start(&self, words: &[&str], input: &str) -> anyhow::Result<Output> {
        let mut command = tokio::process::Command::from(clean(&self.program));
        command.args(words).arg("--json").env("XDG_CONFIG_HOME", &self.folder).env("MASTWIRE_URL", &self.url);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let run = async {
            let mut child = command.spawn()?;
            let mut stdin = child.stdin.take().expect("it is piped");
            // A command that reads nothing may have ended by now.
            let _unread = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
            child.wait_with_output().await
        };
        let ended = tokio::time::timeout(COMMAND_LIMIT, run).await;
        ended
            .with_context(|| format!("`{}` did not end", named(words)))?
            .with_context(|| format!("`{}` did not run", named(words)))
    }

    /// Sends a request to the API itself; returns the status and the answer.
    pub async fn request(&self, method: reqwest::Method, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let mut request = self.http.request(method, format!("{}/api/v1/{path}", self.url)).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(body).header("idempotency-key", format!("demo-{}", path.replace('/', "-")));
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? }))
    }
}

/// The command without what it is done to: a one-time token may be among the words.
fn named(words: &[&str]) -> String {
    words.iter().take(2).filter(|word| word.len() < 24).copied().collect::<Vec<_>>().join(" ")
}
