//! What of a tenant goes into a copy, decided from the tables as they are. Pure.

use db::copies::{Shape, TableShape};
use db::registry::Copied;
use model::TenantId;
use std::collections::BTreeMap;

/// What becomes of a table's rows in a shadow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InShadow {
    /// They stay out.
    LeftOut(String),
    /// They go in.
    Copied {
        /// Columns that are empty in the shadow, with the reason.
        emptied: Vec<(String, String)>,
        /// Columns that get the shadow's mark behind them, because they can be only once.
        marked: Vec<&'static str>,
    },
}

/// What stands behind a marked column in a shadow.
#[must_use]
pub fn mark(shadow: TenantId) -> String {
    let digits = shadow.uuid().simple().to_string();
    format!("~{}", &digits[digits.len() - 12..])
}

/// Decides what becomes of each table in a shadow: what the registry leaves out, what can be only once, and what refers to that.
#[must_use]
pub fn shadow_plan(shape: &Shape) -> BTreeMap<&'static str, InShadow> {
    let mut plan = BTreeMap::new();
    // Each table comes after those that it refers to.
    for table in shape.of_tenants() {
        let decided = match table.entry.left_out_of(Copied::Shadow) {
            Some(reason) => InShadow::LeftOut(reason.to_owned()),
            None => of_table(table, &plan),
        };
        plan.insert(table.name(), decided);
    }
    plan
}

fn of_table(table: &TableShape, plan: &BTreeMap<&'static str, InShadow>) -> InShadow {
    let (mut emptied, mut marked) = (Vec::new(), Vec::new());
    for key in &table.global {
        let empty = table.may_be_empty(&key.columns);
        let known = marked.len();
        marked.extend(table.entry.marked.iter().filter(|column| key.columns.iter().any(|name| name == *column)));
        if marked.len() > known {
            continue;
        }
        if key.exclusion || empty.is_empty() {
            return InShadow::LeftOut(format!("{} can be only once in all tenants", key.columns.join(", ")));
        }
        emptied.extend(empty.into_iter().map(|column| (column, "it can be only once in all tenants".to_owned())));
    }
    for reference in &table.references {
        if !matches!(plan.get(reference.table.as_str()), Some(InShadow::LeftOut(_))) {
            continue;
        }
        let empty = table.may_be_empty(&reference.columns);
        if empty.is_empty() {
            return InShadow::LeftOut(format!("it belongs to {}, which is left out", reference.table));
        }
        emptied.extend(empty.into_iter().map(|column| (column, format!("{} is left out", reference.table))));
    }
    emptied.sort();
    emptied.dedup_by(|next, kept| next.0 == kept.0);
    InShadow::Copied { emptied, marked }
}

/// Says why rows of a table and columns cannot be put in here, if they cannot: a table or a column that is gone.
#[must_use]
pub fn does_not_fit(shape: &Shape, table: &str, columns: &[String]) -> Option<String> {
    let Some(known) = shape.of_tenants().chain(shape.of_platform()).find(|known| known.name() == table) else {
        return Some(format!("the table `{table}` is not there any more"));
    };
    let gone = columns.iter().find(|column| known.column(column).is_none())?;
    Some(format!("the column `{table}.{gone}` is not there any more"))
}

/// Says whether a tenant in this state may be replaced without being asked for by name.
#[must_use]
pub fn may_be_replaced(status: &str) -> bool {
    matches!(status, "suspended" | "exported" | "purged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::copies::{Column, GlobalKey, Reference};
    use db::registry;

    fn table(name: &str, columns: &[(&str, bool)], references: &[(&str, &str)], global: &[&[&str]]) -> TableShape {
        let column = |(name, nullable): &(&str, bool)| Column {
            name: (*name).to_owned(),
            kind: "uuid".to_owned(),
            nullable: *nullable,
            generated: false,
        };
        let reference = |(column, table): &(&str, &str)| Reference {
            columns: vec!["tenant_id".to_owned(), (*column).to_owned()],
            table: (*table).to_owned(),
            deferrable: false,
        };
        let key = |columns: &&[&str]| GlobalKey {
            name: "a key",
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            exclusion: false,
        };
        let own = [("tenant_id", false), ("id", false)];
        TableShape {
            entry: registry::find(name).expect("a table of ours"),
            columns: own.iter().chain(columns).map(column).collect(),
            key: vec!["tenant_id".to_owned(), "id".to_owned()],
            references: references.iter().map(reference).collect(),
            global: global.iter().map(key).collect(),
        }
    }

    #[test]
    fn what_can_be_only_once_stays_out_with_what_needs_it() {
        let shape = Shape {
            version: 1,
            tables: vec![
                table("router", &[("serial", true)], &[], &[&["serial"]]),
                table("site", &[("address", false)], &[], &[&["address"]]),
                table("package", &[("site_id", true)], &[("site_id", "site")], &[]),
                table(
                    "customer",
                    &[("router_id", false), ("account_number", false)],
                    &[("router_id", "router")],
                    &[&["account_number"]],
                ),
                table("voucher", &[("site_id", false)], &[("site_id", "site")], &[]),
                table("voucher_batch", &[("voucher_id", false)], &[("voucher_id", "voucher")], &[]),
            ],
        };
        let plan = shadow_plan(&shape);
        let emptied = |name: &str| match &plan[name] {
            InShadow::Copied { emptied, .. } => emptied.iter().map(|(column, _)| column.clone()).collect(),
            InShadow::LeftOut(reason) => vec![format!("left out: {reason}")],
        };
        assert_eq!(emptied("router"), ["serial"]);
        assert_eq!(plan["customer"], InShadow::Copied { emptied: Vec::new(), marked: vec!["account_number"] });
        assert_eq!(emptied("package"), ["site_id"]);
        for out in ["site", "voucher", "voucher_batch"] {
            assert!(matches!(plan[out], InShadow::LeftOut(_)), "{out}");
        }
    }

    #[test]
    fn what_is_gone_is_named() {
        let shape = Shape { version: 1, tables: vec![table("router", &[("serial", true)], &[], &[])] };
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(does_not_fit(&shape, "router", &columns(&["id", "serial"])), None);
        assert!(does_not_fit(&shape, "router", &columns(&["id", "colour"])).expect("gone").contains("router.colour"));
        assert!(does_not_fit(&shape, "modem", &[]).expect("gone").contains("modem"));
    }
}
