//! Walks over the bytes of a text: positions, blanks, continued lines, quotes.

use super::{DEPTH_MAX, Fault, ReadError};

/// A place in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
    line_began: usize,
}

/// A value as it stands in a text.
pub(super) enum Value {
    /// The bytes that it means.
    Is(Vec<u8>),
    /// Something that has to be run first.
    Computed,
}

pub(super) const fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

const fn is_control(byte: u8) -> bool {
    (byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7f
}

impl<'t> Cursor<'t> {
    pub(super) const fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, line: 1, line_began: 0 }
    }

    pub(super) fn fault(&self, fault: Fault) -> ReadError {
        // Texts are shorter than 4 GB.
        let column = u32::try_from(self.at - self.line_began).unwrap_or(u32::MAX).saturating_add(1);
        ReadError { line: self.line, column, fault }
    }

    pub(super) const fn line(&self) -> u32 {
        self.line
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn second(&self) -> Option<u8> {
        self.text.get(self.at + 1).copied()
    }

    pub(super) fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
            self.line_began = self.at;
        }
        Some(byte)
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.bump();
        }
        here
    }

    /// Takes a continued line's `\`, its end and the blanks that the next line begins with.
    fn eat_continuation(&mut self) -> Result<bool, ReadError> {
        let rest = &self.text[self.at..];
        let ends = [b"\\\n".as_slice(), b"\\\r\n"].into_iter().find(|end| rest.starts_with(end));
        let Some(end) = ends else { return Ok(false) };
        for _ in end {
            self.bump();
        }
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.bump();
        }
        if self.peek().is_none() { Err(self.fault(Fault::Truncated)) } else { Ok(true) }
    }

    /// Skips blanks and continued lines.
    pub(super) fn skip_blanks(&mut self) -> Result<(), ReadError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => {
                    self.bump();
                }
                Some(b'\\') if self.eat_continuation()? => {}
                _ => return Ok(()),
            }
        }
    }

    /// Skips what may stand between two commands.
    pub(super) fn skip_separators(&mut self) -> Result<(), ReadError> {
        loop {
            self.skip_blanks()?;
            if !self.eat(b'\n') && !self.eat(b';') {
                return Ok(());
            }
        }
    }

    pub(super) fn at_end(&self) -> bool {
        matches!(self.peek(), None | Some(b'\n' | b';'))
    }

    /// Takes the rest of the line, without its end.
    pub(super) fn rest_of_line(&mut self) -> Result<&'t [u8], ReadError> {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or(self.fault(Fault::Truncated))?;
        self.at += length;
        Ok(rest[..length].trim_ascii())
    }

    /// Takes a name, which goes on over the end of a continued line.
    pub(super) fn name(&mut self) -> Result<String, ReadError> {
        let mut name = String::new();
        loop {
            match self.peek() {
                Some(byte) if in_name(byte) => {
                    name.push(char::from(byte));
                    self.bump();
                }
                Some(b'\\') if !name.is_empty() && self.eat_continuation()? => {}
                _ => return Ok(name),
            }
        }
    }

    /// Takes a value, with or without quotes.
    pub(super) fn value(&mut self) -> Result<Value, ReadError> {
        if self.peek() == Some(b'"') {
            return self.quoted();
        }
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b']') => return Ok(Value::Is(bytes)),
                Some(b'\\') => {
                    if !self.eat_continuation()? {
                        return Err(self.fault(Fault::Escape));
                    }
                }
                Some(b'$' | b'(' | b'[' | b'{') => return Ok(Value::Computed),
                Some(b'"' | b')' | b'}') => return Err(self.fault(Fault::Unexpected)),
                Some(byte) if is_control(byte) => return Err(self.fault(Fault::NotText)),
                Some(byte) => {
                    bytes.push(byte);
                    self.bump();
                }
            }
        }
    }

    fn quoted(&mut self) -> Result<Value, ReadError> {
        self.bump();
        let mut bytes = Vec::new();
        loop {
            match self.peek().ok_or(self.fault(Fault::Truncated))? {
                b'"' => {
                    self.bump();
                    let ended = matches!(self.peek(), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b']' | b'\\'));
                    return if ended { Ok(Value::Is(bytes)) } else { Err(self.fault(Fault::Unexpected)) };
                }
                b'\\' => {
                    if !self.eat_continuation()? {
                        bytes.push(self.escape()?);
                    }
                }
                b'$' if self.second().is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, b'(' | b'[' | b'{')) => {
                    return Ok(Value::Computed);
                }
                byte if is_control(byte) => return Err(self.fault(Fault::NotText)),
                byte => {
                    bytes.push(byte);
                    self.bump();
                }
            }
        }
    }

    /// Takes an escape and gives the byte it means (manual, "Scripting", "Constant escape sequences").
    fn escape(&mut self) -> Result<u8, ReadError> {
        let wrong = self.fault(Fault::Escape);
        let cut = self.fault(Fault::Truncated);
        self.bump();
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F').then(|| char::from(byte).to_digit(16)).flatten();
        Ok(match self.bump().ok_or_else(|| cut.clone())? {
            byte @ (b'"' | b'\\' | b'$' | b'?') => byte,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'_' => b' ',
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'v' => 0x0b,
            high => {
                let high = hex(high).ok_or_else(|| wrong.clone())?;
                let low = hex(self.bump().ok_or(cut)?).ok_or(wrong)?;
                u8::try_from(high << 4 | low).expect("two digits of sixteen")
            }
        })
    }

    /// Skips a command whatever it is: to the end of its line, or of the line on which its last bracket closes.
    pub(super) fn skip_command(&mut self) -> Result<(), ReadError> {
        let mut open = 0_usize;
        let mut quoted = false;
        loop {
            let byte = self.peek().ok_or(self.fault(Fault::Truncated))?;
            match byte {
                b'\n' | b';' if open == 0 && !quoted => return Ok(()),
                b'\\' => {
                    self.bump();
                    self.eat(b'\r');
                }
                b'"' => quoted = !quoted,
                b'{' | b'[' | b'(' if !quoted => open += 1,
                b'}' | b']' | b')' if !quoted => open = open.saturating_sub(1),
                byte if is_control(byte) => return Err(self.fault(Fault::NotText)),
                _ => {}
            }
            if open > DEPTH_MAX {
                return Err(self.fault(Fault::TooDeep));
            }
            self.bump().ok_or(self.fault(Fault::Truncated))?;
        }
    }
}
