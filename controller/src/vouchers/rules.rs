//! What a code is. Pure.

use super::NewBatch;
use crate::customers;
use jiff::Timestamp;
use model::{Entropy, Secret};
use std::collections::{BTreeSet, HashSet};
use std::ops::RangeInclusive;

/// Codes of one batch.
const SIZES: RangeInclusive<usize> = 1..=10_000;
/// Characters of a drawn code: 8 of 31 are 39 bits, of which a large ISP's stock is one in a million.
const DRAWN_LENGTHS: RangeInclusive<u8> = 8..=10;
/// Characters of a code that others printed.
const GIVEN_LENGTHS: RangeInclusive<usize> = 6..=32;

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

/// The codes that a batch is to have.
#[derive(Debug)]
pub(super) enum Wanted {
    Drawn { count: usize, length: usize },
    Given(Vec<Secret<String>>),
}

impl Wanted {
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Drawn { count, .. } => *count,
            Self::Given(codes) => codes.len(),
        }
    }
}

/// Checks a new batch.
pub(super) fn wanted(new: &NewBatch, now: Timestamp) -> Result<Wanted, Fault> {
    if new.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(("expires_at", "choose a time to come"));
    }
    match (new.count, &new.codes) {
        (Some(count), None) => {
            let length = new.length.unwrap_or(*DRAWN_LENGTHS.start());
            if !SIZES.contains(&usize::from(count)) {
                return Err(("count", "choose 1 to 10000 codes"));
            }
            if !DRAWN_LENGTHS.contains(&length) {
                return Err(("length", "choose 8 to 10 characters"));
            }
            Ok(Wanted::Drawn { count: count.into(), length: length.into() })
        }
        (None, Some(codes)) => given(codes).map(Wanted::Given),
        _ => Err(("count", "give either a count or the codes that are printed already")),
    }
}

fn given(codes: &[Secret<String>]) -> Result<Vec<Secret<String>>, Fault> {
    if !SIZES.contains(&codes.len()) {
        return Err(("codes", "give 1 to 10000 codes"));
    }
    let read: Option<Vec<_>> = codes.iter().map(|code| normalised(code.expose())).collect();
    let read = read.ok_or(("codes", "each code has 6 to 32 letters and digits; spaces and dashes do not count"))?;
    let different: HashSet<&str> = read.iter().map(|code| code.expose().as_str()).collect();
    if different.len() == read.len() { Ok(read) } else { Err(("codes", "the list has a code twice")) }
}

/// Brings a typed code into the form that is stored: capitals and digits, nothing between them.
pub(super) fn normalised(typed: &str) -> Option<Secret<String>> {
    if typed.len() > 2 * GIVEN_LENGTHS.end() {
        return None;
    }
    let code: String = typed.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect();
    let good = GIVEN_LENGTHS.contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    good.then(|| Secret::new(code))
}

/// Returns the last three characters, by which people tell vouchers apart.
pub(super) fn tail(code: &Secret<String>) -> &str {
    let code = code.expose();
    &code[code.len() - 3..]
}

/// Draws codes, all different, of characters that are not taken for each other.
pub(super) fn draw(count: usize, length: usize, entropy: &dyn Entropy) -> Vec<Secret<String>> {
    let mut drawn = BTreeSet::new();
    while drawn.len() < count {
        drawn.insert(customers::readable(length, entropy).to_ascii_uppercase());
    }
    drawn.into_iter().map(Secret::new).collect()
}

/// Says whether a text is a reason.
pub(super) fn is_reason(reason: &str) -> bool {
    (1..=200).contains(&reason.chars().count()) && !reason.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SeededEntropy;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for typed in ["7KPX2MQA", "7kpx2mqa", " 7kpx-2mqa ", "7K PX-2M QA"] {
            assert_eq!(normalised(typed).expect("a code").expose(), "7KPX2MQA", "{typed}");
        }
        for typed in ["", "ABCDE", "abc_def", "ÄBCDEFG", "-- --", &"A".repeat(33), &" ".repeat(100)] {
            assert!(normalised(typed).is_none(), "{typed}");
        }
    }

    #[test]
    fn drawn_codes_are_different_and_readable() {
        let codes = draw(10_000, 8, &SeededEntropy::new(5));
        let texts: HashSet<&str> = codes.iter().map(|code| code.expose().as_str()).collect();
        assert_eq!(texts.len(), 10_000);
        assert!(texts.iter().all(|code| code.len() == 8 && !code.contains(['0', 'O', '1', 'I', 'L'])));
        assert!(codes.iter().all(|code| normalised(code.expose()).as_ref() == Some(code)), "stored as drawn");
        assert_eq!(tail(&Secret::new("7KPX2MQA".to_owned())), "MQA");
    }

    #[test]
    fn a_batch_is_drawn_or_given() {
        let package = model::PackageId::from_uuid(uuid::Uuid::nil());
        let new = |count, codes: Option<&[&str]>| NewBatch {
            package,
            count,
            length: None,
            codes: codes.map(|codes| codes.iter().map(|code| Secret::new((*code).to_owned())).collect()),
            router: None,
            expires_at: None,
        };
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(wanted(&new(Some(10), None), now).expect("drawn").size(), 10);
        assert_eq!(wanted(&new(None, Some(&["ABCDEF", "ABCDEG"])), now).expect("given").size(), 2);
        let fault = |new: NewBatch| wanted(&new, now).expect_err("refused").0;
        assert_eq!(fault(new(None, None)), "count");
        assert_eq!(fault(new(Some(1), Some(&["ABCDEF"]))), "count");
        assert_eq!(fault(new(Some(10_001), None)), "count");
        assert_eq!(fault(new(None, Some(&[]))), "codes");
        assert_eq!(fault(new(None, Some(&["ABCDEF", "abc-def"]))), "codes");
        assert_eq!(fault(NewBatch { length: Some(7), ..new(Some(1), None) }), "length");
        assert_eq!(fault(NewBatch { expires_at: Some(now), ..new(Some(1), None) }), "expires_at");
    }
}
