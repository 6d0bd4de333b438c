//! Goal: two ISPs with the same names for everything work side by side, and neither reaches what is the other's.
//! Method: both are set up alike; one's token is tried on every id of the other, and one's router tries to reach the other's through the
//! tunnel after its operator has opened it as far as a router can.

use controller::testing::{TestApp, TestTenant};
use routeros_sim::control::Command;
use serde_json::{Value, json};
use system_tests::world::{
    Router, config, customer, dial_on, hotspot_login, isp, onboard, package, row, serve, type_in, until, until_in_sync,
    until_online,
};

struct Side {
    tenant: TestTenant,
    router: Router,
    address: String,
    package: String,
    customer: String,
    payment: String,
    batch: String,
}

/// Sets an ISP up; everything that people choose is the same for both.
async fn side(test: &TestApp, name: &str, serial: &str) -> Side {
    let tenant = isp(test, name).await;
    let router = onboard(test, &tenant, "tower", config("CHR", "7.22.3", serial)).await;
    let services = json!([{ "kind": "pppoe", "interfaces": ["ether3"] }, { "kind": "hotspot", "interface": "ether2" }]);
    serve(test, &tenant, &router, services).await;
    let home = package(test, &tenant, "pppoe", "Home", 150_000).await;
    let day = package(test, &tenant, "hotspot", "Day", 5_000).await;
    let jane = customer(test, &tenant, &router, &home, "jane").await;
    let cash = json!({ "amount": { "minor": 150_000, "currency": "KES" }, "receipt": "R-0001" });
    let path = format!("/api/v1/customers/{jane}/payments");
    let payment = test.call("POST", &path, &tenant.token, Some(cash)).await.expect(201).text("payment");
    let batch = json!({ "package": day, "codes": ["SAME2345"] });
    let batch = test.call("POST", "/api/v1/voucher-batches", &tenant.token, Some(batch)).await.expect(201).text("id");
    let body = json!({ "code": "same-2345", "router": router.id });
    let _ = test.call("POST", "/api/v1/vouchers/redeem", &tenant.token, Some(body)).await.expect(201);
    until_in_sync(test, &tenant, &router).await;
    let address =
        test.call("GET", &format!("/api/v1/routers/{}", router.id), &tenant.token, None).await.expect(200).text("address");
    Side { tenant, router, address, package: home, customer: jane, payment, batch }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_isps_with_the_same_names() {
    let test = TestApp::running().await;
    let (alpha, beta) = (side(&test, "Alpha", "CHR-ALPHA").await, side(&test, "Beta", "CHR-BETA").await);
    for side in [&alpha, &beta] {
        dial_on(&side.router, "ether3", "jane", "dial-1234").await;
        until_online(&side.router, "jane", true).await;
        assert_eq!(hotspot_login(&side.router, "02:00:00:00:00:11", "same2345", "same2345").await["online"], true);
    }

    let money = json!({ "amount": { "minor": 150_000, "currency": "KES" } });
    let tries: [(&str, String, Option<Value>); 16] = [
        ("GET", format!("routers/{}", beta.router.id), None),
        ("GET", format!("routers/{}/preflight", beta.router.id), None),
        ("GET", format!("routers/{}/plan", beta.router.id), None),
        ("GET", format!("routers/{}/state", beta.router.id), None),
        ("GET", format!("routers/{}/sessions", beta.router.id), None),
        ("PUT", format!("routers/{}/services", beta.router.id), Some(json!({ "services": [] }))),
        ("POST", format!("routers/{}/apply", beta.router.id), None),
        ("POST", format!("routers/{}/reissue", beta.router.id), None),
        ("DELETE", format!("routers/{}", beta.router.id), None),
        ("GET", format!("customers/{}", beta.customer), None),
        ("GET", format!("customers/{}/password", beta.customer), None),
        ("POST", format!("customers/{}/suspend", beta.customer), None),
        ("POST", format!("customers/{}/payments", beta.customer), Some(money)),
        ("GET", format!("packages/{}", beta.package), None),
        ("GET", format!("payments/{}", beta.payment), None),
        ("GET", format!("voucher-batches/{}/codes", beta.batch), None),
    ];
    for (method, path, body) in tries {
        let mine = path.replace(&beta.router.id, &alpha.router.id).replace(&beta.customer, &alpha.customer);
        let mine = mine.replace(&beta.package, &alpha.package).replace(&beta.payment, &alpha.payment);
        let mine = mine.replace(&beta.batch, &alpha.batch);
        let answer = test.call(method, &format!("/api/v1/{path}"), &alpha.tenant.token, body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
        if method == "GET" {
            let _ = test.call(method, &format!("/api/v1/{mine}"), &alpha.tenant.token, None).await.expect(200);
        }
    }
    for list in ["routers", "customers", "packages", "payments", "voucher-batches"] {
        let answer = test.call("GET", &format!("/api/v1/{list}"), &alpha.tenant.token, None).await.expect(200);
        let items = answer.body["items"].as_array().expect("a list");
        let text = answer.body.to_string();
        let foreign = [&beta.router.id, &beta.customer, &beta.package, &beta.payment, &beta.batch].into_iter();
        assert!(!items.is_empty() && foreign.into_iter().all(|id| !text.contains(id)), "{list}: {text}");
    }

    // The router's own operator opens the tunnel for everything; the hub still carries nothing from router to router.
    let open = "/interface/wireguard/peers/set [find interface=wg-mastwire] allowed-address=10.10.0.0/16";
    type_in(&alpha.router, open).await;
    assert_eq!(row(&alpha.router, "/interface/wireguard/peers", &[]).await["allowed-address"], "10.10.0.0/16");
    let ping = async |to: &str| {
        let ping = Command::Ping { address: to.parse().expect("an address") };
        alpha.router.sim.control(ping).await.map(|answer| answer["answered"].clone())
    };
    until("the tunnel takes packets for everybody", async || ping(&beta.address).await.is_ok()).await;
    assert_eq!(ping("10.10.0.1").await, Ok(json!(true)), "the hub answers");
    assert_eq!(ping(&beta.address).await, Ok(json!(false)), "the other ISP's router does not");
    for side in [&alpha, &beta] {
        until_online(&side.router, "jane", true).await;
    }
}
