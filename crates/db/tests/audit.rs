//! Goal: the audit finds nothing on a database as the migrations make it, and the registry is in order.
//! Method: every rule, on a database as the migrations leave it. That each rule finds what it is for is shown in controller/tests/wall.

use db::TestDb;
use db::audit::Report;
use db::registry::TABLES;

fn now() -> jiff::Timestamp {
    "2026-01-15T09:00:00Z".parse().expect("a time")
}

fn text(report: &Report) -> String {
    let lines = report
        .rules
        .iter()
        .flat_map(|rule| rule.findings.iter().map(move |finding| format!("{}: {} {}", rule.name, finding.place, finding.what)));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_migrated_database_has_no_findings() {
    let test = TestDb::new().await;
    let report = test.db().audit(now()).await.unwrap();
    assert_eq!(report.found(), 0, "{}", text(&report));
    assert!(TABLES.is_sorted_by_key(|table| table.name), "the registry is kept in order of name");
    assert!(TABLES.iter().all(|table| !table.about.is_empty()), "every table says what a row is");
}
