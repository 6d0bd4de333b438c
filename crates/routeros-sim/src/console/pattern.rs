//! The `~` operator: a subset of the regular expressions that RouterOS knows.
//!
//! Supported: `^`, `$`, `.`, `[abc]`, `[^a-z]`, `*`, `+`, `?` behind one character, `|` between whole patterns, `\` before a
//! sign that is meant itself. Groups and counts are refused. Time is linear in the text, whatever the pattern.

use super::host::ScriptError;

#[derive(Debug)]
enum Atom {
    Any,
    One(char),
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl Atom {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => *one == c,
            Self::Set { negated, ranges } => *negated != ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)),
        }
    }
}

/// An atom with how often it may stand.
#[derive(Debug)]
struct Part {
    atom: Atom,
    skippable: bool,
    repeats: bool,
}

/// Whether `pattern` matches somewhere in `text`.
pub(super) fn matches(text: &str, pattern: &str) -> Result<bool, ScriptError> {
    let mut found = false;
    for branch in split(pattern) {
        found |= branch_matches(text, branch)?;
    }
    Ok(found)
}

/// The patterns between the `|` that are not in a set or escaped.
fn split(pattern: &str) -> Vec<&str> {
    let (mut branches, mut from) = (Vec::new(), 0);
    let (mut escaped, mut in_set) = (false, false);
    for (index, c) in pattern.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_set = true,
            ']' => in_set = false,
            '|' if !in_set => {
                branches.push(&pattern[from..index]);
                from = index + 1;
            }
            _ => {}
        }
    }
    branches.push(&pattern[from..]);
    branches
}

fn branch_matches(text: &str, branch: &str) -> Result<bool, ScriptError> {
    let (anchored, branch) = branch.strip_prefix('^').map_or((false, branch), |rest| (true, rest));
    let ends = branch.ends_with('$') && !branch.ends_with("\\$");
    let parts = parse(if ends { &branch[..branch.len() - 1] } else { branch })?;
    // `states[n]`: the first n parts have matched up to here.
    let mut states = vec![false; parts.len() + 1];
    states[0] = true;
    skip(&parts, &mut states);
    let mut found = states[parts.len()];
    for c in text.chars() {
        if found && !ends {
            return Ok(true);
        }
        let mut next = vec![false; parts.len() + 1];
        next[0] = !anchored;
        for (index, part) in parts.iter().enumerate() {
            if part.atom.fits(c) {
                next[index + 1] |= states[index];
                next[index + 1] |= states[index + 1] && part.repeats;
            }
        }
        skip(&parts, &mut next);
        states = next;
        found = states[parts.len()];
    }
    Ok(found)
}

fn skip(parts: &[Part], states: &mut [bool]) {
    for (index, part) in parts.iter().enumerate() {
        states[index + 1] |= states[index] && part.skippable;
    }
}

fn parse(pattern: &str) -> Result<Vec<Part>, ScriptError> {
    let broken = || ScriptError::from("invalid regular expression");
    let mut parts: Vec<Part> = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let atom = match c {
            '(' | ')' | '{' | '}' | '^' | '$' => {
                return Err(ScriptError(format!("not supported by the simulator: {c} within a regular expression")));
            }
            '*' | '+' | '?' => {
                let part = parts.last_mut().ok_or_else(broken)?;
                part.skippable |= c != '+';
                part.repeats |= c != '?';
                continue;
            }
            '.' => Atom::Any,
            '[' => set(&mut chars).ok_or_else(broken)?,
            '\\' => Atom::One(chars.next().filter(|c| !c.is_alphanumeric()).ok_or_else(broken)?),
            c => Atom::One(c),
        };
        parts.push(Part { atom, skippable: false, repeats: false });
    }
    Ok(parts)
}

/// A set, behind its bracket; a `]` that comes first is meant itself.
fn set(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Atom> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let from = chars.next()?;
        if from == ']' && !ranges.is_empty() {
            return Some(Atom::Set { negated, ranges });
        }
        let mut ahead = chars.clone();
        let to = if ahead.next() == Some('-') && ahead.peek().is_some_and(|to| *to != ']') {
            chars.next();
            chars.next()?
        } else {
            from
        };
        ranges.push((from, to));
    }
}
