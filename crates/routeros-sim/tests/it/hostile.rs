//! Goal: nothing that a client, a script or a customer sends brings the router down.
//! Method: arbitrary commands out of the catalogue's words and awkward values, arbitrary bytes on a connection.

use crate::api::Still;
use crate::support::{Lab, config};
use proptest::prelude::*;
use routeros::catalogue;
use routeros_sim::api;
use routeros_sim::device::{Request, Session};
use routeros_sim::shell::Shared;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const COMMANDS: &[&str] = &["print", "add", "set", "unset", "remove", "enable", "disable", "move", "reset-counters", ""];
const VALUES: &[&str] = &[
    "",
    "*1",
    "*2",
    "*FFFFFFFF",
    "*",
    "0",
    "1",
    "18446744073709551615",
    "ether1",
    "ether2",
    "bridge",
    "default",
    "admin",
    "yes",
    "no",
    "none",
    "0.0.0.0",
    "255.255.255.255",
    "0.0.0.0-255.255.255.255",
    "10.0.0.1/32",
    "10.0.0.0/0",
    "1w",
    "0s",
    "startup",
    "18446744073709551615w",
    "23:59:59",
    "9999-12-31",
    "0001-01-01",
    "10M/10M",
    "!",
    "a,b",
    ",",
    "\u{ff}",
    "<pppoe-a>",
    "a-name",
    "QCr6M5+5T8VcI6NkYYc2dcHZ4lTTnaZBJRC3QmlZjnw=",
    "read,write",
    ":log info x",
    "input",
    "drop",
];

fn command() -> impl Strategy<Value = Request> {
    let menu = 0..catalogue::menus().len();
    let args = proptest::collection::vec((0..64usize, 0..VALUES.len()), 0..8);
    (menu, 0..COMMANDS.len(), args).prop_map(|(menu, command, args)| {
        let menu = catalogue::menus()[menu];
        let mut request = Request { path: menu.path.to_owned(), command: COMMANDS[command].to_owned(), ..Request::default() };
        // What is required comes first, so that some commands get further than the check.
        for (place, arg) in menu.args.iter().filter(|arg| arg.required).enumerate() {
            let value = args.get(place).map_or("a-name", |(_, value)| VALUES[*value]);
            request = request.arg(arg.name, value);
        }
        for (name, value) in args {
            let name = menu.args.get(name).map_or(if name % 2 == 0 { ".id" } else { "value-name" }, |arg| arg.name);
            request = request.arg(name, VALUES[value]);
        }
        request
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_command_brings_it_down(commands in proptest::collection::vec(command(), 1..60)) {
        let mut lab = Lab::with(config("hEX S", "7.22.3"));
        for request in commands {
            // A refusal is as good as success here.
            let _outcome = lab.router.execute(&Session::console(), &request, lab.now);
            lab.pass(1);
        }
        for menu in catalogue::menus().iter().filter(|menu| menu.shape != catalogue::Shape::Command) {
            lab.print(menu.path);
        }
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..600), login in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let shared = Shared::new(config("CHR", "7.22.3"), Arc::new(Still));
            let (mut near, far) = tokio::io::duplex(64 << 10);
            let served = tokio::spawn(api::serve(Arc::clone(&shared), far, None, None));
            let mut all = Vec::new();
            if login {
                routeros::codec::Sentence::new(["/login", "=name=admin", "=password="]).encode(&mut all);
            }
            all.extend_from_slice(&bytes);
            // The router may have closed by now.
            let _sent = near.write_all(&all).await;
            let _closed = near.shutdown().await;
            let mut answer = Vec::new();
            near.read_to_end(&mut answer).await.expect("an end");
            // What matters is that it did not panic.
            let _outcome = served.await.expect("no panic");
        });
    }
}
