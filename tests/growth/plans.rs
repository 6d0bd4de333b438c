//! Goal: no list reads more than its page, however much its tenant and all others have. Method: a hundred thousand rows; every list of the
//! API, bare and with each filter, asked often enough that PostgreSQL settles on its plans; and each plan is judged by the rows it read.

use controller::testing::TestApp;
use db::{Plan, TableSize};
use model::{Clock as _, TenantId};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use system_tests::lists::{self, ListRequest};
use system_tests::load::{self, Size};

const SIZE: Size = Size { tenants: 12, customers: 9_000, sessions: 100_000, seed: 3 };
/// Rows of one table that a request for 50 lines may read: a list of batches counts each one's 20 vouchers.
const READ_MAX: f64 = 1_500.0;
/// Tables, and months of tables, up to this size may be read whole.
const SMALL: i32 = 1_000;
/// After five times PostgreSQL may take a plan that does not look at what is asked for.
const TIMES: usize = 7;

/// Lists that may read more, and why.
const MAY_READ_MORE: &[(&str, &str)] = &[(
    "/sessions/history until",
    "ids follow the time at which a session was first seen, which may lie behind its start: what began later is passed over one by one",
)];

fn nodes<'a>(node: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(node);
    for child in node["Plans"].as_array().into_iter().flatten() {
        nodes(child, found);
    }
}

/// The table a month belongs to, or the table itself.
fn table(relation: &str) -> &str {
    let months = relation.len().checked_sub("_2026_01".len()).map(|end| relation.split_at(end));
    match months {
        Some((table, month)) if month.bytes().all(|byte| byte == b'_' || byte.is_ascii_digit()) => table,
        _ => relation,
    }
}

/// Says what is wrong with a plan.
fn faults(plan: &Plan, rows: &BTreeMap<&str, i64>) -> Vec<String> {
    let mut all = Vec::new();
    nodes(&plan.root, &mut all);
    let mut read: BTreeMap<&str, f64> = BTreeMap::new();
    let mut faults = Vec::new();
    for node in all {
        let Some(relation) = node["Relation Name"].as_str() else { continue };
        let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
        let seen = number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
        let seen = seen * number("Actual Loops");
        let name = table(relation);
        if rows.get(name).is_none_or(|rows| *rows <= i64::from(SMALL)) {
            continue;
        }
        *read.entry(name).or_default() += seen;
        if node["Node Type"] == "Seq Scan" && seen > f64::from(SMALL) {
            faults.push(format!("reads {relation} from end to end"));
        }
    }
    let much = read.into_iter().filter(|(_, rows)| *rows > READ_MAX);
    faults.extend(much.map(|(name, rows)| format!("reads {rows} rows of {name}")));
    faults
}

async fn token(test: &TestApp, login: &str, platform: bool) -> String {
    let setup = controller::operators::recover(&test.app.db, &*test.app.entropy, test.clock.now(), login, platform).await;
    test.log_in(login, &setup.expect("a link")).await
}

async fn tenants(test: &TestApp) -> Vec<(TenantId, String)> {
    let mut all = test.db.connect_as("postgres").await;
    let query = "SELECT t.id, o.login FROM tenant t JOIN membership m ON m.tenant_id = t.id JOIN operator o ON o.id = m.operator_id ORDER BY o.login";
    sqlx::query_as(query).fetch_all(&mut all).await.expect("a superuser sees everything")
}

#[tokio::test]
async fn every_list_reads_its_page_and_no_more() {
    let test = TestApp::new().await;
    let sizes = load::load(&test, SIZE).await.expect("an empty database is filled");
    let rows: BTreeMap<&str, i64> = sizes.iter().map(|TableSize { name, rows, .. }| (*name, *rows)).collect();
    assert!(rows["session_history"] > 90_000, "{rows:?}");
    let platform = token(&test, "admin", true).await;
    let mut plans = test.db.watch_plans().await;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut asked = 0;
    let tenants = tenants(&test).await;
    // The largest, and one of middle size.
    for (tenant, login) in [&tenants[0], &tenants[5]] {
        let token = token(&test, login, false).await;
        let values = lists::values(&test, *tenant).await.expect("the tenant has everything");
        for ListRequest { name, path, platform: by_platform } in lists::requests(&values).expect("every filter is known") {
            test.db.plans(&mut plans).await;
            for _ in 0..TIMES {
                let answer = test.call("GET", &path, if by_platform { &platform } else { &token }, None).await;
                assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.body);
            }
            let carried_out = test.db.plans(&mut plans).await;
            assert!(!carried_out.is_empty(), "{path} asked the database nothing");
            for plan in &carried_out {
                for fault in faults(plan, &rows) {
                    found
                        .entry(name.clone())
                        .or_default()
                        .insert(format!("{fault}: {}", plan.query.split_whitespace().collect::<Vec<_>>().join(" ")));
                }
            }
            asked += 1;
        }
    }
    assert!(asked > 150, "{asked} requests are too few");
    for (name, why) in MAY_READ_MORE {
        assert!(found.remove(*name).is_some(), "{name} reads no more than others; it needs no excuse ({why})");
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_plan_that_reads_a_tenant_is_told() {
    let rows = BTreeMap::from([("session_history", 100_000), ("package", 60)]);
    let plan = |root: Value| Plan { query: String::new(), root };
    let scan = |kind: &str, relation: &str, rows: u32, removed: u32| serde_json::json!({ "Node Type": kind, "Relation Name": relation, "Actual Rows": rows, "Rows Removed by Filter": removed, "Actual Loops": 1 });
    let below =
        |scan: Value| plan(serde_json::json!({ "Node Type": "Limit", "Plans": [{ "Node Type": "Sort", "Plans": [scan] }] }));
    assert_eq!(faults(&below(scan("Index Scan", "session_history_2026_01", 51, 0)), &rows), Vec::<String>::new());
    assert_eq!(
        faults(&below(scan("Index Scan", "session_history_2026_01", 51, 9_000)), &rows),
        ["reads 9051 rows of session_history"]
    );
    assert_eq!(
        faults(&below(scan("Seq Scan", "session_history_2026_01", 51, 1_000)), &rows),
        ["reads session_history_2026_01 from end to end"]
    );
    assert_eq!(faults(&below(scan("Seq Scan", "package", 6, 54)), &rows), Vec::<String>::new());
}
