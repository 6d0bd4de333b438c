//! Every table of the registry, past all of our code: what the app role can do to another tenant's rows by SQL alone.
//! Method: each tenant gets a row in every table. What stands in it does not matter to a policy, so that it is made of any values, past the
//! checks and keys that would ask for sense.

use controller::testing::TestApp;
use db::TestDb;
use db::registry::{Class, TABLES, Table};
use model::TenantId;
use sqlx::PgConnection;

/// Takes the checks away, as they are not what is tried here, and keys and triggers with them for this connection.
const ANYTHING_GOES: &str = "
    SET session_replication_role = replica;
    DO $$ DECLARE one record; BEGIN
        FOR one IN SELECT conrelid::regclass AS place, conname FROM pg_constraint
                    WHERE contype = 'c' AND coninhcount = 0 AND connamespace = 'public'::regnamespace
        LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.place, one.conname); END LOOP;
    END $$";

fn tenants() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(|table| table.class == Class::Tenant)
}

/// A value of a type, in SQL.
fn any(kind: &str) -> &'static str {
    match kind {
        "uuid" => "gen_random_uuid()",
        "text" => "md5(random()::text)",
        "bytea" => "decode(md5(random()::text), 'hex')",
        "timestamp with time zone" => "now()",
        "date" => "now()::date",
        "boolean" => "false",
        "jsonb" => "'{}'",
        "inet" | "cidr" => "'10.0.0.0'::inet + (random() * 16000000)::bigint",
        "uuid[]" | "text[]" | "bytea[]" => "'{}'",
        "smallint" | "integer" | "bigint" | "numeric" | "double precision" | "real" => "1",
        other => panic!("these tests know no value of type {other}"),
    }
}

/// Writes a row of a tenant into a table.
async fn plant(superuser: &mut PgConnection, table: &str, tenant: TenantId) {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
          WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull AND attgenerated = '' AND attname <> 'tenant_id'",
    )
    .bind(table)
    .fetch_all(&mut *superuser)
    .await
    .expect("the catalogue is read");
    let names: String = columns.iter().map(|(name, _)| format!(", {name}")).collect();
    let values: String = columns.iter().map(|(_, kind)| format!(", {}", any(kind))).collect();
    TestDb::run(superuser, &format!("INSERT INTO {table} (tenant_id{names}) VALUES ('{}'{values})", tenant.uuid())).await;
}

#[tokio::test]
async fn no_statement_reaches_another_tenants_row_of_any_table() {
    let test = TestApp::new().await;
    let (ours, theirs) = (test.tenant("Aldebaran").await.id, test.tenant("Betelgeuse").await.id);
    let mut superuser = test.db.connect_as("postgres").await;
    TestDb::run(&mut superuser, ANYTHING_GOES).await;
    for Table { name, .. } in tenants() {
        for tenant in [ours, theirs] {
            plant(&mut superuser, name, tenant).await;
        }
    }
    let before = test.db.fingerprint().await;
    let (alpha, beta) = (ours.uuid(), theirs.uuid());
    let mut reached = Vec::new();
    for Table { name, .. } in tenants() {
        // Looking, changing and ending find nothing, or are not allowed at all.
        for statement in [
            format!("SELECT FROM {name} WHERE tenant_id = '{beta}'"),
            format!("SELECT FROM {name} WHERE tenant_id <> '{alpha}'"),
            format!("UPDATE {name} SET tenant_id = '{alpha}' WHERE tenant_id = '{beta}'"),
            format!("UPDATE {name} SET tenant_id = '{beta}' WHERE tenant_id = '{beta}'"),
            format!("DELETE FROM {name} WHERE tenant_id = '{beta}'"),
            // A row in the other's name is refused whatever is in it, and so is giving one away.
            format!(
                "INSERT INTO {name} SELECT (jsonb_populate_record(t, jsonb_build_object('tenant_id', '{beta}'))).* FROM {name} t LIMIT 1"
            ),
            format!("UPDATE {name} SET tenant_id = '{beta}' WHERE tenant_id = '{alpha}'"),
        ] {
            match test.db.try_as_app(ours, &statement).await {
                Ok(0) => {}
                Ok(rows) => reached.push(format!("{statement}: {rows} rows")),
                Err(text) if text.contains("permission denied") || text.contains("row-level security") => {}
                Err(text) => reached.push(format!("{statement}: {text}")),
            }
        }
    }
    assert!(reached.is_empty(), "{}", reached.join("\n"));
    assert_eq!(test.db.fingerprint().await, before, "a statement that was taken back stayed");
}

#[tokio::test]
async fn every_table_shows_the_tenants_own_row() {
    // What the test above finds out of reach is there to be found.
    let test = TestApp::new().await;
    let ours = test.tenant("Aldebaran").await.id;
    let mut superuser = test.db.connect_as("postgres").await;
    TestDb::run(&mut superuser, ANYTHING_GOES).await;
    for Table { name, .. } in tenants() {
        plant(&mut superuser, name, ours).await;
        match test.db.try_as_app(ours, &format!("SELECT FROM {name}")).await {
            Ok(rows) => assert!(rows > 0, "{name}: the row just written is not seen, so that nothing is proved of it"),
            Err(text) => assert!(text.contains("permission denied"), "{name}: {text}"),
        }
    }
}
