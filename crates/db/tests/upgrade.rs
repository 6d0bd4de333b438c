//! Goal: an installation of an earlier version loses nothing when the schema moves on, and passes the audit afterwards.
//! Method: all rows of such an installation, as its own program wrote them, are put into a database of its schema; then the later
//! migrations run. A new file in `installations/` is taken whenever a version has been released.

use db::{OldDb, TestDb};
use jiff::Timestamp;
use sqlx::PgConnection;

/// The last migration of each earlier version, its rows, and when they were written.
const INSTALLATIONS: &[(i64, &str, &str)] = &[(5, include_str!("installations/0005.sql"), "2026-11-21T18:20:00Z")];

/// Counts the rows of every table in `public`.
async fn counts(superuser: &mut PgConnection) -> Vec<(String, i64)> {
    let query = "SELECT relname::text, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', relname), false, true, '')))[1]::text::bigint
                   FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1";
    sqlx::query_as(query).fetch_all(superuser).await.expect("a superuser counts everything")
}

#[tokio::test]
async fn an_earlier_installation_keeps_its_rows_and_passes_the_audit() {
    for (last, rows, at) in INSTALLATIONS {
        let old = OldDb::before(last + 1).await;
        let mut superuser = old.connect_as("postgres").await;
        // The rows come in the order of their tables, not in that of their references.
        TestDb::run(&mut superuser, "SET session_replication_role = replica").await;
        TestDb::run(&mut superuser, rows).await;
        let before = counts(&mut superuser).await;
        let filled = before.iter().filter(|(_, rows)| *rows > 0).count();
        assert!(filled > 20, "{before:?}");
        drop(superuser);
        let test = old.migrate().await;
        let after = counts(&mut test.connect_as("postgres").await).await;
        for (table, count) in before.iter().filter(|(table, rows)| *rows > 0 && !table.starts_with('_')) {
            let now = after.iter().find(|(name, _)| name == table).map(|(_, rows)| *rows);
            assert!(now >= Some(*count), "{table} had {count} rows at migration {last} and has {now:?} now");
        }
        let now: Timestamp = at.parse().expect("a time");
        let report = test.db().audit(now).await.expect("the audit looks at everything");
        let findings = report
            .rules
            .iter()
            .flat_map(|rule| rule.findings.iter().map(move |found| format!("{}: {} {}", rule.name, found.place, found.what)));
        assert_eq!(
            findings.collect::<Vec<_>>(),
            [""; 0],
            "what was written before migration {} is not as it should be",
            last + 1
        );
    }
}
