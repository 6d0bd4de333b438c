//! What the terminal, an import and a paste each do with mistakes.

use expect_test::expect;

use super::{Device, drive, paste, script};
use crate::console::Console;

#[test]
fn a_terminal_goes_on_after_a_mistake() {
    let seen = paste(
        r#"/ip address add address=10.0.0.1/24
/ip adress add address=10.0.0.2/24
/ip address add address=bad
:put "one"; /ip adress; :put "two"
:error "mine"
/ip address
add address=10.0.0.3/24
"#,
    );
    expect![[r#"
        /ip/address add address=10.0.0.1/24
        > bad command name adress (line 1 column 5)
        /ip/address add address=bad
        > invalid value for argument address
        > bad command name adress (line 1 column 17)
        > mine
        /ip/address add address=10.0.0.3/24
        ! bad command name adress (line 1 column 5)
        ! invalid value for argument address
        ! bad command name adress (line 1 column 17)
        ! mine"#]]
    .assert_eq(&seen);
}

#[test]
fn local_variables_of_a_terminal_end_with_their_line() {
    let seen =
        paste(":local x 1; :put \"here $x\"\n:put \"gone $[:typeof $x]\"\n:global g 7\n:put \"kept $g\"\n:set g 8\n:put \"$g\"");
    expect![[r#"
        > here 1
        > gone nothing
        > kept 7
        > 8"#]]
    .assert_eq(&seen);
}

#[test]
fn a_terminal_collects_the_lines_of_a_block() {
    let seen = paste(
        r##"{
  :local x 1
  # a comment with a brace }
  :if ($x = 1) do={
    :put "a } in a text, $[:len ")"]"
  }
  :put "long \
     line"
}
:put "two
lines"
"##,
    );
    expect![[r#"
        > a } in a text, 1
        > long line
        > two
        lines"#]]
    .assert_eq(&seen);
}

#[test]
fn a_mistake_in_a_block_runs_nothing_of_it() {
    expect![[r#"
        > bad command name pu (line 3 column 2)
        > 3
        ! bad command name pu (line 3 column 2)"#]]
    .assert_eq(&paste("{\n:put 1\n:pu 2\n}\n:put 3"));
    expect![[r#"
        > syntax error (line 1 column 8)
        > 3
        > syntax error (line 1 column 1)
        > 4
        ! syntax error (line 1 column 8)
        ! syntax error (line 1 column 1)"#]]
    .assert_eq(&paste(":put (1]\n:put 3\n}\n:put 4"));
}

#[test]
fn a_block_that_is_not_closed_waits_until_interrupted() {
    let mut device = Device::default();
    let mut console = Console::terminal();
    console.enter("{\n:put 1").expect("short");
    drive(&mut console, &mut device);
    assert!(console.is_unfinished() && device.seen.is_empty());
    console.interrupt();
    console.enter(":put 2").expect("short");
    drive(&mut console, &mut device);
    assert!(!console.is_unfinished());
    assert_eq!(device.seen, ["> 2"]);
}

#[test]
fn a_terminal_keeps_its_menu() {
    let mut device = Device::default();
    let mut console = Console::terminal();
    console.enter("/ip address").expect("short");
    drive(&mut console, &mut device);
    assert_eq!(console.context(), "/ip/address");
    console.enter("add address=10.0.0.1/24").expect("short");
    drive(&mut console, &mut device);
    assert_eq!(device.seen, ["/ip/address add address=10.0.0.1/24"]);
}

#[test]
fn a_terminal_refuses_more_than_it_can_hold() {
    let mut console = Console::terminal();
    let text = ":put 1\n".repeat(100_000);
    console.enter(&text).expect("700 kB fit");
    assert!(console.enter(&text).is_err());
}

#[test]
fn an_import_with_a_mistake_in_its_text_applies_nothing() {
    expect!["! expected end of command (line 2 column 37)"]
        .assert_eq(&script("/ip address add address=10.0.0.1/24\n/ip address add address=10.0.0.2/24 foo=1"));
    expect!["! syntax error (line 3 column 1)"].assert_eq(&script("/ip address add address=10.0.0.1/24\n:if (true) do={\n"));
    expect!["! syntax error (line 2 column 11)"].assert_eq(&script(":put 1\n:put \"open"));
    expect!["! expected end of command (line 1 column 8)"].assert_eq(&script(":put 1 # no comment here"));
}

#[test]
fn an_import_that_fails_keeps_what_it_did() {
    let seen =
        script("/ip address add address=10.0.0.1/24\r\n/ip address add address=bad\r\n/ip address add address=10.0.0.3/24");
    expect![[r#"
        /ip/address add address=10.0.0.1/24
        /ip/address add address=bad
        ! invalid value for argument address"#]]
    .assert_eq(&seen);
}

#[test]
fn a_guarded_block_is_pasted_twice_and_adds_once() {
    let block = r#"{
  :local mwName "mastwire"
  :local mwTag "mw:0123456789ab"
  :do {
    :if ([:len [/interface wireguard find where comment=$mwTag]] = 0) do={
      /interface wireguard add name=$mwName listen-port=0 comment=$mwTag
    }
    /interface wireguard peers
    :if ([:len [find where comment=$mwTag]] = 0) do={
      add interface=$mwName public-key="aGVsbG8=" allowed-address=10.10.0.1/32 comment=$mwTag
    }
    :local mwLeft 60
    :while ($mwLeft > 0 and [:len [get [find where comment=$mwTag] interface]] = 0) do={ :set mwLeft ($mwLeft - 1); :delay 1s }
    :log info ("mastwire: joined, seconds left " . $mwLeft)
  } on-error={ :log error "mastwire: failed"; :error "mastwire: failed" }
}
"#;
    let mut device = Device::default();
    for _ in 0..2 {
        let mut console = Console::terminal();
        console.enter(block).expect("short");
        drive(&mut console, &mut device);
    }
    expect![[r#"
        /interface/wireguard add name=mastwire listen-port=0 comment=mw:0123456789ab
        /interface/wireguard/peers add interface=mastwire public-key=aGVsbG8= allowed-address=10.10.0.1/32 comment=mw:0123456789ab
        /interface/wireguard/peers get numbers=*2 value-name=interface
        log info: mastwire: joined, seconds left 60
        /interface/wireguard/peers get numbers=*2 value-name=interface
        log info: mastwire: joined, seconds left 60"#]]
    .assert_eq(&device.seen.join("\n"));
}

#[test]
fn an_array_or_an_else_on_a_new_line_breaks() {
    expect!["! syntax error (line 1 column 13)"].assert_eq(&script(":local a {1;\n2}"));
    expect!["! bad command name else (line 2 column 1)"].assert_eq(&script(":if (false) do={ :put 1 }\nelse={ :put 2 }"));
    expect!["! syntax error (line 1 column 14)"].assert_eq(&script(":if (false ||\n true) do={ :put 1 }"));
    expect!["> 1"].assert_eq(&script(":if (false || \\\n true) do={ :put 1 } \\\n else={ :put 2 }"));
}
