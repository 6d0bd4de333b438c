//! Goal: the virtual router speaks the API as others understand it, so that what our client learns from it is no private dialect.
//! Method: librouteros, a client in Python that others wrote, runs through logins, prints, queries, writes and refusals.

use controller::serve::SystemClock;
use model::Secret;
use routeros_sim::simulator::{Options, Simulator};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use system_tests::judges;
use system_tests::world::config;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn librouteros_gets_along_with_the_virtual_router() {
    let mut script = match judges::librouteros("librouteros_check.py") {
        Ok(script) => script,
        Err(why) => return judges::skipped("librouteros", &format!("{why:#}")),
    };
    let password = "a password for tests";
    let api = Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    let options = Options {
        admin_password: Some(Secret::new(password.to_owned())),
        api,
        ..Options::new(config("CHR", "7.22.3", "HF1234567AB"))
    };
    let router = Simulator::start(options, Arc::new(SystemClock)).await.expect("a virtual router");
    let address = router.api_address().expect("its API listens");

    script.args([&address.ip().to_string(), &address.port().to_string(), password]);
    let judged = tokio::task::spawn_blocking(move || judges::run(&mut script)).await.expect("it ends");
    judged.expect("librouteros is content");

    let names: Vec<String> =
        router.shared().with(|router, _| router.device().rows("/ppp/secret").map(|row| row.get("name").to_owned()).collect());
    assert_eq!(names, ["kept"], "what librouteros left is what the router has");
    router.stop().await;
}
