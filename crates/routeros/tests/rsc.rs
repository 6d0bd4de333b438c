//! Goal: exports are read as what they mean, written again the same, and what is none is refused with its place.
//! Method: an export of each form that people publish, tables of wrong texts, and any bytes at all.

use expect_test::expect;
use proptest::prelude::*;
use routeros::rsc::{BYTES_MAX, Command, Export, Fault, Style, Target, Verb, diff, read};

const SEVEN: &str = r##"# 2026-01-15 10:11:12 by RouterOS 7.22.3
# software id = ABCD-EF12
#
# model = RB5009UG+S+
# serial number = HCY0123ABCD
/interface bridge
add admin-mac=48:8F:5A:11:22:33 auto-mac=no comment=defconf name=bridge
/interface ethernet
set [ find default-name=ether1 ] comment="to the \"mast\" \$5\?" name=wan
/interface lte apn
set [ find default=yes ] ip-type=ipv4 use-network-apn=no
/ip pool
add name=homes ranges=10.5.0.2-10.5.3.254
/ppp profile
set *0 !local-address comment="M\D0\BCast\r\
    \n" dns-server=1.1.1.1,9.9.9.9
/ip firewall filter
add action=drop chain=input comment="a rule that is so long that a router goes \
    on in the next line" in-interface-list=!LAN
# ether9 not ready
add action=accept chain=forward dst-addr\
    ess=10.0.0.0/8
#error exporting "/interface/wifi" (timeout)
/ip service
set telnet disabled=yes
set api address=10.10.0.2/32
/system script
add dont-require-permissions=no name=night source=":foreach i in=[/ip/route/find] do={ :put \$i }"
"##;

const SIX: &str = "# jan/15/2026 10:11:12 by RouterOS 6.49.10\r\n# software id = ABCD-EF12\r\n#\r\n# model = 951Ui-2HnD\r\n\
                   # serial number = 557E04CE5E24\r\n/interface wireless security-profiles\r\nset [ find default=yes ] supplicant-identity=MikroTik\r\n\
                   /ip hotspot profile\r\nadd dns-name=wifi.example hotspot-address=10.5.50.1 name=hsprof1\r\n";

fn ok(text: &str) -> Export {
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refused(text: &[u8]) -> String {
    read(text).expect_err("it must be refused").to_string()
}

#[test]
fn an_export_of_version_seven() {
    let export = ok(SEVEN);
    assert_eq!(export.header.routeros().map(|version| version.to_string()).as_deref(), Some("7.22.3"));
    assert_eq!(export.header.serial_number, "HCY0123ABCD");
    assert_eq!(export.faults, ["/interface/wifi (timeout)"]);
    assert_eq!(export.left_out.count, 0);
    let command = |path: &str, index: usize| {
        let section = export.sections.iter().find(|section| section.path == path).expect("the menu");
        section.commands[index].clone()
    };
    let wan = command("/interface/ethernet", 0);
    assert_eq!(wan.target, Target::Find(vec![("default-name".to_owned(), b"ether1".to_vec())]));
    assert_eq!(wan.value("comment"), Some(b"to the \"mast\" $5?".as_slice()));
    let profile = command("/ppp/profile", 0);
    assert_eq!(profile.target, Target::Row(b"*0".to_vec()));
    assert_eq!(profile.values[0], ("local-address".to_owned(), None));
    assert_eq!(profile.value("comment"), Some(b"M\xd0\xbcast\r\n".as_slice()), "bytes are kept, continued quotes are joined");
    assert_eq!(command("/ip/firewall/filter", 0).value("in-interface-list"), Some(b"!LAN".as_slice()));
    assert_eq!(command("/ip/firewall/filter", 1).value("dst-address"), Some(b"10.0.0.0/8".as_slice()));
    assert_eq!(command("/ip/service", 0).target, Target::Row(b"telnet".to_vec()));
    assert!(command("/system/script", 0).value("source").is_some_and(|source| source.ends_with(b":put $i }")));
}

#[test]
fn an_export_is_written_as_it_was_read() {
    expect![[r##"
        # 2026-01-15 10:11:12 by RouterOS 7.22.3
        # software id = ABCD-EF12
        # model = RB5009UG+S+
        # serial number = HCY0123ABCD
        /interface bridge
        add admin-mac=48:8F:5A:11:22:33 auto-mac=no comment=defconf name=bridge
        /interface ethernet
        set [ find default-name=ether1 ] comment="to the \"mast\" \$5\?" name=wan
        /interface lte apn
        set [ find default=yes ] ip-type=ipv4 use-network-apn=no
        /ip pool
        add name=homes ranges=10.5.0.2-10.5.3.254
        /ppp profile
        set *0 !local-address comment="M\D0\BCast\r\n" dns-server=1.1.1.1,9.9.9.9
        /ip firewall filter
        add action=drop chain=input \
            comment="a rule that is so long that a router goes on in the next line" \
            in-interface-list=!LAN
        add action=accept chain=forward dst-address=10.0.0.0/8
        /ip service
        set telnet disabled=yes
        set api address=10.10.0.2/32
        /system script
        add dont-require-permissions=no name=night \
            source=":foreach i in=[/ip/route/find] do={ :put \$i }"
    "##]]
    .assert_eq(&ok(SEVEN).write(Style::Sections));
}

#[test]
fn an_export_of_version_six_and_a_terse_one() {
    let six = ok(SIX);
    assert_eq!((six.header.written_at.as_str(), six.header.version.as_str()), ("jan/15/2026 10:11:12", "6.49.10"));
    assert_eq!(six.commands(), 2);
    let export = ok(SEVEN);
    let terse = export.write(Style::Terse);
    assert!(terse.contains("\n/ip pool add name=homes ranges=10.5.0.2-10.5.3.254\n"), "{terse}");
    assert_eq!(ok(&terse).sections, export.sections);
    let slashes = ok("/ip/pool/add name=homes ranges=10.5.0.2-10.5.3.254\n");
    assert_eq!(slashes.sections[0].path, "/ip/pool");
}

#[test]
fn scripts_are_left_out_and_the_rest_is_read() {
    let export = ok(
        ":global lan \"10.0.0.0/8\"\n/ip address\n:foreach i in=[find] do={\n  set $i disabled=yes\n  :if ($i = 3) do={ remove $i }\n}\n\
         add address=$lan interface=ether1\nadd address=\"10.0.$net.1/24\"\nset [ find where address~\"^10\" ] disabled=yes\n\
         add address=10.1.0.1/24 interface=ether2\nprint\n/system reboot\n/import file-name=other.rsc\n/ip address { add address=1.1.1.1/32 }\n",
    );
    assert_eq!(export.left_out.count, 9, "{:?}", export.left_out);
    assert_eq!(export.left_out.places[0].0, 1);
    assert_eq!(export.commands(), 1);
    assert_eq!(export.sections[0].commands[0].value("interface"), Some(b"ether2".as_slice()));
}

#[test]
fn what_is_no_export_is_refused_with_its_place() {
    let table: &[(&[u8], &str)] = &[
        (b"!\nversion 15.2\ninterface GigabitEthernet0/1\n", "line 1, column 1: no RouterOS export"),
        (b"# a note\nset system host-name mx\n", "line 2, column 1: no RouterOS export"),
        (b"/ip address\ninterface ether1\n", "line 2, column 1: no RouterOS export"),
        (b"<config></config>\n", "line 1, column 1: no RouterOS export"),
        (b"/ip address\nadd address=10.0.0.1/24 comment=\"open\n", "line 3, column 1: the text ends"),
        (b"/ip address\nadd comment=\"open", "line 2, column 18: the text ends"),
        (b"/ip address\nadd address=10.0.0.1/2", "line 2, column 23: the text ends"),
        (b"/ip address\nadd address=10.0.0.1/24 \\\n", "line 3, column 1: the text ends"),
        (b"/ip add", "line 1, column 8: the text ends"),
        (b":if (true) do={\n", "line 2, column 1: the text ends"),
        (b"/ip address\nadd comment=\"a\\qb\"\n", "line 2, column 15: an escape"),
        (b"/ip address\nadd comment=\"a\"b\n", "line 2, column 16: a blank"),
        (b"/ip address\nadd comment=a\x00b\n", "line 2, column 14: a byte that no text holds"),
        (b"\x88\xac\xa1\xb1\x10\x00\x00\x00", "line 1, column 1: this is a binary backup"),
        (b"\xff\xfe/\x00i\x00", "line 1, column 1: no RouterOS export"),
        (b"/a b c d e f g h i\nadd x=y\n", "line 1, column 19: brackets"),
    ];
    for (text, expected) in table {
        let error = refused(text);
        assert!(error.starts_with(expected), "{error} for {:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_text_without_end_is_refused_at_once() {
    let long = vec![b'#'; 50 << 20];
    assert_eq!(read(&long).expect_err("50 MB").fault, Fault::TooLong);
    let deep = format!(":put {}\n", "{".repeat(100_000));
    assert_eq!(read(deep.as_bytes()).expect_err("brackets").fault, Fault::TooDeep);
    let wide = format!("/ip address\nadd {}\n", "a= ".repeat((BYTES_MAX >> 2) + 1));
    assert_eq!(read(wide.as_bytes()).expect_err("arguments").fault, Fault::TooManyValues);
    let many = format!("/ip address\n{}", "add\n".repeat(400_000));
    assert_eq!(read(many.as_bytes()).expect_err("commands").fault, Fault::TooManyCommands);
}

#[test]
fn what_changes_by_itself_and_secrets_are_not_compared() {
    let text = |date: &str, key: &str| {
        format!(
            "# {date} by RouterOS 7.22.3\n/interface wireguard\nadd name=mw private-key=\"{key}\"\n/ppp secret\nadd name=asha password=\"\"\n"
        )
    };
    let mut first = ok(&text("2026-01-15 10:00:00", "c2VjcmV0"));
    let mut second = ok(&text("2026-01-16 10:00:00", "b3RoZXI="));
    assert_eq!((first.hide_secrets(), second.hide_secrets()), (1, 1));
    assert!(!first.write(Style::Sections).contains("c2VjcmV0"));
    assert_eq!(first.hide_secrets(), 0, "hidden ones are not counted again");
    assert_ne!(first, second);
    assert_eq!(first.comparable(), second.comparable());
}

#[test]
fn a_difference_names_the_row_and_its_values() {
    let before = ok("/ip pool\nadd name=homes ranges=10.5.0.2-10.5.0.9\n/ip service\nset telnet disabled=yes\n\
                     /ip firewall filter\nadd chain=input action=accept\nadd chain=input action=drop comment=last\n/ip dns\nset servers=1.1.1.1\n");
    let after = ok("/ip pool\nadd name=homes ranges=10.5.0.2-10.5.0.200\nadd name=guests ranges=10.6.0.2-10.6.0.9\n\
                    /ip firewall filter\nadd chain=input action=drop comment=last\nadd chain=input action=accept\n\
                    /ip dns\nset servers=1.1.1.1 allow-remote-requests=yes\n");
    let found = diff(&before, &after);
    expect![[r#"
        /ip/pool moved=false
          + add name=guests ranges=10.6.0.2-10.6.0.9
          ~ add name=homes: ranges Some("10.5.0.2-10.5.0.9") -> Some("10.5.0.2-10.5.0.200")
        /ip/firewall/filter moved=true
        /ip/dns moved=false
          ~ set: allow-remote-requests None -> Some("yes")
        /ip/service moved=false
          - set telnet disabled=yes
    "#]]
    .assert_eq(&found.iter().map(show).collect::<String>());
    assert_eq!(diff(&after, &after), []);
}

fn show(section: &routeros::rsc::SectionDiff) -> String {
    let mut out = format!("{} moved={}\n", section.path, section.moved);
    out.extend(section.added.iter().map(|line| format!("  + {line}\n")));
    out.extend(section.removed.iter().map(|line| format!("  - {line}\n")));
    for changed in &section.changed {
        out.extend(changed.values.iter().map(|v| format!("  ~ {}: {} {:?} -> {:?}\n", changed.row, v.name, v.before, v.after)));
    }
    out
}

fn command() -> impl Strategy<Value = Command> {
    let verb = prop::sample::select(vec![Verb::Add, Verb::Set, Verb::Remove, Verb::Unset, Verb::Enable, Verb::Disable]);
    let value = prop::collection::vec(any::<u8>(), 0..60);
    let name = "[a-z][a-z0-9.-]{0,11}";
    let target = prop_oneof![
        Just(Target::Menu),
        prop::collection::vec((name.prop_filter("where", |name| name != "where"), value.clone()), 0..3).prop_map(Target::Find),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Target::Row),
    ];
    let values = prop::collection::vec((name, prop::option::of(value)), 0..6);
    (verb, target, values).prop_map(|(verb, target, values)| Command { verb, target, values })
}

proptest! {
    #[test]
    fn any_command_survives(command in command()) {
        let section = routeros::rsc::Section { path: "/ip/address".to_owned(), commands: vec![command] };
        let export = Export { sections: vec![section], ..Export::default() };
        for style in [Style::Sections, Style::Terse] {
            let text = export.write(style);
            prop_assert_eq!(&read(text.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?, &export);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        settled(&bytes)?;
    }

    #[test]
    fn any_mixture_of_the_language_is_read_or_refused(
        parts in prop::collection::vec(prop::sample::select(vec![
            "/ip address", "\n", " ", "add", "set", "[ find ", " ]", "name=", "\"", "\\", "\\\n", "\\20", "$x", "!", "x", "=", ";", "#", "{", "}",
            ":put", "1.2.3.4/5", "\r\n", "*1", "# a by RouterOS 7", "# model = x", "/", "(", ")", "where", "é", "#error exporting",
        ]), 0..60),
    ) {
        settled(parts.concat().as_bytes())?;
    }

    #[test]
    fn a_text_cut_anywhere_is_never_read_as_more(cut in 0..SEVEN.len()) {
        if let Ok(export) = read(&SEVEN.as_bytes()[..cut]) {
            prop_assert!(export.commands() <= ok(SEVEN).commands());
            prop_assert!(cut == 0 || SEVEN.as_bytes()[cut - 1] == b'\n', "a text that ends in the middle of a line is refused");
        }
    }
}

/// What is read is written and read again as the same, and written the same again.
fn settled(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(export) = read(bytes) else { return Ok(()) };
    let text = export.write(Style::Sections);
    let again = read(text.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
    prop_assert_eq!(&again.sections, &export.sections);
    prop_assert_eq!(again.write(Style::Sections), text);
    Ok(())
}
