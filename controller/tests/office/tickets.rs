//! Tickets go along their road, say what was said for ever, and are seen by those who see what they are about.

use crate::fixture::{Isp, each, router, technician};
use controller::testing::TestApp;
use serde_json::{Value, json};

async fn open(isp: &Isp<'_>, body: Value) -> String {
    isp.post("/tickets", body).await.expect(201).text("id")
}

#[tokio::test]
async fn a_ticket_goes_along_its_road_and_each_step_is_written_down() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let id = open(&isp, json!({ "title": "No internet", "category": "no_internet", "priority": "high" })).await;
    let path = format!("/tickets/{id}");
    for (to, status) in [
        ("waiting", 200),
        ("in_progress", 200),
        ("resolved", 200),
        ("waiting", 409),
        ("open", 200),
        ("closed", 200),
        ("open", 409),
    ] {
        let answer = isp.patch(&path, json!({ "status": to })).await.expect(status);
        if status == 409 {
            assert!(answer.text("detail").contains("cannot become"), "{}", answer.body);
        }
    }
    let shown = isp.get(&path).await.expect(200);
    assert_eq!(
        (shown.text("status"), shown.text("priority"), shown.body["number"].clone()),
        ("closed".into(), "high".into(), json!(1))
    );
    let log = isp.items("/audit?action=ticket.change").await;
    assert_eq!(log.len(), 5);
    assert_eq!(log[0]["details"]["after"]["status"], "closed");
    for (field, wrong) in [
        ("title", json!({ "title": "" })),
        ("title", json!({ "title": "a\nb" })),
        ("body", json!({ "title": "x", "body": "y".repeat(4_001) })),
    ] {
        assert_eq!(isp.post("/tickets", wrong).await.expect(400).body["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn numbers_are_given_once_and_by_each_isp_for_itself() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let new = || test.call("POST", "/api/v1/tickets", &alpha.tenant.token, Some(json!({ "title": "At once" })));
    let (a, b, c, d, e) = tokio::join!(new(), new(), new(), new(), new());
    let mut numbers: Vec<i64> =
        [a, b, c, d, e].into_iter().map(|made| made.expect(201).body["number"].as_i64().expect("a number")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(beta.post("/tickets", json!({ "title": "First" })).await.expect(201).body["number"], 1);
}

#[tokio::test]
async fn what_was_said_stays_said() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let id = open(&isp, json!({ "title": "Slow" })).await;
    let notes = format!("/tickets/{id}/notes");
    let _ = isp.post(&notes, json!({ "text": "The mast leans" })).await.expect(201);
    let _ = isp.post(&notes, json!({ "text": "We are coming", "to_customer": true })).await.expect(201);
    let _ = isp.post(&notes, json!({ "text": " " })).await.expect(400);
    let said = isp.items(&notes).await;
    assert_eq!(
        (each(&said, "text"), each(&said, "to_customer")),
        (vec![json!("We are coming"), json!("The mast leans")], vec![json!(true), json!(false)])
    );
    let mut app = test.db.connect_as("mastwire_app").await;
    for change in ["UPDATE ticket_note SET text = 'x'", "DELETE FROM ticket_note", "DELETE FROM ticket"] {
        let refused = sqlx::query(change).execute(&mut app).await.expect_err(change);
        assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("42501"), "{change}");
    }
}

#[tokio::test]
async fn it_is_about_things_and_people_of_the_isp() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let jane = alpha.customer("jane").await;
    let site = alpha.post("/sites", json!({ "name": "Hill", "kind": "tower" })).await.expect(201).text("id");
    let device = alpha
        .post("/devices", json!({ "name": "sector", "kind": "sector", "router": alpha.router }))
        .await
        .expect(201)
        .text("id");
    let diagnosis = alpha.call("POST", &format!("/customers/{jane}/diagnose"), None).await.expect(201).text("id");
    let (juma, _) = test.operator(&alpha.tenant, "juma", json!({ "role": "field_tech" })).await;
    let about = [
        ("customer", &jane),
        ("router", &alpha.router),
        ("site", &site),
        ("device", &device),
        ("diagnosis", &diagnosis),
        ("assignee", &juma),
    ];
    let mut whole = json!({ "title": "All of it", "due_at": "2026-01-20T09:00:00Z" });
    for (field, id) in about {
        let _ = beta.post("/tickets", json!({ "title": "Theirs", field: id })).await.expect(404);
        whole[field] = json!(id);
    }
    let id = open(&alpha, whole).await;
    let shown = alpha.get(&format!("/tickets/{id}")).await.expect(200).body;
    assert!(about.iter().all(|(field, id)| shown[*field] == json!(id)), "{shown}");
    assert_eq!(shown["due_at"], "2026-01-20T09:00:00Z");
    open(&alpha, json!({ "title": "Nothing of it" })).await;
    for query in [
        format!("customer={jane}"),
        format!("router={}", alpha.router),
        format!("site={site}"),
        format!("device={device}"),
        format!("operator={juma}"),
    ] {
        assert_eq!(each(&alpha.items(&format!("/tickets?{query}")).await, "id"), [json!(id)], "{query}");
    }
    assert_eq!(alpha.items("/tickets?status=open").await.len(), 2);
    let _ = beta.get(&format!("/tickets/{id}")).await.expect(404);
    assert_eq!(beta.items("/tickets").await.len(), 0);
}

#[tokio::test]
async fn a_technician_sees_tickets_about_what_they_see() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let elsewhere = router(&test, &isp.tenant, "elsewhere").await.to_string();
    let jane = isp.customer("jane").await;
    let john = isp.customer_with(json!({ "login": "john", "router": elsewhere })).await;
    let (_, token) = technician(&isp, "juma", &isp.router).await;
    let near = open(&isp, json!({ "title": "Near", "customer": jane })).await;
    let far = open(&isp, json!({ "title": "Far", "customer": john })).await;
    let farther = open(&isp, json!({ "title": "Farther", "router": elsewhere })).await;
    let anywhere = open(&isp, json!({ "title": "Paint" })).await;
    assert_eq!(
        isp.get(&format!("/tickets/{far}")).await.expect(200).text("router"),
        elsewhere,
        "a customer's ticket is about their router"
    );
    let seen = isp.call_as(&token, "GET", "/tickets", None).await.expect(200);
    assert_eq!(each(seen.body["items"].as_array().expect("a list"), "id"), [json!(anywhere), json!(near)]);
    for hidden in [&far, &farther] {
        let path = format!("/tickets/{hidden}");
        let _ = isp.call_as(&token, "GET", &path, None).await.expect(404);
        let _ = isp.call_as(&token, "PATCH", &path, Some(json!({ "status": "closed" }))).await.expect(404);
        let _ = isp.call_as(&token, "POST", &format!("{path}/notes"), Some(json!({ "text": "x" }))).await.expect(404);
        let notes = isp.call_as(&token, "GET", &format!("{path}/notes"), None).await;
        assert!(notes.status == 404 || notes.body["items"] == json!([]), "{}", notes.body);
    }
    let _ = isp.call_as(&token, "POST", "/tickets", Some(json!({ "title": "x", "customer": john }))).await.expect(404);
    let _ = isp.call_as(&token, "POST", "/tickets", Some(json!({ "title": "x", "router": elsewhere }))).await.expect(404);
    let _ = isp.call_as(&token, "PATCH", &format!("/tickets/{near}"), Some(json!({ "status": "in_progress" }))).await.expect(200);
}
