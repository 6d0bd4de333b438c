//! A batch that was stolen is taken out of use as a whole, and what was used of it stays used.

use crate::fixture::Isp;
use controller::operators::Role;
use controller::testing::TestApp;
use serde_json::json;

#[tokio::test]
async fn a_stolen_batch_is_void_in_one_step() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let spot = isp.sell("Spot", "hotspot", 5_000).await;
    let batch = isp.post("/voucher-batches", json!({ "package": spot, "count": 5 })).await.expect(201);
    let code = |at: usize| batch.body["codes"][at].as_str().expect("a code").to_owned();
    let redeem = |code: String| isp.post("/vouchers/redeem", json!({ "code": code, "router": isp.router }));
    let _ = redeem(code(0)).await.expect(201);
    let path = format!("/voucher-batches/{}/void", batch.text("id"));
    assert_eq!(isp.post(&path, json!({ "reason": "" })).await.expect(400).body["errors"][0]["field"], "reason");
    let care = test.token(&isp.tenant, Role::CustomerCare).await;
    let body = json!({ "reason": "stolen" });
    let _ = test.call("POST", &format!("/api/v1{path}"), &care, Some(body.clone())).await.expect(403);
    assert_eq!(isp.post(&path, body.clone()).await.expect(200).body["voided"], 4);
    assert_eq!(isp.post(&path, body.clone()).await.expect(200).body["voided"], 0);
    let _ = redeem(code(1)).await.expect(404);
    let listed = isp.get("/voucher-batches").await.expect(200).body["items"][0].clone();
    assert_eq!((&listed["available"], &listed["void_reason"]), (&json!(0), &json!("stolen")));
    assert_eq!(isp.number("SELECT count(*) FROM voucher WHERE tenant_id = $1 AND state = 'redeemed'").await, 1);
    let other = Isp::new(&test, "Beta").await;
    let _ = other.post(&path, body).await.expect(404);
}
