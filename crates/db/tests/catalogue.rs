//! Goal: no table, key, policy, grant, view or function weakens the wall between tenants, and the registry tells the truth.
//! Method: read the real catalogue of a migrated database and compare it with the registry and the rules, in both directions.

use db::TestDb;
use db::registry::{Class, SECURITY_DEFINERS, TABLES, Table};
use sqlx::{FromRow, PgConnection};
use std::collections::BTreeSet;

async fn owner() -> (TestDb, PgConnection) {
    let test = TestDb::new().await;
    let connection = test.connect_as("postgres").await;
    (test, connection)
}

fn registered(name: &str) -> &'static Table {
    TABLES.iter().find(|table| table.name == name).unwrap_or_else(|| panic!("table {name} is not in the registry"))
}

#[tokio::test]
async fn every_table_is_registered_and_every_registered_table_exists() {
    let (_test, mut connection) = owner().await;
    let real: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let real: BTreeSet<&str> = real.iter().map(String::as_str).collect();
    let ours: BTreeSet<&str> = TABLES.iter().map(|table| table.name).collect();
    assert_eq!(real, ours, "left: the database, right: the registry");
    assert!(TABLES.is_sorted_by_key(|table| table.name), "the registry is kept in order of name");
}

#[derive(FromRow)]
struct Policy {
    relname: String,
    polname: String,
    role: String,
    cmd: String,
    permissive: bool,
    using: Option<String>,
    check: Option<String>,
}

#[tokio::test]
async fn row_level_security_is_forced_everywhere_with_the_one_tenant_policy() {
    let (_test, mut connection) = owner().await;
    let bare: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND NOT (relrowsecurity AND relforcerowsecurity)",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let allowed: Vec<&str> = TABLES.iter().filter(|table| table.class == Class::Reference).map(|table| table.name).collect();
    assert_eq!(bare, allowed, "tables without ENABLE and FORCE ROW LEVEL SECURITY");

    let policies: Vec<Policy> = sqlx::query_as(
        "SELECT c.relname::text, p.polname::text, r.rolname::text AS role, p.polcmd::text AS cmd, p.polpermissive AS permissive,
                pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check
           FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid CROSS JOIN unnest(p.polroles) AS a (oid) LEFT JOIN pg_roles r ON r.oid = a.oid",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let wanted = "(tenant_id = ( SELECT (current_setting('app.tenant_id'::text))::uuid AS current_setting))";
    for table in TABLES.iter().filter(|table| table.class == Class::Tenant) {
        let app: Vec<&Policy> = policies
            .iter()
            .filter(|policy| policy.relname == table.name && policy.role == "mastwire_app" && policy.permissive)
            .collect();
        assert_eq!(app.len(), 1, "{}: exactly one policy for the app role", table.name);
        assert_eq!(app[0].polname, "tenant");
        assert_eq!(app[0].cmd, "*");
        assert_eq!(app[0].using.as_deref(), Some(wanted), "{}", table.name);
        assert_eq!(app[0].check.as_deref(), Some(wanted), "{}", table.name);
    }
    for policy in policies.iter().filter(|policy| policy.role == "mastwire_app") {
        let table = registered(&policy.relname);
        assert!(
            table.class == Class::Tenant || table.app_reads.is_some(),
            "{} lets the app role in without a reason in the registry",
            table.name
        );
    }
    let strangers: Vec<&str> = policies
        .iter()
        .filter(|policy| !["mastwire_app", "mastwire_owner", "mastwire_platform"].contains(&policy.role.as_str()))
        .map(|policy| policy.relname.as_str())
        .collect();
    assert!(strangers.is_empty(), "policies for PUBLIC or an unknown role on {strangers:?}");
}

#[derive(FromRow)]
struct Key {
    relname: String,
    index: String,
    conname: Option<String>,
    first: Option<String>,
    columns: Vec<String>,
}

#[tokio::test]
async fn every_unique_key_leads_with_the_tenant_or_says_why_not() {
    let (_test, mut connection) = owner().await;
    let keys: Vec<Key> = sqlx::query_as(
        "SELECT c.relname::text, i.relname::text AS index, k.conname::text,
                (SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum = x.indkey[0]) AS first,
                ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum = ANY (x.indkey)) AS columns
           FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
           LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.conrelid = c.oid
          WHERE c.relnamespace = 'public'::regnamespace AND (x.indisunique OR x.indisexclusion)",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut used = BTreeSet::new();
    for key in &keys {
        let table = registered(&key.relname);
        if table.class != Class::Tenant {
            continue;
        }
        let name = key.conname.as_deref().unwrap_or(&key.index);
        if table.global.iter().any(|(global, _)| *global == name) {
            used.insert(name.to_owned());
            continue;
        }
        assert_eq!(
            key.first.as_deref(),
            Some("tenant_id"),
            "{}.{name} does not lead with tenant_id: {:?}",
            key.relname,
            key.columns
        );
    }
    let declared: BTreeSet<String> = TABLES.iter().flat_map(|table| table.global).map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(used, declared, "left: global keys in the database, right: the registry");
}

#[derive(FromRow)]
struct ForeignKey {
    from: String,
    to: String,
    name: String,
    columns: Vec<String>,
    targets: Vec<String>,
    actions: String,
}

#[tokio::test]
async fn every_foreign_key_between_tenants_tables_carries_the_tenant_restricts_and_has_an_index() {
    let (_test, mut connection) = owner().await;
    let keys: Vec<ForeignKey> = sqlx::query_as(
        "SELECT c.relname::text AS from, r.relname::text AS to, k.conname::text AS name,
                ARRAY(SELECT attname::text FROM unnest(k.conkey) WITH ORDINALITY u (n, o) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.n ORDER BY o) AS columns,
                ARRAY(SELECT attname::text FROM unnest(k.confkey) WITH ORDINALITY u (n, o) JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = u.n ORDER BY o) AS targets,
                k.confdeltype::text || k.confupdtype::text AS actions
           FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
          WHERE k.contype = 'f' AND c.relnamespace = 'public'::regnamespace",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(keys.len() > 20, "the catalogue was read");
    for ForeignKey { from, to, name, columns, targets, actions } in &keys {
        assert_eq!(actions, "aa", "{name}: no cascade, neither on delete nor on update");
        if registered(from).class == Class::Tenant && registered(to).class == Class::Tenant {
            assert_eq!(
                (columns[0].as_str(), targets[0].as_str()),
                ("tenant_id", "tenant_id"),
                "{name} of {from} lets a row point at another tenant's"
            );
        }
        let indexed: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_index x WHERE x.indrelid = $1::regclass AND
                (SELECT array_agg(attname::text ORDER BY o) FROM unnest(x.indkey::int2[]) WITH ORDINALITY u (n, o)
                   JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.n WHERE o <= array_length($2::text[], 1)) @> $2::text[])",
        )
        .bind(from)
        .bind(columns)
        .fetch_one(&mut connection)
        .await
        .unwrap();
        assert!(indexed, "{name} of {from} has no index on {columns:?}");
    }
}

#[tokio::test]
async fn roles_own_and_bypass_nothing() {
    let (_test, mut connection) = owner().await;
    let roles: Vec<(String, bool, bool, bool)> = sqlx::query_as(
        "SELECT rolname::text, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname LIKE 'mastwire%' ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(
        roles,
        ["mastwire_app", "mastwire_owner", "mastwire_platform"].map(|name| (name.to_owned(), false, false, false)),
        "three roles without superuser, bypassrls or createrole"
    );
    let owned: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relowner IN ('mastwire_app'::regrole, 'mastwire_platform'::regrole)",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(owned, 0, "the serving roles own nothing");
    let public: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = 0",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(public.is_empty(), "granted to everybody: {public:?}");
    let hash: bool = sqlx::query_scalar("SELECT has_column_privilege('mastwire_app', 'operator', 'password_hash', 'SELECT')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(!hash, "the app role may not read password hashes");
    for (table, column) in [("tunnel_peer", "preshared_key"), ("enrolment", "hub_private_key"), ("data_key", "sealed_key")] {
        let secret: bool = sqlx::query_scalar("SELECT has_column_privilege('mastwire_platform', $1, $2, 'SELECT')")
            .bind(table)
            .bind(column)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(!secret, "the platform role may not read {table}.{column}");
    }
}

#[tokio::test]
async fn nothing_leaks_around_the_policies() {
    let (_test, mut connection) = owner().await;
    let others: Vec<(String, String)> = sqlx::query_as(
        "SELECT relname::text, relkind::text FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'internal'::regnamespace)
            AND relkind IN ('v', 'm', 'S', 'f', 'p')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(
        others.is_empty(),
        "views, materialised views, sequences, foreign and partitioned tables need rules of their own: {others:?}"
    );
    // Extensions' functions aside, only the declared ones run with their owner's rights, and each fixes its search path.
    let definers: Vec<(String, bool)> = sqlx::query_as(
        "SELECT proname::text, coalesce(proconfig::text LIKE '%search_path=%', false) FROM pg_proc
          WHERE pronamespace IN ('public'::regnamespace, 'internal'::regnamespace) AND prosecdef",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(definers, SECURITY_DEFINERS.iter().map(|(name, _)| ((*name).to_owned(), true)).collect::<Vec<_>>());
    let enums: Vec<String> =
        sqlx::query_scalar("SELECT typname::text FROM pg_type WHERE typtype = 'e' AND typnamespace = 'public'::regnamespace")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert!(enums.is_empty(), "an enum's operators are not leakproof, so row-level security disables its indexes: {enums:?}");
    let nullable: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace
            AND c.relkind = 'r' AND a.attname = 'tenant_id' AND NOT a.attnotnull",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(nullable, ["login_session"], "only a platform operator's login has no tenant");
}
