//! Tells a Rust file's code from its comments, its string literals and its tests, as far as the rules need it.
//!
//! This is no parser: it knows where text is only text, where brackets end, and which paths a file names.

use std::ops::Range;

/// A Rust file, taken apart.
#[derive(Debug)]
pub(super) struct Source {
    /// The file with comments and the inside of literals blanked; offsets and lines are the file's.
    pub(super) code: String,
    pub(super) literals: Vec<Literal>,
    /// Where `#[cfg(test)]` items stand.
    tests: Vec<Range<usize>>,
    /// Modules declared by `#[cfg(test)] mod NAME;`.
    pub(super) test_modules: Vec<String>,
}

/// A string literal as it is written, without its quotes.
#[derive(Debug, PartialEq)]
pub(super) struct Literal {
    pub(super) offset: usize,
    pub(super) text: String,
}

impl Source {
    pub(super) fn read(text: &str) -> Self {
        let (code, literals) = split(text);
        let (tests, test_modules) = test_items(&code);
        Self { code, literals, tests, test_modules }
    }

    /// Gives the line of an offset, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.code.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    pub(super) fn in_test(&self, offset: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&offset))
    }

    /// Finds a piece of code that stands for itself: its ends do not continue a name.
    pub(super) fn find_code(&self, piece: &str) -> Vec<usize> {
        whole(&self.code, piece)
    }

    /// Lists the attributes, from `#` to their closing bracket.
    pub(super) fn attributes(&self) -> Vec<(usize, &str)> {
        let starts = self.code.match_indices('#').map(|(offset, _)| offset);
        starts
            .filter_map(|start| {
                let open = start + 1 + usize::from(self.code[start + 1..].starts_with('!'));
                let range = self.code[open..].starts_with('[').then(|| open..closing(&self.code, open))?;
                Some((start, &self.code[range]))
            })
            .collect()
    }

    /// Lists every path that the code names, with trees of `use` written out; a name alone counts only behind `use`.
    pub(super) fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let tokens = tokens(&self.code);
        let mut found = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            at = if tokens[at].is_name() && tokens[at].text != "use" { read_path(&tokens, at, &[], &mut found) } else { at + 1 };
        }
        found
    }
}

/// Finds `piece` where it is not part of a longer name.
pub(super) fn whole(text: &str, piece: &str) -> Vec<usize> {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(piece)
        .filter(|(offset, _)| {
            let before = piece.starts_with(name) && text[..*offset].ends_with(name);
            let after = piece.ends_with(name) && text[offset + piece.len()..].starts_with(name);
            !before && !after
        })
        .map(|(offset, _)| offset)
        .collect()
}

/// Blanks comments and the inside of literals, and collects the string literals.
fn split(text: &str) -> (String, Vec<Literal>) {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut literals = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = if rest.starts_with("//") {
            at + rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            at + comment_len(rest)
        } else if let Some((quote, hashes)) = string_start(text, at) {
            let open = at + quote;
            let close = open + string_len(&text[open..], hashes);
            literals.push(Literal { offset: open, text: text[open..close].to_owned() });
            (close + 1 + hashes.unwrap_or(0)).min(bytes.len())
        } else if let Some(length) = char_len(rest) {
            at + length
        } else {
            at + rest.chars().next().map_or(1, char::len_utf8)
        };
        let kept = end - at == 1;
        code.extend(bytes[at..end].iter().map(|byte| if kept || *byte == b'\n' { *byte } else { b' ' }));
        at = end;
    }
    (String::from_utf8(code).expect("every character is kept whole or blanked whole"), literals)
}

/// Measures a block comment, which may hold others.
fn comment_len(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let (step, change) = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += change;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Tells whether a string literal starts here: how many bytes its opening takes, and its hashes if it is raw.
fn string_start(text: &str, at: usize) -> Option<(usize, Option<usize>)> {
    let rest = &text[at..];
    if rest.starts_with('"') {
        return Some((1, None));
    }
    if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r')).filter(|length| (1..=2).contains(length))?;
    let hashes = rest[prefix..].bytes().take_while(|byte| *byte == b'#').count();
    let raw = rest[..prefix].ends_with('r');
    (rest[prefix + hashes..].starts_with('"') && (raw || hashes == 0)).then_some((prefix + hashes + 1, raw.then_some(hashes)))
}

/// Measures the inside of a string literal, up to its closing quote.
fn string_len(rest: &str, hashes: Option<usize>) -> usize {
    if let Some(hashes) = hashes {
        return rest.find(&format!("\"{}", "#".repeat(hashes))).unwrap_or(rest.len());
    }
    let mut escaped = false;
    rest.find(|c| {
        let end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        end
    })
    .unwrap_or(rest.len())
}

/// Measures a character literal; a lifetime is none.
fn char_len(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if let Some(escape) = inside.strip_prefix('\\') {
        // The character after the backslash may itself be a quote.
        let after = escape.chars().next()?.len_utf8();
        return escape[after..].find('\'').map(|end| 2 + after + end + 1);
    }
    let length = inside.chars().next()?.len_utf8();
    inside[length..].starts_with('\'').then_some(length + 2)
}

/// Finds the items under `#[cfg(test)]`, and the names of those that are modules in files of their own.
fn test_items(code: &str) -> (Vec<Range<usize>>, Vec<String>) {
    let mut ranges = Vec::new();
    let mut modules = Vec::new();
    for (start, attribute) in code.match_indices("#[cfg(test)]") {
        let after = start + attribute.len();
        let Some(stop) = code[after..].find(['{', ';']).map(|offset| after + offset) else { continue };
        if code[stop..].starts_with('{') {
            ranges.push(start..closing(code, stop));
        } else {
            ranges.push(start..stop);
            let words: Vec<&str> = code[after..stop].split_whitespace().collect();
            if let [.., "mod", name] = words[..] {
                modules.push(name.to_owned());
            }
        }
    }
    (ranges, modules)
}

/// Gives the offset behind the bracket that closes the one at `open`.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return offset + 1;
        }
    }
    code.len()
}

/// A name, `::`, or any other single character.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    offset: usize,
    text: &'a str,
}

impl Token<'_> {
    fn is_name(self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push(Token { offset: at, text: &rest[..length] });
        }
        at += length;
    }
    tokens
}

/// Reads the path that starts at token `at` below `prefix`, and gives the token behind it.
fn read_path(tokens: &[Token<'_>], mut at: usize, prefix: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let text = |index: usize| tokens.get(index).map_or("", |token: &Token<'_>| token.text);
    let offset = tokens[at].offset;
    let imported = at > 0 && text(at - 1) == "use";
    let mut parts = prefix.to_vec();
    loop {
        parts.push(text(at).to_owned());
        if text(at + 1) != "::" {
            break;
        }
        at += 2;
        if text(at) == "{" {
            at += 1;
            while at < tokens.len() && text(at) != "}" {
                at = if tokens[at].is_name() || text(at) == "*" { read_path(tokens, at, &parts, found) } else { at + 1 };
            }
            return at + 1;
        }
        if text(at) != "*" && !tokens.get(at).is_some_and(|token| token.is_name()) {
            // A list of types (`::<`) ends the path.
            found.push((offset, parts));
            return at;
        }
    }
    if imported || parts.len() > 1 {
        found.push((offset, parts));
    }
    // The new name of `path as name` is no path of its own.
    at + if text(at + 1) == "as" { 3 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn code(text: &str) -> String {
        let source = Source::read(text);
        assert_eq!(source.code.len(), text.len(), "offsets stay");
        source.code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn literals(text: &str) -> Vec<String> {
        Source::read(text).literals.into_iter().map(|literal| literal.text).collect()
    }

    fn paths(text: &str) -> Vec<String> {
        Source::read(text).paths().into_iter().map(|(_, parts)| parts.join("::")).collect()
    }

    #[test]
    fn comments_are_no_code() {
        assert_eq!(code("a // b\nc /* d /* e */ f\n */ g"), "a c g");
        assert_eq!(code("let é = 'é'; // ü"), "let = ;");
    }

    #[test]
    fn literals_of_every_form_are_found() {
        assert_eq!(literals(r##"f("a\"b", r"c\", r#"d"e"#, b"g", br"h", c"i")"##), [r#"a\"b"#, r"c\", r#"d"e"#, "g", "h", "i"]);
        assert_eq!(
            literals("let r = '\"'; let b = b'\"'; let s: &'static str = \"x\"; let q = '\\''; let u = '\\u{1F4A1}';"),
            ["x"]
        );
        assert_eq!(literals(r#"var"a""#), ["a"], "a name that ends in r starts no raw string");
        assert_eq!(code(r##"f("a", 'b', r#"c"#)"##), "f( , , )");
    }

    #[test]
    fn lines_are_counted_across_literals() {
        let source = Source::read("one\n\"two\nthree\"\nfour");
        assert_eq!(source.line(source.find_code("four")[0]), 4);
        assert_eq!(source.line(source.literals[0].offset), 2);
    }

    #[test]
    fn tests_are_known() {
        let text = "use a;\n#[cfg(test)]\n#[path = \"x\"]\nmod golden;\n#[cfg(test)]\nmod tests {\n fn f() { \"}\"; b }\n}\nc";
        let source = Source::read(text);
        assert_eq!(source.test_modules, ["golden"]);
        assert!(source.in_test(source.find_code("b")[0]));
        assert!(!source.in_test(source.find_code("a")[0]));
        assert!(!source.in_test(source.find_code("c")[0]));
    }

    #[test]
    fn attributes_end_where_their_bracket_ends() {
        let source = Source::read("#![allow(a)]\n#[cfg_attr(b, expect(c, reason = \"]\"))]\nfn f() { let x = [1]; }\nmacro!(#x)");
        let found: Vec<&str> =
            source.attributes().into_iter().map(|(_, text)| text.split_whitespace().next().expect("text")).collect();
        assert_eq!(found, ["[allow(a)]", "[cfg_attr(b,"]);
    }

    #[test]
    fn names_are_whole() {
        let source = Source::read("PgPool PgPoolOptions MyPgPool a.todo!() todo!()");
        assert_eq!(source.find_code("PgPool").len(), 1);
        assert_eq!(source.find_code("todo!").len(), 2);
    }

    #[test]
    fn paths_are_written_out() {
        let text = "use a::{b, c::{self, d as e}, f::*};\nfn g(x: h::I) -> j::K { l(m::n::<o::P>()); q.r(); crate::s::t(u) }";
        assert_eq!(
            paths(text),
            ["a::b", "a::c::self", "a::c::d", "a::f::*", "h::I", "j::K", "m::n", "o::P", "crate::s::t"],
            "one name alone is no path"
        );
        assert_eq!(paths("use tokio as runtime; use ::axum::Router;"), ["tokio", "axum::Router"]);
    }
}
