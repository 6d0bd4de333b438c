//! Plain files for the ISP itself, from one snapshot: everything but secrets, hashes and keys.

use super::BackupError;
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use db::TenantTx;
use db::copies::{Shape, TableShape};
use db::registry::Copied;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use tokio::sync::SemaphorePermit;
use utoipa::ToSchema;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// One row a line, with a line of names before; cells that a spreadsheet would take for formulas get an apostrophe in front.
    Csv,
}

/// A table as it is exported.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExportedTable {
    /// Its name.
    pub table: String,
    /// What a row is.
    pub about: String,
    /// Its columns.
    pub columns: Vec<String>,
}

/// Returns the columns of a table that are exported: nothing sealed, hashed, or otherwise made of bytes that mean something only here.
fn columns(table: &TableShape) -> Vec<String> {
    let entry = table.entry;
    let secret = |name: &str| [entry.sealed, entry.master_sealed, entry.hashes].iter().any(|secrets| secrets.contains(&name));
    let plain =
        table.columns.iter().filter(|column| column.kind != "bytea" && !secret(&column.name) && column.name != "tenant_id");
    plain.map(|column| column.name.clone()).collect()
}

fn exported(shape: &Shape) -> impl Iterator<Item = &TableShape> {
    shape.of_tenants().filter(|table| table.entry.left_out_of(Copied::Export).is_none())
}

/// Lists what is exported.
///
/// # Errors
/// When the caller may not, or the database does not answer.
pub async fn exported_tables(app: &App, scope: &TenantScope) -> Result<Vec<ExportedTable>, BackupError> {
    super::keep::sees_all(scope)?;
    let mut tx = scope.read(app, Permission::DataExport).await?;
    let shape = tx.shape().await?;
    let table = |table: &TableShape| ExportedTable {
        table: table.name().to_owned(),
        about: table.entry.about.to_owned(),
        columns: columns(table),
    };
    Ok(exported(&shape).map(table).collect())
}

/// An export that goes out piece by piece. It holds a snapshot, which the database ends when nobody has asked for a minute.
pub struct Exported {
    tx: TenantTx,
    waiting: VecDeque<TableShape>,
    current: Option<(TableShape, Vec<String>)>,
    format: ExportFormat,
    /// Whether lines say of which table they are.
    whole: bool,
    head: Option<String>,
    rows: u64,
    done: bool,
    _turn: SemaphorePermit<'static>,
}

impl std::fmt::Debug for Exported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exported({} rows)", self.rows)
    }
}

impl Exported {
    /// Begins to export a table, or all of them in one.
    ///
    /// # Errors
    /// When the caller may not, there is no such table, too many exports run, or the database does not answer.
    pub async fn begin(app: &App, scope: &TenantScope, table: Option<&str>, format: ExportFormat) -> Result<Self, BackupError> {
        super::keep::sees_all(scope)?;
        if table.is_none() && format == ExportFormat::Csv {
            return Err(BackupError::Field { field: "table", message: "a CSV file holds one table: say which one" });
        }
        let turn = super::keep::downloads()?;
        let now = app.clock.now();
        let mut written = scope.read(app, Permission::DataExport).await?;
        let mut tx = app.db.snapshot(scope.door()).await?;
        let shape = tx.shape().await?;
        let waiting: VecDeque<TableShape> =
            exported(&shape).filter(|known| table.is_none_or(|wanted| known.name() == wanted)).cloned().collect();
        if waiting.is_empty() {
            return Err(BackupError::NotFound("table"));
        }
        written.audit(now, "data.export", table.unwrap_or("all tables"), json!({})).await?;
        written.commit().await?;
        let head = table.is_none().then(|| head(scope, now, &waiting));
        Ok(Self { tx, waiting, current: None, format, whole: table.is_none(), head, rows: 0, done: false, _turn: turn })
    }

    /// Returns the next piece; none at the end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next(&mut self) -> Result<Option<String>, BackupError> {
        if let Some(head) = self.head.take() {
            return Ok(Some(head));
        }
        loop {
            if self.current.is_none() {
                let Some(table) = self.waiting.pop_front() else { return Ok(self.end()) };
                self.tx.open_rows(&table).await?;
                let names = columns(&table);
                let first = (self.format == ExportFormat::Csv).then(|| crate::http::csv_line(names.iter().map(String::as_str)));
                self.current = Some((table, names));
                if let Some(first) = first {
                    return Ok(Some(first));
                }
            }
            let rows = self.tx.next_rows().await?;
            if rows.is_empty() {
                self.tx.close_rows().await?;
                self.current = None;
                continue;
            }
            let (table, names) = self.current.as_ref().expect("set above");
            let mut text = String::new();
            for (_, row) in rows {
                let row: Map<String, Value> = serde_json::from_str(&row).map_err(|_| BackupError::Damaged)?;
                text.push_str(&line(self.format, self.whole.then_some(table.name()), names, row));
                self.rows += 1;
            }
            return Ok(Some(text));
        }
    }

    /// A whole export says that it is whole: an answer that breaks off looks like any other to who does not count.
    fn end(&mut self) -> Option<String> {
        let last = self.whole && !self.done;
        self.done = true;
        last.then(|| format!("{}\n", json!({ "complete": true, "rows": self.rows })))
    }
}

fn head(scope: &TenantScope, now: Timestamp, tables: &VecDeque<TableShape>) -> String {
    let tables: Map<String, Value> = tables.iter().map(|table| (table.name().to_owned(), json!(columns(table)))).collect();
    format!("{}\n", json!({ "tenant": scope.tenant(), "taken_at": now, "tables": tables }))
}

fn line(format: ExportFormat, table: Option<&str>, names: &[String], mut row: Map<String, Value>) -> String {
    match format {
        ExportFormat::Json => {
            let row: Map<String, Value> = names.iter().filter_map(|name| row.remove_entry(name)).collect();
            let row = table.map_or_else(|| json!(row), |table| json!({ "table": table, "row": row }));
            format!("{row}\n")
        }
        ExportFormat::Csv => crate::http::csv_line(names.iter().map(|name| cell(row.get(name)))),
    }
}

/// Writes a value as a cell: a text as it is, all else as JSON has it.
pub fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
