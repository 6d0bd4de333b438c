//! Tests of the console. Goal: what our scripts say means on the simulator what it means on RouterOS, and the rest is refused.
//! Method: scripts run on a small device with real tables; all that it is told, prints and logs is compared line by line.

mod language;
mod menus;
mod modes;
mod random;

use std::collections::BTreeMap;

use super::{Call, Console, Globals, Host, Menus, Node, Reply, Row, ScriptError, Step, Value};

/// The menus with rows, and the arguments that their rows have.
const TABLES: [(&str, &[&str]); 4] = [
    ("/ip/address", &["address", "interface", "comment", "disabled"]),
    ("/interface/wireguard", &["name", "listen-port", "comment", "disabled"]),
    ("/interface/wireguard/peers", &["interface", "public-key", "allowed-address", "comment", "disabled"]),
    ("/ppp/secret", &["name", "password", "profile", "remote-address", "comment", "disabled"]),
];

/// A device with tables; a row's booleans are bools and the rest is text.
#[derive(Default)]
pub(super) struct Device {
    tables: BTreeMap<String, Vec<Row>>,
    last_id: u32,
    globals: Globals,
    scripts: BTreeMap<String, String>,
    /// What it printed, logged and was told.
    pub(super) seen: Vec<String>,
}

impl Menus for Device {
    fn node(&self, path: &str, word: &str) -> Option<Node> {
        let below = format!("{}/{word}", path.trim_end_matches('/'));
        let menus = ["/ip", "/interface", "/ppp", "/system", "/system/identity", "/tool", "/log"];
        if TABLES.iter().any(|(table, _)| *table == below) || menus.contains(&below.as_str()) {
            return Some(Node::Menu);
        }
        let commands: &[&str] = match path {
            "/" => &["import"],
            "/tool" => &["fetch"],
            "/system/identity" => &["get", "set"],
            path if TABLES.iter().any(|(table, _)| *table == path) => {
                &["add", "set", "remove", "get", "find", "print", "enable", "disable"]
            }
            _ => &[],
        };
        commands.contains(&word).then_some(Node::Command)
    }

    fn accepts(&self, path: &str, command: &str, name: &str) -> bool {
        let columns = TABLES.iter().find(|(table, _)| *table == path).map_or(&[] as &[&str], |(_, columns)| columns);
        match (path, command, name) {
            ("/system/identity", "get", "value-name") | ("/system/identity", "set", "name") => true,
            ("/tool", "fetch", "url" | "output") | ("/", "import", "file-name") => true,
            (_, "get", "value-name") => true,
            (_, "set" | "remove" | "get" | "enable" | "disable", "numbers") => !columns.is_empty(),
            (_, "add" | "set", name) => columns.contains(&name),
            _ => false,
        }
    }
}

impl Device {
    fn add(&mut self, path: &str, args: &[(String, Value)]) -> Value {
        self.last_id += 1;
        let mut row: Row = Row::from([("disabled".to_owned(), Value::Bool(false))]);
        row.insert(".id".to_owned(), Value::Id(format!("*{:X}", self.last_id)));
        write(&mut row, args);
        self.tables.entry(path.to_owned()).or_default().push(row);
        Value::Id(format!("*{:X}", self.last_id))
    }

    /// Runs `change` on the rows that the argument `numbers` means.
    fn change(&mut self, call: Call<'_>, change: impl Fn(&mut Vec<Row>, usize)) -> Result<Value, ScriptError> {
        let table = self.tables.entry(call.path.to_owned()).or_default();
        let ids: Vec<String> = match call.arg("numbers").ok_or("missing value(s) of argument(s) numbers")? {
            Value::Array(ids) => ids.iter().map(|id| id.value.text()).collect(),
            value => vec![value.text()],
        };
        for id in ids {
            let same = |key: &str, row: &Row| row.get(key).is_some_and(|value| value.text() == id);
            let found = table.iter().position(|row| same(".id", row) || same("name", row));
            change(table, found.ok_or("no such item")?);
        }
        Ok(Value::Nothing)
    }
}

fn write(row: &mut Row, args: &[(String, Value)]) {
    for (key, value) in args.iter().filter(|(key, _)| key != "numbers") {
        let value = if key == "disabled" { Value::Bool(value.argument() == "yes") } else { value.argument().into() };
        row.insert(key.clone(), value);
    }
}

impl Host for Device {
    fn command(&mut self, call: Call<'_>) -> Result<Reply, ScriptError> {
        let args: String = call.args.iter().map(|(key, value)| format!(" {key}={}", value.argument())).collect();
        let unset: String = call.unset.iter().map(|name| format!(" !{name}")).collect();
        self.seen.push(format!("{} {}{args}{unset}", call.path, call.command));
        let disabled = [("disabled".to_owned(), Value::Bool(call.command == "disable"))];
        Ok(Reply::Done(match call.command {
            "add" if call.arg("address").is_some_and(|address| address.text() == "bad") => {
                return Err("invalid value for argument address".into());
            }
            "add" => self.add(call.path, call.args),
            "set" if call.path == "/system/identity" => Value::Nothing,
            "set" => self.change(call, |table, index| {
                write(&mut table[index], call.args);
                table[index].retain(|key, _| !call.unset.contains(key));
            })?,
            "enable" | "disable" => self.change(call, |table, index| write(&mut table[index], &disabled))?,
            "remove" => self.change(call, |table, index| drop(table.remove(index)))?,
            "get" if call.path == "/system/identity" => "MikroTik".into(),
            "get" => {
                let id = call.arg("numbers").map(Value::text).ok_or("missing value(s) of argument(s) numbers")?;
                let name = call.arg("value-name").map(Value::text).unwrap_or_default();
                let rows = self.rows(call.path)?;
                let row = rows.iter().find(|row| [".id", "name"].iter().any(|key| row.get(*key).is_some_and(|v| v.text() == id)));
                row.ok_or("no such item")?.get(&name).cloned().unwrap_or(Value::Nil)
            }
            "print" => {
                let rows = self.rows(call.path)?.len();
                format!("{rows} rows\nshown {:?}", call.only).into()
            }
            "fetch" => return Ok(Reply::Later),
            "import" => {
                let name = call.arg("file-name").map(Value::text).unwrap_or_default();
                return Ok(Reply::Script(self.scripts.get(&name).ok_or("no such file")?.clone()));
            }
            other => return Err(ScriptError(format!("no such command {other}"))),
        }))
    }

    fn rows(&mut self, path: &str) -> Result<Vec<Row>, ScriptError> {
        Ok(self.tables.get(path).cloned().unwrap_or_default())
    }

    fn log(&mut self, topic: &str, message: &str) {
        self.seen.push(format!("log {topic}: {message}"));
    }

    fn put(&mut self, line: &str) {
        self.seen.push(format!("> {line}"));
    }

    fn globals(&mut self) -> &mut Globals {
        &mut self.globals
    }
}

/// Resumes a console until it is done; delays pass at once, what comes later comes as `later`.
pub(super) fn drive(console: &mut Console, device: &mut Device) {
    loop {
        match console.resume(device) {
            Step::Done(failures) => {
                device.seen.extend(failures.iter().map(|failure| format!("! {failure}")));
                return;
            }
            Step::Delay(time) => device.seen.push(format!("waits {}", Value::Time(time).argument())),
            Step::Waiting => {
                device.seen.push("waits for the answer".to_owned());
                console.answer(Ok("later".into()));
            }
        }
    }
}

/// What a script makes a new device say.
pub(super) fn script(text: &str) -> String {
    script_on(&mut Device::default(), text)
}

pub(super) fn script_on(device: &mut Device, text: &str) -> String {
    drive(&mut Console::script(text), device);
    std::mem::take(&mut device.seen).join("\n")
}

/// What a new device says when the text is pasted into its terminal.
pub(super) fn paste(text: &str) -> String {
    let mut device = Device::default();
    let mut console = Console::terminal();
    console.enter(text).expect("a test's text is short");
    drive(&mut console, &mut device);
    device.seen.join("\n")
}

/// The value of an expression.
pub(super) fn eval(expression: &str) -> String {
    script(&format!(":local r {expression}; :put \"$[:typeof $r] $[:tostr $r]\""))
}
