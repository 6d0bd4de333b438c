//! An ISP, and short ways to its API.

use controller::operators::Role;
use controller::testing::{Answer, TestApp, TestTenant};
use jiff::SignedDuration;
use model::{OperatorId, RouterId};
use serde_json::{Value, json};

/// An ISP.
pub struct Isp<'a> {
    pub test: &'a TestApp,
    pub tenant: TestTenant,
    login: String,
}

impl<'a> Isp<'a> {
    pub async fn new(test: &'a TestApp, name: &str) -> Isp<'a> {
        let mut tenant = test.tenant(name).await;
        tenant.token = test.token(&tenant, Role::Admin).await;
        Self { test, tenant, login: name.to_lowercase() }
    }

    /// Sends a request, a second after the one before: what is made in the same moment has no order.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.test.clock.advance(SignedDuration::from_secs(1));
        self.test.call(method, &format!("/api/v1{path}"), &self.tenant.token, body).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, Some(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }

    /// Makes a site within another one, or at the top.
    pub async fn site(&self, name: &str, kind: &str, parent: Option<&str>) -> String {
        self.post("/sites", json!({ "name": name, "kind": kind, "parent": parent })).await.expect(201).text("id")
    }

    pub async fn router(&self, name: &str) -> String {
        self.post("/routers", json!({ "name": name })).await.expect(201).text("id")
    }

    /// Makes a package that lasts a day, at 10 Mbit/s down and 5 up, for 1000.00.
    pub async fn package(&self, name: &str, kind: &str) -> String {
        let body = json!({
            "name": name, "kind": kind, "price": { "minor": 100_000, "currency": "KES" }, "validity": { "seconds": 86_400 },
            "speed": speed(10),
        });
        self.post("/packages", body).await.expect(201).text("id")
    }

    pub async fn customer(&self, login: &str, router: &str, package: &str) -> String {
        self.post("/customers", json!({ "login": login, "router": router, "package": package })).await.expect(201).text("id")
    }

    pub async fn pay(&self, customer: &str, minor: i64) -> Answer {
        self.post(&format!("/customers/{customer}/payments"), json!({ "amount": { "minor": minor, "currency": "KES" } })).await
    }

    /// A router's desired generation.
    pub async fn generation(&self, router: &str) -> i64 {
        let state = self.get(&format!("/routers/{router}/state")).await.expect(200);
        state.body["desired"].as_i64().expect("a number")
    }

    /// Makes the admin one of the staff who sees one router alone, and logs them in again.
    pub async fn limited_to(&self, router: &str) -> String {
        let mut superuser = self.test.db.connect_as("postgres").await;
        let operator: OperatorId = sqlx::query_scalar(
            "UPDATE membership SET reach = 'assigned', role = 'staff' WHERE tenant_id = $1 RETURNING operator_id",
        )
        .bind(self.tenant.id)
        .fetch_one(&mut superuser)
        .await
        .expect("the admin");
        sqlx::query("INSERT INTO assignment (tenant_id, id, operator_id, router_id, created_at) VALUES ($1, gen_random_uuid(), $2, $3, now())")
            .bind(self.tenant.id)
            .bind(operator)
            .bind(router_id(router))
            .execute(&mut superuser)
            .await
            .expect("an assignment");
        let login = json!({ "login": self.login, "password": "a password for tests" });
        self.test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200).text("token")
    }

    /// Runs a query of one number past all doors.
    pub async fn number(&self, query: &'static str) -> i64 {
        let mut superuser = self.test.db.connect_as("postgres").await;
        sqlx::query_scalar(query).bind(self.tenant.id).fetch_one(&mut superuser).await.expect("a number")
    }
}

/// So many megabit down and 5 up.
pub fn speed(mbit: u64) -> Value {
    json!({ "download_bps": mbit * 1_000_000, "upload_bps": 5_000_000 })
}

#[track_caller]
pub fn router_id(text: &str) -> RouterId {
    text.parse().expect("a router's id")
}

/// The names in a list, in its order.
pub fn names(answer: &Answer) -> Vec<String> {
    let items = answer.body["items"].as_array().expect("a list");
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}
