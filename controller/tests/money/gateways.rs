//! Gateways keep their keys to themselves, are tried in one order, and belong to one tenant.

use crate::fixture::{Isp, each};
use controller::gateways;
use controller::operators::Role;
use controller::testing::TestApp;
use serde_json::{Value, json};

fn paystack(name: &str, secret: &str) -> Value {
    json!({ "name": name, "provider": "paystack", "purpose": "all", "environment": "production", "credentials": { "secret_key": secret } })
}

/// Looks through every row for a planted key, as text and as bytes.
async fn expect_nothing_in_the_clear(test: &TestApp) {
    let marks = ["planted".to_owned(), hex::encode("planted")];
    for (table, row) in test.db.rows(None).await {
        assert!(!marks.iter().any(|mark| row.contains(mark)), "{table}: {row}");
    }
}

#[tokio::test]
async fn keys_go_in_and_never_come_out() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let id = isp.post("/gateways", paystack("Paystack", "planted-one")).await.expect(201).text("id");
    let path = format!("/gateways/{id}");
    expect_nothing_in_the_clear(&test).await;
    let _ = isp
        .call("PUT", &format!("{path}/credentials"), Some(json!({ "credentials": { "secret_key": "planted-two" } })))
        .await
        .expect(204);
    let shown = isp.get(&path).await.expect(200);
    assert_eq!((&shown.body["fields"], &shown.body["credential_version"]), (&json!(["secret_key"]), &json!(2)));
    assert_eq!((shown.text("kind"), shown.text("environment")), ("money".to_owned(), "production".to_owned()));
    for answer in [&shown, &isp.get("/gateways").await, &isp.get("/gateways/order").await, &isp.get("/audit").await] {
        assert!(!answer.body.to_string().contains("planted"), "{}", answer.body);
    }
    expect_nothing_in_the_clear(&test).await;
    let mut tx = isp.tx().await;
    let (keys, version) = gateways::credentials(&test.app, &mut tx, id.parse().expect("an id")).await.expect("they open");
    assert_eq!((keys.expose().as_str(), version), (r#"{"secret_key":"planted-two"}"#, 2));
    drop(tx);
    let _ = isp.call("DELETE", &path, None).await.expect(204);
    let _ = isp.call("DELETE", &path, None).await.expect(404);
    assert_eq!(isp.get(&path).await.expect(200).body["fields"], json!([]));
    let mut tx = isp.tx().await;
    assert!(gateways::credentials(&test.app, &mut tx, id.parse().expect("an id")).await.is_err(), "they are forgotten");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_no_key_is_quoted() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let with = |field: &str, value: Value| {
        let mut body = paystack("Paystack", "planted-one");
        body[field] = value;
        body
    };
    for (field, wrong) in [
        ("credentials", with("credentials", json!({ "secret_key": "planted-one", "other": "planted-one" }))),
        ("credentials", with("credentials", json!({}))),
        ("credentials", with("provider", json!("mpesa"))),
        ("name", with("name", json!(""))),
        ("position", with("position", json!(1_001))),
    ] {
        let problem = isp.post("/gateways", wrong).await.expect(400);
        assert_eq!(problem.body["errors"][0]["field"], field);
        assert!(!problem.body.to_string().contains("planted"), "{}", problem.body);
    }
    let _ = isp.post("/gateways", with("router", json!("rtr_0190163d8694739b8fd74dd02ebd3dc4"))).await.expect(404);
    let _ = isp.post("/gateways", paystack("Paystack", "k1")).await.expect(201);
    let _ = isp.post("/gateways", paystack("Paystack", "k2")).await.expect(409);
    let staff = test.token(&isp.tenant, Role::Staff).await;
    let _ = test.call("POST", "/api/v1/gateways", &staff, Some(paystack("Mine", "k"))).await.expect(403);
    let _ = test.call("GET", "/api/v1/gateways", &staff, None).await.expect(200);
}

#[tokio::test]
async fn the_nearest_gateway_is_tried_first() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let add = |name: &str, more: Value| {
        let mut body = paystack(name, "k");
        for (field, value) in more.as_object().expect("fields") {
            body[field] = value.clone();
        }
        isp.post("/gateways", body)
    };
    let all = add("all", json!({})).await.expect(201).text("id");
    let _ = add("default", json!({ "default": true, "position": 9 })).await.expect(201);
    let _ = add("hotspot", json!({ "purpose": "hotspot" })).await.expect(201);
    let _ = add("roof", json!({ "router": isp.router })).await.expect(201);
    let problem = add("second default", json!({ "default": true })).await.expect(409);
    assert!(problem.text("detail").contains("default"), "{}", problem.body);
    let order = async |query: &str| each(&isp.get(&format!("/gateways/order?{query}")).await.expect(200), "name");
    let words = |names: &[&str]| names.iter().map(|name| json!(name)).collect::<Vec<_>>();
    assert_eq!(order(&format!("purpose=hotspot&router={}", isp.router)).await, words(&["roof", "hotspot", "default", "all"]));
    assert_eq!(order("purpose=pppoe").await, words(&["default", "all"]));
    assert_eq!(order("kind=sms").await, words(&[]));
    let _ = isp.call("PATCH", &format!("/gateways/{all}"), Some(json!({ "enabled": false }))).await.expect(204);
    assert_eq!(order("purpose=pppoe").await, words(&["default"]));
    let other = Isp::new(&test, "Beta").await;
    let path = format!("/gateways/{all}");
    let _ = other.get(&path).await.expect(404);
    let _ = other.call("PATCH", &path, Some(json!({ "enabled": true }))).await.expect(404);
    let _ = other
        .call("PUT", &format!("{path}/credentials"), Some(json!({ "credentials": { "secret_key": "k" } })))
        .await
        .expect(404);
    let _ = other.call("DELETE", &path, None).await.expect(404);
    assert_eq!(each(&other.get("/gateways").await.expect(200), "name"), words(&[]));
}
