//! Rules about the shape of the database: tables, policies, keys, grants, functions, roles. Pure; they read the catalogue and the registry.

use super::catalogue::{Catalogue, ForeignKey, Grant, Index, Policy, Relation};
use super::{Check, Checked, LIST_QUERIES, Rule};
use crate::registry::{self, Class, SECURITY_DEFINERS, TABLES, TRIGGERS, Table};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

const APP: &str = "mastwire_app";
const PLATFORM: &str = "mastwire_platform";
const OWNER: &str = "mastwire_owner";

/// The tenant policy, as PostgreSQL spells it.
const OF_THE_TENANT: &str = "(tenant_id = ( SELECT (current_setting('app.tenant_id'::text))::uuid AS current_setting))";
/// The policy of `internal.limit_reach`, as PostgreSQL spells it without its white space.
const WITHIN_REACH: &str = "((( SELECT current_setting('app.reach'::text) AS current_setting) = 'all'::text) OR (router_id IS NULL) OR (router_id IN ( SELECT internal.reachable_routers() AS reachable_routers)))";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "tables",
        proves: "every table is declared with whose its rows are, and every declared table is there",
        remedy: "declare the table in crates/db/src/registry.rs, or drop it; a declared one that is missing comes back with `mastwire-controller migrate`",
        check: Check::Shape(tables),
    },
    Rule {
        name: "row-security",
        proves: "row-level security is enabled and forced on every table and every month of it",
        remedy: "ALTER TABLE … ENABLE ROW LEVEL SECURITY; ALTER TABLE … FORCE ROW LEVEL SECURITY",
        check: Check::Shape(row_security),
    },
    Rule {
        name: "tenant-policy",
        proves: "each tenant's table lets the app role in by exactly one policy, for the transaction's tenant, and no policy is for anybody else",
        remedy: "drop the policy, or make it anew with internal.protect_tenant_table; a platform table that a tenant may read says why in the registry",
        check: Check::Shape(tenant_policy),
    },
    Rule {
        name: "reach-policy",
        proves: "an operator who is limited to some routers is limited on every table that names a router",
        remedy: "SELECT internal.limit_reach('the table'), or declare in the registry why it needs none or has its own",
        check: Check::Shape(reach_policy),
    },
    Rule {
        name: "partitions",
        proves: "months cannot be reached but through their table: no grant, no policy but the owner's, and none that takes whatever is left over",
        remedy: "REVOKE ALL ON months.… FROM the role; make months with ensure_partitions alone",
        check: Check::Shape(partitions),
    },
    Rule {
        name: "months-ahead",
        proves: "this month and the next have their partition in every table that is cut by month",
        remedy: "start the controller, whose job `partitions` makes them, or run SELECT ensure_partitions(now(), now() + interval '3 months') as mastwire_owner",
        check: Check::Shape(months_ahead),
    },
    Rule {
        name: "tenant-column",
        proves: "no row of a tenant's table can be without its tenant",
        remedy: "ALTER TABLE … ALTER COLUMN tenant_id SET NOT NULL, after giving the rows to their tenants",
        check: Check::Shape(tenant_column),
    },
    Rule {
        name: "unique-keys",
        proves: "every unique key of a tenant's table begins with the tenant, so that a refusal tells nothing of others, or is declared with a reason",
        remedy: "make the key anew with tenant_id first, or declare it global in the registry and say why",
        check: Check::Shape(unique_keys),
    },
    Rule {
        name: "foreign-keys",
        proves: "every reference between tenants' tables carries the tenant, so that no row can point at another tenant's",
        remedy: "make the foreign key anew with tenant_id first on both sides",
        check: Check::Shape(foreign_keys),
    },
    Rule {
        name: "foreign-keys-hold",
        proves: "every reference was checked for all rows, and nothing is deleted or changed because something else was",
        remedy: "ALTER TABLE … VALIDATE CONSTRAINT …; make a cascading key anew without ON DELETE and ON UPDATE",
        check: Check::Shape(foreign_keys_hold),
    },
    Rule {
        name: "foreign-key-indexes",
        proves: "every reference has an index, so that removing what it points at looks at no whole table",
        remedy: "CREATE INDEX on the reference's columns",
        check: Check::Shape(foreign_key_indexes),
    },
    Rule {
        name: "indexes-valid",
        proves: "every index is whole and used",
        remedy: "REINDEX INDEX …; first remove the rows that a unique index found twice",
        check: Check::Shape(indexes_valid),
    },
    Rule {
        name: "list-indexes",
        proves: "every list that people page through has an index in its own order",
        remedy: "CREATE INDEX on the given columns and then the order's",
        check: Check::Shape(list_indexes),
    },
    Rule {
        name: "views",
        proves: "no view, materialised view or foreign table shows rows past the policies",
        remedy: "ALTER VIEW … SET (security_invoker = true); drop a materialised view or a foreign table",
        check: Check::Shape(views),
    },
    Rule {
        name: "definers",
        proves: "only declared functions run with their owner's rights, each with a fixed search path, and nobody runs one without being named",
        remedy: "drop the function, or declare it in the registry; ALTER FUNCTION … SET search_path; REVOKE EXECUTE … FROM PUBLIC",
        check: Check::Shape(definers),
    },
    Rule {
        name: "sequences",
        proves: "no counter is shared between tenants, whose gaps would tell how much others do",
        remedy: "drop the sequence; ids are made by the program",
        check: Check::Shape(sequences),
    },
    Rule {
        name: "enums",
        proves: "no column is of an enumerated type, whose comparisons row-level security keeps from using an index",
        remedy: "make the column text with a CHECK, and drop the type",
        check: Check::Shape(enums),
    },
    Rule {
        name: "json-shapes",
        proves: "what may lie in each JSON column is checked by the database itself, for all rows",
        remedy: "ADD CONSTRAINT … CHECK (internal.has_shape(the column, …)), and VALIDATE it; a list has internal.each_has_shape",
        check: Check::Shape(json_shapes),
    },
    Rule {
        name: "roles",
        proves: "the roles that serve own nothing, bypass nothing and have nobody else's rights",
        remedy: "ALTER ROLE … NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE; REVOKE the membership; ALTER … OWNER TO mastwire_owner; then restart the controller, whose connections keep plans that they made before",
        check: Check::Shape(roles),
    },
    Rule {
        name: "grants",
        proves: "nothing is granted to everybody, nothing that row-level security does not cover, and nothing in the owner's schemas",
        remedy: "REVOKE the right; see the migration of the table for what is meant to be granted",
        check: Check::Shape(grants),
    },
    Rule {
        name: "secrets",
        proves: "no role can read a secret that it has no use for: tenants' sealed columns and hashes of the platform's people",
        remedy: "REVOKE SELECT on the column from the role, and grant the columns it needs by name",
        check: Check::Shape(secrets),
    },
    Rule {
        name: "triggers",
        proves: "every trigger that keeps a promise is there and fires, and there is none that nobody declared",
        remedy: "ALTER TABLE … ENABLE TRIGGER …, then look at what was written meanwhile; declare a new one in the registry",
        check: Check::Shape(triggers),
    },
];

fn tenants() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(|table| table.class == Class::Tenant)
}

fn class(name: &str) -> Option<Class> {
    registry::find(name).map(|table| table.class)
}

fn tables(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for relation in catalogue.tables() {
        checked.look(1);
        match registry::find(&relation.name) {
            None => checked.find(&relation.name, "is not declared"),
            Some(table) if table.partitioned_by != relation.cut_by.as_deref() => {
                checked.find(
                    &relation.name,
                    "is cut by month in the registry or in the database, but not in both by the same column",
                );
            }
            Some(_) => {}
        }
    }
    for table in TABLES.iter().filter(|table| !catalogue.tables().any(|relation| relation.name == table.name)) {
        checked.find(table.name, "is declared and not there");
    }
}

fn row_security(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    let relations = catalogue.relations.iter().filter(|relation| matches!(relation.kind.as_str(), "r" | "p"));
    for relation in relations.filter(|relation| class(&relation.name) != Some(Class::Reference)) {
        checked.look(1);
        if !relation.secured {
            checked.find(&relation.name, "row-level security is not enabled");
        } else if !relation.forced {
            checked.find(&relation.name, "row-level security is not forced, so the owner's functions pass it by");
        }
    }
}

fn tenant_policy(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for policy in catalogue.policies.iter().filter(|policy| policy.schema == "public") {
        checked.look(1);
        match policy.role.as_deref() {
            // A restrictive one lets nobody in.
            Some(APP) if !policy.permissive => {}
            Some(APP) => {
                let admitted =
                    registry::find(&policy.table).is_some_and(|table| table.class == Class::Tenant || table.app_reads.is_some());
                if !admitted {
                    checked.find(
                        &policy.table,
                        format!("policy `{}` lets the app role in without a reason in the registry", policy.name),
                    );
                }
            }
            Some(OWNER | PLATFORM) => {}
            other => checked.find(&policy.table, format!("policy `{}` is for {}", policy.name, other.unwrap_or("everybody"))),
        }
    }
    for table in tenants().filter(|table| catalogue.tables().any(|relation| relation.name == table.name)) {
        let own = |policy: &&Policy| {
            policy.schema == "public" && policy.table == table.name && policy.role.as_deref() == Some(APP) && policy.permissive
        };
        let policies: Vec<&Policy> = catalogue.policies.iter().filter(own).collect();
        let [policy] = policies[..] else {
            checked.find(table.name, format!("has {} policies that let the app role in, and needs exactly one", policies.len()));
            continue;
        };
        let exact = |text: &Option<String>| text.as_deref() == Some(OF_THE_TENANT);
        if policy.command != "*" || !exact(&policy.using) || !exact(&policy.check) {
            checked.find(table.name, format!("policy `{}` says something else than the transaction's tenant", policy.name));
        }
    }
}

fn reach_policy(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for table in tenants() {
        let names_router = table.name == "router" || catalogue.columns_of(table.name).any(|column| column.name == "router_id");
        if !names_router || table.beyond_reach.is_some() {
            continue;
        }
        checked.look(1);
        let policy = catalogue.policies.iter().find(|policy| {
            policy.schema == "public"
                && policy.table == table.name
                && policy.name == "reach"
                && !policy.permissive
                && policy.role.as_deref() == Some(APP)
        });
        let using =
            policy.and_then(|policy| policy.using.as_deref()).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        match using {
            None => checked.find(table.name, "has no restrictive policy `reach` for the app role"),
            // What such a policy of its own comes to is proved on the rows, by rule `reach`.
            Some(_) if table.own_reach.is_some() => {}
            Some(using) if using == WITHIN_REACH => {}
            Some(_) => checked.find(table.name, "policy `reach` says something else than the routers within reach"),
        }
    }
}

fn partitions(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for partition in catalogue.partitions() {
        checked.look(1);
        if partition.schema != "months" || partition.parent.is_none() {
            checked.find(&partition.name, "is no month of a table in the schema `months`");
        }
        if partition.bounds.as_deref() == Some("DEFAULT") {
            checked.find(&partition.name, "takes whatever is left over, so a missing month would not be seen");
        }
        for policy in
            catalogue.policies.iter().filter(|policy| policy.schema == partition.schema && policy.table == partition.name)
        {
            if policy.role.as_deref() != Some(OWNER) {
                checked.find(&partition.name, format!("policy `{}` lets in others than the owner", policy.name));
            }
        }
        let granted = |grant: &&Grant| grant.on != "function" && grant.schema == partition.schema && grant.name == partition.name;
        for grant in catalogue.grants.iter().filter(granted) {
            let to = grant.role.as_deref().unwrap_or("everybody");
            checked.find(&partition.name, format!("{} is granted to {to}, past the policies of its table", grant.right));
        }
    }
}

fn months_ahead(catalogue: &Catalogue, now: Timestamp, checked: &mut Checked) {
    let today = now.to_zoned(TimeZone::UTC).date();
    let months = [Some(today), today.checked_add(1.month()).ok()];
    for table in TABLES.iter().filter(|table| table.partitioned_by.is_some()) {
        for month in months.into_iter().flatten() {
            checked.look(1);
            let name = format!("{}_{}", table.name, month.strftime("%Y_%m"));
            let there = |relation: &&Relation| relation.schema == "months" && relation.name == name && relation.parent.is_some();
            if !catalogue.relations.iter().any(|relation| there(&relation)) {
                checked.find(
                    table.name,
                    format!("has no partition for {}: rows of that month are refused", month.strftime("%Y-%m")),
                );
            }
        }
    }
}

fn tenant_column(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for table in TABLES {
        let column = catalogue.columns_of(table.name).find(|column| column.name == "tenant_id");
        match (table.class, column) {
            (Class::Tenant, None) => checked.find(table.name, "has no tenant_id"),
            (_, Some(column)) => {
                checked.look(1);
                if column.kind != "uuid" {
                    checked.find(table.name, format!("tenant_id is of type {}", column.kind));
                }
                if !column.not_null && (table.class == Class::Tenant || table.tenantless.is_none()) {
                    checked.find(table.name, "tenant_id may be empty");
                }
            }
            (_, None) => {}
        }
    }
}

fn unique_keys(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for key in catalogue.indexes.iter().filter(|index| index.unique && class(&index.table) == Some(Class::Tenant)) {
        checked.look(1);
        let global = registry::find(&key.table).is_some_and(|table| table.global.iter().any(|(name, _)| *name == key.name));
        if !global && key.columns.first().map(String::as_str) != Some("tenant_id") {
            checked.find(&key.table, format!("unique key `{}` does not begin with tenant_id", key.name));
        }
    }
    for table in TABLES {
        for (name, _) in table.global {
            if !catalogue.indexes.iter().any(|index| index.unique && index.table == table.name && index.name == *name) {
                checked.find(table.name, format!("`{name}` is declared as a key across tenants and is not there"));
            }
        }
    }
}

fn foreign_keys(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for key in &catalogue.foreign_keys {
        checked.look(1);
        let first = (key.columns.first().map(String::as_str), key.targets.first().map(String::as_str));
        if class(&key.target) == Some(Class::Tenant) && first != (Some("tenant_id"), Some("tenant_id")) {
            checked.find(&key.table, format!("`{}` lets a row point at another tenant's {}", key.name, key.target));
        }
    }
}

fn foreign_keys_hold(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for ForeignKey { table, name, actions, validated, .. } in &catalogue.foreign_keys {
        checked.look(1);
        if !validated {
            checked.find(table, format!("`{name}` was never checked for the rows that were there before it"));
        }
        if actions != "aa" {
            checked.find(table, format!("`{name}` changes or deletes rows because others go"));
        }
    }
}

/// An index over part of the rows serves a reference when it leaves out only those without one.
fn serves_reference(index: &Index, key: &ForeignKey) -> bool {
    let leads =
        index.columns.get(..key.columns.len()).is_some_and(|first| key.columns.iter().all(|column| first.contains(column)));
    let whole = index
        .condition
        .as_deref()
        .is_none_or(|condition| key.columns.iter().any(|column| condition == format!("({column} IS NOT NULL)")));
    index.table == key.table && index.valid && leads && whole
}

fn foreign_key_indexes(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for key in &catalogue.foreign_keys {
        checked.look(1);
        if !catalogue.indexes.iter().any(|index| serves_reference(index, key)) {
            checked.find(&key.table, format!("`{}` has no index on {}", key.name, key.columns.join(", ")));
        }
    }
}

fn indexes_valid(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for index in &catalogue.indexes {
        checked.look(1);
        if !index.valid {
            checked.find(&index.table, format!("index `{}` is not valid", index.name));
        }
    }
}

fn list_indexes(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for list in LIST_QUERIES {
        checked.look(1);
        let serves = |index: &Index| {
            let columns: Vec<&str> = index.columns.iter().map(String::as_str).collect();
            let Some((given, rest)) = columns.split_at_checked(list.given.len()) else { return false };
            let whole = index.condition.is_none() || list.partial;
            index.table == list.table
                && index.valid
                && whole
                && list.given.iter().all(|column| given.contains(column))
                && rest.starts_with(list.order)
        };
        if !catalogue.indexes.iter().any(serves) {
            checked
                .find(list.table, format!("{} has no index on {}, {}", list.name, list.given.join(", "), list.order.join(", ")));
        }
    }
}

fn views(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    checked.look(catalogue.relations.len());
    for relation in &catalogue.relations {
        match relation.kind.as_str() {
            "v" if !relation.invoker => checked.find(&relation.name, "is a view that reads with its owner's rights"),
            "m" => checked.find(&relation.name, "is a materialised view: a copy that no policy covers"),
            "f" => checked.find(&relation.name, "is a foreign table, which no policy covers"),
            _ => {}
        }
    }
}

fn definers(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for function in &catalogue.functions {
        checked.look(1);
        if !function.definer {
            continue;
        }
        if !SECURITY_DEFINERS.iter().any(|(name, _)| *name == function.name) {
            checked.find(&function.name, "runs with its owner's rights and is not declared");
        }
        if !function.fixed {
            checked.find(&function.name, "runs with its owner's rights in its caller's search path");
        }
        let public = |grant: &Grant| {
            grant.on == "function" && grant.schema == function.schema && grant.name == function.name && grant.role.is_none()
        };
        // A trigger function cannot be called.
        if !function.trigger && catalogue.grants.iter().any(public) {
            checked.find(&function.name, "runs with its owner's rights for everybody");
        }
    }
    for (name, _) in SECURITY_DEFINERS {
        if !catalogue.functions.iter().any(|function| function.definer && function.name == *name) {
            checked.find(*name, "is declared as running with its owner's rights and does not");
        }
    }
}

fn sequences(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    checked.look(catalogue.columns.len());
    for relation in catalogue.relations.iter().filter(|relation| relation.kind == "S") {
        checked.find(&relation.name, "is a sequence");
    }
}

fn enums(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    checked.look(catalogue.columns.len());
    for name in &catalogue.enums {
        checked.find(name, "is an enumerated type");
    }
}

fn json_shapes(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for column in catalogue.columns.iter().filter(|column| matches!(column.kind.as_str(), "json" | "jsonb")) {
        checked.look(1);
        if !column.shaped {
            checked.find(format!("{}.{}", column.table, column.name), "takes whatever is JSON");
        }
    }
}

fn roles(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for name in [APP, OWNER, PLATFORM] {
        if !catalogue.roles.iter().any(|role| role.name == name) {
            checked.find(name, "is not there");
        }
    }
    for role in &catalogue.roles {
        checked.look(1);
        if role.superuser || role.bypasses || role.creates {
            checked.find(&role.name, "is a superuser, passes row-level security by, or may make roles or databases");
        }
        if !role.member_of.is_empty() {
            checked.find(&role.name, format!("has the rights of {} too", role.member_of.join(", ")));
        }
    }
    for relation in catalogue.relations.iter().filter(|relation| relation.owner != OWNER) {
        checked.find(&relation.name, format!("belongs to {}", relation.owner));
    }
    for function in catalogue.functions.iter().filter(|function| function.definer && function.owner != OWNER) {
        checked.find(&function.name, format!("runs with the rights of {}", function.owner));
    }
}

fn grants(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for grant in &catalogue.grants {
        checked.look(1);
        let to = grant.role.as_deref().unwrap_or("everybody");
        let what = || format!("{} is granted to {to}", grant.right);
        match grant.on.as_str() {
            // A function of everybody's that runs with its owner's rights is found by `definers`; any other can do no more than its caller.
            "function" => {}
            _ if grant.role.is_none() => checked.find(&grant.name, what()),
            "schema" if grant.schema != "public" || grant.right != "USAGE" => {
                checked.find(format!("schema {}", grant.name), what())
            }
            "table" | "column" if !matches!(grant.right.as_str(), "SELECT" | "INSERT" | "UPDATE" | "DELETE") => {
                checked.find(&grant.name, format!("{}, which row-level security does not cover", what()));
            }
            _ => {}
        }
    }
}

fn secrets(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    let reads = |role: &str, table: &str, column: &str| {
        catalogue.grants.iter().any(|grant| {
            let whole = grant.on == "table" || grant.column.as_deref() == Some(column);
            grant.schema == "public"
                && grant.name == table
                && grant.right == "SELECT"
                && grant.role.as_deref() == Some(role)
                && whole
        })
    };
    for table in TABLES {
        let from_platform = table.sealed.iter().map(|column| (PLATFORM, *column));
        let from_app = table.hashes.iter().chain(table.master_sealed).map(|column| (APP, *column));
        let from_app = from_app.filter(|_| table.class == Class::Platform);
        for (role, column) in from_platform.chain(from_app) {
            checked.look(1);
            if !catalogue.columns_of(table.name).any(|there| there.name == column) {
                checked.find(table.name, format!("`{column}` is declared as a secret and is not there"));
            }
            if reads(role, table.name, column) {
                checked.find(table.name, format!("{role} may read `{column}`"));
            }
        }
    }
}

fn triggers(catalogue: &Catalogue, _now: Timestamp, checked: &mut Checked) {
    for trigger in &catalogue.triggers {
        checked.look(1);
        if !trigger.enabled {
            checked.find(&trigger.table, format!("trigger `{}` is switched off", trigger.name));
        }
        let declared = TRIGGERS.iter().any(|(table, name, _)| *table == trigger.table && *name == trigger.name);
        if !trigger.internal && !trigger.inherited && !declared {
            checked.find(&trigger.table, format!("trigger `{}` is not declared", trigger.name));
        }
    }
    for (table, name, keeps) in TRIGGERS {
        if !catalogue.triggers.iter().any(|trigger| trigger.table == *table && trigger.name == *name) {
            checked.find(*table, format!("trigger `{name}` is missing, so nothing keeps this: {keeps}"));
        }
    }
}
