//! Talks to the controller's API, as any other program would.

use super::login::SavedLogin;
use super::operators::OPERATOR;
use super::table::{Column, one_line, several_lines, table};
use super::units::text;
use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::future::ready;
use futures_util::stream::{self, StreamExt as _};
use model::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// Where the controller is when nobody says otherwise.
const URL_DEFAULT: &str = "http://127.0.0.1:8080";
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The controller answers within 60 s, whatever a router does.
const ANSWER_LIMIT: Duration = Duration::from_secs(75);
/// The longest a download may take.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(4 * 3600);
/// Answers larger than this are not ours: 10,000 rows of a CSV import are 2 MiB.
const ANSWER_MAX_BYTES: usize = 32 << 20;
/// Items of a page when a name is looked for.
const FIND_PAGE: &str = "200";
/// Pages that are looked through for a name.
const FIND_PAGES_MAX: usize = 100;
/// Names that are looked up at the same time.
const LOOKUPS_AT_ONCE: usize = 8;

/// Which controller, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// The controller's address; that of the last login, else http://127.0.0.1:8080
    #[arg(long, global = true, env = "MASTWIRE_URL", value_name = "URL")]
    url: Option<String>,
    /// A token to use instead of the last login; better by the variable, as other users of the machine can see arguments
    #[arg(long, global = true, env = "MASTWIRE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<Secret<String>>,
    /// Send passwords and tokens without encryption to another machine
    #[arg(long, global = true)]
    insecure_http: bool,
    /// Print the API's answer as it came
    #[arg(long, global = true)]
    json: bool,
}

impl Connection {
    /// Says whether JSON is wanted instead of text for people.
    pub(super) const fn wants_json(&self) -> bool {
        self.json
    }
}

/// Which part of a list is shown.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// At most so many items, 1 to 200
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u16,
    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl PageArgs {
    /// Asks for this part of a list.
    pub(super) fn of<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.query("limit", Some(self.limit.to_string())).query("cursor", self.cursor.clone())
    }
}

/// Why the API did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The API said so.
    #[error("{0}")]
    Refused(Refusal),
    /// Nothing was sent.
    #[error("{url} cannot be reached: is the controller running, and is this its address?")]
    Unreachable {
        url: Url,
        #[source]
        source: reqwest::Error,
    },
    /// It may have been done or not.
    #[error("no whole answer came from {url}")]
    Lost {
        url: Url,
        #[source]
        source: reqwest::Error,
    },
    /// Something else answers there.
    #[error("{url} answers with HTTP status {status}, but not as a Mastwire controller: is the address right?")]
    Foreign { url: Url, status: u16 },
}

impl ApiError {
    /// Says whether the API refused with a problem of a kind.
    pub(super) fn is_kind(&self, kind: &str) -> bool {
        let Self::Refused(refusal) = self else { return false };
        refusal.body["type"].as_str().and_then(|text| text.strip_prefix("urn:mastwire:problem:")) == Some(kind)
    }

    /// Says whether the request may have been carried out all the same.
    pub(super) fn leaves_doubt(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.status >= 500,
            Self::Foreign { status, .. } => *status >= 500,
            Self::Unreachable { .. } => false,
            Self::Lost { .. } => true,
        }
    }
}

/// A problem as the API described it (RFC 9457).
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    body: Value,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |field: &str| several_lines(self.body[field].as_str().unwrap_or_default());
        write!(f, "{}: {}", text("title"), text("detail"))?;
        let faults = self.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        // One fault is the detail already.
        for fault in faults.iter().filter(|_| faults.len() > 1) {
            let text = |field: &str| one_line(fault[field].as_str().unwrap_or_default());
            write!(f, "\n  {}: {}", text("field"), text("message"))?;
        }
        if self.status == 401 {
            write!(f, "\n  log in with: mastwire-controller login NAME")?;
        }
        match text("instance") {
            id if id.is_empty() => Ok(()),
            id => write!(f, "\n  request {id}"),
        }
    }
}

/// One request, put together step by step.
#[derive(Debug)]
pub(super) struct Call<'a> {
    method: Method,
    path: Vec<&'a str>,
    query: Vec<(&'a str, String)>,
    body: Option<(&'static str, Vec<u8>)>,
    key: Option<&'a str>,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: impl Into<Vec<&'a str>>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None, key: None }
    }

    /// Reads something. Each part of the path is one step below `/api/v1`.
    pub(super) fn get(path: impl Into<Vec<&'a str>>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Makes or does something.
    pub(super) fn post(path: impl Into<Vec<&'a str>>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Replaces something.
    pub(super) fn put(path: impl Into<Vec<&'a str>>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// Changes a part of something.
    pub(super) fn patch(path: impl Into<Vec<&'a str>>) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// Removes something.
    pub(super) fn delete(path: impl Into<Vec<&'a str>>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Adds a parameter, if there is a value.
    pub(super) fn query(mut self, name: &'a str, value: Option<String>) -> Self {
        self.query.extend(value.map(|value| (name, value)));
        self
    }

    /// Adds a JSON body.
    pub(super) fn json(mut self, body: &Value) -> Self {
        self.body = Some(("application/json", body.to_string().into_bytes()));
        self
    }

    /// Adds a CSV file.
    pub(super) fn csv(mut self, file: Vec<u8>) -> Self {
        self.body = Some(("text/csv", file));
        self
    }

    /// Makes a money write repeatable.
    pub(super) fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }
}

/// What the API answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// As it came.
    pub text: String,
    /// As data; null when nothing came.
    pub value: Value,
}

/// A kind of thing that people call by name.
pub(super) struct Noun {
    /// What its ids begin with.
    pub prefix: &'static str,
    /// What it is called.
    pub word: &'static str,
    /// Its list's path.
    pub list: &'static [&'static str],
    /// The field with its name.
    pub name: &'static str,
    /// The list's parameter that narrows it down to a name, if it has one.
    pub search: Option<&'static str>,
}

/// The id of the person in an actor's label, such as `operator:opr_…`; an API token or a part of the controller is none.
fn person(label: &Value) -> Option<&str> {
    label.as_str()?.strip_prefix("operator:").filter(|id| is_id(OPERATOR.prefix, id))
}

/// Fields that hold ids, with what they are ids of.
pub(super) type Named<'a> = &'a [(&'a str, &'a Noun)];

/// A way to the API.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret<String>>,
    json: bool,
}

impl Client {
    /// Gets ready to talk to the controller that was named, or that was logged in to last.
    ///
    /// # Errors
    /// When its address is none, or passwords would go to another machine without encryption.
    pub(super) fn new(connection: Connection, saved: Option<&SavedLogin>) -> anyhow::Result<Self> {
        let json = connection.json;
        let (base, token) = choose(connection, saved)?;
        let mut builder = reqwest::Client::builder()
            // A redirect would carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT);
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        if base.scheme() == "http" {
            // Certificates are not needed then, and a machine that has none must not be refused.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().context("the HTTP client cannot start")?;
        Ok(Self { http, base, token, json })
    }

    /// Says whether JSON is wanted instead of text for people.
    pub(super) const fn wants_json(&self) -> bool {
        self.json
    }

    /// Returns the controller's address.
    pub(super) const fn url(&self) -> &Url {
        &self.base
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    ///
    /// # Cancel safety
    /// Not cancel safe: the request may have been carried out.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Answer, ApiError> {
        let response = self.request(call).await?;
        self.read(response).await
    }

    /// Sends a request whose answer may be long, and hands it over piece by piece.
    ///
    /// # Errors
    /// When the API refuses, the answer breaks off, or `take` refuses a piece.
    ///
    /// # Cancel safety
    /// Not cancel safe: pieces have been handed over.
    pub(super) async fn download(&self, call: Call<'_>, mut take: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let request = self.build(call).timeout(DOWNLOAD_LIMIT);
        let mut response = request.send().await.map_err(|error| self.transport(error))?;
        if !response.status().is_success() {
            self.read(response).await?;
            bail!("{} sent something else than was asked for", self.base);
        }
        while let Some(piece) = response.chunk().await.map_err(|error| self.transport(error))? {
            take(&piece)?;
        }
        Ok(())
    }

    async fn request(&self, call: Call<'_>) -> Result<reqwest::Response, ApiError> {
        self.build(call).send().await.map_err(|error| self.transport(error))
    }

    fn build(&self, call: Call<'_>) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("only http and https are let in").pop_if_empty().extend(["api", "v1"]).extend(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.http.request(call.method, url);
        if let Some(mut value) =
            self.token.as_ref().and_then(|token| HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok())
        {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(key) = call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some((kind, body)) = call.body {
            request = request.header(CONTENT_TYPE, kind).body(body);
        }
        request
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Answer, ApiError> {
        let status = response.status();
        let foreign = || ApiError::Foreign { url: self.base.clone(), status: status.as_u16() };
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(error))? {
            if bytes.len() + chunk.len() > ANSWER_MAX_BYTES {
                return Err(foreign());
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(bytes).map_err(|_| foreign())?;
        let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).map_err(|_| foreign())? };
        if status.is_success() {
            Ok(Answer { text, value })
        } else if value["type"].as_str().is_some_and(|kind| kind.starts_with("urn:mastwire:problem:")) {
            Err(ApiError::Refused(Refusal { status: status.as_u16(), body: value }))
        } else {
            Err(foreign())
        }
    }

    /// Writes an answer that is a file to a path, bit by bit; returns how many bytes it has. A file that is there is replaced, once all is
    /// there.
    ///
    /// # Errors
    /// When the API refuses or breaks off, or the file cannot be written.
    ///
    /// # Cancel safety
    /// A part of the file may be left beside it, with the ending `.part`.
    pub(super) async fn save(&self, call: Call<'_>, path: &Path) -> anyhow::Result<u64> {
        let mut response = self.request(call).await?;
        if !response.status().is_success() {
            let Err(refused) = self.read(response).await else { unreachable!("only a success is read as one") };
            return Err(refused.into());
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let mut file = File::create(&part).with_context(|| format!("{} cannot be written", path.display()))?;
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(error))? {
            file.write_all(&chunk).with_context(|| format!("{} cannot be written", path.display()))?;
            bytes += u64::try_from(chunk.len()).expect("a chunk fits into memory");
        }
        file.sync_all()
            .and_then(|()| std::fs::rename(&part, path))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(bytes)
    }

    fn transport(&self, error: reqwest::Error) -> ApiError {
        let (url, unreachable, source) = (self.base.clone(), error.is_connect(), error.without_url());
        if unreachable { ApiError::Unreachable { url, source } } else { ApiError::Lost { url, source } }
    }

    /// Returns the answer as it came when JSON was asked for, else as `readable` writes it.
    pub(super) fn show(&self, answer: &Answer, readable: impl FnOnce(&Value) -> String) -> String {
        let text = if self.json { answer.text.clone() } else { readable(&answer.value) };
        if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
    }

    /// Sends a request whose answer needs no more than a sentence.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub(super) async fn done(&self, call: Call<'_>, sentence: &str) -> anyhow::Result<String> {
        let answer = self.send(call).await?;
        Ok(self.show(&answer, |_| one_line(sentence)))
    }

    /// Reads one page of a list and shows it as a table, with names in place of the ids in `named`.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub(super) async fn list(
        &self,
        call: Call<'_>,
        page: &PageArgs,
        columns: &[Column],
        named: Named<'_>,
    ) -> anyhow::Result<String> {
        let call = page.of(call);
        let answer = self.named(self.send(call).await?, named).await;
        Ok(self.show(&answer, |value| {
            let mut text = table(columns, items(value));
            if let Some(next) = value["next"].as_str() {
                text.push_str(&one_line(&format!("there are more; add: --cursor {next}")));
            }
            text
        }))
    }

    /// Puts names in place of ids, in an item or in a list's items, for people. An id whose name may not be read stays.
    pub(super) async fn named(&self, mut answer: Answer, named: Named<'_>) -> Answer {
        if self.json {
            return answer;
        }
        let mut shown: Vec<&mut Value> = match &mut answer.value {
            Value::Object(fields) if fields.get("items").is_some_and(Value::is_array) => {
                fields["items"].as_array_mut().into_iter().flatten().collect()
            }
            item => vec![item],
        };
        for (field, noun) in named {
            let ids = shown.iter().filter_map(|item| item[*field].as_str());
            let names = self.names(noun, ids.map(str::to_owned).collect()).await;
            for item in &mut shown {
                if let Some(name) = item[*field].as_str().and_then(|id| names.get(id)) {
                    item[*field] = Value::String(name.clone());
                }
            }
        }
        // Who did something stands in many fields; it is a person wherever it looks like one.
        let people = shown.iter().flat_map(|item| item.as_object().into_iter().flatten()).filter_map(|(_, value)| person(value));
        let names = self.names(&OPERATOR, people.map(str::to_owned).collect()).await;
        for value in shown.iter_mut().flat_map(|item| item.as_object_mut().into_iter().flatten()).map(|(_, value)| value) {
            if let Some(name) = person(value).and_then(|id| names.get(id)) {
                *value = Value::String(name.clone());
            }
        }
        answer
    }

    /// Reads the names of some ids; those that may not be read are left out.
    async fn names(&self, noun: &Noun, ids: BTreeSet<String>) -> BTreeMap<String, String> {
        let lookups = ids.into_iter().map(|id| async {
            let path: Vec<&str> = noun.list.iter().copied().chain([id.as_str()]).collect();
            let found = self.send(Call::get(path)).await.ok()?;
            let name = found.value[noun.name].as_str()?.to_owned();
            Some((id, name))
        });
        stream::iter(lookups).buffer_unordered(LOOKUPS_AT_ONCE).filter_map(ready).collect().await
    }

    /// Returns the id of what is called by this name; an id is taken as it is.
    ///
    /// # Errors
    /// When there is none of that name, or the API does not answer.
    pub(super) async fn id_of(&self, noun: &Noun, name: &str) -> anyhow::Result<String> {
        let found = self.find(noun, name).await?;
        found.with_context(|| format!("there is no {} named `{}`", noun.word, one_line(name)))
    }

    /// Like [`Self::id_of`], where there may be none of that name.
    ///
    /// # Errors
    /// When there are too many to look through, or the API does not answer.
    pub(super) async fn find(&self, noun: &Noun, name: &str) -> anyhow::Result<Option<String>> {
        if is_id(noun.prefix, name) {
            return Ok(Some(name.to_owned()));
        }
        let mut cursor = None;
        for _ in 0..FIND_PAGES_MAX {
            let search = noun.search.map(|_| name.to_owned());
            let call = Call::get(noun.list).query(noun.search.unwrap_or_default(), search);
            let page = self.send(call.query("limit", Some(FIND_PAGE.to_owned())).query("cursor", cursor)).await?.value;
            let found = items(&page).iter().find(|item| text(item, noun.name) == name && is_live(item));
            if let Some(id) = found.and_then(|item| item["id"].as_str()) {
                return Ok(Some(id.to_owned()));
            }
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(None);
            }
        }
        bail!("there are too many of them to find `{}` by name: give the {}'s id", one_line(name), noun.word)
    }

    /// Like [`Self::id_of`], where a name may be left out.
    ///
    /// # Errors
    /// When there is none of that name, or the API does not answer.
    pub(super) async fn id_of_some(&self, noun: &Noun, name: Option<&str>) -> anyhow::Result<Option<String>> {
        match name {
            Some(name) => self.id_of(noun, name).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Decides where requests go, and with which token.
fn choose(connection: Connection, saved: Option<&SavedLogin>) -> anyhow::Result<(Url, Option<Secret<String>>)> {
    // An empty variable means that there is none.
    let url = connection.url.filter(|url| !url.is_empty());
    let url = url.or_else(|| saved.map(|saved| saved.url.clone())).unwrap_or_else(|| URL_DEFAULT.to_owned());
    let base = base_url(&url)?;
    if base.scheme() == "http" && !is_loopback(&base) && !connection.insecure_http {
        bail!(
            "{base} is another machine and the connection is not encrypted: anybody on the way could take over the account. \
             Use https, or add --insecure-http"
        );
    }
    // A login's token is for the controller that gave it, and for no other.
    let saved = saved.filter(|saved| saved.is_for(&base)).map(|saved| saved.token.clone());
    let token = connection.token.filter(|token| !token.expose().is_empty()).or(saved);
    Ok((base, token))
}

/// Returns a list's items.
pub(super) fn items(value: &Value) -> &[Value] {
    value["items"].as_array().map_or(&[], Vec::as_slice)
}

/// Names of what has ended may be in use again.
fn is_live(item: &Value) -> bool {
    ["retired_at", "revoked_at", "removed_at"].iter().all(|end| item[*end].is_null()) && item["status"] != "terminated"
}

fn is_id(prefix: &str, text: &str) -> bool {
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Reads the address of a controller.
pub(super) fn base_url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.with_context(|| format!("`{}` is no address: write one that starts with https://", one_line(text)))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn connection(url: &str) -> Connection {
        Connection { url: Some(url.to_owned()), token: None, insecure_http: false, json: false }
    }

    #[test]
    fn only_loopback_goes_without_encryption() {
        let url = |text: &str| base_url(text).expect("an address");
        for local in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "http://127.1.2.3"] {
            assert!(is_loopback(&url(local)), "{local}");
        }
        for other in ["http://192.0.2.1", "http://127.0.0.1.example", "http://localhost.example", "http://[2001:db8::1]"] {
            assert!(!is_loopback(&url(other)), "{other}");
            assert!(choose(connection(other), None).is_err(), "{other}");
        }
        assert!(choose(Connection { insecure_http: true, ..connection("http://192.0.2.1") }, None).is_ok());
        assert!(base_url("isp.example").is_err() && base_url("ftp://isp.example").is_err());
    }

    #[test]
    fn a_saved_token_goes_to_its_own_controller_alone() {
        let saved =
            SavedLogin { url: "http://127.0.0.1:8080/".to_owned(), login: "ann".to_owned(), token: Secret::new("t".to_owned()) };
        let has_token = |connection| choose(connection, Some(&saved)).expect("good").1.is_some();
        assert!(has_token(connection("")) && has_token(connection("http://127.0.0.1:8080")));
        assert!(!has_token(connection("http://127.0.0.1:8081")) && !has_token(connection("http://localhost:8080")));
        assert!(has_token(Connection { token: Some(Secret::new("u".to_owned())), ..connection("http://127.0.0.1:8081") }));
    }

    #[test]
    fn problems_are_told_whole() {
        let refusal = |status, body| Refusal { status, body }.to_string();
        expect![[r#"
            The request is not valid: two fields are wrong
              name: write one
              price: too low
              request req_1"#]]
        .assert_eq(&refusal(
            400,
            json!({ "title": "The request is not valid", "detail": "two fields are wrong", "instance": "req_1",
                    "errors": [{ "field": "name", "message": "write one" }, { "field": "price", "message": "too low" }] }),
        ));
        expect![[r#"
            A valid credential is needed: the token is not valid
              log in with: mastwire-controller login NAME"#]]
        .assert_eq(&refusal(401, json!({ "title": "A valid credential is needed", "detail": "the token is not valid" })));
    }

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_id("rtr", "rtr_0123456789abcdef0123456789abcdef"));
        for name in ["rtr_1", "cus_0123456789abcdef0123456789abcdef", "rtr_0123456789abcdef0123456789abcde/", "mast"] {
            assert!(!is_id("rtr", name), "{name}");
        }
    }
}
