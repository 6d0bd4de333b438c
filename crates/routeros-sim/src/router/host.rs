//! The device as the console sees it.

use super::{RunId, plain};
use crate::console::{Call, Element, Globals, Host, Menus, Node, Reply, Row, ScriptError, Value};
use crate::device::{Device, Output, Request, Session, text};
use jiff::Timestamp;
use routeros::catalogue::{self, Access, Menu, Shape};
use std::collections::VecDeque;

/// A file that a script wants fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The script that waits.
    pub run: RunId,
    /// From where.
    pub url: String,
    /// The method, in small letters.
    pub method: String,
    /// Headers by name.
    pub headers: Vec<(String, String)>,
    /// The body to send.
    pub data: Option<String>,
    /// Whether the server's certificate is checked.
    pub check_certificate: bool,
    output: String,
    file: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body.
    pub body: Vec<u8>,
}

impl Fetch {
    fn read(run: RunId, call: Call<'_>) -> Result<Self, ScriptError> {
        let given = |name: &str| call.arg(name).map(Value::text);
        let url = given("url").ok_or("missing value(s) of argument(s) url")?;
        let headers = given("http-header-field").unwrap_or_default();
        let header = |line: &str| line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        let name = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or_default().to_owned();
        let output = given("output").unwrap_or_else(|| "file".to_owned());
        let file = given("dst-path").or_else(|| (output == "file").then_some(name)).filter(|file| !file.is_empty());
        Ok(Self {
            run,
            url,
            method: given("http-method").unwrap_or_else(|| "get".to_owned()),
            headers: headers.split(',').filter_map(header).collect(),
            data: given("http-data"),
            check_certificate: given("check-certificate").is_some_and(|check| check.starts_with("yes")),
            output,
            file,
        })
    }

    /// Puts the body where the script wants it, and gives the command's value.
    pub(super) fn keep(&self, device: &mut Device, fetched: Fetched, now: Timestamp) -> Value {
        let body = text::from_bytes(&fetched.body);
        if let Some(file) = &self.file {
            let session = Session::console();
            let remove = Request::new("/file", "remove").arg("numbers", file);
            // A file of that name is overwritten; none there is as good.
            let _absent = device.execute(&session, &remove, now);
            device.store_file(file, &body);
        }
        let mut fields = vec![Element { key: Some("status".to_owned()), value: Value::Str("finished".to_owned()) }];
        if self.output.starts_with("user") {
            fields.push(Element { key: Some("data".to_owned()), value: Value::Str(text::readable(&body)) });
        }
        Value::Array(fields)
    }
}

/// A device, and who sits at its console.
pub(super) struct ConsoleHost<'a> {
    pub(super) device: &'a mut Device,
    pub(super) session: &'a Session,
    pub(super) globals: &'a mut Globals,
    pub(super) output: &'a mut Vec<String>,
    pub(super) fetches: &'a mut VecDeque<Fetch>,
    pub(super) run: RunId,
    pub(super) now: Timestamp,
}

impl ConsoleHost<'_> {
    fn known(&self, path: &str) -> Option<&'static Menu> {
        self.device.menu(path).ok()
    }

    fn execute(&mut self, request: &Request) -> Result<Output, ScriptError> {
        self.device.execute(self.session, request, self.now).map_err(|trap| ScriptError(trap.message))
    }

    /// Turns a row's number, as a print shows it, into its id. The API knows ids only.
    fn numbered(&self, path: &str, text: String) -> String {
        let row = text.parse::<usize>().ok().and_then(|number| self.device.rows(path).nth(number));
        row.map_or(text, |row| row.id.to_string())
    }

    fn get(&mut self, call: Call<'_>) -> Result<Value, ScriptError> {
        let mut request = Request::new(call.path, "print").arg("show-sensitive", "yes");
        let single = self.known(call.path).is_some_and(|menu| menu.shape == Shape::Singleton);
        if !single {
            let id = call.arg("numbers").map(Value::argument).filter(|id| !id.is_empty()).ok_or("no such item")?;
            request = request.query(&if id.starts_with('*') { format!(".id={id}") } else { format!("name={id}") });
        }
        let rows = self.execute(&request)?.rows;
        let row = match rows.as_slice() {
            [row] => row,
            _ => return Err("no such item".into()),
        };
        // Where there is nothing to choose from, the one word given is the property.
        let named = call.arg("value-name").or_else(|| call.arg("numbers").filter(|_| single));
        let Some(name) = named.map(Value::text) else {
            let element = |(name, value): &(String, String)| Element { key: Some(name.clone()), value: plain(value) };
            return Ok(Value::Array(row.iter().map(element).collect()));
        };
        let found = row.iter().find(|(key, _)| *key == name).map(|(_, value)| plain(value));
        let known = self.known(call.path).is_some_and(|menu| name == ".id" || menu.arg(&name).is_some());
        match found {
            Some(value) => Ok(value),
            None if known => Ok(Value::Nil),
            None => Err("input does not match any value of value-name".into()),
        }
    }

    fn print(&mut self, call: Call<'_>) -> Result<Value, ScriptError> {
        let rows = self.execute(&Request::new(call.path, "print"))?.rows;
        let single = self.known(call.path).is_some_and(|menu| menu.shape == Shape::Singleton);
        let mut lines = Vec::new();
        for row in rows {
            let id = row.iter().find(|(name, _)| name == ".id").map_or("", |(_, value)| value.as_str());
            if call.only.is_some_and(|only| !only.iter().any(|wanted| wanted == id)) {
                continue;
            }
            let shown: Vec<String> =
                row.iter().filter(|(name, _)| name != ".id").map(|(name, value)| format!("{name}={}", quoted(value))).collect();
            if single {
                lines.extend(shown.iter().map(|pair| format!("  {}", pair.replacen('=', ": ", 1))));
            } else {
                lines.push(format!("{:>3}  {}", lines.len(), shown.join(" ")));
            }
        }
        Ok(Value::Str(lines.join("\n")))
    }
}

fn quoted(value: &str) -> String {
    let plain = !value.is_empty() && !value.contains([' ', '"', ';', '\n', '\r']);
    let text = text::readable(value);
    if plain { text } else { format!("{text:?}") }
}

impl Menus for ConsoleHost<'_> {
    fn node(&self, path: &str, word: &str) -> Option<Node> {
        let joined = format!("{}/{word}", path.trim_end_matches('/'));
        let here = self.known(path).filter(|menu| menu.shape != Shape::Command);
        if let Some(menu) = self.known(&joined) {
            return Some(if menu.shape == Shape::Command { Node::Command } else { Node::Menu });
        }
        if here.is_some_and(|menu| menu.commands.contains(&word) || matches!(word, "find" | "get" | "print")) {
            return Some(Node::Command);
        }
        let below = format!("{joined}/");
        let leads = |menu: &&&Menu| menu.path.starts_with(&below) && self.known(menu.path).is_some();
        catalogue::menus().iter().any(|menu| leads(&menu)).then_some(Node::Menu)
    }

    fn accepts(&self, path: &str, command: &str, name: &str) -> bool {
        let request = Request::new(path, command);
        let Some(menu) = self.known(&request.path) else { return false };
        let writable = |name: &str| {
            menu.arg(name).is_some_and(|arg| arg.access != Access::ReadOnly && arg.versions.contain(self.device.config().version))
        };
        match request.command.as_str() {
            "" | "add" => writable(name),
            "set" => writable(name) || name == "numbers",
            "get" | "unset" => matches!(name, "numbers" | "value-name"),
            "move" => matches!(name, "numbers" | "destination"),
            _ => name == "numbers",
        }
    }
}

impl Host for ConsoleHost<'_> {
    fn command(&mut self, call: Call<'_>) -> Result<Reply, ScriptError> {
        match (call.path, call.command) {
            (_, "get") => return self.get(call).map(Reply::Done),
            (_, "print") => return self.print(call).map(Reply::Done),
            ("/" | "", "import") => {
                let name = call
                    .arg("file-name")
                    .or_else(|| call.args.first().map(|(_, value)| value))
                    .map(Value::text)
                    .unwrap_or_default();
                let file = self.device.find("/file", "name", &name).map(|row| text::readable(row.get("contents")));
                return file.map(Reply::Script).ok_or_else(|| "failure: no such file".into());
            }
            ("/" | "", "export") if call.arg("file").is_none() => {
                let shown = |name: &str| call.arg(name).is_some_and(|value| *value == Value::Bool(true));
                let text = self.device.export(self.session, shown("show-sensitive"), shown("terse"));
                text.map_err(|trap| ScriptError(trap.message))?.lines().for_each(|line| self.output.push(line.to_owned()));
                return Ok(Reply::Done(Value::Nothing));
            }
            ("/tool", "fetch") => {
                self.device.may_fetch(self.session).map_err(|trap| ScriptError(trap.message))?;
                self.fetches.push_back(Fetch::read(self.run, call)?);
                return Ok(Reply::Later);
            }
            _ => {}
        }
        let mut request = Request::new(call.path, call.command);
        for (name, value) in call.args {
            let value = text::from_bytes(value.argument().as_bytes());
            let item = matches!(name.as_str(), "numbers" | "destination" | "place-before");
            let value = if item { self.numbered(call.path, value) } else { value };
            request = request.arg(name, &value);
        }
        for name in call.unset {
            request = request.arg(&format!("!{name}"), "");
        }
        // Acting on nothing is no failure at the console: `remove [find ...]` that finds nothing does nothing.
        let nothing = call.arg("numbers").is_some_and(|numbers| matches!(numbers, Value::Array(ids) if ids.is_empty()));
        if nothing {
            return Ok(Reply::Done(Value::Nothing));
        }
        let output = self.execute(&request)?;
        Ok(Reply::Done(output.ret.map_or(Value::Nothing, Value::Id)))
    }

    fn rows(&mut self, path: &str) -> Result<Vec<Row>, ScriptError> {
        let rows = self.execute(&Request::new(path, "print"))?.rows;
        Ok(rows.into_iter().map(|row| row.into_iter().map(|(name, value)| (name, plain(&value))).collect()).collect())
    }

    fn log(&mut self, topic: &str, message: &str) {
        self.device.log(&format!("script,{topic}"), &text::from_bytes(message.as_bytes()));
    }

    fn put(&mut self, line: &str) {
        self.output.push(line.to_owned());
    }

    fn globals(&mut self) -> &mut Globals {
        self.globals
    }
}
