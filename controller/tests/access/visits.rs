//! Visits of the platform's support.

use super::fixture::{call, get, kind, log, post};
use controller::testing::{Answer, TestApp, TestTenant};
use jiff::SignedDuration;
use serde_json::{Value, json};

async fn visit(test: &TestApp, platform: &str, isp: &TestTenant, body: Value) -> Answer {
    post(test, &format!("/platform/tenants/{}/impersonations", isp.id), platform, body).await
}

#[tokio::test]
async fn a_visit_looks_and_every_request_stands_in_the_isps_own_log() {
    let test = TestApp::new().await;
    let (alpha, beta) = (test.tenant("Alpha").await, test.tenant("Beta").await);
    let platform = test.platform().await;
    let begun = visit(&test, &platform, &alpha, json!({ "reason": "ticket 17: invoices are missing" })).await.expect(201);
    let token = begun.text("token");
    let me = get(&test, "/me", &token).await.expect(200);
    assert_eq!((me.body["tenant"].clone(), me.body["role"].clone()), (json!(alpha.id), json!(null)));
    assert_eq!(me.body["impersonation"]["reason"], "ticket 17: invoices are missing");
    assert!(me.text("actor").starts_with("support:opr_"));
    let _ = get(&test, "/routers?limit=3", &token).await.expect(200);
    let refused = post(&test, "/routers", &token, json!({ "name": "x" })).await.expect(403);
    assert!(refused.text("detail").contains("may only look"), "{}", refused.body);
    // It is the ISP's admin nowhere, and nobody elsewhere.
    let _ = post(&test, "/tokens", &token, json!({ "name": "x", "role": "viewer" })).await.expect(403);
    let _ = get(&test, "/platform/tenants", &token).await.expect(403);
    let _ = get(&test, "/me/sessions", &token).await.expect(403);

    let lines = get(&test, "/audit?limit=200", &alpha.token).await.expect(200);
    let mut support: Vec<(i64, &str, &str)> = lines.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["actor"].as_str().is_some_and(|actor| actor.starts_with("support:opr_")))
        .map(|line| (line["seq"].as_i64().unwrap(), line["action"].as_str().unwrap(), line["target"].as_str().unwrap()))
        .collect();
    support.sort_unstable();
    assert!(support.iter().all(|(_, action, _)| *action == "support.request"), "{support:?}");
    let requests: Vec<&str> = support.iter().map(|(.., request)| *request).collect();
    assert_eq!(
        requests,
        ["GET /me", "GET /routers", "POST /routers", "POST /tokens", "GET /platform/tenants", "GET /me/sessions"]
    );
    assert!(log(&test, &alpha.token).await.iter().any(|(action, _)| action == "support.begin"));
    assert!(!log(&test, &beta.token).await.iter().any(|(action, _)| action.starts_with("support")));
}

#[tokio::test]
async fn a_raised_visit_changes_things_but_sees_no_secret_and_leaves_no_way_in() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let platform = test.platform().await;
    let raised = json!({ "reason": "adds a router for them", "minutes": 10, "write": true });
    let token = visit(&test, &platform, &alpha, raised).await.expect(201).text("token");
    let _ = post(&test, "/routers", &token, json!({ "name": "mast" })).await.expect(201);
    let _ = post(&test, "/tokens", &token, json!({ "name": "x", "role": "viewer" })).await.expect(403);
    let _ = post(&test, "/invitations", &token, json!({ "login": "friend", "role": "viewer" })).await.expect(403);
    let rights = get(&test, "/me", &token).await.expect(200).body["permissions"].to_string();
    for never in ["customers.secrets", "data.export", "vouchers.read", "operators.write", "wallets.adjust"] {
        assert!(!rights.contains(never), "{never}");
    }
    let actors = log(&test, &alpha.token).await;
    let by = actors.iter().find(|(action, _)| action == "router.add").map(|(_, actor)| actor.as_str());
    assert!(by.is_some_and(|actor| actor.starts_with("support:opr_")), "{actors:?}");
}

#[tokio::test]
async fn it_ends_by_time_by_the_isp_and_by_the_visitor() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let platform = test.platform().await;
    let begin = async || visit(&test, &platform, &alpha, json!({ "reason": "to look", "minutes": 60 })).await.expect(201);
    let ended = begin().await;
    test.clock.advance(SignedDuration::from_secs(1));
    let left = begin().await;
    test.clock.advance(SignedDuration::from_secs(1));
    let timed = begin().await;
    let _ = call(&test, "DELETE", &format!("/impersonations/{}", ended.text("id")), &alpha.token, None).await.expect(204);
    let _ = call(&test, "DELETE", &format!("/impersonations/{}", ended.text("id")), &alpha.token, None).await.expect(404);
    let _ = get(&test, "/me", &ended.text("token")).await.expect(401);
    let _ = call(&test, "POST", "/logout", &left.text("token"), None).await.expect(204);
    let _ = get(&test, "/me", &left.text("token")).await.expect(401);
    test.clock.advance(SignedDuration::from_mins(59));
    let _ = get(&test, "/me", &timed.text("token")).await.expect(200);
    test.clock.advance(SignedDuration::from_mins(1));
    let _ = get(&test, "/me", &timed.text("token")).await.expect(401);

    let seen = get(&test, "/impersonations", &alpha.token).await.expect(200);
    let items = seen.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert!(items.iter().all(|item| item["open"] == false && item["visitor"] == "Platform operator"), "{}", seen.body);
    assert!(items[2]["ended_by"].as_str().unwrap().starts_with("operator:"), "{}", seen.body);
    assert!(items[1]["ended_by"].as_str().unwrap().starts_with("support:"), "{}", seen.body);
    assert!(!seen.body.to_string().contains("mw_visit_"));
}

#[tokio::test]
async fn it_needs_a_reason_a_bounded_time_and_the_platform() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let platform = test.platform().await;
    for (body, field) in [
        (json!({ "reason": "  " }), "reason"),
        (json!({ "reason": "x".repeat(301) }), "reason"),
        (json!({ "reason": "to look", "minutes": 61 }), "minutes"),
        (json!({ "reason": "to look", "minutes": 0 }), "minutes"),
    ] {
        let refused = visit(&test, &platform, &alpha, body.clone()).await.expect(400);
        assert_eq!(refused.body["errors"][0]["field"], field, "{body}");
    }
    let _ = visit(&test, &alpha.token, &alpha, json!({ "reason": "to look" })).await.expect(403);
    let path = "/platform/tenants/ten_0190163d8694739b8fd74dd02ebd3dc4/impersonations";
    assert_eq!(kind(&post(&test, path, &platform, json!({ "reason": "to look" })).await.expect(404)), "not-found");
}

#[tokio::test]
async fn it_ends_when_the_visitor_is_the_platforms_no_more() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let platform = test.platform().await;
    let token = visit(&test, &platform, &alpha, json!({ "reason": "to look" })).await.expect(201).text("token");
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("UPDATE operator SET platform = false WHERE platform").execute(&mut owner).await.expect("the owner may");
    let _ = get(&test, "/me", &token).await.expect(401);
}
