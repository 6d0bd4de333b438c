//! Files of customers: looked at first, taken in whole or not at all, and given out so that they can be taken in again.

use crate::fixture::{Isp, router};
use controller::customers;
use controller::operators::Role;
use controller::testing::{Answer, TestApp};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use tokio::time::Instant;

/// Rows of the largest file.
const MANY: usize = 50_000;

/// Line, field and the beginning of the message of each fault.
fn faults(answer: &Answer) -> Vec<(u64, String)> {
    let items = answer.body["items"].as_array().expect("faults").iter();
    items.map(|item| (item["line"].as_u64().expect("a line"), item["field"].as_str().expect("a field").to_owned())).collect()
}

async fn shop(test: &TestApp) -> Isp<'_> {
    let isp = Isp::new(test, "Alpha").await;
    isp.package("Fixed", "static", json!({ "months": 1 })).await;
    isp.customer("known", json!({})).await;
    let area = isp.post("/sites", json!({ "kind": "area", "name": "Kilimani" })).await.expect(201).text("id");
    let house = isp.post("/sites", json!({ "kind": "building", "name": "House 7", "parent": area })).await.expect(201).text("id");
    let _ = isp.post("/sites", json!({ "kind": "unit", "name": "Flat 3", "parent": house })).await.expect(201);
    isp
}

const MIXED: &str =
    "\u{feff}login;password;full_name;phone;kind;router;package;site;address;mac;latitude;longitude;notes;status\r
jane;secret-one;\"Wanjiku; Jane\";0712345678;pppoe;roof;Home;Kilimani/House 7/Flat 3;;aa-bb-cc-dd-ee-ff;-1.2921;36.8219;\"two\r
lines\";suspended\r
known;;;;;roof;Home;;;;;;;\r
jane;;;;;roof;Home;;;;;;;\r
srv;;;;static;roof;Fixed;;192.168.7.7;;;;;\r
srv2;;;;static;roof;Fixed;;192.168.7.7;;;;;\r
nowhere;;;;;cellar;Gold;;;;;;;\r
crossed;;;;hotspot;roof;Home;;;;;;;\r
far;;;;static;roof;Fixed;;10.10.9.9;;;;;\r
bad name;hidden pw;a\u{202e}b;0712;;roof;Home;Nowhere;1.2.3;xx;91;0;;gone\r
short;;\r
half;;;;;roof;Home;;;;-1;;;\r
formula;;=HYPERLINK(1);;;roof;Home;;;;;;@note;\r
;;;;;;;;;;;;;\r
";

#[tokio::test]
async fn a_dry_run_names_every_fault_and_writes_nothing() {
    let test = TestApp::new().await;
    let isp = shop(&test).await;
    let (before, rows) = (isp.generation().await, test.db.rows(None).await);
    let report = isp.import(MIXED, true, None).await.expect(200);
    let wanted = [
        (5, "login"),
        (7, "address"),
        (8, "router"),
        (8, "package"),
        (9, "kind"),
        (10, "address"),
        (11, "site"),
        (11, "address"),
        (11, "status"),
        (11, "login"),
        (11, "password"),
        (11, "full_name"),
        (11, "phone"),
        (11, "location"),
        (11, "mac"),
        (12, "row"),
        (13, "longitude"),
    ];
    assert_eq!(faults(&report), wanted.map(|(line, field)| (line, field.to_owned())));
    let count = |field: &str| report.body[field].as_u64().expect("a number");
    assert_eq!(
        (count("rows"), count("new"), count("exists"), count("errors"), count("problems")),
        (12, 3, 1, 8, wanted.len() as u64)
    );
    assert_eq!((&report.body["id"], &report.body["before"]), (&json!(null), &json!(null)));
    assert!(!report.body.to_string().contains("hidden") && !report.body.to_string().contains("secret-one"));
    assert!(test.db.rows(None).await == rows && isp.generation().await == before, "nothing was written");
}

#[tokio::test]
async fn one_wrong_row_keeps_all_out_and_the_mended_file_comes_in_once() {
    let test = TestApp::new().await;
    let isp = shop(&test).await;
    let before = isp.generation().await;
    let refused = isp.import(MIXED, false, Some("key-of-file")).await.expect(400);
    assert_eq!(refused.body["errors"].as_array().map(Vec::len), Some(17));
    assert_eq!(refused.body["errors"][0]["field"], "line 5: login");
    assert!(!refused.body.to_string().contains("hidden"));
    assert_eq!((isp.logins("").await, isp.generation().await), (vec!["known".to_owned()], before));

    let starts = ["\u{feff}login", "jane;secret", "lines", "known", "srv;", "formula"];
    let good: String = MIXED.split_inclusive('\n').filter(|line| starts.iter().any(|start| line.starts_with(start))).collect();
    // The refused file left the key free.
    let first = isp.import(good.clone(), false, Some("key-of-file")).await.expect(200);
    assert_eq!((&first.body["new"], &first.body["exists"], &first.body["routers"][0]["new"]), (&json!(3), &json!(1), &json!(3)));
    assert_eq!(
        isp.import(good.clone(), false, Some("key-of-file")).await.expect(200).body,
        first.body,
        "the same answer, nothing done"
    );
    assert_eq!(
        isp.import(MIXED, false, Some("key-of-file")).await.expect(409).text("type"),
        "urn:mastwire:problem:idempotency-key-reused"
    );
    assert_eq!((isp.generation().await, isp.audited("customer.import").await), (before + 1, 1), "one generation for all rows");
    // Without the key it is seen that this file was there before.
    let again = isp.import(good, false, None).await.expect(200);
    assert_eq!(
        (&again.body["new"], &again.body["exists"], &again.body["before"]["id"]),
        (&json!(0), &json!(4), &first.body["id"])
    );
    let imports = isp.get("/customers/imports").await.expect(200);
    let outcomes: Vec<(&str, u64)> = imports.body["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| (item["outcome"].as_str().expect("text"), item["rows"].as_u64().expect("a number")))
        .collect();
    assert_eq!(outcomes.len(), 3);
    assert!(outcomes.contains(&("refused", 12)) && outcomes.contains(&("written", 4)), "{outcomes:?}");
    assert!(imports.body["items"][0]["actor"].as_str().expect("text").starts_with("token:tok_"));

    let jane = isp.get("/customers?login=jane").await.expect(200).body["items"][0].clone();
    for (field, value) in [
        ("full_name", json!("Wanjiku; Jane")),
        ("phone", json!("254712345678")),
        ("mac", json!("AA:BB:CC:DD:EE:FF")),
        ("notes", json!("two\nlines")),
        ("status", json!("suspended")),
        ("origin", json!("import")),
        ("location", json!({ "latitude": -1.2921, "longitude": 36.8219 })),
    ] {
        assert_eq!(jane[field], value, "{field}");
    }
    let site = isp.get(&format!("/sites/{}", jane["site"].as_str().expect("a site"))).await.expect(200);
    assert_eq!(site.text("name"), "Flat 3");
    let password = isp.get(&format!("/customers/{}/password", jane["id"].as_str().expect("an id"))).await.expect(200);
    assert_eq!(password.text("password"), "secret-one");
    assert_eq!(isp.logins("name=%3Dhyper").await, ["formula"], "a formula is a text");
}

#[tokio::test]
async fn what_goes_out_can_come_in_again() {
    let test = TestApp::new().await;
    let isp = shop(&test).await;
    let good = "login,full_name,phone,email,language,router,package,site,mac,latitude,longitude,notes,status\n\
        a,\"=1+1\",0712345678,a@example.com,sw,roof,Home,Kilimani/House 7,CC:2D:E0:00:00:01,-1.5,36.25,\"x, \"\"y\"\"\nz\",suspended\n\
        b,'tis B,+256772123456,,,roof,Home,,,,,@home,\n\
        c,محمد,,,en-KE,roof,Home,,,,,-dash,active\n";
    let _ = isp.import(good, false, None).await.expect(200);
    let fixed = "login,router,package,address\nd,roof,Fixed,192.168.7.7\n";
    let _ = isp.import(fixed, false, None).await.expect(200);
    let gone = isp.customer("gone", json!({})).await;
    let _ = isp.post(&format!("/customers/{gone}/terminate"), json!({})).await.expect(204);
    let table = isp.export().await;
    assert_eq!(
        table.lines().next(),
        Some(
            "login,password,full_name,phone,email,language,kind,router,package,site,address,mac,latitude,longitude,notes,status,account_number"
        )
    );
    for cell in ["'=1+1", "'+254712345678", "'@home", "'-dash", "'-1.5", "'tis B"] {
        assert!(table.contains(cell), "{cell} in {table}");
    }
    assert!(!table.contains("gone"));
    let harmful = |line: &str| line.split(',').any(|cell| cell.trim_matches('"').starts_with(['=', '+', '-', '@']));
    assert!(!table.lines().any(harmful), "{table}");
    assert_eq!(isp.audited("customer.export").await, 1);

    // Another ISP with the same router, packages and places takes it in and gives the same out.
    let other = Isp::new(&test, "Beta").await;
    other.package("Fixed", "static", json!({ "months": 1 })).await;
    let area = other.post("/sites", json!({ "kind": "area", "name": "Kilimani" })).await.expect(201).text("id");
    let _ = other.post("/sites", json!({ "kind": "building", "name": "House 7", "parent": area })).await.expect(201);
    let report = other.import(table.clone(), false, None).await.expect(200);
    assert_eq!(report.body["new"], 5);
    let without_numbers = |table: &str| -> Vec<String> {
        let mut lines: Vec<String> =
            table.lines().map(|line| line.rsplit_once(',').map_or(line, |(rest, _)| rest).to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(without_numbers(&other.export().await), without_numbers(&table));

    let viewer = test.token(&isp.tenant, Role::Staff).await;
    let _ = test.call("GET", "/api/v1/customers/export", &viewer, None).await.expect(403);
}

#[tokio::test]
async fn what_is_no_table_is_refused_with_a_reason() {
    let test = TestApp::new().await;
    let isp = shop(&test).await;
    for (csv, why) in [
        (&b""[..], "missing"),
        (b"login,router\nx,roof\n", "missing: package"),
        (b"login,router,package,colour\n", "\"colour\""),
        (b"login,login,router,package\n", "twice"),
        (b"\xff\xfel\0o\0g\0", "UTF-16"),
    ] {
        assert!(isp.import(csv, true, None).await.expect(400).text("detail").contains(why), "{}", String::from_utf8_lossy(csv));
    }
    let invalid =
        isp.import(&b"login,router,package,notes\na,roof,Home,fine\nb,roof,Home,\xc3\x28\n"[..], true, None).await.expect(200);
    assert_eq!(faults(&invalid), [(3, "notes".to_owned())]);
    let _ = isp.import("x".repeat((32 << 20) + 1), true, None).await.expect(413);
    let care = test.token(&isp.tenant, Role::FieldTech).await;
    let _ = test.call("GET", "/api/v1/customers/imports", &care, None).await.expect(403);
}

/// Writes a file of 50,000 customers on five routers; of each hundred one is wrong, if that is wanted.
fn many(wrong: bool) -> String {
    let mut csv = "login,password,full_name,phone,router,package,mac,notes\n".to_owned();
    for n in 0..MANY {
        let phone = if wrong && n % 100 == 50 { "07123".to_owned() } else { format!("07{n:08}") };
        writeln!(
            csv,
            "c{n:05},pw-{n:05},Jane {n:05} Wanjikũ,{phone},r{},Home,CC:2D:{:02X}:{:02X}:{:02X}:00,flat {n}",
            n % 5,
            n >> 16,
            n >> 8 & 255,
            n & 255
        )
        .expect("memory");
    }
    csv
}

/// Goal: the largest file is taken in within a request, or refused with everything that is wrong. Method: 50,000 rows, of which 1% are bad,
/// then none; the time is printed and judged by nobody, since machines differ.
#[tokio::test]
async fn fifty_thousand_rows_come_in_whole_or_not_at_all() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("INSERT INTO tenant_limit (tenant_id, name, soft, hard, reason, set_by, set_at) VALUES ($1, 'customers', 100000, 100000, 'a large one', 'test', now())")
        .bind(isp.tenant.id)
        .execute(&mut owner)
        .await
        .expect("room");
    for n in 0..5 {
        router(&test, &isp.tenant, &format!("r{n}")).await;
    }
    let bad = many(true);
    let dry = isp.import(bad.clone(), true, None).await.expect(200);
    assert_eq!((&dry.body["errors"], &dry.body["new"], &dry.body["problems"]), (&json!(500), &json!(MANY - 500), &json!(500)));
    let lines: Vec<u64> = faults(&dry).into_iter().map(|(line, _)| line).collect();
    assert!(lines.iter().enumerate().all(|(at, line)| *line == 52 + 100 * at as u64), "each by its line");
    let refused = isp.import(bad, false, None).await.expect(400);
    assert_eq!(refused.body["errors"].as_array().map(Vec::len), Some(500));
    assert_eq!(isp.count("SELECT count(*) FROM customer").await, 0, "nothing half imported");

    let good = many(false);
    let started = Instant::now();
    let report = isp.import(good.clone(), false, None).await.expect(200);
    let took = started.elapsed();
    writeln!(std::io::stderr(), "{MANY} customers in {took:.1?}: {:.0} a second", MANY as f64 / took.as_secs_f64())
        .expect("told");
    assert_eq!((&report.body["new"], report.body["routers"].as_array().map(Vec::len)), (&json!(MANY), Some(5)));
    assert_eq!(isp.count("SELECT count(DISTINCT account_number) FROM customer").await, 50_000);
    assert_eq!(isp.count("SELECT sum(desired)::bigint FROM router_state WHERE desired > 0").await, 5, "each router looks once");
    let known = isp.import(good, false, None).await.expect(200);
    assert_eq!((&known.body["new"], &known.body["exists"]), (&json!(0), &json!(MANY)));
    let c = isp.get("/customers?login=c49999").await.expect(200).body["items"][0].clone();
    let password = isp.get(&format!("/customers/{}/password", c["id"].as_str().expect("an id"))).await.expect(200);
    assert_eq!(password.text("password"), "pw-49999");
    assert_eq!(isp.export().await.lines().count(), MANY + 1);
    // What is full takes no more.
    let one = isp.import("login,router,package\nmore,r0,Home\n", true, None).await.expect(429);
    assert_eq!(one.body["type"], Value::from("urn:mastwire:problem:limit-reached"));
}

async fn turns(test: &TestApp, granted: bool) -> i64 {
    let mut owner = test.db.connect_as("postgres").await;
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted = $1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .bind(granted)
    .fetch_one(&mut owner)
    .await
    .expect("locks are seen")
}

/// Goal: files of two ISPs that come at once do not wait for each other's account numbers in a circle. Method: the first is written and not
/// yet committed; the second waits until it is.
#[tokio::test]
async fn files_of_two_isps_are_written_one_after_the_other() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let doors = test.app.db.locator().tenants("tests").await.expect("both");
    let door = |isp: &Isp<'_>| doors.iter().find(|door| door.tenant() == isp.tenant.id).expect("it is there").clone();
    let file = || "login,router,package\njane,roof,Home\njoe,roof,Home\n".into();
    let (app, now) = (&*test.app, test.app.clock.now());
    let mut first = app.db.tenant(&door(&alpha)).await.expect("a transaction");
    let mut second = app.db.tenant(&door(&beta)).await.expect("another");
    let _ = customers::import(app, &mut first, file(), false, now).await.expect("both customers");
    let release = async {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
        while turns(&test, false).await == 0 {
            look.tick().await;
        }
        first.commit().await.expect("kept");
    };
    let (imported, ()) = tokio::join!(customers::import(app, &mut second, file(), false, now), release);
    assert_eq!(imported.expect("both customers").new, 2);
    second.commit().await.expect("kept");
    assert_eq!((turns(&test, true).await, turns(&test, false).await), (0, 0));
}
