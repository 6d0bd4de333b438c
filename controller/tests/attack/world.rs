//! Two ISPs full of things, a suspended one, and the platform's operator.

use super::operations::{Document, Ids, Operation, id};
use axum::body::Body;
use axum::http::{Request, header};
use controller::operators::Role;
use controller::testing::{Answer, TestApp, TestTenant};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// An ISP that has one of everything.
pub struct Isp {
    pub tenant: TestTenant,
    /// An API token of its admin.
    pub token: String,
    /// Begins every text in its rows.
    pub marker: String,
    pub ids: Ids,
    /// The names of its router and its package, as a file of customers has them.
    pub names: String,
    /// Voucher codes that can still be used.
    codes: Mutex<Vec<String>>,
}

/// Everything.
pub struct World {
    pub test: TestApp,
    pub document: Document,
    /// Who attacks.
    pub alpha: Isp,
    /// Who is attacked.
    pub beta: Isp,
    /// The platform operator's login.
    pub platform: String,
    texts: AtomicU32,
}

impl World {
    pub async fn new() -> Self {
        let test = TestApp::new().await;
        let platform = test.platform().await;
        let (alpha, beta) = (Isp::new(&test, "Aldebaran").await, Isp::new(&test, "Betelgeuse").await);
        let mut world = Self { document: Document::new(), alpha, beta, platform, texts: AtomicU32::new(0), test };
        (world.alpha.ids, world.beta.ids) = (world.fill(&world.alpha).await, world.fill(&world.beta).await);
        (world.alpha.names, world.beta.names) = (world.names(&world.alpha).await, world.names(&world.beta).await);
        world
    }

    /// Makes one more ISP, with nothing in it.
    pub async fn isp(&self, name: &str) -> Isp {
        Isp::new(&self.test, name).await
    }

    /// Makes one of everything and returns the ids.
    async fn fill(&self, isp: &Isp) -> Ids {
        let mut ids = Ids::from([("TenantId".to_owned(), isp.tenant.id.to_string())]);
        for kind in ["SiteId", "RouterId", "PackageId", "CustomerId", "PaymentId", "VoucherBatchId", "DeviceId", "DiagnosisId", "ApiTokenId", "OperatorId", "LoginSessionId", "InvitationId", "ImpersonationId"] {
            let made = self.make(isp, kind, &ids).await;
            ids.insert(kind.to_owned(), made);
        }
        ids
    }

    /// Returns the ISP's ids with a new one of a kind, for an operation that may end what it works on.
    pub async fn fresh(&self, isp: &Isp, kind: Option<&String>) -> Ids {
        let mut ids = isp.ids.clone();
        if let Some(kind) = kind {
            let made = self.make(isp, kind, &isp.ids).await;
            ids.insert(kind.clone(), made);
        }
        ids
    }

    async fn make(&self, isp: &Isp, kind: &str, ids: &Ids) -> String {
        let (path, schema, field) = match kind {
            "RouterId" => ("/routers".to_owned(), "AddRouter", "id"),
            "SiteId" => ("/sites".to_owned(), "NewSite", "id"),
            "DeviceId" => ("/devices".to_owned(), "NewDevice", "id"),
            "PackageId" => ("/packages".to_owned(), "NewPackage", "id"),
            "CustomerId" => ("/customers".to_owned(), "NewCustomer", "id"),
            "PaymentId" => (format!("/customers/{}/payments", id(ids, "CustomerId")), "NewCash", "payment"),
            "VoucherBatchId" => ("/voucher-batches".to_owned(), "NewBatch", "id"),
            "ApiTokenId" => ("/tokens".to_owned(), "CreateToken", "id"),
            "InvitationId" => ("/invitations".to_owned(), "Invite", "id"),
            "DiagnosisId" => {
                let path = format!("/api/v1/routers/{}/diagnose", id(ids, "RouterId"));
                return self.test.call("POST", &path, &isp.token, None).await.expect(201).text("id");
            }
            "OperatorId" => return self.operator(isp).await,
            "LoginSessionId" => {
                let path = format!("/api/v1/login-sessions?operator={}", self.operator(isp).await);
                let logins = self.test.call("GET", &path, &isp.token, None).await.expect(200);
                return logins.body["items"][0]["id"].as_str().expect("they logged in").to_owned();
            }
            "ImpersonationId" => {
                let path = format!("/api/v1/platform/tenants/{}/impersonations", isp.tenant.id);
                let reason = json!({ "reason": format!("{} asked", isp.marker) });
                return self.test.call("POST", &path, &self.platform, Some(reason)).await.expect(201).text("id");
            }
            "TenantId" => return self.isp(&format!("Spica {}", self.number())).await.tenant.id.to_string(),
            _ => panic!("these tests make no {kind}: teach `World::make` to"),
        };
        let body = self.document.body(schema, ids, &|wanted| self.given(isp, wanted));
        let made = self.test.call("POST", &format!("/api/v1{path}"), &isp.token, Some(body)).await.expect(201);
        let codes = made.body["codes"].as_array().into_iter().flatten();
        isp.codes.lock().expect("no test panics here").extend(codes.filter_map(|code| code.as_str().map(str::to_owned)));
        made.text(field)
    }

    async fn operator(&self, isp: &Isp) -> String {
        let login = format!("{}-{:06}", isp.marker, self.number()).replace(' ', "-");
        self.test.operator(&isp.tenant, &login, json!({ "role": "viewer" })).await.0
    }

    async fn names(&self, isp: &Isp) -> String {
        let name = async |path: &str, kind: &str| {
            let path = format!("/api/v1/{path}/{}", id(&isp.ids, kind));
            self.test.call("GET", &path, &isp.token, None).await.expect(200).text("name")
        };
        format!("{},{}", name("routers", "RouterId").await, name("packages", "PackageId").await)
    }

    /// Makes a body for an operation out of an ISP's ids; a text is a file.
    pub fn body(&self, isp: &Isp, operation: &Operation, ids: &Ids) -> Option<Value> {
        if operation.csv {
            return Some(json!(format!("login,router,package\n{}-{:06},{}\n", isp.marker, self.number(), isp.names)));
        }
        let schema = operation.body.as_ref()?;
        Some(self.document.body(schema, ids, &|wanted| self.given(isp, wanted)))
    }

    /// Calls an operation with ids in the path and a body.
    pub async fn call(&self, operation: &Operation, ids: &Ids, token: &str, body: Option<Value>) -> Answer {
        self.send(&operation.method, &operation.path(ids), token, body).await
    }

    /// Sends a body as what it is: a text as a file, all else as JSON.
    pub async fn send(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let Some(Value::String(file)) = body else { return self.test.call(method, path, token, body).await };
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "text/csv");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.test.send(request.body(Body::from(file)).expect("a good request")).await
    }

    /// What fits where a schema alone does not say it.
    fn given(&self, isp: &Isp, wanted: &str) -> Option<Value> {
        match wanted {
            "string" => Some(json!(format!("{}-{:06}", isp.marker, self.number()))),
            "NewBatch.count" => Some(json!(20)),
            // Nothing stands in itself, and a thing that was just made stands in nothing.
            "NewSite.parent" | "MoveSite.parent" | "NewDevice.parent" | "DeviceChange.parent" => Some(Value::Null),
            "NewDevice.credentials" => Some(json!({ "user": format!("{}-{:06}", isp.marker, self.number()), "password": "for tests" })),
            "MoveOperator.to" | "RouterMove.to" => {
                let other = if isp.tenant.id == self.beta.tenant.id { &self.alpha } else { &self.beta };
                Some(json!(other.tenant.id))
            }
            "Redemption.code" => Some(json!(isp.codes.lock().expect("no test panics here").pop())),
            _ => None,
        }
    }

    fn number(&self) -> u32 {
        self.texts.fetch_add(1, Ordering::Relaxed)
    }
}

impl Isp {
    async fn new(test: &TestApp, name: &str) -> Self {
        let tenant = test.tenant(&name.replace(' ', "-")).await;
        let token = test.token(&tenant, Role::Admin).await;
        Self { tenant, token, marker: name.to_lowercase(), ids: Ids::new(), names: String::new(), codes: Mutex::default() }
    }

    /// Finds what of this ISP stands in a text: one of its ids, or a text of its own.
    pub fn traces(&self, text: &str) -> Vec<&str> {
        let text = text.to_lowercase();
        let marks = self.ids.values().map(String::as_str).chain([self.marker.as_str()]);
        marks.filter(|mark| text.contains(mark)).collect()
    }
}
