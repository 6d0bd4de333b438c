//! People who may become customers, and do.

use crate::fixture::{Isp, each};
use controller::operators::Role;
use controller::testing::TestApp;
use serde_json::json;

#[tokio::test]
async fn a_lead_becomes_a_customer_whole_or_not_at_all() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let lead = isp
        .post("/leads", json!({ "name": "Jane", "phone": "0712 345 678", "source": "neighbour" }))
        .await
        .expect(201)
        .text("id");
    let path = format!("/leads/{lead}");
    assert_eq!(isp.get(&path).await.expect(200).text("phone"), "254712345678");
    isp.customer("taken").await;
    let with = |login: &str| json!({ "login": login, "router": isp.router, "package": isp.package });
    let _ = isp.post(&format!("{path}/convert"), with("taken")).await.expect(409);
    assert_eq!(isp.get(&path).await.expect(200).text("stage"), "new", "nothing is done by halves");
    let _ = isp.patch(&path, json!({ "stage": "won" })).await;
    assert_ne!(isp.get(&path).await.expect(200).text("stage"), "won", "nobody is won without a customer");
    let made = isp.post(&format!("{path}/convert"), with("jane")).await.expect(201);
    assert!(!made.text("password").is_empty());
    let shown = isp.get(&path).await.expect(200);
    assert_eq!((shown.text("stage"), shown.text("customer")), ("won".to_owned(), made.text("customer")));
    assert_eq!(isp.get(&format!("/customers/{}", made.text("customer"))).await.expect(200).text("login"), "jane");
    let _ = isp.post(&format!("{path}/convert"), with("jane-2")).await.expect(409);
    assert_eq!(isp.items("/customers").await.len(), 2);
}

#[tokio::test]
async fn those_to_be_called_are_called_in_their_order() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let add = async |name: &str, day: &str| {
        isp.post("/leads", json!({ "name": name, "follow_up_on": day })).await.expect(201).text("id")
    };
    let (late, soon, far) = (add("late", "2026-01-10").await, add("soon", "2026-01-16").await, add("far", "2026-03-01").await);
    let lost = add("lost", "2026-01-01").await;
    let _ = isp.patch(&format!("/leads/{lost}"), json!({ "stage": "lost" })).await.expect(200);
    let due = isp.get("/leads/due?by=2026-01-16").await.expect(200);
    assert_eq!(each(due.body.as_array().expect("a list"), "id"), [json!(late), json!(soon)]);
    assert_eq!(each(&isp.items("/leads?stage=lost").await, "id"), [json!(lost)]);
    let _ = isp.patch(&format!("/leads/{far}"), json!({ "stage": "contacted", "follow_up_on": "2026-01-12" })).await.expect(200);
    assert_eq!(isp.get("/leads/due?by=2026-01-16").await.expect(200).body.as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn leads_are_an_isps_own_and_kept_by_those_who_may() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let lead = alpha.post("/leads", json!({ "name": "Jane" })).await.expect(201).text("id");
    let site = alpha.post("/sites", json!({ "name": "Hill", "kind": "tower" })).await.expect(201).text("id");
    let path = format!("/leads/{lead}");
    let _ = beta.get(&path).await.expect(404);
    let _ = beta.patch(&path, json!({ "stage": "lost" })).await.expect(404);
    let _ = beta.post("/leads", json!({ "name": "Theirs", "site": site })).await.expect(404);
    let body = json!({ "login": "jane", "router": beta.router, "package": beta.package });
    let _ = beta.post(&format!("{path}/convert"), body).await.expect(404);
    let viewer = test.token(&alpha.tenant, Role::Viewer).await;
    let _ = alpha.call_as(&viewer, "GET", &path, None).await.expect(200);
    let _ = alpha.call_as(&viewer, "PATCH", &path, Some(json!({ "stage": "lost" }))).await.expect(403);
    for (field, wrong) in [("name", json!({ "name": "" })), ("phone", json!({ "name": "x", "phone": "call me" }))] {
        assert_eq!(alpha.post("/leads", wrong).await.expect(400).body["errors"][0]["field"], field);
    }
}
