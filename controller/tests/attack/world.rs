//! Two ISPs full of things, a suspended one, and the platform's operator.

use super::operations::{Document, Ids, Operation, id};
use axum::body::Body;
use axum::http::{Request, header};
use controller::configurations::{self, Reason};
use controller::jobs;
use controller::operators::Role;
use controller::payments::attempts;
use controller::testing::{Answer, TestApp, TestTenant};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

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
    /// A router beside the one among the ids.
    second_router: OnceLock<String>,
}

/// What a path takes that is no id.
const WORDS: &[(&str, &str)] = &[("job", "months"), ("name", "months")];

/// How one of each kind is made, each after those that it needs: the kind, the path, the schema of the body, and the id's field in the
/// answer. Kinds without a path are made in a way of their own (`World::make`).
const MAKERS: &[(&str, &str, Option<&str>, &str)] = &[
    ("SiteId", "/sites", Some("NewSite"), "id"),
    ("RouterId", "/routers", Some("AddRouter"), "id"),
    ("PackageId", "/packages", Some("NewPackage"), "id"),
    ("CustomerId", "/customers", Some("NewCustomer"), "id"),
    ("OperatorId", "", None, ""),
    ("LoginSessionId", "", None, ""),
    ("InvitationId", "/invitations", Some("Invite"), "id"),
    ("ImpersonationId", "/platform/tenants/{TenantId}/impersonations", Some("BeginVisit"), "id"),
    ("DeviceId", "/devices", Some("NewDevice"), "id"),
    ("GatewayId", "/gateways", Some("NewGateway"), "id"),
    ("AccountId", "/accounts", Some("NewAccount"), "id"),
    ("PaymentId", "/customers/{CustomerId}/payments", Some("NewCash"), "payment"),
    ("PaymentAttemptId", "", None, ""),
    ("UnmatchedId", "/unmatched-payments", Some("NewArrival"), "item"),
    ("InvoiceId", "/invoices", Some("NewInvoice"), "id"),
    ("ExpenseId", "/expenses", Some("NewExpense"), "id"),
    ("RecurringExpenseId", "/recurring-expenses", Some("NewRecurring"), "id"),
    ("VoucherBatchId", "/voucher-batches", Some("NewBatch"), "id"),
    ("ApiTokenId", "/tokens", Some("CreateToken"), "id"),
    ("DiagnosisId", "/customers/{CustomerId}/diagnose", None, "id"),
    ("TicketId", "/tickets", Some("NewTicket"), "id"),
    ("LeadId", "/leads", Some("NewLead"), "id"),
    ("WorkId", "/work-entries", Some("NewWork"), "id"),
    ("TemplateId", "/message-templates", Some("NewMessageTemplate"), "id"),
    ("MessageRuleId", "/message-rules", Some("NewMessageRule"), "id"),
    ("MessageId", "/messages", Some("NewMessage"), "id"),
    ("NotificationId", "", None, ""),
    ("BackupId", "/backups", None, "id"),
    ("ConfigurationId", "", None, ""),
];

/// Puts ids into a path.
fn put(path: &str, ids: &Ids) -> String {
    ids.iter().fold(format!("/api/v1{path}"), |path, (kind, id)| path.replace(&format!("{{{kind}}}"), id))
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
    /// An ISP beside the two, to which things can be moved.
    third: OnceLock<String>,
}

impl World {
    pub async fn new() -> Self {
        let test = TestApp::new().await;
        let platform = test.platform().await;
        jobs::plan(&test.app, jobs::DEFINITIONS).await.expect("they are put on the schedule");
        let (alpha, beta) = (Isp::new(&test, "Aldebaran").await, Isp::new(&test, "Betelgeuse").await);
        let mut world =
            Self { document: Document::new(), alpha, beta, platform, texts: AtomicU32::new(0), third: OnceLock::new(), test };
        let third = world.isp("Canopus").await.tenant.id.to_string();
        world.third.set(third).expect("it is set once");
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
        ids.extend(WORDS.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())));
        for (kind, ..) in MAKERS {
            let made = self.make(isp, kind, &ids).await;
            ids.insert((*kind).to_owned(), made);
        }
        // A customer who was recognised by something else before, and a file with nobody in it.
        let renamed = json!({ "login": format!("{}-{:06}", isp.marker, self.number()) });
        let changed = self.test.call("PATCH", &put("/customers/{CustomerId}", &ids), &isp.token, Some(renamed)).await;
        assert!(changed.status.is_success(), "{}", changed.body);
        let file = json!("login,router,package\n");
        let taken = self.send("POST", "/api/v1/customers/import?dry_run=false", &isp.token, Some(file)).await;
        assert!(taken.status.is_success(), "{}", taken.body);
        let second = self.make(isp, "RouterId", &ids).await;
        isp.second_router.set(second).expect("an ISP is filled once");
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

    /// Makes one of a kind.
    async fn make(&self, isp: &Isp, kind: &str, ids: &Ids) -> String {
        // What is made in one moment has no order, and of backups the newest are kept.
        self.test.clock.advance(SignedDuration::from_millis(1));
        match kind {
            "TenantId" => return self.isp(&format!("Spica {}", self.number())).await.tenant.id.to_string(),
            "OperatorId" => return self.operator(isp).await,
            "LoginSessionId" => return self.login(isp).await,
            "PaymentAttemptId" => return self.attempt(isp, ids).await,
            "NotificationId" => return self.notification(isp).await,
            "ConfigurationId" => return self.configuration(isp, ids).await,
            _ => {}
        }
        let maker = MAKERS.iter().find(|(known, ..)| *known == kind);
        let (_, path, schema, field) = maker.unwrap_or_else(|| panic!("these tests make no {kind}: teach `MAKERS` to"));
        let token = if path.starts_with("/platform") { &self.platform } else { &isp.token };
        let body = schema.map(|schema| self.document.body(schema, ids, &|wanted| self.given(isp, wanted)));
        let made = self.test.call("POST", &put(path, ids), token, body).await;
        assert!(made.status.is_success(), "making a {kind}: {}", made.body);
        // Those of a batch that is made later may be made worthless by what it was made for.
        let first = isp.ids.is_empty();
        let codes = made.body["codes"].as_array().into_iter().flatten().filter(|_| first);
        isp.codes.lock().expect("no test panics here").extend(codes.filter_map(|code| code.as_str().map(str::to_owned)));
        let id = made.text(field);
        self.finish(isp, kind, &id).await;
        id
    }

    /// What has to follow before the thing is one that everything can be done to.
    async fn finish(&self, isp: &Isp, kind: &str, id: &str) {
        match kind {
            "InvoiceId" => {
                let _ = self.test.call("POST", &format!("/api/v1/invoices/{id}/issue"), &isp.token, None).await.expect(200);
            }
            // It is written in the background.
            "BackupId" => self.settled(isp, id).await,
            _ => {}
        }
    }

    /// Waits until a backup is no longer being written.
    async fn settled(&self, isp: &Isp, id: &str) {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let wait = async {
            loop {
                look.tick().await;
                let backup = self.test.call("GET", &format!("/api/v1/backups/{id}"), &isp.token, None).await.expect(200);
                if backup.text("state") != "making" {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("a backup of next to nothing is written at once");
    }

    /// Calls an operation on an ISP's things; on one made for it, if it may end what it works on.
    pub async fn on_own(&self, operation: &Operation, isp: &Isp, token: &str, fresh: bool) -> Answer {
        let ids = if fresh { self.fresh(isp, operation.kind()).await } else { isp.ids.clone() };
        let body = self.body(isp, operation, &ids);
        let answer = self.call(operation, &ids, token, body).await;
        self.rest(isp, operation, &answer).await;
        if fresh && operation.kind().is_some_and(|kind| kind == "RouterId") {
            // So many may wait to join and no more; whether it is still there does not matter here.
            let path = format!("/api/v1/routers/{}", id(&ids, "RouterId"));
            self.test.call("DELETE", &path, &isp.token, None).await;
        }
        answer
    }

    /// Waits until nothing goes on that an operation began.
    pub async fn rest(&self, isp: &Isp, operation: &Operation, answer: &Answer) {
        if operation.name() == "POST /backups" && answer.status.is_success() {
            self.settled(isp, &answer.text("id")).await;
        }
    }

    /// Somebody new who serves the ISP.
    async fn operator(&self, isp: &Isp) -> String {
        let login = format!("{}-{}", isp.marker.replace(' ', "-"), self.number());
        let invite = json!({ "login": login, "role": "viewer" });
        let token = self.test.call("POST", "/api/v1/invitations", &isp.token, Some(invite)).await.expect(201).text("token");
        let accept = json!({ "token": token, "password": "a password for tests" });
        let _ = self.test.call("POST", "/api/v1/invitations/accept", "", Some(accept)).await.expect(200);
        let all = self.test.call("GET", "/api/v1/operators?limit=200", &isp.token, None).await.expect(200);
        let all = all.body["items"].as_array().expect("a list").clone();
        let one = all.iter().find(|operator| operator["login"] == login.as_str()).expect("who was just invited");
        one["id"].as_str().expect("an id").to_owned()
    }

    /// A login of the ISP's admin.
    async fn login(&self, isp: &Isp) -> String {
        let login = json!({ "login": isp.marker.replace(' ', "-"), "password": "a password for tests" });
        let _ = self.test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200);
        let all = self.test.call("GET", "/api/v1/login-sessions?limit=1", &isp.token, None).await.expect(200);
        all.body["items"][0]["id"].as_str().expect("the newest").to_owned()
    }

    /// Something that the ISP's admin was told: the platform's support came.
    async fn notification(&self, isp: &Isp) -> String {
        let path = format!("/api/v1/platform/tenants/{}/impersonations", isp.tenant.id);
        let reason = json!({ "reason": "for tests" });
        let _ = self.test.call("POST", &path, &self.platform, Some(reason)).await.expect(201);
        let login = json!({ "login": isp.marker.replace(' ', "-"), "password": "a password for tests" });
        let token = self.test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200).text("token");
        let told = self.test.call("GET", "/api/v1/me/notifications?limit=1", &token, None).await.expect(200);
        told.body["items"][0]["id"].as_str().expect("the newest").to_owned()
    }

    /// An attempt to collect money, which no operation of the API begins yet.
    async fn attempt(&self, isp: &Isp, ids: &Ids) -> String {
        let app = &self.test.app;
        let doors = app.db.locator().tenants("tests").await.expect("the database answers");
        let door = doors.iter().find(|door| door.tenant() == isp.tenant.id).expect("it exists");
        let mut tx = app.db.tenant(door).await.expect("a transaction");
        let new = attempts::NewAttempt {
            gateway: id(ids, "GatewayId").parse().expect("an id"),
            checkout: format!("ws_CO_{}", self.number()),
            phone: "254712345678".to_owned(),
            package: id(ids, "PackageId").parse().expect("an id"),
            customer: Some(id(ids, "CustomerId").parse().expect("an id")),
            router: id(ids, "RouterId").parse().expect("an id"),
            mac: None,
        };
        let made = attempts::begin(app, &mut tx, new).await.expect("it can be begun");
        tx.commit().await.expect("it is kept");
        made.to_string()
    }

    /// A configuration of a router, which no router here could give, with one before it.
    async fn configuration(&self, isp: &Isp, ids: &Ids) -> String {
        let app = &self.test.app;
        let doors = app.db.locator().tenants("tests").await.expect("the database answers");
        let door = doors.iter().find(|door| door.tenant() == isp.tenant.id).expect("it exists");
        let router = id(ids, "RouterId").parse().expect("an id");
        let mut last = String::new();
        for name in [self.number(), self.number()] {
            self.test.clock.advance(SignedDuration::from_millis(1));
            let text = format!("/system identity\nset name={}-{name}\n", isp.marker.replace(' ', "-"));
            let taken = configurations::read(text.as_bytes()).expect("an export");
            let mut tx = app.db.tenant(door).await.expect("a transaction");
            let kept = configurations::keep(app, &mut tx, router, &taken, Reason::Asked).await.expect("it can be kept");
            tx.commit().await.expect("it is kept");
            last = kept.id.to_string();
        }
        last
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
        if operation.csv && operation.path.ends_with("/statements") {
            return Some(json!(format!("receipt,amount\n{}-{:06},1000.00\n", isp.marker, self.number())));
        }
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
        let text = || json!(format!("{}-{:06}", isp.marker, self.number()));
        Some(match wanted {
            "string" => text(),
            "Invite.login" => json!(format!("{}-{}", isp.marker.replace(' ', "-"), self.number())),
            "AccountCode" => return None,
            "NewAccount.code" => json!(format!("a{}", self.number())),
            "NewBatch.count" => json!(100),
            "Redemption.code" => json!(isp.codes.lock().expect("no test panics here").pop()),
            "NewDevice.credentials" | "DeviceChange.credentials" => json!({ "user": text(), "password": "for tests" }),
            "NewGateway.environment" => json!("production"),
            "NewGateway.provider" => json!("intasend"),
            "NewGateway.credentials" | "NewCredentials.credentials" => {
                json!({ "publishable_key": "ISPubKey_live_1", "secret_key": "ISSecretKey_live_1", "challenge": "challenge-1" })
            }
            "NewArrival.method" | "NewInvoicePayment.method" => json!("mobile_money"),
            "NewInvoicePayment.receipt" => text(),
            "NewLine.kind" => json!("package"),
            "Compensation.hours" => json!(1),
            // Up to the top, and below nothing: below itself is refused.
            "NewSite.parent" | "MoveSite.parent" | "NewDevice.parent" | "DeviceChange.parent" => Value::Null,
            "CustomerMove.router" => json!(isp.second_router()),
            "ChangeStanding.to" => json!("past_due"),
            "MoveOperator.to" | "RouterMove.to" => json!(self.other_tenant()),
            // The clock stands before it.
            "NewWork.started_at" => json!("2026-01-15T08:00:00Z"),
            "NewWork.minutes" => json!(60),
            "TurnFlag.on" => json!(true),
            // Who has none cannot be written to.
            "NewCustomer.phone" => json!("0712345678"),
            // Never the present one: what is sent first would decide what comes after.
            "SetSettings.version" => json!(999),
            field if field.starts_with("RetentionChange.") => json!(400),
            _ => return None,
        })
    }

    fn other_tenant(&self) -> &str {
        self.third.get().expect("it was made with the world")
    }

    fn number(&self) -> u32 {
        self.texts.fetch_add(1, Ordering::Relaxed)
    }
}

impl Isp {
    async fn new(test: &TestApp, name: &str) -> Self {
        let tenant = test.tenant(&name.replace(' ', "-")).await;
        let token = test.token(&tenant, Role::Admin).await;
        Self {
            tenant,
            token,
            marker: name.to_lowercase(),
            ids: Ids::new(),
            names: String::new(),
            codes: Mutex::default(),
            second_router: OnceLock::new(),
        }
    }

    fn second_router(&self) -> &str {
        self.second_router.get().expect("it was made with the ISP")
    }

    /// Finds what of this ISP stands in a text: one of its ids, or a text of its own.
    pub fn traces(&self, text: &str) -> Vec<&str> {
        let text = text.to_lowercase();
        let ids = self.ids.iter().filter(|(kind, _)| kind.ends_with("Id")).map(|(_, id)| id.as_str());
        let marks = ids.chain([self.marker.as_str()]);
        marks.filter(|mark| text.contains(mark)).collect()
    }
}
