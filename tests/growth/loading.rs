//! Goal: what the loader makes is a database as it would have grown: the audit finds nothing, secrets open, and the same seed makes the
//! same. Method: load two small ones and compare.

use controller::testing::TestApp;
use db::TestDb;
use system_tests::load::{self, Size};

const SIZE: Size = Size { tenants: 6, customers: 400, sessions: 3_000, seed: 7 };

async fn loaded(size: Size) -> TestApp {
    let test = TestApp::new().await;
    load::load(&test, size).await.expect("an empty database is filled");
    test
}

/// What does not depend on ids: who there is, what they paid and when, and how long they were online.
async fn digest(test: &TestApp) -> Vec<(String, i64, i64, i64)> {
    let mut all = test.db.connect_as("postgres").await;
    sqlx::query_as(
        "SELECT t.name || ' ' || string_agg(c.login || c.full_name || c.phone || coalesce(c.mac, ''), ',' ORDER BY c.login),
                (SELECT (sum(p.amount_minor) + sum(extract(epoch FROM p.received_at)::bigint % 1000))::bigint FROM payment p WHERE p.tenant_id = t.id),
                (SELECT sum(s.online_seconds)::bigint FROM session_history s WHERE s.tenant_id = t.id),
                (SELECT count(*) FROM audit_log a WHERE a.tenant_id = t.id)
           FROM tenant t JOIN customer c ON c.tenant_id = t.id GROUP BY t.id, t.name ORDER BY t.name",
    )
    .fetch_all(&mut all)
    .await
    .expect("a superuser sees everything")
}

#[tokio::test]
async fn a_load_is_whole_and_follows_from_its_seed() {
    let first = loaded(SIZE).await;
    let report = first.app.db.audit(first.app.clock.now()).await.expect("the database answers");
    assert_eq!(report.tenants, 6);
    let findings: Vec<_> =
        report.rules.iter().flat_map(|rule| rule.findings.iter().map(move |finding| (rule.name, finding))).collect();
    assert!(findings.is_empty(), "{findings:#?}");
    for rule in ["references", "ledger", "wallets", "addresses", "audit-chain"] {
        let looked = report.rules.iter().find(|known| known.name == rule).map_or(0, |known| known.checked);
        assert!(looked > 0, "{rule} looked at nothing");
    }
    let sizes = first.db.sizes().await;
    let rows = |name: &str| sizes.iter().find(|size| size.name == name).map_or(0, |size| size.rows);
    assert_eq!((rows("tenant"), rows("customer")), (6, 400));
    assert!((2_600..=3_400).contains(&rows("session_history")), "{}", rows("session_history"));
    assert!(rows("session_live") > 5 && rows("wallet") > 10 && rows("invoice") > 10 && rows("voucher") > 100, "{sizes:#?}");

    let again = load::load(&first, SIZE).await.expect_err("there are tenants").to_string();
    assert!(again.contains("load into an empty one"), "{again}");

    let made = digest(&first).await;
    assert_eq!(made, digest(&loaded(SIZE).await).await);
    assert_ne!(made, digest(&loaded(Size { seed: 8, ..SIZE }).await).await);
}

#[tokio::test]
async fn what_is_sealed_in_a_load_opens() {
    let test = loaded(Size { tenants: 1, customers: 3, sessions: 0, seed: 1 }).await;
    let mut all = test.db.connect_as("postgres").await;
    TestDb::run(&mut all, "UPDATE tenant SET name = 'One'").await;
    let now = test.app.clock.now();
    let setup = controller::operators::recover(&test.app.db, &*test.app.entropy, now, "admin-0001", false).await.expect("a link");
    let token = test.log_in("admin-0001", &setup).await;
    let customers = test.call("GET", "/api/v1/customers", &token, None).await.expect(200);
    let id = customers.body["items"][0]["id"].as_str().expect("an id").to_owned();
    let password = test.call("GET", &format!("/api/v1/customers/{id}/password"), &token, None).await.expect(200);
    assert!(password.text("password").len() >= 8);
    assert_eq!(controller::tunnels::install_all(&test.app).await.expect("the peers open"), 1);
}
