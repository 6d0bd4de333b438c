//! Hours for an outage: limited, no revenue, and for those alone whose time was paid then.

use crate::fixture::{Isp, PRICE};
use controller::testing::TestApp;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

#[tokio::test]
async fn who_had_paid_time_gets_hours_behind_it() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (jane, joan, june) = (isp.customer("jane").await, isp.customer("joan").await, isp.customer("june").await);
    let paid = isp.pay(&jane, PRICE).await.expect(201);
    let _ = isp.pay(&joan, PRICE).await.expect(201);
    let _ = isp.post(&format!("/customers/{joan}/terminate"), json!({})).await.expect(204);
    let ends: Timestamp = paid.text("ends_at").parse().expect("a time");
    let path = format!("/routers/{}/compensate", isp.router);
    for (field, wrong) in [
        ("hours", json!({ "hours": 73, "reason": "power" })),
        ("hours", json!({ "hours": 0, "reason": "power" })),
        ("reason", json!({ "hours": 5, "reason": " " })),
        ("since", json!({ "hours": 5, "reason": "power", "since": "2025-12-31T00:00:00Z" })),
        ("since", json!({ "hours": 5, "reason": "power", "since": "2027-01-01T00:00:00Z" })),
    ] {
        assert_eq!(isp.post(&path, wrong).await.expect(400).body["errors"][0]["field"], field);
    }
    let given = isp.post(&path, json!({ "hours": 5, "reason": "the mast had no power" })).await.expect(201);
    assert_eq!(given.body["customers"], 1, "joan has left, june never paid");
    let jane_now =
        isp.get(&format!("/customers/{jane}")).await.expect(200).text("paid_until").parse::<Timestamp>().expect("a time");
    assert_eq!(jane_now, ends + SignedDuration::from_hours(5));
    assert!(isp.get(&format!("/customers/{june}")).await.expect(200).body["paid_until"].is_null());
    assert_eq!((isp.balance("sales").await, isp.balance("cash").await), (-2 * PRICE, 2 * PRICE), "no revenue");
    let free = isp.get(&format!("/payments?customer={jane}")).await.expect(200).body["items"][0].clone();
    assert_eq!((&free["method"], &free["amount"]["minor"]), (&json!("compensation"), &json!(0)));
    // It can be taken back, like everything.
    let id = free["id"].as_str().expect("an id");
    let _ = isp.post(&format!("/payments/{id}/reverse"), json!({ "reason": "the wrong mast" })).await.expect(200);
    assert_eq!(
        isp.get(&format!("/customers/{jane}")).await.expect(200).text("paid_until").parse::<Timestamp>().expect("a time"),
        ends
    );
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn time_that_ran_out_during_the_outage_is_given_back() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let paid = isp.pay(&jane, PRICE).await.expect(201);
    let ends: Timestamp = paid.text("ends_at").parse().expect("a time");
    test.clock.advance(ends.duration_since(test.app.clock.now()) + SignedDuration::from_hours(10));
    let path = format!("/routers/{}/compensate", isp.router);
    assert_eq!(isp.post(&path, json!({ "hours": 5, "reason": "power" })).await.expect(201).body["customers"], 0);
    let since = ends - SignedDuration::from_hours(3);
    let given = isp.post(&path, json!({ "hours": 5, "reason": "power", "since": since.to_string() })).await.expect(201);
    assert_eq!(given.body["customers"], 1);
    let until = isp.get(&format!("/customers/{jane}")).await.expect(200).text("paid_until").parse::<Timestamp>().expect("a time");
    assert_eq!(until, test.app.clock.now() - SignedDuration::from_secs(1) + SignedDuration::from_hours(5));
    let other = Isp::new(&test, "Beta").await;
    let _ = other.post(&path, json!({ "hours": 5, "reason": "power" })).await.expect(404);
}

#[tokio::test]
async fn given_hours_carry_no_volume() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let body = json!({
        "name": "Spot", "kind": "hotspot", "price": { "minor": 5_000, "currency": "KES" }, "validity": { "seconds": 86_400 },
        "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }, "data_bytes": 1_000_000_000, "online_seconds": 7_200
    });
    let spot = isp.post("/packages", body).await.expect(201).text("id");
    let guest =
        isp.post("/customers", json!({ "login": "guest", "router": isp.router, "package": spot })).await.expect(201).text("id");
    let _ = isp.pay(&guest, 5_000).await.expect(201);
    let _ = isp.post(&format!("/routers/{}/compensate", isp.router), json!({ "hours": 5, "reason": "power" })).await.expect(201);
    let mut tx = isp.tx().await;
    let router = isp.router.parse().expect("an id");
    let served = controller::customers::on_router(&test.app, &mut tx, router, test.app.clock.now()).await.expect("customers");
    let paid = served.iter().find(|customer| customer.login == "guest").expect("the guest").paid.expect("paid");
    assert_eq!((paid.online_seconds, paid.data.map(|data| data.0)), (Some(7_200), Some(1_000_000_000)));
}
