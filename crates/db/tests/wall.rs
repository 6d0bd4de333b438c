//! Goal: the leaks that were reproduced on other systems do not happen on ours.
//! Method: two tenants in a real database; each attack is tried with the app role itself, past all Rust types.

use db::TestDb;
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

const A: &str = "00000000-0000-7000-8000-00000000000a";
const B: &str = "00000000-0000-7000-8000-00000000000b";

/// Two tenants, each with a router and a package under the same ids and names wherever the schema lets them.
async fn two_tenants() -> (TestDb, PgConnection) {
    let test = TestDb::new().await;
    let mut owner = test.connect_as("mastwire_owner").await;
    for (id, name) in [(A, "Alpha"), (B, "Beta")] {
        sqlx::query("INSERT INTO tenant (id, name, currency, time_zone, created_at, status_since) VALUES ($1::uuid, $2, 'KES', 'Africa/Nairobi', now(), now())")
            .bind(id)
            .bind(name)
            .execute(&mut owner)
            .await
            .expect("the set-up is allowed");
        sqlx::query("INSERT INTO router (tenant_id, id, name, created_at) VALUES ($1::uuid, $1::uuid, 'tower', now())")
            .bind(id)
            .execute(&mut owner)
            .await
            .expect("the set-up is allowed");
    }
    let app = test.connect_as("mastwire_app").await;
    (test, app)
}

async fn as_tenant<'c>(app: &'c mut PgConnection, tenant: &str) -> Transaction<'c, Postgres> {
    app.begin_with(sqlx::AssertSqlSafe(format!("BEGIN; SET LOCAL app.tenant_id = '{tenant}'; SET LOCAL app.reach = 'all'")))
        .await
        .expect("the set-up is allowed")
}

#[tokio::test]
async fn without_a_tenant_there_is_an_error_and_not_an_empty_answer() {
    let (_test, mut app) = two_tenants().await;
    let error = sqlx::query("SELECT * FROM router").fetch_all(&mut app).await.expect_err("unset");
    assert!(error.to_string().contains("unrecognized configuration parameter \"app."), "{error}");
    // A setting that an earlier transaction left behind is the empty string, and that is an error too.
    as_tenant(&mut app, A).await.commit().await.unwrap();
    assert!(sqlx::query("SELECT * FROM router").fetch_all(&mut app).await.is_err(), "left empty");
}

#[tokio::test]
async fn another_tenants_rows_cannot_be_seen_changed_made_or_pointed_at() {
    let (_test, mut app) = two_tenants().await;
    let mut tx = as_tenant(&mut app, A).await;
    let seen: Vec<String> = sqlx::query_scalar("SELECT tenant_id::text FROM router").fetch_all(&mut *tx).await.unwrap();
    assert_eq!(seen, [A]);
    let changed = sqlx::query("UPDATE router SET name = 'mine' WHERE id = $1::uuid").bind(B).execute(&mut *tx).await.unwrap();
    assert_eq!(changed.rows_affected(), 0);

    let attempts = [
        format!("INSERT INTO router (tenant_id, id, name, created_at) VALUES ('{B}', gen_random_uuid(), 'planted', now())"),
        // The other tenant's router exists, but the foreign key carries our tenant.
        format!("INSERT INTO router_state (tenant_id, router_id) VALUES ('{A}', '{B}')"),
        format!("UPDATE router SET tenant_id = '{B}' WHERE id = '{A}'"),
    ];
    for attempt in attempts {
        let mut savepoint = tx.begin().await.unwrap();
        let error = sqlx::raw_sql(sqlx::AssertSqlSafe(attempt.clone())).execute(&mut *savepoint).await;
        assert!(error.is_err(), "{attempt}");
        savepoint.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_name_in_use_elsewhere_is_free_here() {
    let (_test, mut app) = two_tenants().await;
    let mut tx = as_tenant(&mut app, A).await;
    // B's router id and name may be used again: a refusal would tell that they exist.
    sqlx::query("UPDATE router SET name = 'spire'").execute(&mut *tx).await.unwrap();
    sqlx::query("INSERT INTO router (tenant_id, id, name, created_at) VALUES ($1::uuid, $2::uuid, 'tower', now())")
        .bind(A)
        .bind(B)
        .execute(&mut *tx)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_owners_insert_select_sees_all_rows() {
    let (test, _app) = two_tenants().await;
    let mut owner = test.connect_as("mastwire_owner").await;
    let moved = sqlx::query("INSERT INTO router_state (tenant_id, router_id) SELECT tenant_id, id FROM router")
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(moved.rows_affected(), 2, "under FORCE without a policy of its own, the owner would silently load nothing");
}

#[tokio::test]
async fn a_plaintext_password_fits_no_column() {
    let (test, _app) = two_tenants().await;
    let mut platform = test.connect_as("mastwire_platform").await;
    let error = sqlx::query("INSERT INTO operator (id, login, display_name, password_hash, created_at) VALUES (gen_random_uuid(), 'eve', 'Eve', 'hunter2', now())")
        .execute(&mut platform)
        .await
        .expect_err("only Argon2id");
    assert_eq!(db::on_constraint(&error), Some("operator_password_hash_check"));
}

#[tokio::test]
async fn the_ledger_takes_no_unbalanced_journal_and_forgets_nothing() {
    let (_test, mut app) = two_tenants().await;
    let mut tx = as_tenant(&mut app, A).await;
    let made = format!(
        "INSERT INTO account (tenant_id, id, code, name, type, created_at) VALUES
            ('{A}', gen_random_uuid(), 'cash', 'Cash', 'asset', now()), ('{A}', gen_random_uuid(), 'sales', 'Sales', 'income', now());
         INSERT INTO ledger_journal (tenant_id, id, at, kind) VALUES ('{A}', '{A}', now(), 'adjustment');
         INSERT INTO ledger_entry (tenant_id, id, journal_id, account, amount_minor, currency) VALUES ('{A}', gen_random_uuid(), '{A}', 'cash', 50000, 'KES');"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut *tx).await.unwrap();
    let mut savepoint = tx.begin().await.unwrap();
    let error = sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE").execute(&mut *savepoint).await.expect_err("one side only");
    assert!(error.to_string().contains("does not balance"), "{error}");
    savepoint.rollback().await.unwrap();
    let other = format!(
        "INSERT INTO ledger_entry (tenant_id, id, journal_id, account, amount_minor, currency) VALUES ('{A}', gen_random_uuid(), '{A}', 'sales', -50000, 'KES'); SET CONSTRAINTS ALL IMMEDIATE"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(other)).execute(&mut *tx).await.unwrap();
    for statement in [
        "UPDATE ledger_entry SET amount_minor = 1",
        "DELETE FROM ledger_entry",
        "DELETE FROM payment",
        "UPDATE payment SET amount_minor = 1",
    ] {
        let mut savepoint = tx.begin().await.unwrap();
        let error = sqlx::raw_sql(statement).execute(&mut *savepoint).await.expect_err(statement);
        assert!(error.to_string().contains("permission denied"), "{error}");
        savepoint.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn blocks_of_tenants_are_disjoint_and_start_behind_the_reserved_range() {
    let (_test, mut app) = two_tenants().await;
    for (tenant, expected) in [(A, "10.10.1.0/26"), (B, "10.10.1.64/26"), (A, "10.10.1.128/26")] {
        let mut tx = as_tenant(&mut app, tenant).await;
        let block: String = sqlx::query_scalar("SELECT allocate_tunnel_block(gen_random_uuid(), '10.10.0.0/16', now())::text")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(block, expected);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_lies_in_a_json_column_has_its_shape() {
    let (test, mut app) = two_tenants().await;
    let mut owner = test.connect_as("mastwire_owner").await;
    for (check, holds) in [
        (r#"has_shape('{"a": 1}', '{"a": "number"}')"#, true),
        (r#"has_shape('{"a": "1"}', '{"a": "number"}')"#, false),
        (r#"has_shape('{}', '{"a": "number"}')"#, false),
        (r#"has_shape('{}', '{"a": "number|null"}')"#, true),
        (r#"has_shape('{"a": null}', '{"a": "number|null"}')"#, true),
        (r#"has_shape('{"a": 1, "b": 1}', '{"a": "number"}')"#, false),
        (r#"has_shape('{"a": 1, "b": 1}', '{"a": "number", "*": "any"}')"#, true),
        (r#"has_shape('{"b": "1"}', '{"*": "number"}')"#, false),
        (r#"has_shape('[]', '{"*": "any"}')"#, false),
        (r#"each_has_shape('[{"a": 1}, {"a": 2}]', '{"a": "number"}')"#, true),
        (r#"each_has_shape('[{"a": 1}, 2]', '{"a": "number"}')"#, false),
        (r#"each_has_shape('{"a": 1}', '{"a": "number"}')"#, false),
        (r#"values_have_shape('{"x": {"a": 1}}', '{"a": "number"}')"#, true),
        (r#"values_have_shape('{"x": {"a": "1"}}', '{"a": "number"}')"#, false),
    ] {
        let select = sqlx::AssertSqlSafe(format!("SELECT internal.{check}"));
        assert_eq!(sqlx::query_scalar::<_, bool>(select).fetch_one(&mut owner).await.unwrap(), holds, "{check}");
    }

    for (services, fits) in
        [(r#"[{"kind": "pppoe", "interfaces": ["bridge"]}]"#, true), (r#"[{"kind": 1}]"#, false), ("{}", false)]
    {
        let mut tx = as_tenant(&mut app, A).await;
        let update = sqlx::query("UPDATE router SET services = $1::jsonb WHERE tenant_id = $2::uuid");
        assert_eq!(update.bind(services).bind(A).execute(&mut *tx).await.is_ok(), fits, "{services}");
    }
}

/// Tables that refer to another in two ways, or have a column for a thing beside one for its id, with why these are two facts.
const TWICE: &[(&str, &str, &str)] = &[
    ("expense", "account", "what it was for, and what it was paid from"),
    ("recurring_expense", "account", "what it is for, and what it is paid from"),
];

#[tokio::test]
async fn no_table_says_one_thing_in_two_columns() {
    let test = TestDb::new().await;
    let mut all = test.connect_as("postgres").await;
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.conrelid::regclass::text, c.confrelid::regclass::text
           FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid AND NOT t.relispartition
          WHERE c.contype = 'f' AND c.conparentid = 0
          GROUP BY 1, 2 HAVING count(DISTINCT c.conkey) > 1
         UNION ALL
         SELECT a.attrelid::regclass::text, a.attname::text
           FROM pg_attribute a
           JOIN pg_attribute b ON b.attrelid = a.attrelid AND b.attname = a.attname || '_id' AND NOT b.attisdropped
           JOIN pg_class t ON t.oid = a.attrelid AND t.relkind IN ('r', 'p') AND NOT t.relispartition
          WHERE t.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
          ORDER BY 1, 2",
    )
    .fetch_all(&mut all)
    .await
    .expect("the catalogue is read");
    let known: Vec<(String, String)> = TWICE.iter().map(|(table, what, _)| ((*table).to_owned(), (*what).to_owned())).collect();
    assert_eq!(found, known, "keep one of the two, or say why they are two facts");
}
