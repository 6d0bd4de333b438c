//! Bad requests: every operation, every field. None is a fault of ours, each is answered by a problem that says what is wrong, and nothing
//! of it stays.

use super::operations::{Access, Document, Ids, Operation};
use super::world::World;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, header};
use controller::http::ProblemKind;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// More than any operation takes.
const TOO_LARGE: usize = (5 << 20) + 1;

/// What a problem was of: its kind's last part, its detail and its fields.
struct Problem {
    kind: String,
    detail: String,
    fields: Vec<String>,
}

impl World {
    fn request(&self, operation: &Operation, content_type: &str, body: impl Into<Body>) -> Request<Body> {
        let mut request = Request::builder().method(operation.method.as_str()).uri(operation.path(&self.alpha.ids));
        let token = match operation.access {
            Access::Platform => &self.platform,
            Access::Login => &self.alpha.tenant.token,
            Access::Open | Access::Anyone | Access::Needs(_) => &self.alpha.token,
        };
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}")).header("idempotency-key", "a-key-of-its-own");
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        request.body(body.into()).expect("a request")
    }

    async fn refused(&self, what: &str, request: Request<Body>) -> Problem {
        problem(what, self.test.service().oneshot(request).await.expect("infallible")).await
    }
}

/// Checks that an answer is a problem as the API promises them.
async fn problem(what: &str, response: Response<Body>) -> Problem {
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("whole");
    let text = String::from_utf8_lossy(&bytes);
    assert!(status.is_client_error(), "{what}: {status} {text}");
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("{what}: {status} {text}"));
    let header = |name: &str| header(&headers, name);
    assert_eq!(header("content-type"), "application/problem+json", "{what}");
    assert_eq!((header("cache-control").as_str(), header("x-content-type-options").as_str()), ("no-store", "nosniff"), "{what}");
    let kind = value["type"].as_str().and_then(|kind| kind.strip_prefix("urn:mastwire:problem:")).expect("a type").to_owned();
    let known = ProblemKind::ALL.iter().find(|known| known.slug() == kind).unwrap_or_else(|| panic!("{what}: {kind}"));
    assert_eq!(
        (status, &value["status"], &value["title"]),
        (known.status(), &json!(status.as_u16()), &json!(known.title())),
        "{what}"
    );
    assert!(header("x-request-id").starts_with("req_") && value["instance"] == header("x-request-id"), "{what}: {value}");
    let fields = value["errors"].as_array().into_iter().flatten();
    let fields = fields.filter_map(|error| error["field"].as_str().map(str::to_owned)).collect();
    Problem { kind, detail: value["detail"].as_str().expect("a detail").to_owned(), fields }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn with_json_bodies() -> Vec<(Operation, String)> {
    let operations = Document::new().operations().into_iter();
    operations.filter_map(|operation| operation.body.clone().map(|schema| (operation, schema))).collect()
}

#[tokio::test]
async fn bodies_that_are_no_bodies() {
    let world = World::new().await;
    let before = world.test.db.rows(None).await;
    let deep = "[".repeat(100_000);
    for (operation, _) in with_json_bodies() {
        let name = operation.name();
        for text in ["", "{", "{\"", "[]", "null", "7", "\"text\"", "{\"a\":1,}", "\u{feff}{}", &deep] {
            let problem = world.refused(&name, world.request(&operation, "application/json", text.to_owned())).await;
            assert_eq!(problem.kind, "invalid-request", "{name} {}", &text[..text.len().min(20)]);
            assert!(problem.detail.len() < 500, "{name}: {}", problem.detail);
        }
        let invalid = world.request(&operation, "application/json", &b"{\"name\":\"\xff\"}"[..]);
        assert_eq!(world.refused(&name, invalid).await.kind, "invalid-request", "{name}");
        let large = world.request(&operation, "application/json", " ".repeat(TOO_LARGE));
        assert_eq!(world.refused(&name, large).await.kind, "too-large", "{name}");
        for kind in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"] {
            let problem = world.refused(&name, world.request(&operation, kind, "{}")).await;
            assert_eq!(problem.kind, "unsupported-media-type", "{name} as {kind}");
        }
    }
    assert!(world.test.db.rows(None).await == before, "a refused body changed something");
}

#[tokio::test]
async fn unknown_fields_are_named_at_every_depth_and_none_names_a_tenant() {
    let world = World::new().await;
    let before = world.test.db.rows(None).await;
    for (operation, _) in with_json_bodies() {
        let body = world.body(&world.alpha, &operation, &world.alpha.ids).expect("it has one");
        for field in ["tenant_id", "tenantId", "tenant-id", "$ref", "__proto__"] {
            for place in objects(&body) {
                let mut body = body.clone();
                body.pointer_mut(&place).expect("its own place")[field] = json!(world.beta.tenant.id);
                let name = format!("{} {place}/{field}", operation.name());
                let problem = world.refused(&name, world.request(&operation, "application/json", body.to_string())).await;
                assert_eq!(problem.kind, "invalid-request", "{name}");
                // A choice between shapes has no fields of its own to name.
                assert!(problem.detail.contains(field) || place.ends_with("/validity"), "{name}: {}", problem.detail);
            }
        }
    }
    assert!(world.test.db.rows(None).await == before, "a refused body changed something");
}

/// The places of all objects in a body.
fn objects(value: &Value) -> Vec<String> {
    let inner = |(key, value): (String, &Value)| {
        objects(value).into_iter().map(move |place| format!("/{key}{place}")).collect::<Vec<_>>()
    };
    match value {
        Value::Object(fields) => {
            let deeper = fields.iter().flat_map(|(key, value)| inner((key.clone(), value)));
            std::iter::once(String::new()).chain(deeper).collect()
        }
        Value::Array(items) => items.iter().enumerate().flat_map(|(index, value)| inner((index.to_string(), value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Values that have hurt others: numbers at the ends, texts that are no words, shapes that were not asked for.
fn hostile() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!(" "),
        json!("\0"),
        json!("a\0b"),
        json!("\u{202e}\u{0301}\u{fffd}"),
        json!("'; DROP TABLE customer; --"),
        json!("%s%n{}$(reboot)\r\n/system reset"),
        json!("x".repeat(100_000)),
        json!("9999-99-99T99:99:99Z"),
        json!("255.255.255.255"),
        json!([]),
        json!([[]]),
        json!({}),
        json!(["\0", 1, null]),
    ]
}

#[tokio::test]
async fn hostile_values_are_no_fault_of_ours() {
    let world = World::new().await;
    for (operation, schema) in with_json_bodies() {
        let token = match operation.access {
            Access::Open => "",
            Access::Platform => &world.platform,
            Access::Login => &world.alpha.tenant.token,
            Access::Anyone | Access::Needs(_) => &world.alpha.token,
        };
        for field in world.document.fields(&schema) {
            for value in hostile() {
                // Whether it is taken or refused is the field's affair: an odd name is a name.
                let mut body = world.body(&world.alpha, &operation, &world.alpha.ids).expect("it has one");
                body[&field] = value.clone();
                let answer = world.call(&operation, &world.alpha.ids, token, Some(body)).await;
                let what = format!("{} with {field}: {value:.60}", operation.name());
                assert!(!answer.status.is_server_error(), "{what}: {}", answer.body);
                assert!(answer.status.is_success() || answer.body["instance"].is_string(), "{what}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn bad_ids_queries_and_headers() {
    let world = World::new().await;
    let long = format!("rtr_{}", "0".repeat(3000));
    let ids = ["x", "1", "0", "cus_", "rtr_zz", "%00", "%FF", "..%2F..", "%F0%9F%92%A9", "rtr_%27%3B--", &long];
    let queries = [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=99999999999",
        "cursor=zzz",
        "cursor=%00",
        "cursor=%27",
        "limit=1&limit=2",
    ];
    for operation in world.document.operations() {
        let body = if operation.body.is_some() { "{}" } else { "" };
        let mut paths = Vec::new();
        for kind in operation.kinds() {
            let put = |id: &&str| {
                operation.path(&Ids::from_iter(
                    [world.alpha.ids.clone(), Ids::from([(kind.clone(), (*id).to_owned())])].into_iter().flatten(),
                ))
            };
            paths.extend(ids.iter().map(put));
        }
        if operation.query.iter().any(|name| name == "cursor") {
            paths.extend(queries.iter().map(|query| format!("{}&{query}", operation.path(&world.alpha.ids))));
        }
        for path in paths {
            let mut request = world.request(&operation, "application/json", body);
            *request.uri_mut() = path.parse().expect("a URI");
            let what = format!("{} {path:.80}", operation.method);
            assert_eq!(world.refused(&what, request).await.kind, "invalid-request", "{what}");
        }
    }
    for filter in ["login=%00", "login=%FF", "kind=%00", "router=%00", "router=x", "kind=other", "login=a%25_%5C"] {
        let path = format!("/api/v1/customers?{filter}");
        let answer = world.test.call("GET", &path, &world.alpha.token, None).await;
        assert!(!answer.status.is_server_error(), "{filter}: {}", answer.body);
    }
}

#[tokio::test]
async fn bad_keys_of_money_requests() {
    let world = World::new().await;
    let body = || json!({ "amount": { "minor": 100_000, "currency": "KES" } }).to_string();
    let operations = world.document.operations();
    let pay = operations.iter().find(|operation| operation.name() == "POST /customers/{id}/payments").expect("it exists");
    let before = world.test.db.rows(None).await;
    let long = "k".repeat(101);
    for key in ["", "short", "with a space", long.as_str()] {
        let mut request = world.request(pay, "application/json", body());
        request.headers_mut().insert("idempotency-key", HeaderValue::from_str(key).expect("a header"));
        assert_eq!(world.refused(key, request).await.fields, ["Idempotency-Key"], "{key}");
    }
    let mut request = world.request(pay, "application/json", body());
    request.headers_mut().remove("idempotency-key");
    assert_eq!(world.refused("no key", request).await.fields, ["Idempotency-Key"]);
    let mut request = world.request(pay, "application/json", body());
    request.headers_mut().insert("idempotency-key", HeaderValue::from_bytes(&[0xff; 20]).expect("a header"));
    assert_eq!(world.refused("no text", request).await.fields, ["Idempotency-Key"]);
    assert!(world.test.db.rows(None).await == before, "money was counted without a key");
}

#[tokio::test]
async fn bad_credentials_in_form() {
    let world = World::new().await;
    let whole = &world.alpha.token;
    for value in [
        whole.clone().into_bytes(),
        format!("Basic {whole}").into_bytes(),
        format!("bearer{whole}").into_bytes(),
        format!("Bearer {whole} {whole}").into_bytes(),
        format!("Bearer {whole}x").into_bytes(),
        format!("Bearer mw_api_{}", "x".repeat(10_000)).into_bytes(),
        vec![b'B', 0xff, 0xfe],
        b"Bearer".to_vec(),
        b"Bearer mw_api_".to_vec(),
    ] {
        let request =
            Request::get("/api/v1/me").header(header::AUTHORIZATION, HeaderValue::from_bytes(&value).expect("a header"));
        let problem = world.refused("a bad header", request.body(Body::empty()).expect("a request")).await;
        assert_eq!(problem.kind, "unauthenticated", "{}", String::from_utf8_lossy(&value));
    }
}

#[tokio::test]
async fn ways_that_lead_nowhere() {
    let world = World::new().await;
    for (method, path, kind) in [
        ("GET", "/", "not-found"),
        ("GET", "/api/v1/", "not-found"),
        ("GET", "/api/v1/nowhere", "not-found"),
        ("GET", "/api/v1/../v1/routers", "not-found"),
        ("GET", "/api/v1//routers", "not-found"),
        ("GET", "/api/v1/routers/", "not-found"),
        ("PUT", "/api/v1/routers", "method-not-allowed"),
        ("TRACE", "/api/v1/me", "method-not-allowed"),
        ("POST", "/healthz", "method-not-allowed"),
    ] {
        let request =
            Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {}", world.alpha.token));
        let problem = world.refused(path, request.body(Body::empty()).expect("a request")).await;
        assert_eq!(problem.kind, kind, "{method} {path}");
    }
}
