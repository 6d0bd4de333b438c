//! Somebody who goes from one ISP to another.

use super::fixture::{PASSWORD, call, get, ids, log, log_in, post};
use controller::testing::TestApp;
use serde_json::json;

#[tokio::test]
async fn who_moves_leaves_everything_behind_and_neither_isp_hears_of_the_other() {
    let test = TestApp::new().await;
    let (alpha, beta) = (test.tenant("Alpha").await, test.tenant("Beta").await);
    let platform = test.platform().await;
    let (ben, old) = test.operator(&alpha, "ben", json!({ "role": "admin", "reach": "assigned" })).await;
    let router = post(&test, "/routers", &old, json!({ "name": "own" })).await.expect(201).text("id");
    let invited = json!({ "login": "friend", "role": "viewer", "reach": "assigned" });
    let invited = post(&test, "/invitations", &old, invited).await.expect(201);
    let link = post(&test, &format!("/operators/{ben}/reset"), &alpha.token, json!({})).await.expect(201);
    let path = format!("/platform/operators/{ben}/move");
    let _ = post(&test, &path, &platform, json!({ "from": alpha.id, "to": beta.id, "role": "field_tech" })).await.expect(204);

    let _ = get(&test, "/me", &old).await.expect(401);
    let _ = get(&test, &format!("/operators/{ben}"), &alpha.token).await.expect(404);
    let accept = json!({ "token": invited.text("token"), "password": "a password of a friend" });
    let _ = post(&test, "/invitations/accept", "", accept).await.expect(401);
    let _ =
        post(&test, "/setup", "", json!({ "token": link.text("setup_token"), "password": "chosen by Alpha" })).await.expect(401);
    let new = log_in(&test, "ben", PASSWORD).await.expect(200);
    assert_eq!(new.text("tenant"), "Beta");
    let me = get(&test, "/me", &new.text("token")).await.expect(200);
    assert_eq!((me.text("role"), me.text("reach")), ("field_tech".to_owned(), "all".to_owned()), "nothing of the old reach");
    let _ = get(&test, &format!("/routers/{router}"), &new.text("token")).await.expect(404);
    let shown = get(&test, &format!("/operators/{ben}"), &beta.token).await.expect(200);
    assert_eq!((shown.body["routers"].clone(), shown.body["added"].clone()), (json!([]), json!([])));

    for (isp, action, other) in [(&alpha, "operator.move_away", beta.id), (&beta, "operator.move_in", alpha.id)] {
        assert!(log(&test, &isp.token).await.iter().any(|(known, _)| known == action));
        let rows = test.db.rows(Some(isp.id)).await;
        let other = other.uuid().to_string();
        let named = rows.iter().filter(|(_, row)| row.contains(&other)).count();
        assert_eq!(named, 0, "a row of one names the other");
    }
}

#[tokio::test]
async fn a_move_that_cannot_be_changes_nothing() {
    let test = TestApp::new().await;
    let (alpha, beta) = (test.tenant("Alpha").await, test.tenant("Beta").await);
    let platform = test.platform().await;
    let admin = ids(&get(&test, "/operators", &alpha.token).await.expect(200)).remove(0);
    let (ben, _) = test.operator(&alpha, "ben", json!({ "role": "viewer" })).await;
    let invited = post(&test, "/invitations", &beta.token, json!({ "login": "ben", "role": "viewer" })).await.expect(201);
    let _ =
        post(&test, "/invitations/accept", "", json!({ "token": invited.text("token"), "password": PASSWORD })).await.expect(200);
    let before = test.db.rows(None).await;
    let nowhere = "ten_0190163d8694739b8fd74dd02ebd3dc4";
    let go = |from: &str, to: &str| json!({ "from": from, "to": to, "role": "viewer" });
    let (a, b) = (alpha.id.to_string(), beta.id.to_string());
    for (who, body, status) in [
        (&admin, go(&a, &b), 409),
        (&ben, go(&a, &b), 409),
        (&ben, go(&a, &a), 400),
        (&admin, go(&b, &a), 404),
        (&ben, go(&a, nowhere), 404),
    ] {
        let answer = post(&test, &format!("/platform/operators/{who}/move"), &platform, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.body);
    }
    assert!(test.db.rows(None).await == before, "a refused move changed something");
    let _ = call(&test, "POST", &format!("/platform/operators/{ben}/move"), &alpha.token, Some(go(&a, &b))).await.expect(403);
}
