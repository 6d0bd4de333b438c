//! An ISP, the platform's operator, and short ways to call.

use controller::operators::Role;
use controller::testing::{Answer, TestApp, TestTenant};
use jiff::SignedDuration;
use serde_json::{Value, json};

pub const DAY: SignedDuration = SignedDuration::from_hours(24);
pub const PRICE: i64 = 150_000;

/// An ISP under the eyes of the platform's operator.
pub struct Isp<'a> {
    pub test: &'a TestApp,
    pub tenant: TestTenant,
}

impl<'a> Isp<'a> {
    /// Makes an ISP. Its token is one for programs, since logins end within the days that tests let pass.
    pub async fn new(test: &'a TestApp, name: &str) -> Isp<'a> {
        let mut tenant = test.tenant(name).await;
        tenant.token = test.token(&tenant, Role::Admin).await;
        Self { test, tenant }
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.test.call(method, &format!("/api/v1{path}"), &self.tenant.token, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, Some(body)).await
    }

    pub async fn router(&self, name: &str) -> Answer {
        self.post("/routers", json!({ "name": name })).await
    }

    pub async fn package(&self, name: &str) -> String {
        self.post("/packages", package(name, "pppoe")).await.expect(201).text("id")
    }

    pub async fn customer(&self, login: &str, router: &str, package: &str) -> Answer {
        self.post("/customers", json!({ "login": login, "router": router, "package": package })).await
    }

    pub async fn pay(&self, customer: &str) -> Answer {
        let body = json!({ "amount": { "minor": PRICE, "currency": "KES" } });
        self.post(&format!("/customers/{customer}/payments"), body).await
    }

    /// A router, a package, and a customer who has it and paid.
    pub async fn in_business(&self) -> Business {
        let router = self.router("roof").await.expect(201).text("id");
        let package = self.package("Home").await;
        let customer = self.customer("jane", &router, &package).await.expect(201).text("id");
        let _ = self.pay(&customer).await.expect(201);
        Business { router, package, customer }
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/platform/tenants/{}{rest}", self.tenant.id)
    }

    /// How many lines the ISP's own audit log has of an action.
    pub async fn audited(&self, action: &str) -> i64 {
        let mut owner = self.test.db.connect_as("postgres").await;
        sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = $2")
            .bind(self.tenant.id)
            .bind(action)
            .fetch_one(&mut owner)
            .await
            .expect("a count")
    }
}

/// What an ISP needs to sell.
pub struct Business {
    pub router: String,
    pub package: String,
    pub customer: String,
}

pub fn package(name: &str, kind: &str) -> Value {
    json!({
        "name": name, "kind": kind, "price": { "minor": PRICE, "currency": "KES" }, "validity": { "months": 1 },
        "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }
    })
}

/// The platform's operator, who logs in anew when a test has let days pass.
pub struct Platform<'a> {
    test: &'a TestApp,
    token: String,
}

impl<'a> Platform<'a> {
    pub async fn new(test: &'a TestApp) -> Platform<'a> {
        Self { test, token: test.platform().await }
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.test.call(method, &format!("/api/v1{path}"), &self.token, body).await
    }

    /// Logs in anew after the clock was moved.
    pub async fn again(&mut self) {
        let login = json!({ "login": "admin", "password": "a password for tests" });
        self.token = self.test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200).text("token");
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    /// Moves an ISP to another standing.
    pub async fn stand(&self, isp: &Isp<'_>, to: &str) -> Answer {
        self.call("POST", &isp.path("/standing"), Some(json!({ "to": to, "reason": "because of the test" }))).await
    }

    pub async fn limit(&self, isp: &Isp<'_>, name: &str, soft: i64, hard: i64) -> Answer {
        let body = json!({ "name": name, "bounds": { "soft": soft, "hard": hard }, "reason": "because of the test" });
        self.call("PUT", &isp.path("/limits"), Some(body)).await
    }
}

#[track_caller]
pub fn kind(answer: &Answer) -> String {
    answer.text("type").trim_start_matches("urn:mastwire:problem:").to_owned()
}
