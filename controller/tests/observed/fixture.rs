//! An ISP with a router and customers who dial.

use controller::operators::Role;
use controller::sessions::{self, Ended, Listed, Listing, Recorded, SessionKind, Sighting};
use controller::testing::{Answer, TestApp, TestTenant};
use db::TenantDoor;
use jiff::{SignedDuration, Timestamp};
use model::{Bytes, CustomerId, RouterId};
use serde_json::{Value, json};

/// An ISP.
pub struct Isp<'a> {
    pub test: &'a TestApp,
    pub tenant: TestTenant,
    pub router: RouterId,
    pub door: TenantDoor,
}

const PRICE: i64 = 150_000;

impl<'a> Isp<'a> {
    pub async fn new(test: &'a TestApp, name: &str) -> Isp<'a> {
        let mut tenant = test.tenant(name).await;
        tenant.token = test.token(&tenant, Role::Admin).await;
        let doors = test.app.db.locator().tenants("test").await.expect("the tenants are read");
        let door = doors.into_iter().find(|door| door.tenant() == tenant.id).expect("the tenant is there");
        let router = router(test, &tenant, "roof").await;
        Self { test, tenant, router, door }
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.test.call("POST", &format!("/api/v1{path}"), &self.tenant.token, Some(body)).await
    }

    pub async fn run(&self, path: &str) -> Answer {
        self.test.call("POST", &format!("/api/v1{path}"), &self.tenant.token, None).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.test.call("PUT", &format!("/api/v1{path}"), &self.tenant.token, Some(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.test.call("GET", &format!("/api/v1{path}"), &self.tenant.token, None).await
    }

    /// The items of a list.
    pub async fn items(&self, path: &str) -> Vec<Value> {
        self.get(path).await.expect(200).body["items"].as_array().expect("a list").clone()
    }

    /// A dialling customer without anything paid.
    pub async fn customer(&self, login: &str) -> CustomerId {
        let package = json!({
            "name": format!("Home {login}"), "kind": "pppoe", "price": { "minor": PRICE, "currency": "KES" }, "validity": { "seconds": 2_592_000 },
            "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }
        });
        let package = self.post("/packages", package).await.expect(201).text("id");
        let body = json!({ "login": login, "router": self.router, "package": package });
        self.post("/customers", body).await.expect(201).text("id").parse().expect("a customer's id")
    }

    /// A customer who has paid for thirty days.
    pub async fn paying(&self, login: &str) -> CustomerId {
        let customer = self.customer(login).await;
        let cash = json!({ "amount": { "minor": PRICE, "currency": "KES" } });
        let _ = self.post(&format!("/customers/{customer}/payments"), cash).await.expect(201);
        customer
    }

    pub fn now(&self) -> Timestamp {
        self.test.app.clock.now()
    }

    pub fn pass(&self, seconds: i64) {
        self.test.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// News of a session of this ISP's router that is seen now and began some seconds ago.
    pub fn sighting(&self, login: &str, key: &str, age: i64) -> Sighting {
        let now = self.now();
        Sighting {
            router: self.router,
            key: key.to_owned(),
            acct_id: String::new(),
            kind: SessionKind::Pppoe,
            login: login.to_owned(),
            address: Some("100.64.0.10".parse().expect("an address")),
            station: "02:00:00:00:00:11".to_owned(),
            started_at: now - SignedDuration::from_secs(age),
            seen_at: now,
            online_seconds: u64::try_from(age).expect("no session begins in the future"),
            upload: Some(Bytes(0)),
            download: Some(Bytes(0)),
            ended: None,
        }
    }

    pub async fn record(&self, news: &[Sighting]) -> Recorded {
        let mut tx = self.test.app.db.tenant(&self.door).await.expect("a transaction");
        let recorded = sessions::record(&self.test.app, &mut tx, news).await.expect("recorded");
        tx.commit().await.expect("kept");
        recorded
    }

    /// What the router lists now: logins with the seconds that they have been online, by dialling.
    pub async fn lists(&self, online: &[(&str, &str, i64)]) -> Recorded {
        let dialled = |(login, acct_id, uptime): &(&str, &str, i64)| listed(login, acct_id, *uptime);
        self.list(self.now(), Some(100_000), online.iter().map(dialled).collect()).await
    }

    pub async fn list(&self, at: Timestamp, uptime: Option<i64>, listed: Vec<Listed>) -> Recorded {
        let listing = Listing { at, uptime: uptime.map(SignedDuration::from_secs), sessions: listed };
        let mut tx = self.test.app.db.tenant(&self.door).await.expect("a transaction");
        let recorded = sessions::note_listing(&self.test.app, &mut tx, self.router, &listing).await.expect("noted");
        tx.commit().await.expect("kept");
        recorded
    }
}

pub fn listed(login: &str, acct_id: &str, uptime: i64) -> Listed {
    Listed {
        kind: SessionKind::Pppoe,
        login: login.to_owned(),
        acct_id: acct_id.to_owned(),
        address: Some("100.64.0.10".parse().expect("an address")),
        station: "02:00:00:00:00:11".to_owned(),
        uptime: SignedDuration::from_secs(uptime),
        upload: Some(Bytes(1000)),
        download: Some(Bytes(5000)),
    }
}

/// The same news with an end.
pub fn ended(sighting: Sighting, cause: sessions::Cause) -> Sighting {
    Sighting { ended: Some(Ended { at: sighting.seen_at, cause }), ..sighting }
}

/// Puts a confirmed router into the database, past all doors.
pub async fn router(test: &TestApp, tenant: &TestTenant, name: &str) -> RouterId {
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
