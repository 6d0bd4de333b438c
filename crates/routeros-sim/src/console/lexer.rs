//! Walks over the text of a script: positions, blanks, words and escapes.
//!
//! What a character means depends on where it stands, so the parser asks for what it expects instead of receiving tokens.

use super::failure::{Failure, Position};

/// The longest script that is read, in bytes.
pub(super) const TEXT_MAX: usize = 1 << 20;

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    at: Position,
}

/// Letters, digits and the rest of a name in a menu.
pub(super) const fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// What ends a word without quotes anywhere.
pub(super) const fn ends_word(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, ';' | '"' | '$' | '(' | ')' | '[' | ']' | '{' | '}' | '=')
}

impl<'t> Cursor<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, offset: 0, at: Position { line: 1, column: 1 } }
    }

    pub(super) const fn at(&self) -> Position {
        self.at
    }

    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    /// The text between two offsets this cursor was at.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'t str {
        &self.text[from..to]
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.offset..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.offset += c.len_utf8();
        if c == '\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    /// Takes `text` if it stands here.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let here = self.rest().starts_with(text);
        if here {
            for _ in text.chars() {
                self.bump();
            }
        }
        here
    }

    /// Takes characters while they fit.
    pub(super) fn take(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let from = self.offset;
        while self.peek().is_some_and(&fits) {
            self.bump();
        }
        self.slice(from, self.offset)
    }

    /// The word of such characters that stands here, without taking it.
    pub(super) fn look(&self, fits: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        rest.find(|c| !fits(c)).map_or(rest, |end| &rest[..end])
    }

    /// Skips spaces and line continuations.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            self.take(|c| matches!(c, ' ' | '\t'));
            if !self.eat("\\\n") {
                return;
            }
        }
    }

    /// Skips what may stand between two commands: blanks, `;`, comments, and ends of lines where `lines` says so.
    pub(super) fn skip_separators(&mut self, lines: bool) {
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(';') => {
                    self.bump();
                }
                Some('\n') if lines => {
                    self.bump();
                }
                Some('#') if lines => {
                    self.take(|c| c != '\n');
                }
                _ => return,
            }
        }
    }

    /// Whether a command ends here.
    pub(super) fn at_end_of_command(&self) -> bool {
        matches!(self.peek(), None | Some('\n' | ';' | '}' | ']' | ')'))
    }

    /// A word without quotes, up to what `ends` it; a continued line goes on with the next line's first word.
    pub(super) fn word(&mut self, ends: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| !ends(*c)) {
            if self.eat("\\\n") {
                self.take(|c| matches!(c, ' ' | '\t'));
                continue;
            }
            word.push(c);
            self.bump();
        }
        word
    }

    /// The character that an escape means; stands behind the backslash. `None` when the escape joins two lines.
    pub(super) fn escape(&mut self) -> Result<Option<char>, Failure> {
        let at = self.at;
        let syntax = || Failure::syntax(at, "syntax error");
        Ok(Some(match self.bump().ok_or_else(syntax)? {
            c @ ('"' | '\\' | '$' | '?') => c,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '_' => ' ',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            '\n' => {
                self.take(|c| matches!(c, ' ' | '\t'));
                return Ok(None);
            }
            high if high.is_ascii_digit() || ('A'..='F').contains(&high) => {
                let low = self.bump().filter(|c| c.is_ascii_digit() || ('A'..='F').contains(c)).ok_or_else(syntax)?;
                let byte = u8::from_str_radix(&format!("{high}{low}"), 16).map_err(|_| syntax())?;
                if !byte.is_ascii() {
                    return Err(Failure::syntax(at, "not supported by the simulator: bytes above \\7F"));
                }
                char::from(byte)
            }
            _ => return Err(syntax()),
        }))
    }
}

/// What is still open in a text that is typed line by line.
#[derive(Debug, Default)]
pub(super) struct Brackets {
    open: Vec<char>,
    continued: bool,
    /// Whether a `#` here would begin a comment.
    inside_command: bool,
}

impl Brackets {
    /// Reads one more line, without its end, and says whether the next line belongs to it.
    pub(super) fn goes_on_after(&mut self, line: &str) -> bool {
        let mut chars = line.chars().peekable();
        if !self.continued {
            self.inside_command &= self.open.last() == Some(&'"');
        }
        self.continued = false;
        while let Some(c) = chars.next() {
            let quoted = self.open.last() == Some(&'"');
            match c {
                '\\' => self.continued = chars.next().is_none(),
                '"' if quoted => {
                    self.open.pop();
                }
                '$' if quoted => self.open.extend(chars.next_if(|c| matches!(c, '(' | '['))),
                _ if quoted => {}
                '#' if !self.inside_command => break,
                '"' | '(' | '[' | '{' => self.open.push(c),
                ')' | ']' | '}' => self.close(c),
                _ => {}
            }
            self.inside_command = !matches!(c, ';' | '{') && (self.inside_command || !c.is_ascii_whitespace());
        }
        self.continued || !self.open.is_empty()
    }

    /// A bracket that closes nothing is left to the parser, which says where it stands.
    fn close(&mut self, bracket: char) {
        if !matches!((self.open.pop(), bracket), (Some('('), ')') | (Some('['), ']') | (Some('{'), '}')) {
            self.open.clear();
        }
    }
}
