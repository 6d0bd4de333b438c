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

/// A kind of copy of a tenant's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// A backup.
    Backup,
    /// A backup laid beside the tenant, to be compared: it must not act.
    Shadow,
    /// Plain files for the ISP itself.
    Export,
}

/// How long an ISP keeps rows of a table that grows without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The column that says how old a row is; empty while it goes on.
    pub by: &'static str,
    /// The column of table `retention` with the ISP's days.
    pub setting: &'static str,
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
    /// For a platform table: why a row may be without a tenant although it has the column.
    pub tenantless: Option<&'static str>,
    /// Why the policy `reach` of the table is another than the one of `internal.limit_reach`.
    pub own_reach: Option<&'static str>,
    /// Why the table names a router and is not limited to those within reach.
    pub beyond_reach: Option<&'static str>,
    /// The column by whose month the table is cut into partitions.
    pub partitioned_by: Option<&'static str>,
    /// How long its rows are kept, if they are not kept for good (`internal.kept` says the same).
    pub kept: Option<Kept>,
    /// Copies that the table's rows do not go into, each with the reason.
    pub left_out: &'static [(Copied, &'static str)],
    /// Text columns that are unique across tenants and get a mark behind them in a shadow.
    pub marked: &'static [&'static str],
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
        tenantless: None,
        own_reach: None,
        beyond_reach: None,
        partitioned_by: None,
        kept: None,
        left_out: &[],
        marked: &[],
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

    /// Says why a row of a platform table may be without a tenant.
    #[must_use]
    pub const fn tenantless(mut self, reason: &'static str) -> Self {
        self.tenantless = Some(reason);
        self
    }

    /// Says why the table limits an operator's reach by a policy of its own.
    #[must_use]
    pub const fn own_reach(mut self, reason: &'static str) -> Self {
        self.own_reach = Some(reason);
        self
    }

    /// Says why the table names a router and yet is not limited to those within an operator's reach.
    #[must_use]
    pub const fn beyond_reach(mut self, reason: &'static str) -> Self {
        self.beyond_reach = Some(reason);
        self
    }

    /// Declares that the table is cut into partitions by the month of a column (`internal.partition_monthly`).
    #[must_use]
    pub const fn partitioned(mut self, by: &'static str) -> Self {
        self.partitioned_by = Some(by);
        self
    }

    /// Declares that an ISP says how long rows are kept, counted from a column.
    #[must_use]
    pub const fn kept(mut self, by: &'static str, setting: &'static str) -> Self {
        self.kept = Some(Kept { by, setting });
        self
    }

    /// Declares the copies that the rows do not go into, each with the reason.
    #[must_use]
    pub const fn left_out(mut self, copies: &'static [(Copied, &'static str)]) -> Self {
        self.left_out = copies;
        self
    }

    /// Declares text columns that are unique across tenants and get `~` and twelve digits of the shadow's id behind them in a shadow, which
    /// the column's CHECK has to let in.
    #[must_use]
    pub const fn marked(mut self, columns: &'static [&'static str]) -> Self {
        self.marked = columns;
        self
    }

    /// Says why the rows do not go into a copy, if they do not. What no backup has, no shadow has.
    #[must_use]
    pub fn left_out_of(&self, copy: Copied) -> Option<&'static str> {
        let found = |copy| self.left_out.iter().find(|(from, _)| *from == copy).map(|(_, reason)| *reason);
        found(copy).or_else(|| if copy == Copied::Shadow { found(Copied::Backup) } else { None })
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
    tenant("account").about("where money stands in the books"),
    tenant("api_token")
        .about("a token with which a program uses the API in a role")
        .global(&[("api_token_hash_unique", "a token is looked up before its tenant is known; 256 random bits tell nothing")])
        .hashes(&["token_hash"])
        .left_out(&[(Copied::Shadow, "nobody gets into a shadow")]),
    tenant("assignment")
        .about("a router or a site that a limited operator sees")
        .beyond_reach("it is what says how far an operator reaches; its policies could not ask themselves")
        .left_out(&[(Copied::Shadow, "nobody gets into a shadow")]),
    tenant("audit_anchor")
        .about("where a tenant's audit chain stood behind lines whose month was dropped")
        .left_out(&[(Copied::Shadow, "the chain's hashes name their tenant")]),
    tenant("audit_head")
        .about("where a tenant's audit chain ends")
        .left_out(&[(Copied::Shadow, "the chain's hashes name their tenant")]),
    tenant("audit_log")
        .about("what somebody did in a tenant: append-only, numbered and chained")
        .partitioned("at")
        .kept("at", "audit_days")
        .left_out(&[(Copied::Shadow, "the chain's hashes name their tenant")]),
    tenant("backup")
        .about("a backup of the tenant, taken through the API")
        .left_out(&[(Copied::Backup, "it tells of files, which are not in it")]),
    tenant("change_set")
        .about("a plan as it was applied to a router, with the time of each step")
        .kept("started_at", "changes_days"),
    tenant("configuration")
        .about("a router's configuration as its own export writes it, kept whenever it differs from the one before")
        .sealed(&["sealed_text"])
        .kept("seen_until", "configurations_days"),
    tenant("configuration_state").about("what a router held last, and since when its configuration could not be taken"),
    tenant("customer")
        .about("a customer of an ISP: who they are, how they connect, where, and what the ISP wants with them")
        .global(&[(
            "customer_account_unique",
            "money names an account number and nothing else; seven random digits and a check digit tell nothing",
        )])
        .sealed(&["password"])
        .marked(&["account_number"]),
    tenant("customer_credential").about("a login, device or telephone that a customer was recognised by, and no longer is"),
    tenant("customer_import").about("a file of customers that was taken in, or refused whole"),
    tenant("data_key").about("a key that seals a tenant's secrets").master_sealed(&["sealed_key"]).left_out(&[
        (Copied::Backup, "keys travel apart from rows, opened, within the sealed file"),
        (Copied::Export, "a key leaves for nobody"),
    ]),
    tenant("device").about("a thing behind or beside a router").sealed(&["credentials"]),
    tenant("diagnosis")
        .about("what was checked of a router or a customer, and what was found")
        .sealed(&["seal"])
        .kept("finished_at", "diagnoses_days"),
    tenant("enrolment")
        .about("one router's permission to join")
        .global(&[(
            "enrolment_line_unique",
            "a line's token is looked up before its tenant is known; 256 random bits tell nothing",
        )])
        .sealed(&["hub_private_key", "preshared_key", "lasting_preshared_key", "api_password"])
        .hashes(&["line_token_hash"])
        .left_out(&[
            (Copied::Shadow, "no router joins a shadow"),
            (Copied::Export, "permissions to join are of no use elsewhere"),
        ]),
    tenant("entitlement").about("what a customer has paid for, and until when"),
    tenant("expense").about("money that the ISP spent"),
    tenant("gateway").about("a way by which money or messages travel, with its keys").sealed(&["credentials"]),
    platform("health_condition").about("what is wrong with the installation now"),
    platform("hub_key").about("the hub's own WireGuard key").master_sealed(&["sealed_key"]),
    tenant("idempotency_key").about("a request that may be sent again without being done twice").left_out(&[
        (Copied::Shadow, "nobody sends a shadow anything"),
        (Copied::Export, "answers of the API, which may have held a secret once"),
    ]),
    tenant("impersonation")
        .about("a visit of the platform's support in a tenant")
        .global(&[(
            "impersonation_token_unique",
            "a visit's token is looked up before its tenant is known; 256 random bits tell nothing",
        )])
        .hashes(&["token_hash"]),
    tenant("invitation")
        .about("an invitation to serve a tenant, good once")
        .global(&[(
            "invitation_token_unique",
            "an invitation is looked up before its tenant is known; 256 random bits tell nothing",
        )])
        .hashes(&["token_hash"]),
    tenant("invoice").about("a bill to a customer"),
    tenant("invoice_counter").about("the last number that was given to a bill, per series and year"),
    tenant("invoice_line").about("one line of a bill"),
    tenant("lead").about("somebody who may become a customer"),
    tenant("ledger_entry").about("one line of a journal: account and amount"),
    tenant("ledger_journal").about("a balanced set of entries, written once"),
    platform("login_session")
        .tenantless("a platform operator's login is for no tenant")
        .about("a login, or a one-time link")
        .app_reads("a tenant sees and ends the logins to it, and sees no token's hash")
        .hashes(&["token_hash"]),
    tenant("membership")
        .about("that a person serves a tenant, in which role, and how much of it they see")
        .left_out(&[(Copied::Shadow, "nobody gets into a shadow")]),
    tenant("message")
        .about("a message that was or will be sent, and what became of it")
        .partitioned("at")
        .kept("at", "messages_days"),
    tenant("message_cycle").about("that a rule has written to a customer about something"),
    tenant("message_rule").about("when a message is written by itself"),
    tenant("message_template").about("a text with holes, for one channel and in one language"),
    tenant("message_template_version").about("what a template said, from when on: written once"),
    tenant("notification")
        .about("something that one of those who serve the tenant should know")
        .left_out(&[(Copied::Shadow, "nobody gets into a shadow")]),
    platform("operator")
        .about("a person who logs in")
        .app_reads("a tenant sees name and status of the people who serve it, not their password hashes")
        .hashes(&["password_hash"]),
    platform("operator_totp").about("a person's second factor").master_sealed(&["sealed_secret"]),
    tenant("outage").about("a time in which a router was silent or a paying customer was away").kept("ended_at", "outages_days"),
    tenant("outbox").about("a router whose worker has to look again").left_out(&[
        (Copied::Backup, "wake-ups of a moment; a restore wakes every router"),
        (Copied::Export, "wake-ups of a moment"),
    ]),
    tenant("package").about("what an ISP sells"),
    tenant("package_scope").about("a router or a place where a package is sold that is not sold everywhere"),
    tenant("package_version").about("what a package was, from when on: written once"),
    tenant("payment").about("money that was received"),
    tenant("payment_attempt").about("an attempt to collect money through a gateway"),
    platform("platform_audit").about("what was done across tenants, and why: append-only, numbered and chained"),
    platform("platform_audit_head").about("where the platform's audit chain ends"),
    platform("purge_certificate")
        .about("what was purged of a tenant, and the hash that proves it; outlives everything else of it"),
    platform("recovery_code").about("a code for who has lost the second factor").hashes(&["code_hash"]),
    tenant("recurring_expense").about("a rule by which the ISP spends again and again"),
    tenant("report_address")
        .about("where a gateway's service reports what became of messages")
        .global(&[(
            "report_address_key_unique",
            "a report's key is looked up before its tenant is known; 256 random bits tell nothing",
        )])
        .hashes(&["key_hash"])
        .left_out(&[(Copied::Shadow, "nobody reports to a shadow"), (Copied::Export, "an address is good for one controller")]),
    tenant("restore")
        .about("that rows were put in from a backup")
        .left_out(&[(Copied::Backup, "it tells of this place, not of what is restored")]),
    platform("restore_row").about("a row on its way in, within one transaction"),
    tenant("retention").about("how long a tenant keeps what grows without end, where it said so"),
    platform("retired_block").about("a purged tenant's tunnel addresses, which rest before another gets them"),
    tenant("router")
        .about("a router of an ISP")
        .own_reach("it is reached by assignment, of itself or of its site")
        .sealed(&["api_password", "api_password_next"]),
    tenant("router_object").about("the tag of one thing of ours on a router"),
    tenant("router_state")
        .about("what a router should hold and what it was seen to hold, as generations")
        .left_out(&[(Copied::Shadow, "a shadow has no router to look after")]),
    platform("schedule").about("when a piece of recurring work is due, who does it now, and how it went"),
    tenant("session_history")
        .about("a stay on the internet that has ended")
        .partitioned("closed_at")
        .kept("closed_at", "sessions_days"),
    tenant("session_live").about("a stay on the internet that goes on"),
    tenant("session_source").about("what was last heard of a router's sessions as a whole"),
    tenant("site").about("a place, or a part of one"),
    platform("tenant").about("an ISP").app_reads("a tenant sees its own row"),
    tenant("tenant_flag").about("a feature flag that is other than its default"),
    tenant("tenant_limit").about("a limit that the platform set for a tenant"),
    tenant("tenant_settings").about("a version of an ISP's settings; the highest one holds"),
    tenant("tenant_usage").about("what a tenant was and used on a day"),
    tenant("ticket").about("a complaint or a task"),
    tenant("ticket_counter").about("the last number that a tenant's tickets were given"),
    tenant("ticket_note").about("what was said on a ticket, written once"),
    tenant("tunnel_address")
        .about("a tunnel address that is in use or resting")
        .global(&[("tunnel_address_unique", "one address, one router, in all tenants (promise 3)")])
        .left_out(&[(Copied::Shadow, "an address or a peer is one tenant's")]),
    tenant("tunnel_block")
        .about("a tenant's range of tunnel addresses")
        .global(&[("tunnel_block_disjoint", "tenants' blocks are disjoint (promise 3); made only by allocate_tunnel_block")])
        .left_out(&[(Copied::Shadow, "an address or a peer is one tenant's")]),
    tenant("tunnel_peer")
        .about("a router's WireGuard peer on the hub")
        .global(&[
            ("tunnel_peer_key_unique", "a tunnel key says who a router is, so it can be only one (promise 3)"),
            ("tunnel_peer_address_unique", "one address, one peer, in all tenants (promise 3)"),
        ])
        .sealed(&["preshared_key"])
        .left_out(&[(Copied::Shadow, "an address or a peer is one tenant's")]),
    tenant("unmatched_payment").about("money that came and fits nobody yet"),
    tenant("usage").about("what a customer used on a router in an hour").partitioned("hour").kept("hour", "usage_days"),
    tenant("usage_counter").about("what is counted as it happens: requests, messages, by day"),
    tenant("voucher").about("a printed code that is worth a package").sealed(&["sealed_code"]).hashes(&["code_hmac"]),
    tenant("voucher_batch").about("vouchers made together"),
    tenant("wallet").about("what the ISP owes a customer, as the ledger says it"),
    tenant("watch").about("until when a tenant has been watched without a gap"),
    tenant("watch_gap").about("a time in which nobody watched a tenant, so nothing is known").kept("ended_at", "outages_days"),
    tenant("work_entry").about("what a technician did"),
];

/// Triggers, each with what it keeps: table, name, promise.
pub const TRIGGERS: &[(&str, &str, &str)] = &[
    ("audit_anchor", "not_emptied", "what a dropped month left behind stays"),
    ("audit_anchor", "written_once", "what a dropped month left behind stays as it is"),
    ("audit_log", "chained", "every line stands in its tenant's chain"),
    ("audit_log", "not_emptied", "lines stay"),
    ("audit_log", "written_once", "lines stay as they are"),
    ("ledger_entry", "ledger_entry_balanced", "a journal that does not balance is refused"),
    ("platform_audit", "chained", "every line stands in the platform's chain"),
    ("platform_audit", "not_emptied", "lines stay"),
    ("platform_audit", "written_once", "lines stay as they are"),
];

/// Functions that run with their owner's rights, with the reason.
pub const SECURITY_DEFINERS: &[(&str, &str)] = &[
    ("allocate_tunnel_block", "it must see all tenants' blocks to find a free one; it writes and returns only the caller's"),
    ("clear_rows", "a restore replaces rows that nobody may delete; it wants the transaction that wrote the restore down"),
    ("chain_audit", "a trigger: nobody who serves may write where a tenant's chain ends"),
    ("chain_platform_audit", "a trigger: nobody who serves may write where the platform's chain ends"),
    ("drop_partitions", "only the owner may drop a month; it refuses the last two and keeps the audit chain's anchors"),
    ("drop_unkept_months", "it asks all tenants how long they keep; it drops what none of them does, and shows nothing"),
    (
        "forget_rows",
        "nobody who serves may delete what was written once; it takes listed tables and what their tenant keeps no longer",
    ),
    ("load_platform_rows", "an instance is restored whole; it refuses where any tenant lives"),
    (
        "load_rows",
        "a restore puts rows in as they were; it forces the tenant and wants the transaction that wrote the restore down",
    ),
    ("settle_rows", "it checks what was put off to the end of the transaction, which its caller may not see; it changes nothing"),
    ("ensure_partitions", "only the owner may make a month; it takes two times and nothing else"),
    (
        "reachable_sites",
        "it sees a tenant's whole tree of sites to say what lies below an operator's; it returns ids of the caller's alone",
    ),
    (
        "taken_tunnel_addresses",
        "who sees a part of a tenant's routers still takes no other's address; it returns the caller's alone",
    ),
    (
        "count_for_limit",
        "who sees a part of a tenant's routers still counts all of them; it returns a number of the caller's alone",
    ),
    ("purge_people", "the platform may remove nobody; it takes only those who serve no tenant and are named in no tenant's rows"),
    (
        "purge_tenant_rows",
        "nobody who serves may delete a tenant's rows; it refuses unless the tenant's status says that it is being purged",
    ),
    (
        "retire_tunnel_blocks",
        "a purged tenant's addresses rest where no tenant sees them; it refuses unless the tenant is being purged",
    ),
    (
        "tenant_has_rows",
        "a purge has to see whether anything is left; it says yes or no, and only of a tenant that is being purged",
    ),
    ("rows_by_tenant", "what a tenant's rows take on the disk is told from all rows of a table; it returns numbers alone"),
];
