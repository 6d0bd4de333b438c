//! One console: a terminal that text is entered into, or one script.

use std::collections::VecDeque;
use std::time::Duration;

use super::Value;
use super::failure::{Failure, Position};
use super::host::{Host, ScriptError};
use super::lexer::{Brackets, TEXT_MAX};
use super::machine::{Machine, Pause};
use super::parser::parse;

/// Why a console stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is left to run. The failures since the last time it stopped so; none means that all went well.
    Done(Vec<Failure>),
    /// Wants to be resumed when so much device time has passed.
    Delay(Duration),
    /// The device answered a command with [`Reply::Later`](super::Reply::Later): wants [`Console::answer`], then to be resumed.
    Waiting,
}

/// Runs what is entered on a terminal, or a script, on a device.
#[derive(Debug)]
pub struct Console {
    terminal: bool,
    /// The menu that a command without a path means.
    context: String,
    /// The lines of a command that is not complete.
    unfinished: String,
    brackets: Brackets,
    ready: VecDeque<String>,
    machine: Option<Machine>,
    failures: Vec<Failure>,
}

impl Console {
    fn new(terminal: bool) -> Self {
        Self {
            terminal,
            context: "/".to_owned(),
            unfinished: String::new(),
            brackets: Brackets::default(),
            ready: VecDeque::new(),
            machine: None,
            failures: Vec::new(),
        }
    }

    /// A terminal. Each command runs by itself as soon as it is complete: a failure is printed and the next one still runs,
    /// local variables end with their line, and the menu stays.
    #[must_use]
    pub fn terminal() -> Self {
        Self::new(true)
    }

    /// A script, as `/import`, `/system/script` and the scheduler run it: it is parsed as a whole, so that nothing runs when
    /// anything in it cannot be parsed, and it ends at the first failure. It fails on the first [`Console::resume`].
    #[must_use]
    pub fn script(text: &str) -> Self {
        let mut console = Self::new(false);
        console.ready.push_back(text.replace("\r\n", "\n"));
        console
    }

    /// Types or pastes text into a terminal, its last line followed by Enter. What runs is still resumed first.
    ///
    /// # Errors
    /// When more than 1 MiB waits; nothing of the text is taken.
    pub fn enter(&mut self, text: &str) -> Result<(), Failure> {
        let waiting: usize = self.ready.iter().map(String::len).sum();
        if text.len() + waiting + self.unfinished.len() > TEXT_MAX {
            return Err(Failure::limit(Position { line: 1, column: 1 }, "1 MiB of text that waits"));
        }
        for line in text.lines() {
            self.unfinished.push_str(line);
            self.unfinished.push('\n');
            if !self.brackets.goes_on_after(line) {
                self.brackets = Brackets::default();
                self.ready.push_back(std::mem::take(&mut self.unfinished));
            }
        }
        Ok(())
    }

    /// Whether a command is not complete, because a bracket or a quote is open or the line is continued.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// The menu that a command without a path means, such as `/ip/address`.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Gives the result of the command that the device answered with [`Reply::Later`](super::Reply::Later).
    pub fn answer(&mut self, result: Result<Value, ScriptError>) {
        if let Some(machine) = &mut self.machine {
            machine.answer(result);
        }
    }

    /// Drops what runs, what waits and what is not complete, as Ctrl-C does.
    pub fn interrupt(&mut self) {
        self.machine = None;
        self.ready.clear();
        self.unfinished.clear();
        self.brackets = Brackets::default();
    }

    /// Runs until nothing is left or something has to be waited for.
    pub fn resume(&mut self, host: &mut dyn Host) -> Step {
        loop {
            if let Some(machine) = &mut self.machine {
                match machine.run(host) {
                    Pause::Delay(time) => return Step::Delay(time),
                    Pause::Waiting => return Step::Waiting,
                    Pause::Done(result) => {
                        self.machine = None;
                        self.note(result, host);
                    }
                }
            }
            let Some(text) = self.ready.pop_front() else {
                return Step::Done(std::mem::take(&mut self.failures));
            };
            match parse(&text, &*host, &mut self.context) {
                Ok(program) => self.machine = Some(Machine::new(program, self.terminal)),
                Err(failure) => self.note(Err(failure), host),
            }
        }
    }

    fn note(&mut self, result: Result<(), Failure>, host: &mut dyn Host) {
        if let Err(failure) = result {
            if self.terminal {
                host.put(&failure.to_string());
            }
            self.failures.push(failure);
        }
    }
}
