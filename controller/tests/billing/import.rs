//! A file of customers is looked at first and written all or not at all.

use crate::fixture::Isp;
use axum::body::Body;
use axum::http::{Request, header};
use controller::customers;
use controller::operators::Permission;
use controller::testing::{Answer, TestApp};
use serde_json::json;
use std::fmt::Write as _;

async fn send(isp: &Isp<'_>, csv: &str, dry_run: bool, kind: &str) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/api/v1/customers/import?dry_run={dry_run}"))
        .header(header::AUTHORIZATION, format!("Bearer {}", isp.tenant.token))
        .header(header::CONTENT_TYPE, kind)
        .body(Body::from(csv.to_owned()))
        .expect("a good request");
    isp.test.send(request).await
}

async fn import(isp: &Isp<'_>, csv: &str, dry_run: bool) -> Answer {
    send(isp, csv, dry_run, "text/csv; charset=utf-8").await
}

async fn shop(test: &TestApp) -> Isp<'_> {
    let isp = Isp::new(test, "Alpha").await;
    let home = isp.package("Home", "pppoe", json!({ "months": 1 })).await;
    isp.package("Fixed", "static", json!({ "months": 1 })).await;
    isp.customer("known", &home).await;
    isp
}

async fn customers(isp: &Isp<'_>) -> usize {
    isp.get("/customers?limit=200").await.expect(200).body["items"].as_array().map_or(0, Vec::len)
}

const MIXED: &str = "\u{feff}login,password,full_name,phone,kind,router,package,address,mac
jane,secret-one,\"Wanjiku, Jane\",0712345678,pppoe,roof,Home,,aa-bb-cc-dd-ee-ff
known,,,,,roof,Home,,
jane,,,,,roof,Home,,
srv,,,,static,roof,Fixed,192.168.7.7,
srv2,,,,static,roof,Fixed,192.168.7.7,
nowhere,,,,,cellar,Home,,
unsold,,,,,roof,Gold,,
crossed,,,,hotspot,roof,Home,,
far,,,,static,roof,Fixed,10.10.9.9,
bad name,hidden-pw,,,,roof,Home,,
short,,
";

#[tokio::test]
async fn a_dry_run_says_all_and_writes_nothing() {
    let test = TestApp::new().await;
    let isp = shop(&test).await;
    let before = isp.generation().await;
    let report = import(&isp, MIXED, true).await.expect(200);
    let rows: Vec<(u64, &str, &str)> = report.body["items"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let field = row["message"].as_str().unwrap_or_default().split(':').next().unwrap_or_default();
            (row["line"].as_u64().expect("a line"), row["outcome"].as_str().expect("an outcome"), field)
        })
        .collect();
    assert_eq!(
        rows,
        [
            (2, "new", ""),
            (3, "exists", ""),
            (4, "error", "login"),
            (5, "new", ""),
            (6, "error", "address"),
            (7, "error", "router"),
            (8, "error", "package"),
            (9, "error", "kind"),
            (10, "error", "address"),
            (11, "error", "login"),
            (12, "error", "the row has another number of columns than the first line"),
        ]
    );
    assert_eq!((&report.body["new"], &report.body["exists"], &report.body["errors"]), (&json!(2), &json!(1), &json!(8)));
    assert!(!report.body.to_string().contains("hidden-pw") && !report.body.to_string().contains("secret-one"));
    assert_eq!((customers(&isp).await, isp.generation().await), (1, before));
}

#[tokio::test]
async fn one_wrong_row_keeps_all_out() {
    let test = TestApp::new().await;
    let isp = shop(&test).await;
    let before = isp.generation().await;
    let problem = import(&isp, MIXED, false).await.expect(400);
    assert_eq!(problem.body["errors"].as_array().map(Vec::len), Some(8));
    assert_eq!(problem.body["errors"][0]["field"], "line 4");
    assert!(!problem.body.to_string().contains("hidden-pw"));
    assert_eq!((customers(&isp).await, isp.generation().await), (1, before));

    let good: String = MIXED
        .lines()
        .filter(|line| ["\u{feff}login", "jane,s", "known", "srv,"].iter().any(|start| line.starts_with(start)))
        .fold(String::new(), |mut csv, line| {
            csv.push_str(line);
            csv.push_str("\r\n");
            csv
        });
    let report = import(&isp, &good, false).await.expect(200);
    assert_eq!((&report.body["new"], &report.body["exists"], customers(&isp).await), (&json!(2), &json!(1), 3));
    assert_eq!((isp.generation().await, isp.audited("customer.import").await), (before + 1, 1));
    let jane = isp.get("/customers?login=jane").await.expect(200).body["items"][0].clone();
    assert_eq!(
        (&jane["full_name"], &jane["phone"], &jane["mac"]),
        (&json!("Wanjiku, Jane"), &json!("254712345678"), &json!("AA:BB:CC:DD:EE:FF"))
    );
    let password = isp.get(&format!("/customers/{}/password", jane["id"].as_str().expect("an id"))).await.expect(200);
    assert_eq!(password.text("password"), "secret-one");
    // The same file again finds everybody there.
    let again = import(&isp, &good, false).await.expect(200);
    assert_eq!((&again.body["new"], &again.body["exists"]), (&json!(0), &json!(3)));
}

#[tokio::test]
async fn what_is_no_such_table_is_refused() {
    let test = TestApp::new().await;
    let isp = shop(&test).await;
    for csv in ["", "login,router\nx,roof\n", "login,router,package,colour\n", "login,login,router,package\n"] {
        assert!(import(&isp, csv, true).await.expect(400).text("detail").contains("columns"), "{csv:?}");
    }
    let _ = send(&isp, "login,router,package\n", true, "application/json").await.expect(415);
    let _ = import(&isp, &"x".repeat((5 << 20) + 1), true).await.expect(413);
    let mut many = "login,router,package\n".to_owned();
    for n in 0..=10_000 {
        writeln!(many, "c{n},roof,Home").expect("memory");
    }
    assert!(import(&isp, &many, true).await.expect(400).text("detail").contains("10000 rows"));
}

#[tokio::test]
async fn ten_thousand_customers_come_in_one_file_and_no_more_fit_on_their_router() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let home = isp.package("Home", "pppoe", json!({ "months": 1 })).await;
    let mut csv = "login,router,package\n".to_owned();
    for n in 0..10_000 {
        writeln!(csv, "c{n:05},roof,Home").expect("memory");
    }
    let report = import(&isp, &csv, false).await.expect(200);
    assert_eq!(report.body["new"], 10_000);
    let scope = isp.scope().await;
    let mut tx = scope.read(&test.app, Permission::CustomersRead).await.expect("in");
    let all = customers::on_router(&test.app, &mut tx, isp.router, test.app.clock.now()).await.expect("all of them");
    assert!(all.len() == 10_000 && all.is_sorted_by_key(|customer| customer.login.clone()));
    assert!(all.iter().all(|customer| customer.password.expose().len() == 10));
    let more = json!({ "login": "more", "router": isp.router, "package": home });
    assert_eq!(isp.post("/customers", more).await.expect(429).text("type"), "urn:mastwire:problem:limit-reached");
    let one = "login,router,package\nmore,roof,Home\n";
    let _ = import(&isp, one, true).await.expect(429);
}
