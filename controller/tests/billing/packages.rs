//! Packages are sold in the tenant's own currency and change for everybody at once.

use crate::fixture::{Isp, PRICE, cash, package};
use controller::testing::TestApp;
use serde_json::json;

#[tokio::test]
async fn made_shown_retired_and_the_name_is_free_again() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let id = isp.package("Home 10", "pppoe", json!({ "months": 1 })).await;
    let shown = isp.get(&format!("/packages/{id}")).await.expect(200);
    assert_eq!(shown.body["price"], json!({ "minor": PRICE, "currency": "KES" }));
    assert_eq!((&shown.body["validity"], &shown.body["on_expiry"]), (&json!({ "months": 1 }), &json!("redirect")));
    assert_eq!(shown.body["speed"], json!({ "download_bps": 10_000_000, "upload_bps": 5_000_000, "burst": null }));

    let again = package("Home 10", "pppoe", 1, json!({ "seconds": 3600 }));
    let problem = isp.post("/packages", again.clone()).await.expect(409);
    assert_eq!(problem.text("type"), "urn:mastwire:problem:already-exists");
    let customer = isp.customer("jane", &id).await;
    let _ = isp.post(&format!("/packages/{id}/retire"), json!({})).await.expect(204);
    let _ = isp.post(&format!("/packages/{id}/retire"), json!({})).await.expect(404);
    let _ = isp.post("/packages", again).await.expect(201);

    // Who has it keeps it and renews it; nobody else gets it.
    let _ = isp.pay(&customer).await.expect(201);
    let late = json!({ "login": "late", "router": isp.router, "package": id });
    assert!(isp.post("/customers", late).await.expect(409).text("detail").contains("retired"));
    let _ = isp.patch(&format!("/packages/{id}"), json!({ "price": { "minor": 1, "currency": "KES" } })).await.expect(409);
    assert_eq!(isp.get("/packages").await.expect(200).body["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn faults_are_named() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let mut dollars = package("Home", "pppoe", PRICE, json!({ "months": 1 }));
    dollars["price"]["currency"] = json!("USD");
    let problem = isp.post("/packages", dollars).await.expect(400);
    assert_eq!((problem.body["errors"][0]["field"].as_str(), problem.text("detail").contains("KES")), (Some("price"), true));
    let both = package("Home", "pppoe", PRICE, json!({ "months": 1, "seconds": 60 }));
    let _ = isp.post("/packages", both).await.expect(400);
    let mut slow = package("Home", "pppoe", PRICE, json!({ "months": 1 }));
    slow["speed"]["burst"] = json!({ "download_bps": 1_000_000, "upload_bps": 1_000_000, "download_threshold_bps": 1, "upload_threshold_bps": 1, "seconds": 8 });
    assert_eq!(isp.post("/packages", slow).await.expect(400).body["errors"][0]["field"], "speed.burst");
}

#[tokio::test]
async fn a_new_speed_reaches_the_routers_and_a_new_price_the_desk() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let id = isp.package("Home 10", "pppoe", json!({ "months": 1 })).await;
    let customer = isp.customer("jane", &id).await;
    let before = isp.generation().await;
    let _ = isp.patch(&format!("/packages/{id}"), json!({ "price": { "minor": 99, "currency": "KES" } })).await.expect(200);
    assert_eq!(isp.generation().await, before, "a price is nothing to a router");
    let _ = isp.pay(&customer).await.expect(400);
    let _ = isp.post(&format!("/customers/{customer}/payments"), cash(99)).await.expect(201);

    let before = isp.generation().await;
    let speed = json!({ "download_bps": 20_000_000, "upload_bps": 5_000_000,
        "burst": { "download_bps": 30_000_000, "upload_bps": 5_000_000, "download_threshold_bps": 15_000_000, "upload_threshold_bps": 4_000_000, "seconds": 8 } });
    let changed = isp.patch(&format!("/packages/{id}"), json!({ "speed": speed })).await.expect(200);
    assert_eq!((&changed.body["speed"], &changed.body["price"]["minor"]), (&speed, &json!(99)));
    assert_eq!(isp.generation().await, before + 1);
    let _ = isp.patch(&format!("/packages/{id}"), json!({ "speed": speed })).await.expect(200);
    assert_eq!(isp.generation().await, before + 1, "the same speed again is no news");
    assert_eq!(isp.get(&format!("/packages/{id}")).await.expect(200).body["speed"], speed);
}
