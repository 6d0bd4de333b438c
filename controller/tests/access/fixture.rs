//! Steps that these tests share.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use controller::http::Peer;
use controller::testing::{Answer, TestApp};
use serde_json::{Value, json};
use std::net::SocketAddr;

pub const PASSWORD: &str = "a password for tests";

/// Sends a request below `/api/v1`.
pub async fn call(test: &TestApp, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
    test.call(method, &format!("/api/v1{path}"), token, body).await
}

pub async fn get(test: &TestApp, path: &str, token: &str) -> Answer {
    call(test, "GET", path, token, None).await
}

pub async fn post(test: &TestApp, path: &str, token: &str, body: Value) -> Answer {
    call(test, "POST", path, token, Some(body)).await
}

/// Logs in.
pub async fn log_in(test: &TestApp, login: &str, password: &str) -> Answer {
    post(test, "/login", "", json!({ "login": login, "password": password })).await
}

/// Sends a login from an address, by a client with a name.
pub async fn log_in_from(test: &TestApp, address: &str, client: &str, body: Value) -> Answer {
    let mut request = Request::post("/api/v1/login")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, client)
        .body(Body::from(body.to_string()))
        .expect("a good request");
    let address: SocketAddr = address.parse().expect("an address");
    request.extensions_mut().insert(ConnectInfo(Peer(address)));
    test.send(request).await
}

/// The last part of a problem's kind.
pub fn kind(answer: &Answer) -> String {
    answer.text("type").rsplit(':').next().expect("a last part").to_owned()
}

/// The texts in a list.
pub fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The ids of a list's items.
pub fn ids(answer: &Answer) -> Vec<String> {
    let items = answer.body["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["id"].as_str().map(str::to_owned)).collect()
}

/// The actions in a tenant's own log, the oldest first, with who did them.
pub async fn log(test: &TestApp, token: &str) -> Vec<(String, String)> {
    let lines = get(test, "/audit?limit=200", token).await.expect(200);
    let items = lines.body["items"].as_array().expect("a list").iter().rev();
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    items.map(|item| (text(item, "action"), text(item, "actor"))).collect()
}
