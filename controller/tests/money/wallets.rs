//! A wallet takes what is over, gives what is missing, never goes below zero, and is what its entries say.

use crate::fixture::{Isp, PRICE, each, kes};
use controller::operators::Role;
use controller::testing::TestApp;
use serde_json::json;

#[tokio::test]
async fn what_is_over_lies_in_the_wallet_and_what_is_missing_comes_from_it() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    // Too little: nothing is bought, and the customer is told what is missing.
    let short = isp.pay(&jane, 100_000).await.expect(201);
    assert_eq!((&short.body["ends_at"], &short.body["missing"]), (&json!(null), &kes(50_000)));
    assert_eq!((short.body["wallet"]["minor"].as_i64(), isp.wallet(&jane).await), (Some(100_000), 100_000));
    // The rest buys it, and what is over stays.
    let rest = isp.pay(&jane, 60_000).await.expect(201);
    assert!(rest.body["ends_at"].is_string() && rest.body["missing"].is_null(), "{}", rest.body);
    assert_eq!(isp.wallet(&jane).await, 10_000);
    assert_eq!((isp.balance("cash").await, isp.balance("sales").await, isp.balance("wallets").await), (160_000, -PRICE, -10_000));
    // Without being asked to, the desk takes nothing but the price.
    let body = json!({ "amount": kes(PRICE - 10_000) });
    let problem = isp.post(&format!("/customers/{jane}/payments"), body).await.expect(400);
    assert!(problem.text("detail").contains("difference"), "{}", problem.body);
    let statement = isp.get(&format!("/customers/{jane}/wallet/statement")).await.expect(200);
    let amounts: Vec<_> = each(&statement, "amount").iter().map(|amount| amount["minor"].clone()).collect();
    let balances: Vec<_> = each(&statement, "balance").iter().map(|balance| balance["minor"].clone()).collect();
    assert_eq!((amounts, balances), (vec![json!(-90_000), json!(100_000)], vec![json!(10_000), json!(100_000)]));
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn a_wallet_is_filled_and_pays_a_package() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let path = format!("/customers/{jane}/wallet");
    let poor = isp.post(&format!("{path}/pay"), json!({})).await.expect(409);
    assert!(poor.text("detail").contains("KES 1500.00") && poor.text("detail").contains("KES 0.00"), "{}", poor.body);
    for minor in [0, -1] {
        assert_eq!(
            isp.post(&format!("{path}/top-up"), json!({ "amount": kes(minor) })).await.expect(400).body["errors"][0]["field"],
            "amount"
        );
    }
    let _ = isp.post(&format!("{path}/top-up"), json!({ "amount": { "minor": 5, "currency": "USD" } })).await.expect(400);
    let filled = isp.post(&format!("{path}/top-up"), json!({ "amount": kes(200_000), "receipt": "P-1" })).await.expect(201);
    assert_eq!(filled.body["wallet"], kes(200_000));
    let _ = isp.post(&format!("{path}/top-up"), json!({ "amount": kes(200_000), "receipt": "P-1" })).await.expect(409);
    let paid = isp.post(&format!("{path}/pay"), json!({})).await.expect(201);
    assert!(paid.body["ends_at"].is_string() && paid.text("receipt").starts_with("W-"));
    assert_eq!(isp.wallet(&jane).await, 50_000);
    let shown = isp.get(&format!("/payments/{}", paid.text("payment"))).await.expect(200);
    assert_eq!((shown.text("method"), shown.text("package")), ("wallet".to_owned(), isp.package.clone()));
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn a_reversal_never_takes_a_wallet_below_zero() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let path = format!("/customers/{jane}/wallet");
    let filled = isp.post(&format!("{path}/top-up"), json!({ "amount": kes(PRICE) })).await.expect(201).text("payment");
    let paid = isp.post(&format!("{path}/pay"), json!({})).await.expect(201).text("payment");
    let reason = || json!({ "reason": "a wrong customer" });
    let problem = isp.post(&format!("/payments/{filled}/reverse"), reason()).await.expect(409);
    assert!(
        problem.text("detail").contains("wallet holds KES 0.00") && problem.text("detail").contains("take in"),
        "{}",
        problem.body
    );
    assert_eq!(isp.get(&format!("/payments/{filled}")).await.expect(200).text("state"), "completed", "nothing of it was done");
    // What the wallet paid comes back into it, and then the top-up can go.
    let _ = isp.post(&format!("/payments/{paid}/reverse"), reason()).await.expect(200);
    assert_eq!(isp.wallet(&jane).await, PRICE);
    let reversed = isp.post(&format!("/payments/{filled}/reverse"), reason()).await.expect(200);
    assert_eq!((&reversed.body["generation"], isp.wallet(&jane).await), (&json!(null), 0));
    for account in ["cash", "sales", "wallets"] {
        assert_eq!(isp.balance(account).await, 0, "{account}");
    }
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn an_adjustment_has_a_reason_a_limit_and_a_line_in_the_log() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let path = format!("/customers/{jane}/wallet/adjust");
    let adjust = |minor: i64, reason: &str| isp.post(&path, json!({ "amount": kes(minor), "reason": reason }));
    assert_eq!(adjust(10_000_001, "too much").await.expect(400).body["errors"][0]["field"], "amount");
    assert_eq!(adjust(1_000, " ").await.expect(400).body["errors"][0]["field"], "reason");
    assert_eq!(adjust(3_000, "an outage").await.expect(201).body["balance"], kes(3_000));
    let problem = adjust(-3_001, "too much back").await.expect(409);
    assert!(problem.text("detail").contains("KES 30.00"), "{}", problem.body);
    assert_eq!(adjust(-3_000, "typed twice").await.expect(201).body["balance"], kes(0));
    assert_eq!((isp.balance("adjustments").await, isp.balance("wallets").await), (0, 0));
    let staff = test.token(&isp.tenant, Role::Staff).await;
    let body = json!({ "amount": kes(1), "reason": "mine" });
    let _ = test.call("POST", &format!("/api/v1{path}"), &staff, Some(body)).await.expect(403);
    assert_eq!(isp.number("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = 'wallet.adjust'").await, 2);
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn twenty_desks_cannot_spend_one_wallet_twice() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let _ = isp.post(&format!("/customers/{jane}/wallet/top-up"), json!({ "amount": kes(3 * PRICE + 1) })).await.expect(201);
    let path = format!("/customers/{jane}/wallet/pay");
    let tries = (0..20).map(|_| isp.post(&path, json!({})));
    let answers = futures_util::future::join_all(tries).await;
    let paid = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.status == 409));
    assert_eq!((paid, isp.wallet(&jane).await), (3, 1));
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn a_statement_is_read_in_pages() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    for minor in 1..=5 {
        let _ = isp.post(&format!("/customers/{jane}/wallet/top-up"), json!({ "amount": kes(minor) })).await.expect(201);
    }
    let path = format!("/customers/{jane}/wallet/statement?limit=2");
    let first = isp.get(&path).await.expect(200);
    let second = isp.get(&format!("{path}&cursor={}", first.text("next"))).await.expect(200);
    let third = isp.get(&format!("{path}&cursor={}", second.text("next"))).await.expect(200);
    let numbers: Vec<_> = [&first, &second, &third].into_iter().flat_map(|page| each(page, "number")).collect();
    assert_eq!((numbers, &third.body["next"]), (vec![json!(5), json!(4), json!(3), json!(2), json!(1)], &json!(null)));
    assert_eq!(isp.get(&format!("/customers/{jane}/wallet/statement?currency=USD")).await.expect(200).body["items"], json!([]));
    let other = Isp::new(&test, "Beta").await;
    for path in ["wallet", "wallet/statement"] {
        let _ = other.get(&format!("/customers/{jane}/{path}")).await.expect(404);
    }
}
