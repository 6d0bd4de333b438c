//! Parses commands and emits the steps that run them.

use super::Value;
use super::failure::{Failure, Position};
use super::host::{Menus, Node};
use super::lexer::{Cursor, TEXT_MAX, in_name};
use super::program::{FUNCTIONS, Function, Give, MenuCommand, Op, Program, UNSUPPORTED};

/// How deep brackets may nest.
const DEPTH_MAX: usize = 48;

/// What `:log` writes under.
const TOPICS: [&str; 4] = ["debug", "error", "info", "warning"];

/// The switches of `print`.
const SWITCHES: [&str; 8] = ["as-value", "brief", "count-only", "detail", "show-ids", "terse", "value-list", "without-paging"];

/// What an argument without a name may stand for, in their order, where the command takes them.
const POSITIONAL: [&str; 7] = ["numbers", "value-name", "destination", "number", "file-name", "address", "name"];

/// The commands that take arguments without a name.
const NAMELESS: [&str; 14] = [
    "comment",
    "disable",
    "edit",
    "enable",
    "get",
    "import",
    "monitor",
    "move",
    "ping",
    "remove",
    "reset-counters",
    "run",
    "set",
    "unset",
];

/// What a command leaves on the stack. It is always one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    /// A value that matters only inside `[ ]`.
    Value,
    /// A text that is printed when it does not stand inside `[ ]`.
    Text,
}

/// Reads a script that begins in the menu `context`; the menu it ends in is left there.
pub(super) fn parse(text: &str, menus: &dyn Menus, context: &mut String) -> Result<Program, Failure> {
    let mut parser = Parser {
        cursor: Cursor::new(text),
        menus,
        context: context.clone(),
        depth: 0,
        at: Position { line: 1, column: 1 },
        program: Program::default(),
    };
    if text.len() > TEXT_MAX {
        return Err(Failure::limit(parser.at, "a script of 1 MiB"));
    }
    parser.commands(None)?;
    *context = parser.context;
    Ok(parser.program)
}

pub(super) struct Parser<'t, 'm> {
    pub(super) cursor: Cursor<'t>,
    menus: &'m dyn Menus,
    /// The menu that a command without a path means.
    context: String,
    depth: usize,
    /// Where the command at hand begins.
    at: Position,
    program: Program,
}

impl Parser<'_, '_> {
    /// Emits a step and says where it stands.
    pub(super) fn emit(&mut self, op: Op) -> usize {
        self.program.steps.push((op, self.at));
        self.program.steps.len() - 1
    }

    /// Where the next step will stand.
    pub(super) fn here(&self) -> usize {
        self.program.steps.len()
    }

    /// Takes the last step back.
    pub(super) fn retract(&mut self) -> Option<Op> {
        self.program.steps.pop().map(|(op, _)| op)
    }

    fn replace(&mut self, step: usize, op: Op) {
        self.program.steps[step].0 = op;
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Result<T, Failure> {
        Err(Failure::syntax(self.cursor.at(), message))
    }

    /// Takes a character that must stand here.
    pub(super) fn expect(&mut self, text: &str) -> Result<(), Failure> {
        self.cursor.skip_blanks();
        if self.cursor.eat(text) { Ok(()) } else { self.fail("syntax error") }
    }

    /// Parses something that stands in brackets, which must not nest too deep.
    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        if self.depth >= DEPTH_MAX {
            return Err(Failure::limit(self.cursor.at(), "brackets nested 48 deep"));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Commands up to the bracket `end`, which is left, or up to the end of the text; their values are dropped.
    fn commands(&mut self, end: Option<char>) -> Result<(), Failure> {
        loop {
            self.cursor.skip_separators(true);
            if self.cursor.peek() == end {
                return Ok(());
            }
            match self.command()? {
                Leaves::Value => self.emit(Op::Pop),
                Leaves::Text => self.emit(Op::Show),
            };
            self.cursor.skip_blanks();
            let next = self.cursor.peek();
            if next != end && !matches!(next, Some('\n' | ';')) {
                return self.fail(if next.is_none() { "syntax error" } else { "expected end of command" });
            }
        }
    }

    /// Commands in braces, with a scope and a menu of their own.
    fn block(&mut self) -> Result<(), Failure> {
        self.expect("{")?;
        let context = self.context.clone();
        self.emit(Op::Enter);
        self.nested(|parser| parser.commands(Some('}')))?;
        self.expect("}")?;
        self.emit(Op::Leave);
        self.context = context;
        Ok(())
    }

    /// Checks code in braces and gives its text.
    pub(super) fn code(&mut self) -> Result<String, Failure> {
        let (from, steps) = (self.cursor.offset(), self.here());
        let at = self.at;
        let context = std::mem::replace(&mut self.context, "/".to_owned());
        self.block()?;
        self.context = context;
        self.at = at;
        self.program.steps.truncate(steps);
        Ok(self.cursor.slice(from + 1, self.cursor.offset() - 1).to_owned())
    }

    /// Commands in square brackets; behind the opening one. The value of the last is left.
    pub(super) fn substitution(&mut self) -> Result<(), Failure> {
        let context = self.context.clone();
        self.cursor.skip_separators(false);
        if self.cursor.peek() == Some(']') {
            self.emit(Op::Push(Value::Nothing));
        }
        while self.cursor.peek() != Some(']') {
            self.nested(Self::command)?;
            self.cursor.skip_blanks();
            let separated = self.cursor.peek() == Some(';');
            self.cursor.skip_separators(false);
            match self.cursor.peek() {
                Some(']') => {}
                Some(_) if separated => {
                    self.emit(Op::Pop);
                }
                None | Some('\n') => return self.fail("syntax error"),
                Some(_) => return self.fail("expected end of command"),
            }
        }
        self.context = context;
        self.expect("]")
    }

    /// One command.
    fn command(&mut self) -> Result<Leaves, Failure> {
        let outer = self.at;
        self.at = self.cursor.at();
        let leaves = match self.cursor.peek() {
            Some(':' | '/') => {
                self.cursor.bump();
                let word = self.cursor.look(in_name);
                if is_builtin(word) { self.builtin() } else { self.menu("/".to_owned()) }
            }
            Some('{') => {
                self.block()?;
                self.nothing()
            }
            Some('$') => self.fail("not supported by the simulator: calling a function"),
            Some(c) if in_name(c) || c == '.' => {
                let word = self.cursor.look(in_name);
                let known = self.menus.node(&self.context, word).is_some();
                if !known && self.context == "/" && is_builtin(word) { self.builtin() } else { self.menu(self.context.clone()) }
            }
            _ => self.fail("syntax error"),
        }?;
        self.at = outer;
        Ok(leaves)
    }

    /// What a command leaves that has no value.
    fn nothing(&mut self) -> Result<Leaves, Failure> {
        self.emit(Op::Push(Value::Nothing));
        Ok(Leaves::Value)
    }

    /// A path below `path`, then a command, a block for that menu, or nothing: then the menu becomes the context.
    fn menu(&mut self, mut path: String) -> Result<Leaves, Failure> {
        loop {
            self.cursor.skip_blanks();
            self.cursor.eat("/");
            if self.cursor.eat("..") {
                path.truncate(path.rfind('/').unwrap_or_default());
                if path.is_empty() {
                    path.push('/');
                }
                continue;
            }
            let at = self.cursor.at();
            let word = self.cursor.take(in_name);
            if word.is_empty() {
                return self.menu_itself(path);
            }
            if path == "/log" && TOPICS.contains(&word) {
                self.emit(Op::Push(word.into()));
                return self.function(Function::Log, &["message"], 1, 1);
            }
            match self.menus.node(&path, word) {
                Some(Node::Menu) => path = format!("{}/{word}", path.trim_end_matches('/')),
                Some(Node::Command) => return self.nested(|parser| parser.menu_command(path, word)),
                None => return Err(Failure::syntax(at, format!("bad command name {word}"))),
            }
        }
    }

    fn menu_itself(&mut self, path: String) -> Result<Leaves, Failure> {
        if self.cursor.at_end_of_command() {
            self.context = path;
        } else if self.cursor.peek() == Some('{') {
            let outer = std::mem::replace(&mut self.context, path);
            self.block()?;
            self.context = outer;
        } else {
            return self.fail("expected command name");
        }
        self.nothing()
    }

    /// A command of a menu; commands in brackets among its arguments are of the same menu.
    fn menu_command(&mut self, path: String, command: &str) -> Result<Leaves, Failure> {
        let outer = std::mem::replace(&mut self.context, path.clone());
        let leaves = match command {
            "find" => {
                self.eat_word("where");
                self.rows(path, Give::Ids)?;
                Leaves::Value
            }
            "print" => self.print(path)?,
            _ => self.arguments(path, command)?,
        };
        self.context = outer;
        Ok(leaves)
    }

    /// Takes a word that may stand here.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.cursor.skip_blanks();
        self.cursor.look(in_name) == word && self.cursor.eat(word)
    }

    /// Walks over the rows of a menu, keeping those that fit the condition which may follow.
    fn rows(&mut self, path: String, give: Give) -> Result<(), Failure> {
        let start = self.emit(Op::Rows { path: String::new(), properties: Vec::new(), variables: Vec::new() });
        let next = self.emit(Op::NextRow { end: 0, give });
        self.cursor.skip_blanks();
        if self.cursor.at_end_of_command() {
            self.emit(Op::Push(Value::Bool(true)));
        } else {
            self.condition()?;
        }
        self.emit(Op::Keep);
        self.emit(Op::Jump(next));
        let end = self.here();
        let (mut properties, mut variables) = (Vec::new(), Vec::new());
        for (op, _) in &self.program.steps[next..] {
            match op {
                Op::Property(name) => properties.push(name.clone()),
                Op::Load(name) => variables.push(name.clone()),
                _ => {}
            }
        }
        self.replace(start, Op::Rows { path, properties, variables });
        self.replace(next, Op::NextRow { end, give });
        Ok(())
    }

    fn print(&mut self, path: String) -> Result<Leaves, Failure> {
        let mut args = Vec::new();
        let mut filtered = false;
        loop {
            self.cursor.skip_blanks();
            if self.cursor.at_end_of_command() {
                break;
            }
            let at = self.cursor.at();
            let word = self.cursor.take(in_name);
            if word == "where" {
                filtered = true;
                break;
            } else if SWITCHES.contains(&word) {
                args.push(word.to_owned());
            } else {
                return Err(Failure::syntax(at, "expected end of command"));
            }
        }
        for (switch, give) in [("count-only", Give::Count), ("as-value", Give::Rows)] {
            if args.iter().any(|arg| arg == switch) {
                self.rows(path, give)?;
                return Ok(if give == Give::Count { Leaves::Text } else { Leaves::Value });
            }
        }
        for _ in &args {
            self.emit(Op::Push(Value::Bool(true)));
        }
        if filtered {
            self.rows(path.clone(), Give::Ids)?;
        }
        self.emit(Op::Menu(Box::new(MenuCommand { path, command: "print".to_owned(), args, unset: Vec::new(), filtered })));
        Ok(Leaves::Text)
    }

    fn arguments(&mut self, path: String, command: &str) -> Result<Leaves, Failure> {
        let menus = self.menus;
        let mut nameless = POSITIONAL.iter().filter(|name| NAMELESS.contains(&command) && menus.accepts(&path, command, name));
        let (mut args, mut unset): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        loop {
            self.cursor.skip_blanks();
            if self.cursor.at_end_of_command() {
                break;
            }
            let at = self.cursor.at();
            let unknown = || Failure::syntax(at, "expected end of command");
            let clears = self.cursor.eat("!");
            let name = self.cursor.look(|c| in_name(c) || c == '.').to_owned();
            let named = self.cursor.rest()[name.len()..].starts_with('=');
            if !clears && !named && command == "export" && menus.accepts(&path, command, &name) && name != "file" {
                // Words that switch something on, such as `terse`.
                self.cursor.eat(&name);
                args.push(name);
                self.emit(Op::Push(Value::Bool(true)));
                continue;
            }
            if !clears && !named {
                args.push(nameless.next().ok_or_else(unknown)?.to_string());
                self.value(Word::Text)?;
                continue;
            }
            if name.is_empty() || clears && named || !menus.accepts(&path, command, &name) {
                return Err(unknown());
            }
            self.cursor.eat(&name);
            if clears {
                unset.push(name);
            } else {
                self.cursor.eat("=");
                args.push(name);
                self.value(Word::Text)?;
            }
        }
        self.emit(Op::Menu(Box::new(MenuCommand { path, command: command.to_owned(), args, unset, filtered: false })));
        Ok(Leaves::Value)
    }

    /// The arguments of a built-in function of which `given` already stand on the stack.
    fn function(&mut self, function: Function, names: &[&str], required: usize, given: usize) -> Result<Leaves, Failure> {
        let mut count = 0;
        loop {
            self.cursor.skip_blanks();
            if self.cursor.at_end_of_command() {
                break;
            }
            let Some(name) = names.get(count) else { return self.fail("expected end of command") };
            if self.cursor.look(in_name) == *name && self.cursor.rest()[name.len()..].starts_with('=') {
                self.cursor.eat(name);
                self.cursor.eat("=");
            }
            self.value(Word::Literal)?;
            count += 1;
        }
        if count < required {
            return Err(Failure::syntax(
                self.at,
                format!("missing value(s) of argument(s) {}", names[count..required].join(" ")),
            ));
        }
        self.emit(Op::Function(function, given + count));
        Ok(Leaves::Value)
    }

    /// A command of the language itself; its name stands here.
    fn builtin(&mut self) -> Result<Leaves, Failure> {
        let at = self.cursor.at();
        let word = self.cursor.take(in_name);
        if let Some((_, function, names, required)) = FUNCTIONS.iter().find(|(name, ..)| *name == word) {
            return self.nested(|parser| parser.function(*function, names, *required, 0));
        }
        match word {
            "local" => self.variable_command(|name, _| Op::Local(name))?,
            "global" => self.variable_command(|name, assigned| Op::Global { name, assigned })?,
            "set" => self.variable_command(|name, _| Op::Set(name))?,
            "if" => self.nested(Self::if_command)?,
            "for" => self.nested(Self::for_command)?,
            "foreach" => self.nested(Self::foreach_command)?,
            "while" => self.nested(Self::while_command)?,
            "do" => self.nested(Self::do_command)?,
            _ => return Err(Failure::syntax(at, format!("not supported by the simulator: :{word}"))),
        }
        self.nothing()
    }

    /// Takes `name=` if it stands here.
    fn clause(&mut self, name: &str) -> bool {
        self.cursor.skip_blanks();
        let here = self.cursor.look(in_name) == name && self.cursor.rest()[name.len()..].starts_with('=');
        here && self.cursor.eat(name) && self.cursor.eat("=")
    }

    fn required_clause(&mut self, name: &str) -> Result<(), Failure> {
        if self.clause(name) {
            Ok(())
        } else if self.cursor.at_end_of_command() {
            Err(Failure::syntax(self.at, format!("missing value(s) of argument(s) {name}")))
        } else {
            self.fail("expected end of command")
        }
    }

    fn variable_command(&mut self, op: impl FnOnce(String, bool) -> Op) -> Result<(), Failure> {
        self.cursor.skip_blanks();
        let name = self.variable_name()?;
        self.cursor.skip_blanks();
        let assigned = !self.cursor.at_end_of_command();
        if self.cursor.look(in_name) == "do" {
            return self.fail("not supported by the simulator: defining a function");
        }
        let op = op(name, assigned);
        if assigned {
            self.value(Word::Literal)?;
        } else if !matches!(op, Op::Global { .. }) {
            self.emit(Op::Push(Value::Nothing));
        }
        self.emit(op);
        Ok(())
    }

    fn if_command(&mut self) -> Result<(), Failure> {
        self.cursor.skip_blanks();
        self.value(Word::Literal)?;
        let test = self.emit(Op::Unless(0));
        self.required_clause("do")?;
        self.block()?;
        if self.clause("else") {
            let skip = self.emit(Op::Jump(0));
            self.replace(test, Op::Unless(self.here()));
            self.block()?;
            self.replace(skip, Op::Jump(self.here()));
        } else {
            self.replace(test, Op::Unless(self.here()));
        }
        Ok(())
    }

    fn for_command(&mut self) -> Result<(), Failure> {
        self.cursor.skip_blanks();
        let name = self.variable_name()?;
        for bound in ["from", "to"] {
            self.required_clause(bound)?;
            self.value(Word::Literal)?;
        }
        if self.clause("step") {
            self.value(Word::Literal)?;
        } else {
            self.emit(Op::Push(Value::Nothing));
        }
        self.emit(Op::Range);
        self.body(None, name)
    }

    fn foreach_command(&mut self) -> Result<(), Failure> {
        self.cursor.skip_blanks();
        let first = self.variable_name()?;
        let (key, name) = if self.cursor.eat(",") { (Some(first), self.variable_name()?) } else { (None, first) };
        self.required_clause("in")?;
        self.value(Word::Literal)?;
        self.emit(Op::Each);
        self.body(key, name)
    }

    /// The `do=` of a loop whose iterator has begun.
    fn body(&mut self, key: Option<String>, name: String) -> Result<(), Failure> {
        let next = self.emit(Op::Next { end: 0, key: None, name: String::new() });
        self.required_clause("do")?;
        self.block()?;
        self.emit(Op::Leave);
        self.emit(Op::Jump(next));
        self.replace(next, Op::Next { end: self.here(), key, name });
        Ok(())
    }

    fn while_command(&mut self) -> Result<(), Failure> {
        self.cursor.skip_blanks();
        let start = self.here();
        self.value(Word::Literal)?;
        let test = self.emit(Op::Unless(0));
        self.required_clause("do")?;
        self.block()?;
        self.emit(Op::Jump(start));
        self.replace(test, Op::Unless(self.here()));
        Ok(())
    }

    fn do_command(&mut self) -> Result<(), Failure> {
        self.cursor.skip_blanks();
        // Becomes a `Try` when an `on-error` follows.
        let start = self.emit(Op::Jump(self.here() + 1));
        self.block()?;
        if self.clause("while") {
            self.value(Word::Literal)?;
            self.emit(Op::If(start));
        } else if self.clause("on-error") {
            self.emit(Op::EndTry);
            let skip = self.emit(Op::Jump(0));
            self.replace(start, Op::Try(self.here()));
            self.block()?;
            self.replace(skip, Op::Jump(self.here()));
        }
        Ok(())
    }
}

/// How a word without quotes is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// As an argument of a menu: text.
    Text,
    /// As a literal: `yes` is a bool, `5` a number.
    Literal,
}

fn is_builtin(word: &str) -> bool {
    matches!(word, "local" | "global" | "set" | "if" | "for" | "foreach" | "while" | "do")
        || FUNCTIONS.iter().any(|(name, ..)| *name == word)
        || UNSUPPORTED.contains(&word)
}
