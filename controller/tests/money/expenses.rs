//! What the ISP spends is booked, and a rule that repeats notes each period once, however long nobody ran it.

use crate::fixture::{Isp, each, kes};
use controller::expenses::run_due;
use controller::testing::TestApp;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn to(test: &TestApp, moment: &str) {
    let at: Timestamp = moment.parse().expect("a time");
    test.clock.advance(at.duration_since(test.app.clock.now()));
}

#[tokio::test]
async fn an_expense_is_booked_and_taken_back_once() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let body = json!({ "vendor": "Power company", "amount": kes(80_000), "paid_from": "bank", "spent_on": "2026-01-10", "note": "December" });
    let id = isp.post("/expenses", body).await.expect(201).text("id");
    assert_eq!((isp.balance("expenses").await, isp.balance("bank").await), (80_000, -80_000));
    for (field, wrong) in [
        ("amount", json!({ "amount": kes(0) })),
        ("amount", json!({ "amount": { "minor": 5, "currency": "USD" } })),
        ("account", json!({ "amount": kes(5), "account": "sales" })),
        ("paid_from", json!({ "amount": kes(5), "paid_from": "wallets" })),
        ("paid_from", json!({ "amount": kes(5), "paid_from": "receivables" })),
        ("spent_on", json!({ "amount": kes(5), "spent_on": "2026-01-16" })),
        ("vendor", json!({ "amount": kes(5), "vendor": "x".repeat(101) })),
    ] {
        assert_eq!(isp.post("/expenses", wrong.clone()).await.expect(400).body["errors"][0]["field"], field, "{wrong}");
    }
    let path = format!("/expenses/{id}");
    let _ = isp.post(&format!("{path}/reverse"), json!({ "reason": "not ours" })).await.expect(204);
    let _ = isp.post(&format!("{path}/reverse"), json!({ "reason": "again" })).await.expect(409);
    assert_eq!((isp.balance("expenses").await, isp.balance("bank").await), (0, 0));
    assert_eq!(isp.get(&path).await.expect(200).text("reversal_reason"), "not ours");
    let other = Isp::new(&test, "Beta").await;
    let _ = other.get(&path).await.expect(404);
    let _ = other.post(&format!("{path}/reverse"), json!({ "reason": "mine" })).await.expect(404);
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn a_rule_notes_each_period_once_and_catches_up() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let rent = json!({ "vendor": "Landlord", "amount": kes(10_000), "unit": "month", "first_on": "2026-01-31" });
    let id = isp.post("/recurring-expenses", rent).await.expect(201).text("id");
    assert_eq!(run_due(&test.app).await.expect("nothing is due"), 0);
    // The day begins in Nairobi: 21:00 UTC the day before.
    to(&test, "2026-01-30T20:59:59Z");
    assert_eq!(run_due(&test.app).await.expect("not yet"), 0);
    to(&test, "2026-01-30T21:00:00Z");
    assert_eq!(run_due(&test.app).await.expect("due"), 1);
    assert_eq!(run_due(&test.app).await.expect("noted already"), 0);
    // Nobody ran it for months; two controllers find it at once.
    to(&test, "2026-05-31T00:00:00Z");
    let (one, two) = tokio::join!(run_due(&test.app), run_due(&test.app));
    assert_eq!(one.expect("run") + two.expect("run"), 4);
    let spent = isp.get("/expenses").await.expect(200);
    let mut days = each(&spent, "spent_on");
    days.sort_unstable_by_key(ToString::to_string);
    assert_eq!(days, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"].map(|day| json!(day)));
    assert_eq!(isp.balance("expenses").await, 50_000);
    let rule = isp.get(&format!("/recurring-expenses/{id}")).await.expect(200);
    assert_eq!((rule.text("next_due"), &rule.body["periods"]), ("2026-06-30".to_owned(), &json!(5)));
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn what_falls_into_a_pause_is_left_out_and_an_end_is_an_end() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let rule = json!({ "amount": kes(100), "unit": "week", "every": 2, "first_on": "2026-01-15", "last_on": "2026-03-15" });
    let path = format!("/recurring-expenses/{}", isp.post("/recurring-expenses", rule).await.expect(201).text("id"));
    assert_eq!(run_due(&test.app).await.expect("the first day is today"), 1);
    let _ = isp.post(&format!("{path}/pause"), json!({})).await.expect(204);
    test.clock.advance(SignedDuration::from_hours(24 * 30));
    assert_eq!(run_due(&test.app).await.expect("it rests"), 0);
    let _ = isp.post(&format!("{path}/resume"), json!({})).await.expect(204);
    let shown = isp.get(&path).await.expect(200);
    assert_eq!(
        (shown.text("next_due"), &shown.body["periods"]),
        ("2026-02-26".to_owned(), &json!(3)),
        "29 January and 12 February are left out"
    );
    test.clock.advance(SignedDuration::from_hours(24 * 60));
    assert_eq!(run_due(&test.app).await.expect("26 February and 12 March"), 2);
    assert!(isp.get(&path).await.expect(200).body["ended_at"].is_string(), "its last day is behind");
    let _ = isp.post(&format!("{path}/pause"), json!({})).await.expect(409);
    test.clock.advance(SignedDuration::from_hours(24 * 60));
    assert_eq!((run_due(&test.app).await.expect("it has ended"), isp.balance("expenses").await), (0, 300));
    for (field, wrong) in [
        ("every", json!({ "amount": kes(5), "unit": "day", "every": 366, "first_on": "2026-06-15" })),
        ("first_on", json!({ "amount": kes(5), "unit": "day", "first_on": "2024-01-01" })),
        ("last_on", json!({ "amount": kes(5), "unit": "day", "first_on": "2026-06-15", "last_on": "2026-06-14" })),
        ("account", json!({ "amount": kes(5), "unit": "day", "first_on": "2026-06-15", "account": "nothing" })),
    ] {
        assert_eq!(isp.post("/recurring-expenses", wrong.clone()).await.expect(400).body["errors"][0]["field"], field, "{wrong}");
    }
    let other = Isp::new(&test, "Beta").await;
    let _ = other.call("DELETE", &path, None).await.expect(404);
}
