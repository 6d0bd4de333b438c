//! What the tables look like now, as the catalogue says it. Copies are made by this and by the registry, never by a list of tables, so a
//! table is covered on the day it is made.

use crate::doors::DbError;
use crate::registry::{self, Class, Table};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

/// Why the tables cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// A table stands in the database and not in the registry.
    #[error("the table `{0}` is not declared in the registry, so it is not known whose its rows are")]
    Undeclared(String),
    /// Foreign keys that go round in a circle leave no order in which rows can be put in.
    #[error("the tables {} refer to each other in a circle; one of their foreign keys has to be deferrable", .0.join(", "))]
    Circle(Vec<String>),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for ShapeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as SQL writes it.
    pub kind: String,
    /// Whether it may be empty.
    pub nullable: bool,
    /// Whether the database computes it.
    pub generated: bool,
}

/// A foreign key.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table referred to.
    pub table: String,
    /// Whether it may be checked at the end of a transaction.
    pub deferrable: bool,
}

/// A key that is unique across tenants.
#[derive(Debug, Clone)]
pub struct GlobalKey {
    /// Its name in the registry.
    pub name: &'static str,
    /// Its columns.
    pub columns: Vec<String>,
    /// Whether it excludes more than equal values.
    pub exclusion: bool,
}

/// A table.
#[derive(Debug, Clone)]
pub struct TableShape {
    /// What the registry says of it.
    pub entry: &'static Table,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// The primary key.
    pub key: Vec<String>,
    /// Its foreign keys.
    pub references: Vec<Reference>,
    /// Its keys that are unique across tenants.
    pub global: Vec<GlobalKey>,
}

impl TableShape {
    /// Returns its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.entry.name
    }

    /// Finds a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns the column that names a row within its tenant, as a sealed value does: `id`, or what the key has besides the tenant.
    #[must_use]
    pub fn row_column(&self) -> &str {
        let rest = self.key.iter().find(|name| *name != "tenant_id");
        self.column("id").map(|column| column.name.as_str()).or(rest.map(String::as_str)).unwrap_or("id")
    }

    /// Returns those of these columns that may be empty.
    #[must_use]
    pub fn may_be_empty(&self, columns: &[String]) -> Vec<String> {
        let may = |name: &&String| self.column(name).is_some_and(|column| column.nullable);
        columns.iter().filter(may).cloned().collect()
    }
}

/// All tables, each after those that it refers to.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The schema's version: the newest migration.
    pub version: i64,
    /// The tables.
    pub tables: Vec<TableShape>,
}

impl Shape {
    /// Returns the tables whose rows belong to tenants, each after those that it refers to.
    pub fn of_tenants(&self) -> impl DoubleEndedIterator<Item = &TableShape> {
        self.tables.iter().filter(|table| table.entry.class == Class::Tenant)
    }

    /// Returns the platform's own tables, each after those that it refers to.
    pub fn of_platform(&self) -> impl DoubleEndedIterator<Item = &TableShape> {
        self.tables.iter().filter(|table| table.entry.class == Class::Platform)
    }

    /// Finds a table.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&TableShape> {
        self.tables.iter().find(|table| table.name() == name)
    }
}

#[derive(sqlx::FromRow)]
struct ColumnRow {
    relation: String,
    name: String,
    kind: String,
    nullable: bool,
    generated: bool,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    relation: String,
    columns: Vec<String>,
    target: Option<String>,
    deferrable: bool,
}

/// Reads the shape of all tables in schema `public`; a partition is a part of its table.
pub(super) async fn read(conn: &mut PgConnection) -> Result<Shape, ShapeError> {
    let columns: Vec<ColumnRow> = sqlx::query_as(
        "SELECT c.relname::text AS relation, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS kind,
                NOT a.attnotnull AS nullable, a.attgenerated <> '' AS generated
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          ORDER BY c.relname, a.attnum",
    )
    .fetch_all(&mut *conn)
    .await?;
    let keys: Vec<KeyRow> = sqlx::query_as(
        "SELECT c.relname::text AS relation, k.condeferrable AS deferrable,
                CASE WHEN k.contype = 'f' THEN k.confrelid::regclass::text END AS target,
                ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place)
                        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place) AS columns
           FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
          WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND k.contype IN ('p', 'f') AND k.conparentid = 0
          ORDER BY c.relname, k.conname",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut tables: BTreeMap<String, TableShape> = BTreeMap::new();
    for row in columns {
        let entry = registry::find(&row.relation).ok_or_else(|| ShapeError::Undeclared(row.relation.clone()))?;
        let empty = || TableShape { entry, columns: Vec::new(), key: Vec::new(), references: Vec::new(), global: Vec::new() };
        tables.entry(row.relation).or_insert_with(empty).columns.push(Column {
            name: row.name,
            kind: row.kind,
            nullable: row.nullable,
            generated: row.generated,
        });
    }
    for row in keys {
        let Some(table) = tables.get_mut(&row.relation) else { continue };
        match row.target {
            None => table.key = row.columns,
            Some(target) => {
                table.references.push(Reference { columns: row.columns, table: target, deferrable: row.deferrable });
            }
        }
    }
    for table in tables.values_mut() {
        table.global = global_keys(&mut *conn, table.entry).await?;
    }
    Ok(Shape { version: crate::migrate::newest_known(), tables: in_order(tables)? })
}

async fn global_keys(conn: &mut PgConnection, entry: &'static Table) -> Result<Vec<GlobalKey>, sqlx::Error> {
    let mut keys = Vec::new();
    for (name, _) in entry.global {
        let row: Option<(Vec<String>, bool)> = sqlx::query_as(
            "SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)),
                    i.indisexclusion
               FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
              WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1",
        )
        .bind(name)
        .fetch_optional(&mut *conn)
        .await?;
        let (columns, exclusion) = row.unwrap_or_default();
        keys.push(GlobalKey { name, columns, exclusion });
    }
    Ok(keys)
}

/// Puts each table after those that it refers to. A deferrable key is checked at the end and does not count, nor does one to itself.
fn in_order(mut waiting: BTreeMap<String, TableShape>) -> Result<Vec<TableShape>, ShapeError> {
    let mut ordered = Vec::new();
    let mut placed: BTreeSet<String> = BTreeSet::new();
    while !waiting.is_empty() {
        let is_ready = |(name, table): &(&String, &TableShape)| {
            table.references.iter().all(|key| key.deferrable || key.table == **name || placed.contains(&key.table))
        };
        let ready: Vec<String> = waiting.iter().filter(is_ready).map(|(name, _)| name.clone()).collect();
        if ready.is_empty() {
            return Err(ShapeError::Circle(waiting.into_keys().collect()));
        }
        for name in ready {
            ordered.extend(waiting.remove(&name));
            placed.insert(name);
        }
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, references: &[(&str, bool)]) -> (String, TableShape) {
        let reference = |(table, deferrable): &(&str, bool)| Reference {
            columns: Vec::new(),
            table: (*table).to_owned(),
            deferrable: *deferrable,
        };
        let entry = registry::find(name).expect("a table of ours");
        let references = references.iter().map(reference).collect();
        (name.to_owned(), TableShape { entry, columns: Vec::new(), key: Vec::new(), references, global: Vec::new() })
    }

    #[test]
    fn parents_come_before_their_children() {
        let tables =
            [table("customer", &[("router", false)]), table("router", &[("site", false)]), table("site", &[("site", false)])];
        let names: Vec<&str> = in_order(tables.into()).expect("an order").iter().map(TableShape::name).collect();
        assert_eq!(names, ["site", "router", "customer"]);
    }

    #[test]
    fn a_circle_is_told_unless_a_key_can_wait() {
        let circle =
            |deferrable| in_order([table("router", &[("site", deferrable)]), table("site", &[("router", false)])].into());
        assert!(matches!(circle(false), Err(ShapeError::Circle(names)) if names == ["router", "site"]));
        assert!(circle(true).is_ok());
    }
}
