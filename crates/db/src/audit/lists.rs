//! The lists that people page through, with the order each is read in. A rule looks for an index in that order.

/// A list: rows of a table where some columns are given, in the order of others.
#[derive(Debug, Clone, Copy)]
pub struct ListQuery {
    /// What the list is, as `GET /path` or the like.
    pub name: &'static str,
    /// The table.
    pub table: &'static str,
    /// Columns that are compared with `=`, in any order; the tenant among them.
    pub given: &'static [&'static str],
    /// Columns by which it is ordered, all in one direction: an index is read in both.
    pub order: &'static [&'static str],
    /// Whether the list has a fixed condition, so that an index over the rows that meet it serves.
    pub partial: bool,
}

/// Every list.
pub const LIST_QUERIES: &[ListQuery] = &[
    ListQuery { name: "GET /audit", table: "audit_log", given: &["tenant_id"], order: &["id"], partial: false },
    ListQuery { name: "GET /audit by actor", table: "audit_log", given: &["tenant_id", "actor"], order: &["id"], partial: false },
    ListQuery {
        name: "GET /audit by target",
        table: "audit_log",
        given: &["tenant_id", "target"],
        order: &["id"],
        partial: false,
    },
    ListQuery { name: "GET /customers", table: "customer", given: &["tenant_id"], order: &["id"], partial: false },
    ListQuery { name: "GET /packages", table: "package", given: &["tenant_id"], order: &["id"], partial: false },
    ListQuery { name: "GET /payments", table: "payment", given: &["tenant_id"], order: &["id"], partial: false },
    ListQuery { name: "GET /routers", table: "router", given: &["tenant_id"], order: &["id"], partial: false },
    ListQuery { name: "GET /voucher-batches", table: "voucher_batch", given: &["tenant_id"], order: &["id"], partial: false },
];
