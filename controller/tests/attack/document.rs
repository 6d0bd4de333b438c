//! The published OpenAPI document is the one that is served.

use super::access::NO_SUCCESS;
use super::operations::{Access, Document};
use axum::body::Body;
use axum::http::Request;
use controller::testing::TestApp;
use expect_test::expect_file;
use tower::ServiceExt as _;

/// What is served without a credential beside the operations that `access` declares, with the reason.
const OPEN_PAGES: &[(&str, &str)] = &[
    ("/api/v1/openapi.json", "the document is public"),
    ("/healthz", "a load balancer asks; it tells nothing"),
    ("/setup", "a page without data; the token stays in the fragment"),
];

#[test]
fn the_published_document_is_the_one_that_is_served() {
    let document = controller::http::openapi().to_pretty_json().expect("plain data");
    // `UPDATE_EXPECT=1` writes it anew.
    expect_file!["../../../docs/openapi.json"].assert_eq(&(document + "\n"));
}

#[test]
fn every_operation_says_who_may_use_it() {
    let operations = Document::new().operations();
    for operation in &operations {
        let open = operation.access == Access::Open;
        assert_eq!(operation.open, open, "{}: its permission and its security say different things", operation.name());
        assert!(!operation.successes.is_empty(), "{} documents no success", operation.name());
    }
    let names: Vec<String> = operations.iter().map(super::operations::Operation::name).collect();
    let listed = NO_SUCCESS.iter().map(|(name, ..)| *name);
    let stale: Vec<&str> = listed.filter(|name| !names.iter().any(|known| known == name)).collect();
    assert_eq!(stale, [""; 0], "there are no such operations");
}

#[tokio::test]
async fn pages_without_a_credential_tell_nothing_of_a_tenant() {
    let test = TestApp::new().await;
    test.tenant("Alpha").await;
    let before = test.db.rows(None).await;
    for (path, _) in OPEN_PAGES {
        let request = Request::get(*path).body(Body::empty()).expect("a request");
        let response = test.service().oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), 200, "{path}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("whole");
        assert!(!String::from_utf8_lossy(&body).contains("Alpha"), "{path}");
    }
    assert_eq!(test.db.rows(None).await, before);
}
