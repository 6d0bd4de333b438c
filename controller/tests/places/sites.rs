//! Sites stand in a tree without rings, at most eight deep, and cannot go while something stands at them.

use crate::fixture::{Isp, names};
use controller::testing::TestApp;
use futures_util::future::join_all;
use serde_json::json;

#[tokio::test]
async fn made_listed_changed_and_shown() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let area = isp.site("Kilimani", "area", None).await;
    let house = isp.site("Rose Court", "building", Some(&area)).await;
    let flat = isp.site("B12", "unit", Some(&house)).await;
    let other = isp.site("Lavington", "area", None).await;
    let _ = isp.site("B12", "unit", Some(&other)).await;
    let problem = isp.post("/sites", json!({ "name": "B12", "kind": "unit", "parent": house })).await.expect(409);
    assert_eq!(problem.text("type"), "urn:mastwire:problem:already-exists");

    assert_eq!(names(&isp.get("/sites?top=true").await.expect(200)), ["Lavington", "Kilimani"]);
    assert_eq!(names(&isp.get(&format!("/sites?parent={house}")).await.expect(200)), ["B12"]);
    let first = isp.get("/sites?limit=2").await.expect(200);
    let rest = isp.get(&format!("/sites?limit=50&cursor={}", first.text("next"))).await.expect(200);
    assert_eq!([names(&first), names(&rest)].concat(), ["B12", "Lavington", "B12", "Rose Court", "Kilimani"]);

    let position = json!({ "latitude": -1.2921, "longitude": 36.8219 });
    let changed = isp.patch(&format!("/sites/{flat}"), json!({ "name": " B 12 ", "position": position })).await.expect(200);
    assert_eq!((changed.text("name").as_str(), &changed.body["position"]), ("B 12", &position));
    let changed = isp.patch(&format!("/sites/{flat}"), json!({ "position": null })).await.expect(200);
    assert_eq!((changed.text("name").as_str(), changed.body["position"].is_null()), ("B 12", true));

    let router = isp.router("roof").await;
    let _ = isp.patch(&format!("/routers/{router}"), json!({ "name": "ridge", "site": house })).await.expect(204);
    let shown = isp.get(&format!("/sites/{house}")).await.expect(200);
    assert_eq!(shown.body["here"], json!({ "parts": 1, "routers": 1, "devices": 0, "customers": 0 }));
    assert_eq!(shown.body["routers"], json!([{ "id": router, "name": "ridge" }]));
    assert_eq!(shown.body["path"], json!([{ "id": area, "name": "Kilimani" }]));
    assert_eq!(isp.get(&format!("/routers/{router}")).await.expect(200).text("site"), house);
    assert_eq!(names(&isp.get(&format!("/routers?site={house}")).await.expect(200)), ["ridge"]);
    assert!(names(&isp.get(&format!("/routers?site={area}")).await.expect(200)).is_empty());
}

#[tokio::test]
async fn what_is_no_site_is_refused() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    for (body, field) in [
        (json!({ "name": " ", "kind": "area" }), "name"),
        (json!({ "name": "a", "kind": "area", "position": { "latitude": 91.0, "longitude": 0.0 } }), "position"),
        (json!({ "name": "a", "kind": "area", "notes": "x".repeat(2001) }), "notes"),
    ] {
        let problem = isp.post("/sites", body).await.expect(400);
        assert_eq!(problem.body["errors"][0]["field"], field);
    }
    let _ = isp.post("/sites", json!({ "name": "a", "kind": "castle" })).await.expect(400);
    let beta = Isp::new(&test, "Beta").await;
    let theirs = beta.site("Kilimani", "area", None).await;
    let never = "sit_0190163d8694739b8fd74dd02ebd3dc4";
    let mut answers = Vec::new();
    for id in [theirs.as_str(), never] {
        answers.push(isp.post("/sites", json!({ "name": "a", "kind": "area", "parent": id })).await.expect(404).text("detail"));
        let router = isp.router(&format!("roof {id}")).await;
        answers.push(isp.patch(&format!("/routers/{router}"), json!({ "site": id })).await.expect(404).text("detail"));
    }
    assert_eq!(answers[..2], answers[2..], "another ISP's site is none");
}

#[tokio::test]
async fn a_tree_has_no_ring_and_is_not_too_deep() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let mut chain = vec![isp.site("level 1", "area", None).await];
    for level in 2..=8 {
        let parent = chain.last().cloned();
        chain.push(isp.site(&format!("level {level}"), "other", parent.as_deref()).await);
    }
    let deeper = json!({ "name": "level 9", "kind": "other", "parent": chain[7] });
    assert_eq!(isp.post("/sites", deeper).await.expect(400).body["errors"][0]["field"], "parent");
    for part in [0, 1, 7] {
        let body = json!({ "parent": chain[part] });
        let problem = isp.post(&format!("/sites/{}/move", chain[0]), body).await.expect(400);
        assert!(problem.text("detail").contains("within itself"), "{}", problem.body);
    }
    // Two levels more above seven are one too many.
    let above = isp.site("above", "area", None).await;
    let _ = isp.post(&format!("/sites/{}/move", chain[0]), json!({ "parent": above })).await.expect(400);
    let moved = isp.post(&format!("/sites/{}/move", chain[1]), json!({ "parent": above })).await.expect(200);
    assert_eq!(moved.text("parent"), above);
    let _ = isp.post(&format!("/sites/{}/move", chain[1]), json!({ "parent": null })).await.expect(200);
    assert_eq!(isp.get(&format!("/sites/{}", chain[7])).await.expect(200).body["path"].as_array().map(Vec::len), Some(6));
}

/// Many pairs are moved into each other at once: of each two moves one is refused, and no ring comes to be.
#[tokio::test(flavor = "multi_thread")]
async fn two_moves_at_once_make_no_ring() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    for round in 0..8 {
        let left = isp.site(&format!("left {round}"), "area", None).await;
        let right = isp.site(&format!("right {round}"), "area", None).await;
        let (one, two) = (format!("/sites/{left}/move"), format!("/sites/{right}/move"));
        let moves = [isp.post(&one, json!({ "parent": right })), isp.post(&two, json!({ "parent": left }))];
        let mut statuses: Vec<u16> = join_all(moves).await.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
    }
}

#[tokio::test]
async fn a_site_goes_when_nothing_stands_there() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let area = isp.site("Kilimani", "area", None).await;
    let house = isp.site("Rose Court", "building", Some(&area)).await;
    let router = isp.router("roof").await;
    let _ = isp.patch(&format!("/routers/{router}"), json!({ "site": house })).await.expect(204);
    let device = json!({ "name": "north", "kind": "sector", "site": house });
    let device = isp.post("/devices", device).await.expect(201).text("id");
    for (left, path) in [("1 site(s)", &area), ("1 router(s)", &house)] {
        let problem = isp.delete(&format!("/sites/{path}")).await.expect(409);
        assert!(problem.text("detail").contains(left), "{}", problem.body);
    }
    let _ = isp.patch(&format!("/routers/{router}"), json!({ "site": null })).await.expect(204);
    assert!(isp.delete(&format!("/sites/{house}")).await.expect(409).text("detail").contains("1 device(s)"));
    let _ = isp.delete(&format!("/devices/{device}")).await.expect(204);
    let _ = isp.delete(&format!("/sites/{house}")).await.expect(204);
    let _ = isp.get(&format!("/sites/{house}")).await.expect(404);
    let _ = isp.patch(&format!("/routers/{router}"), json!({ "site": house })).await.expect(404);
    let _ = isp.site("Rose Court", "building", Some(&area)).await;
    assert_eq!(isp.number("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = 'site.remove'").await, 1);
}

/// A site is removed while a router is put there: the one or the other, never a router at a site that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_put_at_a_site_that_goes() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    for round in 0..8 {
        let site = isp.site(&format!("site {round}"), "tower", None).await;
        let router = isp.router(&format!("router {round}")).await;
        let (site_path, router_path) = (format!("/sites/{site}"), format!("/routers/{router}"));
        let body = Some(json!({ "site": site }));
        let both = [isp.call("DELETE", &site_path, None), isp.call("PATCH", &router_path, body)];
        let statuses: Vec<u16> = join_all(both).await.iter().map(|answer| answer.status.as_u16()).collect();
        assert!([[204, 404], [409, 204]].contains(&[statuses[0], statuses[1]]), "{statuses:?}");
    }
    let lost = "SELECT count(*) FROM router r JOIN site s ON s.tenant_id = r.tenant_id AND s.id = r.site_id
                 WHERE r.tenant_id = $1 AND s.removed_at IS NOT NULL";
    assert_eq!(isp.number(lost).await, 0);
}
