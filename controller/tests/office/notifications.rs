//! Each reads their own notifications, and is told once.

use crate::fixture::{Isp, each, router, technician};
use controller::monitoring::{self, Evidence};
use controller::notifications;
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::{Value, json};

async fn own(isp: &Isp<'_>, token: &str, query: &str) -> Vec<Value> {
    let answer = isp.call_as(token, "GET", &format!("/me/notifications{query}"), None).await.expect(200);
    answer.body["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn nobody_reads_or_marks_what_is_anothers() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let (juma, his) = test.operator(&isp.tenant, "juma", json!({ "role": "staff" })).await;
    let (_, hers) = test.operator(&isp.tenant, "asha", json!({ "role": "staff" })).await;
    let ticket = isp.post("/tickets", json!({ "title": "Cable cut", "assignee": juma })).await.expect(201).text("id");
    // Not told again of what is theirs already.
    let _ = isp.patch(&format!("/tickets/{ticket}"), json!({ "assignee": juma, "priority": "high" })).await.expect(200);
    let told = own(&isp, &his, "").await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["text"], &told[0]["link"], &told[0]["kind"]),
        (&json!("Ticket 1 is yours: Cable cut"), &json!(ticket), &json!("ticket_assigned"))
    );
    assert!(told[0]["read_at"].is_null());

    let path = format!("/me/notifications/{}/read", told[0]["id"].as_str().expect("an id"));
    for (isp, token) in [(&isp, &hers), (&isp, &isp.admin), (&other, &other.admin)] {
        assert_eq!(own(isp, token, "").await, [] as [Value; 0]);
        let _ = isp.call_as(token, "POST", &path, None).await.expect(404);
        assert_eq!(isp.call_as(token, "POST", "/me/notifications/read", None).await.expect(200).body["marked"], 0);
    }
    // A program is nobody.
    let _ = isp.get("/me/notifications").await.expect(403);
    assert_eq!(own(&isp, &his, "?unread=true").await.len(), 1, "nobody has marked it");
    let _ = isp.call_as(&his, "POST", &path, None).await.expect(204);
    let first = own(&isp, &his, "").await[0]["read_at"].clone();
    let _ = isp.call_as(&his, "POST", &path, None).await.expect(204);
    assert_eq!(own(&isp, &his, "").await[0]["read_at"], first, "it was read when it was read");
    assert_eq!(own(&isp, &his, "?unread=true").await.len(), 0);

    let _ = isp.post("/tickets", json!({ "title": "Another", "assignee": juma })).await.expect(201);
    assert_eq!(isp.call_as(&his, "POST", "/me/notifications/read", None).await.expect(200).body["marked"], 1);
}

#[tokio::test]
async fn a_visit_of_the_platforms_is_told_to_the_admins() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let (_, staff) = test.operator(&isp.tenant, "juma", json!({ "role": "staff" })).await;
    let (_, second) = test.operator(&isp.tenant, "asha", json!({ "role": "admin" })).await;
    let platform = test.platform().await;
    let path = format!("/platform/tenants/{}/impersonations", isp.tenant.id);
    let visit = isp.call_as(&platform, "POST", &path, Some(json!({ "reason": "ticket 17" }))).await.expect(201).text("id");
    for admin in [&isp.admin, &second] {
        let told = own(&isp, admin, "").await;
        assert_eq!((each(&told, "link"), told.len()), (vec![json!(visit)], 1));
        assert!(told[0]["text"].as_str().expect("a text").ends_with("ticket 17"), "{}", told[0]);
    }
    assert_eq!(own(&isp, &staff, "").await.len() + own(&other, &other.admin, "").await.len(), 0);
    let none = isp.call_as(&platform, "GET", "/me/notifications", None).await.expect(200);
    assert_eq!(none.body["items"], json!([]), "the platform's people have none");
}

#[tokio::test]
async fn a_silent_router_is_told_once_to_those_who_see_it() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let elsewhere = router(&test, &isp.tenant, "elsewhere").await.to_string();
    let (_, near) = technician(&isp, "near", &isp.router).await;
    let (_, far) = technician(&isp, "far", &elsewhere).await;
    let (_, seller) = test.operator(&isp.tenant, "seller", json!({ "role": "reseller" })).await;
    let (_, viewer) = test.operator(&isp.tenant, "viewer", json!({ "role": "viewer" })).await;
    // By the site it stands at, too.
    let site = isp.post("/sites", json!({ "name": "Hill", "kind": "tower" })).await.expect(201).text("id");
    let _ = isp.patch(&format!("/routers/{}", isp.router), json!({ "site": site })).await.expect(204);
    let (id, by_site) = test.operator(&isp.tenant, "by-site", json!({ "role": "field_tech", "reach": "assigned" })).await;
    let assigned = json!({ "routers": [], "sites": [site] });
    let _ = isp.call("PUT", &format!("/operators/{id}/assignments"), Some(assigned)).await.expect(200);

    let door = isp.door().await;
    monitoring::judge_router(&test.app, &door, isp.router_id(), Evidence::Away(isp.now())).await.expect("judged");
    let sweep = || notifications::tell_of_outages(&test.app);
    isp.pass(SignedDuration::from_mins(14));
    sweep().await.expect("swept");
    assert_eq!(own(&isp, &isp.admin, "").await.len(), 0);
    isp.pass(SignedDuration::from_mins(1));
    let (one, two) = tokio::join!(sweep(), sweep());
    assert!(one.is_ok() && two.is_ok());
    isp.pass(SignedDuration::from_mins(30));
    sweep().await.expect("swept");
    for (token, count) in [(&isp.admin, 1), (&near, 1), (&by_site, 1), (&viewer, 1), (&far, 0), (&seller, 0)] {
        let told = own(&isp, token, "").await;
        assert_eq!(told.len(), count, "{told:?}");
        assert!(told.iter().all(|one| one["text"] == "Router roof has been silent for 15 minutes"), "{told:?}");
    }
}

#[tokio::test]
async fn what_is_old_is_forgotten() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (juma, _) = test.operator(&isp.tenant, "juma", json!({ "role": "staff" })).await;
    let _ = isp.post("/tickets", json!({ "title": "Old", "assignee": juma })).await.expect(201);
    isp.pass(SignedDuration::from_hours(89 * 24));
    assert_eq!(notifications::forget_old(&test.app).await.expect("looked"), 0);
    let _ = isp.post("/tickets", json!({ "title": "New", "assignee": juma })).await.expect(201);
    isp.pass(SignedDuration::from_hours(2 * 24));
    assert_eq!(notifications::forget_old(&test.app).await.expect("looked"), 1);
}
