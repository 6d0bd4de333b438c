//! Goal: nobody gets in without a credential, and a credential leads to its own tenant alone.
//! Method: the whole HTTP service on a real database.

use controller::operators::{self, Role};
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::json;

#[tokio::test]
async fn the_first_operator_sets_a_password_once() {
    let test = TestApp::new().await;
    let setup = operators::first_operator(&test.app).await.unwrap().expect("nobody can log in yet");
    let body = json!({ "token": setup.expose(), "password": "short" });
    assert_eq!(test.call("POST", "/api/v1/setup", "", Some(body)).await.expect(400).body["errors"][0]["field"], "password");
    let body = json!({ "token": setup.expose(), "password": "long enough now" });
    let _ = test.call("POST", "/api/v1/setup", "", Some(body.clone())).await.expect(204);
    // A second click, or somebody who found the link later.
    let _ = test.call("POST", "/api/v1/setup", "", Some(body)).await.expect(401);
    assert!(operators::first_operator(&test.app).await.unwrap().is_none(), "the first operator exists now");
    let login = json!({ "login": "admin", "password": "long enough now" });
    let token = test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200).text("token");
    let me = test.call("GET", "/api/v1/me", &token, None).await.expect(200);
    assert_eq!((&me.body["tenant"], &me.body["role"]), (&json!(null), &json!(null)));
    let _ = test.call("POST", "/api/v1/logout", &token, None).await.expect(204);
    let _ = test.call("GET", "/api/v1/me", &token, None).await.expect(401);
}

#[tokio::test]
async fn a_setup_link_ends_after_a_day() {
    let test = TestApp::new().await;
    let setup = operators::first_operator(&test.app).await.unwrap().expect("nobody can log in yet");
    test.clock.advance(SignedDuration::from_hours(24));
    let body = json!({ "token": setup.expose(), "password": "long enough now" });
    let _ = test.call("POST", "/api/v1/setup", "", Some(body)).await.expect(401);
}

#[tokio::test]
async fn five_wrong_passwords_lock_the_login_for_a_while() {
    let test = TestApp::new().await;
    test.tenant("Alpha").await;
    let wrong = json!({ "login": "alpha", "password": "not the password" });
    for _ in 0..5 {
        let _ = test.call("POST", "/api/v1/login", "", Some(wrong.clone())).await.expect(401);
    }
    let right = json!({ "login": "alpha", "password": "a password for tests" });
    let _ = test.call("POST", "/api/v1/login", "", Some(right.clone())).await.expect(429);
    test.clock.advance(SignedDuration::from_mins(16));
    let _ = test.call("POST", "/api/v1/login", "", Some(right)).await.expect(200);
    let unknown = json!({ "login": "nobody", "password": "a password for tests" });
    let _ = test.call("POST", "/api/v1/login", "", Some(unknown)).await.expect(401);
}

#[tokio::test]
async fn a_person_of_two_isps_says_which_and_gets_that_one_alone() {
    let test = TestApp::new().await;
    let platform = test.platform().await;
    let alpha = test.tenant("Alpha").await;
    let body = json!({ "name": "Beta", "admin_login": "alpha" });
    let beta = test.call("POST", "/api/v1/platform/tenants", &platform, Some(body)).await.expect(201);
    assert_eq!(beta.body["setup_token"], json!(null), "somebody known keeps their password");
    let login = json!({ "login": "alpha", "password": "a password for tests" });
    let problem = test.call("POST", "/api/v1/login", "", Some(login)).await.expect(400);
    assert!(problem.text("detail").contains("Alpha, Beta"), "{}", problem.body);
    let login = json!({ "login": "alpha", "password": "a password for tests", "tenant": "Beta" });
    let token = test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200).text("token");
    let me = test.call("GET", "/api/v1/me", &token, None).await.expect(200);
    assert_eq!(me.body["tenant"], beta.body["id"]);
    assert_ne!(me.body["tenant"], json!(alpha.id));
}

#[tokio::test]
async fn roles_and_tokens_are_kept_to_their_rights() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let viewer = test.token(&alpha, Role::Viewer).await;
    let body = json!({ "name": "more", "role": "admin" });
    let _ = test.call("POST", "/api/v1/tokens", &viewer, Some(body)).await.expect(403);
    let _ = test.call("POST", "/api/v1/logout", &viewer, None).await.expect(409);
    let _ = test.call("GET", "/api/v1/platform/tenants", &alpha.token, None).await.expect(403);
    let platform = test.platform().await;
    let problem = test.call("GET", "/api/v1/tokens", &platform, None).await.expect(403);
    assert!(problem.text("detail").contains("do not see into a tenant"));

    let tokens = test.call("GET", "/api/v1/tokens", &alpha.token, None).await.expect(200);
    assert!(!tokens.body.to_string().contains("mw_api_"), "a token is shown once");
    let id = tokens.body["items"][0]["id"].as_str().unwrap().to_owned();
    let _ = test.call("DELETE", &format!("/api/v1/tokens/{id}"), &alpha.token, None).await.expect(204);
    let _ = test.call("GET", "/api/v1/me", &viewer, None).await.expect(401);
    let _ = test.call("DELETE", &format!("/api/v1/tokens/{id}"), &alpha.token, None).await.expect(404);
}

#[tokio::test]
async fn a_suspended_tenant_may_look_and_not_touch() {
    let test = TestApp::new().await;
    let platform = test.platform().await;
    let alpha = test.tenant("Alpha").await;
    let _ = test.call("POST", &format!("/api/v1/platform/tenants/{}/suspend", alpha.id), &platform, None).await.expect(204);
    let _ = test.call("GET", "/api/v1/operators", &alpha.token, None).await.expect(200);
    let body = json!({ "name": "x", "role": "viewer" });
    let problem = test.call("POST", "/api/v1/tokens", &alpha.token, Some(body)).await.expect(403);
    assert_eq!(problem.text("type"), "urn:mastwire:problem:tenant-suspended");
}

#[tokio::test]
async fn bad_requests_say_what_is_wrong() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let unknown = test
        .call("POST", "/api/v1/tokens", &alpha.token, Some(json!({ "name": "x", "role": "viewer", "tenant_id": alpha.id })))
        .await;
    assert!(unknown.expect(400).text("detail").contains("tenant_id"), "a body cannot name a tenant");
    let kind = test.call("DELETE", "/api/v1/tokens/rtr_0190163d8694739b8fd74dd02ebd3dc4", &alpha.token, None).await.expect(400);
    assert!(kind.text("detail").contains("router"), "{}", kind.body);
    let large = json!({ "name": "x".repeat(300_000), "role": "viewer" });
    let _ = test.call("POST", "/api/v1/tokens", &alpha.token, Some(large)).await.expect(413);
    let _ = test.call("GET", "/api/v1/nowhere", &alpha.token, None).await.expect(404);
    let _ = test.call("PUT", "/api/v1/tokens", &alpha.token, None).await.expect(405);
    let page = test.call("GET", "/api/v1/tokens?limit=0", &alpha.token, None).await.expect(400);
    assert!(page.text("instance").starts_with("req_"));
    let _ = test.call("GET", "/api/v1/tokens?cursor=zzz", &alpha.token, None).await.expect(400);
}
