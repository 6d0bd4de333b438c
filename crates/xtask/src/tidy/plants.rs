//! Goal: every rule finds what it forbids, and leaves alone what looks like it.
//! Method: small trees of files with violations planted in them; what each rule finds is compared whole.

use super::RULES;
use super::tree::Tree;
use std::collections::BTreeSet;

/// A tree, the rule it is shown to, and all that the rule finds (`file:line what`).
struct Plant {
    rule: &'static str,
    files: &'static [(&'static str, &'static str)],
    found: &'static [&'static str],
}

fn find(rule: &str, files: &[(&str, &str)]) -> Vec<String> {
    let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let tree = Tree::of(texts).expect("planted manifests are TOML");
    let rule = RULES.iter().copied().flatten().find(|candidate| candidate.name == rule).expect(rule);
    let mut places = (rule.check)(&tree);
    places.sort();
    places.into_iter().map(|place| format!("{}:{} {}", place.file, place.line, place.what)).collect()
}

const PLANTS: &[Plant] = &[
    Plant {
        rule: "roles",
        files: &[
            (
                "controller/src/payments/rules.rs",
                "use sqlx::query;\nfn f() { tokio::spawn(g()); }\nuse model::Money;\nuse axum as http;",
            ),
            ("controller/src/payments/rules/tax.rs", "use axum::Json;\n#[cfg(test)]\nmod tests { use tokio::test; }"),
            (
                "controller/src/payments/store.rs",
                "use {axum::Json, db::TenantTx};\n// tunnel::Hub\nfn f() -> crate::tunnel::X {}\nuse tunnel::Hub;",
            ),
            ("controller/src/payments/routes.rs", "use axum::Json;\nfn f() { sqlx::query(\"x\"); routeros::parse() }"),
            ("controller/src/payments/pages.rs", "use routeros::catalogue::{ppp, ip};"),
            ("controller/src/payments/mod.rs", "use axum::Json;\nuse routeros::{catalogue::ppp, client::Client};"),
            ("controller/src/provisioning/mod.rs", "use routeros::client::Client;"),
            ("controller/src/http/mod.rs", "use axum::Json;\nuse tokio::net;"),
            ("controller/src/app.rs", "use axum::Json;"),
        ],
        found: &[
            "controller/src/payments/mod.rs:1 `axum::Json` in mod",
            "controller/src/payments/mod.rs:2 `routeros::client::Client` in domain payments",
            "controller/src/payments/pages.rs:1 `routeros::catalogue::ip` in pages",
            "controller/src/payments/pages.rs:1 `routeros::catalogue::ppp` in pages",
            "controller/src/payments/routes.rs:2 `routeros::parse` in routes",
            "controller/src/payments/routes.rs:2 `sqlx::query` in routes",
            "controller/src/payments/rules.rs:1 `sqlx::query` in rules",
            "controller/src/payments/rules.rs:2 `tokio::spawn` in rules",
            "controller/src/payments/rules.rs:4 `axum` in rules",
            "controller/src/payments/rules/tax.rs:1 `axum::Json` in rules",
            "controller/src/payments/store.rs:1 `axum::Json` in store",
            "controller/src/payments/store.rs:4 `tunnel::Hub` in store",
        ],
    },
    Plant {
        rule: "tenant-said",
        files: &[
            (
                "crates/db/src/registry.rs",
                "pub const TABLES: &[Table] = &[\n    platform(\"operator\"),\n    tenant(\"router\"),\n];",
            ),
            (
                "controller/src/routers/store.rs",
                "fn f() {\n q(\"SELECT name FROM router WHERE id = $1\");\n q(\"SELECT name FROM router WHERE tenant_id = $1\");\n q(\"SELECT 1 FROM operator\");\n q(\"UPDATE router SET name = $1\");\n}",
            ),
            ("controller/src/routers/mod.rs", "// FROM router\nfn f() { say(\"FROM router to tower\") }"),
        ],
        found: &["controller/src/routers/store.rs:2 `router`", "controller/src/routers/store.rs:5 `router`"],
    },
    Plant {
        rule: "front-doors",
        files: &[
            (
                "controller/src/payments/mod.rs",
                "use crate::routers::{store, Router};\nuse super::routers::routes;\nuse crate::payments::store::x;\nuse self::store::y;",
            ),
            ("controller/src/payments/store.rs", "use super::store::z;\nuse super::super::routers::store::w;"),
            ("controller/src/payments/routes.rs", "use crate::routers::Router;\nuse crate::http::Page;\nuse super::pay;"),
            ("controller/src/routers/mod.rs", "use crate::payments::pay;"),
            ("controller/src/http/mod.rs", "use crate::payments::routes;\nuse crate::payments::store;"),
            ("controller/src/app.rs", "use crate::routers::rules;"),
        ],
        found: &[
            "controller/src/app.rs:1 `crate::routers::rules`",
            "controller/src/http/mod.rs:2 `crate::payments::store`",
            "controller/src/payments/mod.rs:1 `crate::routers::store`",
            "controller/src/payments/mod.rs:2 `crate::routers::routes`",
            "controller/src/payments/routes.rs:1 `crate::routers::Router`",
            "controller/src/payments/store.rs:2 `crate::routers::store::w`",
        ],
    },
    Plant {
        rule: "doors",
        files: &[
            (
                "controller/src/a/store.rs",
                "use sqlx::{PgPool, raw_sql};\nlet sql = r#\"\n  SELECT set_config('x', 'y', true)\"#;\n// SET ROLE in a comment\nf(\"SET ROLE app\", \"set role\");",
            ),
            ("crates/db/src/lib.rs", "use sqlx::{AssertSqlSafe, PgPool};\nf(\"SET ROLE app\");"),
            ("tests/src/lib.rs", "let pool: PgPoolOptions; struct PgPooled;"),
        ],
        found: &[
            "controller/src/a/store.rs:1 `PgPool`",
            "controller/src/a/store.rs:1 `raw_sql`",
            "controller/src/a/store.rs:3 `set_config`",
            "controller/src/a/store.rs:5 `SET ROLE`",
            "tests/src/lib.rs:1 `PgPoolOptions`",
        ],
    },
    Plant {
        rule: "menus",
        files: &[
            (
                "crates/reconcile/src/lib.rs",
                "f(\"/ppp/secret\");\n// \"/ip/pool\"\nf(\"/ip service print\", \"/api/v1/users\", \"/ip\");\n#[cfg(test)]\nmod tests { f(\"/ip/pool\") }",
            ),
            ("controller/src/a/mod.rs", "f(\"x\",\n  \"/ip/hotspot/user\");"),
            ("crates/routeros/src/catalogue/ppp.rs", "f(\"/ppp/secret\")"),
            ("crates/routeros/src/client.rs", "f(\"/system/reboot\", \"/login\")"),
            ("crates/routeros-sim/src/lib.rs", "f(\"/ppp/secret\")"),
            ("tests/src/lib.rs", "f(\"/ppp/secret\")"),
        ],
        found: &[
            "controller/src/a/mod.rs:2 `/ip/hotspot/user`",
            "crates/reconcile/src/lib.rs:1 `/ppp/secret`",
            "crates/routeros/src/client.rs:1 `/system/reboot`",
        ],
    },
    Plant {
        rule: "unfinished",
        files: &[(
            "crates/a/src/lib.rs",
            "fn f() { todo!() }\n// todo!()\nfn g() { unimplemented!(\"x\"); dbg!(1); }\n#[ignore = \"slow\"]\n#[test]\nfn h() {}\n#[should_panic]\nfn i() {}\n#[serde(ignore)]\nstruct J;",
        )],
        found: &[
            "crates/a/src/lib.rs:1 `todo!`",
            "crates/a/src/lib.rs:3 `dbg!`",
            "crates/a/src/lib.rs:3 `unimplemented!`",
            "crates/a/src/lib.rs:4 `ignore`",
            "crates/a/src/lib.rs:7 `should_panic`",
        ],
    },
    Plant {
        rule: "sleeps",
        files: &[
            (
                "crates/a/src/lib.rs",
                "fn f() { tokio::time::sleep(x); }\n#[cfg(test)]\nmod tests {\n use std::thread::{self, sleep};\n fn g() { time::sleep_until(x); tokio::time::interval(x); }\n}",
            ),
            ("tests/src/lib.rs", "fn f() { std::thread::sleep(x) }"),
            ("tests/src/bin/demo.rs", "fn f() { std::thread::sleep(x) }"),
        ],
        found: &[
            "crates/a/src/lib.rs:4 `std::thread::sleep`",
            "crates/a/src/lib.rs:5 `time::sleep_until`",
            "tests/src/lib.rs:1 `std::thread::sleep`",
        ],
    },
    Plant {
        rule: "silenced",
        files: &[(
            "crates/a/src/lib.rs",
            "#![allow(dead_code)]\n#[expect(unused, reason = \"why\")]\n#[cfg_attr(test, allow(unused))]\n#[arg(allow_hyphen_values)]\n#[expect(\n  unused\n)]\nfn f() { x.expect(\"y\") }",
        )],
        found: &["crates/a/src/lib.rs:1 `allow(…)`", "crates/a/src/lib.rs:3 `allow(…)`", "crates/a/src/lib.rs:5 `expect(…)`"],
    },
    Plant {
        rule: "machines",
        files: &[
            ("docs/a.md", "see /home/me/x\nsee ./home/x and https://a.example/home/b\n(/root/x)"),
            ("crates/a/src/lib.rs", "// fetched from https://registry.example\nlet x = \"/Users/y\";"),
            ("Cargo.lock", "/home/me/x"),
        ],
        found: &[
            "crates/a/src/lib.rs:1 `://registry.`",
            "crates/a/src/lib.rs:2 `/Users/`",
            "docs/a.md:1 `/home/`",
            "docs/a.md:3 `/root/`",
        ],
    },
    Plant {
        rule: "words",
        files: &[("docs/a.md", "TODO: say more\nTODOS, mastodon, HACKED"), ("crates/a/src/lib.rs", "\n// FIXME")],
        found: &["crates/a/src/lib.rs:2 `FIXME`", "docs/a.md:1 `TODO`"],
    },
    Plant {
        rule: "migrations",
        files: &[
            ("migrations/0001_create_tenants.sql", ""),
            ("migrations/0003_add_routers.sql", ""),
            ("migrations/0003_add_vouchers.sql", ""),
            ("migrations/0004_fix.sql", ""),
            ("migrations/4_add_x.sql", ""),
            ("migrations/README.md", ""),
        ],
        found: &[
            "migrations/0003_add_routers.sql:1 0003 follows 0001",
            "migrations/0003_add_vouchers.sql:1 0003 follows 0003",
            "migrations/0004_fix.sql:1 another name than NNNN_verb_noun.sql",
            "migrations/4_add_x.sql:1 another name than NNNN_verb_noun.sql",
            "migrations/README.md:1 another name than NNNN_verb_noun.sql",
        ],
    },
    Plant {
        rule: "rooms",
        files: &[
            (
                "crates/model/Cargo.toml",
                "[package]\nname = \"model\"\n[features]\ndefault = [\"sqlx\"]\n[dependencies]\nserde.workspace = true\ntokio = { workspace = true }\nsqlx.workspace = true\nutoipa = { workspace = true, optional = true }",
            ),
            (
                "crates/reconcile/Cargo.toml",
                "[package]\nname = \"reconcile\"\n[dependencies]\nmodel.workspace = true\ndb.workspace = true\nrouteros = { workspace = true, features = [\"client\"] }\n[dev-dependencies]\ntokio.workspace = true",
            ),
            (
                "crates/db/Cargo.toml",
                "[package]\nname = \"db\"\n[dependencies.axum]\nworkspace = true\n[target.'cfg(unix)'.dependencies]\ntunnel.workspace = true",
            ),
            (
                "controller/Cargo.toml",
                "[package]\nname = \"mastwire-controller\"\n[dependencies]\nrouteros = { workspace = true, features = [\"client\"] }\ndb = { workspace = true, features = [\"testing\"] }\n[build-dependencies]\nrouteros-sim.workspace = true\n[dev-dependencies]\nmodel = { workspace = true, features = [\"testing\"] }\n[features]\ndefault = [\"testing\"]",
            ),
            ("crates/shed/Cargo.toml", "[package]\nname = \"shed\""),
            ("Cargo.toml", "[workspace]"),
        ],
        found: &[
            "controller/Cargo.toml:1 `mastwire-controller` turns features on unasked (`default`)",
            "controller/Cargo.toml:5 `mastwire-controller` never turns on `testing` of `db`",
            "controller/Cargo.toml:7 `mastwire-controller` may not use our `routeros-sim`",
            "crates/db/Cargo.toml:3 `db` never uses `axum`",
            "crates/db/Cargo.toml:6 `db` may not use our `tunnel`",
            "crates/model/Cargo.toml:1 `model` turns features on unasked (`default`)",
            "crates/model/Cargo.toml:7 `model` never uses `tokio`",
            "crates/model/Cargo.toml:8 `model` uses `sqlx` only behind a feature (`optional = true`)",
            "crates/reconcile/Cargo.toml:5 `reconcile` may not use our `db`",
            "crates/reconcile/Cargo.toml:6 `reconcile` never turns on `client` of `routeros`",
            "crates/shed/Cargo.toml:1 the crate `shed` has no row in the table",
        ],
    },
    Plant {
        rule: "one-version",
        files: &[(
            "crates/a/Cargo.toml",
            "[dependencies]\nserde = \"1\"\ntokio.workspace = true\n[dev-dependencies]\na = { path = \".\" }\ncsv = { version = \"1\" }",
        )],
        found: &[
            "crates/a/Cargo.toml:2 `serde` is not taken from the workspace",
            "crates/a/Cargo.toml:6 `csv` is not taken from the workspace",
        ],
    },
    Plant {
        rule: "reasons",
        files: &[(
            "Cargo.toml",
            "[workspace.dependencies]\n# A heading is no reason.\nserde = \"1\"\nserde_json = \"1\" # data\ncsv = \"1#2\"\nhex = \"1\" # -\nmodel = { path = \"x\" }\n[profile.dev]\ndebug = 1",
        )],
        found: &[
            "Cargo.toml:3 `serde` has no reason beside it",
            "Cargo.toml:5 `csv` has no reason beside it",
            "Cargo.toml:6 `hex` has no reason beside it",
        ],
    },
    Plant {
        rule: "manifests",
        files: &[
            ("Cargo.toml", "[workspace.package]\nversion = \"1\""),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\"\nlicense.workspace = true\n[lints]\nworkspace = true"),
            ("crates/b/Cargo.toml", "[package]\nname = \"b\""),
        ],
        found: &[
            "Cargo.toml:1 the workspace names no licence",
            "crates/b/Cargo.toml:1 no licence",
            "crates/b/Cargo.toml:1 not under the workspace's lints",
        ],
    },
];

#[test]
fn every_rule_finds_what_it_forbids_and_no_more() {
    for plant in PLANTS {
        assert_eq!(find(plant.rule, plant.files), plant.found, "rule `{}`", plant.rule);
    }
}

#[test]
fn long_files_warn_then_fail() {
    let lines = |count| "\n".repeat(count);
    let files = [(600, "a"), (601, "b"), (700, "c"), (701, "d")].map(|(count, name)| (format!("crates/{name}.rs"), lines(count)));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(find("length-soon", &files), ["crates/b.rs:601 601 lines", "crates/c.rs:700 700 lines"]);
    assert_eq!(find("length", &files), ["crates/d.rs:701 701 lines"]);
}

#[test]
fn every_rule_has_a_plant_and_holds_in_an_empty_house() {
    let planted: BTreeSet<&str> = PLANTS.iter().map(|plant| plant.rule).chain(["length", "length-soon"]).collect();
    let rules: BTreeSet<&str> = RULES.iter().copied().flatten().map(|rule| rule.name).collect();
    assert_eq!(planted, rules);
    for rule in rules {
        assert_eq!(find(rule, &[]), Vec::<String>::new(), "rule `{rule}`");
    }
}
