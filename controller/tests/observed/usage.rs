//! What was used is exactly what the counters grew, in the tenant's own days.

use crate::fixture::{Isp, ended};
use controller::sessions::{Cause, Sighting};
use controller::testing::TestApp;
use jiff::SignedDuration;
use model::Bytes;
use serde_json::json;

#[tokio::test]
async fn days_are_the_tenants_and_add_up() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.paying("jane").await;
    // From 20:00 UTC to 22:00: in Nairobi midnight is in the middle.
    isp.pass(11 * 3600);
    isp.record(&[isp.sighting("jane", "k", 0)]).await;
    isp.pass(7200);
    isp.record(&[Sighting { download: Some(Bytes(10_000)), ..isp.sighting("jane", "k", 7200) }]).await;
    let used = isp.get(&format!("/customers/{jane}/usage?from=2026-01-15&until=2026-01-16")).await.expect(200).body;
    assert_eq!(used["time_zone"], "Africa/Nairobi");
    let day = |day: &str| json!({ "day": day, "online_seconds": 3600, "upload_bytes": 0, "download_bytes": 5000 });
    assert_eq!(used["days"], json!([day("2026-01-15"), day("2026-01-16")]));
    assert_eq!(used["total"], json!({ "online_seconds": 7200, "upload_bytes": 0, "download_bytes": 10_000 }));
    let one = isp.get(&format!("/customers/{jane}/usage?from=2026-01-16&until=2026-01-16")).await.expect(200).body;
    assert_eq!(one["total"]["download_bytes"], 5000);
}

#[tokio::test]
async fn the_same_news_again_uses_nothing_and_a_new_session_begins_at_nothing() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.paying("jane").await;
    let total = async || isp.get(&format!("/customers/{jane}/usage")).await.expect(200).body["total"]["download_bytes"].clone();
    let first = Sighting { download: Some(Bytes(9000)), ..isp.sighting("jane", "first", 600) };
    for _ in 0..3 {
        isp.record(&[first.clone(), first.clone()]).await;
    }
    assert_eq!(total().await, 9000);
    // An older report comes late, then the end, twice.
    isp.record(&[Sighting {
        download: Some(Bytes(4000)),
        seen_at: first.seen_at - SignedDuration::from_secs(60),
        ..first.clone()
    }])
    .await;
    let end = ended(Sighting { download: Some(Bytes(9500)), ..first }, Cause::UserRequest);
    isp.record(std::slice::from_ref(&end)).await;
    isp.record(&[end]).await;
    assert_eq!(total().await, 9500);
    // The router's counters begin anew with the next session.
    isp.pass(60);
    isp.record(&[Sighting { download: Some(Bytes(10)), ..isp.sighting("jane", "second", 30) }]).await;
    assert_eq!(total().await, 9510);
}

#[tokio::test]
async fn nobodys_use_is_nobodys_and_questions_have_limits() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let jane = alpha.paying("jane").await;
    alpha.record(&[Sighting { download: Some(Bytes(5)), ..alpha.sighting("stranger", "k", 60) }]).await;
    assert_eq!(alpha.get(&format!("/customers/{jane}/usage")).await.expect(200).body["days"], json!([]));
    for wrong in ["from=2026-01-02&until=2026-01-01", "from=2025-01-01&until=2026-01-15", "from=2026-13-01", "until=tomorrow"] {
        let _ = alpha.get(&format!("/customers/{jane}/usage?{wrong}")).await.expect(400);
    }
    let _ = alpha.get(&format!("/customers/{jane}/usage?from=2025-01-15&until=2026-01-15")).await.expect(200);
    let _ = alpha.get(&format!("/customers/{jane}/usage?from=-009999-01-01&until=-009999-01-01")).await.expect(400);
    let _ = beta.get(&format!("/customers/{jane}/usage")).await.expect(404);
}
