//! Goal: who may sees what was done, by whom and from where, finds it again, and takes it away in a file that does no harm.
//! Method: business through the API, then the log through the API.

use super::ROLES;
use super::world::World;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use controller::http::Peer;
use controller::operators::Role;
use serde_json::{Value, json};
use tower::ServiceExt as _;

async fn lines(world: &World, query: &str) -> Vec<Value> {
    let answer = world.test.call("GET", &format!("/api/v1/audit{query}"), &world.alpha.token, None).await.expect(200);
    answer.body["items"].as_array().expect("a list").clone()
}

fn actions(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["action"].as_str()).collect()
}

/// Fetches a file as text.
async fn file(world: &World, path: &str) -> (String, String) {
    let request = Request::get(format!("/api/v1{path}")).header("authorization", format!("Bearer {}", world.alpha.token));
    let response = world.test.service().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.expect("a whole file");
    (kind, String::from_utf8(bytes.to_vec()).expect("text"))
}

#[tokio::test]
async fn the_log_is_found_again_by_who_what_and_when() {
    let _roles = ROLES.read().await;
    let world = World::new().await;
    let all = lines(&world, "").await;
    assert!(actions(&all).contains(&"customer.create"), "{:?}", actions(&all));
    let numbers: Vec<i64> = all.iter().map(|line| line["seq"].as_i64().expect("a number")).collect();
    let count = i64::try_from(numbers.len()).expect("few");
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=count).collect::<Vec<_>>());

    let packages = lines(&world, "?action=package.").await;
    assert_eq!(actions(&packages), ["package.create"]);
    let about = lines(&world, &format!("?target={}", world.alpha.customer)).await;
    assert!(!about.is_empty() && about.iter().all(|line| line["target"] == world.alpha.customer.as_str()));
    let actor = about[0]["actor"].as_str().expect("text");
    assert!(actor.starts_with("token:tok_"), "{actor}");
    assert!(!lines(&world, &format!("?actor={actor}")).await.is_empty());
    assert!(lines(&world, "?actor=token:nobody").await.is_empty());
    assert!(lines(&world, "?until=2026-01-15T09:00:00Z").await.is_empty(), "the clock stood at that time");
    assert_eq!(lines(&world, "?from=2026-01-15T09:00:00Z&until=2026-01-15T09:00:01Z").await.len(), all.len());
    // Another's things leave no trace, whatever is asked for.
    assert!(lines(&world, &format!("?target={}", world.beta.customer)).await.is_empty());
    // Page by page it is the same.
    let first = world.test.call("GET", "/api/v1/audit?limit=2", &world.alpha.token, None).await.expect(200);
    let next = first.text("next");
    let second = lines(&world, &format!("?limit=200&cursor={next}")).await;
    assert_eq!(second.len() + 2, all.len());
    let wrong = world
        .test
        .call("GET", "/api/v1/audit?from=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z", &world.alpha.token, None)
        .await;
    assert_eq!(wrong.expect(400).body["errors"][0]["field"], "until");
}

#[tokio::test]
async fn a_line_names_the_request_and_the_address_of_its_connection() {
    let _roles = ROLES.read().await;
    let world = World::new().await;
    let body = json!({ "name": "attic" }).to_string();
    let request = Request::post("/api/v1/routers")
        .header("authorization", format!("Bearer {}", world.alpha.token))
        .header("content-type", "application/json")
        // Whatever a header says of it, only the connection counts.
        .header("x-forwarded-for", "203.0.113.9")
        .extension(ConnectInfo(Peer("192.0.2.44:5555".parse().expect("an address"))));
    let response = world.test.service().oneshot(request.body(Body::from(body)).expect("a request")).await.expect("an answer");
    assert_eq!(response.status(), 201);
    let id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
    let all = lines(&world, "?action=router.").await;
    let line = all.iter().find(|line| line["request_id"] == id.as_str()).expect("it names the request");
    assert_eq!(line["source"], "192.0.2.44");
    // The platform's own log has it too, for what a person of the platform does.
    let platform = world.test.platform().await;
    let told = world.test.call("GET", "/api/v1/platform/tenants", &platform, None).await;
    assert_eq!(told.status, 200);
    let log = world.test.call("GET", "/api/v1/platform/audit", &platform, None).await.expect(200);
    let last = log.body["items"].as_array().expect("a list").iter().find(|line| line["reason"] == "the tenants were listed");
    assert!(last.expect("it was written")["request_id"].as_str().is_some_and(|id| id.starts_with("req_")));
}

#[tokio::test]
async fn the_log_goes_out_whole_as_a_table_or_line_by_line() {
    let _roles = ROLES.read().await;
    let world = World::new().await;
    let mut owner = world.test.db.connect_as("mastwire_owner").await;
    // More than is read at once, and a name that a spreadsheet would run.
    sqlx::query(
        "INSERT INTO audit_log (tenant_id, id, at, actor, action, target)
         SELECT $1, gen_random_uuid(), '2026-01-15Z', 'system:test', '=HYPERLINK(1)', 'n' || n FROM generate_series(1, 2500) AS n",
    )
    .bind(world.alpha.tenant.id)
    .execute(&mut owner)
    .await
    .expect("the owner may");
    let (kind, table) = file(&world, "/audit/export?actor=system:test").await;
    assert_eq!(kind, "text/csv; charset=utf-8");
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 2501, "with its headings");
    assert!(rows[0].starts_with("at,seq,actor,action,target"), "{}", rows[0]);
    assert!(rows[1..].iter().all(|row| row.contains(",'=HYPERLINK(1),")), "{}", rows[1]);
    let mut targets: Vec<&str> = rows[1..].iter().filter_map(|row| row.split(',').nth(4)).collect();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), 2500, "each once");

    let (kind, text) = file(&world, "/audit/export?format=jsonl&action=package.create").await;
    assert_eq!(kind, "application/x-ndjson");
    let line: Value = serde_json::from_str(text.trim_end()).expect("one object");
    assert_eq!(line["action"], "package.create");
    let (_, nothing) = file(&world, "/audit/export?format=jsonl&action=nothing").await;
    assert_eq!(nothing, "");
}

#[tokio::test]
async fn who_may_not_read_the_log_does_not() {
    let _roles = ROLES.read().await;
    let world = World::new().await;
    let staff = world.test.token(&world.alpha.tenant, Role::Staff).await;
    for path in ["/audit", "/audit/export", "/platform/audit", "/platform/health", "/platform/jobs"] {
        let _refused = world.test.call("GET", &format!("/api/v1{path}"), &staff, None).await.expect(403);
    }
}
