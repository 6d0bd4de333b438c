//! Parses values: words, texts, variables, arrays, expressions in parentheses and conditions on rows.

use super::Value;
use super::failure::Failure;
use super::lexer::{ends_word, in_name};
use super::parser::{Parser, Word};
use super::program::{Binary, Op, RELATION, Unary};

/// What a word without quotes means in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// A literal.
    Literals,
    /// The property of the row at hand: the left side of a comparison in a condition, or a condition by itself.
    Properties,
    /// A literal with all that an argument may hold: behind `<`, `>` or `~` in a condition.
    Arguments,
    /// The same behind `=` or `!=`, but text unless it is a bool, so that `007` is not 7.
    Texts,
}

const SYMBOLS: [(&str, Binary); 17] = [
    ("->", Binary::Element),
    ("||", Binary::Or),
    ("&&", Binary::And),
    ("!=", Binary::Unequal),
    ("<=", Binary::LessEqual),
    (">=", Binary::GreaterEqual),
    ("=", Binary::Equal),
    ("<", Binary::Less),
    (">", Binary::Greater),
    ("~", Binary::Match),
    (",", Binary::Append),
    (".", Binary::Concat),
    ("+", Binary::Add),
    ("-", Binary::Subtract),
    ("*", Binary::Multiply),
    ("/", Binary::Divide),
    ("%", Binary::Modulo),
];

impl Parser<'_, '_> {
    /// One value among the arguments of a command.
    pub(super) fn value(&mut self, words: Word) -> Result<(), Failure> {
        match self.cursor.peek() {
            Some('{') if words == Word::Text => {
                let code = self.code()?;
                self.emit(Op::Push(code.into()));
            }
            Some('"' | '$' | '(' | '[' | '{') => self.bracketed(Words::Literals)?,
            _ => {
                let word = self.cursor.word(ends_word);
                self.emit(Op::Push(if words == Word::Literal && !word.is_empty() { Value::literal(&word) } else { word.into() }));
            }
        }
        if self.cursor.at_end_of_command()
            || matches!(self.cursor.peek(), Some(' ' | '\t'))
            || self.cursor.rest().starts_with("\\\n")
        {
            Ok(())
        } else {
            self.fail("expected end of command")
        }
    }

    /// A value that begins with a sign of its own.
    fn bracketed(&mut self, words: Words) -> Result<(), Failure> {
        match self.cursor.bump() {
            Some('"') => self.text(),
            Some('$') => {
                let name = self.variable_name()?;
                self.emit(Op::Load(name));
                Ok(())
            }
            Some('(') => {
                self.nested(|parser| parser.expression(0, words))?;
                self.expect(")")
            }
            Some('[') => self.nested(Self::substitution),
            Some('{') => self.nested(Self::array),
            _ => self.fail("syntax error"),
        }
    }

    /// The name of a variable: letters and digits, anything in quotes.
    pub(super) fn variable_name(&mut self) -> Result<String, Failure> {
        let name = if self.cursor.eat("\"") {
            let name = self.cursor.take(|c| !matches!(c, '"' | '\n' | '\\' | '$')).to_owned();
            if !self.cursor.eat("\"") {
                return self.fail("syntax error");
            }
            name
        } else {
            self.cursor.take(|c| c.is_ascii_alphanumeric()).to_owned()
        };
        if name.is_empty() { self.fail("expected variable name") } else { Ok(name) }
    }

    /// A text, behind its first quote.
    fn text(&mut self) -> Result<(), Failure> {
        let start = self.here();
        let mut pieces = 0;
        let mut text = String::new();
        loop {
            match self.cursor.bump() {
                None => return self.fail("syntax error"),
                Some('"') => break,
                Some('\\') => text.extend(self.cursor.escape()?),
                Some('$') => {
                    self.emit(Op::Push(std::mem::take(&mut text).into()));
                    match self.cursor.peek() {
                        Some('(' | '[') => self.bracketed(Words::Literals)?,
                        _ => {
                            let name = self.variable_name()?;
                            self.emit(Op::Load(name));
                        }
                    }
                    pieces += 2;
                }
                Some(c) => text.push(c),
            }
        }
        self.emit(Op::Push(text.into()));
        if self.here() > start + 1 {
            self.emit(Op::Join(pieces + 1));
        }
        Ok(())
    }

    /// An array, behind its brace. An end of line within breaks it, as on RouterOS.
    fn array(&mut self) -> Result<(), Failure> {
        let mut keys = Vec::new();
        loop {
            self.cursor.skip_blanks();
            if self.cursor.eat("}") {
                break;
            }
            self.element()?;
            let key = if self.cursor.eat("=") {
                let Some(Op::Push(key)) = self.retract() else { return self.fail("syntax error") };
                self.element()?;
                Some(key.text())
            } else {
                None
            };
            keys.push(key);
            self.cursor.skip_blanks();
            if !self.cursor.eat(";") && self.cursor.peek() != Some('}') {
                return self.fail("syntax error");
            }
        }
        self.emit(Op::Array(keys));
        Ok(())
    }

    fn element(&mut self) -> Result<(), Failure> {
        if let Some('"' | '$' | '(' | '[' | '{') = self.cursor.peek() {
            return self.bracketed(Words::Literals);
        }
        let word = self.cursor.word(ends_word);
        if word.is_empty() {
            return self.fail("syntax error");
        }
        self.emit(Op::Push(Value::literal(&word)));
        Ok(())
    }

    /// The condition of `find` and `print where`: comparisons that all must hold.
    pub(super) fn condition(&mut self) -> Result<(), Failure> {
        self.expression(0, Words::Properties)?;
        loop {
            self.cursor.skip_blanks();
            if self.cursor.at_end_of_command() {
                return Ok(());
            }
            self.expression(0, Words::Properties)?;
            self.emit(Op::Binary(Binary::And));
        }
    }

    /// An expression of operators that bind tighter than `strength`.
    fn expression(&mut self, strength: u8, words: Words) -> Result<(), Failure> {
        self.operand(words)?;
        loop {
            self.cursor.skip_blanks();
            let Some((symbol, operator)) = self.operator() else { return Ok(()) };
            if operator.strength() <= strength {
                return Ok(());
            }
            self.cursor.eat(symbol);
            let right = match (words, operator) {
                (Words::Properties, Binary::Equal | Binary::Unequal) => Words::Texts,
                (Words::Properties, _) if operator.strength() >= RELATION => Words::Arguments,
                _ => words,
            };
            self.nested(|parser| parser.expression(operator.strength(), right))?;
            self.emit(Op::Binary(operator));
        }
    }

    /// The operator that stands here.
    fn operator(&self) -> Option<(&'static str, Binary)> {
        match self.cursor.look(in_name) {
            "and" => return Some(("and", Binary::And)),
            "or" => return Some(("or", Binary::Or)),
            _ => {}
        }
        SYMBOLS.iter().find(|(symbol, _)| self.cursor.rest().starts_with(symbol)).copied()
    }

    fn operand(&mut self, words: Words) -> Result<(), Failure> {
        self.cursor.skip_blanks();
        let negated = self.cursor.look(in_name) == "not" && self.cursor.eat("not");
        if negated || self.cursor.eat("!") {
            self.nested(|parser| parser.operand(words))?;
            self.emit(Op::Unary(Unary::Not));
            return Ok(());
        }
        match self.cursor.peek() {
            Some('(') if words != Words::Properties => self.bracketed(Words::Literals),
            Some('"' | '$' | '(' | '[' | '{') => self.bracketed(words),
            Some('-') => {
                self.cursor.bump();
                self.nested(|parser| parser.operand(words))?;
                self.emit(Op::Unary(Unary::Negate));
                Ok(())
            }
            _ => self.operand_word(words),
        }
    }

    fn operand_word(&mut self, words: Words) -> Result<(), Failure> {
        let op = match words {
            Words::Properties => {
                let dot = if self.cursor.eat(".") { "." } else { "" };
                Op::Property(format!("{dot}{}", self.cursor.take(in_name)))
            }
            Words::Arguments | Words::Texts => {
                let ends = |c| ends_word(c) || matches!(c, '<' | '>' | '~' | '!' | '&' | '|' | ',');
                let word = self.cursor.word(ends);
                Op::Push(match Value::literal(&word) {
                    literal if words == Words::Arguments || matches!(literal, Value::Bool(_)) => literal,
                    _ => word.into(),
                })
            }
            Words::Literals => {
                let word = self.number_or_name();
                let value = Value::literal(&word);
                if matches!(value, Value::Str(_)) && !word.is_empty() {
                    return self.fail(format!("not supported by the simulator: the word {word} without quotes or $"));
                }
                Op::Push(value)
            }
        };
        let empty = match &op {
            Op::Property(name) => name.trim_start_matches('.').is_empty(),
            Op::Push(Value::Str(text)) => text.is_empty(),
            _ => false,
        };
        if empty {
            return self.fail("syntax error");
        }
        self.emit(op);
        Ok(())
    }

    /// A literal between operators: `5-3` is a difference and `10.0.0.0/8` a prefix; a name may hold dashes.
    fn number_or_name(&mut self) -> String {
        if self.cursor.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            return self.cursor.take(in_name).to_owned();
        }
        let mut word = if self.cursor.eat("*") { "*".to_owned() } else { String::new() };
        loop {
            word.push_str(self.cursor.take(|c| c.is_ascii_alphanumeric() || c == ':'));
            let digit_follows = self.cursor.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit());
            let separator = match self.cursor.peek() {
                Some('.') if digit_follows => '.',
                Some('/') if digit_follows && (word.contains('.') || word.contains("::")) => '/',
                _ => return word,
            };
            self.cursor.bump();
            word.push(separator);
        }
    }
}
