//! Goal: sentences survive the wire in whatever pieces they come, and bytes that are none are refused within limits.
//! Method: known bytes, then properties over generated sentences, cuts and garbage.

use proptest::prelude::*;
use routeros::codec::{DecodeError, Decoder, Limits, Reply, ReplyError, Sentence, Trap};

fn encoded(words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Sentence::new(words.iter().copied()).encode(&mut bytes);
    bytes
}

fn decode(bytes: &[u8], limits: Limits) -> Result<Vec<Sentence>, DecodeError> {
    let mut decoder = Decoder::new(limits);
    decoder.push(bytes);
    let mut sentences = Vec::new();
    while let Some(sentence) = decoder.poll()? {
        sentences.push(sentence);
    }
    Ok(sentences)
}

#[test]
fn known_sentences() {
    let login = hex::decode("062f6c6f67696e0b3d6e616d653d61646d696e0a3d70617373776f72643d00").expect("hex");
    assert_eq!(encoded(&["/login", "=name=admin", "=password="]), login);
    let cancel = hex::decode("072f63616e63656c063d7461673d37062e7461673d3800").expect("hex");
    assert_eq!(encoded(&["/cancel", "=tag=7", ".tag=8"]), cancel);
    let accents =
        hex::decode("0f2f7070702f7365637265742f616464093d6e616d653d753d31113d636f6d6d656e743dc5bcc3b3c582c487062e7461673d3900");
    assert_eq!(encoded(&["/ppp/secret/add", "=name=u=1", "=comment=żółć", ".tag=9"]), accents.expect("hex"));
}

#[test]
fn empty_sentences_are_passed_over() {
    let bytes = [&[0, 0][..], &encoded(&["!done"]), &[0, 0, 0], &encoded(&["!re"]), &[0]].concat();
    assert_eq!(decode(&bytes, Limits::DEFAULT), Ok(vec![Sentence::new(["!done"]), Sentence::new(["!re"])]));
}

#[test]
fn limits_hold_at_their_edge() {
    let limits = Limits { word: 5, sentence: 8, words: 3 };
    assert!(decode(b"\x05aaaaa\x03bbb\x00", limits).is_ok());
    assert_eq!(decode(b"\x06", limits), Err(DecodeError::Word { length: 6, limit: 5 }), "refused before the word has come");
    assert_eq!(decode(b"\x05aaaaa\x04", limits), Err(DecodeError::Sentence { limit: 8 }));
    assert!(decode(b"\x01a\x01a\x01a\x00\x05aaaaa\x01a\x01a\x00", limits).is_ok(), "limits are per sentence");
    assert_eq!(decode(b"\x01a\x01a\x01a\x01", limits), Err(DecodeError::Words { limit: 3 }));
    let mut decoder = Decoder::new(limits);
    decoder.push(&[0xFF]);
    assert_eq!(decoder.poll(), Err(DecodeError::Reserved(0xFF)));
    decoder.push(&encoded(&["!re"]));
    assert_eq!(decoder.poll(), Err(DecodeError::Reserved(0xFF)), "there is no way back");
}

#[test]
fn a_file_of_the_largest_size_fits() {
    let contents = format!("=contents={}", "x".repeat(60_416));
    assert!(decode(&encoded(&["/file/set", "=.id=*1", &contents]), Limits::DEFAULT).is_ok());
}

#[test]
fn replies() {
    let reply = |words: &[&str]| Reply::try_from(&Sentence::new(words.iter().copied()));
    let Ok(Reply::Row(row)) = reply(&["!re", "=.id=*1", "=name=a=b", "=disabled=true", "=running=false", ".tag=1"]) else {
        panic!("a row")
    };
    assert_eq!((row.id(), row.text("name"), row.text("absent")), (Some("*1"), Some("a=b"), None));
    assert_eq!((row.flag("disabled"), row.flag("running"), row.flag("absent")), (true, false, false));
    let trap = Trap { category: Some(2), message: "interrupted".to_owned() };
    assert_eq!(reply(&["!trap", "=category=2", "=message=interrupted"]), Ok(Reply::Trap(trap)));
    let vague = Trap { category: None, message: "no reason given".to_owned() };
    assert_eq!(reply(&["!trap", "=category=many"]), Ok(Reply::Trap(vague)));
    assert_eq!(reply(&["!fatal", "not logged in"]), Ok(Reply::Fatal("not logged in".to_owned())));
    assert_eq!(reply(&["!empty"]), Ok(Reply::Empty));
    assert!(matches!(reply(&["!done", "=ret=*262"]), Ok(Reply::Done(row)) if row.text("ret") == Some("*262")));
    for words in [&[][..], &["!what"], &["re"], &["/login"]] {
        assert_eq!(reply(words), Err(ReplyError));
    }
    let hidden = format!("{:?}", reply(&["!re", "=name=anna", "=password=hunter2"]));
    assert!(hidden.contains("anna") && !hidden.contains("hunter2"), "{hidden}");
}

proptest! {
    #[test]
    fn sentences_survive_any_cut(
        sentences in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 1..6), 0..6),
        cuts in prop::collection::vec(1_usize..200, 1..20),
    ) {
        let sentences: Vec<_> = sentences.into_iter().map(Sentence::new).collect();
        let mut bytes = Vec::new();
        sentences.iter().for_each(|sentence| sentence.encode(&mut bytes));
        let mut decoder = Decoder::default();
        let mut found = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at((*cut).min(rest.len()));
            rest = later;
            decoder.push(piece);
            while let Some(sentence) = decoder.poll().expect("what we encoded") {
                found.push(sentence);
            }
        }
        prop_assert_eq!(found, sentences);
    }

    #[test]
    fn garbage_upsets_nothing(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let limits = Limits { word: 100, sentence: 300, words: 10 };
        if let Ok(sentences) = decode(&bytes, limits) {
            for sentence in sentences {
                prop_assert!(sentence.words().len() <= limits.words);
                prop_assert!(sentence.words().iter().map(Vec::len).sum::<usize>() <= limits.sentence);
                let _ = (Reply::try_from(&sentence), format!("{sentence:?}"), sentence.tag().is_some());
            }
        }
    }
}
