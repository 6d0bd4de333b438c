//! What does not come out of the document: answers that are no success on one's own things, with the reason.

/// What an admin gets on things of their own where it is no success, and why. A stale line fails.
pub const NO_SUCCESS: &[(&str, u16, &str)] = &[
    ("POST /logout", 409, "these tests use API tokens, which are revoked instead"),
    ("POST /routers/{id}/apply", 409, "no virtual router has joined here"),
    ("POST /routers/{id}/confirm", 409, "no virtual router has joined here"),
    ("POST /routers/{id}/configurations", 409, "no virtual router has joined here"),
    ("POST /gateways/{id}/report-address", 400, "the gateway that is made here carries money"),
    ("GET /routers/{id}/plan", 502, "no virtual router has joined here"),
    ("GET /routers/{id}/preflight", 502, "no virtual router has joined here"),
    ("GET /routers/{id}/sessions", 502, "no virtual router has joined here"),
    ("POST /customers/{id}/restore", 409, "the customer was not terminated"),
    ("POST /customers/{id}/wallet/pay", 409, "the wallet is empty"),
    ("POST /invoices/{id}/issue", 409, "it was issued when it was made, so that it can be paid"),
    ("POST /platform/tenants/{id}/activate", 409, "it is active"),
    ("GET /platform/tenants/{id}/certificate", 404, "it was not purged"),
    ("POST /platform/tenants/{id}/purge", 409, "an active ISP is not purged"),
    ("PUT /settings", 409, "these tests send a version that is never the present one"),
];

/// The status that an operation gives to who may use it, if it is no success here.
pub fn no_success(operation: &str) -> Option<u16> {
    NO_SUCCESS.iter().find(|(known, ..)| *known == operation).map(|(_, status, _)| *status)
}

/// What asks for more than its own permission, because nobody gives what they do not have or changes who has more. A stale line fails.
const ASKS_FOR_MORE: &[&str] = &[
    "POST /invitations",
    "DELETE /login-sessions/{id}",
    "DELETE /operators/{id}",
    "PUT /operators/{id}/assignments",
    "POST /operators/{id}/reset",
    "POST /tokens",
];

/// Whether an operation is refused to who has its permission and no other, on what an admin has made.
pub fn asks_for_more(operation: &str) -> bool {
    ASKS_FOR_MORE.contains(&operation)
}
