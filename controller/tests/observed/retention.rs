//! What grows without end has one: each ISP says how long it keeps what, to the day; nobody else's rows go, and the chain of the log holds.

use crate::fixture::Isp;
use controller::operators::Role;
use controller::retention;
use controller::testing::TestApp;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

/// The test's clock stands at 2026-01-15T09:00:00Z.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Tables whose rows [`plant`] makes, and what says how old one is.
const PLANTED: [&str; 7] = ["change_set", "configuration", "diagnosis", "outage", "session_history", "usage", "watch_gap"];

/// One row of every kind that was over at a time, put in past all doors.
async fn plant(owner: &mut PgConnection, isp: &Isp<'_>, customer: &str, at: Timestamp) {
    let statements = [
        "INSERT INTO session_history (tenant_id, id, router_id, session_key, acct_id, kind, login, station, started_at, seen_at, online_seconds, ended_at, cause, closed_at)
         VALUES ($1, gen_random_uuid(), $2, 'k', '', 'pppoe', 'jane', '', $4, $4, 0, $4, 'unknown', $4)",
        "INSERT INTO usage (tenant_id, customer_id, router_id, hour, online_seconds, upload_bytes, download_bytes) VALUES ($1, $3, $2, $4, 1, 1, 1)",
        "INSERT INTO outage (tenant_id, id, router_id, customer_id, started_at, ended_at, ending) VALUES ($1, gen_random_uuid(), $2, $3, $4, $4, 'back')",
        "INSERT INTO diagnosis (tenant_id, id, router_id, steps, cause, conclusion, remedy, started_at, finished_at, run_by, seal)
         VALUES ($1, gen_random_uuid(), $2, '[]', 'none', 'all is well', '', $4, $4, 'system:test', decode(repeat('00', 60), 'hex'))",
        "INSERT INTO change_set (tenant_id, id, router_id, generation, started_at, outcome, writes, changes, timing_us)
         VALUES ($1, gen_random_uuid(), $2, 1, $4, 'applied', 0, '{\"changes\": [], \"kicks\": [], \"findings\": []}', '{}')",
        "INSERT INTO configuration (tenant_id, id, router_id, taken_at, seen_until, reason, taken_by, version, commands, left_out, faults, hidden, bytes,
                fingerprint, sealed_text)
         VALUES ($1, gen_random_uuid(), $2, $4, $4, 'nightly', 'system:test', '', 1, 0, 0, 0, 1, decode(repeat('00', 32), 'hex'), decode('00', 'hex'))",
        "INSERT INTO watch_gap (tenant_id, started_at, ended_at) VALUES ($1, $4::timestamptz - interval '1 second', $4)",
    ];
    let customer = Uuid::try_parse(customer.split_once('_').expect("an id").1).expect("an id");
    for statement in statements {
        let query = sqlx::query(statement).bind(isp.tenant.id).bind(isp.router).bind(customer).bind(at.to_sqlx());
        query.execute(&mut *owner).await.expect(statement);
    }
}

async fn months(owner: &mut PgConnection, since: &str) {
    let made = sqlx::query("SELECT ensure_partitions($1::timestamptz, '2026-01-01Z')").bind(since);
    made.execute(owner).await.expect("months are made");
}

/// How many rows an ISP has of each kind.
async fn rows(test: &TestApp, isp: &Isp<'_>) -> Vec<i64> {
    let counts = test.db.count(isp.tenant.id).await;
    PLANTED.iter().map(|table| counts.get(*table).copied().unwrap_or(0)).collect()
}

async fn forget(test: &TestApp) -> i64 {
    retention::forget_old(&test.app).await.expect("forgotten")
}

/// What the audit of the database finds about the chains.
async fn chains(test: &TestApp) -> Vec<String> {
    let report = test.app.db.audit(test.app.clock.now()).await.expect("audited");
    let rules = report.rules.into_iter().filter(|rule| rule.name.ends_with("-chain"));
    rules.flat_map(|rule| rule.findings.into_iter().map(|finding| format!("{} {}", finding.place, finding.what))).collect()
}

#[tokio::test]
async fn each_isp_keeps_what_it_says_to_the_day_and_nobody_elses_rows_go() {
    let test = TestApp::new().await;
    let (short, long, silent) = (Isp::new(&test, "Short").await, Isp::new(&test, "Long").await, Isp::new(&test, "Silent").await);
    let all = |days: i32| {
        json!({ "sessions_days": days, "usage_days": days, "outages_days": days, "diagnoses_days": days, "changes_days": days,
        "configurations_days": days })
    };
    let _ = short.put("/retention", all(31)).await.expect(204);
    let _ = long.put("/retention", all(1100)).await.expect(204);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    months(&mut owner, "2022-12-01Z").await;
    let now = test.app.clock.now();
    for isp in [&short, &long, &silent] {
        let customer = isp.customer("jane").await.to_string();
        for days in [31, 396, 1100] {
            // A second too old, exactly as old as what is still kept, and a day before it grows too old.
            for at in [now - DAY * days - SignedDuration::from_secs(1), now - DAY * days, now - DAY * (days - 1)] {
                plant(&mut owner, isp, &customer, at).await;
            }
        }
    }
    let others = test.db.rows(Some(long.tenant.id)).await.len();
    assert_eq!(forget(&test).await, i64::try_from(PLANTED.len()).expect("few") * (7 + 1 + 4));
    assert_eq!((rows(&test, &short).await, rows(&test, &long).await), (vec![2; 7], vec![8; 7]));
    assert_eq!(rows(&test, &silent).await, [5; 7], "a year and a month where nothing was said");
    assert_eq!(test.db.rows(Some(long.tenant.id)).await.len(), others - PLANTED.len(), "and nothing else of theirs went");
    // A second time finds nothing, and a day later each has one more that is too old.
    let before =
        test.db.rows(None).await.into_iter().filter(|(table, _)| !table.starts_with("platform_audit")).collect::<Vec<_>>();
    assert_eq!(forget(&test).await, 0);
    let after =
        test.db.rows(None).await.into_iter().filter(|(table, _)| !table.starts_with("platform_audit")).collect::<Vec<_>>();
    assert!(before == after, "run again it changes nothing");
    short.pass(86_400);
    assert_eq!(forget(&test).await, i64::try_from(PLANTED.len()).expect("few") * 3);
    // What goes on is not old, whatever is said.
    let open = "INSERT INTO outage (tenant_id, id, router_id, started_at) VALUES ($1, gen_random_uuid(), $2, '2020-01-01Z')";
    sqlx::query(open).bind(short.tenant.id).bind(short.router).execute(&mut owner).await.expect("an outage");
    assert_eq!(forget(&test).await, 0);
}

#[tokio::test]
async fn the_log_goes_by_whole_months_and_its_chain_holds() {
    let test = TestApp::new().await;
    let (short, long) = (Isp::new(&test, "Short").await, Isp::new(&test, "Long").await);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    months(&mut owner, "2023-10-01Z").await;
    let _ = short.put("/retention", json!({ "audit_days": 366 })).await.expect(204);
    let _ = long.put("/retention", json!({ "audit_days": 3660 })).await.expect(204);
    // 366 days before now is the 14th of January 2025: all of that month is kept. The fourth line's transaction began before the third's.
    let times =
        ["2023-11-30T23:59:59Z", "2024-12-31T23:59:59Z", "2025-01-01T00:00:00Z", "2024-12-31T23:59:58Z", "2025-06-01T00:00:00Z"];
    for isp in [&short, &long] {
        for at in times {
            let mut tx = test.app.db.tenant(&isp.door).await.expect("a transaction");
            tx.audit(at.parse().expect("a time"), "customer.change", "cus_1", json!({})).await.expect("written");
            tx.commit().await.expect("kept");
        }
    }
    let lines = async |isp: &Isp<'_>| test.db.count(isp.tenant.id).await["audit_log"];
    let before = (lines(&short).await, lines(&long).await);
    assert_eq!(forget(&test).await, 3);
    assert_eq!((lines(&short).await, lines(&long).await), (before.0 - 3, before.1));
    assert_eq!(test.db.count(short.tenant.id).await["audit_anchor"], 2, "lines that followed one another are one anchor");
    assert_eq!(chains(&test).await, [""; 0]);
    assert_eq!(forget(&test).await, 0);

    // As soon as the other keeps no longer either, the months themselves go.
    let left = async |owner: &mut PgConnection| -> i64 {
        let query = "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'audit_log'::regclass AND c.relname < 'audit_log_2025_01'";
        sqlx::query_scalar(query).fetch_one(owner).await.expect("a count")
    };
    assert_eq!(left(&mut owner).await, 15, "somebody keeps them");
    let _ = long.put("/retention", json!({ "audit_days": 366 })).await.expect(204);
    assert_eq!(forget(&test).await, 3);
    assert_eq!((left(&mut owner).await, lines(&short).await), (0, before.0 - 3));
    assert_eq!(chains(&test).await, [""; 0]);
    // The log goes on behind what is gone.
    let _ = short.put("/retention", json!({ "audit_days": 400 })).await.expect(204);
    assert_eq!(chains(&test).await, [""; 0]);
}

#[tokio::test]
async fn what_something_refers_to_stays_and_a_batch_is_no_larger_than_said() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let customer = isp.customer("jane").await.to_string();
    let found = isp.run(&format!("/routers/{}/diagnose", isp.router)).await.expect(201).text("id");
    let ticket = json!({ "title": "No light", "category": "other", "router": isp.router, "diagnosis": found });
    let _ = isp.post("/tickets", ticket).await.expect(201);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    months(&mut owner, "2022-12-01Z").await;
    let now = test.app.clock.now();
    // A customer's outage that a router's explains: the one that explains goes after those it explains.
    let parents = "WITH parent AS (INSERT INTO outage (tenant_id, id, router_id, started_at, ended_at, ending) VALUES ($1, gen_random_uuid(), $2, $4, $4, 'back') RETURNING id)
        INSERT INTO outage (tenant_id, id, router_id, customer_id, started_at, ended_at, ending, parent_id) SELECT $1, gen_random_uuid(), $2, $3, $5, $5, 'back', id FROM parent";
    let jane = Uuid::try_parse(customer.split_once('_').expect("an id").1).expect("an id");
    for end in [now - DAY * 400, now] {
        let query = sqlx::query(parents).bind(isp.tenant.id).bind(isp.router).bind(jane);
        query.bind((now - DAY * 400).to_sqlx()).bind(end.to_sqlx()).execute(&mut owner).await.expect("outages");
    }
    for hours in 0..5 {
        plant(&mut owner, &isp, &customer, now - DAY * 500 + SignedDuration::from_hours(hours)).await;
    }
    let mut platform = test.db.connect_as("mastwire_platform").await;
    let call = "SELECT forget_rows('session_history', 396, $1, 2)";
    let mut batches = Vec::new();
    for _ in 0..4 {
        batches.push(sqlx::query_scalar::<_, i64>(call).bind(now.to_sqlx()).fetch_one(&mut platform).await.expect("a batch"));
    }
    assert_eq!(batches, [2, 2, 1, 0]);
    // Whatever is asked for, and however wrong a controller's clock is: what is younger than the floor by the database's own clock stays.
    let fresh = "INSERT INTO usage (tenant_id, customer_id, router_id, hour, online_seconds, upload_bytes, download_bytes)
        VALUES ($1, $2, $3, now() - interval '6 days', 1, 1, 1)";
    let fresh = sqlx::query(fresh).bind(isp.tenant.id).bind(jane).bind(isp.router);
    fresh.execute(&mut owner).await.expect("an hour of last week");
    let greedy = "SELECT forget_rows('usage', 0, now() + interval '100 years', 100)";
    let gone: i64 = sqlx::query_scalar(greedy).fetch_one(&mut platform).await.expect("a batch");
    assert_eq!((gone, test.db.count(isp.tenant.id).await["usage"]), (5, 1));
    for (role, statement, says) in [
        ("mastwire_platform", "SELECT forget_rows('payment', 396, now(), 10)", "has no rows that are forgotten"),
        ("mastwire_platform", "SELECT drop_unkept_months('payment', 396, now())", "has no months that are dropped"),
        ("mastwire_app", "SELECT forget_rows('audit_log', 396, now(), 10)", "permission denied"),
        ("mastwire_app", "SELECT drop_unkept_months('audit_log', 396, now())", "permission denied"),
    ] {
        let mut connection = test.db.connect_as(role).await;
        let refused = sqlx::query(statement).execute(&mut connection).await.expect_err(statement).to_string();
        assert!(refused.contains(says), "{role}, {statement}: {refused}");
    }

    isp.pass(400 * 86_400);
    sqlx::query("UPDATE outage SET ended_at = $1 WHERE ended_at = $2")
        .bind((now + DAY * 399).to_sqlx())
        .bind(now.to_sqlx())
        .execute(&mut owner)
        .await
        .expect("moved");
    forget(&test).await;
    let counts = test.db.count(isp.tenant.id).await;
    assert_eq!((counts["diagnosis"], counts["outage"]), (1, 2), "the ticket's, and the one that explains what is kept");
    let _ = isp.get(&format!("/diagnoses/{found}")).await.expect(200);
}

#[tokio::test]
async fn the_settings_have_bounds_and_a_change_is_written_down() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let unsaid = json!({ "sessions_days": 396, "usage_days": 396, "outages_days": 396, "diagnoses_days": 396, "changes_days": 396, "configurations_days": 396, "messages_days": 396, "audit_days": 732 });
    assert_eq!(alpha.get("/retention").await.expect(200).body, unsaid);
    for (field, days) in
        [("sessions_days", 6), ("outages_days", 30), ("audit_days", 365), ("audit_days", 3661), ("usage_days", 1101)]
    {
        let refused = alpha.put("/retention", json!({ field: days })).await.expect(400);
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    let _ = alpha.put("/retention", json!({ "sessions_days": 7 })).await.expect(204);
    alpha.pass(1);
    let _ = alpha.put("/retention", json!({ "audit_days": 3660 })).await.expect(204);
    let said = alpha.get("/retention").await.expect(200).body;
    assert_eq!((&said["sessions_days"], &said["audit_days"], &said["usage_days"]), (&json!(7), &json!(3660), &json!(396)));
    assert_eq!(beta.get("/retention").await.expect(200).body, unsaid);
    let lines = alpha.items("/audit?action=retention.set").await;
    let details: Vec<_> = lines.iter().map(|line| line["details"].clone()).collect();
    assert_eq!(details[0], json!({ "before": { "audit_days": 732 }, "after": { "audit_days": 3660 } }), "{details:?}");
    let viewer = test.token(&alpha.tenant, Role::Viewer).await;
    let _ = test.call("PUT", "/api/v1/retention", &viewer, Some(json!({ "sessions_days": 9 }))).await.expect(403);
}
