//! What another tenant's ids and names get, wherever in a request they stand.

use super::matrix::expect_problem;
use super::operations::{Access, id, query_kind};
use super::world::World;
use controller::testing::Answer;
use serde_json::json;

#[tokio::test]
async fn another_tenants_ids_in_bodies_are_not_found() {
    let world = World::new().await;
    let mut tried = 0;
    for operation in world.document.operations() {
        let (Some(schema), Access::Needs(_)) = (&operation.body, operation.access) else { continue };
        for (field, kind) in world.document.id_places(schema) {
            let ids = world.fresh(&world.alpha, operation.kind()).await;
            let mut body = world.body(&world.alpha, &operation, &ids).expect("it has one");
            let before = world.test.db.fingerprint().await;
            *body.pointer_mut(&field).expect("the body names every id") = json!(id(&world.beta.ids, &kind));
            let answer = world.call(&operation, &ids, &world.alpha.token, Some(body.clone())).await;
            expect_problem(&operation, &format!("an admin with another's {field}"), &answer, 404, "not-found");
            assert_eq!(world.beta.traces(&answer.body.to_string()), [""; 0], "{}", answer.body);
            // An id that never was gets the very same answer, so that the other's existence does not show.
            let theirs = without_instance(answer);
            *body.pointer_mut(&field).expect("as before") = json!(never(id(&world.beta.ids, &kind)));
            let nobodys = world.call(&operation, &ids, &world.alpha.token, Some(body)).await;
            assert_eq!(without_instance(nobodys), theirs, "{} {field}", operation.name());
            assert!(world.test.db.fingerprint().await == before, "{} with another's {field} changed something", operation.name());
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
        let before = world.test.db.rows(Some(world.beta.tenant.id)).await;
        let answer = world.call(&operation, &world.alpha.ids, &world.alpha.token, theirs).await;
        // What names nothing, such as a statement of money, is about the caller's own.
        let expected = if operation.path.ends_with("/statements") { 200 } else { 400 };
        assert_eq!(answer.status.as_u16(), expected, "{}: {}", operation.name(), answer.body);
        assert!(world.test.db.rows(Some(world.beta.tenant.id)).await == before, "{}", operation.name());
    }
}

#[tokio::test]
async fn another_tenants_ids_in_paths_look_like_ids_that_never_were() {
    let world = World::new().await;
    for operation in world.document.operations() {
        let (Some(kind), Access::Needs(_)) = (operation.kind(), operation.access) else { continue };
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
    let before = world.test.db.fingerprint().await;
    for operation in world.document.operations() {
        let token = match operation.access {
            Access::Open | Access::Anyone => continue,
            Access::Login => &world.alpha.tenant.token,
            Access::Needs(_) => &world.alpha.token,
            Access::Platform => &world.platform,
        };
        let body = world.body(&world.alpha, &operation, ids);
        let mut requests = Vec::new();
        for kind in operation.kinds() {
            let mut ids = ids.clone();
            ids.insert(kind.clone(), wrong(kind));
            requests.push((kind.clone(), operation.path(&ids), body.clone()));
        }
        for (field, kind) in operation.body.iter().flat_map(|schema| world.document.id_places(schema)) {
            let mut body = body.clone().expect("it has one");
            *body.pointer_mut(&field).expect("the body names every id") = json!(wrong(&kind));
            requests.push((kind, operation.path(ids), Some(body)));
        }
        for (parameter, kind) in operation.query.iter().filter_map(|name| Some((name, query_kind(name, ids)?))) {
            requests.push((kind.clone(), format!("{}&{parameter}={}", operation.path(ids), wrong(&kind)), None));
        }
        for (kind, path, body) in requests {
            let answer = world.send(&operation.method, &path, token, body).await;
            expect_problem(&operation, "an admin", &answer, 400, "invalid-request");
            let (detail, found) = (answer.text("detail"), found(&kind));
            assert!(detail.contains(&format!("id of a {found}")), "{} for a {kind}: {detail}", operation.name());
        }
    }
    assert!(world.test.db.fingerprint().await == before, "a refused request changed something");
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
