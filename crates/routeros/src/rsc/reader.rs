//! Reads an export.

use super::scan::{Cursor, Value, in_name};
use super::{
    BYTES_MAX, COMMANDS_MAX, Command, Export, Fault, Header, LEFT_OUT_MAX, PATH_MAX, ReadError, Section, Target, VALUES_MAX, Verb,
};

/// What the files of `/system/backup` begin with, plain and encrypted (seen in the field).
const BACKUPS: [[u8; 4]; 2] = [[0x88, 0xac, 0xa1, 0xb1], [0xef, 0xa8, 0x91, 0x72]];
/// The longest text that is kept of a comment.
const COMMENT_MAX: usize = 200;
/// The most menus that are noted as not exported.
const FAULTS_MAX: usize = 100;

/// Reads an export.
///
/// # Errors
/// The text is no export, was cut off, or is beyond a limit; the error names the place.
pub fn read(text: &[u8]) -> Result<Export, ReadError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(text);
    let begin = Cursor::new(text);
    if text.len() > BYTES_MAX {
        return Err(begin.fault(Fault::TooLong));
    }
    if BACKUPS.iter().any(|magic| text.starts_with(magic)) {
        return Err(begin.fault(Fault::Backup));
    }
    let mut reader = Reader { cursor: begin, export: Export::default(), path: None, commands: 0, values: 0 };
    while reader.step()? {}
    let mut export = reader.export;
    export.sections.retain(|section| !section.commands.is_empty());
    Ok(export)
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    export: Export,
    /// The menu whose commands follow.
    path: Option<String>,
    commands: usize,
    values: usize,
}

/// Why a command is left out.
enum Skip {
    Because(&'static str),
    Fault(ReadError),
}

impl From<ReadError> for Skip {
    fn from(error: ReadError) -> Self {
        Self::Fault(error)
    }
}

const COMPUTED: &str = "a value that is computed";
const SCRIPT: &str = "a command of the scripting language";
const OTHER: &str = "a command that is no configuration";

impl Reader<'_> {
    /// Reads the next command, comment or menu; says no at the end.
    fn step(&mut self) -> Result<bool, ReadError> {
        self.cursor.skip_separators()?;
        match self.cursor.peek() {
            None => Ok(false),
            Some(b'#') => self.comment().map(|()| true),
            Some(b'/') => self.command(true).map(|()| true),
            Some(b':' | b'{' | b'}' | b'(' | b'[' | b'$') => {
                // The brace that opens a block counts, so this skips to where it closes.
                self.leave_out(SCRIPT);
                self.cursor.skip_command().map(|()| true)
            }
            Some(byte) if byte.is_ascii_lowercase() && self.path.is_some() => self.command(false).map(|()| true),
            Some(_) => Err(self.cursor.fault(Fault::NotAnExport)),
        }
    }

    fn leave_out(&mut self, what: &'static str) {
        let left = &mut self.export.left_out;
        left.count += 1;
        if left.places.len() < LEFT_OUT_MAX {
            left.places.push((self.cursor.line(), what));
        }
    }

    fn comment(&mut self) -> Result<(), ReadError> {
        let line = self.cursor.rest_of_line()?;
        let text =
            String::from_utf8_lossy(line.trim_ascii_start().strip_prefix(b"#").unwrap_or(line)).replace(char::is_control, " ");
        let text: String = text.trim().chars().take(COMMENT_MAX).collect();
        let text = text.trim();
        if let Some(menu) = text.strip_prefix("error exporting") {
            if self.export.faults.len() < FAULTS_MAX {
                self.export.faults.push(menu.trim().replace('"', ""));
            }
        } else if self.path.is_none() {
            note(&mut self.export.header, text);
        }
        Ok(())
    }

    /// Reads a command, with the menu before it or alone; what it cannot be is left out as a whole.
    fn command(&mut self, with_path: bool) -> Result<(), ReadError> {
        let began = self.cursor;
        let outcome = self.try_command(with_path);
        match outcome {
            Ok(()) => Ok(()),
            Err(Skip::Fault(error)) => Err(error),
            Err(Skip::Because(what)) => {
                self.cursor = began;
                self.leave_out(what);
                self.cursor.skip_command()
            }
        }
    }

    fn try_command(&mut self, with_path: bool) -> Result<(), Skip> {
        let began = self.cursor;
        let (path, verb) = if with_path { self.menu()? } else { (None, Some(self.cursor.name()?)) };
        let Some(word) = verb else {
            self.path = path;
            return Ok(());
        };
        let verb = match Verb::of(&word) {
            Some(verb) => verb,
            None if with_path || NOT_CONFIGURATION.contains(&word.as_str()) => return Err(Skip::Because(OTHER)),
            None => return Err(began.fault(Fault::NotAnExport).into()),
        };
        if !matches!(self.cursor.peek(), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'\\')) {
            return Err(self.cursor.fault(Fault::NotAnExport).into());
        }
        let (target, values) = self.arguments()?;
        self.commands += 1;
        if self.commands > COMMANDS_MAX {
            return Err(began.fault(Fault::TooManyCommands).into());
        }
        let command = Command { verb, target, values };
        let path = path.or_else(|| self.path.clone()).unwrap_or_default();
        match self.export.sections.last_mut().filter(|last| last.path == path) {
            Some(last) => last.commands.push(command),
            None => self.export.sections.push(Section { path: path.clone(), commands: vec![command] }),
        }
        self.path = Some(path);
        Ok(())
    }

    /// Reads a menu's path, and the command behind it if one stands on the same line.
    fn menu(&mut self) -> Result<(Option<String>, Option<String>), Skip> {
        let mut path = String::new();
        let mut words = 0;
        loop {
            self.cursor.skip_blanks()?;
            match self.cursor.peek() {
                Some(b'/') => {
                    self.cursor.bump();
                }
                Some(byte) if in_name(byte) => {
                    let word = self.cursor.name()?;
                    if (words > 0 && Verb::of(&word).is_some()) || NOT_CONFIGURATION.contains(&word.as_str()) {
                        return Ok((Some(path), Some(word)));
                    }
                    words += 1;
                    if words > PATH_MAX {
                        return Err(self.cursor.fault(Fault::TooDeep).into());
                    }
                    path.push('/');
                    path.push_str(&word);
                }
                None => return Err(self.cursor.fault(Fault::Truncated).into()),
                Some(b'\n' | b';') if words > 0 => return Ok((Some(path), None)),
                _ => return Err(Skip::Because(OTHER)),
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "the two halves of a command, used once")]
    fn arguments(&mut self) -> Result<(Target, Vec<(String, Option<Vec<u8>>)>), Skip> {
        let mut target = Target::Menu;
        let mut values: Vec<(String, Option<Vec<u8>>)> = Vec::new();
        loop {
            self.cursor.skip_blanks()?;
            if self.cursor.at_end() {
                // Every line of an export ends; one that does not was cut off.
                return if self.cursor.peek().is_none() {
                    Err(self.cursor.fault(Fault::Truncated).into())
                } else {
                    Ok((target, values))
                };
            }
            self.values += 1;
            if self.values > VALUES_MAX {
                return Err(self.cursor.fault(Fault::TooManyValues).into());
            }
            let first = target == Target::Menu && values.is_empty();
            match self.cursor.peek() {
                Some(b'[') if first => target = self.find()?,
                Some(b'"' | b'*') if first => target = Target::Row(self.value()?),
                Some(b'!') => {
                    self.cursor.bump();
                    values.push((self.argument_name()?, None));
                }
                Some(byte) if in_name(byte) => {
                    let name = self.argument_name()?;
                    if self.cursor.eat(b'=') {
                        values.push((name, Some(self.value()?)));
                    } else if first {
                        target = Target::Row(name.into_bytes());
                    } else {
                        return Err(Skip::Because(OTHER));
                    }
                }
                Some(b'$' | b'(' | b'{' | b'[') => return Err(Skip::Because(COMPUTED)),
                _ => return Err(self.cursor.fault(Fault::Unexpected).into()),
            }
        }
    }

    fn argument_name(&mut self) -> Result<String, Skip> {
        let name = self.cursor.name()?;
        if name.is_empty() { Err(self.cursor.fault(Fault::Unexpected).into()) } else { Ok(name) }
    }

    fn value(&mut self) -> Result<Vec<u8>, Skip> {
        match self.cursor.value()? {
            Value::Is(bytes) => Ok(bytes),
            Value::Computed => Err(Skip::Because(COMPUTED)),
        }
    }

    /// Reads `[ find name=value … ]`.
    fn find(&mut self) -> Result<Target, Skip> {
        self.cursor.bump();
        self.cursor.skip_blanks()?;
        if self.cursor.name()? != "find" {
            return Err(Skip::Because(COMPUTED));
        }
        let mut wanted = Vec::new();
        loop {
            self.cursor.skip_blanks()?;
            if self.cursor.eat(b']') {
                return Ok(Target::Find(wanted));
            }
            let name = self.cursor.name()?;
            if name == "where" && wanted.is_empty() && self.cursor.peek() != Some(b'=') {
                continue;
            }
            if name.is_empty() || !self.cursor.eat(b'=') {
                return Err(Skip::Because(COMPUTED));
            }
            self.values += 1;
            if self.values > VALUES_MAX {
                return Err(self.cursor.fault(Fault::TooManyValues).into());
            }
            let value = self.value()?;
            wanted.push((name, value));
        }
    }
}

/// Commands that people put into such files and that configure nothing.
const NOT_CONFIGURATION: &[&str] =
    &["comment", "edit", "export", "find", "get", "import", "info", "move", "print", "reboot", "reset", "reset-counters", "run"];

/// Takes what a line of the header says; the first line that says it counts.
fn note(header: &mut Header, text: &str) {
    let fill = |field: &mut String, value: &str| {
        if field.is_empty() {
            value.trim().clone_into(field);
        }
    };
    if let Some((at, version)) = text.split_once(" by RouterOS ") {
        if header.version.is_empty() {
            fill(&mut header.written_at, at);
            fill(&mut header.version, version);
        }
        return;
    }
    // A header whose date was left out.
    if let Some(version) = text.strip_prefix("by RouterOS ") {
        return fill(&mut header.version, version);
    }
    let Some((name, value)) = text.split_once('=') else { return };
    match name.trim() {
        "software id" => fill(&mut header.software_id, value),
        "model" => fill(&mut header.model, value),
        "serial number" => fill(&mut header.serial_number, value),
        _ => {}
    }
}
