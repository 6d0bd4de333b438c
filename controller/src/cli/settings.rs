//! What an ISP sets for itself, what it may use, and what it does use.

use super::client::{Call, Client, items};
use super::table::{Column, fields, numbers, table, words};
use super::tenants::Switch;
use super::units::{text, time};
use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::{Map, Value, json};

/// The limits' names.
pub(super) const LIMITS: [&str; 7] =
    ["routers", "customers", "operators", "api_tokens", "messages", "api_requests", "storage_bytes"];

/// What your ISP set for itself
#[derive(Debug, Subcommand)]
pub(super) enum Settings {
    /// Shows the settings that hold, with the version they have
    #[command(after_help = "Example:\n  mastwire-controller settings show")]
    Show,
    /// Changes settings, each written as KEY=VALUE; `default` takes one back
    #[command(after_help = "Examples:\n  \
        mastwire-controller settings change branding.name=\"Baraka Net\" branding.support_phone=+254700000000\n  \
        mastwire-controller settings change late_renewal.from_old_end.within_hours=72\n  \
        mastwire-controller settings change late_renewal=default quiet_hours.from=22:00\n  \
        mastwire-controller settings change routers.customers_manage=true")]
    Change {
        /// The settings, as `settings show` names them
        #[arg(required = true, value_name = "KEY=VALUE")]
        changes: Vec<String>,
    },
    /// Lists the last versions and who made them
    #[command(after_help = "Example:\n  mastwire-controller settings history")]
    History,
    /// Changes your currency (while nothing has a price), your time zone or your country
    #[command(after_help = "Example:\n  mastwire-controller settings place --time-zone Africa/Kampala")]
    Place {
        /// Another currency
        #[arg(long)]
        currency: Option<String>,
        /// Another time zone
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
        /// Where your people telephone, as two letters
        #[arg(long)]
        country: Option<String>,
    },
    /// Shows or sets for how many days you keep what grows without end
    #[command(after_help = "Examples:\n  \
        mastwire-controller settings keep\n  \
        mastwire-controller settings keep --sessions 90 --audit 1100")]
    Keep {
        /// Days that sessions are kept after their end, 7 to 1100
        #[arg(long, value_name = "DAYS")]
        sessions: Option<u32>,
        /// Days that usage is kept, 7 to 1100
        #[arg(long, value_name = "DAYS")]
        usage: Option<u32>,
        /// Days that outages are kept after their end, 31 to 1100
        #[arg(long, value_name = "DAYS")]
        outages: Option<u32>,
        /// Days that diagnoses are kept, 7 to 1100
        #[arg(long, value_name = "DAYS")]
        diagnoses: Option<u32>,
        /// Days that it is kept what was written to routers, 7 to 1100
        #[arg(long, value_name = "DAYS")]
        changes: Option<u32>,
        /// Days that configurations of routers are kept after they were last seen, 7 to 1100
        #[arg(long, value_name = "DAYS")]
        configurations: Option<u32>,
        /// Days that messages are kept, 31 to 1100
        #[arg(long, value_name = "DAYS")]
        messages: Option<u32>,
        /// Days that the audit log is kept, 366 to 3660; it goes by whole months
        #[arg(long, value_name = "DAYS")]
        audit: Option<u32>,
    },
}

/// What can be turned on and off for your ISP
#[derive(Debug, Subcommand)]
pub(super) enum Flags {
    /// Lists the feature flags, what each does and who turns it
    #[command(after_help = "Example:\n  mastwire-controller flag list")]
    List,
    /// Turns a feature flag
    #[command(after_help = "Example:\n  mastwire-controller flag turn vouchers off")]
    Turn {
        /// The flag's name
        flag: String,
        /// On or off
        to: Switch,
    },
}

/// What your ISP may use, and does use
#[derive(Debug, Subcommand)]
pub(super) enum Limits {
    /// Lists the limits and how much of each is used
    #[command(after_help = "Example:\n  mastwire-controller limit list")]
    List,
    /// Shows what your ISP was and used, day by day
    #[command(after_help = "Example:\n  mastwire-controller limit usage --from 2026-05-01 --until 2026-05-31")]
    Usage {
        /// The first day; 30 days before the last one when left out
        #[arg(long, value_name = "DAY")]
        from: Option<String>,
        /// The last day; today when left out
        #[arg(long, value_name = "DAY")]
        until: Option<String>,
    },
}

/// Columns of limits.
pub(super) fn limit_columns() -> [Column; 6] {
    [
        words("LIMIT", |item| text(item, "name")),
        numbers("USED", |item| text(item, "used")),
        numbers("WARNS AT", |item| text(item, "soft")),
        numbers("ENDS AT", |item| text(item, "hard")),
        words("STANDS", |item| text(item, "level")),
        words("BECAUSE", |item| text(item, "reason")),
    ]
}

/// Writes feature flags.
pub(super) fn flags(value: &Value) -> String {
    let columns = [
        words("FLAG", |item| text(item, "name")),
        words("IS", |item| if item["on"] == true { "on" } else { "off" }.to_owned()),
        words("TURNED BY", |item| text(item, "turned_by")),
        words("WHAT IT DOES", |item| text(item, "about")),
    ];
    table(&columns, items(value))
}

/// Writes how much of each table is somebody's, the largest first.
pub(super) fn tables_of(tables: &Value) -> String {
    let mut rows: Vec<Value> = tables
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, used)| json!({ "table": name, "rows": used["rows"], "bytes": used["bytes"] }))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row["bytes"].as_i64()));
    let columns = [
        words("TABLE", |item| text(item, "table")),
        numbers("ROWS", |item| text(item, "rows")),
        numbers("BYTES", |item| text(item, "bytes")),
    ];
    table(&columns, &rows)
}

/// Names every setting with its value, one a line.
fn lines(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (name, part) in map {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                lines(&key, part, out);
            }
        }
        Value::String(text) => out.push((prefix.to_owned(), text.clone())),
        Value::Null => out.push((prefix.to_owned(), "(none)".to_owned())),
        other => out.push((prefix.to_owned(), other.to_string())),
    }
}

fn readable(value: &Value) -> String {
    let mut all = vec![("version".to_owned(), text(value, "version")), ("made".to_owned(), time(value, "made_at"))];
    lines("", &value["settings"], &mut all);
    fields(&all.iter().map(|(name, value)| (name.as_str(), value.clone())).collect::<Vec<_>>())
}

/// Puts one change into settings: numbers, true, false and null are what they look like, all else is text.
fn put(settings: &mut Value, change: &str) -> anyhow::Result<()> {
    let (key, value) = change.split_once('=').with_context(|| format!("`{change}` is no KEY=VALUE"))?;
    let parts: Vec<&str> = key.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        bail!("`{key}` is no setting: see `settings show`");
    }
    let (last, way) = parts.split_last().expect("a split has a part");
    let mut place = settings;
    for part in way {
        // What was a word gets parts when one is named.
        if !place[*part].is_object() {
            place[*part] = Value::Object(Map::new());
        }
        place = &mut place[*part];
    }
    let Some(map) = place.as_object_mut() else { bail!("`{key}` is no setting: see `settings show`") };
    if value == "default" {
        map.remove(*last);
    } else {
        let plain = serde_json::from_str(value).ok().filter(|value: &Value| !value.is_object() && !value.is_array());
        map.insert((*last).to_owned(), plain.unwrap_or_else(|| json!(value)));
    }
    Ok(())
}

impl Settings {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Show => Ok(client.show(&client.send(Call::get(["settings"])).await?, readable)),
            Self::Change { changes } => {
                let mut now = client.send(Call::get(["settings"])).await?.value;
                for change in &changes {
                    put(&mut now["settings"], change)?;
                }
                let body = json!({ "version": now["version"], "settings": now["settings"] });
                Ok(client.show(&client.send(Call::put(["settings"]).json(&body)).await?, readable))
            }
            Self::History => {
                let columns = [
                    numbers("VERSION", |item| text(item, "version")),
                    words("MADE", |item| time(item, "made_at")),
                    words("BY", |item| text(item, "made_by")),
                ];
                let answer = client.send(Call::get(["settings", "history"])).await?;
                Ok(client.show(&answer, |value| table(&columns, items(value))))
            }
            Self::Place { currency, time_zone, country } => {
                let body = json!({ "currency": currency, "time_zone": time_zone, "country": country });
                let answer = client.send(Call::patch(["tenant"]).json(&body)).await?;
                Ok(client.show(&answer, |value| {
                    fields(&[
                        ("currency", text(value, "currency")),
                        ("time zone", text(value, "time_zone")),
                        ("country", text(value, "country")),
                    ])
                }))
            }
            Self::Keep { sessions, usage, outages, diagnoses, changes, configurations, messages, audit } => {
                let said = [
                    ("sessions_days", sessions),
                    ("usage_days", usage),
                    ("outages_days", outages),
                    ("diagnoses_days", diagnoses),
                    ("changes_days", changes),
                    ("configurations_days", configurations),
                    ("messages_days", messages),
                    ("audit_days", audit),
                ];
                let said: Map<String, Value> =
                    said.into_iter().filter_map(|(name, days)| Some((name.to_owned(), json!(days?)))).collect();
                if !said.is_empty() {
                    client.send(Call::put(["retention"]).json(&Value::Object(said))).await?;
                }
                Ok(client.show(&client.send(Call::get(["retention"])).await?, days_kept))
            }
        }
    }
}

/// How many days things are kept, a line each.
fn days_kept(value: &Value) -> String {
    fields(&[
        ("sessions", text(value, "sessions_days")),
        ("usage", text(value, "usage_days")),
        ("outages", text(value, "outages_days")),
        ("diagnoses", text(value, "diagnoses_days")),
        ("changes of routers", text(value, "changes_days")),
        ("configurations of routers", text(value, "configurations_days")),
        ("messages", text(value, "messages_days")),
        ("audit log", text(value, "audit_days")),
    ])
}

impl Flags {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let answer = match self {
            Self::List => client.send(Call::get(["flags"])).await?,
            Self::Turn { flag, to } => {
                client.send(Call::put(["flags"]).json(&json!({ "name": flag, "on": to == Switch::On }))).await?
            }
        };
        Ok(client.show(&answer, flags))
    }
}

impl Limits {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List => {
                let answer = client.send(Call::get(["limits"])).await?;
                Ok(client.show(&answer, |value| table(&limit_columns(), items(value))))
            }
            Self::Usage { from, until } => {
                let call = Call::get(["tenant", "usage"]).query("from", from).query("until", until);
                let columns = [
                    words("DAY", |item| text(item, "day")),
                    numbers("ROUTERS", |item| text(item, "routers")),
                    numbers("CUSTOMERS", |item| text(item, "customers")),
                    numbers("SERVED", |item| text(item, "customers_served")),
                    numbers("MESSAGES", |item| text(item, "messages")),
                    numbers("REQUESTS", |item| text(item, "api_requests")),
                    numbers("BYTES", |item| text(item, "storage_bytes")),
                ];
                let answer = client.send(call).await?;
                Ok(client.show(&answer, |value| table(&columns, items(value))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_put_where_they_belong() {
        let mut settings = json!({ "late_renewal": "from_now", "invoices": { "prefix": "INV" }, "branding": { "name": null } });
        for change in [
            "late_renewal.from_old_end.within_hours=72",
            "invoices.prefix=default",
            "branding.name=Baraka=Net",
            "quiet_hours.from=22:00",
        ] {
            put(&mut settings, change).expect("a good change");
        }
        let wanted = json!({ "late_renewal": { "from_old_end": { "within_hours": 72 } }, "invoices": {},
                             "branding": { "name": "Baraka=Net" }, "quiet_hours": { "from": "22:00" } });
        assert_eq!(settings, wanted);
        put(&mut settings, "late_renewal=from_now").expect("a word again");
        assert_eq!(settings["late_renewal"], "from_now");
        for wrong in ["prefix", "a..b=1", "=1"] {
            assert!(put(&mut settings, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_are_named_as_they_are_changed() {
        let mut all = Vec::new();
        lines("", &json!({ "a": { "b": 1, "c": null }, "d": "x" }), &mut all);
        let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(all, [line("a.b", "1"), line("a.c", "(none)"), line("d", "x")]);
    }

    #[test]
    fn the_limits_are_those_of_the_api() {
        let names: Vec<&str> = crate::tenants::Limit::ALL.iter().map(|limit| limit.as_str()).collect();
        assert_eq!(names, LIMITS);
    }
}
