//! Two ISPs with two routers each, a customer who has paid, and an operator who is limited to one of the routers.

use controller::operators::Role;
use controller::testing::{TestApp, TestTenant};
use db::TestDb;
use db::audit::Report;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::BTreeMap;

pub struct World {
    pub test: TestApp,
    pub alpha: Isp,
    pub beta: Isp,
}

pub struct Isp {
    pub tenant: TestTenant,
    /// An API token of its admin.
    pub token: String,
    pub customer: String,
}

impl World {
    pub async fn new() -> Self {
        let test = TestApp::new().await;
        let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
        Self { test, alpha, beta }
    }

    /// Looks at everything.
    pub async fn report(&self) -> Report {
        self.test.app.db.audit(self.test.app.clock.now()).await.expect("the database answers")
    }

    /// Connects as a superuser, for whom no trigger and no foreign key holds.
    pub async fn vandal(&self) -> PgConnection {
        let mut vandal = self.test.db.connect_as("postgres").await;
        TestDb::run(&mut vandal, "SET session_replication_role = replica").await;
        vandal
    }
}

pub fn counts(report: &Report) -> BTreeMap<&'static str, u64> {
    report.rules.iter().map(|rule| (rule.name, rule.found)).collect()
}

pub fn text(report: &Report) -> String {
    let lines = report
        .rules
        .iter()
        .flat_map(|rule| rule.findings.iter().map(move |finding| format!("{}: {} {}", rule.name, finding.place, finding.what)));
    lines.collect::<Vec<_>>().join("\n")
}

impl Isp {
    async fn new(test: &TestApp, name: &str) -> Self {
        let tenant = test.tenant(name).await;
        let token = test.token(&tenant, Role::Admin).await;
        let post =
            async |path: &str, body: Value| test.call("POST", &format!("/api/v1{path}"), &token, Some(body)).await.expect(201);
        let router = post("/routers", json!({ "name": "roof" })).await.text("id");
        post("/routers", json!({ "name": "mast" })).await;
        let package = json!({ "name": "Home", "kind": "pppoe", "price": { "minor": 1000, "currency": "KES" }, "validity": { "months": 1 },
                              "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 } });
        let package = post("/packages", package).await.text("id");
        let customer = post("/customers", json!({ "login": "jane", "router": router, "package": package })).await.text("id");
        post(&format!("/customers/{customer}/payments"), json!({ "amount": { "minor": 1000, "currency": "KES" } })).await;
        let mut owner = test.db.connect_as("mastwire_owner").await;
        let limited = format!(
            "WITH person AS (
                INSERT INTO operator (id, login, display_name, created_at) VALUES (gen_random_uuid(), 'tom.' || lower('{name}'), 'Tom', now()) RETURNING id),
             member AS (
                INSERT INTO membership (tenant_id, operator_id, role, reach, created_at)
                SELECT '{0}', id, 'field_tech', 'assigned', now() FROM person RETURNING operator_id)
             INSERT INTO assignment (tenant_id, id, operator_id, router_id, created_at)
                SELECT r.tenant_id, gen_random_uuid(), m.operator_id, r.id, now() FROM member m CROSS JOIN router r
                 WHERE r.tenant_id = '{0}' AND r.name = 'roof';
             INSERT INTO site (tenant_id, id, kind, name, created_at) VALUES ('{0}', gen_random_uuid(), 'tower', 'hill', now());",
            tenant.id.uuid()
        );
        TestDb::run(&mut owner, &limited).await;
        Self { tenant, token, customer }
    }
}
