//! An ISP with a router and packages.

use axum::body::Body;
use axum::http::{Request, header};
use controller::operators::Role;
use controller::testing::{Answer, TestApp, TestTenant};
use model::RouterId;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// An ISP.
pub struct Isp<'a> {
    pub test: &'a TestApp,
    pub tenant: TestTenant,
    /// The admin's login, for whom the reach can be changed.
    pub login: String,
    pub router: RouterId,
    /// A month by PPPoE.
    pub home: String,
}

impl<'a> Isp<'a> {
    pub async fn new(test: &'a TestApp, name: &str) -> Isp<'a> {
        let mut tenant = test.tenant(name).await;
        // A token for programs, since a login ends within the days that some tests let pass.
        let login = std::mem::take(&mut tenant.token);
        tenant.token = test.token(&TestTenant { token: login.clone(), ..tenant.clone() }, Role::Admin).await;
        let router = router(test, &tenant, "roof").await;
        let mut isp = Self { test, tenant, login, router, home: String::new() };
        isp.home = isp.package("Home", "pppoe", json!({ "months": 1 })).await;
        isp
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.test.call("POST", &format!("/api/v1{path}"), &self.tenant.token, Some(body)).await
    }

    pub async fn post_with_key(&self, path: &str, body: Value, key: &str) -> Answer {
        self.test.call_with_key("POST", &format!("/api/v1{path}"), &self.tenant.token, Some(body), key).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.test.call("PATCH", &format!("/api/v1{path}"), &self.tenant.token, Some(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.test.call("GET", &format!("/api/v1{path}"), &self.tenant.token, None).await
    }

    pub async fn package(&self, name: &str, kind: &str, validity: Value) -> String {
        let body = json!({
            "name": name, "kind": kind, "price": { "minor": 150_000, "currency": "KES" }, "validity": validity,
            "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }
        });
        self.post("/packages", body).await.expect(201).text("id")
    }

    /// Makes a PPPoE customer with more fields.
    pub async fn customer(&self, login: &str, more: Value) -> String {
        self.post("/customers", self.new_customer(login, more)).await.expect(201).text("id")
    }

    pub fn new_customer(&self, login: &str, more: Value) -> Value {
        let mut body = json!({ "login": login, "router": self.router, "package": self.home });
        for (field, value) in more.as_object().expect("fields") {
            body[field] = value.clone();
        }
        body
    }

    pub async fn show(&self, id: &str) -> Value {
        self.get(&format!("/customers/{id}")).await.expect(200).body
    }

    /// The logins of a list, as it comes.
    pub async fn logins(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/customers?{query}")).await.expect(200);
        let items = page.body["items"].as_array().expect("a list").clone();
        items.iter().map(|item| item["login"].as_str().expect("a login").to_owned()).collect()
    }

    /// Sends a file.
    pub async fn import(&self, csv: impl Into<Body>, dry_run: bool, key: Option<&str>) -> Answer {
        let mut request = Request::builder()
            .method("POST")
            .uri(format!("/api/v1/customers/import?dry_run={dry_run}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.tenant.token))
            .header(header::CONTENT_TYPE, "text/csv; charset=utf-8");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.test.send(request.body(csv.into()).expect("a good request")).await
    }

    /// Takes all customers out.
    pub async fn export(&self) -> String {
        let request =
            Request::get("/api/v1/customers/export").header(header::AUTHORIZATION, format!("Bearer {}", self.tenant.token));
        let response = self.test.service().oneshot(request.body(Body::empty()).expect("a request")).await.expect("infallible");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
        let bytes = axum::body::to_bytes(response.into_body(), 64 << 20).await.expect("whole");
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    /// Runs a query past all doors that gives one number.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut owner = self.test.db.connect_as("mastwire_owner").await;
        sqlx::query_scalar(sql).fetch_one(&mut owner).await.expect("a number")
    }

    /// The router's desired generation.
    pub async fn generation(&self) -> i64 {
        let mut owner = self.test.db.connect_as("mastwire_owner").await;
        sqlx::query_scalar("SELECT desired FROM router_state WHERE router_id = $1")
            .bind(self.router)
            .fetch_one(&mut owner)
            .await
            .expect("its state")
    }

    /// How many lines the audit log has of an action.
    pub async fn audited(&self, action: &str) -> i64 {
        let mut owner = self.test.db.connect_as("mastwire_owner").await;
        sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = $2")
            .bind(self.tenant.id)
            .bind(action)
            .fetch_one(&mut owner)
            .await
            .expect("a count")
    }
}

/// Puts a router into the database, past all doors.
pub async fn router(test: &TestApp, tenant: &TestTenant, name: &str) -> RouterId {
    let id = RouterId::generate(test.app.clock.now(), &*test.app.entropy);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("INSERT INTO router (tenant_id, id, name, created_at) VALUES ($1, $2, $3, now())")
        .bind(tenant.id)
        .bind(id)
        .bind(name)
        .execute(&mut owner)
        .await
        .expect("a router");
    sqlx::query("INSERT INTO router_state (tenant_id, router_id) VALUES ($1, $2)")
        .bind(tenant.id)
        .bind(id)
        .execute(&mut owner)
        .await
        .expect("its state");
    id
}
