//! ISPs, for the platform's operator.

use super::client::{Call, Client, Noun, PageArgs, items};
use super::settings::{LIMITS, limit_columns};
use super::table::{fields, numbers, one_line, table, words};
use super::units::{text, time};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) const TENANT: Noun =
    Noun { prefix: "ten", word: "tenant", list: &["platform", "tenants"], name: "name", search: None };

/// ISPs; for the platform's operators
#[derive(Debug, Subcommand)]
pub(super) enum Tenants {
    /// Makes an ISP with its first admin
    #[command(
        after_help = "Example:\n  mastwire-controller tenant create \"Mast Net\" --admin ann --currency KES --time-zone Africa/Nairobi"
    )]
    Create(Create),
    /// Lists all ISPs
    #[command(after_help = "Example:\n  mastwire-controller tenant list")]
    List(PageArgs),
    /// Shows an ISP: how it stands and since when
    #[command(after_help = "Example:\n  mastwire-controller tenant show \"Mast Net\"")]
    Show(Which),
    /// Changes an ISP's name, its trial's end, or what a suspension does to its customers
    #[command(after_help = "Examples:\n  \
        mastwire-controller tenant change \"Mast Net\" --trial-days 14\n  \
        mastwire-controller tenant change \"Mast Net\" --keep-days 30")]
    Change(Change),
    /// Moves an ISP along its road, or only says what that would do
    #[command(after_help = "Examples:\n  \
        mastwire-controller tenant stand \"Mast Net\" past-due --reason \"invoice 17 is open\"\n  \
        mastwire-controller tenant stand \"Mast Net\" suspended --reason \"invoice 17 is open\" --dry-run")]
    Stand(Stand),
    /// Lets an ISP's operators only look; its customers keep what they paid for, by its policy
    #[command(after_help = "Example:\n  mastwire-controller tenant suspend \"Mast Net\"")]
    Suspend(Which),
    /// Ends a trial, a restriction or a suspension
    #[command(after_help = "Example:\n  mastwire-controller tenant activate \"Mast Net\"")]
    Activate(Which),
    /// Shows an ISP's limits and how much of each is used
    #[command(after_help = "Example:\n  mastwire-controller tenant limits \"Mast Net\"")]
    Limits(Which),
    /// Sets one of an ISP's limits, or only says how much would be beyond it; nothing is ever taken away
    #[command(after_help = "Examples:\n  \
        mastwire-controller tenant limit \"Mast Net\" routers --soft 80 --hard 100 --reason \"plan B\"\n  \
        mastwire-controller tenant limit \"Mast Net\" routers --default --reason \"back to the usual\"")]
    Limit(SetLimit),
    /// Shows an ISP's feature flags
    #[command(after_help = "Example:\n  mastwire-controller tenant flags \"Mast Net\"")]
    Flags(Which),
    /// Turns one of an ISP's feature flags
    #[command(after_help = "Example:\n  mastwire-controller tenant flag \"Mast Net\" api_tokens off")]
    Flag {
        /// Its name or id
        tenant: String,
        /// The flag's name
        flag: String,
        /// On or off
        to: Switch,
    },
    /// Shows what every ISP is and uses, the largest first
    #[command(after_help = "Example:\n  mastwire-controller tenant usage")]
    Usage {
        /// Of one ISP, table by table
        tenant: Option<String>,
    },
    /// Removes every row, key and login of a suspended ISP, for good, and prints the certificate
    #[command(after_help = "Examples:\n  \
        mastwire-controller tenant purge \"Mast Net\" --confirm \"Mast Net\" --reason \"left on 1 May\"\n  \
        mastwire-controller tenant purge \"Mast Net\" --confirm \"Mast Net\" --reason \"their lawyer asks for it\" --now")]
    Purge(Purge),
    /// Prints the certificate of a purge
    #[command(after_help = "Example:\n  mastwire-controller tenant certificate ten_0123456789abcdef0123456789abcdef")]
    Certificate(Which),
    /// Lists the certificates of purged ISPs
    #[command(after_help = "Example:\n  mastwire-controller tenant certificates")]
    Certificates(PageArgs),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Its name or id
    tenant: String,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The ISP's name
    name: String,
    /// The first admin's login name
    #[arg(long, value_name = "LOGIN")]
    admin: String,
    /// The first admin's name; the login name when left out
    #[arg(long, value_name = "NAME")]
    admin_name: Option<String>,
    /// The currency it sells in; KES when left out
    #[arg(long)]
    currency: Option<String>,
    /// Its time zone; Africa/Nairobi when left out
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// So many days to try the platform out, with smaller limits; active at once when left out
    #[arg(long, value_name = "DAYS")]
    trial_days: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Its name or id
    tenant: String,
    /// Another name
    #[arg(long)]
    name: Option<String>,
    /// So many days of trial from now
    #[arg(long, value_name = "DAYS")]
    trial_days: Option<u16>,
    /// A suspension leaves its customers what they paid for
    #[arg(long, conflicts_with = "keep_days")]
    keep_paid: bool,
    /// A suspension leaves its customers what they paid for, but no longer than so many days
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u16>,
}

/// How an ISP is to stand.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Standing {
    Active,
    PastDue,
    Restricted,
    Suspended,
    Exported,
}

impl Standing {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Restricted => "restricted",
            Self::Suspended => "suspended",
            Self::Exported => "exported",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Stand {
    /// Its name or id
    tenant: String,
    /// How it is to stand
    to: Standing,
    /// Why; the ISP reads it
    #[arg(long)]
    reason: String,
    /// Only say what it would do
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct SetLimit {
    /// Its name or id
    tenant: String,
    /// Which one
    #[arg(value_parser = LIMITS)]
    limit: String,
    /// More than this is refused
    #[arg(long, value_name = "N", required_unless_present = "default")]
    hard: Option<i64>,
    /// From here on the ISP is warned; four fifths of the hard limit when left out
    #[arg(long, value_name = "N")]
    soft: Option<i64>,
    /// Take it back to the default
    #[arg(long, conflicts_with_all = ["hard", "soft"])]
    default: bool,
    /// Why; the ISP reads it
    #[arg(long)]
    reason: String,
    /// Only say what it would do
    #[arg(long)]
    dry_run: bool,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(super) struct Purge {
    /// Its name or id
    tenant: String,
    /// Its name once more, exactly
    #[arg(long, value_name = "NAME")]
    confirm: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// Without the 30 days of rest after the suspension
    #[arg(long)]
    now: bool,
}

/// Writes how an ISP stands.
fn readable(item: &Value) -> String {
    let policy = item["customer_policy"]["keep_days"].as_i64().map_or_else(
        || "what they paid for runs to its end".to_owned(),
        |days| format!("what they paid for, {days} days at most"),
    );
    fields(&[
        ("name", text(item, "name")),
        ("stands", text(item, "status")),
        ("since", time(item, "status_since")),
        ("because", text(item, "status_reason")),
        ("trial ends", time(item, "trial_ends_at")),
        ("service ends", time(item, "service_ends_at")),
        ("when suspended", policy),
        ("currency", text(item, "currency")),
        ("time zone", text(item, "time_zone")),
        ("made", time(item, "created_at")),
        ("id", text(item, "id")),
    ])
}

/// Writes a certificate.
fn certificate(value: &Value) -> String {
    let mut out = fields(&[
        ("certificate", text(value, "id")),
        ("ISP", text(value, "name")),
        ("tenant", text(value, "tenant")),
        ("asked for by", text(value, "requested_by")),
        ("because", text(value, "reason")),
        ("asked for", time(value, "requested_at")),
        ("finished", time(value, "finished_at")),
        ("people removed", text(value, "people_removed")),
        ("address blocks put to rest", text(value, "blocks_retired")),
        ("backup files removed", text(value, "backups_removed")),
        ("SHA-256 of all this", text(value, "sha256")),
    ]);
    let rows: Vec<Value> = value["tables"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, removed)| json!({ "table": name, "rows": removed["rows"], "sha256": removed["sha256"] }))
        .collect();
    let columns = [
        words("TABLE", |item| text(item, "table")),
        numbers("ROWS REMOVED", |item| text(item, "rows")),
        words("SHA-256 OF THEM", |item| text(item, "sha256")),
    ];
    write!(out, "\n{}", table(&columns, &rows)).expect("a string takes everything");
    if value["finished_at"].is_null() {
        out.push_str("\nIt goes on; `tenant certificate` shows how far it is.\n");
    } else if value["intact"] == false {
        out.push_str("\nThe hash does not fit: this certificate was changed.\n");
    }
    out
}

impl Tenants {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Create(new) => new.run(client).await,
            Self::List(page) => list(client, &page).await,
            Self::Show(which) => {
                let id = client.id_of(&TENANT, &which.tenant).await?;
                let answer = client.send(Call::get(["platform", "tenants", &id])).await?;
                Ok(client.show(&answer, readable))
            }
            Self::Change(change) => change.run(client).await,
            Self::Stand(stand) => stand.run(client).await,
            Self::Suspend(Which { tenant }) => {
                let id = client.id_of(&TENANT, &tenant).await?;
                client.done(Call::post(["platform", "tenants", &id, "suspend"]), &format!("`{tenant}` is suspended")).await
            }
            Self::Activate(Which { tenant }) => {
                let id = client.id_of(&TENANT, &tenant).await?;
                client.done(Call::post(["platform", "tenants", &id, "activate"]), &format!("`{tenant}` is active")).await
            }
            Self::Limits(which) => {
                let id = client.id_of(&TENANT, &which.tenant).await?;
                let answer = client.send(Call::get(["platform", "tenants", &id, "limits"])).await?;
                Ok(client.show(&answer, |value| table(&limit_columns(), items(value))))
            }
            Self::Limit(limit) => limit.run(client).await,
            Self::Flags(which) => {
                let id = client.id_of(&TENANT, &which.tenant).await?;
                let answer = client.send(Call::get(["platform", "tenants", &id, "flags"])).await?;
                Ok(client.show(&answer, super::settings::flags))
            }
            Self::Flag { tenant, flag, to } => {
                let id = client.id_of(&TENANT, &tenant).await?;
                let body = json!({ "name": flag, "on": to == Switch::On });
                let answer = client.send(Call::put(["platform", "tenants", &id, "flags"]).json(&body)).await?;
                Ok(client.show(&answer, super::settings::flags))
            }
            Self::Usage { tenant } => usage(client, tenant.as_deref()).await,
            Self::Purge(purge) => purge.run(client).await,
            Self::Certificate(which) => {
                let id = client.id_of(&TENANT, &which.tenant).await?;
                let answer = client.send(Call::get(["platform", "tenants", &id, "certificate"])).await?;
                Ok(client.show(&answer, certificate))
            }
            Self::Certificates(page) => {
                let columns = [
                    words("ISP", |item| text(item, "name")),
                    words("ASKED FOR", |item| time(item, "requested_at")),
                    words("FINISHED", |item| time(item, "finished_at")),
                    words("BY", |item| text(item, "requested_by")),
                    words("TENANT", |item| text(item, "tenant")),
                ];
                client.list(Call::get(["platform", "certificates"]), &page, &columns, &[]).await
            }
        }
    }
}

async fn list(client: &Client, page: &PageArgs) -> anyhow::Result<String> {
    let columns = [
        words("NAME", |item| text(item, "name")),
        words("STATUS", |item| text(item, "status")),
        words("SINCE", |item| time(item, "status_since")),
        words("CURRENCY", |item| text(item, "currency")),
        words("TIME ZONE", |item| text(item, "time_zone")),
        words("MADE", |item| time(item, "created_at")),
        words("ID", |item| text(item, "id")),
    ];
    client.list(Call::get(TENANT.list), page, &columns, &[]).await
}

async fn usage(client: &Client, tenant: Option<&str>) -> anyhow::Result<String> {
    let id = client.id_of_some(&TENANT, tenant).await?;
    let answer = client.send(Call::get(["platform", "usage"])).await?;
    Ok(client.show(&answer, |value| match &id {
        None => table(&usage_columns(), items(value)),
        Some(id) => items(value)
            .iter()
            .find(|item| item["tenant"] == id.as_str())
            .map_or_else(|| one_line("nothing was measured of it yet"), |item| super::settings::tables_of(&item["tables"])),
    }))
}

fn usage_columns() -> [super::table::Column; 10] {
    [
        words("NAME", |item| text(item, "name")),
        words("DAY", |item| text(item, "day")),
        numbers("ROUTERS", |item| text(item, "routers")),
        numbers("CUSTOMERS", |item| text(item, "customers")),
        numbers("SERVED", |item| text(item, "customers_served")),
        numbers("OPERATORS", |item| text(item, "operators")),
        numbers("MESSAGES", |item| text(item, "messages")),
        numbers("REQUESTS", |item| text(item, "api_requests")),
        numbers("BYTES", |item| text(item, "storage_bytes")),
        words("TENANT", |item| text(item, "tenant")),
    ]
}

impl Create {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let body = json!({ "name": self.name, "currency": self.currency, "time_zone": self.time_zone,
                           "admin_login": self.admin, "admin_name": self.admin_name, "trial_days": self.trial_days });
        let answer = client.send(Call::post(TENANT.list).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            let setup = text(value, "setup_token");
            let note = if setup.is_empty() {
                "the admin has a password already".to_owned()
            } else {
                format!("mastwire-controller setup {setup}")
            };
            fields(&[("tenant", text(value, "id")), ("password by link", text(value, "setup_url")), ("or by command", note)])
        }))
    }
}

impl Change {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&TENANT, &self.tenant).await?;
        let policy = match (self.keep_paid, self.keep_days) {
            (true, _) => json!("keep_paid"),
            (false, Some(days)) => json!({ "keep_days": days }),
            (false, None) => Value::Null,
        };
        let body = json!({ "name": self.name, "trial_days": self.trial_days, "customer_policy": policy });
        let answer = client.send(Call::patch(["platform", "tenants", &id]).json(&body)).await?;
        Ok(client.show(&answer, readable))
    }
}

impl Stand {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&TENANT, &self.tenant).await?;
        let body = json!({ "to": self.to.as_str(), "reason": self.reason, "dry_run": self.dry_run });
        let answer = client.send(Call::post(["platform", "tenants", &id, "standing"]).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            let done = if value["done"] == true { "" } else { " (only looked at)" };
            fields(&[
                ("was", text(value, "from")),
                ("is", format!("{}{done}", text(value, "to"))),
                ("service ends", time(value, "service_ends_at")),
                ("payments cut short", text(value, "cut_short")),
            ])
        }))
    }
}

impl SetLimit {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&TENANT, &self.tenant).await?;
        let bounds = self.hard.map(|hard| json!({ "hard": hard, "soft": self.soft.unwrap_or(hard / 10 * 8) }));
        let body = json!({ "name": self.limit, "bounds": bounds, "reason": self.reason, "dry_run": self.dry_run });
        let answer = client.send(Call::put(["platform", "tenants", &id, "limits"]).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            let mut out = table(&limit_columns(), std::slice::from_ref(&value["limit"]));
            if value["over_by"].as_i64().is_some_and(|over| over > 0) {
                let over = text(value, "over_by");
                out.push_str(&one_line(&format!("{over} beyond it: they stay, and nothing is added until it fits")));
            }
            if value["done"] == false {
                out.push_str("\nonly looked at");
            }
            out
        }))
    }
}

impl Purge {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&TENANT, &self.tenant).await?;
        let body = json!({ "name": self.confirm, "reason": self.reason, "now": self.now });
        let answer = client.send(Call::post(["platform", "tenants", &id, "purge"]).json(&body)).await?;
        Ok(client.show(&answer, certificate))
    }
}
