//! Texts with holes: which holes there may be, and how they are filled. Pure.

use super::Fault;
use super::segments::measure;
use crate::messages::{Event, Variable};
use std::collections::{BTreeMap, BTreeSet};

/// Longest text of a template, in characters.
const TEXT_MAX: usize = 1_000;
/// Longest text that is sent, in characters.
const SENT_MAX: usize = 2_000;
/// Most segments of one message.
const SEGMENTS_MAX: usize = 10;
/// Longest value of a hole, in characters: names and titles come from people.
const VALUE_MAX: usize = 100;

/// What fills the holes.
pub(in super::super) type Values = BTreeMap<&'static str, String>;

/// A piece of a template.
enum Piece<'a> {
    Text(&'a str),
    Hole(&'a str),
}

/// Takes a text apart; a brace that opens or closes nothing is a fault.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Fault> {
    const BRACES: Fault = ("text", "braces stand around the name of a variable only, such as {name}");
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, behind) = rest.split_at(open);
        let close = behind.find('}').ok_or(BRACES)?;
        let name = &behind[1..close];
        if before.contains('}') || name.contains('{') {
            return Err(BRACES);
        }
        found.extend([Piece::Text(before), Piece::Hole(name)]);
        rest = &behind[close + 1..];
    }
    if rest.contains('}') {
        return Err(BRACES);
    }
    found.push(Piece::Text(rest));
    Ok(found)
}

/// Says what is wrong with a template's text for what it is written for.
pub(in super::super) fn fault(event: Option<Event>, text: &str) -> Option<Fault> {
    if text.trim().is_empty() || text.chars().count() > TEXT_MAX {
        return Some(("text", "write 1 to 1000 characters"));
    }
    if text.contains(|c: char| c.is_control() && c != '\n') {
        return Some(("text", "write text and line breaks, and nothing else that cannot be seen"));
    }
    let pieces = match pieces(text) {
        Ok(pieces) => pieces,
        Err(fault) => return Some(fault),
    };
    let known = |name: &str| Variable::of(event).any(|variable| variable.as_str() == name);
    if pieces.iter().any(|piece| matches!(piece, Piece::Hole(name) if !known(name))) {
        return Some(("text", "it names a variable that is not known here: GET /api/v1/message-variables lists them"));
    }
    sent_fault(&filled(text, &samples(event)))
}

/// Returns the variables that a text names, in the order of their names.
pub(in super::super) fn named(text: &str) -> Vec<String> {
    let holes = pieces(text).unwrap_or_default().into_iter().filter_map(|piece| match piece {
        Piece::Hole(name) => Some(name.to_owned()),
        Piece::Text(_) => None,
    });
    holes.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Fills the holes. What fills one opens no other, and holds nothing that cannot be seen.
pub(in super::super) fn filled(text: &str, values: &Values) -> String {
    let Ok(pieces) = pieces(text) else { return text.to_owned() };
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Hole(name) => {
                let value = values.get(name).map(String::as_str).unwrap_or_default();
                value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(VALUE_MAX).collect()
            }
        })
        .collect()
}

/// Says what is wrong with a text as it is to be sent.
pub(in super::super) fn sent_fault(text: &str) -> Option<Fault> {
    if text.trim().is_empty() || text.chars().count() > SENT_MAX {
        return Some(("text", "write 1 to 2000 characters"));
    }
    if text.contains(|c: char| c.is_control() && c != '\n') {
        return Some(("text", "write text and line breaks, and nothing else that cannot be seen"));
    }
    (measure(text).segments > SEGMENTS_MAX).then_some(("text", "it would take more than 10 segments: write less"))
}

/// Cuts a text to what can be sent: names and titles may be longer than anybody thought of.
pub(in super::super) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SENT_MAX) {
        text.truncate(end);
    }
    while measure(&text).segments > SEGMENTS_MAX {
        text.pop();
    }
    text
}

/// What stands in the holes when a template is looked at before anybody gets it.
pub(in super::super) fn samples(event: Option<Event>) -> Values {
    Variable::of(event).map(|variable| (variable.as_str(), variable.sample().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_known_variables_may_be_named() {
        for text in ["Hello", "Hello {name}, you paid {amount}.", "{name}{name}"] {
            assert_eq!(fault(Some(Event::PaymentReceived), text), None, "{text}");
        }
        for text in ["", " ", "{amount", "amount}", "{}", "{{name}}", "{password}", "{ name }", "a\u{7}b"] {
            assert!(fault(Some(Event::PaymentReceived), text).is_some(), "{text}");
        }
        assert!(fault(Some(Event::PaymentReceived), &"x".repeat(1_001)).is_some());
        assert!(fault(Some(Event::Expiry), "{amount}").is_some(), "an end has no amount");
        assert!(fault(None, "{amount}").is_some(), "nor has what is sent by hand");
        assert_eq!(fault(None, "{name} {account} {package} {until}"), None);
    }

    #[test]
    fn what_fills_a_hole_opens_none() {
        let values = Values::from([("name", "{amount}\u{1b}".to_owned()), ("amount", "KES 5.00".to_owned())]);
        assert_eq!(filled("{name} paid {amount}{receipt}.", &values), "{amount}  paid KES 5.00.");
        assert_eq!(filled("{name}", &Values::from([("name", "x".repeat(200))])).len(), 100);
    }

    #[test]
    fn samples_fill_every_hole() {
        for event in Event::ALL.iter().copied().map(Some).chain([None]) {
            for variable in Variable::of(event) {
                let text = format!("{{{}}}", variable.as_str());
                assert_eq!(fault(event, &text), None);
                assert!(!filled(&text, &samples(event)).is_empty(), "{text}");
                assert_eq!(named(&text), [variable.as_str()]);
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused_or_cut() {
        assert!(fault(None, &"я".repeat(700)).is_some(), "11 segments");
        assert_eq!(fault(None, &"я".repeat(670)), None);
        assert_eq!(cut("я".repeat(5_000)).chars().count(), 670);
        assert_eq!(cut("short".to_owned()), "short");
        assert_eq!(sent_fault(&cut("x".repeat(5_000))), None);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_good_is_filled_whole(text in "[a-z{} \n€]{0,60}") {
            let whole = filled(&text, &samples(None));
            if fault(None, &text).is_none() {
                prop_assert!(!whole.contains(['{', '}']), "{}", whole);
            }
        }
    }
}
