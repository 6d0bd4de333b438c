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

/// A tenant's list: the rows of a table, or those that are equal in some columns too, from the newest on.
const fn list(
    name: &'static str,
    table: &'static str,
    given: &'static [&'static str],
    order: &'static [&'static str],
) -> ListQuery {
    ListQuery { name, table, given, order, partial: false }
}

/// Every list.
pub const LIST_QUERIES: &[ListQuery] = &[
    list("GET /audit", "audit_log", &["tenant_id"], &["id"]),
    list("GET /audit by actor", "audit_log", &["tenant_id", "actor"], &["id"]),
    list("GET /audit by target", "audit_log", &["tenant_id", "target"], &["id"]),
    list("GET /backups", "backup", &["tenant_id"], &["id"]),
    list("GET /customers", "customer", &["tenant_id"], &["id"]),
    list("GET /customers/imports", "customer_import", &["tenant_id"], &["id"]),
    list("GET /customers/{id}/credentials", "customer_credential", &["tenant_id", "customer_id"], &["id"]),
    list("GET /customers/{id}/sessions", "session_history", &["tenant_id", "customer_id"], &["id"]),
    list("GET /customers/{id}/wallet/statement", "ledger_entry", &["tenant_id", "customer_id", "currency"], &["wallet_number"]),
    list("GET /devices", "device", &["tenant_id"], &["id"]),
    list("GET /diagnoses", "diagnosis", &["tenant_id"], &["id"]),
    list("GET /diagnoses by customer", "diagnosis", &["tenant_id", "customer_id"], &["id"]),
    list("GET /diagnoses by router", "diagnosis", &["tenant_id", "router_id"], &["id"]),
    list("GET /expenses", "expense", &["tenant_id"], &["id"]),
    list("GET /gateways", "gateway", &["tenant_id"], &["id"]),
    list("GET /impersonations", "impersonation", &["tenant_id"], &["id"]),
    list("GET /invitations", "invitation", &["tenant_id"], &["id"]),
    list("GET /invoices", "invoice", &["tenant_id"], &["id"]),
    list("GET /invoices by customer", "invoice", &["tenant_id", "customer_id"], &["id"]),
    list("GET /leads", "lead", &["tenant_id"], &["id"]),
    list("GET /ledger/journals", "ledger_journal", &["tenant_id"], &["id"]),
    list("GET /login-sessions", "login_session", &["tenant_id"], &["id"]),
    list("GET /me/sessions", "login_session", &["operator_id"], &["id"]),
    list("GET /operators", "membership", &["tenant_id"], &["operator_id"]),
    list("GET /outages", "outage", &["tenant_id"], &["id"]),
    list("GET /outages by customer", "outage", &["tenant_id", "customer_id"], &["id"]),
    list("GET /packages", "package", &["tenant_id"], &["id"]),
    list("GET /packages/{id}/versions", "package_version", &["tenant_id", "package_id"], &["id"]),
    list("GET /payment-attempts", "payment_attempt", &["tenant_id"], &["id"]),
    list("GET /payments", "payment", &["tenant_id"], &["id"]),
    list("GET /payments by customer", "payment", &["tenant_id", "customer_id"], &["id"]),
    list("GET /platform/audit", "platform_audit", &[], &["id"]),
    list("GET /platform/certificates", "purge_certificate", &[], &["id"]),
    list("GET /platform/operators", "operator", &[], &["id"]),
    list("GET /platform/tenants", "tenant", &[], &["id"]),
    list("GET /recurring-expenses", "recurring_expense", &["tenant_id"], &["id"]),
    list("GET /routers", "router", &["tenant_id"], &["id"]),
    list("GET /routers/{id}/change-sets", "change_set", &["tenant_id", "router_id"], &["id"]),
    list("GET /routers/{id}/outages", "outage", &["tenant_id", "router_id"], &["id"]),
    list("GET /sessions", "session_live", &["tenant_id"], &["id"]),
    list("GET /sessions by customer", "session_live", &["tenant_id", "customer_id"], &["id"]),
    list("GET /sessions by router", "session_live", &["tenant_id", "router_id"], &["id"]),
    list("GET /sessions/history", "session_history", &["tenant_id"], &["id"]),
    list("GET /sessions/history by router", "session_history", &["tenant_id", "router_id"], &["id"]),
    list("GET /sites", "site", &["tenant_id"], &["id"]),
    list("GET /tickets", "ticket", &["tenant_id"], &["id"]),
    list("GET /tickets/{id}/notes", "ticket_note", &["tenant_id", "ticket_id"], &["id"]),
    list("GET /tokens", "api_token", &["tenant_id"], &["id"]),
    list("GET /unmatched-payments", "unmatched_payment", &["tenant_id"], &["id"]),
    list("GET /voucher-batches", "voucher_batch", &["tenant_id"], &["id"]),
    list("GET /work", "work_entry", &["tenant_id"], &["id"]),
    list("GET /work by operator", "work_entry", &["tenant_id", "operator_id"], &["id"]),
];
