//! Customers go and come back, and who came by a voucher alone is forgotten.

use crate::fixture::{Isp, router};
use controller::customers;
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::json;

const DAY: SignedDuration = SignedDuration::from_hours(24);

#[tokio::test]
async fn who_left_comes_back_as_who_they_were() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let id = isp.customer("jane", json!({ "address": "192.168.7.9", "mac": "CC:2D:E0:00:00:01" })).await;
    let path = format!("/customers/{id}");
    let paid = json!({ "amount": { "minor": 150_000, "currency": "KES" } });
    let until = isp.post(&format!("{path}/payments"), paid).await.expect(201).text("ends_at");
    let number = isp.show(&id).await["account_number"].clone();
    assert!(isp.post(&format!("{path}/restore"), json!({})).await.expect(409).text("detail").contains("not terminated"));

    let _ = isp.post(&format!("{path}/terminate"), json!({})).await.expect(204);
    let left = test.app.clock.now();
    assert_eq!(isp.show(&id).await["terminated_at"], json!(left.to_string()));
    test.clock.advance(DAY * 10);
    let before = isp.generation().await;
    let _ = isp.post(&format!("{path}/restore"), json!({})).await.expect(204);
    let shown = isp.show(&id).await;
    assert_eq!(
        (&shown["status"], &shown["account_number"], &shown["paid_until"], &shown["terminated_at"]),
        (&json!("active"), &number, &json!(until), &json!(null))
    );
    assert_eq!((isp.generation().await, isp.audited("customer.restore").await), (before + 1, 1));
    // In between nobody had the device.
    let day = (left + DAY).to_string();
    assert_eq!(isp.get(&format!("/credentials?mac=CC:2D:E0:00:00:01&at={day}")).await.expect(200).body["items"], json!([]));
    let held = isp.get("/credentials?mac=CC:2D:E0:00:00:01").await.expect(200);
    assert_eq!(held.body["items"].as_array().map(Vec::len), Some(2));

    let _ = isp.post(&format!("{path}/terminate"), json!({})).await.expect(204);
    test.clock.advance(DAY * 30);
    let _ = isp.post(&format!("{path}/restore"), json!({})).await.expect(204);
    let _ = isp.post(&format!("{path}/terminate"), json!({})).await.expect(204);
    test.clock.advance(DAY * 30 + SignedDuration::from_micros(1));
    assert!(isp.post(&format!("{path}/restore"), json!({})).await.expect(409).text("detail").contains("30 days"));
}

#[tokio::test]
async fn nobody_comes_back_into_what_is_somebody_elses_now() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let id = isp.customer("jane", json!({ "address": "192.168.7.9" })).await;
    let path = format!("/customers/{id}");
    let _ = isp.post(&format!("{path}/terminate"), json!({})).await.expect(204);
    let other = isp.customer("jane", json!({})).await;
    assert!(isp.post(&format!("{path}/restore"), json!({})).await.expect(409).text("detail").contains("login"));
    let _ = isp.patch(&format!("/customers/{other}"), json!({ "login": "jane2", "address": "192.168.7.9" })).await.expect(204);
    assert!(isp.post(&format!("{path}/restore"), json!({})).await.expect(409).text("detail").contains("address"));
    let _ = isp.patch(&format!("/customers/{other}"), json!({ "address": null })).await.expect(204);
    // Nothing of the attempts is left.
    assert_eq!(isp.show(&id).await["status"], "terminated");
    assert_eq!(isp.count("SELECT count(*) FROM customer_credential WHERE value = '192.168.7.9' OR kind = 'mac'").await, 0);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("UPDATE router SET removed_at = now() WHERE id = $1").bind(isp.router).execute(&mut owner).await.expect("gone");
    let _ = isp.post(&format!("{path}/restore"), json!({})).await.expect(404);
}

#[tokio::test]
async fn who_came_by_a_voucher_is_let_go_30_days_after_the_last_of_their_time() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let hour = isp.package("Hour", "hotspot", json!({ "seconds": 3600 })).await;
    let batch = isp.post("/voucher-batches", json!({ "package": hour, "count": 3 })).await.expect(201);
    let mut codes = batch.body["codes"].as_array().expect("codes").iter().map(|code| code.as_str().expect("a code").to_owned());
    let mut redeem = async |more: serde_json::Value| {
        let mut body = json!({ "code": codes.next(), "router": isp.router });
        for (field, value) in more.as_object().expect("fields") {
            body[field] = value.clone();
        }
        isp.post("/vouchers/redeem", body).await.expect(201).text("customer")
    };
    let (gone, stays) = (redeem(json!({})).await, redeem(json!({})).await);
    let regular =
        isp.post("/customers", json!({ "login": "regular", "router": isp.router, "package": hour })).await.expect(201).text("id");
    assert_eq!(isp.show(&gone).await["origin"], "voucher");
    test.clock.advance(DAY * 20);
    let _ = redeem(json!({ "customer": stays })).await;
    test.clock.advance(DAY * 10 + SignedDuration::from_secs(3600));
    assert_eq!(customers::forget_idle(&test.app).await.expect("done"), 0, "30 days to the second");
    test.clock.advance(SignedDuration::from_micros(1));
    let before = isp.generation().await;
    assert_eq!(customers::forget_idle(&test.app).await.expect("done"), 1);
    let status = async |id: &str| isp.show(id).await["status"].as_str().expect("a status").to_owned();
    assert_eq!(
        (status(&gone).await, status(&stays).await, status(&regular).await),
        ("terminated".into(), "active".into(), "active".into())
    );
    assert_eq!((isp.generation().await, isp.audited("customer.terminate").await), (before + 1, 1));
    assert_eq!(customers::forget_idle(&test.app).await.expect("done"), 0, "once");
    test.clock.advance(DAY * 20);
    assert_eq!(customers::forget_idle(&test.app).await.expect("done"), 1);
}

/// Two requests that each fit alone do not both get the last place of a router.
#[tokio::test]
async fn the_last_place_on_a_router_is_given_once() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let other = router(&test, &isp.tenant, "hill").await;
    let mut csv = "login,router,package\n".to_owned();
    for n in 0..9_999 {
        csv.push_str(&format!("c{n},roof,Home\n"));
    }
    let _ = isp.import(csv, false, None).await.expect(200);
    let moved = isp.customer("moved", json!({ "router": other })).await;
    let made = isp.post("/customers", isp.new_customer("made", json!({})));
    let path = format!("/customers/{moved}");
    let change = isp.patch(&path, json!({ "router": isp.router }));
    let file = isp.import("login,router,package\nfile,roof,Home\n", false, None);
    let (made, change, file) = tokio::join!(made, change, file);
    let good = [&made, &change, &file].into_iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(good, 1, "{} {} {}", made.body, change.body, file.body);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM customer WHERE router_id = $1 AND status <> 'terminated'")
        .bind(isp.router)
        .fetch_one(&mut owner)
        .await
        .expect("a count");
    assert_eq!(count, 10_000);

    // And that is what the router is told, in order, each with a password of their own.
    let doors = test.app.db.locator().tenants("test").await.expect("all");
    let door = doors.iter().find(|door| door.tenant() == isp.tenant.id).expect("its own");
    let mut tx = test.app.db.tenant(door).await.expect("in");
    let all = customers::on_router(&test.app, &mut tx, isp.router, test.app.clock.now()).await.expect("all of them");
    assert!(all.len() == 10_000 && all.is_sorted_by_key(|customer| customer.login.clone()));
    assert!(all.iter().all(|customer| customer.password.expose().len() == 10));
}
