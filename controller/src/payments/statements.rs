//! Statements of a bank or of mobile money, as a table in CSV: looked at first, and booked all or not at all. What was booked before, by
//! whatever way, is known by its receipt.

use super::inbox::{self, NewArrival, Outcome};
use super::{Method, PaymentError};
use crate::app::App;
use crate::tenants;
use csv::{ReaderBuilder, Trim};
use db::TenantTx;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use model::{Currency, GatewayId, Money, PaymentId, UnmatchedId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// Lines of one statement.
const LINES_MAX: usize = 2_000;
/// Faults that are named; all are counted.
const FAULTS_MAX: usize = 200;
/// The columns that may stand in a statement, in any order.
const COLUMNS: [&str; 6] = ["receipt", "amount", "date", "account", "phone", "name"];
/// The columns that must.
const NEEDED: [&str; 2] = ["receipt", "amount"];

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LineFault {
    /// The line it begins in; the names of the columns stand in line 1.
    pub line: u64,
    /// What is wrong.
    pub message: String,
}

/// One line of the statement.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedLine {
    /// The line it begins in.
    pub line: u64,
    /// The receipt.
    pub receipt: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The payment, unless it was only looked at.
    pub payment: Option<PaymentId>,
    /// The item of the inbox, unless it was only looked at.
    pub item: Option<UnmatchedId>,
}

/// What came of a statement.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedStatement)]
pub struct Imported {
    /// Whether it was only looked at.
    pub dry_run: bool,
    /// How many lines were counted for a customer.
    pub counted: usize,
    /// How many lie in the inbox.
    pub parked: usize,
    /// How many were there already.
    pub known: usize,
    /// How many lines are wrong; nothing is booked until there are none.
    pub errors: usize,
    /// What is wrong with them, the first 200.
    pub faults: Vec<LineFault>,
    /// The lines that are right, in the file's order.
    pub items: Vec<ImportedLine>,
}

/// How the money of a statement came.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// `bank` or `mobile_money`.
    pub method: Method,
    /// Through which gateway, if through one of the tenant's.
    pub gateway: Option<GatewayId>,
}

#[derive(Deserialize)]
struct Row {
    receipt: String,
    amount: String,
    #[serde(default)]
    date: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    name: String,
}

/// Reads a statement in the tenant's transaction. The caller ends it: a dry run is one that is not committed.
///
/// # Errors
/// When the file is no such table, or a line is wrong and it is no dry run.
pub async fn import(app: &App, tx: &mut TenantTx, origin: Origin, file: &[u8], dry_run: bool) -> Result<Imported, PaymentError> {
    let tenant = tenants::current(tx).await?;
    let zone = TimeZone::get(&tenant.time_zone).unwrap_or(TimeZone::UTC);
    let rows = read(file).map_err(PaymentError::File)?;
    let mut imported = Imported { dry_run, counted: 0, parked: 0, known: 0, errors: 0, faults: Vec::new(), items: Vec::new() };
    let mut seen: HashMap<String, u64> = HashMap::new();
    for (line, row) in rows {
        let arrival = row.and_then(|row| arrival(row, line, origin, tenant.currency, &zone, &mut seen));
        let done = match arrival {
            Ok(arrival) => {
                let receipt = arrival.receipt.clone();
                inbox::arrive(app, tx, arrival).await.map(|arrived| (receipt, arrived)).map_err(fault_of)
            }
            Err(message) => Err(Ok(message)),
        };
        match done {
            Ok((receipt, arrived)) => {
                match arrived.outcome {
                    Outcome::Counted => imported.counted += 1,
                    Outcome::Parked => imported.parked += 1,
                    Outcome::Known => imported.known += 1,
                }
                let (payment, item) = if dry_run { (None, None) } else { (Some(arrived.payment), arrived.item) };
                imported.items.push(ImportedLine { line, receipt, outcome: arrived.outcome, payment, item });
            }
            Err(Ok(message)) => {
                imported.errors += 1;
                if imported.faults.len() < FAULTS_MAX {
                    imported.faults.push(LineFault { line, message });
                }
            }
            Err(Err(error)) => return Err(error),
        }
    }
    if imported.errors > 0 && !dry_run { Err(PaymentError::Lines(imported.faults)) } else { Ok(imported) }
}

/// A wrong field is the line's fault; all else ends the import.
fn fault_of(error: PaymentError) -> Result<String, PaymentError> {
    match error {
        PaymentError::Field { field, message } => Ok(format!("{field}: {message}")),
        other => Err(other),
    }
}

/// The line where a row begins, and the row, or what is wrong with its shape.
type Read = (u64, Result<Row, String>);

fn read(file: &[u8]) -> Result<Vec<Read>, String> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(false).from_reader(file);
    let headers = reader.headers().map_err(|_| "the first line has to name the columns, in UTF-8".to_owned())?.clone();
    if let Some(unknown) = headers.iter().find(|name| !COLUMNS.contains(name)) {
        let name: String = unknown.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(format!("there is no column `{name}`: there are {}", COLUMNS.join(", ")));
    }
    if let Some(missing) = NEEDED.iter().find(|name| !headers.iter().any(|known| known == **name)) {
        return Err(format!("the column `{missing}` is missing"));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        if rows.len() == LINES_MAX {
            return Err(format!("a statement has at most {LINES_MAX} lines: cut it into several"));
        }
        let last = rows.last().map_or(1, |(line, _): &Read| *line);
        rows.push(match record {
            Ok(record) => {
                let line = record.position().map_or(last + 1, csv::Position::line);
                (line, record.deserialize::<Row>(Some(&headers)).map_err(|_| "the line does not fit the columns".to_owned()))
            }
            Err(error) => {
                let line = error.position().map_or(last + 1, csv::Position::line);
                (line, Err("the line has too many or too few fields, or is not UTF-8".to_owned()))
            }
        });
    }
    if rows.is_empty() { Err("the file has no lines below the columns' names".to_owned()) } else { Ok(rows) }
}

fn arrival(
    row: Row,
    line: u64,
    origin: Origin,
    currency: Currency,
    zone: &TimeZone,
    seen: &mut HashMap<String, u64>,
) -> Result<NewArrival, String> {
    if let Some(first) = seen.insert(row.receipt.clone(), line) {
        return Err(format!("receipt: it stands in line {first} already"));
    }
    let minor = minor(&row.amount).ok_or("amount: write it as 1500 or 1500.00")?;
    let received_at = if row.date.is_empty() {
        None
    } else {
        Some(moment(&row.date, zone).ok_or("date: write it as 2026-03-01, 2026-03-01 18:00 or 2026-03-01T18:00:00+03:00")?)
    };
    Ok(NewArrival {
        method: origin.method,
        gateway: origin.gateway,
        receipt: row.receipt,
        amount: Money::new(minor, currency),
        account: row.account,
        phone: row.phone,
        name: row.name,
        received_at,
    })
}

/// Reads `1500`, `1,500.00` or `1500.5` as minor units.
fn minor(text: &str) -> Option<i64> {
    let (whole, cents) = text.split_once('.').unwrap_or((text, ""));
    let whole: String = whole.chars().filter(|c| *c != ',').collect();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(&whole) || !digits(cents) || cents.len() > 2 {
        return None;
    }
    format!("{whole}{cents:0<2}").parse().ok()
}

/// Reads a moment; one without an offset is the tenant's.
fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    // A date's parser takes a whole time too and drops the hours.
    let local = match text.len() {
        10 => text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)),
        _ => text.replacen(' ', "T", 1).parse::<DateTime>(),
    };
    Some(local.ok()?.to_zoned(zone.clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_dates_as_banks_write_them() {
        assert_eq!(["1500", "1,500.00", "1500.5", "0.05"].map(minor), [Some(150_000), Some(150_000), Some(150_050), Some(5)]);
        for wrong in ["", "-1", "1.234", "1e3", "KES 5", ".", "99999999999999999999"] {
            assert_eq!(minor(wrong), None, "{wrong}");
        }
        let nairobi = TimeZone::get("Africa/Nairobi").expect("a zone that every machine knows");
        let at = |text| moment(text, &nairobi).map(|at| at.to_string());
        assert_eq!(at("2026-03-01").as_deref(), Some("2026-02-28T21:00:00Z"));
        assert_eq!(at("2026-03-01 18:30").as_deref(), Some("2026-03-01T15:30:00Z"));
        assert_eq!(at("2026-03-01T18:30:00+03:00").as_deref(), Some("2026-03-01T15:30:00Z"));
        assert_eq!(at("01/03/2026"), None);
    }
}
