//! Goal: each rule of the audit finds what it is for, and nothing else does.
//! Method: defects are planted one after another; after each, exactly the rules named have more findings than before.

use super::ROLES;
use super::world::{World, counts, text};
use db::TestDb;
use db::audit::rule_names;
use std::collections::BTreeSet;

/// A defect.
struct Plant {
    /// The rule that is for it.
    rule: &'static str,
    /// Rules that cannot help seeing it too.
    also: &'static [&'static str],
    /// What the vandal does; `{a}` and `{b}` are the tenants.
    sql: &'static str,
}

const fn plant(rule: &'static str, sql: &'static str) -> Plant {
    Plant { rule, also: &[], sql }
}

const PLANTS: &[Plant] = &[
    plant(
        "tables",
        "CREATE TABLE stray (n integer); ALTER TABLE stray OWNER TO mastwire_owner;
         ALTER TABLE stray ENABLE ROW LEVEL SECURITY; ALTER TABLE stray FORCE ROW LEVEL SECURITY",
    ),
    plant("row-security", "ALTER TABLE voucher NO FORCE ROW LEVEL SECURITY"),
    plant("row-security", "ALTER TABLE months.audit_log_2026_01 DISABLE ROW LEVEL SECURITY"),
    plant("tenant-policy", "CREATE POLICY stray ON voucher TO mastwire_app USING (false)"),
    plant("tenant-policy", "ALTER POLICY tenant ON device USING (tenant_id = (SELECT current_setting('app.tenant_id', true)::uuid))"),
    plant("tenant-policy", "CREATE POLICY stray ON hub_key TO mastwire_app USING (false)"),
    plant("tenant-policy", "CREATE POLICY stray ON site USING (false)"),
    plant("reach-policy", "DROP POLICY reach ON diagnosis"),
    plant("reach-policy", "ALTER POLICY reach ON change_set USING (true)"),
    plant("partitions", "GRANT SELECT ON months.audit_log_2026_01 TO mastwire_app"),
    plant("partitions", "CREATE POLICY stray ON months.audit_log_2026_01 TO mastwire_platform USING (true)"),
    plant("months-ahead", "DROP TABLE months.audit_log_2026_02"),
    plant("tenant-column", "ALTER TABLE purge_certificate ALTER COLUMN tenant_id DROP NOT NULL"),
    plant("unique-keys", "CREATE UNIQUE INDEX stray_unique ON site (id)"),
    plant("unique-keys", "ALTER TABLE api_token DROP CONSTRAINT api_token_hash_unique"),
    plant("foreign-keys", "ALTER TABLE site ADD CONSTRAINT stray FOREIGN KEY (parent_id, tenant_id) REFERENCES site (tenant_id, id)"),
    plant("foreign-keys-hold", "ALTER TABLE outbox ADD CONSTRAINT stray FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE"),
    plant("foreign-keys-hold", "ALTER TABLE outbox ADD CONSTRAINT stray_too FOREIGN KEY (tenant_id) REFERENCES tenant (id) NOT VALID"),
    plant("foreign-key-indexes", "DROP INDEX outbox_router"),
    plant(
        "indexes-valid",
        "CREATE INDEX stray_index ON site (notes); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'stray_index'::regclass",
    ),
    plant("list-indexes", "DROP INDEX audit_log_actor"),
    plant("views", "CREATE VIEW stray_view AS SELECT name FROM site; ALTER VIEW stray_view OWNER TO mastwire_owner"),
    plant(
        "views",
        "CREATE MATERIALIZED VIEW stray_copy AS SELECT name FROM site; ALTER MATERIALIZED VIEW stray_copy OWNER TO mastwire_owner",
    ),
    plant(
        "definers",
        "CREATE FUNCTION stray() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT count(*) FROM site';
         ALTER FUNCTION stray() OWNER TO mastwire_owner; REVOKE EXECUTE ON FUNCTION stray() FROM PUBLIC",
    ),
    plant("definers", "ALTER FUNCTION internal.chain_audit() RESET search_path"),
    plant("definers", "GRANT EXECUTE ON FUNCTION ensure_partitions(timestamptz, timestamptz) TO PUBLIC"),
    plant("sequences", "CREATE SEQUENCE stray_numbers; ALTER SEQUENCE stray_numbers OWNER TO mastwire_owner"),
    plant("enums", "CREATE TYPE stray_kind AS ENUM ('a', 'b')"),
    plant("json-shapes", "ALTER TABLE site ADD COLUMN stray jsonb"),
    plant("json-shapes", "ALTER TABLE diagnosis DROP CONSTRAINT diagnosis_steps_shape"),
    plant(
        "roles",
        "CREATE VIEW stray_own WITH (security_invoker = true) AS SELECT 1 AS one; ALTER VIEW stray_own OWNER TO mastwire_app",
    ),
    plant("grants", "GRANT TRUNCATE ON outbox TO mastwire_app"),
    plant("grants", "GRANT SELECT ON outbox TO PUBLIC"),
    plant("grants", "GRANT USAGE ON SCHEMA months TO mastwire_platform"),
    plant("secrets", "GRANT SELECT (preshared_key) ON tunnel_peer TO mastwire_platform"),
    plant("secrets", "GRANT SELECT (password_hash) ON operator TO mastwire_app"),
    plant("triggers", "ALTER TABLE audit_log DISABLE TRIGGER written_once"),
    plant("triggers", "DROP TRIGGER ledger_entry_balanced ON ledger_entry"),
    plant("triggers", "ALTER TABLE outbox DISABLE TRIGGER ALL"),
    Plant { rule: "wall", also: &["row-security"], sql: "ALTER TABLE site DISABLE ROW LEVEL SECURITY" },
    plant("references", "UPDATE outbox SET router_id = (SELECT id FROM router WHERE tenant_id = '{b}' LIMIT 1) WHERE tenant_id = '{a}'"),
    plant("reach", "DELETE FROM assignment WHERE tenant_id = '{b}'; ALTER POLICY reach ON router USING (true)"),
    plant("ledger", "UPDATE ledger_entry SET amount_minor = amount_minor + 1 WHERE tenant_id = '{a}' AND account = 'cash'"),
    plant("ledger", "DELETE FROM ledger_entry WHERE tenant_id = '{b}'"),
    plant(
        "wallets",
        "INSERT INTO wallet (tenant_id, customer_id, currency, balance_minor, entries, changed_at)
            SELECT tenant_id, id, 'KES', 5, 1, now() FROM customer WHERE tenant_id = '{a}' LIMIT 1",
    ),
    plant("addresses", "UPDATE router SET stage = 'confirmed' WHERE tenant_id = '{a}' AND name = 'roof'"),
    plant("addresses", "UPDATE tunnel_address SET address = '10.99.0.1' WHERE tenant_id = '{b}' AND address = (SELECT max(address) FROM tunnel_address WHERE tenant_id = '{b}')"),
    plant(
        "audit-targets",
        "SET session_replication_role = origin;
         INSERT INTO audit_log (tenant_id, id, at, actor, action, target)
         VALUES ('{a}', gen_random_uuid(), now(), 'system:plant', 'ticket.open', 'tkt_00000000000070008000000000000000');
         SET session_replication_role = replica",
    ),
    plant("audit-chain", "UPDATE audit_log SET actor = 'nobody' WHERE tenant_id = '{a}' AND seq = 2"),
    plant("audit-chain", "DELETE FROM audit_log WHERE tenant_id = '{b}' AND seq = 2"),
    // The last line is the one that named what is not there.
    Plant {
        rule: "audit-chain",
        also: &["audit-targets"],
        sql: "DELETE FROM audit_log WHERE tenant_id = '{a}' AND seq = (SELECT max(seq) FROM audit_log WHERE tenant_id = '{a}')",
    },
    plant("platform-chain", "UPDATE platform_audit SET reason = 'nothing' WHERE seq = 1"),
];

#[tokio::test]
async fn every_rule_finds_what_it_is_for_and_nothing_else() {
    let _roles = ROLES.read().await;
    let world = World::new().await;
    let mut vandal = world.vandal().await;
    let report = world.report().await;
    assert_eq!(report.found(), 0, "{}", text(&report));
    assert_eq!(report.tenants, 2);
    let mut before = counts(&report);
    for Plant { rule, also, sql } in PLANTS {
        let [a, b] = [&world.alpha, &world.beta].map(|isp| isp.tenant.id.uuid().to_string());
        TestDb::run(&mut vandal, &sql.replace("{a}", &a).replace("{b}", &b)).await;
        let report = world.report().await;
        let after = counts(&report);
        let changed: BTreeSet<&str> =
            after.iter().filter(|(name, found)| before[*name] != **found).map(|(name, _)| *name).collect();
        let wanted: BTreeSet<&str> = std::iter::once(*rule).chain(also.iter().copied()).collect();
        assert_eq!(changed, wanted, "{sql}\n{}", text(&report));
        before = after;
    }
    let planted: BTreeSet<&str> = PLANTS.iter().map(|plant| plant.rule).collect();
    let rules: BTreeSet<&str> = rule_names().collect();
    assert_eq!(planted, rules, "left: rules with a plant, right: all rules");
    let idle: Vec<&str> = report.rules.iter().filter(|rule| rule.checked == 0).map(|rule| rule.name).collect();
    assert_eq!(idle, ["wallets"], "rules that had nothing to look at in this world");
}

#[tokio::test]
async fn a_role_that_passes_the_policies_by_is_found() {
    let _roles = ROLES.write().await;
    let world = World::new().await;
    let mut vandal = world.vandal().await;
    for (sql, undo) in [
        ("ALTER ROLE mastwire_app BYPASSRLS", "ALTER ROLE mastwire_app NOBYPASSRLS"),
        ("GRANT mastwire_owner TO mastwire_platform", "REVOKE mastwire_owner FROM mastwire_platform"),
        ("ALTER ROLE mastwire_platform CREATEDB", "ALTER ROLE mastwire_platform NOCREATEDB"),
    ] {
        TestDb::run(&mut vandal, sql).await;
        let found = counts(&world.report().await);
        TestDb::run(&mut vandal, undo).await;
        assert_eq!(found["roles"], 1, "{sql}");
        assert!(found["wall"] > 0 || !sql.contains("BYPASSRLS"), "{sql}");
        // Connections that were open meanwhile keep the plans they made, so of the rest nothing is asked.
        assert_eq!(counts(&world.report().await)["roles"], 0, "it was undone");
    }
}

#[tokio::test]
async fn a_rule_that_may_not_look_is_a_finding() {
    let _roles = ROLES.read().await;
    let world = World::new().await;
    let mut vandal = world.vandal().await;
    TestDb::run(&mut vandal, "REVOKE SELECT ON ledger_journal FROM mastwire_app").await;
    let report = world.report().await;
    let ledger = report.rules.iter().find(|rule| rule.name == "ledger").expect("it is there");
    assert_eq!(ledger.found, 2, "once for each tenant");
    assert!(ledger.findings[0].what.contains("could not be checked: permission denied"), "{}", ledger.findings[0].what);
}
