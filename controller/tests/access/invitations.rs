//! Invitations to serve an ISP.

use super::fixture::{PASSWORD, call, get, kind, log, log_in, post};
use controller::testing::TestApp;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

#[tokio::test]
async fn somebody_new_chooses_a_password_and_gets_what_was_offered() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let offer = json!({ "login": "ben@isp.example", "display_name": "Ben O.", "role": "staff", "removed": ["payments.take"] });
    let invited = post(&test, "/invitations", &alpha.token, offer).await.expect(201);
    assert!(invited.text("url").ends_with(&format!("/setup#{}", invited.text("token"))));
    let listed = get(&test, "/invitations", &alpha.token).await.expect(200);
    assert_eq!(
        (listed.body["items"][0]["state"].as_str(), listed.body["items"][0]["login"].as_str()),
        (Some("open"), Some("ben@isp.example"))
    );
    assert!(!listed.body.to_string().contains("mw_invite_"), "the token is shown once");
    let weak =
        post(&test, "/invitations/accept", "", json!({ "token": invited.text("token"), "password": "short" })).await.expect(400);
    assert_eq!(weak.body["errors"][0]["field"], "password");
    let accept = json!({ "token": invited.text("token"), "password": PASSWORD });
    let accepted = post(&test, "/invitations/accept", "", accept.clone()).await.expect(200);
    assert_eq!(accepted.text("login"), "ben@isp.example");
    let _ = post(&test, "/invitations/accept", "", accept).await.expect(401);
    let token = log_in(&test, "ben@isp.example", PASSWORD).await.expect(200).text("token");
    let me = get(&test, "/me", &token).await.expect(200);
    assert_eq!(me.text("role"), "staff");
    assert!(!me.body["permissions"].to_string().contains("payments.take"));
    let people = get(&test, "/operators", &alpha.token).await.expect(200);
    assert_eq!(people.body["items"][0]["display_name"], "Ben O.");
    let listed = get(&test, "/invitations", &alpha.token).await.expect(200);
    assert_eq!(listed.body["items"][0]["state"], "accepted");
    let log = log(&test, &alpha.token).await;
    let who = log.iter().find(|(action, _)| action == "invitation.accept").map(|(_, actor)| actor.clone());
    assert_eq!(who, Some(format!("operator:{}", accepted.text("operator"))));
}

#[tokio::test]
async fn who_invites_does_not_learn_whether_a_login_exists() {
    let test = TestApp::new().await;
    let (alpha, beta) = (test.tenant("Alpha").await, test.tenant("Beta").await);
    test.operator(&beta, "known", json!({ "role": "admin" })).await;
    let ask = async |login: &str| {
        let answer = post(&test, "/invitations", &alpha.token, json!({ "login": login, "role": "viewer" })).await.expect(201);
        let mut body = answer.body.clone();
        for field in ["id", "token", "url"] {
            body[field].take();
        }
        (body, answer.text("token"))
    };
    let ((known, token), (unknown, _)) = (ask("known").await, ask("unknown").await);
    assert_eq!(known, unknown);
    // The invitation is of use to nobody but who has the login.
    let theft = json!({ "token": token, "password": "chosen by the inviter" });
    assert_eq!(kind(&post(&test, "/invitations/accept", "", theft).await.expect(401)), "unauthenticated");
    let _ = log_in(&test, "known", "chosen by the inviter").await.expect(401);
    let _ = post(&test, "/invitations/accept", "", json!({ "token": token, "password": PASSWORD })).await.expect(200);
    let both = log_in(&test, "known", PASSWORD).await.expect(400);
    assert!(both.text("detail").contains("Alpha, Beta"), "{}", both.body);
}

#[tokio::test]
async fn somebody_without_a_password_yet_is_not_given_one_by_an_invitation() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let platform = test.platform().await;
    let new = json!({ "name": "Gamma", "admin_login": "gamma" });
    let _ = post(&test, "/platform/tenants", &platform, new).await.expect(201);
    let invited = post(&test, "/invitations", &alpha.token, json!({ "login": "gamma", "role": "viewer" })).await.expect(201);
    let theft = json!({ "token": invited.text("token"), "password": "chosen by the inviter" });
    let _ = post(&test, "/invitations/accept", "", theft).await.expect(401);
    let _ = log_in(&test, "gamma", "chosen by the inviter").await.expect(401);
}

#[tokio::test]
async fn it_ends_by_time_by_withdrawal_and_by_another() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let invite = async |login: &str| post(&test, "/invitations", &alpha.token, json!({ "login": login, "role": "viewer" })).await;
    let accept = async |token: String| {
        post(&test, "/invitations/accept", "", json!({ "token": token, "password": PASSWORD })).await.status.as_u16()
    };
    let (first, second) = (invite("ben").await.expect(201), invite("ben").await.expect(201));
    assert_eq!(accept(first.text("token")).await, 401, "replaced by the second");
    let path = format!("/invitations/{}", second.text("id"));
    let _ = call(&test, "DELETE", &path, &alpha.token, None).await.expect(204);
    let _ = call(&test, "DELETE", &path, &alpha.token, None).await.expect(404);
    assert_eq!(accept(second.text("token")).await, 401);
    let third = invite("ben").await.expect(201);
    test.clock.advance(SignedDuration::from_hours(7 * 24));
    assert_eq!(accept(third.text("token")).await, 401);
    let admin = log_in(&test, "alpha", PASSWORD).await.expect(200).text("token");
    let states = get(&test, "/invitations", &admin).await.expect(200);
    let mut states: Vec<&str> =
        states.body["items"].as_array().unwrap().iter().filter_map(|item| item["state"].as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["expired", "withdrawn", "withdrawn"]);
    let _ = post(&test, "/invitations", &admin, json!({ "login": "alpha", "role": "viewer" })).await.expect(409);
    let bad = post(&test, "/invitations", &admin, json!({ "login": "Not A Login", "role": "viewer" })).await.expect(400);
    assert_eq!(bad.body["errors"][0]["field"], "login");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_clicked_many_times_at_once_is_used_once() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let invited = post(&test, "/invitations", &alpha.token, json!({ "login": "ben", "role": "viewer" })).await.expect(201);
    let body = |n: u32| json!({ "token": invited.text("token"), "password": format!("password number {n}") });
    let answers = join_all((0..8).map(|n| post(&test, "/invitations/accept", "", body(n)))).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(done, 1);
    assert!(answers.iter().all(|answer| !answer.status.is_server_error()));
    assert_eq!(get(&test, "/operators", &alpha.token).await.expect(200).body["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn the_limit_of_operators_holds_for_whoever_accepts() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let platform = test.platform().await;
    let invite = async |login: &str| post(&test, "/invitations", &alpha.token, json!({ "login": login, "role": "viewer" })).await;
    let (one, other) = (invite("one").await.expect(201), invite("other").await.expect(201));
    let limit = json!({ "name": "operators", "bounds": { "soft": 2, "hard": 2 }, "reason": "a small plan" });
    let path = format!("/platform/tenants/{}/limits", alpha.id);
    let _ = call(&test, "PUT", &path, &platform, Some(limit)).await.expect(200);
    let accept = |invited: &controller::testing::Answer| json!({ "token": invited.text("token"), "password": PASSWORD });
    let _ = post(&test, "/invitations/accept", "", accept(&one)).await.expect(200);
    assert_eq!(kind(&post(&test, "/invitations/accept", "", accept(&other)).await.expect(409)), "tenant-limit-reached");
    assert_eq!(kind(&invite("third").await.expect(409)), "tenant-limit-reached");
}
