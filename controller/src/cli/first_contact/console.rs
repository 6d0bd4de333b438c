//! What is said to a router's console, and what its answers mean. Pure but for the contact it is given.
//!
//! A text goes over as one `exec` request, and not as keys typed into a shell: a shell greets with a banner, asks a new router's owner to
//! read the licence and to change the password, draws colours, and wraps and repeats what is typed (netmiko's issues 1016 and 3285 show
//! it), while `exec` prints what the command prints. That single commands and several after each other are taken this way is what backup
//! tools live on (Oxidized's `/export`, scripts with `exec_command(":put [/system identity get name]")`); that the braced block of
//! several lines is taken as one script is inferred from how RouterOS takes `;`-separated commands there (migotom/mt-bulk issue 8), and
//! wants a real router's word. Exit codes are not relied on: what the router says is.

use super::{ContactError, FirstContact, Person};
use crate::cli::table::one_line;
use model::{RouterosVersion, Secret};

/// Asks for the version; every RouterOS has it, and a program that is none does nothing with it.
const ASK_VERSION: &str = ":put [/system resource get version]";
/// The first RouterOS with WireGuard.
const WIREGUARD: RouterosVersion = RouterosVersion::new(7, 1, 0);

/// What the block says at its end, as `provisioning-scripts/enrol.rsc` has it.
const JOINED: &str = "Mastwire: joined.";
const NOT_JOINED: &str = "Mastwire: not joined within";
const UNCHANGED: &str = "Mastwire: nothing was changed.";

/// The most lines that are kept, and the longest line, characters.
const LINES_MAX: usize = 1_000;
const LINE_MAX: usize = 1_000;

/// How a block ended, by what the router said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Ending {
    /// It says that it has joined.
    Joined,
    /// It did all, and the tunnel did not come up meanwhile.
    NotJoined,
    /// It found something in its way and left all as it was.
    Unchanged,
    /// The device-mode forbids something.
    DeviceMode,
    /// The account may not do something.
    Permission,
    /// The console does not understand the block.
    Syntax,
    /// It said something else last.
    Failed,
    /// It said nothing at all.
    Nothing,
}

impl Ending {
    /// Reads what the router said.
    pub(super) fn of(said: &[String]) -> Self {
        let any = |parts: &[&str]| said.iter().any(|line| parts.iter().any(|part| line.contains(part)));
        // What went wrong comes last, so a router that says it has joined has done everything before.
        if any(&[JOINED]) {
            Self::Joined
        } else if any(&[NOT_JOINED]) {
            Self::NotJoined
        } else if any(&[UNCHANGED]) {
            Self::Unchanged
        } else if any(&["not allowed by device-mode"]) {
            Self::DeviceMode
        } else if any(&["not enough permissions"]) {
            Self::Permission
        } else if any(&[
            "expected end of command",
            "syntax error",
            "bad command name",
            "expected command name",
            "no such command",
        ]) || said.iter().any(|line| line.contains("(line ") && line.contains(" column "))
        {
            Self::Syntax
        } else if said.is_empty() {
            Self::Nothing
        } else {
            Self::Failed
        }
    }

    /// Says what it means and what to do; nothing for one that joined.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::Joined => "",
            Self::NotJoined => "the router did everything, but no tunnel came up within 60 s; it goes on trying",
            Self::Unchanged => {
                "the router holds something of that name that is not of this enrolment; do what it says above, and run this again"
            }
            Self::DeviceMode => {
                "its device-mode forbids it. On the router: /system/device-mode/update mode=advanced, then within 5 minutes press its \
                 button or cut its power; then run this again"
            }
            Self::Permission => "this account may not do it: log in with one of the group full",
            Self::Syntax => {
                "its console does not understand the block: nothing of it was run. Is this RouterOS up to date? \
                 If it is, paste the block by hand: mastwire-controller router reissue NAME"
            }
            Self::Failed => {
                "a command failed; what was done before it is harmless to repeat: mend what the router says, and run this again"
            }
            Self::Nothing => "the router ended the block without a word; what was done is harmless to repeat: run this again",
        }
    }
}

/// Asks which RouterOS this is, before it is sent anything that is secret.
///
/// # Errors
/// When it is none, or has no WireGuard.
pub(super) fn look(contact: &mut dyn FirstContact) -> Result<RouterosVersion, ContactError> {
    let mut lines = Lines::new(&[]);
    contact.run(ASK_VERSION, &mut |bytes| lines.take(bytes, &mut |_| {}))?;
    let said = lines.end(&mut |_| {});
    let version = said.iter().find_map(|line| line.trim().parse::<RouterosVersion>().ok());
    let Some(version) = version else {
        if Ending::of(&said) == Ending::Permission {
            return Err(ContactError::Stopped(Ending::Permission, said));
        }
        return Err(ContactError::NotRouterOs(said.first().cloned().unwrap_or_default()));
    };
    if version < WIREGUARD { Err(ContactError::TooOld(version)) } else { Ok(version) }
}

/// Runs a block and shows what the router says, as it says it. What came before a cut is returned too.
pub(super) fn run(
    contact: &mut dyn FirstContact,
    block: &Secret<String>,
    person: &mut dyn Person,
) -> (Vec<String>, Result<(), ContactError>) {
    let secrets = secrets(block.expose());
    let mut lines = Lines::new(&secrets);
    let outcome = contact.run(block.expose(), &mut |bytes| lines.take(bytes, &mut |line| person.hears(line)));
    let said = lines.end(&mut |line| person.hears(line));
    (said, outcome)
}

/// Finds what a router must not make us print, should it quote a command.
fn secrets(block: &str) -> Vec<&str> {
    let after = |name: &'static str| block.split(name).skip(1).filter_map(|rest| rest.strip_prefix('"')?.split('"').next());
    after("password=").chain(after("preshared-key=")).filter(|secret| !secret.is_empty()).collect()
}

/// Cuts what comes into lines.
struct Lines<'a> {
    secrets: &'a [&'a str],
    unfinished: Vec<u8>,
    said: Vec<String>,
}

impl<'a> Lines<'a> {
    const fn new(secrets: &'a [&'a str]) -> Self {
        Self { secrets, unfinished: Vec::new(), said: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8], hear: &mut dyn FnMut(&str)) {
        for byte in bytes {
            if matches!(byte, b'\r' | b'\n') {
                self.line(hear);
            } else {
                self.unfinished.push(*byte);
            }
        }
    }

    fn line(&mut self, hear: &mut dyn FnMut(&str)) {
        let bytes = std::mem::take(&mut self.unfinished);
        let mut line = one_line(String::from_utf8_lossy(&bytes).trim_end());
        for secret in self.secrets {
            line = line.replace(secret, "***");
        }
        if line.trim().is_empty() || self.said.len() >= LINES_MAX {
            return;
        }
        let line: String = line.chars().take(LINE_MAX).collect();
        hear(&line);
        self.said.push(line);
    }

    fn end(mut self, hear: &mut dyn FnMut(&str)) -> Vec<String> {
        self.line(hear);
        self.said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../../provisioning-scripts/enrol.rsc");

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_the_block_says_is_what_is_looked_for() {
        for text in [JOINED, NOT_JOINED, UNCHANGED] {
            assert!(TEMPLATE.contains(text), "{text}");
        }
    }

    #[test]
    fn endings_are_told_apart() {
        let cases = [
            ("Mastwire: joined. The rest happens at the controller.", Ending::Joined),
            ("Mastwire: the API service is closed to the controller. To open it\nMastwire: joined. The rest", Ending::Joined),
            ("Mastwire: not joined within 60 s. Either this text", Ending::NotJoined),
            ("/interface wireguard remove wg\nMastwire: nothing was changed. Take the old", Ending::Unchanged),
            ("failure: not allowed by device-mode", Ending::DeviceMode),
            ("not enough permissions (9)", Ending::Permission),
            ("expected end of command (line 5 column 30)", Ending::Syntax),
            ("bad command name wireguard (line 4 column 30)", Ending::Syntax),
            ("failure: already have such address", Ending::Failed),
            ("", Ending::Nothing),
        ];
        for (said, ending) in cases {
            assert_eq!(Ending::of(&lines(said)), ending, "{said}");
            assert_eq!(ending.remedy().is_empty(), ending == Ending::Joined);
        }
    }

    #[test]
    fn lines_come_as_they_are_said_without_secrets_and_control_characters() {
        let block = "add public-key=\"open\" preshared-key=\"hidden-1\" \\\n password=\"hidden-2\" password=\"\"";
        let secrets = secrets(block);
        assert_eq!(secrets, ["hidden-2", "hidden-1"]);
        let mut lines = Lines::new(&secrets);
        let mut heard = Vec::new();
        let mut hear = |line: &str| heard.push(line.to_owned());
        lines.take(b"first\r\nsec", &mut hear);
        lines.take(b"ond \x1b[31m\n\n", &mut hear);
        let said = {
            lines.take(b"invalid value hidden-1 and hidden-2, not open", &mut hear);
            lines.end(&mut hear)
        };
        assert_eq!(said, ["first", "second \u{fffd}[31m", "invalid value *** and ***, not open"]);
        assert_eq!(heard, said);
    }

    #[test]
    fn what_comes_is_bounded() {
        let mut lines = Lines::new(&[]);
        let long = "x".repeat(LINE_MAX * 3) + "\n";
        for _ in 0..LINES_MAX + 5 {
            lines.take(long.as_bytes(), &mut |_| {});
        }
        let said = lines.end(&mut |_| {});
        assert_eq!((said.len(), said[0].len()), (LINES_MAX, LINE_MAX));
    }
}
