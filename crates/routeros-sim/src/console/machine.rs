//! Runs a program step by step, stopping where it has to wait.

use std::sync::Arc;
use std::time::Duration;

use super::failure::{Failure, FailureKind, Position};
use super::host::{Call, Host, Reply, Row, ScriptError};
use super::parser::parse;
use super::program::{Function, Give, MenuCommand, Op, Program};
use super::{Element, Value, functions};

/// How much work one script may take. A step is one; a value adds an eighth of its weight.
const WORK_MAX: u64 = 100_000_000;
/// How heavy one value may be; see [`weight`].
const WEIGHT_MAX: usize = 16 << 20;
/// How deep arrays may stand in arrays.
const ARRAY_DEPTH_MAX: usize = 8;
/// How many bytes one script may print and log.
const PRINTED_MAX: usize = 1 << 20;
/// How many scripts may wait for the end of one that they run.
const FRAMES_MAX: usize = 16;

/// Why the machine stopped.
#[derive(Debug)]
pub(super) enum Pause {
    Done(Result<(), Failure>),
    Delay(Duration),
    Waiting,
}

/// Why a step failed.
#[derive(Debug)]
enum Stop {
    Error(ScriptError),
    Limit(&'static str),
}

impl From<ScriptError> for Stop {
    fn from(error: ScriptError) -> Self {
        Self::Error(error)
    }
}

/// A script that runs.
#[derive(Debug)]
struct Frame {
    program: Arc<Program>,
    next: usize,
    /// The first scope that is its own.
    scopes: usize,
}

#[derive(Debug)]
enum Variable {
    Local(Value),
    Global,
}

type Scope = Vec<(String, Variable)>;

/// An iteration.
#[derive(Debug)]
enum Walk {
    Count { next: Option<i64>, to: i64, step: i64 },
    Elements { left: std::vec::IntoIter<Element>, index: i64 },
    Rows { left: std::vec::IntoIter<Row>, at: Row, kept: Vec<Row>, names: Vec<String> },
}

/// Where to go on after an error, and how much of everything there was.
#[derive(Debug)]
struct Handler {
    step: usize,
    frames: usize,
    stack: usize,
    scopes: usize,
    walks: usize,
}

#[derive(Debug)]
pub(super) struct Machine {
    frames: Vec<Frame>,
    stack: Vec<Value>,
    scopes: Vec<Scope>,
    walks: Vec<Walk>,
    handlers: Vec<Handler>,
    work: u64,
    printed: usize,
    /// On a terminal every global is known without being declared.
    terminal: bool,
    waiting: bool,
    answer: Option<Result<Value, ScriptError>>,
}

impl Machine {
    pub(super) fn new(program: Program, terminal: bool) -> Self {
        Self {
            frames: vec![Frame { program: Arc::new(program), next: 0, scopes: 0 }],
            stack: Vec::new(),
            scopes: vec![Scope::new()],
            walks: Vec::new(),
            handlers: Vec::new(),
            work: 0,
            printed: 0,
            terminal,
            waiting: false,
            answer: None,
        }
    }

    /// Gives the result of the command that the device answered with [`Reply::Later`].
    pub(super) fn answer(&mut self, result: Result<Value, ScriptError>) {
        if self.waiting {
            self.answer = Some(result);
        }
    }

    /// Runs until the script ends or has to wait.
    pub(super) fn run(&mut self, host: &mut dyn Host) -> Pause {
        if self.waiting {
            let Some(answer) = self.answer.take() else { return Pause::Waiting };
            self.waiting = false;
            let outcome = answer.map_err(Stop::from).and_then(|value| self.push(value));
            if let Some(failure) = outcome.err().and_then(|stop| self.catch(stop)) {
                return Pause::Done(Err(failure));
            }
        }
        while let Some(frame) = self.frames.last_mut() {
            let program = Arc::clone(&frame.program);
            let Some((op, _)) = program.steps.get(frame.next) else {
                self.scopes.truncate(frame.scopes);
                self.frames.pop();
                self.stack.push(Value::Nothing);
                continue;
            };
            frame.next += 1;
            match self.step(op, host) {
                Ok(None) => {}
                Ok(Some(pause)) => return pause,
                Err(stop) => {
                    if let Some(failure) = self.catch(stop) {
                        return Pause::Done(Err(failure));
                    }
                }
            }
        }
        Pause::Done(Ok(()))
    }

    /// Goes to the handler of an error; gives the failure when there is none.
    fn catch(&mut self, stop: Stop) -> Option<Failure> {
        let at = self.at();
        let error = match stop {
            Stop::Limit(what) => return Some(Failure::limit(at, what)),
            Stop::Error(error) => error,
        };
        let Some(handler) = self.handlers.pop() else {
            return Some(Failure { kind: FailureKind::Runtime, message: error.0, at });
        };
        self.frames.truncate(handler.frames);
        self.stack.truncate(handler.stack);
        self.scopes.truncate(handler.scopes);
        self.walks.truncate(handler.walks);
        self.jump(handler.step);
        None
    }

    /// Where the command of the last step stands.
    fn at(&self) -> Position {
        let step = self.frames.last().and_then(|frame| frame.program.steps.get(frame.next.saturating_sub(1)));
        step.map_or(Position { line: 1, column: 1 }, |(_, at)| *at)
    }

    fn jump(&mut self, step: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.next = step;
        }
    }

    fn spend(&mut self, work: usize) -> Result<(), Stop> {
        self.work = self.work.saturating_add(work as u64);
        if self.work > WORK_MAX { Err(Stop::Limit("a script that takes so long")) } else { Ok(()) }
    }

    fn push(&mut self, value: Value) -> Result<(), Stop> {
        let weight = weight(&value);
        if weight > WEIGHT_MAX {
            return Err(Stop::Limit("a value of 16 MiB"));
        }
        self.spend(weight / 8)?;
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().expect("the parser emits each taking step behind a giving one")
    }

    fn pop_many(&mut self, count: usize) -> Vec<Value> {
        self.stack.split_off(self.stack.len() - count)
    }

    fn print(&mut self, text: &str) -> Result<(), Stop> {
        self.printed = self.printed.saturating_add(text.len() + 1);
        if self.printed > PRINTED_MAX { Err(Stop::Limit("1 MiB of output")) } else { Ok(()) }
    }

    fn step(&mut self, op: &Op, host: &mut dyn Host) -> Result<Option<Pause>, Stop> {
        self.spend(1)?;
        match op {
            Op::Push(value) => self.push(value.clone())?,
            Op::Pop => {
                self.pop();
            }
            Op::Show => self.show(host)?,
            Op::Load(name) => {
                let value = self.load(name, host);
                self.push(value)?;
            }
            Op::Property(name) => {
                let value = self.property(name).unwrap_or(Value::Nil);
                self.push(value)?;
            }
            Op::Local(name) => {
                let value = self.pop();
                self.declare(name, Variable::Local(value));
            }
            Op::Global { name, assigned } => {
                self.declare(name, Variable::Global);
                if *assigned {
                    self.set(name, host)?;
                }
            }
            Op::Set(name) => self.set(name, host)?,
            Op::Unary(operator) => {
                let value = self.pop();
                self.push(functions::unary(*operator, &value)?)?;
            }
            Op::Binary(operator) => {
                let (right, left) = (self.pop(), self.pop());
                self.push(functions::binary(*operator, left, right)?)?;
            }
            Op::Join(count) => {
                let text: String = self.pop_many(*count).iter().map(Value::text).collect();
                self.push(text.into())?;
            }
            Op::Array(keys) => self.array(keys)?,
            Op::Function(function, count) => return self.function(*function, *count, host),
            Op::Menu(command) => return self.menu(command, host),
            _ => self.control(op, host)?,
        }
        Ok(None)
    }

    /// The steps that decide where to go on.
    fn control(&mut self, op: &Op, host: &mut dyn Host) -> Result<(), Stop> {
        match op {
            Op::Jump(step) => self.jump(*step),
            Op::Unless(step) | Op::If(step) => {
                let holds = functions::truth(&self.pop())?;
                if holds == matches!(op, Op::If(_)) {
                    self.jump(*step);
                }
            }
            Op::Enter => self.scopes.push(Scope::new()),
            Op::Leave => {
                self.scopes.pop();
            }
            Op::Try(step) => self.handlers.push(Handler {
                step: *step,
                frames: self.frames.len(),
                stack: self.stack.len(),
                scopes: self.scopes.len(),
                walks: self.walks.len(),
            }),
            Op::EndTry => {
                self.handlers.pop();
            }
            Op::Range => self.range()?,
            Op::Each => {
                let left = match self.pop() {
                    Value::Array(elements) => elements,
                    Value::Nothing | Value::Nil => Vec::new(),
                    value => vec![Element { key: None, value }],
                };
                self.walks.push(Walk::Elements { left: left.into_iter(), index: 0 });
            }
            Op::Next { end, key, name } => self.next(*end, key.as_deref(), name),
            Op::Rows { path, properties, variables } => self.rows(path, properties, variables, host)?,
            Op::NextRow { end, give } => self.next_row(*end, *give)?,
            Op::Keep => {
                let holds = functions::truth(&self.pop())?;
                if let Some(Walk::Rows { at, kept, .. }) = self.walks.last_mut().filter(|_| holds) {
                    kept.push(std::mem::take(at));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn show(&mut self, host: &mut dyn Host) -> Result<(), Stop> {
        let text = self.pop().text();
        self.print(&text)?;
        for line in text.lines() {
            host.put(line);
        }
        Ok(())
    }

    /// The property of the row at hand; `None` outside a condition.
    fn property(&self, name: &str) -> Option<Value> {
        match self.walks.last() {
            Some(Walk::Rows { at, .. }) => at.get(name).cloned(),
            _ => None,
        }
    }

    /// The value of a variable. In a condition the property of that name hides it, which is how `find name=$name` comes to
    /// find everything on RouterOS.
    fn load(&self, name: &str, host: &mut dyn Host) -> Value {
        if let Some(Walk::Rows { at, names, .. }) = self.walks.last()
            && names.iter().any(|hiding| hiding == name)
        {
            return at.get(name).cloned().unwrap_or(Value::Nil);
        }
        let own = self.frames.last().map_or(0, |frame| frame.scopes);
        match self.scopes[own..].iter().rev().flat_map(|scope| scope.iter().rev()).find(|(known, _)| known == name) {
            Some((_, Variable::Local(value))) => value.clone(),
            Some((_, Variable::Global)) => host.globals().get(name).cloned().unwrap_or_default(),
            None if self.sees_globals() => host.globals().get(name).cloned().unwrap_or_default(),
            None => Value::Nothing,
        }
    }

    fn sees_globals(&self) -> bool {
        self.terminal && self.frames.len() == 1
    }

    fn declare(&mut self, name: &str, variable: Variable) {
        let Some(scope) = self.scopes.last_mut() else { return };
        scope.retain(|(known, _)| known != name);
        scope.push((name.to_owned(), variable));
    }

    fn set(&mut self, name: &str, host: &mut dyn Host) -> Result<(), Stop> {
        let value = self.pop();
        let own = self.frames.last().map_or(0, |frame| frame.scopes);
        let globals_seen = self.sees_globals();
        let mut variables = self.scopes[own..].iter_mut().rev().flat_map(|scope| scope.iter_mut().rev());
        match variables.find(|(known, _)| known == name) {
            Some((_, Variable::Local(old))) => *old = value,
            None if !(globals_seen && host.globals().contains_key(name)) => {
                return Err(ScriptError(format!("unknown variable {name}")).into());
            }
            Some((_, Variable::Global)) | None if value == Value::Nothing => {
                host.globals().remove(name);
            }
            Some((_, Variable::Global)) | None => {
                host.globals().insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    fn array(&mut self, keys: &[Option<String>]) -> Result<(), Stop> {
        let values = self.pop_many(keys.len());
        if values.iter().any(|value| depth(value) >= ARRAY_DEPTH_MAX) {
            return Err(Stop::Limit("arrays nested 8 deep"));
        }
        let elements = keys.iter().cloned().zip(values).map(|(key, value)| Element { key, value });
        self.push(Value::Array(elements.collect()))
    }

    fn range(&mut self) -> Result<(), Stop> {
        let (step, to, from) = (self.pop(), self.pop(), self.pop());
        let number = |value: &Value, name: &str| {
            value.as_num().ok_or_else(|| Stop::Error(ScriptError(format!("invalid value for argument {name}"))))
        };
        let (from, to) = (number(&from, "from")?, number(&to, "to")?);
        let step = match step {
            Value::Nothing if from > to => -1,
            Value::Nothing => 1,
            step => number(&step, "step")?,
        };
        if step == 0 {
            return Err(ScriptError::from("invalid value for argument step").into());
        }
        self.walks.push(Walk::Count { next: Some(from), to, step });
        Ok(())
    }

    fn next(&mut self, end: usize, key: Option<&str>, name: &str) {
        let element = match self.walks.last_mut() {
            Some(Walk::Count { next, to, step }) => {
                next.filter(|next| if *step > 0 { next <= to } else { next >= to }).map(|value| {
                    *next = value.checked_add(*step);
                    (Value::Nothing, Value::Num(value))
                })
            }
            Some(Walk::Elements { left, index }) => left.next().map(|element| {
                *index += 1;
                (element.key.map_or(Value::Num(*index - 1), Value::Str), element.value)
            }),
            Some(Walk::Rows { .. }) | None => None,
        };
        let Some((place, value)) = element else {
            self.walks.pop();
            return self.jump(end);
        };
        self.scopes.push(Scope::new());
        if let Some(key) = key {
            self.declare(key, Variable::Local(place));
        }
        self.declare(name, Variable::Local(value));
    }

    fn rows(&mut self, path: &str, properties: &[String], variables: &[String], host: &mut dyn Host) -> Result<(), Stop> {
        let rows = host.rows(path)?;
        self.spend(rows.len())?;
        let mut names = properties.to_vec();
        names.extend(variables.iter().filter(|name| rows.iter().any(|row| row.contains_key(*name))).cloned());
        self.walks.push(Walk::Rows { left: rows.into_iter(), at: Row::new(), kept: Vec::new(), names });
        Ok(())
    }

    fn next_row(&mut self, end: usize, give: Give) -> Result<(), Stop> {
        if let Some(Walk::Rows { left, at, .. }) = self.walks.last_mut()
            && let Some(row) = left.next()
        {
            *at = row;
            return Ok(());
        }
        let Some(Walk::Rows { kept, .. }) = self.walks.pop() else { return Ok(()) };
        self.jump(end);
        self.push(match give {
            Give::Count => Value::Num(i64::try_from(kept.len()).unwrap_or(i64::MAX)),
            Give::Ids => kept.into_iter().filter_map(|mut row| row.remove(".id")).map(|id| Value::Id(id.text())).collect(),
            Give::Rows => kept.into_iter().map(row_value).collect(),
        })
    }

    fn function(&mut self, function: Function, count: usize, host: &mut dyn Host) -> Result<Option<Pause>, Stop> {
        let args = self.pop_many(count);
        let last = args.last().map(Value::text).unwrap_or_default();
        let mut pause = None;
        match function {
            Function::Error => return Err(ScriptError(last).into()),
            Function::Put => {
                self.print(&last)?;
                host.put(&last);
            }
            Function::Log => {
                self.print(&last)?;
                host.log(&args[0].text(), &last);
            }
            Function::Delay => {
                let time = args[0].as_time().ok_or_else(|| ScriptError::from("invalid value for argument delay-time"))?;
                pause = Some(Pause::Delay(time));
            }
            _ => {}
        }
        self.push(functions::call(function, &args)?)?;
        Ok(pause)
    }

    fn menu(&mut self, command: &MenuCommand, host: &mut dyn Host) -> Result<Option<Pause>, Stop> {
        let only: Option<Vec<String>> = command.filtered.then(|| match self.pop() {
            Value::Array(ids) => ids.iter().map(|id| id.value.text()).collect(),
            _ => Vec::new(),
        });
        let values = self.pop_many(command.args.len());
        let args: Vec<(String, Value)> = command.args.iter().cloned().zip(values).collect();
        let (path, name) = (command.path.as_str(), command.command.as_str());
        let call = Call { path, command: name, args: &args, unset: &command.unset, only: only.as_deref() };
        match host.command(call)? {
            Reply::Done(value) => self.push(value)?,
            Reply::Later => {
                self.waiting = true;
                return Ok(Some(Pause::Waiting));
            }
            Reply::Script(text) => {
                if self.frames.len() >= FRAMES_MAX {
                    return Err(Stop::Limit("scripts that run scripts 16 deep"));
                }
                let text = text.replace("\r\n", "\n");
                let program = parse(&text, &*host, &mut "/".to_owned()).map_err(|failure| ScriptError(failure.to_string()))?;
                self.frames.push(Frame { program: Arc::new(program), next: 0, scopes: self.scopes.len() });
                self.scopes.push(Scope::new());
            }
        }
        Ok(None)
    }
}

fn row_value(row: Row) -> Value {
    Value::Array(row.into_iter().map(|(key, value)| Element { key: Some(key), value }).collect())
}

/// What a value takes: a byte for each of a text, 64 for each element.
fn weight(value: &Value) -> usize {
    match value {
        Value::Str(text) | Value::Id(text) => text.len(),
        Value::Array(elements) => elements.iter().map(|e| 64 + e.key.as_ref().map_or(0, String::len) + weight(&e.value)).sum(),
        _ => 0,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(|element| depth(&element.value)).max().unwrap_or(0),
        _ => 0,
    }
}
