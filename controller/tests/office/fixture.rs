//! An ISP with a confirmed router and a package, and short ways to its office.

use crate::carrier::Carrier;
use controller::messages;
use controller::operators::Role;
use controller::testing::{Answer, TestApp, TestTenant};
use db::TenantDoor;
use jiff::{SignedDuration, Timestamp};
use model::RouterId;
use serde_json::{Value, json};

/// What the package costs, in minor units.
pub const PRICE: i64 = 150_000;

/// An ISP.
pub struct Isp<'a> {
    pub test: &'a TestApp,
    pub tenant: TestTenant,
    /// Its admin's login, whereas the tenant's token is a program's.
    pub admin: String,
    pub router: String,
    pub package: String,
}

/// A controller whose gateways may stand on this machine.
pub async fn office() -> TestApp {
    // Whoever was first has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut test = TestApp::new().await;
    test.reconfigure(|config| config.private_gateways = true);
    test
}

impl<'a> Isp<'a> {
    pub async fn new(test: &'a TestApp, name: &str) -> Isp<'a> {
        let mut tenant = test.tenant(name).await;
        let admin = tenant.token.clone();
        // A token for programs, since a login ends within the days that some tests let pass.
        tenant.token = test.token(&tenant, Role::Admin).await;
        let router = router(test, &tenant, "roof").await.to_string();
        let mut isp = Self { test, tenant, admin, router, package: String::new() };
        let package = json!({
            "name": "Home", "kind": "pppoe", "price": kes(PRICE), "validity": { "months": 1 },
            "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }
        });
        isp.package = isp.post("/packages", package).await.expect(201).text("id");
        isp
    }

    /// Sends a request, a second after the one before: what is made in the same moment has no order.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call_as(&self.tenant.token, method, path, body).await
    }

    pub async fn call_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.test.clock.advance(SignedDuration::from_secs(1));
        self.test.call(method, &format!("/api/v1{path}"), token, body).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    /// The items of a list.
    pub async fn items(&self, path: &str) -> Vec<Value> {
        self.get(path).await.expect(200).body["items"].as_array().expect("a list").clone()
    }

    /// Makes a customer of the package on the ISP's router, with a telephone.
    pub async fn customer(&self, login: &str) -> String {
        self.customer_with(json!({ "login": login, "phone": "0712345678" })).await
    }

    pub async fn customer_with(&self, mut body: Value) -> String {
        for (field, id) in [("router", &self.router), ("package", &self.package)] {
            if body[field].is_null() {
                body[field] = json!(id);
            }
        }
        self.post("/customers", body).await.expect(201).text("id")
    }

    /// Takes cash for the customer's package.
    pub async fn pay(&self, customer: &str) -> Answer {
        self.post(&format!("/customers/{customer}/payments"), json!({ "amount": kes(PRICE) })).await.expect(201)
    }

    /// Makes a template and a rule that writes by it; returns the rule.
    pub async fn rule(&self, event: &str, text: &str, more: Value) -> String {
        let template = self.template(event, event, "", text).await;
        let mut body = json!({ "event": event, "template": template });
        for (field, value) in more.as_object().expect("fields") {
            body[field] = value.clone();
        }
        self.post("/message-rules", body).await.expect(201).text("id")
    }

    pub async fn template(&self, name: &str, event: &str, language: &str, text: &str) -> String {
        let body = json!({ "name": name, "channel": "sms", "event": event, "language": language, "text": text });
        self.post("/message-templates", body).await.expect(201).text("id")
    }

    /// Sets up a gateway that leads to a carrier.
    pub async fn gateway(&self, name: &str, carrier: &Carrier, more: Value) -> String {
        let mut body = json!({
            "name": name, "provider": "http_sms", "purpose": "all", "environment": "production",
            "credentials": { "url": carrier.url, "body": "to={phone}&message={text}", "authorization": "Bearer planted-key" }
        });
        for (field, value) in more.as_object().expect("fields") {
            match field.as_str() {
                "credentials" => {
                    value.as_object().expect("keys").iter().for_each(|(key, value)| body["credentials"][key] = value.clone())
                }
                _ => body[field] = value.clone(),
            }
        }
        self.post("/gateways", body).await.expect(201).text("id")
    }

    /// Writes to a customer by hand; returns the message.
    pub async fn write(&self, customer: &str, text: &str) -> String {
        self.post("/messages", json!({ "customer": customer, "text": text })).await.expect(201).text("id")
    }

    pub async fn message(&self, id: &str) -> Value {
        self.get(&format!("/messages/{id}")).await.expect(200).body
    }

    /// What was written, oldest first: state and text.
    pub async fn written(&self) -> Vec<(String, String)> {
        let text = |item: &Value, field: &str| item[field].as_str().expect("a text").to_owned();
        let items = self.items("/messages?limit=200").await;
        items.iter().rev().map(|item| (text(item, "state"), text(item, "text"))).collect()
    }

    /// Writes what is due by the clock.
    pub async fn sweep(&self) -> usize {
        messages::run_due(&self.test.app).await.expect("swept")
    }

    /// Sends what is due.
    pub async fn send(&self) -> usize {
        messages::send_due(&self.test.app).await.expect("sent")
    }

    pub async fn door(&self) -> TenantDoor {
        let doors = self.test.app.db.locator().tenants("test").await.expect("the tenants are read");
        doors.into_iter().find(|door| door.tenant() == self.tenant.id).expect("the tenant is there")
    }

    pub fn router_id(&self) -> RouterId {
        self.router.parse().expect("an id")
    }

    pub fn now(&self) -> Timestamp {
        self.test.app.clock.now()
    }

    /// Moves the clock to a moment that is still to come.
    pub fn wait_until(&self, moment: &str) {
        let moment: Timestamp = moment.parse().expect("a time");
        assert!(moment > self.now(), "it is {} already", self.now());
        self.test.clock.advance(moment.duration_since(self.now()));
    }

    pub fn pass(&self, span: SignedDuration) {
        self.test.clock.advance(span);
    }
}

/// Puts a confirmed router into the database, past all doors.
pub async fn router(test: &TestApp, tenant: &TestTenant, name: &str) -> RouterId {
    test.clock.advance(SignedDuration::from_secs(1));
    let id = RouterId::generate(test.app.clock.now(), &*test.app.entropy);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("INSERT INTO router (tenant_id, id, name, stage, serial, created_at) VALUES ($1, $2, $3, 'confirmed', $3, '2026-01-01 00:00Z')")
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

pub fn kes(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "KES" })
}

/// The values of a field, of each item of a list.
pub fn each(items: &[Value], field: &str) -> Vec<Value> {
    items.iter().map(|item| item[field].clone()).collect()
}

/// A technician who sees one router.
pub async fn technician(isp: &Isp<'_>, login: &str, router: &str) -> (String, String) {
    let grant = json!({ "role": "field_tech", "reach": "assigned" });
    let (id, token) = isp.test.operator(&isp.tenant, login, grant).await;
    let path = format!("/operators/{id}/assignments");
    let _ = isp.call("PUT", &path, Some(json!({ "routers": [router], "sites": [] }))).await.expect(200);
    (id, token)
}
