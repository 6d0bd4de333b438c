//! Goal: the simulator prints its configuration as a router does, reads it again, and gives files in parts.
//! Method: set up a router, export it, import that into a new one of the same kind, and compare the exports.

use crate::support::{Lab, config};
use routeros::rsc::{diff, read};
use routeros_sim::device::{Session, text};
use std::collections::BTreeSet;

/// Takes an export through a file, in parts of some bytes.
fn exported(lab: &mut Lab, arguments: &[&str], chunk: usize) -> String {
    let words: Vec<&str> = ["/export", "file=copy"].into_iter().chain(arguments.iter().copied()).collect();
    lab.ok(&words);
    let size: usize = lab.row("/file", "name", "copy.rsc")["size"].parse().expect("a size");
    let mut whole = String::new();
    while whole.len() < size {
        let offset = format!("offset={}", whole.len());
        let output = lab.run(&["/file/read", "file=copy.rsc", &offset, &format!("chunk-size={chunk}")]).expect("a part");
        let part = &output.rows[0][0];
        assert_eq!(part.0, "data");
        assert!(!part.1.is_empty() && part.1.len() <= chunk);
        whole.push_str(&part.1);
    }
    assert_eq!(whole.len(), size);
    whole
}

#[test]
fn a_new_virtual_router_has_nothing_to_export() {
    let mut lab = Lab::new();
    let text = exported(&mut lab, &[], 32_768);
    assert_eq!(text.lines().next(), Some("# 2026-11-21 09:00:00 by RouterOS 7.22.3"));
    assert!(read(text.as_bytes()).expect("an export").is_empty(), "{text}");
}

#[test]
fn what_is_printed_is_read_again() {
    let mut lab = Lab::with(config("RB5009", "7.22.3")).with_pppoe().with_hotspot();
    lab.ok(&["/ppp/profile/set", ".id=default", "dns-server=9.9.9.9"]);
    lab.ok(&["/ppp/secret/set", ".id=asha", "comment=the \"mast\" $5\r\n{x}"]);
    lab.ok(&["/ip/service/set", ".id=telnet", "disabled=yes"]);
    lab.ok(&["/system/identity/set", "name=tower"]);
    let first = exported(&mut lab, &["show-sensitive=yes"], 100);
    assert!(first.contains("\n/ip service\nset telnet disabled=yes\n"), "{first}");
    assert!(first.contains("\nset [ find name=default ] dns-server=9.9.9.9\n"), "{first}");
    assert!(first.contains("add comment=\"the \\\"mast\\\" \\$5\\r\\n{x}\" name=asha password=secret profile=home"), "{first}");
    let mut other = Lab::with(config("RB5009", "7.22.3"));
    // What the default configuration made stands in the export too, as on a router; it goes first.
    for menu in
        ["/ip/firewall/filter", "/ip/firewall/nat", "/ip/dhcp-server", "/ip/dhcp-server/network", "/interface/bridge/port"]
    {
        clear(&mut other, menu);
    }
    for menu in ["/interface/list/member", "/interface/list", "/ip/address", "/ip/pool", "/interface/bridge"] {
        clear(&mut other, menu);
    }
    other.router.device_mut().store_file("copy.rsc", &first);
    let ended = other.paste("/import file-name=copy.rsc\n");
    assert_eq!(ended.failures, [], "{first}");
    let second = exported(&mut other, &["show-sensitive=yes"], 32_768);
    let (before, after) = (read(first.as_bytes()).expect("an export"), read(second.as_bytes()).expect("an export"));
    assert_eq!(diff(&before, &after), []);
}

fn clear(lab: &mut Lab, menu: &str) {
    for row in lab.print(menu) {
        // What came with the system stays.
        let _built_in = lab.run(&[&format!("{menu}/remove"), &format!(".id={}", row[".id"])]);
    }
}

#[test]
fn secrets_are_printed_only_to_who_asks_and_may() {
    let mut lab = Lab::new().with_pppoe();
    assert!(!exported(&mut lab, &[], 32_768).contains("password="), "hidden unless asked for");
    assert!(!exported(&mut lab, &["show-sensitive=yes", "hide-sensitive=yes"], 32_768).contains("password="));
    assert!(exported(&mut lab, &["show-sensitive=yes"], 32_768).contains("password=secret"));
    let mut session = Session::console();
    session.policy.remove("sensitive");
    lab.run_as(&session, &["/export", "file=copy", "show-sensitive=yes"]).expect("an export");
    assert!(!text::readable(&lab.row("/file", "name", "copy.rsc")["contents"]).contains("password="));
}

#[test]
fn who_may_not_write_exports_to_no_file() {
    let mut lab = Lab::new();
    let session =
        |policy: &[&'static str]| Session { policy: policy.iter().copied().collect::<BTreeSet<_>>(), ..Session::console() };
    let refused = |lab: &mut Lab, policy: &[&'static str]| {
        lab.run_as(&session(policy), &["/export", "file=copy"]).expect_err("refused").message
    };
    assert_eq!(refused(&mut lab, &["read"]), "not enough permissions (9)");
    assert_eq!(refused(&mut lab, &["write"]), "not enough permissions (9)");
    assert_eq!(lab.run_as(&session(&["read"]), &["/export"]).expect("nothing").rows.len(), 0);
    assert_eq!(lab.print("/file").len(), 0);
}

#[test]
fn the_console_prints_it_too() {
    let mut lab = Lab::new().with_pppoe();
    let terse = lab.paste("/export terse\n").output;
    assert!(terse.iter().any(|line| line == "/ip pool add name=homes ranges=10.5.0.2-10.5.0.3"), "{terse:?}");
    assert!(!terse.join("\n").contains("password="));
    let shown = lab.paste("/export show-sensitive\n").output;
    assert!(shown.iter().any(|line| line.contains("password=secret")), "{shown:?}");
    assert_eq!(lab.paste("/export colourful\n").failures.len(), 1);
}

#[test]
fn parts_that_are_not_there() {
    let mut lab = Lab::new();
    assert_eq!(lab.refused(&["/file/read", "file=nothing.rsc"]), "no such item");
    assert_eq!(lab.refused(&["/file/read", "offset=0"]), "missing value(s) of argument(s) file");
    lab.ok(&["/file/add", "name=a.txt", "contents=abc"]);
    assert_eq!(lab.refused(&["/file/read", "file=a.txt", "chunk-size=32769"]), "invalid value for argument chunk-size");
    let behind = lab.run(&["/file/read", "file=a.txt", "offset=3"]).expect("nothing");
    assert_eq!(behind.rows, [[("data".to_owned(), String::new())]]);
}
