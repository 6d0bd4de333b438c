//! What does not come out of the document: answers that are no success on one's own things, with the reason.

/// What an admin gets on things of their own where it is no success, and why. A stale line fails.
pub const NO_SUCCESS: &[(&str, u16, &str)] = &[
    ("POST /customers/{id}/move", 400, "the one router that there is serves the customer already"),
    ("POST /logout", 409, "these tests use API tokens, which are revoked instead"),
    ("POST /routers/{id}/apply", 409, "no virtual router has joined here"),
    ("POST /routers/{id}/confirm", 409, "no virtual router has joined here"),
    ("GET /routers/{id}/plan", 502, "no virtual router has joined here"),
    ("GET /routers/{id}/preflight", 502, "no virtual router has joined here"),
    ("GET /routers/{id}/sessions", 502, "no virtual router has joined here"),
];

/// The status that an operation gives to who may use it, if it is no success here.
pub fn no_success(operation: &str) -> Option<u16> {
    NO_SUCCESS.iter().find(|(known, ..)| *known == operation).map(|(_, status, _)| *status)
}
