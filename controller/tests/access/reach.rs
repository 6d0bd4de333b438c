//! A technician who sees only the routers assigned to them, one by one or by place.

use super::fixture::{call, get, ids, post};
use controller::testing::{TestApp, TestTenant};
use serde_json::{Value, json};

async fn router(test: &TestApp, token: &str, name: &str) -> String {
    post(test, "/routers", token, json!({ "name": name })).await.expect(201).text("id")
}

async fn site(test: &TestApp, isp: &TestTenant, name: &str, parent: Option<&str>) -> String {
    let body = json!({ "name": name, "kind": "area", "parent": parent });
    post(test, "/sites", &isp.token, body).await.expect(201).text("id")
}

async fn stand(test: &TestApp, isp: &TestTenant, router: &str, site: &str) {
    let _ = call(test, "PATCH", &format!("/routers/{router}"), &isp.token, Some(json!({ "site": site }))).await.expect(204);
}

async fn assign(test: &TestApp, isp: &TestTenant, who: &str, body: Value) {
    let _ = call(test, "PUT", &format!("/operators/{who}/assignments"), &isp.token, Some(body)).await.expect(200);
}

async fn customer(test: &TestApp, isp: &TestTenant, router: &str, login: &str) -> String {
    let package = json!({
        "name": format!("Home {login}"), "kind": "pppoe", "price": { "minor": 100_000, "currency": "KES" },
        "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }, "validity": { "months": 1 },
    });
    let package = post(test, "/packages", &isp.token, package).await.expect(201).text("id");
    let body = json!({ "login": login, "router": router, "package": package });
    post(test, "/customers", &isp.token, body).await.expect(201).text("id")
}

#[tokio::test]
async fn a_limited_technician_sees_what_is_assigned_and_nothing_else() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let (near, far) = (router(&test, &alpha.token, "near").await, router(&test, &alpha.token, "far").await);
    let (jane, john) = (customer(&test, &alpha, &near, "jane").await, customer(&test, &alpha, &far, "john").await);
    let (id, tech) = test.operator(&alpha, "tech", json!({ "role": "field_tech", "reach": "assigned" })).await;
    assert_eq!(ids(&get(&test, "/routers", &tech).await.expect(200)), [""; 0], "nothing is assigned yet");

    assign(&test, &alpha, &id, json!({ "routers": [near], "sites": [] })).await;
    assert_eq!(ids(&get(&test, "/routers", &tech).await.expect(200)), std::slice::from_ref(&near));
    assert_eq!(ids(&get(&test, "/customers", &tech).await.expect(200)), std::slice::from_ref(&jane));
    let _ = get(&test, &format!("/routers/{near}"), &tech).await.expect(200);
    let _ = get(&test, &format!("/customers/{jane}"), &tech).await.expect(200);
    // What is beyond reach is not there at all.
    let nobodys = "rtr_0190163d8694739b8fd74dd02ebd3dc4";
    for path in ["", "/plan", "/preflight"] {
        let theirs = get(&test, &format!("/routers/{far}{path}"), &tech).await.expect(404);
        let none = get(&test, &format!("/routers/{nobodys}{path}"), &tech).await.expect(404);
        assert_eq!(theirs.body["detail"], none.body["detail"]);
    }
    let _ = get(&test, &format!("/customers/{john}"), &tech).await.expect(404);
    let _ = call(&test, "DELETE", &format!("/routers/{far}"), &tech, None).await.expect(404);
    let me = get(&test, "/me", &tech).await.expect(200);
    assert_eq!(me.text("reach"), "assigned");

    let changed = json!({ "reach": "all" });
    let _ = call(&test, "PATCH", &format!("/operators/{id}"), &alpha.token, Some(changed)).await.expect(200);
    assert_eq!(ids(&get(&test, "/routers", &tech).await.expect(200)).len(), 2);
}

#[tokio::test]
async fn a_site_is_assigned_with_all_that_stands_below_it_also_when_the_tree_changes() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let hill = site(&test, &alpha, "Hill", None).await;
    let house = site(&test, &alpha, "House", Some(&hill)).await;
    let flat = site(&test, &alpha, "Flat", Some(&house)).await;
    let valley = site(&test, &alpha, "Valley", None).await;
    let (in_flat, in_valley) = (router(&test, &alpha.token, "flat").await, router(&test, &alpha.token, "valley").await);
    stand(&test, &alpha, &in_flat, &flat).await;
    stand(&test, &alpha, &in_valley, &valley).await;
    let (id, tech) = test.operator(&alpha, "tech", json!({ "role": "field_tech", "reach": "assigned" })).await;
    assign(&test, &alpha, &id, json!({ "routers": [], "sites": [hill] })).await;
    assert_eq!(ids(&get(&test, "/routers", &tech).await.expect(200)), std::slice::from_ref(&in_flat));
    // A router that is put there later is theirs, and one that is taken away is not any more.
    stand(&test, &alpha, &in_valley, &house).await;
    stand(&test, &alpha, &in_flat, &valley).await;
    assert_eq!(ids(&get(&test, "/routers", &tech).await.expect(200)), std::slice::from_ref(&in_valley));
    let moved = json!({ "parent": valley });
    let _ = post(&test, &format!("/sites/{house}/move"), &alpha.token, moved).await.expect(200);
    assert_eq!(ids(&get(&test, "/routers", &tech).await.expect(200)), [""; 0], "the house stands in the valley now");
}

#[tokio::test]
async fn who_sees_a_part_adds_routers_to_it_and_makes_nothing_that_sees_more() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let other = router(&test, &alpha.token, "other").await;
    let (id, tech) = test.operator(&alpha, "tech", json!({ "role": "field_tech", "reach": "assigned" })).await;
    let own = router(&test, &tech, "own").await;
    assert_eq!(ids(&get(&test, "/routers", &tech).await.expect(200)), std::slice::from_ref(&own));
    let shown = get(&test, &format!("/operators/{id}"), &alpha.token).await.expect(200);
    assert_eq!(shown.body["routers"], json!([own]));

    let limited = json!({ "role": "admin", "reach": "assigned" });
    let (deputy_id, deputy) = test.operator(&alpha, "deputy", limited).await;
    let refused = post(&test, "/tokens", &deputy, json!({ "name": "all", "role": "viewer" })).await.expect(403);
    assert!(refused.text("detail").contains("see more"), "{}", refused.body);
    let _ = post(&test, "/invitations", &deputy, json!({ "login": "wide", "role": "viewer" })).await.expect(403);
    let _ = post(&test, "/invitations", &deputy, json!({ "login": "narrow", "role": "viewer", "reach": "assigned" }))
        .await
        .expect(201);
    for who in [&id, &deputy_id] {
        let path = format!("/operators/{who}/assignments");
        let _ = call(&test, "PUT", &path, &deputy, Some(json!({ "routers": [other], "sites": [] }))).await.expect(404);
    }
    let widen = json!({ "reach": "all" });
    let _ = call(&test, "PATCH", &format!("/operators/{deputy_id}"), &deputy, Some(widen)).await.expect(403);
}

#[tokio::test]
async fn assignments_name_the_tenants_own_things() {
    let test = TestApp::new().await;
    let (alpha, beta) = (test.tenant("Alpha").await, test.tenant("Beta").await);
    let theirs = router(&test, &beta.token, "theirs").await;
    let (id, _) = test.operator(&alpha, "tech", json!({ "role": "field_tech", "reach": "assigned" })).await;
    let path = format!("/operators/{id}/assignments");
    let _ = call(&test, "PUT", &path, &alpha.token, Some(json!({ "routers": [theirs], "sites": [] }))).await.expect(404);
    let hill = site(&test, &beta, "Hill", None).await;
    let _ = call(&test, "PUT", &path, &alpha.token, Some(json!({ "routers": [], "sites": [hill] }))).await.expect(404);
    let _ = call(&test, "PUT", &path, &beta.token, Some(json!({ "routers": [theirs], "sites": [] }))).await.expect(404);
}
