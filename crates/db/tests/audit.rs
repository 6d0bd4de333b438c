//! Goal: the audit finds nothing on a database as the migrations make it; the audit logs cannot be changed and show it when they were; months
//! come and go without losing either.
//! Method: a real database; every attempt is made with the role that would make it, past all Rust types. That each rule of the audit finds what
//! it is for is shown in controller/tests/wall.

use db::audit::Report;
use db::registry::TABLES;
use db::{OldDb, Origin, PlatformActor, TestDb};
use jiff::Timestamp;
use model::TenantId;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};

const A: &str = "00000000-0000-7000-8000-00000000000a";
const B: &str = "00000000-0000-7000-8000-00000000000b";

fn now() -> Timestamp {
    "2026-01-15T09:00:00Z".parse().expect("a time")
}

fn text(report: &Report) -> String {
    let lines = report
        .rules
        .iter()
        .flat_map(|rule| rule.findings.iter().map(move |finding| format!("{}: {} {}", rule.name, finding.place, finding.what)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns what the rules about the chains found.
async fn chains(test: &TestDb) -> Vec<String> {
    let report = test.db().audit(now()).await.expect("works");
    let rules = report.rules.iter().filter(|rule| rule.name.ends_with("-chain"));
    rules.flat_map(|rule| rule.findings.iter().map(|finding| format!("{} {}", finding.place, finding.what))).collect()
}

/// Two tenants and nothing else.
async fn two_tenants() -> TestDb {
    let test = TestDb::new().await;
    let mut owner = test.connect_as("mastwire_owner").await;
    for (id, name) in [(A, "Alpha"), (B, "Beta")] {
        let insert = format!(
            "INSERT INTO tenant (id, name, currency, time_zone, created_at, status_since) VALUES ('{id}', '{name}', 'KES', 'Africa/Nairobi', now(), now())"
        );
        sqlx::query(AssertSqlSafe(insert)).execute(&mut owner).await.expect("the set-up is allowed");
    }
    test
}

/// Writes a line of a tenant's log, as a part of the controller does, and commits or not.
async fn write(test: &TestDb, tenant: &str, action: &str, at: &str, commit: bool) {
    let doors = test.db().locator().tenants("test").await.expect("works");
    let wanted = TenantId::from_uuid(tenant.parse().expect("works"));
    let door = doors.into_iter().find(|door| door.tenant() == wanted).expect("the tenant is there");
    let origin = Origin { request_id: "req_1".to_owned(), source: Some("192.0.2.7".parse().expect("works")) };
    let mut tx = test.db().tenant(&door.with_origin(Some(origin))).await.expect("works");
    tx.audit(at.parse().expect("works"), action, "cus_1", json!({ "name": "O'Neil \"é\"" })).await.expect("works");
    if commit {
        tx.commit().await.expect("works");
    }
}

async fn refused(connection: &mut PgConnection, statement: &str) -> String {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(connection).await.expect_err(statement).to_string()
}

#[tokio::test]
async fn a_migrated_database_has_no_findings() {
    let test = TestDb::new().await;
    let report = test.db().audit(now()).await.expect("works");
    assert_eq!(report.found(), 0, "{}", text(&report));
    assert!(TABLES.is_sorted_by_key(|table| table.name), "the registry is kept in order of name");
    assert!(TABLES.iter().all(|table| !table.about.is_empty()), "every table says what a row is");
}

#[tokio::test]
async fn what_is_kept_for_a_time_is_the_same_in_the_registry_and_in_the_database() {
    let test = TestDb::new().await;
    let mut owner = test.connect_as("mastwire_owner").await;
    let rows: Vec<(String, String, String, i32)> =
        sqlx::query_as("SELECT table_name::text, time_column::text, setting::text, at_least FROM internal.kept() ORDER BY 1")
            .fetch_all(&mut owner)
            .await
            .expect("works");
    let found: Vec<(&str, &str, &str)> =
        rows.iter().map(|(table, by, setting, _)| (table.as_str(), by.as_str(), setting.as_str())).collect();
    let declared: Vec<(&str, &str, &str)> =
        TABLES.iter().filter_map(|table| table.kept.map(|kept| (table.name, kept.by, kept.setting))).collect();
    assert_eq!(found, declared);
    for (table, _, setting, at_least) in rows {
        let floor: String = sqlx::query_scalar(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'retention'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%' || $1 || '%'",
        )
        .bind(&setting)
        .fetch_one(&mut owner)
        .await
        .expect("the setting has a floor");
        assert!(floor.contains(&format!(">= {at_least})")), "{table} goes below what may be set: {floor}");
    }
}

#[tokio::test]
async fn what_was_said_before_about_retention_holds() {
    let old = OldDb::before(18).await;
    let mut owner = old.connect_as("mastwire_owner").await;
    let rows = format!(
        "INSERT INTO tenant (id, name, currency, time_zone, created_at, status_since) VALUES ('{A}', 'Alpha', 'KES', 'Africa/Nairobi', now(), now());
         INSERT INTO retention (tenant_id, sessions_days, usage_days) VALUES ('{A}', 30, 60)"
    );
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut owner).await.expect("works");
    drop(owner);
    let test = old.migrate().await;
    let mut superuser = test.connect_as("postgres").await;
    let said: (i32, i32, Option<i32>) = sqlx::query_as("SELECT sessions_days, usage_days, audit_days FROM retention")
        .fetch_one(&mut superuser)
        .await
        .expect("works");
    assert_eq!(said, (30, 60, None));
}

#[tokio::test]
async fn lines_are_numbered_without_gaps_and_hold() {
    let test = two_tenants().await;
    write(&test, A, "customer.create", "2026-01-15T09:00:00Z", true).await;
    write(&test, A, "customer.lost", "2026-01-15T09:00:01Z", false).await;
    write(&test, B, "customer.create", "2026-01-15T09:00:02Z", true).await;
    write(&test, A, "customer.change", "2026-01-15T09:00:03Z", true).await;
    let mut superuser = test.connect_as("postgres").await;
    let lines: Vec<(String, i64, String, String)> = sqlx::query_as(
        "SELECT tenant_id::text, seq, action, request_id || ' ' || host(source) FROM audit_log ORDER BY tenant_id, seq",
    )
    .fetch_all(&mut superuser)
    .await
    .expect("works");
    let from = "req_1 192.0.2.7".to_owned();
    let line = |tenant: &str, seq, action: &str| (tenant.to_owned(), seq, action.to_owned(), from.clone());
    assert_eq!(lines, [line(A, 1, "customer.create"), line(A, 2, "customer.change"), line(B, 1, "customer.create")]);
    assert!(chains(&test).await.is_empty());
}

#[tokio::test]
async fn many_at_once_make_one_chain_each() {
    let test = two_tenants().await;
    let writers = (0..40).map(|number| {
        let (test, tenant) = (&test, if number % 2 == 0 { A } else { B });
        async move { write(test, tenant, &format!("number.{number}"), "2026-01-15T09:00:00Z", number % 5 != 0).await }
    });
    futures_util::future::join_all(writers).await;
    assert!(chains(&test).await.is_empty(), "{:?}", chains(&test).await);
    let mut superuser = test.connect_as("postgres").await;
    let ends: Vec<i64> =
        sqlx::query_scalar("SELECT seq FROM audit_head ORDER BY tenant_id").fetch_all(&mut superuser).await.expect("works");
    assert_eq!(ends, [16, 16], "what was rolled back left no gap");
}

#[tokio::test]
async fn nobody_changes_a_line_or_slips_one_in() {
    let test = two_tenants().await;
    write(&test, A, "customer.create", "2026-01-15T09:00:00Z", true).await;
    let changes = [
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "UPDATE platform_audit SET reason = 'none'",
    ];
    let mut owner = test.connect_as("mastwire_owner").await;
    sqlx::query("INSERT INTO platform_audit (id, at, actor, reason) VALUES (gen_random_uuid(), now(), 'test', 'test')")
        .execute(&mut owner)
        .await
        .expect("works");
    for role in ["mastwire_app", "mastwire_platform", "mastwire_owner", "postgres"] {
        let mut connection = test.connect_as(role).await;
        let begin = format!("SET app.tenant_id = '{A}'; SET app.reach = 'all'");
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut connection).await.expect("works");
        // The setting of declared upkeep opens nothing to anybody but the owner's own functions.
        if role != "mastwire_owner" {
            sqlx::query("SET app.upkeep = 'on'").execute(&mut connection).await.expect("works");
        }
        for statement in changes {
            let text = refused(&mut connection, statement).await;
            assert!(text.contains("permission denied") || text.contains("is written once"), "{role}, {statement}: {text}");
        }
    }
    // A number and a hash of one's own are not taken.
    let tenant = TenantId::from_uuid(A.parse().expect("works"));
    let forged = |tenant: &str| {
        format!(
            "INSERT INTO audit_log (tenant_id, id, at, seq, actor, action, target, hash) VALUES ('{tenant}', gen_random_uuid(), '2026-01-15Z', 77, 'x', 'y', 'z', sha256('z'))"
        )
    };
    assert_eq!(test.try_as_app(tenant, &forged(A)).await, Ok(1));
    let mut app = test.connect_as("mastwire_app").await;
    let begin = format!("SET app.tenant_id = '{A}'; SET app.reach = 'all'; SET app.upkeep = 'on'; {}", forged(A));
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut app).await.expect("works");
    assert!(chains(&test).await.is_empty(), "the trigger gave it the next number");
    // Another tenant's chain is not even locked.
    let text = test.try_as_app(tenant, &forged(B)).await.expect_err("it is another's");
    assert!(text.contains("row-level security"), "{text}");
}

#[tokio::test]
async fn a_dropped_month_leaves_an_anchor_and_the_chain_holds() {
    let test = two_tenants().await;
    let mut owner = test.connect_as("mastwire_owner").await;
    sqlx::query("SELECT ensure_partitions('2020-01-01Z', '2020-02-01Z')").execute(&mut owner).await.expect("works");
    // The third line is of January although February has begun: its transaction began before.
    for at in ["2020-01-30T00:00:00Z", "2020-02-01T00:00:01Z", "2020-01-31T23:59:59Z", "2020-02-02T00:00:00Z"] {
        write(&test, A, "customer.change", at, true).await;
    }
    let gone: i64 =
        sqlx::query_scalar("SELECT drop_partitions('audit_log', '2020-02-15Z')").fetch_one(&mut owner).await.expect("works");
    assert_eq!(gone, 2, "February is not over by then");
    let anchors: Vec<(i64, i64)> =
        sqlx::query_as("SELECT first_seq, last_seq FROM audit_anchor ORDER BY 1").fetch_all(&mut owner).await.expect("works");
    assert_eq!(anchors, [(1, 1), (3, 3)]);
    assert!(chains(&test).await.is_empty(), "{:?}", chains(&test).await);
    write(&test, A, "customer.change", "2026-01-15T09:00:00Z", true).await;
    assert!(chains(&test).await.is_empty(), "it goes on");

    // What nobody may have meant: everything up to tomorrow. The last two months stay.
    sqlx::query("SELECT drop_partitions('audit_log', now() + interval '1 day')").execute(&mut owner).await.expect("works");
    let left: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'audit_log'::regclass
            AND c.relname IN (to_char(now() AT TIME ZONE 'UTC', '\"audit_log_\"YYYY_MM'), to_char(now() AT TIME ZONE 'UTC' - interval '1 month', '\"audit_log_\"YYYY_MM'))",
    )
    .fetch_one(&mut owner)
    .await
    .expect("works");
    assert_eq!(left, 2);
    let text = refused(&mut owner, "SELECT drop_partitions('customer', now())").await;
    assert!(text.contains("is not cut by month"), "{text}");
    let mut platform = test.connect_as("mastwire_platform").await;
    let text = refused(&mut platform, "SELECT drop_partitions('audit_log', '2020-03-15Z')").await;
    assert!(text.contains("permission denied"), "what somebody may still keep is dropped by nobody who serves: {text}");
}

#[tokio::test]
async fn a_row_of_a_month_that_is_not_there_is_refused_until_it_is_made() {
    let test = two_tenants().await;
    let tenant = TenantId::from_uuid(A.parse().expect("works"));
    let late = format!(
        "INSERT INTO audit_log (tenant_id, id, at, actor, action, target) VALUES ('{A}', gen_random_uuid(), '2040-06-15Z', 'x', 'y', 'z')"
    );
    let text = test.try_as_app(tenant, &late).await.expect_err("no such month");
    assert!(text.contains("no partition"), "{text}");
    let mut platform = test.connect_as("mastwire_platform").await;
    let made: i32 = sqlx::query_scalar("SELECT ensure_partitions('2040-06-01Z', '2040-06-02Z')")
        .fetch_one(&mut platform)
        .await
        .expect("works");
    let cut = TABLES.iter().filter(|table| table.partitioned_by.is_some()).count();
    assert_eq!(usize::try_from(made).expect("works"), cut, "one for each table that is cut by month");
    assert_eq!(test.try_as_app(tenant, &late).await, Ok(1));
    let text = refused(&mut platform, "SELECT ensure_partitions('2000-01-01Z', '2100-01-01Z')").await;
    assert!(text.contains("20 years"), "{text}");
    // A month is reached through its table alone.
    for role in ["mastwire_app", "mastwire_platform"] {
        let mut connection = test.connect_as(role).await;
        let text = refused(&mut connection, "SELECT * FROM months.audit_log_2040_06").await;
        assert!(text.contains("permission denied for schema months"), "{text}");
    }
    let mut app = test.connect_as("mastwire_app").await;
    let text = refused(&mut app, "SELECT ensure_partitions(now(), now())").await;
    assert!(text.contains("permission denied"), "{text}");
}

#[tokio::test]
async fn the_platforms_lines_are_chained_and_tell_the_tenant() {
    let test = two_tenants().await;
    let tenant = TenantId::from_uuid(A.parse().expect("works"));
    for number in 0..3 {
        let actor = PlatformActor::system("test");
        let mut tx = test.db().platform(&actor, &format!("reason {number}"), now()).await.expect("works");
        tx.audit_tenant(tenant, now(), "tenant.suspend", "ten_1", json!({}));
        if number != 1 {
            tx.commit().await.expect("works");
        }
    }
    let mut superuser = test.connect_as("postgres").await;
    let lines: Vec<(i64, String)> =
        sqlx::query_as("SELECT seq, reason FROM platform_audit ORDER BY seq").fetch_all(&mut superuser).await.expect("works");
    assert_eq!(lines, [(1, "reason 0".to_owned()), (2, "reason 2".to_owned())]);
    let told: Vec<(i64, String)> =
        sqlx::query_as("SELECT seq, actor FROM audit_log ORDER BY seq").fetch_all(&mut superuser).await.expect("works");
    assert_eq!(told, [(1, "system:test".to_owned()), (2, "system:test".to_owned())]);
    assert!(chains(&test).await.is_empty());
}

#[tokio::test]
async fn lines_from_before_are_taken_into_the_chain() {
    let old = OldDb::before(7).await;
    let mut owner = old.connect_as("mastwire_owner").await;
    let rows = format!(
        "INSERT INTO tenant (id, name, currency, time_zone, created_at) VALUES ('{A}', 'Alpha', 'KES', 'Africa/Nairobi', now());
         INSERT INTO audit_log (tenant_id, id, at, actor, action, target, details)
            SELECT '{A}', ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '2024-05-01Z'::timestamptz + n * interval '20 days', 'operator:x',
                   'number.' || n, 'cus_1', jsonb_build_object('n', n) FROM generate_series(1, 5) AS n;
         INSERT INTO platform_audit (id, at, actor, reason) SELECT gen_random_uuid(), now(), 'system:x', 'reason' FROM generate_series(1, 3);"
    );
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut owner).await.expect("works");
    drop(owner);
    let test = old.migrate().await;
    let mut superuser = test.connect_as("postgres").await;
    let lines: Vec<(i64, String, String)> = sqlx::query_as("SELECT seq, action, details::text FROM audit_log ORDER BY seq")
        .fetch_all(&mut superuser)
        .await
        .expect("works");
    let wanted: Vec<_> = (1..=5).map(|n| (n, format!("number.{n}"), format!("{{\"n\": {n}}}"))).collect();
    assert_eq!(lines, wanted);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM platform_audit").fetch_one(&mut superuser).await.expect("works");
    assert_eq!(kept, 3);
    assert!(chains(&test).await.is_empty(), "{:?}", chains(&test).await);
    write(&test, A, "customer.create", "2026-11-15T09:00:00Z", true).await;
    assert!(chains(&test).await.is_empty(), "it goes on");
}

#[tokio::test]
async fn every_month_of_sessions_knows_that_a_router_is_one_tenants() {
    let test = TestDb::new().await;
    let mut owner = test.connect_as("mastwire_owner").await;
    sqlx::query("SELECT ensure_partitions('2031-01-01Z', '2031-02-15Z')").execute(&mut owner).await.expect("works");
    let bare: Vec<String> = sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits
          WHERE inhparent = 'session_history'::regclass AND NOT EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = inhrelid)",
    )
    .fetch_all(&mut owner)
    .await
    .expect("works");
    assert_eq!(bare, [""; 0], "months whose lists by router would sort all of a router's sessions");
}
