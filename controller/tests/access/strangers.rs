//! Whoever keeps asking for what is another ISP's is shown nothing, and the platform is told.

use super::fixture::{get, post};
use controller::operators::tell_of_strangers;
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::{Value, json};

async fn conditions(test: &TestApp) -> Vec<Value> {
    let platform = test.platform().await;
    tell_of_strangers(&test.app).await.expect("the database answers");
    let health = get(test, "/platform/health", &platform).await.expect(200);
    health.body["conditions"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn who_keeps_asking_for_anothers_things_is_told_of() {
    let test = TestApp::new().await;
    let (alpha, beta) = (test.tenant("Alpha").await, test.tenant("Beta").await);
    let mut theirs = Vec::new();
    for number in 0..20 {
        let site =
            post(&test, "/sites", &beta.token, json!({ "name": format!("tower {number}"), "kind": "tower" })).await.expect(201);
        theirs.push(format!("/sites/{}", site.text("id")));
    }
    for path in &theirs {
        let _ = get(&test, path, &beta.token).await.expect(200);
    }
    for path in &theirs[..19] {
        let _ = get(&test, path, &alpha.token).await.expect(404);
    }
    for _ in 0..5 {
        let _ = get(&test, "/nothing", &alpha.token).await.expect(404);
        let _ = get(&test, &theirs[0], &alpha.token).await.expect(404);
    }
    assert_eq!(conditions(&test).await, [json!(null); 0], "a few, and the same again, are nothing");

    let _ = get(&test, &theirs[19], &alpha.token).await.expect(404);
    let told = conditions(&test).await;
    assert_eq!((told.len(), &told[0]["code"]), (1, &json!("access.strangers")));
    let text = told[0]["text"].as_str().expect("a text");
    assert!(text.contains(&alpha.id.to_string()) && !text.contains(&beta.id.to_string()), "{text}");

    test.clock.advance(SignedDuration::from_hours(23));
    assert_eq!(conditions(&test).await.len(), 1, "it stands for a day");
    test.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(conditions(&test).await, [json!(null); 0]);
}
