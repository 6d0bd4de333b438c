//! Every operation by every caller, as one table: `docs/access.md`. The expectation follows from the permission that the document names and
//! from what roles hold; what is found must be that, and the published table must be what was found.
//! Method: all that must be refused is tried first, on a database that stays as it is; then what must be done; at last the suspended ISP.

use super::access::{asks_for_more, no_success};
use super::operations::{Access, Ids, Operation, id, query_kind};
use super::world::World;
use controller::operators::{Permission, Role};
use controller::testing::Answer;
use expect_test::expect_file;
use futures_util::FutureExt as _;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

const HEAD: &str = "\
# Who may do what

Written by a test (`controller/tests/attack/matrix.rs`), which calls every operation of the API as every kind of caller on things that
exist, compares all rows of the database before and after the refusals, and fails when this table says anything else.

- **yes**: done. **(yes)**: let in; what it asks of a router that is not there in the test could not be done.
- **own**: let in, and saw and changed nothing but its own.
- **401**, **403**, **404**: refused, nothing changed. Another ISP's thing looks like one that does not exist.
- The columns of roles act on their own ISP's things, and so do *only*, an API token that holds the one permission that the operation needs,
  and *all but*, one that holds every permission but that one.
- *other* is an admin of another ISP, by login and by API token; *platform* is an operator of the platform; *suspended* is the admin of an
  ISP whose account is suspended.
";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Without a credential.
    Nobody,
    /// An API token of a role, on its own ISP's things.
    Role(Role),
    /// An API token with the operation's permission alone.
    Only,
    /// An API token with all other permissions.
    AllBut,
    /// An admin's login, on another ISP's things.
    OtherLogin,
    /// An admin's API token, on another ISP's things.
    OtherToken,
    /// The platform's operator.
    Platform,
    /// An admin's API token of a suspended ISP, on its own things.
    Suspended,
}

impl Caller {
    fn all() -> Vec<Self> {
        let roles = Role::ALL.into_iter().map(Self::Role);
        let others = [Self::Only, Self::AllBut, Self::OtherLogin, Self::OtherToken, Self::Platform, Self::Suspended];
        std::iter::once(Self::Nobody).chain(roles).chain(others).collect()
    }

    fn head(self) -> String {
        match self {
            Self::Nobody => "nobody".to_owned(),
            Self::Role(role) => role.as_str().replace('_', " "),
            Self::Only => "only".to_owned(),
            Self::AllBut => "all but".to_owned(),
            Self::OtherLogin => "other, login".to_owned(),
            Self::OtherToken => "other, token".to_owned(),
            Self::Platform => "platform".to_owned(),
            Self::Suspended => "suspended".to_owned(),
        }
    }
}

/// What a caller has to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// It is done.
    Yes,
    /// It is done with the caller's own things, or with none.
    Own,
    /// The status and the kind of problem.
    Refused(u16, &'static str),
}

const UNKNOWN: Cell = Cell::Refused(401, "unauthenticated");
const FORBIDDEN: Cell = Cell::Refused(403, "forbidden");
const MISSING: Cell = Cell::Refused(404, "not-found");
const SUSPENDED: Cell = Cell::Refused(403, "tenant-suspended");

/// Decides what a caller has to get from an operation: the whole policy, from what the document says of the operation.
fn expected(operation: &Operation, caller: Caller) -> Cell {
    let names_a_thing = operation.kind().is_some();
    let looks = operation.method == "GET";
    match (operation.access, caller) {
        (Access::Open, _)
        | (Access::Anyone, Caller::Role(_) | Caller::Only | Caller::AllBut | Caller::Platform | Caller::Suspended) => Cell::Yes,
        (_, Caller::Nobody) => UNKNOWN,
        (Access::Needs(permission), Caller::Role(role)) if role.allows(permission) => Cell::Yes,
        (Access::Needs(_), Caller::Only) if asks_for_more(&operation.name()) => FORBIDDEN,
        (Access::Needs(_), Caller::Only) => Cell::Yes,
        (Access::Needs(permission), Caller::Suspended) if looks || permission == Permission::DataExport => Cell::Yes,
        (Access::Needs(_), Caller::Suspended) => SUSPENDED,
        (Access::Platform, Caller::Platform) => Cell::Yes,
        // Roles and ISPs are tried with API tokens, which are nobody's login.
        (Access::Login, Caller::Platform | Caller::OtherLogin)
        | (Access::Needs(_) | Access::Anyone, Caller::OtherLogin | Caller::OtherToken) => {
            if names_a_thing {
                MISSING
            } else {
                Cell::Own
            }
        }
        (Access::Login | Access::Platform, _) | (Access::Needs(_), Caller::Role(_) | Caller::AllBut | Caller::Platform) => {
            FORBIDDEN
        }
    }
}

/// The credentials of all callers.
struct Callers {
    roles: BTreeMap<&'static str, String>,
    /// Tokens that hold one permission alone, and all but that one.
    single: BTreeMap<&'static str, (String, String)>,
}

impl Callers {
    async fn new(world: &World) -> Self {
        let mut roles = BTreeMap::new();
        for role in Role::ALL {
            roles.insert(role.as_str(), world.test.token(&world.alpha.tenant, role).await);
        }
        let mut single = BTreeMap::new();
        for permission in Permission::ALL {
            let rest: Vec<&str> =
                Permission::ALL.iter().filter(|other| *other != permission).map(|other| other.as_str()).collect();
            let pair = (token(world, &[permission.as_str()]).await, token(world, &rest).await);
            single.insert(permission.as_str(), pair);
        }
        Self { roles, single }
    }

    /// The credential with which a caller calls an operation.
    fn credential<'a>(&'a self, world: &'a World, operation: &Operation, caller: Caller) -> &'a str {
        let (only, all_but) = match operation.access {
            Access::Needs(permission) => &self.single[permission.as_str()],
            Access::Open | Access::Anyone | Access::Login | Access::Platform => &self.single[Permission::ALL[0].as_str()],
        };
        match caller {
            Caller::Nobody => "",
            Caller::Role(role) => &self.roles[role.as_str()],
            Caller::Only => only,
            Caller::AllBut => all_but,
            Caller::OtherLogin => &world.alpha.tenant.token,
            Caller::OtherToken => &world.alpha.token,
            Caller::Platform => &world.platform,
            Caller::Suspended => &world.beta.token,
        }
    }
}

async fn token(world: &World, permissions: &[&str]) -> String {
    let body = json!({ "name": "of a few permissions", "role": "viewer", "permissions": permissions });
    world.test.call("POST", "/api/v1/tokens", &world.alpha.tenant.token, Some(body)).await.expect(201).text("token")
}

impl World {
    /// Calls an operation that has to be refused, on things that are there; everybody but the roles of their own ISP calls it on beta's.
    async fn turned_away(&self, operation: &Operation, caller: Caller, credential: &str, status: u16, kind: &str) {
        let (bodys, ids) = match caller {
            Caller::Role(_) | Caller::Only | Caller::AllBut => (&self.alpha, self.alpha.ids.clone()),
            Caller::OtherLogin | Caller::OtherToken => (&self.alpha, self.theirs()),
            Caller::Nobody | Caller::Platform | Caller::Suspended => (&self.beta, self.beta.ids.clone()),
        };
        let body = self.body(bodys, operation, &bodys.ids);
        let answer = self.call(operation, &ids, credential, body).await;
        let who = format!("{caller:?}");
        expect_problem(operation, &who, &answer, status, kind);
        assert_eq!(self.beta.traces(&answer.body.to_string()), [""; 0], "{} as {who}: {}", operation.name(), answer.body);
    }

    /// Beta's ids, with words of no ISP.
    fn theirs(&self) -> Ids {
        let words = self.alpha.ids.iter().filter(|(kind, _)| !kind.ends_with("Id")).map(|(a, b)| (a.clone(), b.clone()));
        self.beta.ids.clone().into_iter().chain(words).collect()
    }

    /// Asks for what is the other's by every parameter of the query that could name it: nothing of it comes.
    async fn ask_for_theirs(&self, operation: &Operation, credential: &str) {
        let (theirs, tenant) = (self.theirs(), id(&self.beta.ids, "TenantId"));
        let mut queries = vec![format!("limit=200&tenant={tenant}&tenant_id={tenant}")];
        let kinds = operation.query.iter().filter_map(|name| Some((name, query_kind(name, &self.beta.ids)?)));
        queries.extend(kinds.map(|(name, kind)| format!("{name}={}", id(&self.beta.ids, &kind))));
        for query in queries {
            let answer = self.send("GET", &format!("{}&{query}", operation.path(&theirs)), credential, None).await;
            let name = operation.name();
            assert!(answer.status.is_success() || answer.status.is_client_error(), "{name} {query}: {}", answer.body);
            assert_eq!(self.beta.traces(&answer.body.to_string()), [""; 0], "{name} {query}: {}", answer.body);
        }
    }

    /// Calls an operation that has to be done, on things made for it.
    async fn done(&self, operation: &Operation, caller: Caller, credential: &str) -> &'static str {
        if operation.access == Access::Open {
            // `credentials.rs` uses each of them.
            return "yes";
        }
        // The login is needed for what follows.
        if caller == Caller::Platform && operation.path.ends_with("/logout") {
            return "yes";
        }
        let isp = if matches!(caller, Caller::Platform | Caller::Suspended) { &self.beta } else { &self.alpha };
        // A suspended ISP makes nothing new, and what it may do ends nothing.
        let fresh = caller != Caller::Suspended;
        let answer = self.on_own(operation, isp, credential, fresh).await;
        expect_success(operation, &answer)
    }

    /// Calls an operation that names nothing, so that it is about the caller's own things.
    async fn own(&self, operation: &Operation, caller: Caller, credential: &str) -> &'static str {
        // It would end the login that is used here.
        if operation.path.ends_with("/logout") {
            return "own";
        }
        let (isp, ids) =
            if caller == Caller::Platform { (&self.beta, self.beta.ids.clone()) } else { (&self.alpha, self.theirs()) };
        let body = self.body(isp, operation, &isp.ids);
        let answer = self.call(operation, &ids, credential, body).await;
        self.rest(isp, operation, &answer).await;
        match operation.access {
            Access::Login => expect_own_affair(operation, &answer),
            _ => drop(expect_success(operation, &answer)),
        }
        if caller != Caller::Platform {
            assert_eq!(
                self.beta.traces(&answer.body.to_string()),
                [""; 0],
                "{} as {caller:?}: {}",
                operation.name(),
                answer.body
            );
        }
        "own"
    }
}

/// What was found, by operation and caller, and what was not as it should be: collected, so that one run shows all of it.
#[derive(Default)]
struct Found {
    cells: BTreeMap<(usize, usize), &'static str>,
    faults: Vec<String>,
}

impl Found {
    async fn note(&mut self, operation: &Operation, work: impl Future<Output = &'static str>) -> &'static str {
        AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            self.faults.push(text.unwrap_or_else(|| format!("{}: a panic without a text", operation.name())));
            "?"
        })
    }

    /// Tries all operations with some of the callers: refusals first, after which all rows must be what they were.
    async fn try_callers(&mut self, world: &World, callers: &Callers, operations: &[Operation], wanted: fn(Caller) -> bool) {
        let all = Caller::all();
        let some = || all.iter().copied().enumerate().filter(|(_, caller)| wanted(*caller));
        let mut before = world.test.db.fingerprint().await;
        for (row, operation) in operations.iter().enumerate() {
            for (column, caller) in some() {
                let Cell::Refused(status, kind) = expected(operation, caller) else { continue };
                let credential = callers.credential(world, operation, caller);
                let work = world.turned_away(operation, caller, credential, status, kind).map(|()| refusal(status));
                let cell = self.note(operation, work).await;
                self.cells.insert((row, column), cell);
                if caller == Caller::OtherToken && operation.method == "GET" && operation.has_query {
                    self.note(operation, world.ask_for_theirs(operation, credential).map(|()| "")).await;
                }
            }
            let after = world.test.db.fingerprint().await;
            if after != before {
                self.faults.push(format!("{} was refused and changed something", operation.name()));
            }
            before = after;
        }
        for (row, operation) in operations.iter().enumerate() {
            for (column, caller) in some() {
                let credential = callers.credential(world, operation, caller);
                let cell = match expected(operation, caller) {
                    Cell::Yes => self.note(operation, world.done(operation, caller, credential)).await,
                    Cell::Own => self.note(operation, world.own(operation, caller, credential)).await,
                    Cell::Refused(..) => continue,
                };
                self.cells.insert((row, column), cell);
            }
        }
    }
}

#[tokio::test]
async fn the_table_of_operations_and_callers_is_what_is_published() {
    let world = World::new().await;
    let callers = Callers::new(&world).await;
    let operations = world.document.operations();
    let mut found = Found::default();
    found.try_callers(&world, &callers, &operations, |caller| caller != Caller::Suspended).await;
    let path = format!("/api/v1/platform/tenants/{}/suspend", world.beta.tenant.id);
    let _ = world.test.call("POST", &path, &world.platform, Some(json!({ "reason": "tests" }))).await.expect(204);
    found.try_callers(&world, &callers, &operations, |caller| caller == Caller::Suspended).await;
    let faults = &found.faults;
    assert!(faults.is_empty(), "{} cells are not as they should be:\n{}", faults.len(), faults.join("\n"));
    // `UPDATE_EXPECT=1` writes it anew.
    expect_file!["../../../docs/access.md"].assert_eq(&table(&operations, &found.cells));
}

fn table(operations: &[Operation], cells: &BTreeMap<(usize, usize), &'static str>) -> String {
    let head: Vec<String> = Caller::all().into_iter().map(Caller::head).collect();
    let mut text = format!("{HEAD}\n| operation | needs | {} |\n|---|---|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for (row, operation) in operations.iter().enumerate() {
        let needs = match operation.access {
            Access::Open => "nothing",
            Access::Anyone => "a credential",
            Access::Login => "a login",
            Access::Needs(permission) => permission.as_str(),
            Access::Platform => "platform",
        };
        let filled = (0..head.len()).map(|column| cells.get(&(row, column)).copied());
        let filled: Option<Vec<&str>> = filled.collect();
        let filled = filled.unwrap_or_else(|| panic!("{} has a cell that nobody filled", operation.name()));
        writeln!(text, "| `{}` | {needs} | {} |", operation.name(), filled.join(" | ")).expect("a text takes a line");
    }
    text
}

fn refusal(status: u16) -> &'static str {
    match status {
        401 => "401",
        403 => "403",
        _ => "404",
    }
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
