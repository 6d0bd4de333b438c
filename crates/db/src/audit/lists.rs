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

/// A list of some rows of a table.
const fn list(
    name: &'static str,
    table: &'static str,
    given: &'static [&'static str],
    order: &'static [&'static str],
) -> ListQuery {
    ListQuery { name, table, given, order, partial: false }
}

const TENANT: &[&str] = &["tenant_id"];
const NEWEST: &[&str] = &["id"];

/// Every list, with each filter that has an index of its own.
pub const LIST_QUERIES: &[ListQuery] = &[
    list("GET /audit", "audit_log", TENANT, NEWEST),
    list("GET /audit by action", "audit_log", &["tenant_id", "action"], NEWEST),
    list("GET /audit by actor", "audit_log", &["tenant_id", "actor"], NEWEST),
    list("GET /audit by target", "audit_log", &["tenant_id", "target"], NEWEST),
    list("GET /backups", "backup", TENANT, NEWEST),
    list("GET /customers", "customer", TENANT, NEWEST),
    list("GET /customers by kind", "customer", &["tenant_id", "kind"], NEWEST),
    list("GET /customers by router", "customer", &["tenant_id", "router_id"], NEWEST),
    list("GET /customers by site", "customer", &["tenant_id", "site_id"], NEWEST),
    list("GET /customers by status", "customer", &["tenant_id", "status"], NEWEST),
    list("GET /customers by phone", "customer", TENANT, &["phone"]),
    list("GET /customers by login", "customer", TENANT, &["login"]),
    list("GET /customers by name", "customer", TENANT, &["search_name"]),
    list("GET /customers by last name", "customer", TENANT, &["search_last"]),
    list("GET /customers/imports", "customer_import", TENANT, NEWEST),
    list("GET /customers/{id}/credentials", "customer_credential", &["tenant_id", "customer_id"], NEWEST),
    list("GET /customers/{id}/sessions", "session_history", &["tenant_id", "customer_id"], NEWEST),
    list("GET /customers/{id}/wallet/statement", "ledger_entry", &["tenant_id", "customer_id", "currency"], &["wallet_number"]),
    list("GET /devices", "device", TENANT, NEWEST),
    list("GET /devices by customer", "device", &["tenant_id", "customer_id"], NEWEST),
    list("GET /devices by parent", "device", &["tenant_id", "parent_id"], NEWEST),
    list("GET /devices by router", "device", &["tenant_id", "router_id"], NEWEST),
    list("GET /devices by site", "device", &["tenant_id", "site_id"], NEWEST),
    list("GET /diagnoses", "diagnosis", TENANT, NEWEST),
    list("GET /diagnoses by customer", "diagnosis", &["tenant_id", "customer_id"], NEWEST),
    list("GET /diagnoses by router", "diagnosis", &["tenant_id", "router_id"], NEWEST),
    list("GET /expenses", "expense", TENANT, NEWEST),
    list("GET /expenses by account", "expense", &["tenant_id", "account"], NEWEST),
    list("GET /gateways", "gateway", TENANT, NEWEST),
    list("GET /impersonations", "impersonation", TENANT, NEWEST),
    list("GET /invitations", "invitation", TENANT, NEWEST),
    list("GET /invoices", "invoice", TENANT, NEWEST),
    list("GET /invoices by customer", "invoice", &["tenant_id", "customer_id"], NEWEST),
    list("GET /invoices by state", "invoice", &["tenant_id", "state"], NEWEST),
    list("GET /leads", "lead", TENANT, NEWEST),
    list("GET /leads by stage", "lead", &["tenant_id", "stage"], NEWEST),
    ListQuery { partial: true, ..list("GET /leads/due", "lead", TENANT, &["follow_up_on", "id"]) },
    list("GET /ledger/journals", "ledger_journal", TENANT, NEWEST),
    list("GET /login-sessions", "login_session", TENANT, NEWEST),
    list("GET /me/sessions", "login_session", &["operator_id"], NEWEST),
    list("GET /me/notifications", "notification", &["tenant_id", "operator_id"], NEWEST),
    list("GET /message-rules", "message_rule", TENANT, NEWEST),
    list("GET /message-templates", "message_template", TENANT, NEWEST),
    list("GET /messages", "message", TENANT, NEWEST),
    list("GET /messages by customer", "message", &["tenant_id", "customer_id"], NEWEST),
    list("GET /messages by rule", "message", &["tenant_id", "rule_id"], NEWEST),
    list("GET /messages by state", "message", &["tenant_id", "state"], NEWEST),
    list("GET /operators", "membership", TENANT, &["operator_id"]),
    list("GET /outages", "outage", TENANT, NEWEST),
    list("GET /outages by customer", "outage", &["tenant_id", "customer_id"], NEWEST),
    list("GET /outages by router", "outage", &["tenant_id", "router_id"], NEWEST),
    list("GET /packages", "package", TENANT, NEWEST),
    list("GET /packages/{id}/versions", "package_version", &["tenant_id", "package_id"], NEWEST),
    list("GET /payment-attempts", "payment_attempt", TENANT, NEWEST),
    list("GET /payment-attempts by state", "payment_attempt", &["tenant_id", "state"], NEWEST),
    list("GET /payments", "payment", TENANT, NEWEST),
    list("GET /payments by customer", "payment", &["tenant_id", "customer_id"], NEWEST),
    list("GET /recurring-expenses", "recurring_expense", TENANT, NEWEST),
    list("GET /routers", "router", TENANT, NEWEST),
    list("GET /routers by site", "router", &["tenant_id", "site_id"], NEWEST),
    list("GET /routers/{id}/change-sets", "change_set", &["tenant_id", "router_id"], NEWEST),
    list("GET /sessions", "session_live", TENANT, NEWEST),
    list("GET /sessions by customer", "session_live", &["tenant_id", "customer_id"], NEWEST),
    list("GET /sessions by router", "session_live", &["tenant_id", "router_id"], NEWEST),
    list("GET /sessions/history", "session_history", TENANT, NEWEST),
    list("GET /sessions/history by router", "session_history", &["tenant_id", "router_id"], NEWEST),
    list("GET /sites", "site", TENANT, NEWEST),
    list("GET /sites by parent", "site", &["tenant_id", "parent_id"], NEWEST),
    list("GET /tickets", "ticket", TENANT, NEWEST),
    list("GET /tickets by assignee", "ticket", &["tenant_id", "assignee_id"], NEWEST),
    list("GET /tickets by customer", "ticket", &["tenant_id", "customer_id"], NEWEST),
    list("GET /tickets by device", "ticket", &["tenant_id", "device_id"], NEWEST),
    list("GET /tickets by router", "ticket", &["tenant_id", "router_id"], NEWEST),
    list("GET /tickets by site", "ticket", &["tenant_id", "site_id"], NEWEST),
    list("GET /tickets by status", "ticket", &["tenant_id", "status"], NEWEST),
    list("GET /tickets/{id}/notes", "ticket_note", &["tenant_id", "ticket_id"], NEWEST),
    list("GET /tokens", "api_token", TENANT, NEWEST),
    list("GET /unmatched-payments", "unmatched_payment", TENANT, NEWEST),
    list("GET /unmatched-payments by state", "unmatched_payment", &["tenant_id", "state"], NEWEST),
    list("GET /voucher-batches", "voucher_batch", TENANT, NEWEST),
    list("GET /work-entries", "work_entry", TENANT, NEWEST),
    list("GET /work-entries by customer", "work_entry", &["tenant_id", "customer_id"], NEWEST),
    list("GET /work-entries by operator", "work_entry", &["tenant_id", "operator_id"], NEWEST),
    list("GET /work-entries by router", "work_entry", &["tenant_id", "router_id"], NEWEST),
    list("GET /work-entries by site", "work_entry", &["tenant_id", "site_id"], NEWEST),
    list("GET /work-entries by ticket", "work_entry", &["tenant_id", "ticket_id"], NEWEST),
];
