//! Customers are made, changed, moved and let go, and each router is told exactly whom to serve.

use crate::fixture::{Isp, customer_id, desired, router, time};
use controller::customers::{self, CustomerStatus};
use controller::operators::{Permission, Role};
use controller::payments;
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::json;

#[tokio::test]
async fn a_customer_has_one_form_and_a_login_of_their_own() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let home = isp.package("Home", "pppoe", json!({ "months": 1 })).await;
    let fixed = isp.package("Fixed", "static", json!({ "months": 1 })).await;
    let body = json!({ "login": "jane", "full_name": "Jane W.", "phone": "0712 345 678", "mac": "aa-bb-cc-dd-ee-ff",
        "router": isp.router, "package": home });
    let made = isp.post("/customers", body.clone()).await.expect(201);
    assert_eq!(made.text("password").len(), 10);
    let shown = isp.get(&format!("/customers/{}", made.text("id"))).await.expect(200);
    assert_eq!(
        (shown.text("phone"), shown.text("mac"), shown.text("kind")),
        ("254712345678".into(), "AA:BB:CC:DD:EE:FF".into(), "pppoe".into())
    );
    assert_eq!((&shown.body["paid_until"], &shown.body["status"]), (&json!(null), &json!("active")));
    assert!(!shown.body.to_string().contains("password"));

    let _ = isp.post("/customers", body.clone()).await.expect(409);
    let _ = isp.post(&format!("/customers/{}/terminate", made.text("id")), json!({})).await.expect(204);
    let _ = isp.post("/customers", body).await.expect(201);

    let server =
        |login: &str, address: &str| json!({ "login": login, "address": address, "router": isp.router, "package": fixed });
    let _ = isp.post("/customers", server("srv", "192.168.5.5")).await.expect(201);
    assert!(isp.post("/customers", server("srv2", "192.168.5.5")).await.expect(409).text("detail").contains("address"));
    assert_eq!(isp.post("/customers", server("srv2", "10.10.3.3")).await.expect(400).body["errors"][0]["field"], "address");
    let nowhere = json!({ "login": "x", "router": "rtr_0190163d8694739b8fd74dd02ebd3dc4", "package": home });
    let _ = isp.post("/customers", nowhere).await.expect(404);
}

#[tokio::test]
async fn lists_are_narrowed_and_paged() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let home = isp.package("Home", "pppoe", json!({ "months": 1 })).await;
    let spot = isp.package("Spot", "hotspot", json!({ "seconds": 3600 })).await;
    for login in ["ann", "anna", "ben"] {
        isp.customer(login, &home).await;
        // Ids are in order of the millisecond they were made in.
        test.clock.advance(SignedDuration::from_millis(1));
    }
    isp.customer("guest", &spot).await;
    let logins = async |query: &str| {
        let page = isp.get(&format!("/customers{query}")).await.expect(200);
        page.body["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| item["login"].as_str().expect("a login").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(logins("").await, ["guest", "ben", "anna", "ann"]);
    assert_eq!(logins("?login=an").await, ["anna", "ann"]);
    assert_eq!(logins("?login=a%25").await, Vec::<String>::new(), "a percent sign is no pattern");
    assert_eq!(logins("?kind=hotspot").await, ["guest"]);
    assert_eq!(logins(&format!("?router={}&login=b", isp.router)).await, ["ben"]);
    let first = isp.get("/customers?limit=3").await.expect(200);
    assert_eq!(logins(&format!("?limit=3&cursor={}", first.text("next"))).await, ["ann"]);
}

#[tokio::test]
async fn changes_reach_the_routers_they_concern() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let other = router(&test, &isp.tenant, "hill").await;
    let home = isp.package("Home", "pppoe", json!({ "months": 1 })).await;
    let fast = isp.package("Fast", "pppoe", json!({ "months": 1 })).await;
    let spot = isp.package("Spot", "hotspot", json!({ "seconds": 3600 })).await;
    let id = isp.customer("jane", &home).await;
    let path = format!("/customers/{id}");
    let start = isp.generation().await;
    let _ = isp.patch(&path, json!({ "full_name": "Jane", "phone": "0712345678" })).await.expect(204);
    assert_eq!(isp.generation().await, start, "a name is nothing to a router");
    let _ = isp.patch(&path, json!({ "package": fast })).await.expect(204);
    let _ = isp.patch(&path, json!({ "mac": "AA:BB:CC:DD:EE:01", "address": "172.20.0.9" })).await.expect(204);
    assert_eq!(isp.generation().await, start + 2);
    let _ = isp.patch(&path, json!({ "mac": null })).await.expect(204);
    let shown = isp.get(&path).await.expect(200);
    assert_eq!((&shown.body["mac"], &shown.body["address"]), (&json!(null), &json!("172.20.0.9")));
    assert_eq!(isp.patch(&path, json!({ "package": spot })).await.expect(400).body["errors"][0]["field"], "package");

    let payment = isp.pay(&id).await.expect(201);
    let _ = isp.patch(&path, json!({ "router": other })).await.expect(204);
    assert_eq!((isp.generation().await, desired(&test, other).await), (start + 5, 1), "both routers look again");
    // What the first router never held now waits for the second.
    let scope = isp.scope().await;
    let mut tx = scope.write(&test.app, Permission::RoutersWrite).await.expect("in");
    assert_eq!(payments::mark_applied(&mut tx, isp.router, i64::MAX, test.app.clock.now()).await.expect("done"), 0);
    assert_eq!(payments::mark_applied(&mut tx, other, 1, test.app.clock.now()).await.expect("done"), 1);
    tx.commit().await.expect("kept");
    assert_eq!(isp.get(&format!("/payments/{}", payment.text("payment"))).await.expect(200).body["generation"], 1);

    let _ = isp.post(&format!("{path}/terminate"), json!({})).await.expect(204);
    let _ = isp.patch(&path, json!({ "full_name": "Nobody" })).await.expect(409);
    let _ = isp.pay(&id).await.expect(409);
}

#[tokio::test]
async fn suspending_is_intent_and_leaves_the_paid_time_alone() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let id = isp.monthly("jane").await;
    let until = time(&isp.pay(&id).await.expect(201), "ends_at");
    let before = isp.generation().await;
    let _ = isp.post(&format!("/customers/{id}/suspend"), json!({})).await.expect(204);
    let _ = isp.post(&format!("/customers/{id}/suspend"), json!({})).await.expect(204);
    assert_eq!(isp.generation().await, before + 1, "the second click changes nothing");
    let shown = isp.get(&format!("/customers/{id}")).await.expect(200);
    assert_eq!((shown.text("status"), time(&shown, "paid_until")), ("suspended".to_owned(), until));
    let _ = isp.post(&format!("/customers/{id}/resume"), json!({})).await.expect(204);
    let _ = isp.post(&format!("/customers/{id}/terminate"), json!({})).await.expect(204);
    let _ = isp.post(&format!("/customers/{id}/resume"), json!({})).await.expect(409);
    assert_eq!((isp.audited("customer.suspend").await, isp.audited("customer.terminate").await), (1, 1));
}

#[tokio::test]
async fn passwords_are_sealed_shown_to_who_may_and_replaced() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let home = isp.package("Home", "pppoe", json!({ "months": 1 })).await;
    let body = json!({ "login": "jane", "password": "given-one", "router": isp.router, "package": home });
    let made = isp.post("/customers", body).await.expect(201);
    assert_eq!(made.body["password"], json!(null), "who gave it knows it");
    let path = format!("/customers/{}/password", made.text("id"));
    assert_eq!(isp.get(&path).await.expect(200).text("password"), "given-one");
    assert_eq!(isp.audited("customer.password.show").await, 1);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let stored: Vec<u8> = sqlx::query_scalar("SELECT password FROM customer").fetch_one(&mut owner).await.expect("a row");
    assert!(!stored.windows(5).any(|window| window == b"given"), "nothing readable rests in the database");

    let technician = test.token(&isp.tenant, Role::FieldTech).await;
    let _ = test.call("GET", &format!("/api/v1{path}"), &technician, None).await.expect(403);
    let before = isp.generation().await;
    let made = isp.post(&path, json!({})).await.expect(200).text("password");
    assert_eq!((isp.get(&path).await.expect(200).text("password"), isp.generation().await), (made, before + 1));
    let _ = isp.post(&path, json!({ "password": "x y" })).await.expect(400);
    let _ = isp.post(&path, json!({ "password": "chosen" })).await.expect(200);
    assert_eq!(isp.get(&path).await.expect(200).text("password"), "chosen");
}

#[tokio::test]
async fn a_router_is_told_whom_it_serves_and_until_when() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let home = isp.package("Home", "pppoe", json!({ "seconds": 1000 })).await;
    let (paid, unpaid, gone) =
        (isp.customer("b-paid", &home).await, isp.customer("a-unpaid", &home).await, isp.customer("c-gone", &home).await);
    let elsewhere = router(&test, &isp.tenant, "hill").await;
    let _ = isp.post("/customers", json!({ "login": "d", "router": elsewhere, "package": home })).await.expect(201);
    let _ = isp.post(&format!("/customers/{gone}/terminate"), json!({})).await.expect(204);
    let start = test.app.clock.now();
    let _ = isp.pay(&paid).await.expect(201);
    let _ = isp.pay(&paid).await.expect(201);
    let scope = isp.scope().await;
    let on_router = async || {
        let mut tx = scope.read(&test.app, Permission::CustomersRead).await.expect("in");
        customers::on_router(&test.app, &mut tx, isp.router, test.app.clock.now()).await.expect("all of them")
    };
    test.clock.advance(SignedDuration::from_secs(1500));
    let all = on_router().await;
    assert_eq!(all.iter().map(|customer| customer.id).collect::<Vec<_>>(), [customer_id(&unpaid), customer_id(&paid)]);
    assert_eq!((all[0].paid, all[0].status, all[0].package.name.as_str()), (None, CustomerStatus::Active, "Home"));
    let grant = all[1].paid.expect("paid");
    assert_eq!((grant.first_start, grant.until), (start, start + SignedDuration::from_secs(2000)));
    assert_eq!(all[1].password.expose().len(), 10);

    test.clock.advance(SignedDuration::from_secs(500));
    assert_eq!(on_router().await[1].paid, None, "at the very end the time is up");
    test.clock.advance(SignedDuration::from_secs(1));
    let again = time(&isp.pay(&paid).await.expect(201), "starts_at");
    assert_eq!((again, on_router().await[1].paid.expect("paid").first_start), (test.app.clock.now(), test.app.clock.now()));
}

#[tokio::test]
async fn a_sealed_password_opens_in_its_own_row_alone() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (_, other) = (isp.monthly("jane").await, isp.monthly("john").await);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("UPDATE customer SET password = (SELECT password FROM customer WHERE login = 'jane') WHERE login = 'john'")
        .execute(&mut owner)
        .await
        .expect("copied past all doors");
    let _ = isp.get(&format!("/customers/{other}/password")).await.expect(500);
    let scope = isp.scope().await;
    let mut tx = scope.read(&test.app, Permission::CustomersRead).await.expect("in");
    let copied = customers::on_router(&test.app, &mut tx, isp.router, test.app.clock.now()).await;
    assert!(copied.is_err(), "and a router is never told a password of somebody else");
}
