//! Every role on its own tenant's side of the wall, at every operation.

use super::access::{Access, NO_SUCCESS, ROLES, access};
use super::operations::{Ids, Operation, id};
use super::world::World;
use controller::testing::Answer;
use serde_json::json;

/// Parameters that take an id in a query, with its kind.
const QUERY_IDS: [(&str, &str); 2] = [("router", "RouterId"), ("customer", "CustomerId")];

#[track_caller]
fn expect_success(operation: &Operation, answer: &Answer) {
    let name = operation.name();
    let status = u64::from(answer.status.as_u16());
    match NO_SUCCESS.iter().find(|(known, ..)| *known == name) {
        Some((_, other, reason)) => assert_eq!(status, u64::from(*other), "{name} ({reason}): {}", answer.body),
        None => assert!(operation.successes.contains(&status), "{name} got {status}: {}", answer.body),
    }
}

#[track_caller]
fn expect_problem(operation: &Operation, who: &str, answer: &Answer, status: u16, kind: &str) {
    let got = (answer.status.as_u16(), answer.body["type"].as_str().unwrap_or_default());
    let kind = format!("urn:mastwire:problem:{kind}");
    assert_eq!(got, (status, kind.as_str()), "{} as {who}: {}", operation.name(), answer.body);
}

/// Without this test the others would prove little: a request that is refused for its body is refused to everybody.
#[tokio::test]
async fn the_same_requests_are_good_for_who_may() {
    let world = World::new().await;
    for operation in world.document.operations() {
        let token = match access(&operation.name()) {
            Access::Open(_) => continue,
            Access::Anyone | Access::Tenant(_) => &world.beta.token,
            Access::Platform => &world.platform,
        };
        let ids = world.fresh(&world.beta, operation.id.as_ref()).await;
        let body = world.body(&world.beta, &operation, &ids);
        expect_success(&operation, &world.call(&operation, &ids, token, body).await);
    }
}

#[tokio::test]
async fn every_role_does_what_the_table_says_and_reaches_no_other_tenant() {
    let world = World::new().await;
    let beta_before = world.test.db.rows(Some(world.beta.tenant.id)).await;
    for role in ROLES {
        let token = world.test.token(&world.alpha.tenant, role).await;
        let mut before = world.test.db.rows(None).await;
        for operation in world.document.operations() {
            let who = role.as_str();
            let (roles, refused_as) = match access(&operation.name()) {
                Access::Open(_) => continue,
                Access::Anyone => (&ROLES[..], "forbidden"),
                Access::Tenant(roles) => (roles, "forbidden"),
                Access::Platform => (&[][..], "forbidden"),
            };
            // The path names what is another tenant's; all else of the request is the caller's own and good.
            let body = world.body(&world.alpha, &operation, &world.alpha.ids);
            let path = operation.path(&world.beta.ids) + &foreign_query(&operation, &world.beta.ids);
            let answer = world.send(&operation.method, &path, &token, body).await;
            let after = world.test.db.rows(None).await;
            let allowed = roles.contains(&role);
            if !allowed {
                expect_problem(&operation, who, &answer, 403, refused_as);
            } else if operation.id.is_some() {
                expect_problem(&operation, who, &answer, 404, "not-found");
            } else {
                expect_success(&operation, &answer);
            }
            if !allowed || operation.id.is_some() || operation.method == "GET" {
                assert!(before == after, "{} as {who} was refused, or only looked, and changed something", operation.name());
            }
            assert_eq!(world.beta.traces(&answer.body.to_string()), [""; 0], "{} as {who}: {}", operation.name(), answer.body);
            before = after;
        }
    }
    assert!(world.test.db.rows(Some(world.beta.tenant.id)).await == beta_before, "something of the other tenant was changed");
}

/// Asks a list for what is another tenant's, and for another tenant altogether.
fn foreign_query(operation: &Operation, theirs: &Ids) -> String {
    if operation.query.is_empty() {
        return String::new();
    }
    let tenant = id(theirs, "TenantId");
    let mut query = format!("&limit=200&tenant={tenant}&tenant_id={tenant}");
    for (parameter, kind) in QUERY_IDS {
        if operation.query.iter().any(|known| known == parameter) {
            query += &format!("&{parameter}={}", id(theirs, kind));
        }
    }
    query
}

#[tokio::test]
async fn another_tenants_ids_in_bodies_are_not_found() {
    let world = World::new().await;
    let mut tried = 0;
    for operation in world.document.operations() {
        let (Some(schema), Access::Tenant(_)) = (&operation.body, access(&operation.name())) else { continue };
        for (field, kind) in world.document.id_fields(schema) {
            let ids = world.fresh(&world.alpha, operation.id.as_ref()).await;
            let mut body = world.body(&world.alpha, &operation, &ids).expect("it has one");
            let before = world.test.db.rows(None).await;
            body[&field] = json!(id(&world.beta.ids, &kind));
            let answer = world.call(&operation, &ids, &world.alpha.token, Some(body.clone())).await;
            expect_problem(&operation, &format!("an admin with another's {field}"), &answer, 404, "not-found");
            assert_eq!(world.beta.traces(&answer.body.to_string()), [""; 0], "{}", answer.body);
            // An id that never was gets the very same answer, so that the other's existence does not show.
            let theirs = without_instance(answer);
            body[&field] = json!(never(id(&world.beta.ids, &kind)));
            let nobodys = world.call(&operation, &ids, &world.alpha.token, Some(body)).await;
            assert_eq!(without_instance(nobodys), theirs, "{} {field}", operation.name());
            assert!(world.test.db.rows(None).await == before, "{} with another's {field} changed something", operation.name());
            tried += 1;
        }
    }
    assert!(tried >= 9, "the bodies have lost their ids: {tried}");
}

#[tokio::test]
async fn another_tenants_names_in_files_are_not_found() {
    let world = World::new().await;
    for operation in world.document.operations().into_iter().filter(|operation| operation.csv) {
        let theirs = world.body(&world.beta, &operation, &world.beta.ids);
        let before = world.test.db.rows(None).await;
        let answer = world.call(&operation, &world.alpha.ids, &world.alpha.token, theirs).await;
        assert_eq!(answer.status.as_u16(), 400, "{}: {}", operation.name(), answer.body);
        assert!(world.test.db.rows(None).await == before, "{}", operation.name());
    }
}

#[tokio::test]
async fn another_tenants_ids_in_paths_look_like_ids_that_never_were() {
    let world = World::new().await;
    for operation in world.document.operations() {
        let (Some(kind), Access::Tenant(_)) = (&operation.id, access(&operation.name())) else { continue };
        let mut nobodys = world.beta.ids.clone();
        nobodys.insert(kind.clone(), never(id(&world.beta.ids, kind)));
        let body = world.body(&world.alpha, &operation, &world.alpha.ids);
        let foreign = world.call(&operation, &world.beta.ids, &world.alpha.token, body.clone()).await;
        let missing = world.call(&operation, &nobodys, &world.alpha.token, body).await;
        expect_problem(&operation, "an admin", &missing, 404, "not-found");
        assert_eq!(without_instance(foreign), without_instance(missing), "{}", operation.name());
    }
}

#[tokio::test]
async fn ids_of_the_wrong_kind_are_named() {
    let world = World::new().await;
    let ids = &world.alpha.ids;
    let wrong = |kind: &str| if kind == "RouterId" { id(ids, "PackageId") } else { id(ids, "RouterId") }.to_owned();
    let found = |kind: &str| if kind == "RouterId" { "package" } else { "router" };
    let before = world.test.db.rows(None).await;
    for operation in world.document.operations() {
        let token = match access(&operation.name()) {
            Access::Open(_) | Access::Anyone => continue,
            Access::Tenant(_) => &world.alpha.token,
            Access::Platform => &world.platform,
        };
        let body = world.body(&world.alpha, &operation, ids);
        let mut requests = Vec::new();
        if let Some(kind) = &operation.id {
            let mut ids = ids.clone();
            ids.insert(kind.clone(), wrong(kind));
            requests.push((kind.clone(), operation.path(&ids), body.clone()));
        }
        for (field, kind) in operation.body.iter().flat_map(|schema| world.document.id_fields(schema)) {
            let mut body = body.clone().expect("it has one");
            body[&field] = json!(wrong(&kind));
            requests.push((kind, operation.path(ids), Some(body)));
        }
        for (parameter, kind) in QUERY_IDS.into_iter().filter(|(name, _)| operation.query.iter().any(|known| known == name)) {
            requests.push((kind.to_owned(), format!("{}?{parameter}={}", operation.path, wrong(kind)), None));
        }
        for (kind, path, body) in requests {
            let answer = world.send(&operation.method, &path, token, body).await;
            expect_problem(&operation, "an admin", &answer, 400, "invalid-request");
            let (detail, found) = (answer.text("detail"), found(&kind));
            assert!(detail.contains(&format!("id of a {found}")), "{} for a {kind}: {detail}", operation.name());
        }
    }
    assert!(world.test.db.rows(None).await == before, "a refused request changed something");
}

/// An id of the same kind that nobody has.
fn never(id: &str) -> String {
    let last = if id.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", &id[..id.len() - 1])
}

fn without_instance(mut answer: Answer) -> (u16, serde_json::Value) {
    answer.body["instance"].take();
    (answer.status.as_u16(), answer.body)
}
