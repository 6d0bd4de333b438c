//! An ISP with a router, ready to sell.

use controller::operators::{Actor, Asked, Role, TenantScope, authenticate};
use controller::testing::{Answer, TestApp, TestTenant};
use jiff::Timestamp;
use model::{CustomerId, PaymentId, RouterId};
use serde_json::{Value, json};

/// An ISP.
pub struct Isp<'a> {
    pub test: &'a TestApp,
    pub tenant: TestTenant,
    pub router: RouterId,
}

/// What everybody pays in these tests unless they say otherwise.
pub const PRICE: i64 = 150_000;

impl<'a> Isp<'a> {
    pub async fn new(test: &'a TestApp, name: &str) -> Isp<'a> {
        let mut tenant = test.tenant(name).await;
        // A token for programs, since a login ends within the days that some tests let pass.
        tenant.token = test.token(&tenant, Role::Admin).await;
        let router = router(test, &tenant, "roof").await;
        Self { test, tenant, router }
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

    /// Makes a package of 10 Mbit/s down and 5 up for [`PRICE`].
    pub async fn package(&self, name: &str, kind: &str, validity: Value) -> String {
        self.post("/packages", package(name, kind, PRICE, validity)).await.expect(201).text("id")
    }

    /// Makes a PPPoE customer.
    pub async fn customer(&self, login: &str, package: &str) -> String {
        self.post("/customers", json!({ "login": login, "router": self.router, "package": package })).await.expect(201).text("id")
    }

    /// A month's package and a customer who has it.
    pub async fn monthly(&self, login: &str) -> String {
        let package = self.package(&format!("Home {login}"), "pppoe", json!({ "months": 1 })).await;
        self.customer(login, &package).await
    }

    /// Takes cash for the customer's own package.
    pub async fn pay(&self, customer: &str) -> Answer {
        self.post(&format!("/customers/{customer}/payments"), cash(PRICE)).await
    }

    pub async fn reverse(&self, payment: &str) -> Answer {
        self.post(&format!("/payments/{payment}/reverse"), json!({ "reason": "typed twice" })).await
    }

    /// What the ledger holds in an account.
    pub async fn balance(&self, account: &str) -> i64 {
        let balances = self.get("/ledger/balances").await.expect(200);
        let items = balances.body["items"].as_array().expect("a list").clone();
        items
            .iter()
            .find(|item| item["account"] == account)
            .map_or(0, |item| item["balance"]["minor"].as_i64().expect("a number"))
    }

    /// The router's desired generation.
    pub async fn generation(&self) -> i64 {
        desired(self.test, self.router).await
    }

    /// The way in that a request of this ISP gets.
    pub async fn scope(&self) -> TenantScope {
        match authenticate(&self.test.app, &self.tenant.token, &Asked::default()).await.expect("a good token") {
            Actor::Tenant { scope, .. } => scope,
            Actor::Platform { .. } => panic!("a tenant's token"),
        }
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

pub fn cash(minor: i64) -> Value {
    json!({ "amount": { "minor": minor, "currency": "KES" } })
}

pub fn package(name: &str, kind: &str, minor: i64, validity: Value) -> Value {
    json!({
        "name": name, "kind": kind, "price": { "minor": minor, "currency": "KES" }, "validity": validity,
        "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }
    })
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

pub async fn desired(test: &TestApp, router: RouterId) -> i64 {
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query_scalar("SELECT desired FROM router_state WHERE router_id = $1")
        .bind(router)
        .fetch_one(&mut owner)
        .await
        .expect("its state")
}

/// Reads a time out of an answer.
#[track_caller]
pub fn time(answer: &Answer, field: &str) -> Timestamp {
    answer.text(field).parse().expect("a time")
}

#[track_caller]
pub fn customer_id(text: &str) -> CustomerId {
    text.parse().expect("a customer's id")
}

#[track_caller]
pub fn payment_id(text: &str) -> PaymentId {
    text.parse().expect("a payment's id")
}
