//! Goal: the pages about the schema and about what was asked for stay true.
//! Method: `docs/schema.md` and `docs/requirements.md` are read as tables and held against the registry, the tests' source, and, where it
//! lies beside the repository, the list of what was asked for.

use db::registry::{Class, TABLES, find};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Begins the part of `docs/schema.md` that is made from the registry.
const EVERY_TABLE: &str = "## Every table";

/// The records that the systems before this one name, and those of the issue that asked for them.
const ASKED: &[&str] = &[
    "Account",
    "ApplicationSettings",
    "AuditLog",
    "Bill",
    "BrandingConfig",
    "ChartOfAccount",
    "Credential",
    "Customer",
    "DailyTransaction",
    "Device",
    "DiagnosticLog",
    "DowntimeLog",
    "Entitlement",
    "Expense",
    "ExpenseType",
    "FeatureFlag",
    "HotspotPlan",
    "HotspotTransaction",
    "HotspotUser",
    "Invoice",
    "Job",
    "Lead",
    "MikrotikRouter",
    "MikrotikUser",
    "MpesaAlert",
    "MpesaTransaction",
    "NAS",
    "Notification",
    "Package",
    "PackageRouter",
    "Payment",
    "PaymentGateway",
    "PendingHotspotPayment",
    "PlanLimit",
    "Report",
    "Role",
    "SMSLog",
    "ScheduledTask",
    "SecurityLog",
    "Session",
    "Site",
    "SmsAcknowledgement",
    "SmsExpirySchedule",
    "SmsGateway",
    "SmsLog",
    "SmsProvider",
    "SmsTemplate",
    "StkRequest",
    "Subscription",
    "SuperAdmin",
    "TechnicianActivity",
    "Tenant",
    "TenantImpersonation",
    "TenantInvitation",
    "TenantSettings",
    "TenantUsage",
    "Ticket",
    "TrafficLog",
    "Transaction",
    "User",
    "UserDowntimeLog",
    "UserTenantMapping",
    "VPNPeer",
    "Voucher",
    "VoucherBatch",
    "WalletTransaction",
    "WhatsAppLog",
    "WhatsAppProvider",
    "WhatsAppTemplate",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the tables in a text, cell by cell, without their heads.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    let heads = ["asked for", "row", "table"];
    lines
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .filter(|row: &Vec<&str>| !heads.contains(&row[0]))
        .collect()
}

/// Tells whether a source has a function of that name right below the attribute of a test.
fn is_test(source: &str, name: &str) -> bool {
    let (mut lines, wanted) = (source.lines().rev(), format!("fn {name}("));
    let found = lines.find(|line| line.trim_start().trim_start_matches("async ").starts_with(&wanted));
    found.is_some() && lines.next().is_some_and(|line| line.contains("test"))
}

/// The words in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_record_that_was_asked_for_has_its_place() {
    let page = read("docs/schema.md");
    let hand = page.split(EVERY_TABLE).next().expect("a first part");
    let rows = rows(hand);
    let named: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert!(named.is_sorted(), "keep the rows of docs/schema.md in order of name");
    let missing: Vec<&&str> = ASKED.iter().filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "docs/schema.md does not say where these live: {missing:?}");
    for row in &rows {
        assert_eq!(row.len(), 3, "a row of docs/schema.md has three cells: {row:?}");
        let tables: Vec<&str> = quoted(row[1]);
        assert!(!tables.is_empty() || row[2].len() > 20, "{}: name a table, or give the reason in the last cell", row[0]);
        for table in tables {
            let table = table.split('.').next().expect("a first part");
            assert!(find(table).is_some(), "docs/schema.md: {} lives in {table}, which is no table", row[0]);
        }
    }
}

#[test]
fn every_table_of_the_registry_stands_on_the_page_as_it_is() {
    let page = read("docs/schema.md");
    let hand = page.split(EVERY_TABLE).next().expect("a first part").trim_end();
    let mut made = format!(
        "{hand}\n\n{EVERY_TABLE}\n\nMade from the registry by a test.\n\n| table | whose | what a row is |\n|---|---|---|\n"
    );
    for table in TABLES {
        assert!(!table.about.is_empty(), "{}: say in the registry what a row is", table.name);
        let class = match table.class {
            Class::Tenant => "tenant",
            Class::Platform => "platform",
            Class::Reference => "the database itself",
        };
        made += &format!("| `{}` | {class} | {} |\n", table.name, table.about);
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(root().join("docs/schema.md"), &made).expect("the page can be written");
    } else {
        assert!(page == made, "docs/schema.md is not what the registry says; UPDATE_EXPECT=1 writes it anew");
    }
}

#[test]
fn every_requirement_names_a_test_that_exists() {
    let page = read("docs/requirements.md");
    for row in rows(&page) {
        if let [name, reason] = row[..] {
            assert!(reason.len() > 5, "{name}: say why it is not here");
            continue;
        }
        assert_eq!(row.len(), 3, "a row of docs/requirements.md has two or three cells: {row:?}");
        for test in row[2].split(',').map(str::trim) {
            let (path, name) = test.split_once("::").unwrap_or_else(|| panic!("{}: `{test}` is not file::test", row[0]));
            assert!(is_test(&read(path), name), "{}: {path} has no test {name}", row[0]);
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "who runs the tests should see what was skipped")]
fn every_row_that_must_be_is_ticked_or_says_why_not() {
    let Ok(seeds) = std::fs::read_to_string(root().join("../shared/design/SEEDS.md")) else {
        println!("skipped: the list of what was asked for is not beside the repository");
        return;
    };
    let seeds = rows(&seeds);
    let page = read("docs/requirements.md");
    let ours: Vec<Vec<&str>> = rows(&page);
    let known: BTreeSet<&str> = ours.iter().map(|row| row[0]).collect();
    assert_eq!(known.len(), ours.len(), "a row of docs/requirements.md stands twice");
    let all: BTreeSet<&str> = seeds.iter().map(|row| row[0]).collect();
    let strange: Vec<&&str> = known.difference(&all).collect();
    assert!(strange.is_empty(), "docs/requirements.md has rows that nobody asked for: {strange:?}");
    let must = seeds.iter().filter(|row| row.last() == Some(&"M")).map(|row| row[0]);
    let open: Vec<&str> = must.filter(|row| !known.contains(row)).collect();
    assert!(open.is_empty(), "{} rows that must be are neither ticked nor explained: {open:?}", open.len());
}
