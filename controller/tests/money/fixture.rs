//! An ISP with a router and a package, and short ways to its money.

use axum::body::Body;
use axum::http::{Request, header};
use controller::operators::{Actor, Role, TenantScope, authenticate};
use controller::payments::{Aim, Difference, Method, Received, Settled, settle};
use controller::testing::{Answer, TestApp, TestTenant};
use db::TenantTx;
use jiff::SignedDuration;
use model::{Currency, GatewayId, Money};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// What the package costs, in minor units.
pub const PRICE: i64 = 150_000;

/// An ISP.
pub struct Isp<'a> {
    pub test: &'a TestApp,
    pub tenant: TestTenant,
    pub router: String,
    pub package: String,
}

impl<'a> Isp<'a> {
    pub async fn new(test: &'a TestApp, name: &str) -> Isp<'a> {
        let mut tenant = test.tenant(name).await;
        // A token for programs, since a login ends within the days that some tests let pass.
        tenant.token = test.token(&tenant, Role::Admin).await;
        let mut isp = Self { test, tenant, router: String::new(), package: String::new() };
        isp.router = isp.post("/routers", json!({ "name": "roof" })).await.expect(201).text("id");
        isp.package = isp.sell("Home", "pppoe", PRICE).await;
        isp
    }

    /// Sends a request, a second after the one before: what is made in the same moment has no order.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.test.clock.advance(SignedDuration::from_secs(1));
        self.test.call(method, &format!("/api/v1{path}"), &self.tenant.token, body).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    /// Puts a package on sale that lasts a month.
    pub async fn sell(&self, name: &str, kind: &str, minor: i64) -> String {
        let body = json!({
            "name": name, "kind": kind, "price": kes(minor), "validity": { "months": 1 },
            "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }
        });
        self.post("/packages", body).await.expect(201).text("id")
    }

    /// Makes a customer of the package.
    pub async fn customer(&self, login: &str) -> String {
        let body = json!({ "login": login, "router": self.router, "package": self.package });
        self.post("/customers", body).await.expect(201).text("id")
    }

    /// Takes cash; the difference goes through the wallet.
    pub async fn pay(&self, customer: &str, minor: i64) -> Answer {
        let body = json!({ "amount": kes(minor), "difference": "wallet" });
        self.post(&format!("/customers/{customer}/payments"), body).await
    }

    /// What a customer's wallet holds.
    pub async fn wallet(&self, customer: &str) -> i64 {
        let wallet = self.get(&format!("/customers/{customer}/wallet")).await.expect(200);
        wallet.body["balance"]["minor"].as_i64().expect("a number")
    }

    /// What the ledger holds in an account.
    pub async fn balance(&self, account: &str) -> i64 {
        let balances = self.get("/ledger/balances").await.expect(200);
        let items = balances.body["items"].as_array().expect("a list").clone();
        let found = items.iter().find(|item| item["account"] == account);
        found.map_or(0, |item| item["balance"]["minor"].as_i64().expect("a number"))
    }

    /// A gateway for mobile money.
    pub async fn gateway(&self, name: &str, environment: &str) -> GatewayId {
        let body = json!({
            "name": name, "provider": "mpesa", "purpose": "all", "environment": environment,
            "credentials": { "consumer_key": "key", "consumer_secret": "planted-secret", "passkey": "pass", "shortcode": "174379", "shortcode_type": "paybill" }
        });
        self.post("/gateways", body).await.expect(201).text("id").parse().expect("an id")
    }

    /// The way in that a request of this ISP gets.
    pub async fn scope(&self) -> TenantScope {
        match authenticate(&self.test.app, &self.tenant.token, &controller::operators::Asked::default())
            .await
            .expect("a good token")
        {
            Actor::Tenant { scope, .. } => scope,
            Actor::Platform { .. } => panic!("a tenant's token"),
        }
    }

    /// Opens a transaction of the ISP's.
    pub async fn tx(&self) -> TenantTx {
        self.test.app.db.tenant(self.scope().await.door()).await.expect("a transaction")
    }

    /// Settles mobile money for a customer's package, and commits.
    pub async fn settle(&self, gateway: GatewayId, receipt: &str, minor: i64, customer: &str) -> Settled {
        let mut tx = self.tx().await;
        let aim = Aim::Buy { customer: customer.parse().expect("an id"), package: None, difference: Difference::Wallet };
        let settled = settle(&self.test.app, &mut tx, self.money(gateway, receipt, minor), aim).await.expect("settled");
        tx.commit().await.expect("committed");
        settled
    }

    /// Mobile money that came now.
    pub fn money(&self, gateway: GatewayId, receipt: &str, minor: i64) -> Received {
        Received {
            method: Method::MobileMoney,
            gateway: Some(gateway),
            receipt: receipt.to_owned(),
            amount: Money::new(minor, Currency::KES),
            received_at: self.test.app.clock.now(),
        }
    }

    /// Runs a query of one number past all doors; `$1` is the tenant.
    pub async fn number(&self, query: &'static str) -> i64 {
        let mut superuser = self.test.db.connect_as("postgres").await;
        sqlx::query_scalar(query).bind(self.tenant.id).fetch_one(&mut superuser).await.expect("a number")
    }

    /// Checks what must hold whatever was done: journals balance, wallets are what their entries say, and bills are paid by what was booked.
    pub async fn expect_sound_books(&self) {
        let unbalanced = "SELECT count(*) FROM (SELECT journal_id FROM ledger_entry WHERE tenant_id = $1
                           GROUP BY journal_id, currency HAVING sum(amount_minor) <> 0) wrong";
        assert_eq!(self.number(unbalanced).await, 0, "journals balance");
        let wallets = "SELECT count(*) FROM wallet w FULL JOIN (
                SELECT customer_id, currency, -sum(amount_minor) AS held, count(*) AS entries, max(wallet_number) AS last FROM ledger_entry
                 WHERE tenant_id = $1 AND account = 'wallets' GROUP BY customer_id, currency) e USING (customer_id, currency)
             WHERE (w.tenant_id IS NULL OR w.tenant_id = $1)
               AND (w.balance_minor, w.entries, w.entries) IS DISTINCT FROM (coalesce(e.held, 0), coalesce(e.entries, 0), coalesce(e.last, 0))";
        assert_eq!(self.number(wallets).await, 0, "wallets are what their entries say");
        let running = "SELECT count(*) FROM (SELECT wallet_balance_minor AS said,
                    -sum(amount_minor) OVER (PARTITION BY customer_id, currency ORDER BY wallet_number) AS is
                    FROM ledger_entry WHERE tenant_id = $1 AND account = 'wallets') line WHERE said <> \"is\"";
        assert_eq!(self.number(running).await, 0, "each line of a statement says what the wallet held");
        let bills = "SELECT count(*) FROM invoice i WHERE i.tenant_id = $1 AND i.paid_minor <> coalesce((SELECT sum(p.amount_minor) FROM payment p
                      WHERE p.tenant_id = $1 AND p.invoice_id = i.id AND p.state = 'completed'), 0)";
        assert_eq!(self.number(bills).await, 0, "bills are paid by what stands");
    }

    /// Sends a file in CSV.
    pub async fn send_csv(&self, path: &str, file: &str) -> Answer {
        self.test.clock.advance(SignedDuration::from_secs(1));
        let request = Request::builder().method("POST").uri(format!("/api/v1{path}")).header(header::CONTENT_TYPE, "text/csv");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.tenant.token));
        self.test.send(request.body(Body::from(file.to_owned())).expect("a good request")).await
    }

    /// Fetches a file.
    pub async fn file(&self, path: &str) -> String {
        let request =
            Request::get(format!("/api/v1{path}")).header(header::AUTHORIZATION, format!("Bearer {}", self.tenant.token));
        let request = request.body(Body::empty()).expect("a good request");
        let response = self.test.service().oneshot(request).await.expect("the service does not fail");
        assert_eq!(response.status(), 200);
        assert!(response.headers()[header::CONTENT_TYPE].to_str().expect("text").starts_with("text/csv"));
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a whole body");
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }
}

pub fn kes(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "KES" })
}

/// The names of what a list has in a field.
pub fn each(answer: &Answer, field: &str) -> Vec<Value> {
    answer.body["items"].as_array().expect("a list").iter().map(|item| item[field].clone()).collect()
}
