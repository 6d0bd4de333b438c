//! Every operation by every caller, as one table: `docs/access.md`. The expectation follows from the permission that the document names and
//! from what roles hold; what is found must be that, and the published table must be what was found.

use super::access::no_success;
use super::operations::{Access, Ids, Operation, id, query_kind};
use super::world::{Isp, World};
use controller::operators::{Permission, Role};
use controller::testing::Answer;
use expect_test::expect_file;
use futures_util::FutureExt as _;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;

/// A row of the table.
type Cells = Vec<&'static str>;

const HEAD: &str = "\
# Who may do what

Written by a test (`controller/tests/attack/matrix.rs`), which calls every operation of the API as every kind of caller on things that
exist, compares all rows of the database before and after each refusal, and fails when this table says anything else.

- **yes**: done. **(yes)**: let in; what it asks of a router that is not there in the test could not be done.
- **own**: let in, and saw and changed nothing but its own.
- **401**, **403**, **404**: refused, nothing changed. Another ISP's thing looks like one that does not exist.
- The columns of roles act on their own ISP's things; *other* is an admin of another ISP, by login and by API token; *suspended* is the
  admin of the ISP whose account is suspended.
";

impl World {
    /// Calls an operation on things of an ISP as one who belongs to it; what it works on is made for it.
    async fn on_own(&self, operation: &Operation, isp: &Isp, token: &str) -> Answer {
        let ids = self.fresh(isp, operation.kind()).await;
        let body = self.body(isp, operation, &ids);
        let answer = self.call(operation, &ids, token, body).await;
        self.rest(isp, operation, &answer).await;
        if operation.kind().is_some_and(|kind| kind == "RouterId") {
            // So many may wait to join and no more; whether it is still there does not matter here.
            let path = format!("/api/v1/routers/{}", id(&ids, "RouterId"));
            self.test.call("DELETE", &path, &isp.token, None).await;
        }
        answer
    }

    /// Calls an operation on another ISP's things, or without any, with a good body and a query that asks for the other's.
    async fn on_theirs(&self, operation: &Operation, token: &str) -> Answer {
        let body = self.body(&self.alpha, operation, &self.alpha.ids);
        let mut theirs = self.beta.ids.clone();
        theirs.extend(self.alpha.ids.iter().filter(|(kind, _)| !kind.ends_with("Id")).map(|(a, b)| (a.clone(), b.clone())));
        self.ask_for_theirs(operation, &theirs, token).await;
        self.send(&operation.method, &operation.path(&theirs), token, body).await
    }

    /// Asks for what is the other's by every parameter of the query that could name it: nothing of it comes, and nothing changes.
    async fn ask_for_theirs(&self, operation: &Operation, theirs: &Ids, token: &str) {
        let tenant = id(&self.beta.ids, "TenantId");
        let mut queries = vec![format!("limit=200&tenant={tenant}&tenant_id={tenant}")];
        let kinds = operation.query.iter().filter_map(|name| Some((name, query_kind(name, &self.beta.ids)?)));
        queries.extend(kinds.map(|(name, kind)| format!("{name}={}", id(&self.beta.ids, &kind))));
        for query in queries.iter().filter(|_| operation.method == "GET" && !operation.query.is_empty()) {
            let before = self.test.db.fingerprint().await;
            let answer = self.send("GET", &format!("{}&{query}", operation.path(theirs)), token, None).await;
            let name = operation.name();
            assert!(answer.status.is_success() || answer.status.is_client_error(), "{name} {query}: {}", answer.body);
            assert_eq!(self.beta.traces(&answer.body.to_string()), [""; 0], "{name} {query}: {}", answer.body);
            assert_eq!(self.test.db.fingerprint().await, before, "{name} {query} changed something");
        }
    }

    /// Says what a refusal is called in the table, having checked that it is the right one and that nothing was changed by it.
    async fn not_done(
        &self,
        operation: &Operation,
        who: &str,
        answer: &Answer,
        status: u16,
        kind: &str,
        before: &str,
    ) -> &'static str {
        expect_problem(operation, who, answer, status, kind);
        assert_eq!(self.beta.traces(&answer.body.to_string()), [""; 0], "{} as {who}: {}", operation.name(), answer.body);
        assert_eq!(self.test.db.fingerprint().await, before, "{} as {who} was refused and changed something", operation.name());
        match status {
            401 => "401",
            403 => "403",
            _ => "404",
        }
    }

    async fn anonymous(&self, operation: &Operation) -> &'static str {
        if operation.access == Access::Open {
            return "yes";
        }
        let before = self.test.db.fingerprint().await;
        let body = self.body(&self.beta, operation, &self.beta.ids);
        let answer = self.call(operation, &self.beta.ids, "", body).await;
        self.not_done(operation, "nobody", &answer, 401, "unauthenticated", &before).await
    }

    async fn role(&self, operation: &Operation, role: Role, token: &str) -> &'static str {
        let allowed = match operation.access {
            Access::Open => return "yes",
            Access::Anyone => true,
            Access::Needs(permission) => role.allows(permission),
            // Roles are tried with API tokens, which are nobody.
            Access::Login | Access::Platform => false,
        };
        if allowed {
            return expect_success(operation, &self.on_own(operation, &self.alpha, token).await);
        }
        let before = self.test.db.fingerprint().await;
        let body = self.body(&self.alpha, operation, &self.alpha.ids);
        let answer = self.call(operation, &self.alpha.ids, token, body).await;
        self.not_done(operation, role.as_str(), &answer, 403, "forbidden", &before).await
    }

    async fn other(&self, operation: &Operation, who: &str, token: &str) -> &'static str {
        match operation.access {
            Access::Open => return "yes",
            // It would end the login that is used here.
            Access::Anyone if operation.path.ends_with("/logout") => return "own",
            Access::Anyone | Access::Login | Access::Needs(_) | Access::Platform => {}
        }
        let before = self.test.db.fingerprint().await;
        let answer = self.on_theirs(operation, token).await;
        let a_token = operation.access == Access::Login && token == self.alpha.token;
        if operation.access == Access::Platform || a_token {
            return self.not_done(operation, who, &answer, 403, "forbidden", &before).await;
        }
        if operation.kind().is_some() {
            return self.not_done(operation, who, &answer, 404, "not-found", &before).await;
        }
        if operation.access == Access::Login {
            expect_own_affair(operation, &answer);
        } else {
            expect_success(operation, &answer);
        }
        assert_eq!(self.beta.traces(&answer.body.to_string()), [""; 0], "{} as {who}: {}", operation.name(), answer.body);
        "own"
    }

    async fn suspended(&self, operation: &Operation) -> &'static str {
        let permission = match operation.access {
            Access::Open => return "yes",
            Access::Platform => return "403",
            Access::Anyone | Access::Login => None,
            Access::Needs(permission) => Some(permission),
        };
        let before = self.test.db.fingerprint().await;
        let body = self.body(&self.beta, operation, &self.beta.ids);
        let answer = self.call(operation, &self.beta.ids, &self.beta.token, body).await;
        if operation.access == Access::Login {
            return self.not_done(operation, "a suspended ISP's token", &answer, 403, "forbidden", &before).await;
        }
        if permission.is_none() || operation.method == "GET" || permission == Some(Permission::DataExport) {
            return expect_success(operation, &answer);
        }
        // Its own things are named in the answer at most by the caller's own words.
        expect_problem(operation, "a suspended ISP", &answer, 403, "tenant-suspended");
        assert_eq!(self.test.db.fingerprint().await, before, "{} by a suspended ISP changed something", operation.name());
        "403"
    }

    async fn by_platform(&self, operation: &Operation) -> &'static str {
        match operation.access {
            Access::Open => "yes",
            Access::Anyone if operation.path.ends_with("/logout") => "yes",
            Access::Login if operation.kind().is_some() => {
                let before = self.test.db.fingerprint().await;
                let answer = self.call(operation, &self.beta.ids, &self.platform, None).await;
                self.not_done(operation, "the platform's operator", &answer, 404, "not-found", &before).await
            }
            Access::Login => {
                let body = self.body(&self.beta, operation, &self.beta.ids);
                expect_own_affair(operation, &self.call(operation, &self.beta.ids, &self.platform, body).await);
                "own"
            }
            Access::Anyone | Access::Platform => {
                expect_success(operation, &self.on_own(operation, &self.beta, &self.platform).await)
            }
            Access::Needs(_) => {
                let before = self.test.db.fingerprint().await;
                let body = self.body(&self.beta, operation, &self.beta.ids);
                let answer = self.call(operation, &self.beta.ids, &self.platform, body).await;
                self.not_done(operation, "the platform's operator", &answer, 403, "forbidden", &before).await
            }
        }
    }
}

#[tokio::test]
async fn the_table_of_operations_and_callers_is_what_is_published() {
    let world = World::new().await;
    let mut tokens = Vec::new();
    for role in Role::ALL {
        tokens.push((role, world.test.token(&world.alpha.tenant, role).await));
    }
    let operations = world.document.operations();
    let mut rows: Vec<Cells> = Vec::new();
    // What is wrong is collected, so that one run shows all of it.
    let mut faults = Vec::new();
    for operation in &operations {
        let mut cells = vec![settle(&mut faults, operation, world.anonymous(operation)).await];
        for (role, token) in &tokens {
            cells.push(settle(&mut faults, operation, world.role(operation, *role, token)).await);
        }
        let (login, token) = (&world.alpha.tenant.token, &world.alpha.token);
        cells.push(settle(&mut faults, operation, world.other(operation, "another ISP's login", login)).await);
        cells.push(settle(&mut faults, operation, world.other(operation, "another ISP's token", token)).await);
        cells.push(settle(&mut faults, operation, world.by_platform(operation)).await);
        rows.push(cells);
    }
    let path = format!("/api/v1/platform/tenants/{}/suspend", world.beta.tenant.id);
    let _ = world.test.call("POST", &path, &world.platform, Some(json!({ "reason": "tests" }))).await.expect(204);
    for (operation, cells) in operations.iter().zip(&mut rows) {
        cells.push(settle(&mut faults, operation, world.suspended(operation)).await);
    }
    assert!(faults.is_empty(), "{} cells are not as they should be:\n{}", faults.len(), faults.join("\n"));
    let table = table(&operations, &rows);
    writeln!(std::io::stdout(), "{table}").expect("somebody reads");
    // `UPDATE_EXPECT=1` writes it anew.
    expect_file!["../../../docs/access.md"].assert_eq(&table);
}

/// Fills a cell, or notes what is wrong with it.
async fn settle(faults: &mut Vec<String>, operation: &Operation, cell: impl Future<Output = &'static str>) -> &'static str {
    AssertUnwindSafe(cell).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        faults.push(text.unwrap_or_else(|| format!("{}: a panic without a text", operation.name())));
        "?"
    })
}

fn table(operations: &[Operation], rows: &[Cells]) -> String {
    let roles: Vec<String> = Role::ALL.iter().map(|role| role.as_str().replace('_', " ")).collect();
    let head = format!("nobody | {} | other, login | other, token | platform | suspended", roles.join(" | "));
    let columns = head.split(" | ").count();
    let mut text = format!("{HEAD}\n| operation | needs | {head} |\n|---|---|{}\n", "---|".repeat(columns));
    for (operation, cells) in operations.iter().zip(rows) {
        assert_eq!(cells.len(), columns, "{} has a cell that nobody filled", operation.name());
        let needs = match operation.access {
            Access::Open => "nothing",
            Access::Anyone => "a credential",
            Access::Login => "a login",
            Access::Needs(permission) => permission.as_str(),
            Access::Platform => "platform",
        };
        writeln!(text, "| `{}` | {needs} | {} |", operation.name(), cells.join(" | ")).expect("a text takes a line");
    }
    text
}

#[track_caller]
fn expect_success(operation: &Operation, answer: &Answer) -> &'static str {
    let name = operation.name();
    let status = answer.status.as_u16();
    match no_success(&name) {
        Some(other) => {
            assert_eq!(status, other, "{name}: {}", answer.body);
            "(yes)"
        }
        None => {
            assert!(operation.successes.contains(&u64::from(status)), "{name} got {status}: {}", answer.body);
            "yes"
        }
    }
}

/// A person's own affair asks for their password or a code, which these tests do not have; it is tried in `access/` with them.
#[track_caller]
fn expect_own_affair(operation: &Operation, answer: &Answer) {
    let status = answer.status.as_u16();
    let done = operation.successes.contains(&u64::from(status));
    assert!(done || matches!(status, 400 | 409), "{} got {status}: {}", operation.name(), answer.body);
}

#[track_caller]
pub fn expect_problem(operation: &Operation, who: &str, answer: &Answer, status: u16, kind: &str) {
    let got = (answer.status.as_u16(), answer.body["type"].as_str().unwrap_or_default());
    let kind = format!("urn:mastwire:problem:{kind}");
    assert_eq!(got, (status, kind.as_str()), "{} as {who}: {}", operation.name(), answer.body);
}
