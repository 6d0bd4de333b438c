//! Every table with its class. A test compares this with the real catalogue in both directions, so nothing is forgotten and nothing here
//! outlives its table.

/// Whose a table's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Each row belongs to one tenant: `tenant_id` is not null, leads every key, and row-level security is forced.
    Tenant,
    /// The platform's own; row-level security is forced all the same, and the app role is let in only where `app_reads` says so.
    Platform,
    /// Bookkeeping of the database itself.
    Reference,
}

/// One table.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The table's name in schema `public`.
    pub name: &'static str,
    /// Whose its rows are.
    pub class: Class,
    /// Constraints and unique indexes that are unique across tenants, with the reason.
    pub global: &'static [(&'static str, &'static str)],
    /// For a platform table: why a tenant may read some of it, by policy and column grants.
    pub app_reads: Option<&'static str>,
}

const fn tenant(name: &'static str) -> Table {
    Table { name, class: Class::Tenant, global: &[], app_reads: None }
}

const fn tenant_with(name: &'static str, global: &'static [(&'static str, &'static str)]) -> Table {
    Table { name, class: Class::Tenant, global, app_reads: None }
}

const fn platform(name: &'static str, app_reads: Option<&'static str>) -> Table {
    Table { name, class: Class::Platform, global: &[], app_reads }
}

/// All tables of schema `public`, by name.
pub const TABLES: &[Table] = &[
    Table { name: "_sqlx_migrations", class: Class::Reference, global: &[], app_reads: None },
    tenant_with(
        "api_token",
        &[("api_token_hash_unique", "a token is looked up before its tenant is known; 256 random bits tell nothing")],
    ),
    tenant("assignment"),
    tenant("audit_log"),
    tenant("change_set"),
    tenant("customer"),
    tenant("data_key"),
    tenant_with(
        "enrolment",
        &[("enrolment_line_unique", "a line's token is looked up before its tenant is known; 256 random bits tell nothing")],
    ),
    tenant("entitlement"),
    platform("hub_key", None),
    tenant("idempotency_key"),
    tenant("job"),
    tenant("ledger_entry"),
    tenant("ledger_journal"),
    platform("login_session", None),
    tenant("membership"),
    platform("operator", Some("a tenant sees name and status of the people who serve it, not their password hashes")),
    tenant("outbox"),
    tenant("package"),
    tenant("payment"),
    platform("platform_audit", None),
    tenant("router"),
    tenant("router_object"),
    tenant("router_state"),
    tenant("site"),
    platform("tenant", Some("a tenant sees its own row")),
    tenant_with("tunnel_address", &[("tunnel_address_unique", "one address, one router, in all tenants (promise 3)")]),
    tenant_with(
        "tunnel_block",
        &[("tunnel_block_disjoint", "tenants' blocks are disjoint (promise 3); made only by allocate_tunnel_block")],
    ),
    tenant_with(
        "tunnel_peer",
        &[
            ("tunnel_peer_key_unique", "a tunnel key says who a router is, so it can be only one (promise 3)"),
            ("tunnel_peer_address_unique", "one address, one peer, in all tenants (promise 3)"),
        ],
    ),
    tenant("voucher"),
    tenant("voucher_batch"),
];

/// Functions that run with their owner's rights, with the reason.
pub const SECURITY_DEFINERS: &[(&str, &str)] =
    &[("allocate_tunnel_block", "it must see all tenants' blocks to find a free one; it writes and returns only the caller's")];
