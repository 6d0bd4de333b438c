//! ISPs with something of everything in them.

use controller::backups::{self, Keys, SealFor, Taken};
use controller::secrets::{Keeper, Place};
use controller::testing::{TestApp, TestTenant};
use db::{NamedTenant, TenantDoor};
use model::TenantId;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

/// What no text in the clear may hold: each stands in a secret's place.
pub const SECRETS: &[&str] =
    &["planted-dial-password", "planted-mast-password", "planted-api-password", "planted-preshared-key-32-bytes.."];

/// An ISP.
pub struct Isp {
    pub tenant: TestTenant,
    pub router: String,
    pub package: String,
    pub customer: String,
    pub codes: Vec<String>,
    /// What its admin was given that nobody else may have: tokens, codes.
    pub given: Vec<String>,
}

pub fn keeper(test: &TestApp) -> Keeper<'_> {
    Keeper::of(&test.app)
}

pub async fn door(test: &TestApp, tenant: TenantId) -> TenantDoor {
    test.app.db.locator().door(tenant, "test").await.expect("answered").expect("a tenant")
}

pub async fn named(test: &TestApp, text: &str) -> NamedTenant {
    test.app.db.locator().tenant_named(text, "test").await.expect("answered").expect("a tenant")
}

/// Takes a backup with the master key.
pub async fn take(test: &TestApp, isp: &Isp, path: &Path) -> Taken {
    let door = door(test, isp.tenant.id).await;
    backups::take(keeper(test), &door, path, &SealFor::Master).await.expect("a backup")
}

pub fn no_keys() -> Keys {
    Keys::default()
}

async fn post(test: &TestApp, token: &str, path: &str, body: Value) -> Value {
    let answer = test.call("POST", &format!("/api/v1{path}"), token, Some(body)).await;
    assert!(answer.status.is_success(), "POST {path}: {} {}", answer.status, answer.body);
    answer.body
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("an id in {value}")).to_owned()
}

pub fn uuid(id: &str) -> Uuid {
    Uuid::try_parse(id.split_once('_').expect("an id").1).expect("an id")
}

/// Makes an ISP over the API.
pub async fn isp(test: &TestApp, name: &str) -> Isp {
    let tenant = test.tenant(name).await;
    let token = &tenant.token;
    let mast = id(&post(test, token, "/sites", json!({ "kind": "tower", "name": "Mast" })).await);
    let house = id(&post(test, token, "/sites", json!({ "kind": "building", "name": "House", "parent": mast })).await);
    let added = post(test, token, "/routers", json!({ "name": "roof" })).await;
    let router = id(&added);
    let device = json!({ "kind": "access_point", "name": "sector", "router": router,
                         "credentials": { "user": "admin", "password": SECRETS[1] } });
    post(test, token, "/devices", device).await;
    let package = json!({ "name": "Home", "kind": "pppoe", "price": { "minor": 150_000, "currency": "KES" }, "validity": { "months": 1 },
                          "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 } });
    let package = id(&post(test, token, "/packages", package).await);
    let mut customers = Vec::new();
    for number in 0..5 {
        let password = if number == 0 { SECRETS[0].to_owned() } else { format!("dial-{number}-{name}") };
        let customer = json!({ "login": format!("jane{number}"), "full_name": "=1+1 Wanjikũ", "password": password, "router": router,
                               "package": package });
        let customer = id(&post(test, token, "/customers", customer).await);
        post(
            test,
            token,
            &format!("/customers/{customer}/payments"),
            json!({ "amount": { "minor": 150_000, "currency": "KES" } }),
        )
        .await;
        customers.push(customer);
    }
    let paid = test.call("GET", "/api/v1/payments", token, None).await.expect(200).body["items"][0].clone();
    post(test, token, &format!("/payments/{}/reverse", id(&paid)), json!({ "reason": "typed twice" })).await;
    let hotspot = json!({ "name": "Hour", "kind": "hotspot", "price": { "minor": 2_000, "currency": "KES" }, "validity": { "seconds": 3600 },
                          "speed": { "download_bps": 2_000_000, "upload_bps": 1_000_000 } });
    let hotspot = id(&post(test, token, "/packages", hotspot).await);
    let batch = post(test, token, "/voucher-batches", json!({ "package": hotspot, "count": 5, "router": router })).await;
    let codes: Vec<String> =
        batch["codes"].as_array().expect("codes").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    post(test, token, "/vouchers/redeem", json!({ "code": codes[0], "router": router })).await;
    let ticket = id(&post(test, token, "/tickets", json!({ "title": "no light", "customer": customers[1] })).await);
    post(test, token, &format!("/tickets/{ticket}/notes"), json!({ "text": "went there" })).await;
    post(test, token, "/leads", json!({ "name": "Otieno", "site": house })).await;
    let api = post(test, token, "/tokens", json!({ "name": "script", "role": "viewer" })).await;
    // The first code was used, and is now the login of a customer who has nothing else.
    let mut given = codes[1..].to_vec();
    given.push(api["token"].as_str().expect("a token").to_owned());
    given.push(token.clone());
    plant_router_secrets(test, &tenant, &router).await;
    let customer = customers.remove(0);
    Isp { tenant, router, package, customer, codes, given }
}

/// Gives the router what a box that has joined would have: an account and a tunnel peer.
async fn plant_router_secrets(test: &TestApp, tenant: &TestTenant, router: &str) {
    let row = uuid(router);
    let mut tx = test.app.db.tenant(&door(test, tenant.id).await).await.expect("open");
    let place = Place { table: "router", column: "api_password", row };
    let password = test.app.vault.seal(&mut tx, place, SECRETS[2].as_bytes()).await.expect("sealed");
    let peer = Uuid::from_u128(row.as_u128() ^ 1);
    let place = Place { table: "tunnel_peer", column: "preshared_key", row: peer };
    let preshared = test.app.vault.seal(&mut tx, place, SECRETS[3].as_bytes()).await.expect("sealed");
    tx.commit().await.expect("committed");
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("UPDATE router SET api_password = $2, api_user = 'mastwire' WHERE id = $1")
        .bind(row)
        .bind(password)
        .execute(&mut owner)
        .await
        .expect("a password");
    sqlx::query(
        "INSERT INTO tunnel_peer (tenant_id, id, router_id, address, public_key, preshared_key, created_at)
         SELECT tenant_id, $2, router_id, address, sha256(router_id::text::bytea), $3, now() FROM tunnel_address WHERE router_id = $1",
    )
    .bind(row)
    .bind(peer)
    .bind(preshared)
    .execute(&mut owner)
    .await
    .expect("a peer");
}

/// All rows of a tenant by table, but for tables that are named.
pub async fn rows(test: &TestApp, tenant: TenantId, but: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, row) in test.db.rows(Some(tenant)).await {
        if !but.contains(&table.as_str()) {
            found.entry(table).or_default().push(row);
        }
    }
    found
}

/// Checks that two looks at a tenant are the same, table by table.
#[track_caller]
pub fn assert_same(one: &BTreeMap<String, Vec<String>>, other: &BTreeMap<String, Vec<String>>) {
    let tables: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for table in tables {
        assert_eq!(one.get(table), other.get(table), "{table}");
    }
}

/// The wall stands, the books balance, the chains hold.
pub async fn assert_sound(test: &TestApp) {
    let report = test.app.db.audit(test.app.clock.now()).await.expect("the audit runs");
    let rules = report.rules.iter().filter(|rule| rule.found > 0 && rule.name != "months-ahead");
    let findings: Vec<String> = rules.map(|rule| format!("{}: {:?}", rule.name, rule.findings)).collect();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// What a customer's password is, over the API.
pub async fn password(test: &TestApp, isp: &Isp) -> String {
    let path = format!("/api/v1/customers/{}/password", isp.customer);
    test.call("GET", &path, &isp.tenant.token, None).await.expect(200).text("password")
}
