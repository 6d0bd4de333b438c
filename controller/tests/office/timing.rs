//! Once for each customer and each end, in the day and not in the night, and not when it is true no more.

use crate::carrier::Carrier;
use crate::fixture::{Isp, each, office};
use controller::testing::TestApp;
use controller::{messages, retention};
use jiff::SignedDuration;
use serde_json::json;

/// Three days before the end, in minutes.
const THREE_DAYS: i32 = -3 * 24 * 60;

#[tokio::test]
async fn a_reminder_comes_once_for_each_customer_and_each_end() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.rule("expiry", "{login} ends {until}", json!({ "offset_minutes": THREE_DAYS })).await;
    let (jane, john) = (isp.customer("jane").await, isp.customer("john").await);
    isp.pay(&jane).await;
    isp.pay(&john).await;
    isp.wait_until("2026-02-12T08:59:00Z");
    assert_eq!(isp.sweep().await, 0, "a minute too early");
    isp.pass(SignedDuration::from_mins(2));
    // Four controllers at once, and each again.
    let sweep = || messages::run_due(&test.app);
    let (a, b, c, d) = tokio::join!(sweep(), sweep(), sweep(), sweep());
    assert_eq!([a, b, c, d].into_iter().map(|count| count.expect("swept")).sum::<usize>(), 2);
    for _ in 0..3 {
        isp.pass(SignedDuration::from_hours(2));
        assert_eq!(isp.sweep().await, 0);
    }
    let written = isp.items("/messages").await;
    assert_eq!(written.len(), 2);
    assert!(each(&written, "text").contains(&json!("jane ends 15 Feb 2026 12:00")), "{written:?}");

    // Who pays has another end, and is reminded of that.
    isp.pay(&jane).await;
    isp.wait_until("2026-02-20T09:00:00Z");
    assert_eq!(isp.sweep().await, 0);
    isp.wait_until("2026-03-12T09:02:00Z");
    assert_eq!((isp.sweep().await, isp.sweep().await), (1, 0));
    assert_eq!(isp.items(&format!("/messages?customer={jane}")).await.len(), 2);
    assert_eq!(isp.items(&format!("/messages?customer={john}")).await.len(), 1);
}

#[tokio::test]
async fn a_claim_holds_even_where_a_sweep_is_lost() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.rule("expiry", "It has ended", json!({ "offset_minutes": 0 })).await;
    let jane = isp.customer("jane").await;
    isp.pay(&jane).await;
    isp.wait_until("2026-02-15T09:05:00Z");
    assert_eq!(isp.sweep().await, 1);
    // As if the sweep's own mark had been lost: what was claimed stays claimed.
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("UPDATE message_rule SET seen_until = '2026-02-01 00:00Z'").execute(&mut owner).await.expect("the owner may");
    assert_eq!(isp.sweep().await, 0);
}

#[tokio::test]
async fn a_rule_writes_about_nothing_that_was_before() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    isp.pay(&jane).await;
    isp.wait_until("2026-02-15T09:05:00Z");
    let rule = isp.rule("expiry", "It has ended", json!({ "offset_minutes": 0 })).await;
    assert_eq!(isp.sweep().await, 0, "the end was five minutes before the rule");
    let john = isp.customer("john").await;
    isp.pay(&john).await;
    let path = format!("/message-rules/{rule}");
    let _ = isp.patch(&path, json!({ "enabled": false })).await.expect(200);
    isp.wait_until("2026-03-15T09:30:00Z");
    let _ = isp.patch(&path, json!({ "enabled": true })).await.expect(200);
    assert_eq!(isp.sweep().await, 0, "it ended while the rule rested");
}

#[tokio::test]
async fn a_long_pause_is_made_up_for_and_a_longer_one_is_not() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.rule("expiry", "It has ended", json!({ "offset_minutes": 0 })).await;
    let (jane, john) = (isp.customer("jane").await, isp.customer("john").await);
    isp.pay(&jane).await;
    isp.pass(SignedDuration::from_hours(72));
    isp.pay(&john).await;
    // Jane's end was on the 15th, John's is on the 18th.
    isp.wait_until("2026-02-18T20:00:00Z");
    assert_eq!(isp.sweep().await, 1);
    assert_eq!(each(&isp.items("/messages").await, "customer"), [json!(john)]);
}

#[tokio::test]
async fn what_is_due_in_the_night_waits_for_the_morning_and_a_receipt_does_not() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.rule("expiry", "It has ended", json!({ "offset_minutes": 0 })).await;
    isp.rule("payment_received", "Thank you", json!({})).await;
    // Times of the day in Nairobi, three hours before UTC, at which four people pay; a month later each one's time is up.
    for (at, login) in [
        ("2026-01-15T17:59:30Z", "before-nine"),
        ("2026-01-15T18:00:30Z", "after-nine"),
        ("2026-01-15T20:59:50Z", "before-midnight"),
        ("2026-01-15T21:00:10Z", "after-midnight"),
        ("2026-01-16T03:59:00Z", "before-seven"),
        ("2026-01-16T04:00:10Z", "after-seven"),
    ] {
        isp.wait_until(at);
        let customer = isp.customer(login).await;
        isp.pay(&customer).await;
    }
    for receipt in isp.items("/messages").await {
        assert_eq!(receipt["not_before"], receipt["at"], "a receipt is waited for, also at night");
    }
    let morning = "2026-02-16T04:00:00Z";
    for (sweep, login, waits) in [
        ("2026-02-15T17:59:40Z", "before-nine", None),
        ("2026-02-15T18:00:40Z", "after-nine", Some(morning)),
        ("2026-02-15T20:59:56Z", "before-midnight", Some(morning)),
        ("2026-02-15T21:00:20Z", "after-midnight", Some(morning)),
        ("2026-02-16T03:59:30Z", "before-seven", Some(morning)),
        ("2026-02-16T04:00:40Z", "after-seven", None),
    ] {
        isp.wait_until(sweep);
        assert_eq!(isp.sweep().await, 1, "{login}");
        let newest = isp.items("/messages?limit=1").await.remove(0);
        assert_eq!(newest["not_before"].as_str(), waits.or(newest["at"].as_str()), "{login}");
    }
}

#[tokio::test]
async fn an_isps_own_quiet_hours_count() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let settings = json!({ "version": 0, "settings": { "quiet_hours": { "from": "11:00", "until": "13:00" } } });
    let _ = isp.call("PUT", "/settings", Some(settings)).await.expect(200);
    isp.rule("customer_created", "Welcome", json!({})).await;
    isp.customer("jane").await;
    assert_eq!(isp.items("/messages").await[0]["not_before"], "2026-01-15T10:00:00Z", "it is noon in Nairobi");
    isp.rule("ticket_opened", "We know", json!({ "waits": false })).await;
    let jane = isp.items("/customers").await[0]["id"].clone();
    let _ = isp.post("/tickets", json!({ "title": "Slow", "customer": jane })).await.expect(201);
    let newest = isp.items("/messages?limit=1").await.remove(0);
    assert_eq!(newest["not_before"], newest["at"]);
}

#[tokio::test]
async fn who_pays_in_the_night_is_not_told_in_the_morning_that_it_has_ended() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    isp.gateway("Mast SMS", &carrier, json!({})).await;
    isp.rule("expiry", "It has ended, {login}", json!({ "offset_minutes": 0 })).await;
    isp.wait_until("2026-01-15T19:00:00Z");
    let (jane, john) = (isp.customer("jane").await, isp.customer("john").await);
    isp.pay(&jane).await;
    isp.pay(&john).await;
    isp.wait_until("2026-02-15T19:01:00Z");
    assert_eq!((isp.sweep().await, isp.send().await), (2, 0));
    isp.pay(&jane).await;
    isp.wait_until("2026-02-16T04:00:01Z");
    assert_eq!(isp.send().await, 2);
    assert_eq!(carrier.seen()[0].1, "to=254712345678&message=It%20has%20ended%2C%20john");
    assert_eq!(carrier.count(), 1);
    let cancelled = isp.items("/messages?state=cancelled").await;
    assert_eq!(each(&cancelled, "customer"), [json!(jane)]);
    assert!(cancelled[0]["reason"].as_str().expect("a text").contains("paid"), "{}", cancelled[0]);
}

#[tokio::test]
async fn a_warning_that_would_come_too_late_does_not_come() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    isp.gateway("Mast SMS", &carrier, json!({})).await;
    isp.rule("expiry", "It ends in two hours", json!({ "offset_minutes": -120 })).await;
    // Half past eleven at night in Nairobi.
    isp.wait_until("2026-01-15T20:30:00Z");
    let jane = isp.customer("jane").await;
    isp.pay(&jane).await;
    isp.wait_until("2026-02-15T18:31:00Z");
    assert_eq!((isp.sweep().await, isp.send().await), (1, 0));
    isp.wait_until("2026-02-16T04:00:01Z");
    isp.send().await;
    assert_eq!(carrier.count(), 0);
    assert_eq!(isp.items("/messages").await[0]["state"], "failed");
}

#[tokio::test]
async fn messages_are_kept_a_year_and_a_month() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.rule("customer_created", "Welcome", json!({})).await;
    isp.customer("jane").await;
    isp.pass(SignedDuration::from_hours(119 * 24));
    assert_eq!(messages::forget_old(&test.app).await.expect("looked"), 0);
    isp.pass(SignedDuration::from_hours(2 * 24));
    assert_eq!(messages::forget_old(&test.app).await.expect("looked"), 1, "what was written about is known for 120 days");
    isp.pass(SignedDuration::from_hours(274 * 24));
    assert_eq!(retention::forget_old(&test.app).await.expect("looked"), 0);
    isp.pass(SignedDuration::from_hours(2 * 24));
    assert_eq!(retention::forget_old(&test.app).await.expect("looked"), 1);
    assert_eq!(isp.items("/messages").await.len(), 0);
}
