//! A day's money is what was booked between two midnights of the tenant's.

use crate::fixture::{Isp, PRICE, kes};
use controller::testing::TestApp;
use jiff::Timestamp;
use serde_json::{Value, json};

fn to(test: &TestApp, moment: &str) {
    let at: Timestamp = moment.parse().expect("a time");
    test.clock.advance(at.duration_since(test.app.clock.now()));
}

/// Day, method, received, sold, into wallets, payments, reversals.
type Line = (String, String, i64, i64, i64, i64, i64);

fn lines(report: &Value) -> Vec<Line> {
    let number = |value: &Value| value.as_i64().expect("a number");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |item: &Value| {
        (
            text(&item["day"]),
            text(&item["method"]),
            number(&item["received"]["minor"]),
            number(&item["sold"]["minor"]),
            number(&item["into_wallets"]["minor"]),
            number(&item["payments"]),
            number(&item["reversals"]),
        )
    };
    report["items"].as_array().expect("a list").iter().map(line).collect()
}

#[tokio::test]
async fn money_stands_on_its_day_with_its_router_and_method() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    // A second before midnight in Nairobi, and at midnight.
    to(&test, "2026-01-15T20:59:58Z");
    let first = isp.pay(&jane, PRICE + 1_000).await.expect(201).text("payment");
    let second = isp.pay(&jane, PRICE).await.expect(201).text("payment");
    let _ = isp
        .post(&format!("/customers/{jane}/wallet/adjust"), json!({ "amount": kes(PRICE), "reason": "an outage" }))
        .await
        .expect(201);
    let _ = isp.post(&format!("/customers/{jane}/wallet/pay"), json!({})).await.expect(201);
    let _ = isp.post(&format!("/payments/{second}/reverse"), json!({ "reason": "typed twice" })).await.expect(200);
    let _ = isp.post("/expenses", json!({ "amount": kes(7) })).await.expect(201);
    let report = isp.get("/reports/money?from=2026-01-15&until=2026-01-16").await.expect(200);
    let line = |day: &str, method: &str, received, sold, wallets, payments, reversals| -> Line {
        (day.to_owned(), method.to_owned(), received, sold, wallets, payments, reversals)
    };
    assert_eq!(
        lines(&report.body),
        [
            line("2026-01-15", "cash", PRICE + 1_000, PRICE, 1_000, 1, 0),
            line("2026-01-16", "cash", 0, 0, 0, 1, 1),
            line("2026-01-16", "wallet", 0, PRICE, -PRICE, 1, 0),
            line("2026-01-16", "-", 0, 0, PRICE, 0, 0),
        ]
    );
    assert!(report.body["items"].as_array().expect("a list").iter().all(|item| item["router"] == json!(isp.router)));
    assert_eq!(report.text("time_zone"), "Africa/Nairobi");
    let file = isp.file("/reports/money/export?from=2026-01-15&until=2026-01-16").await;
    assert!(file.contains(&format!("2026-01-16,{},wallet,KES,0,{PRICE},-{PRICE},1,0\r\n", isp.router)), "{file}");
    let _ = first;
    // All days together are what the ledger holds.
    let sum = |at: fn(&Line) -> i64| lines(&report.body).iter().map(at).sum::<i64>();
    assert_eq!((sum(|line| line.2), sum(|line| line.3)), (isp.balance("cash").await + 7, -isp.balance("sales").await));
    for query in ["from=2026-01-17&until=2026-01-16", "from=2024-01-01&until=2026-01-16", "from=yesterday"] {
        let _ = isp.get(&format!("/reports/money?{query}")).await.expect(400);
    }
    let other = Isp::new(&test, "Beta").await;
    assert_eq!(other.get("/reports/money").await.expect(200).body["items"], json!([]));
}

#[tokio::test]
async fn a_days_money_follows_the_clocks_that_are_changed() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let _ = isp.call("PATCH", "/tenant", Some(json!({ "time_zone": "Europe/Berlin" }))).await.expect(200);
    let jane = isp.customer("jane").await;
    // 29 March has 23 hours: it begins at 23:00 UTC and ends at 22:00 UTC.
    for moment in ["2026-03-28T22:59:58Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:58Z", "2026-03-29T22:00:00Z"] {
        to(&test, moment);
        let _ = isp.pay(&jane, PRICE).await.expect(201);
    }
    let report = isp.get("/reports/money?from=2026-03-28&until=2026-03-30").await.expect(200);
    let days: Vec<(String, i64)> = lines(&report.body).into_iter().map(|line| (line.0, line.5)).collect();
    assert_eq!(days, [("2026-03-28".to_owned(), 1), ("2026-03-29".to_owned(), 2), ("2026-03-30".to_owned(), 1)]);
}
