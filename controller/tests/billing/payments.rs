//! Cash is counted once, whatever is sent again; time follows the money, forward and back.

use crate::fixture::{Isp, PRICE, cash, customer_id, package, payment_id, time};
use controller::operators::{Permission, Role};
use controller::testing::TestApp;
use controller::{customers, payments};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

#[tokio::test]
async fn cash_turns_into_time_ledger_and_generation_at_once() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let customer = isp.monthly("jane").await;
    let before = isp.generation().await;
    let now = test.app.clock.now();
    let taken = isp.pay(&customer).await.expect(201);
    let month: Timestamp = "2026-02-15T09:00:00Z".parse().expect("a time");
    assert_eq!((time(&taken, "starts_at"), time(&taken, "ends_at")), (now, month));
    assert_eq!((taken.body["generation"].as_i64(), isp.generation().await), (Some(before + 1), before + 1));
    assert!(taken.text("receipt").starts_with("C-"));
    assert_eq!((isp.balance("cash").await, isp.balance("sales").await), (PRICE, -PRICE));
    assert_eq!(time(&isp.get(&format!("/customers/{customer}")).await.expect(200), "paid_until"), month);

    // An early renewal is put on behind; the month's last day is kept by the calendar.
    test.clock.advance(SignedDuration::from_hours(24));
    let renewed = isp.pay(&customer).await.expect(201);
    assert_eq!(
        (time(&renewed, "starts_at"), time(&renewed, "ends_at")),
        (month, "2026-03-15T09:00:00Z".parse().expect("a time"))
    );
    let listed = isp.get(&format!("/payments?customer={customer}")).await.expect(200);
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(2));
    assert_eq!((isp.audited("payment.take").await, isp.balance("cash").await), (2, 2 * PRICE));
}

#[tokio::test]
async fn months_end_by_the_tenants_calendar() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let customer = isp.monthly("jane").await;
    // Half past midnight on 31 January in Nairobi is still the 30th in UTC.
    let start: Timestamp = "2026-01-30T21:30:00Z".parse().expect("a time");
    test.clock.advance(start.duration_since(test.app.clock.now()));
    let taken = isp.pay(&customer).await.expect(201);
    assert_eq!(time(&taken, "ends_at"), "2026-02-27T21:30:00Z".parse().expect("a time"), "half past midnight on 28 February");
}

#[tokio::test]
async fn the_desk_is_told_what_is_wrong() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let customer = isp.monthly("jane").await;
    let path = format!("/customers/{customer}/payments");
    let problem = isp.post(&path, cash(PRICE - 1)).await.expect(400);
    assert_eq!(problem.body["errors"][0]["field"], "amount");
    assert!(problem.text("detail").contains("KES 1500.00"), "{}", problem.body);
    let _ = isp.post(&path, json!({ "amount": { "minor": PRICE, "currency": "USD" } })).await.expect(400);
    let mut booked = cash(PRICE);
    booked["receipt"] = json!("PAPER 7");
    let _ = isp.post(&path, booked.clone()).await.expect(201);
    let problem = isp.post(&path, booked).await.expect(409);
    assert!(problem.text("detail").contains("PAPER 7") && problem.text("type").ends_with("already-exists"));
    let keyless = test.call_with_key("POST", &format!("/api/v1{path}"), &isp.tenant.token, Some(cash(PRICE)), "").await;
    assert_eq!(keyless.expect(400).body["errors"][0]["field"], "Idempotency-Key");
    assert_eq!(isp.balance("cash").await, PRICE, "nothing of what was refused was counted");
}

#[tokio::test]
async fn another_package_is_sold_at_the_desk() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let customer = isp.monthly("jane").await;
    let fast = isp.post("/packages", package("Fast", "pppoe", 300_000, json!({ "seconds": 7200 }))).await.expect(201).text("id");
    let spot = isp.package("Spot", "hotspot", json!({ "seconds": 3600 })).await;
    let path = format!("/customers/{customer}/payments");
    let with = |id: &str, minor: i64| json!({ "amount": { "minor": minor, "currency": "KES" }, "package": id });
    let _ = isp.post(&path, with(&spot, PRICE)).await.expect(400);
    let _ = isp.post(&path, with(&fast, 300_000)).await.expect(201);
    assert_eq!(isp.get(&format!("/customers/{customer}")).await.expect(200).text("package"), fast);
}

#[tokio::test]
async fn what_costs_nothing_gives_time_and_leaves_the_ledger_alone() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let free = isp.post("/packages", package("Trial", "pppoe", 0, json!({ "seconds": 600 }))).await.expect(201).text("id");
    let customer = isp.customer("jane", &free).await;
    let taken = isp.post(&format!("/customers/{customer}/payments"), cash(0)).await.expect(201);
    assert_eq!(time(&taken, "ends_at"), test.app.clock.now() + SignedDuration::from_secs(600));
    assert_eq!(isp.get("/ledger/journals").await.expect(200).body["items"], json!([]));
    let _ = isp.reverse(&taken.text("payment")).await.expect(200);
    assert_eq!(isp.get(&format!("/customers/{customer}")).await.expect(200).body["paid_until"], json!(null));
}

#[tokio::test]
async fn the_same_key_is_one_payment_however_often_it_comes() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let customer = isp.monthly("jane").await;
    let path = format!("/customers/{customer}/payments");
    let send = || isp.post_with_key(&path, cash(PRICE), "one-and-the-same");
    let (first, second, third) = tokio::join!(send(), send(), send());
    let first = first.expect(201);
    assert_eq!((&second.expect(201).body, &third.expect(201).body), (&first.body, &first.body));
    assert_eq!(send().await.expect(201).body, first.body, "a lost answer is given again");
    assert_eq!(isp.balance("cash").await, PRICE);
    let other = isp.post_with_key(&path, cash(PRICE + 1), "one-and-the-same").await.expect(409);
    assert_eq!(other.text("type"), "urn:mastwire:problem:idempotency-key-reused");
    let reverse = format!("/payments/{}/reverse", first.text("payment"));
    let elsewhere = isp.post_with_key(&reverse, json!({ "reason": "x" }), "one-and-the-same").await.expect(409);
    assert_eq!(elsewhere.text("type"), "urn:mastwire:problem:idempotency-key-reused");
    // A refused request used no key up.
    let _ = isp.post_with_key(&path, cash(1), "refused-at-first").await.expect(400);
    let _ = isp.post_with_key(&path, cash(PRICE), "refused-at-first").await.expect(201);
}

#[tokio::test]
async fn two_desks_at_once_sell_one_after_the_other() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let customer = isp.monthly("jane").await;
    let (one, two) = tokio::join!(isp.pay(&customer), isp.pay(&customer));
    let mut spans = [one.expect(201), two.expect(201)].map(|taken| (time(&taken, "starts_at"), time(&taken, "ends_at")));
    spans.sort_unstable();
    assert_eq!(spans[0].1, spans[1].0, "the second follows the first and neither is lost");
}

#[tokio::test]
async fn a_reversal_happens_once_and_mirrors_the_ledger() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let customer = isp.monthly("jane").await;
    let payment = isp.pay(&customer).await.expect(201).text("payment");
    let staff = test.token(&isp.tenant, Role::Staff).await;
    let body = json!({ "reason": "typed twice" });
    let _ = test.call("POST", &format!("/api/v1/payments/{payment}/reverse"), &staff, Some(body)).await.expect(403);
    let before = isp.generation().await;
    test.clock.advance(SignedDuration::from_mins(1));
    let (one, two) = tokio::join!(isp.reverse(&payment), isp.reverse(&payment));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!((statuses, isp.generation().await), ([200, 409], before + 1));
    assert_eq!((isp.balance("cash").await, isp.balance("sales").await), (0, 0));
    let shown = isp.get(&format!("/payments/{payment}")).await.expect(200);
    assert_eq!((shown.text("state"), shown.text("reversal_reason")), ("reversed".to_owned(), "typed twice".to_owned()));
    assert_eq!(isp.get(&format!("/customers/{customer}")).await.expect(200).body["paid_until"], json!(null));
    let journals = isp.get("/ledger/journals").await.expect(200);
    let (reversal, sale) = (&journals.body["items"][0], &journals.body["items"][1]);
    assert_eq!((&reversal["reversal_of"], &reversal["kind"], &sale["kind"]), (&sale["id"], &json!("reversal"), &json!("sale")));
    assert_eq!(
        isp.post(&format!("/payments/{payment}/reverse"), json!({ "reason": " " })).await.expect(400).body["errors"][0]["field"],
        "reason"
    );
}

#[tokio::test]
async fn what_was_paid_later_moves_forward() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let hours = isp.package("Hours", "pppoe", json!({ "seconds": 3600 })).await;
    let customer = isp.customer("jane", &hours).await;
    let start = test.app.clock.now();
    let hour = SignedDuration::from_hours(1);
    let [first, second, third] = [isp.pay(&customer).await, isp.pay(&customer).await, isp.pay(&customer).await]
        .map(|taken| taken.expect(201).text("payment"));
    test.clock.advance(SignedDuration::from_mins(15));
    let _ = isp.reverse(&first).await.expect(200);
    let span = async |payment: &str| {
        let shown = isp.get(&format!("/payments/{payment}")).await.expect(200);
        (time(&shown, "starts_at"), time(&shown, "ends_at"))
    };
    let now = start + SignedDuration::from_mins(15);
    assert_eq!((span(&second).await, span(&third).await), ((now, now + hour), (now + hour, now + hour + hour)));
    let shown = isp.get(&format!("/customers/{customer}")).await.expect(200);
    assert_eq!(time(&shown, "paid_until"), now + hour + hour);
    let _ = isp.reverse(&third).await.expect(200);
    assert_eq!(span(&second).await, (now, now + hour));
}

#[tokio::test]
async fn the_timeline_shows_how_long_each_step_took() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let customer = isp.monthly("jane").await;
    let taken = isp.pay(&customer).await.expect(201);
    let generation = taken.body["generation"].as_i64().expect("a number");
    let later = |millis| test.app.clock.now() + SignedDuration::from_millis(millis);
    let scope = isp.scope().await;
    let mut tx = scope.write(&test.app, Permission::RoutersWrite).await.expect("in");
    let id = customer_id(&customer);
    assert!(!payments::mark_online(&mut tx, id, later(100)).await.expect("done"), "not before the router holds it");
    assert_eq!(payments::mark_applied(&mut tx, isp.router, generation - 1, later(200)).await.expect("done"), 0);
    assert_eq!(payments::mark_applied(&mut tx, isp.router, generation, later(250)).await.expect("done"), 1);
    assert_eq!(payments::mark_applied(&mut tx, isp.router, generation + 9, later(300)).await.expect("done"), 0, "once");
    let waiting = customers::awaiting_online(&mut tx, isp.router, later(249), later(600)).await.expect("read");
    assert_eq!(waiting, [(id, "jane".to_owned())]);
    assert!(payments::mark_online(&mut tx, id, later(700)).await.expect("done"));
    assert!(!payments::mark_online(&mut tx, id, later(900)).await.expect("done"), "once");
    assert_eq!(customers::awaiting_online(&mut tx, isp.router, later(249), later(900)).await.expect("read"), []);
    tx.commit().await.expect("kept");
    let shown = isp.get(&format!("/payments/{}", taken.text("payment"))).await.expect(200);
    assert_eq!((shown.body["applied_ms"].as_u64(), shown.body["online_ms"].as_u64()), (Some(250), Some(700)));
    assert_eq!(time(&shown, "received_at"), test.app.clock.now());
    assert_eq!(shown.text("id"), payment_id(&taken.text("payment")).to_string());
}

/// Whatever is paid and reversed in whatever order, the accounts hold what the standing payments add up to, and every journal balances.
#[tokio::test]
async fn the_ledger_adds_up_after_any_order_of_payments_and_reversals() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let mut customers = Vec::new();
    for (index, price) in [100, 25_050, 999].into_iter().enumerate() {
        let body = package(&format!("P{index}"), "pppoe", price, json!({ "seconds": 3600 }));
        let package = isp.post("/packages", body).await.expect(201).text("id");
        customers.push((isp.customer(&format!("c{index}"), &package).await, price));
    }
    let mut standing: Vec<(String, i64)> = Vec::new();
    for _ in 0..60 {
        let mut random = [0; 4];
        test.app.entropy.fill(&mut random);
        test.clock.advance(SignedDuration::from_mins(random[0].into()));
        if random[1] % 3 == 0 && !standing.is_empty() {
            let (payment, _) = standing.swap_remove(usize::from(random[2]) % standing.len());
            let _ = isp.reverse(&payment).await.expect(200);
        } else {
            let (customer, price) = &customers[usize::from(random[2]) % customers.len()];
            let taken = isp.post(&format!("/customers/{customer}/payments"), cash(*price)).await.expect(201);
            standing.push((taken.text("payment"), *price));
        }
    }
    let sum: i64 = standing.iter().map(|(_, price)| price).sum();
    assert_eq!((isp.balance("cash").await, isp.balance("sales").await), (sum, -sum));
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let crooked: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM ledger_entry GROUP BY journal_id HAVING sum(amount_minor) <> 0) j",
    )
    .fetch_one(&mut owner)
    .await
    .expect("a count");
    assert_eq!(crooked, 0);
    let overlaps: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM entitlement a JOIN entitlement b ON a.customer_id = b.customer_id AND a.id < b.id
          WHERE a.voided_at IS NULL AND b.voided_at IS NULL AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at",
    )
    .fetch_one(&mut owner)
    .await
    .expect("a count");
    assert_eq!(overlaps, 0, "no second is sold twice");
}
