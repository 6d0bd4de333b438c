//! Goal: the menus take what the catalogue knows, refuse the rest as RouterOS words it, and print as RouterOS prints.
//! Method: commands on a pure router.

use crate::support::{Lab, config};
use routeros_sim::device::{Mode, Session};

#[test]
fn refusals_are_worded_as_recorded() {
    let mut lab = Lab::new().with_pppoe().with_hotspot();
    lab.ok(&["/ip/firewall/address-list/add", "list=late", "address=10.5.0.2"]);
    for (words, text) in [
        (&["/ppp/secret/add", "name=asha", "password=x"][..], "failure: secret with the same name already exists"),
        (&["/ppp/profile/add", "name=home"], "failure: profile with the same name already exists"),
        (&["/ip/hotspot/user/add", "name=otieno"], "failure: already have user with this name for this server"),
        (&["/interface/bridge/add", "name=ether1"], "failure: already have interface with such name"),
        (&["/ip/firewall/address-list/add", "list=late", "address=10.5.0.2"], "failure: already have such entry"),
        (&["/ip/address/add", "address=192.0.2.10/24", "interface=ether1"], "failure: already have such address"),
        (&["/user/add", "name=admin", "password=x", "group=full"], "failure: user with the same name already exists"),
        (&["/ppp/secret/add", "name=b", "profile=none"], "input does not match any value of profile"),
        (&["/ppp/secret/add", "name=b", "bogus=1"], "unknown parameter bogus"),
        (&["/ppp/secret/add", "name=b", "last-logged-out=x"], "unknown parameter last-logged-out"),
        (&["/ppp/secret/add", "name=b", "disabled=maybe"], "invalid value for argument disabled"),
        (&["/ppp/profile/add", "name=b", "local-address="], "ambiguous value of pool"),
        (&["/ppp/secret/set", ".id=*FFFF", "password=x"], "no such item"),
        (&["/ppp/secret/remove", ".id=nobody"], "no such item"),
        (&["/ppp/secrets/print"], "no such command prefix"),
        (&["/ppp/secret/explode"], "no such command"),
        (&["/user/add", "address=10.0.0.1"], "missing value(s) of argument(s) name password group"),
    ] {
        assert_eq!(lab.refused(words), text, "{words:?}");
    }
    let long = format!("contents={}", "x".repeat(60_417));
    assert_eq!(lab.refused(&["/file/add", "name=a.txt", &long]), "failure: contents too long");
}

/// The texts above are the recorded ones: compares with the recording where it is at hand.
#[test]
fn refusals_are_among_the_recordings() {
    let folder =
        std::env::var("MASTWIRE_SHARED").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
    let Ok(text) = std::fs::read_to_string(format!("{folder}/routeros/routeros-error-texts.json")) else {
        #[expect(clippy::print_stderr, reason = "a test that skips says so")]
        {
            eprintln!("skipped: no recordings of RouterOS at hand");
        }
        return;
    };
    let recorded: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let message = |op: &str| {
        let entry = recorded["errors"].as_array().expect("a list").iter().find(|entry| entry["op"] == op);
        entry.unwrap_or_else(|| panic!("no recording of {op}"))["message"].as_str().expect("a text").to_owned()
    };
    let mut lab = Lab::new().with_pppoe();
    for (op, words) in [
        ("/ppp/secret/add dup name", &["/ppp/secret/add", "name=asha", "password=x"][..]),
        ("/ppp/profile/add dup name", &["/ppp/profile/add", "name=home"]),
        ("/interface/* add dup name", &["/interface/bridge/add", "name=ether1"]),
        ("/user/add dup", &["/user/add", "name=admin", "password=x", "group=full"]),
        ("set/remove unknown .id", &["/ppp/secret/remove", ".id=*FFFF"]),
        ("unknown menu", &["/ppp/secrets/print"]),
        ("unknown command", &["/ppp/secret/explode"]),
        ("clear address with empty string", &["/ppp/profile/add", "name=b", "local-address="]),
    ] {
        assert_eq!(lab.refused(words), message(op), "{op}");
    }
    assert_eq!(lab.refused(&["/ppp/secret/add", "name=b", "bogus=1"]), message("unknown argument").replace("<arg>", "bogus"));
    assert_eq!(
        lab.refused(&["/ppp/secret/add", "name=b", "profile=none"]),
        message("reference to missing object").replace("<arg>", "profile")
    );
    assert_eq!(lab.refused(&["/ppp/secret/add", "name=b", "disabled=x"]), message("bad value").replace("<arg>", "disabled"));
    let reader = Session { policy: ["read"].into(), ..Session::console() };
    assert_eq!(lab.run_as(&reader, &["/ppp/secret/add", "name=b"]).expect_err("refused").message, message("policy missing"));
    let mut home = Lab::in_mode(Mode::Home);
    let refused = home.refused(&["/system/scheduler/add", "name=a", "on-event=b"]);
    assert_eq!(refused, message("device-mode blocked"));
}

#[test]
fn prints_as_routeros_prints() {
    let mut lab = Lab::new().with_pppoe();
    lab.ok(&["/queue/simple/add", "name=shop", "target=10.9.0.7", "max-limit=5M/10M"]);
    let queue = lab.row("/queue/simple", "name", "shop");
    assert_eq!((queue["target"].as_str(), queue["max-limit"].as_str()), ("10.9.0.7/32", "5000000/10000000"));
    assert_eq!((queue["disabled"].as_str(), queue["dynamic"].as_str()), ("false", "false"));
    let secret = lab.row("/ppp/secret", "name", "asha");
    assert!(secret[".id"].starts_with('*') && !secret.contains_key("comment"), "{secret:?}");
    lab.ok(&["/ip/hotspot/user/add", "name=phone", "mac-address=aa:bb:cc:dd:ee:ff"]);
    assert_eq!(lab.row("/ip/hotspot/user", "name", "phone")["mac-address"], "AA:BB:CC:DD:EE:FF");
    lab.ok(&["/ip/firewall/address-list/add", "list=late", "address=10.5.0.9/32"]);
    assert_eq!(lab.row("/ip/firewall/address-list", "list", "late")["address"], "10.5.0.9");
    lab.ok(&["/ip/hotspot/user/profile/add", "name=day", "session-timeout=24h"]);
    assert_eq!(lab.row("/ip/hotspot/user/profile", "name", "day")["session-timeout"], "1d");
}

#[test]
fn ids_are_never_used_again() {
    let mut lab = Lab::new();
    let first = lab.ok(&["/ip/pool/add", "name=a", "ranges=10.0.0.1-10.0.0.2"]);
    lab.ok(&["/ip/pool/remove", &format!(".id={first}")]);
    let second = lab.ok(&["/ip/pool/add", "name=a", "ranges=10.0.0.1-10.0.0.2"]);
    assert_ne!(first, second);
}

#[test]
fn references_follow_a_rename_and_dangle_after_a_removal() {
    let mut lab = Lab::new().with_pppoe();
    lab.ok(&["/ppp/profile/set", ".id=home", "name=house"]);
    assert_eq!(lab.row("/ppp/secret", "name", "asha")["profile"], "house");
    let id = lab.row("/ppp/profile", "name", "house")[".id"].clone();
    lab.ok(&["/ppp/profile/remove", ".id=house"]);
    assert_eq!(lab.row("/ppp/secret", "name", "asha")["profile"], id);
    assert_eq!(lab.refused(&["/ppp/profile/remove", ".id=default"]), "failure: can not remove default object");
}

#[test]
fn a_server_on_a_lost_interface_is_invalid() {
    let mut lab = Lab::new();
    lab.ok(&["/interface/bridge/add", "name=lan"]);
    lab.ok(&["/interface/pppoe-server/server/add", "service-name=isp", "interface=lan", "disabled=no"]);
    assert_eq!(lab.row("/interface/pppoe-server/server", "service-name", "isp")["invalid"], "false");
    lab.ok(&["/interface/bridge/remove", ".id=lan"]);
    assert_eq!(lab.row("/interface/pppoe-server/server", "service-name", "isp")["invalid"], "true");
}

#[test]
fn order_can_be_chosen_and_changed() {
    let mut lab = Lab::new();
    let last = lab.ok(&["/ip/firewall/filter/add", "chain=forward", "action=drop", "comment=c"]);
    lab.ok(&["/ip/firewall/filter/add", "chain=forward", "comment=a", &format!("place-before={last}")]);
    let first = lab.ok(&["/ip/firewall/filter/add", "chain=forward", "comment=b"]);
    let comments = |lab: &mut Lab| lab.print("/ip/firewall/filter").iter().map(|row| row["comment"].clone()).collect::<String>();
    assert_eq!(comments(&mut lab), "acb");
    lab.ok(&["/ip/firewall/filter/move", &format!("numbers={first}"), &format!("destination={last}")]);
    assert_eq!(comments(&mut lab), "abc");
}

#[test]
fn values_are_cleared_with_unset_and_with_a_mark() {
    let mut lab = Lab::new().with_pppoe();
    lab.ok(&["/ppp/secret/set", ".id=asha", "remote-address=10.5.0.77"]);
    lab.ok(&["/ppp/secret/unset", ".id=asha", "value-name=remote-address"]);
    assert!(!lab.row("/ppp/secret", "name", "asha").contains_key("remote-address"));
    lab.ok(&["/ppp/secret/set", ".id=asha", "remote-address=10.5.0.77"]);
    lab.ok(&["/ppp/secret/set", ".id=asha", "!remote-address="]);
    assert!(!lab.row("/ppp/secret", "name", "asha").contains_key("remote-address"));
}

#[test]
fn a_group_grants_and_denies() {
    let mut lab = Lab::new().with_pppoe();
    lab.ok(&["/user/group/add", "name=look", "policy=read,api"]);
    let policy = lab.row("/user/group", "name", "look")["policy"].clone();
    assert!(policy.starts_with("api,read,!") && policy.contains("!write"), "{policy}");
    let reader = Session { policy: ["read", "api"].into(), ..Session::console() };
    let text = lab.run_as(&reader, &["/ppp/secret/add", "name=b"]).expect_err("no policy `write`").message;
    assert_eq!(text, "not enough permissions (9)");
    let secrets = lab.run_as(&reader, &["/ppp/secret/print", "show-sensitive=yes"]).expect("reading is granted");
    assert!(secrets.rows.iter().flatten().all(|(name, _)| name != "password"), "no policy `sensitive`");
    let writer = Session { policy: ["read", "write"].into(), ..Session::console() };
    let text = lab.run_as(&writer, &["/user/add", "name=b", "password=c", "group=full"]).expect_err("no policy `policy`").message;
    assert_eq!(text, "not enough permissions (9)");
    let text = lab.run_as(&writer, &["/system/scheduler/add", "name=b", "on-event=c"]).expect_err("every policy is more").message;
    assert_eq!(text, "not enough permissions (9)");
}

#[test]
fn secrets_are_shown_when_asked_for() {
    let mut new = Lab::new().with_pppoe();
    let shown = |lab: &mut Lab, words: &[&str]| {
        lab.run(words).expect("a print").rows.iter().flatten().any(|(name, _)| name == "password")
    };
    assert!(!shown(&mut new, &["/ppp/secret/print"]) && shown(&mut new, &["/ppp/secret/print", "show-sensitive="]));
    let mut old = Lab::with(config("CHR", "7.20.8")).with_pppoe();
    assert!(shown(&mut old, &["/ppp/secret/print"]));
}

#[test]
fn a_version_has_only_what_it_has() {
    let mut old = Lab::with(config("CHR", "7.15"));
    old.ok(&["/interface/wireguard/add", "name=wg"]);
    let peer = ["/interface/wireguard/peers/add", "interface=wg", "allowed-address=10.10.0.1/32", "responder=yes"];
    assert_eq!(old.refused(&peer), "unknown parameter responder");
    let mut new = Lab::new();
    new.ok(&["/interface/wireguard/add", "name=wg"]);
    new.ok(&peer);
    assert_eq!(new.refused(&["/system/routerboard/print"]), "no such command prefix");
    assert_eq!(Lab::with(config("hEX S", "7.22.3")).single("/system/routerboard")["model"], "RB760iGS");
    assert_eq!(Lab::with(config("hAP lite", "7.20.8")).refused(&["/ip/hotspot/print"]), "no such command prefix");
}

#[test]
fn wireguard_keys_are_real() {
    let mut lab = Lab::new();
    lab.ok(&["/interface/wireguard/add", "name=wg"]);
    let row = lab.row("/interface/wireguard", "name", "wg");
    let bytes = |text: &str| -> [u8; 32] {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(text).expect("base64").try_into().expect("32 bytes")
    };
    let private = x25519_dalek::StaticSecret::from(bytes(&row["private-key"]));
    assert_eq!(x25519_dalek::PublicKey::from(&private).as_bytes(), &bytes(&row["public-key"]));
    assert_eq!(row["mtu"], "1420");
    let given = "private-key=QCr6M5+5T8VcI6NkYYc2dcHZ4lTTnaZBJRC3QmlZjnw=";
    lab.ok(&["/interface/wireguard/set", ".id=wg", given]);
    assert_ne!(lab.row("/interface/wireguard", "name", "wg")["public-key"], row["public-key"]);
}

#[test]
fn every_default_row_is_of_the_catalogue() {
    for board in ["hEX S", "hAP ax2", "RB5009", "CHR"] {
        let mut lab = Lab::with(config(board, "7.22.3"));
        for menu in routeros::catalogue::menus() {
            if menu.shape == routeros::catalogue::Shape::Command || menu.path == "/system/routerboard" {
                continue;
            }
            for row in lab.print(menu.path) {
                for (name, value) in row.iter().filter(|(name, _)| *name != ".id") {
                    let arg = menu.arg(name);
                    let feature = menu.path == "/system/device-mode" && arg.is_none();
                    let good = arg.is_some_and(|arg| arg.kind.canonical(value.as_bytes()).is_ok());
                    assert!(good || feature, "{board} {} {name}={value}", menu.path);
                }
            }
        }
    }
}
