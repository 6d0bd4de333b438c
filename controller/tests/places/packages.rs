//! A package that is not sold everywhere is sold nowhere else, whichever way somebody comes to it.

use crate::fixture::{Isp, names};
use axum::body::Body;
use axum::http::{Request, header};
use controller::testing::{Answer, TestApp};
use serde_json::{Value, json};

fn everywhere() -> Value {
    json!({ "routers": [], "sites": [] })
}

async fn import(isp: &Isp<'_>, file: String) -> Answer {
    let request = Request::post("/api/v1/customers/import?dry_run=true").header(header::CONTENT_TYPE, "text/csv");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {}", isp.tenant.token));
    isp.test.send(request.body(Body::from(file)).expect("a good request")).await
}

#[tokio::test]
async fn sold_on_its_routers_and_at_its_places_alone() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let area = isp.site("Kilimani", "area", None).await;
    let house = isp.site("Rose Court", "building", Some(&area)).await;
    let (named, placed, other) = (isp.router("named").await, isp.router("placed").await, isp.router("other").await);
    let _ = isp.patch(&format!("/routers/{placed}"), json!({ "site": house })).await.expect(204);
    let home = isp.package("Home", "pppoe").await;
    let free = isp.package("Free", "pppoe").await;
    let scope = format!("/packages/{home}/scope");
    assert_eq!(isp.get(&scope).await.expect(200).body, json!({ "routers": [], "sites": [] }));
    // Sold before the scope was narrowed.
    let early = isp.customer("early", &other, &home).await;
    let _ = isp.put(&scope, json!({ "routers": [named, named], "sites": [area] })).await.expect(204);
    assert_eq!(isp.get(&scope).await.expect(200).body, json!({ "routers": [named], "sites": [area] }));
    assert_eq!(isp.get(&format!("/packages/{home}")).await.expect(200).body["everywhere"], false);

    let new = |login: &str, router: &str| json!({ "login": login, "router": router, "package": home });
    let jane = isp.post("/customers", new("jane", &named)).await.expect(201).text("id");
    let _ = isp.post("/customers", new("john", &placed)).await.expect(201);
    let refused = isp.post("/customers", new("late", &other)).await.expect(400);
    assert_eq!(refused.body["errors"][0]["field"], "package");
    // Neither by another router, nor by another package, nor by a payment.
    let _ = isp.patch(&format!("/customers/{jane}"), json!({ "router": other })).await.expect(400);
    let _ = isp.post(&format!("/customers/{jane}/move"), json!({ "router": other })).await.expect(400);
    let stays = isp.customer("stays", &other, &free).await;
    let _ = isp.patch(&format!("/customers/{stays}"), json!({ "package": home })).await.expect(400);
    let cash = json!({ "amount": { "minor": 100_000, "currency": "KES" }, "package": home });
    let _ = isp.post(&format!("/customers/{stays}/payments"), cash).await.expect(400);
    let _ = isp.pay(&early, 100_000).await.expect(400);
    let _ = isp.pay(&jane, 100_000).await.expect(201);
    let file = "login,router,package\na,named,Home\nb,placed,Home\nc,other,Home\nd,other,Free\n".to_owned();
    let judged = import(&isp, file).await.expect(200);
    assert!(judged.body.to_string().contains("not sold on this router"), "{}", judged.body);
    // A batch for a router, and a code that fits any router.
    let batch = json!({ "package": home, "count": 1, "router": other });
    let _ = isp.post("/voucher-batches", batch).await.expect(400);
    let codes = isp.post("/voucher-batches", json!({ "package": home, "count": 1 })).await.expect(201);
    let redeem = json!({ "code": codes.body["codes"][0], "router": other, "customer": stays });
    let _ = isp.post("/vouchers/redeem", redeem).await.expect(400);

    // A router that moves into the place sells it; one that leaves does not.
    let _ = isp.patch(&format!("/routers/{other}"), json!({ "site": house })).await.expect(204);
    let _ = isp.pay(&early, 100_000).await.expect(201);
    let _ = isp.patch(&format!("/routers/{other}"), json!({ "site": null })).await.expect(204);
    let _ = isp.pay(&early, 100_000).await.expect(400);
    let _ = isp.put(&scope, everywhere()).await.expect(204);
    let _ = isp.pay(&early, 100_000).await.expect(201);
    assert_eq!(names(&isp.get("/packages").await.expect(200)).len(), 2);
}

#[tokio::test]
async fn a_scope_names_what_is_there() {
    let test = TestApp::new().await;
    let (isp, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let home = isp.package("Home", "pppoe").await;
    let (router, site) = (beta.router("roof").await, beta.site("Ridge", "tower", None).await);
    let path = format!("/packages/{home}/scope");
    for (field, theirs) in [("routers", router), ("sites", site)] {
        let never = format!("{}_0190163d8694739b8fd74dd02ebd3dc4", &theirs[..3]);
        let mut answers = Vec::new();
        for id in [theirs, never] {
            let mut body = everywhere();
            body[field] = json!([id]);
            answers.push(isp.put(&path, body).await.expect(404).text("detail"));
        }
        assert_eq!(answers[0], answers[1]);
    }
    let many: Vec<String> = (0..501).map(|n| format!("rtr_{n:032x}")).collect();
    let full = isp.put(&path, json!({ "routers": many, "sites": [] })).await;
    assert!(full.text("detail").contains("at most 500"), "{}", full.body);
    assert_eq!(isp.get(&path).await.expect(200).body, json!({ "routers": [], "sites": [] }), "nothing was kept of it");
}

/// A scope with rows that the caller does not see is still a scope: what an operator cannot see must not widen what they may sell.
#[tokio::test]
async fn what_is_hidden_does_not_widen_a_scope() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (near, far) = (isp.router("near").await, isp.router("far").await);
    let home = isp.package("Home", "pppoe").await;
    let _ = isp.put(&format!("/packages/{home}/scope"), json!({ "routers": [far], "sites": [] })).await.expect(204);
    let token = isp.limited_to(&near).await;
    let new = json!({ "login": "jane", "router": near, "package": home });
    let _ = test.call("POST", "/api/v1/customers", &token, Some(new)).await.expect(400);
    let path = format!("/api/v1/packages/{home}/scope");
    let wide = test.call("PUT", &path, &token, Some(everywhere())).await.expect(403);
    assert!(wide.text("detail").contains("some of the routers"), "{}", wide.body);
}
