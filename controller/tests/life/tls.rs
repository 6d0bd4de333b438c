//! HTTP with certificate files.

use super::program::{Program, folder};

#[tokio::test]
async fn certificate_files_make_the_server_speak_tls() {
    let files = folder();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (certificate_path, key_path) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let mut program = Program::start(&["--tls-certificate", certificate_path, "--tls-key", key_path]).await;
    let url = program.url.replace("http://127.0.0.1", "https://localhost");
    let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let answer = client.get(format!("{url}/healthz")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "ok\n"));
    assert!(reqwest::get(format!("{}/healthz", program.url)).await.is_err(), "no plain HTTP on that port");
    assert!(program.terminate().await.success());
}
