//! What is another tenant's does not exist: by its id it is a 404, and its names and codes may be one's own too.

use crate::fixture::{Isp, PRICE, cash};
use controller::testing::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn another_tenants_things_are_not_there() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let package = alpha.package("Home", "pppoe", json!({ "months": 1 })).await;
    let customer = alpha.customer("jane", &package).await;
    let payment = alpha.pay(&customer).await.expect(201).text("payment");
    let batch = alpha.post("/voucher-batches", json!({ "package": package, "count": 1 })).await.expect(201);
    let code = batch.body["codes"][0].as_str().expect("a code").to_owned();
    let batch = batch.text("id");
    let before = (alpha.generation().await, alpha.balance("cash").await);

    let own = beta.package("Home", "pppoe", json!({ "months": 1 })).await;
    let own_customer = beta.customer("jane", &own).await;
    let requests: Vec<(&str, String, Option<Value>)> = vec![
        ("GET", format!("/packages/{package}"), None),
        ("PATCH", format!("/packages/{package}"), Some(json!({ "price": { "minor": 1, "currency": "KES" } }))),
        ("POST", format!("/packages/{package}/retire"), Some(json!({}))),
        ("GET", format!("/customers/{customer}"), None),
        ("PATCH", format!("/customers/{customer}"), Some(json!({ "full_name": "x" }))),
        ("PATCH", format!("/customers/{own_customer}"), Some(json!({ "package": package }))),
        ("PATCH", format!("/customers/{own_customer}"), Some(json!({ "router": alpha.router }))),
        ("POST", format!("/customers/{customer}/suspend"), Some(json!({}))),
        ("POST", format!("/customers/{customer}/resume"), Some(json!({}))),
        ("POST", format!("/customers/{customer}/terminate"), Some(json!({}))),
        ("GET", format!("/customers/{customer}/password"), None),
        ("POST", format!("/customers/{customer}/password"), Some(json!({}))),
        ("POST", "/customers".to_owned(), Some(json!({ "login": "x", "router": alpha.router, "package": own }))),
        ("POST", "/customers".to_owned(), Some(json!({ "login": "x", "router": beta.router, "package": package }))),
        ("POST", format!("/customers/{customer}/payments"), Some(cash(PRICE))),
        ("GET", format!("/payments/{payment}"), None),
        ("POST", format!("/payments/{payment}/reverse"), Some(json!({ "reason": "x" }))),
        ("GET", format!("/voucher-batches/{batch}/codes"), None),
        ("POST", "/voucher-batches".to_owned(), Some(json!({ "package": package, "count": 1 }))),
        ("POST", "/voucher-batches".to_owned(), Some(json!({ "package": own, "count": 1, "router": alpha.router }))),
        ("POST", "/vouchers/redeem".to_owned(), Some(json!({ "code": code, "router": beta.router, "customer": own_customer }))),
        ("POST", "/vouchers/redeem".to_owned(), Some(json!({ "code": code, "router": alpha.router, "customer": customer }))),
    ];
    for (method, path, body) in requests {
        let answer = test.call(method, &format!("/api/v1{path}"), &beta.tenant.token, body).await;
        assert_eq!(answer.status.as_u16(), 404, "{method} {path}: {}", answer.body);
    }
    assert_eq!((alpha.generation().await, alpha.balance("cash").await), before, "nothing of it was touched");
    for path in ["/payments", "/voucher-batches", "/ledger/journals", "/ledger/balances"] {
        assert_eq!(beta.get(path).await.expect(200).body["items"], json!([]), "{path}");
    }
    assert_eq!(beta.get(&format!("/payments?customer={customer}")).await.expect(200).body["items"], json!([]));
    assert_eq!(beta.get(&format!("/customers?router={}", alpha.router)).await.expect(200).body["items"], json!([]));
}

#[tokio::test]
async fn names_codes_and_receipts_may_clash_and_stay_apart() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    for isp in [&alpha, &beta] {
        let home = isp.package("Home", "pppoe", json!({ "months": 1 })).await;
        let spot = isp.package("Spot", "hotspot", json!({ "seconds": 3600 })).await;
        let customer = isp.customer("jane", &home).await;
        let mut booked = cash(PRICE);
        booked["receipt"] = json!("PAPER 7");
        let path = format!("/customers/{customer}/payments");
        let _ = isp.post_with_key(&path, booked, "the-same-key").await.expect(201);
        let _ = isp.post("/voucher-batches", json!({ "package": spot, "codes": ["ABC123"] })).await.expect(201);
    }
    let redeem = async |isp: &Isp<'_>| isp.post("/vouchers/redeem", json!({ "code": "ABC123", "router": isp.router })).await;
    let _ = redeem(&alpha).await.expect(201);
    assert_eq!(beta.balance("voucher_clearing").await, 0, "the other's code is still whole");
    let _ = redeem(&beta).await.expect(201);
    let _ = redeem(&alpha).await.expect(404);
    assert_eq!((alpha.balance("cash").await, beta.balance("cash").await), (PRICE, PRICE));
}
