//! Every table of the registry, past all of our code: what the app role can do to another tenant's rows by SQL alone.

use super::world::World;
use db::registry::{Class, TABLES, Table};
use std::collections::BTreeSet;

/// Tables of which an ISP that has one of everything has no row here, with the reason. A stale line fails.
const EMPTY: &[(&str, &str)] = &[
    ("change_set", "no virtual router has joined here"),
    ("router_object", "no virtual router has joined here"),
    ("tunnel_peer", "no virtual router has joined here"),
];

fn tenants() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(|table| table.class == Class::Tenant)
}

#[tokio::test]
async fn no_statement_reaches_another_tenants_row_of_any_table() {
    let world = World::new().await;
    let (ours, db) = (world.alpha.tenant.id, &world.test.db);
    let (alpha, beta) = (ours.uuid(), world.beta.tenant.id.uuid());
    let before = db.fingerprint().await;
    let filled: BTreeSet<String> = db.rows(Some(world.beta.tenant.id)).await.into_iter().map(|(table, _)| table).collect();
    let mut bare = Vec::new();
    for Table { name, .. } in tenants() {
        if !filled.contains(*name) {
            bare.push(*name);
        }
        // Looking, changing and ending find nothing, or are not allowed at all.
        for statement in [
            format!("SELECT FROM {name} WHERE tenant_id = '{beta}'"),
            format!("SELECT FROM {name} WHERE tenant_id <> '{alpha}'"),
            format!("UPDATE {name} SET tenant_id = '{alpha}' WHERE tenant_id = '{beta}'"),
            format!("UPDATE {name} SET tenant_id = '{beta}' WHERE tenant_id = '{beta}'"),
            format!("DELETE FROM {name} WHERE tenant_id = '{beta}'"),
        ] {
            match db.try_as_app(ours, &statement).await {
                Ok(rows) => assert_eq!(rows, 0, "{statement}"),
                Err(text) => assert!(text.contains("permission denied"), "{statement}: {text}"),
            }
        }
        // A row in the other's name is refused, whatever is in it.
        let planted = format!(
            "INSERT INTO {name} SELECT (jsonb_populate_record(t, jsonb_build_object('tenant_id', '{beta}'))).* FROM {name} t LIMIT 1"
        );
        match db.try_as_app(ours, &planted).await {
            Ok(rows) => assert_eq!(rows, 0, "{planted}"),
            Err(text) => {
                let refused = text.contains("row-level security") || text.contains("permission denied");
                assert!(refused, "{planted}: {text}");
            }
        }
        // Our own rows cannot be given away.
        let gift = format!("UPDATE {name} SET tenant_id = '{beta}' WHERE tenant_id = '{alpha}'");
        match db.try_as_app(ours, &gift).await {
            Ok(rows) => assert_eq!(rows, 0, "{gift}"),
            Err(text) => {
                let refused = text.contains("row-level security") || text.contains("permission denied");
                assert!(refused, "{gift}: {text}");
            }
        }
    }
    assert!(db.fingerprint().await == before, "a statement that was taken back stayed");
    let excused: Vec<&str> = EMPTY.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        bare, excused,
        "left: tables in which an ISP with one of everything has no row; teach `World` to make one, or say why not"
    );
}
