//! The console: the part of the RouterOS scripting language that our own scripts use, refused clearly beyond that.
//!
//! A [`Console`] never waits by itself. It is resumed with the device it runs on and says why it stopped: everything is done,
//! a `:delay` wants device time to pass, or the device answered a command with [`Reply::Later`]. It reads no clock, draws no
//! randomness and does no I/O. A text is parsed into a flat list of steps, which a machine with a stack runs, so that a run can
//! stop anywhere and no text can exhaust the stack of the thread.
//!
//! # How text runs
//!
//! | | terminal ([`Console::terminal`]) | script ([`Console::script`]): import, scheduler |
//! |---|---|---|
//! | unit | one line, or as many as brackets, quotes and `\` at the end of a line keep open | the whole text |
//! | mistake in the text, unknown menu, command or argument | printed with line and column, nothing of the unit runs, the next runs | nothing of the script runs |
//! | command that fails | printed, the rest of the unit is dropped, the next unit runs | the script ends, what was done stays |
//! | local variables | end with the unit | end with the script |
//! | global variables | are known | are known where `:global name` declares them |
//! | menu | stays | the root at the beginning |
//!
//! # What is supported
//!
//! - **Commands** end with a line or `;`. `#` begins a comment where a command may begin, and nowhere else. `\` at the end of a
//!   line continues it.
//! - **Paths**: `/ip address add`, `/ip/address/add`, `/ip address` alone (changes the menu), `/ip address { add …; add … }`, `..`.
//!   Names are written in full; abbreviations are unknown names.
//! - **Arguments**: `name=value`, `name=` (empty), `!name` (clear), and without a name for the commands that take such. Code in
//!   braces (`on-event={ … }`) is checked and handed on as text. A value without quotes ends at a blank and holds no `=`, `$`,
//!   brackets or quotes.
//! - **Finding**: `[find …]` and `[find where …]`, `print where …`, `print count-only`, `print as-value`; conditions with
//!   `= != < > <= >= ~ ! && || and or ( )`; comparisons that stand side by side must all hold. As on RouterOS **a property hides
//!   the variable of the same name**: `[find name=$name]` compares each name with itself and finds every row.
//! - **Control**: `:if do= else=`, `:for from= to= step= do=`, `:foreach in= do=` (also `k,v`), `:while do=`, `:do while=`,
//!   `:do on-error=`, `{ }`. Clauses stand in this order. `:local`, `:global`, `:set`; the names of variables are letters and
//!   digits, anything else in quotes.
//! - **Functions**: `:put :log :error :delay :len :tostr :tonum :toarray :pick :find :typeof`.
//! - **Operators**, in parentheses, from tight to loose: `->`, `* / %`, `+ -`, `.`, `,`, comparisons and `~`, `&& and`,
//!   `|| or`; `!`, `not` and `-` bind tighter than all. Both sides of `&&` and `||` are evaluated.
//! - **Texts** with `\" \\ \$ \? \n \r \t \a \b \f \v \_ \41`, `$name`, `$(expression)` and `$[command]`.
//! - **Types**: bool, num, str, time, ip, ip-prefix, ip6, ip6-prefix, id, array (also with keys), nil, nothing. Text equals a number,
//!   address, time or id that it spells, and never a bool.
//! - **Patterns** behind `~`: `^ $ . [ ] * + ?` and `|`.
//!
//! An array over several lines is a mistake, as on RouterOS; so are `else=` on a line of its own and parentheses over lines
//! that are not continued.
//!
//! # What is refused
//!
//! Functions of one's own, `:parse`, `:execute`, `:resolve`, `:return`, `:onerror` and the other built-in functions; groups and
//! counts in patterns; words without quotes in expressions; bytes above `\7F`. The text begins with "not supported by the
//! simulator". Order of operators, the texts of arithmetic errors and what stands above under "Operators" are not documented by
//! the manual: scripts should use parentheses.
//!
//! # Limits
//!
//! 1 MiB of text, brackets 48 deep, 100 million steps of work, values of 16 MiB, arrays 8 deep in each other, 1 MiB of output,
//! 16 scripts that run each other. `on-error` does not catch a limit.

mod expression;
mod failure;
mod functions;
mod host;
mod lexer;
mod machine;
mod parser;
mod pattern;
mod program;
mod session;
mod value;

#[cfg(test)]
mod tests;

pub use failure::{Failure, FailureKind, Position};
pub use host::{Call, Globals, Host, Menus, Node, Reply, Row, ScriptError};
pub use session::{Console, Step};
pub use value::{Element, Value};
