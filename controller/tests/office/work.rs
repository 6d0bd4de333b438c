//! What technicians did is written down, struck out and never changed, and seen by those who see where.

use crate::fixture::{Isp, each, router, technician};
use controller::testing::TestApp;
use serde_json::{Value, json};

fn entry(more: Value) -> Value {
    let mut body = json!({ "kind": "support", "started_at": "2026-01-15T08:00:00Z", "minutes": 45 });
    for (field, value) in more.as_object().expect("fields") {
        body[field] = value.clone();
    }
    body
}

#[tokio::test]
async fn work_is_written_down_and_struck_out_but_never_changed() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (juma, token) = test.operator(&isp.tenant, "juma", json!({ "role": "field_tech" })).await;
    let jane = isp.customer("jane").await;
    let ticket = isp.post("/tickets", json!({ "title": "Slow", "customer": jane })).await.expect(201).text("id");
    let materials = json!([{ "name": "cable", "milli": 25_500, "unit": "m" }]);
    let position = json!({ "latitude": -1.2921, "longitude": 36.8219, "accuracy_m": 8 });
    let whole = entry(json!({ "ticket": ticket, "materials": materials, "position": position, "note": "new cable" }));
    let id = isp.call_as(&token, "POST", "/work-entries", Some(whole)).await.expect(201).text("id");
    let shown = isp.items(&format!("/work-entries?ticket={ticket}")).await.remove(0);
    assert_eq!((&shown["operator"], &shown["materials"], &shown["position"]), (&json!(juma), &materials, &position));
    assert_eq!(shown["router"], json!(isp.router), "it was done where the ticket's customer is");
    assert_eq!(isp.items(&format!("/work-entries?operator={juma}")).await.len(), 1);
    for (field, wrong) in [
        ("minutes", json!({ "minutes": 0 })),
        ("minutes", json!({ "minutes": 1_441 })),
        ("started_at", json!({ "started_at": "2026-01-16T08:00:00Z" })),
        ("materials", json!({ "materials": [{ "name": "", "milli": 1, "unit": "m" }] })),
        ("position", json!({ "position": { "latitude": 91.0, "longitude": 0.0 } })),
    ] {
        let problem = isp.call_as(&token, "POST", "/work-entries", Some(entry(wrong))).await.expect(400);
        assert_eq!(problem.body["errors"][0]["field"], field);
    }
    let strike = format!("/work-entries/{id}/strike");
    let _ = isp.call_as(&token, "POST", &strike, None).await.expect(204);
    let _ = isp.call_as(&token, "POST", &strike, None).await.expect(404);
    assert!(!isp.items("/work-entries").await[0]["struck_at"].is_null(), "it stays to be seen");
    let mut app = test.db.connect_as("mastwire_app").await;
    for change in ["UPDATE work_entry SET minutes = 1", "DELETE FROM work_entry"] {
        let refused = sqlx::query(change).execute(&mut app).await.expect_err(change);
        assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("42501"), "{change}");
    }
    // A program says who did it.
    let _ = isp.post("/work-entries", entry(json!({}))).await.expect(400);
    let _ = isp.post("/work-entries", entry(json!({ "operator": juma }))).await.expect(201);
}

#[tokio::test]
async fn a_technician_sees_work_where_they_see_the_router() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let elsewhere = router(&test, &isp.tenant, "elsewhere").await.to_string();
    let john = isp.customer_with(json!({ "login": "john", "router": elsewhere })).await;
    let ticket = isp.post("/tickets", json!({ "title": "Far", "customer": john })).await.expect(201).text("id");
    let (juma, token) = technician(&isp, "juma", &isp.router).await;
    let near = isp.post("/work-entries", entry(json!({ "operator": juma, "router": isp.router }))).await.expect(201).text("id");
    let mut hidden = Vec::new();
    for more in [json!({ "router": elsewhere }), json!({ "customer": john }), json!({ "ticket": ticket })] {
        let mut body = entry(more.clone());
        body["operator"] = json!(juma);
        hidden.push(isp.post("/work-entries", body).await.expect(201).text("id"));
        // Nor can they write there.
        let _ = isp.call_as(&token, "POST", "/work-entries", Some(entry(more.clone()))).await.expect(404);
        let _ = other.post("/work-entries", entry(more)).await;
    }
    let seen = isp.call_as(&token, "GET", "/work-entries", None).await.expect(200);
    assert_eq!(each(seen.body["items"].as_array().expect("a list"), "id"), [json!(near)]);
    for id in hidden {
        let _ = isp.call_as(&token, "POST", &format!("/work-entries/{id}/strike"), None).await.expect(404);
    }
    assert_eq!(other.items("/work-entries").await.len(), 0, "another ISP neither sees nor adds to it");
    assert_eq!(isp.items("/work-entries").await.len(), 4);
}
