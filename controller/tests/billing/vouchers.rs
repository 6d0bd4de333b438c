//! A code is worth its package once, wherever it may be used, and every other code gets one and the same answer.

use crate::fixture::{Isp, PRICE, desired, router, time};
use controller::operators::{Permission, Role};
use controller::testing::{Answer, TestApp};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn codes(batch: &Answer) -> Vec<String> {
    batch.body["codes"].as_array().expect("codes").iter().map(|code| code.as_str().expect("a code").to_owned()).collect()
}

/// Makes a batch for an hour on the hotspot.
async fn batch(isp: &Isp<'_>, more: Value) -> Answer {
    let package = match isp.get("/packages").await.body["items"]
        .as_array()
        .and_then(|items| items.iter().find(|item| item["kind"] == "hotspot"))
    {
        Some(known) => known["id"].as_str().expect("an id").to_owned(),
        None => isp.package("Hour", "hotspot", json!({ "seconds": 3600 })).await,
    };
    let mut body = more;
    body["package"] = json!(package);
    isp.post("/voucher-batches", body).await
}

#[tokio::test]
async fn a_batch_is_drawn_shown_once_and_printed_again_by_who_may() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let made = batch(&isp, json!({ "count": 200, "length": 9 })).await.expect(201);
    let drawn = codes(&made);
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 200);
    assert!(drawn.iter().all(|code| code.len() == 9 && !code.contains(['0', 'O', '1', 'I', 'L'])));
    let listed = isp.get("/voucher-batches").await.expect(200);
    assert_eq!((listed.body["items"][0]["size"].as_i64(), listed.body["items"][0]["available"].as_i64()), (Some(200), Some(200)));

    let path = format!("/voucher-batches/{}/codes", made.text("id"));
    let printed = isp.get(&path).await.expect(200);
    let again: BTreeSet<&str> =
        printed.body["items"].as_array().expect("codes").iter().filter_map(|item| item["code"].as_str()).collect();
    assert_eq!(again, drawn.iter().map(String::as_str).collect());
    assert_eq!(isp.audited("voucher_batch.print").await, 1);
    let care = test.token(&isp.tenant, Role::CustomerCare).await;
    let _ = test.call("GET", &format!("/api/v1{path}"), &care, None).await.expect(403);

    let mut owner = test.db.connect_as("mastwire_owner").await;
    let stored: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT code_hmac, sealed_code FROM voucher").fetch_all(&mut owner).await.expect("rows");
    let readable = |bytes: &[u8]| drawn.iter().any(|code| bytes.windows(code.len()).any(|window| window == code.as_bytes()));
    assert!(!stored.iter().any(|(hmac, sealed)| readable(hmac) || readable(sealed)), "no code rests readable");
}

#[tokio::test]
async fn a_code_makes_a_hotspot_customer_and_counts_in_the_ledger() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let code = codes(&batch(&isp, json!({ "count": 1 })).await.expect(201)).remove(0);
    let typed = format!(" {}-{} ", code[..4].to_lowercase(), &code[4..]);
    let before = isp.generation().await;
    let redeemed = isp
        .post("/vouchers/redeem", json!({ "code": typed, "router": isp.router, "mac": "AA-BB-CC-00-11-22" }))
        .await
        .expect(201);
    let hour = test.app.clock.now() + SignedDuration::from_hours(1);
    assert_eq!((time(&redeemed, "ends_at"), isp.generation().await > before), (hour, true));
    let shown = isp.get(&format!("/customers/{}", redeemed.text("customer"))).await.expect(200);
    assert_eq!(
        (shown.text("login"), shown.text("kind"), shown.text("mac")),
        (code.to_lowercase(), "hotspot".into(), "AA:BB:CC:00:11:22".into())
    );
    let password = isp.get(&format!("/customers/{}/password", redeemed.text("customer"))).await.expect(200);
    assert_eq!(password.text("password"), code.to_lowercase());
    assert_eq!(
        (isp.balance("voucher_clearing").await, isp.balance("sales").await, isp.balance("cash").await),
        (PRICE, -PRICE, 0)
    );
    let payment = isp.get(&format!("/payments/{}", redeemed.text("payment"))).await.expect(200);
    assert_eq!((payment.text("method"), payment.text("receipt").starts_with("vou_")), ("voucher".to_owned(), true));
    assert_eq!(isp.get("/voucher-batches").await.expect(200).body["items"][0]["available"], 0);
}

#[tokio::test]
async fn a_code_extends_a_customer_who_is_named() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let home = isp.package("Home", "pppoe", json!({ "months": 1 })).await;
    let customer = isp.customer("jane", &home).await;
    let until = time(&isp.pay(&customer).await.expect(201), "ends_at");
    let made = isp.post("/voucher-batches", json!({ "package": home, "count": 2 })).await.expect(201);
    let all = codes(&made);
    let nobody = isp.post("/vouchers/redeem", json!({ "code": all[0], "router": isp.router })).await.expect(400);
    assert_eq!(nobody.body["errors"][0]["field"], "customer");
    let hill = router(&test, &isp.tenant, "hill").await;
    let elsewhere =
        isp.post("/vouchers/redeem", json!({ "code": all[0], "router": hill, "customer": customer })).await.expect(400);
    assert_eq!((elsewhere.body["errors"][0]["field"].as_str(), desired(&test, hill).await), (Some("customer"), 0));
    let body = json!({ "code": all[0], "router": isp.router, "customer": customer });
    let redeemed = isp.post("/vouchers/redeem", body).await.expect(201);
    assert_eq!(
        (redeemed.text("customer"), time(&redeemed, "starts_at")),
        (customer, until),
        "what was refused left the code whole"
    );
}

#[tokio::test]
async fn codes_that_cannot_be_used_all_get_the_same_answer() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let hill = router(&test, &isp.tenant, "hill").await;
    let soon = test.app.clock.now() + SignedDuration::from_hours(1);
    let used = codes(&batch(&isp, json!({ "count": 1 })).await.expect(201)).remove(0);
    let bound = codes(&batch(&isp, json!({ "count": 1, "router": hill })).await.expect(201)).remove(0);
    let dated = codes(&batch(&isp, json!({ "count": 1, "expires_at": soon })).await.expect(201)).remove(0);
    let redeem = async |code: &str| isp.post("/vouchers/redeem", json!({ "code": code, "router": isp.router })).await;
    let _ = redeem(&used).await.expect(201);
    test.clock.advance(SignedDuration::from_hours(1));
    let mut answers = Vec::new();
    for code in ["ZZZZ2222", "never a code", &used, &bound, &dated] {
        let answer = redeem(code).await.expect(404);
        answers.push((answer.text("type"), answer.text("detail")));
    }
    assert_eq!(answers[0].1, "this code is not valid here");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let _ = isp.post("/vouchers/redeem", json!({ "code": bound, "router": hill })).await.expect(201);
}

#[tokio::test]
async fn one_of_many_at_once_gets_the_code() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let code = codes(&batch(&isp, json!({ "count": 1 })).await.expect(201)).remove(0);
    let redeem = || isp.post("/vouchers/redeem", json!({ "code": code, "router": isp.router }));
    let (a, b, c, d) = tokio::join!(redeem(), redeem(), redeem(), redeem());
    let mut statuses = [a, b, c, d].map(|answer| answer.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 404, 404, 404]);
    assert_eq!(isp.balance("sales").await, -PRICE);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_and_the_code_is_not_kept_with_it() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let made = codes(&batch(&isp, json!({ "count": 2 })).await.expect(201));
    let body = |code: &str| json!({ "code": code, "router": isp.router });
    let first = isp.post_with_key("/vouchers/redeem", body(&made[0]), "redeem-it-once").await.expect(201);
    let again = isp.post_with_key("/vouchers/redeem", body(&made[0].to_lowercase()), "redeem-it-once").await.expect(201);
    assert_eq!(again.body, first.body);
    let other = isp.post_with_key("/vouchers/redeem", body(&made[1]), "redeem-it-once").await.expect(409);
    assert_eq!(other.text("type"), "urn:mastwire:problem:idempotency-key-reused");
    assert!(!first.body.to_string().to_uppercase().contains(&made[0]), "the stored answer has no code in it");
}

#[tokio::test]
async fn printed_codes_are_taken_over_and_none_twice() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let made = batch(&isp, json!({ "codes": ["abc-123", "XYZ 789"] })).await.expect(201);
    assert_eq!(codes(&made), ["ABC123", "XYZ789"]);
    let problem = batch(&isp, json!({ "codes": ["NEW456", "xyz789"] })).await.expect(409);
    assert!(problem.text("detail").contains("789") && !problem.text("detail").contains("456"), "{}", problem.body);
    let redeem = async |code: &str| isp.post("/vouchers/redeem", json!({ "code": code, "router": isp.router })).await;
    let _ = redeem("NEW456").await.expect(404);
    let _ = redeem("abc123").await.expect(201);
    for wrong in [json!({}), json!({ "count": 0 }), json!({ "count": 1, "codes": ["ABC124"] }), json!({ "codes": ["short"] })] {
        let _ = batch(&isp, wrong).await.expect(400);
    }
    let _ = batch(&isp, json!({ "count": 1, "router": "rtr_0190163d8694739b8fd74dd02ebd3dc4" })).await.expect(404);
}

#[tokio::test]
async fn ten_thousand_codes_are_one_batch() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let made = batch(&isp, json!({ "count": 10_000, "length": 8 })).await.expect(201);
    assert_eq!(codes(&made).into_iter().collect::<BTreeSet<_>>().len(), 10_000);
    let scope = isp.scope().await;
    let mut tx = scope.read(&test.app, Permission::VouchersWrite).await.expect("in");
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM voucher").fetch_one(tx.conn()).await.expect("a count");
    assert_eq!(stored, 10_000);
    let given: Vec<String> = (0..10_000).map(|n| format!("PRINTED-ELSEWHERE-LONG-{n:06}")).collect();
    let _ = batch(&isp, json!({ "codes": given })).await.expect(201);
}
