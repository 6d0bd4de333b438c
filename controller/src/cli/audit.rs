//! The audit log, and the audit's report as a table.

use super::client::{Call, Client, PageArgs};
use super::table::{numbers, one_line, table, words};
use super::units::{moment, text, time};
use clap::{Args, Subcommand};
use db::audit::Report;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// What was done, by whom and from where
#[derive(Debug, Subcommand)]
pub(super) enum AuditLog {
    /// Lists what was done, newest first
    #[command(after_help = "Examples:\n  \
        mastwire-controller audit-log list\n  \
        mastwire-controller audit-log list --action payment. --from 2026-01-01T00:00:00Z")]
    List(List),
    /// Writes what was done into a file, newest first
    #[command(
        after_help = "Example:\n  mastwire-controller audit-log export january.csv --from 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z"
    )]
    Export(Export),
    /// Lists what the platform did across tenants, and why; for the platform's operators
    #[command(after_help = "Example:\n  mastwire-controller audit-log platform")]
    Platform(PageArgs),
}

#[derive(Debug, Args)]
struct Filter {
    /// Who did it, such as operator:opr_… or system:provisioning
    #[arg(long)]
    actor: Option<String>,
    /// How the action begins, such as customer. or payment.reverse
    #[arg(long)]
    action: Option<String>,
    /// The id of what it was done to
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// The earliest time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Timestamp>,
    /// The time before which it was
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
}

impl Filter {
    fn add<'a>(&self, call: Call<'a>) -> Call<'a> {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        call.query("actor", self.actor.clone())
            .query("action", self.action.clone())
            .query("target", self.target.clone())
            .query("from", time(self.from))
            .query("until", time(self.until))
    }
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The file to write; one that is there is replaced
    file: PathBuf,
    /// csv for a spreadsheet, jsonl for programs
    #[arg(long, value_parser = ["csv", "jsonl"], default_value = "csv")]
    format: String,
    #[command(flatten)]
    filter: Filter,
}

impl AuditLog {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List(list) => {
                let columns = [
                    words("TIME", |item| time(item, "at")),
                    words("WHO", |item| text(item, "actor")),
                    words("WHAT", |item| text(item, "action")),
                    words("TO", |item| text(item, "target")),
                    words("FROM", |item| text(item, "source")),
                    words("MORE", |item| item["details"].to_string().chars().take(60).collect()),
                ];
                client.list(list.filter.add(Call::get(["audit"])), &list.page, &columns, &[]).await
            }
            Self::Export(export) => {
                let call = export.filter.add(Call::get(["audit", "export"])).query("format", Some(export.format));
                let bytes = client.save(call, &export.file).await?;
                Ok(one_line(&format!("{} holds {bytes} bytes", export.file.display())) + "\n")
            }
            Self::Platform(page) => {
                let columns = [
                    words("TIME", |item| time(item, "at")),
                    words("WHO", |item| text(item, "actor")),
                    words("WHAT FOR", |item| text(item, "reason")),
                    words("FROM", |item| text(item, "source")),
                ];
                client.list(Call::get(["platform", "audit"]), &page, &columns, &[]).await
            }
        }
    }
}

/// Writes a report as a table of the rules, and below it what was found and what to do.
pub(super) fn readable(report: &Report) -> String {
    let items: Vec<Value> =
        report.rules.iter().map(|rule| json!({ "name": rule.name, "checked": rule.checked, "found": rule.found })).collect();
    let columns = [
        words("RULE", |item| text(item, "name")),
        numbers("CHECKED", |item| item["checked"].to_string()),
        numbers("FOUND", |item| item["found"].to_string()),
    ];
    let mut out = table(&columns, &items);
    let write = |out: &mut String, line: &str| writeln!(out, "{}", one_line(line)).expect("a string takes everything");
    for rule in report.rules.iter().filter(|rule| rule.found > 0) {
        write(&mut out, "");
        write(&mut out, &format!("{}: not so: {}", rule.name, rule.proves));
        for finding in &rule.findings {
            write(&mut out, &format!("  {}: {}", finding.place, finding.what));
        }
        let more = rule.found - u64::try_from(rule.findings.len()).unwrap_or(rule.found);
        if more > 0 {
            write(&mut out, &format!("  and {more} more"));
        }
        write(&mut out, &format!("  what to do: {}", rule.remedy));
    }
    write(&mut out, "");
    let found = report.found();
    let verdict = if found == 0 { "nothing was found".to_owned() } else { format!("{found} findings") };
    write(&mut out, &format!("{} rules, {} tenants: {verdict}", report.rules.len(), report.tenants));
    out
}
