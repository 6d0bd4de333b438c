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

/// One table. Made by [`tenant`] or [`platform`] and described further by the chained functions.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The table's name in schema `public`.
    pub name: &'static str,
    /// Whose its rows are.
    pub class: Class,
    /// What a row is, in one line.
    pub about: &'static str,
    /// Constraints and unique indexes that are unique across tenants, with the reason.
    pub global: &'static [(&'static str, &'static str)],
    /// For a platform table: why a tenant may read some of it, by policy and column grants.
    pub app_reads: Option<&'static str>,
    /// Columns sealed with the tenant's data key.
    pub sealed: &'static [&'static str],
    /// Columns sealed with the master key.
    pub master_sealed: &'static [&'static str],
    /// Columns that hold a password's or a token's hash: compared, never shown and never exported.
    pub hashes: &'static [&'static str],
    /// The column by whose month the table is cut into partitions.
    pub partitioned_by: Option<&'static str>,
}

const fn table(name: &'static str, class: Class) -> Table {
    Table {
        name,
        class,
        about: "",
        global: &[],
        app_reads: None,
        sealed: &[],
        master_sealed: &[],
        hashes: &[],
        partitioned_by: None,
    }
}

const fn tenant(name: &'static str) -> Table {
    table(name, Class::Tenant)
}

const fn platform(name: &'static str) -> Table {
    table(name, Class::Platform)
}

impl Table {
    /// Says what a row is, in one line.
    #[must_use]
    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Declares keys that are unique across tenants, each with the reason.
    #[must_use]
    pub const fn global(mut self, keys: &'static [(&'static str, &'static str)]) -> Self {
        self.global = keys;
        self
    }

    /// Says why a tenant may read some of a platform table.
    #[must_use]
    pub const fn app_reads(mut self, reason: &'static str) -> Self {
        self.app_reads = Some(reason);
        self
    }

    /// Declares the columns that are sealed with the tenant's data key.
    #[must_use]
    pub const fn sealed(mut self, columns: &'static [&'static str]) -> Self {
        self.sealed = columns;
        self
    }

    /// Declares the columns that are sealed with the master key.
    #[must_use]
    pub const fn master_sealed(mut self, columns: &'static [&'static str]) -> Self {
        self.master_sealed = columns;
        self
    }

    /// Declares the columns that hold the hash of a password or a token.
    #[must_use]
    pub const fn hashes(mut self, columns: &'static [&'static str]) -> Self {
        self.hashes = columns;
        self
    }

    /// Declares that the table is cut into partitions by the month of a column (`internal.partition_monthly`).
    #[must_use]
    pub const fn partitioned(mut self, by: &'static str) -> Self {
        self.partitioned_by = Some(by);
        self
    }
}

/// Returns a table of schema `public` by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// All tables of schema `public`, by name.
pub const TABLES: &[Table] = &[
    table("_sqlx_migrations", Class::Reference).about("a migration that was run"),
    tenant("api_token")
        .about("a token with which a program uses the API in a role")
        .global(&[("api_token_hash_unique", "a token is looked up before its tenant is known; 256 random bits tell nothing")])
        .hashes(&["token_hash"]),
    tenant("assignment").about("a router or a site that a limited operator sees"),
    tenant("audit_log").about("what somebody did in a tenant: append-only"),
    tenant("change_set").about("a plan as it was applied to a router, with the time of each step"),
    tenant("customer").about("a customer of an ISP: login, place on a router, intent").sealed(&["password"]),
    tenant("data_key").about("a key that seals a tenant's secrets").master_sealed(&["sealed_key"]),
    tenant("enrolment")
        .about("one router's permission to join")
        .global(&[(
            "enrolment_line_unique",
            "a line's token is looked up before its tenant is known; 256 random bits tell nothing",
        )])
        .sealed(&["hub_private_key", "preshared_key", "lasting_preshared_key", "api_password"])
        .hashes(&["line_token_hash"]),
    tenant("entitlement").about("what a customer has paid for, and until when"),
    platform("hub_key").about("the hub's own WireGuard key").master_sealed(&["sealed_key"]),
    tenant("idempotency_key").about("a request that may be sent again without being done twice"),
    tenant("job").about("work to be done later"),
    tenant("ledger_entry").about("one line of a journal: account and amount"),
    tenant("ledger_journal").about("a balanced set of entries, written once"),
    platform("login_session").about("a login, or a one-time link").hashes(&["token_hash"]),
    tenant("membership").about("that a person serves a tenant, in which role, and how much of it they see"),
    platform("operator")
        .about("a person who logs in")
        .app_reads("a tenant sees name and status of the people who serve it, not their password hashes")
        .hashes(&["password_hash"]),
    tenant("outbox").about("a router whose worker has to look again"),
    tenant("package").about("what an ISP sells"),
    tenant("payment").about("money that was received"),
    platform("platform_audit").about("what was done across tenants, and why"),
    tenant("router").about("a router of an ISP").sealed(&["api_password", "api_password_next"]),
    tenant("router_object").about("the tag of one thing of ours on a router"),
    tenant("router_state").about("what a router should hold and what it was seen to hold, as generations"),
    tenant("site").about("a place, or a part of one"),
    platform("tenant").about("an ISP").app_reads("a tenant sees its own row"),
    tenant("tunnel_address")
        .about("a tunnel address that is in use or resting")
        .global(&[("tunnel_address_unique", "one address, one router, in all tenants (promise 3)")]),
    tenant("tunnel_block")
        .about("a tenant's range of tunnel addresses")
        .global(&[("tunnel_block_disjoint", "tenants' blocks are disjoint (promise 3); made only by allocate_tunnel_block")]),
    tenant("tunnel_peer")
        .about("a router's WireGuard peer on the hub")
        .global(&[
            ("tunnel_peer_key_unique", "a tunnel key says who a router is, so it can be only one (promise 3)"),
            ("tunnel_peer_address_unique", "one address, one peer, in all tenants (promise 3)"),
        ])
        .sealed(&["preshared_key"]),
    tenant("voucher").about("a printed code that is worth a package").sealed(&["sealed_code"]).hashes(&["code_hmac"]),
    tenant("voucher_batch").about("vouchers made together"),
];

/// Functions that run with their owner's rights, with the reason.
pub const SECURITY_DEFINERS: &[(&str, &str)] =
    &[("allocate_tunnel_block", "it must see all tenants' blocks to find a free one; it writes and returns only the caller's")];
