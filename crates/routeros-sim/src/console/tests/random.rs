//! Any text at all: it ends, and neither it nor what it means breaks the console.

use proptest::prelude::*;

use super::{Device, drive};
use crate::console::{Console, Value};

/// Pieces of scripts in any order, so that many texts get past the parser.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        ":put ",
        ":local x ",
        ":set x ",
        ":if (",
        ") do={",
        "}",
        "else={",
        ":foreach i in=",
        "do={",
        ":while (",
        ":do {",
        "on-error={",
        ":error ",
        ":for i from=1 to=3 ",
        "[",
        "]",
        "(",
        ")",
        "{",
        ";",
        "\n",
        " ",
        "\"",
        "$x",
        "$i",
        "1",
        "abc",
        "=",
        " . ",
        " , ",
        "+",
        "-",
        "!",
        "~",
        "->",
        "\\",
        "\\\n",
        "#",
        "/ip address ",
        "add ",
        "address=",
        "find ",
        "where ",
        "get ",
        "print ",
        "*1",
        "é",
        ":pick ",
        ":len ",
        ":find ",
        ":toarray ",
        ":delay 1s",
        "10.0.0.1/24",
        "1d",
        "comment~",
        "and",
        "..",
        ":",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn runs(text: &str) {
    drive(&mut Console::script(text), &mut Device::default());
    let mut console = Console::terminal();
    console.enter(text).expect("short");
    drive(&mut console, &mut Device::default());
}

proptest! {
    #[test]
    fn any_text_ends(text in "(?s).{0,200}") {
        runs(&text);
    }

    #[test]
    fn any_pieces_of_scripts_end(text in pieces()) {
        runs(&text);
    }

    #[test]
    fn any_text_survives_being_quoted(text in "[ -~\n\t]{0,60}") {
        let quoted: String = text.chars().map(|c| match c {
            '"' | '\\' | '$' => format!("\\{c}"),
            '\n' => "\\n".to_owned(),
            c => c.to_string(),
        }).collect();
        let mut device = Device::default();
        drive(&mut Console::script(&format!(":global g \"{quoted}\"")), &mut device);
        prop_assert_eq!(device.globals.get("g"), Some(&Value::Str(text)));
    }

    #[test]
    fn spans_of_time_read_back(millis in 0_u64..4_000_000_000) {
        let value = Value::Time(std::time::Duration::from_millis(millis));
        prop_assert_eq!(Value::literal(&value.argument()), value.clone());
        let seconds = Value::Time(std::time::Duration::from_secs(millis / 1000));
        prop_assert_eq!(Value::literal(&seconds.text()), seconds);
    }
}
