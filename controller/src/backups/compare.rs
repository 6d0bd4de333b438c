//! Comparing two tenants row by row, each from one snapshot: a shadow with its original, or anything else.

use super::BackupError;
use super::restore::{bytes_of, not_in_shadow, row_id};
use crate::secrets::{Keeper, Keyring, Place};
use db::copies::TableShape;
use db::registry::Copied;
use db::{DbError, NamedTenant, TenantTx};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many rows of a table are named that differ.
const EXAMPLES_MAX: usize = 5;

/// How a table of two tenants differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableDifference {
    /// The table.
    pub table: &'static str,
    /// Rows that are the same.
    pub same: u64,
    /// Rows that only the first has.
    pub only_first: u64,
    /// Rows that only the second has.
    pub only_second: u64,
    /// Rows that both have, and not the same.
    pub changed: u64,
    /// Some of the rows that differ: the key, and what differs; never a value.
    pub examples: Vec<String>,
}

impl TableDifference {
    /// Says whether nothing differs.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.only_first == 0 && self.only_second == 0 && self.changed == 0
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text());
        }
    }
}

/// What came of comparing two tenants.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Each table that was compared.
    pub tables: Vec<TableDifference>,
    /// Tables and columns that were not.
    pub left_out: Vec<String>,
}

impl Comparison {
    /// Says whether nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.tables.iter().all(TableDifference::is_none)
    }
}

/// One tenant's rows of one table, in the order of their keys.
struct Rows {
    tx: TenantTx,
    ring: Arc<Keyring>,
    waiting: VecDeque<(String, String)>,
}

impl Rows {
    async fn peek(&mut self) -> Result<Option<&(String, String)>, DbError> {
        if self.waiting.is_empty() {
            self.waiting.extend(self.tx.next_rows().await?);
        }
        Ok(self.waiting.front())
    }
}

/// Compares two tenants. Sealed values are compared by what they hold; the tenant's own id is none of the difference.
///
/// # Errors
/// When a tenant's keys do not open or the database does not answer.
pub async fn compare(keeper: Keeper<'_>, first: &NamedTenant, second: &NamedTenant) -> Result<Comparison, BackupError> {
    let mut sides = [open(keeper, first).await?, open(keeper, second).await?];
    let shape = sides[0].tx.shape().await?;
    let (tables, columns) = match first.shadow_of.or(second.shadow_of) {
        Some(_) => not_in_shadow(&shape),
        None => Default::default(),
    };
    let mut comparison = Comparison::default();
    for table in shape.of_tenants() {
        if tables.contains(table.name()) || table.entry.left_out_of(Copied::Backup).is_some() {
            comparison.left_out.push(table.name().to_owned());
            continue;
        }
        let ignored = columns.get(table.name()).map_or(&[][..], Vec::as_slice);
        comparison.left_out.extend(ignored.iter().map(|column| format!("{}.{column}", table.name())));
        comparison.tables.push(compare_table(&mut sides, table, ignored).await?);
    }
    Ok(comparison)
}

async fn open(keeper: Keeper<'_>, tenant: &NamedTenant) -> Result<Rows, BackupError> {
    let mut tx = keeper.db.snapshot(&tenant.door).await?;
    let ring = keeper.vault.keyring(&mut tx).await?;
    Ok(Rows { tx, ring, waiting: VecDeque::new() })
}

async fn compare_table(sides: &mut [Rows; 2], table: &TableShape, ignored: &[String]) -> Result<TableDifference, BackupError> {
    let mut found = TableDifference { table: table.name(), ..TableDifference::default() };
    let [first, second] = sides;
    first.tx.open_rows_by_text(table).await?;
    second.tx.open_rows_by_text(table).await?;
    loop {
        let order = match (first.peek().await?, second.peek().await?) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            // Both come in the order of the same collation: by bytes.
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        let one = if order == Ordering::Greater { None } else { first.waiting.pop_front() };
        let other = if order == Ordering::Less { None } else { second.waiting.pop_front() };
        match (one, other) {
            (Some((key, one)), Some((_, other))) => {
                let changed = differing(table, ignored, (&first.ring, &one), (&second.ring, &other))?;
                if changed.is_empty() {
                    found.same += 1;
                } else {
                    found.changed += 1;
                    found.note(|| format!("{key}: {} differ", changed.join(", ")));
                }
            }
            (Some((key, _)), None) => {
                found.only_first += 1;
                found.note(|| format!("{key}: only in the first"));
            }
            (None, Some((key, _))) => {
                found.only_second += 1;
                found.note(|| format!("{key}: only in the second"));
            }
            (None, None) => break,
        }
    }
    first.tx.close_rows().await?;
    second.tx.close_rows().await?;
    Ok(found)
}

/// Names the columns of a row that differ.
fn differing(
    table: &TableShape,
    ignored: &[String],
    one: (&Keyring, &str),
    other: (&Keyring, &str),
) -> Result<Vec<String>, BackupError> {
    let parse = |row: &str| serde_json::from_str::<Map<String, Value>>(row).map_err(|_| BackupError::Damaged);
    let (first, second) = (parse(one.1)?, parse(other.1)?);
    let mut found = Vec::new();
    for column in &table.columns {
        let name = &column.name;
        if name == "tenant_id" || ignored.contains(name) || first.get(name) == second.get(name) {
            continue;
        }
        if let Some(sealed) = table.entry.sealed.iter().find(|sealed| *sealed == name) {
            let open = |ring: &Keyring, row: &Map<String, Value>| -> Result<Option<Vec<u8>>, BackupError> {
                let place = Place { table: table.name(), column: sealed, row: row_id(table, row)? };
                let bytes = bytes_of(row.get(name))?;
                Ok(bytes.map(|bytes| ring.open(place, &bytes).map_or(bytes, |secret| secret.expose().clone())))
            };
            if open(one.0, &first)? == open(other.0, &second)? {
                continue;
            }
        }
        found.push(name.clone());
    }
    Ok(found)
}
