//! Finds what the project needs on this machine, and installs what is missing where it can.

use crate::process::{capture, find_program, search_path, shown};
use anyhow::{Context, Result, bail, ensure};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest PostgreSQL that the database rules are written for.
const POSTGRES_MAJOR_MIN: u32 = 15;

/// Names the folder of the server's programs, to the controller and to every test that starts a private server.
pub(crate) const SERVER_FOLDER_VARIABLE: &str = "MASTWIRE_PG_BIN";

/// Read by Debian's scripts while a server package is installed; there only during our installation.
const NO_CLUSTER_FILE: &str = "/etc/postgresql-common/createcluster.d/mastwire.conf";
const NO_CLUSTER_TEXT: &str = "# Mastwire starts its own private server; remove this file if an installation left it behind.\ncreate_main_cluster = false\n";

/// How much `setup` reports when nothing is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What is needed.
    Needed,
    /// The optional programs too.
    WithExtras,
}

/// Finds or installs what is needed: the server programs of PostgreSQL, whose folder it gives, a C compiler, and what OpenSSL is built
/// with.
///
/// # Errors
/// When something is missing and cannot be installed from here; the error names what to install.
pub(crate) fn setup(detail: Detail) -> Result<PathBuf> {
    let mut machine = Machine::look()?;
    let missing = machine.missing();
    if !missing.is_empty() {
        install(&missing)?;
        machine = Machine::look()?;
    }
    let Machine { postgres: Some(server), compiler: Some(compiler), builders: true } = machine else {
        bail!("still missing after the installation: {}", in_words(&machine.missing()));
    };
    println!("set-up: PostgreSQL {} in {}, C compiler {}", server.major, server.folder.display(), compiler.display());
    if detail == Detail::WithExtras {
        for (name, present, used_for) in extras() {
            println!("  optional: {name} {} ({used_for})", if present { "is here" } else { "is not here" });
        }
    }
    Ok(server.folder)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Postgres,
    Compiler,
    /// `perl` and `make`: libssh2 brings OpenSSL along as source.
    Builders,
}

fn in_words(needs: &[Need]) -> String {
    let word = |need: &Need| match need {
        Need::Postgres => format!("the server programs of PostgreSQL {POSTGRES_MAJOR_MIN} or newer"),
        Need::Compiler => "a C compiler (cc)".to_owned(),
        Need::Builders => "perl and make (for OpenSSL, which SSH needs)".to_owned(),
    };
    needs.iter().map(word).collect::<Vec<_>>().join(" and ")
}

/// What was found on this machine.
#[derive(Debug)]
struct Machine {
    postgres: Option<Postgres>,
    compiler: Option<PathBuf>,
    builders: bool,
}

#[derive(Debug)]
struct Postgres {
    folder: PathBuf,
    major: u32,
}

impl Machine {
    fn look() -> Result<Self> {
        let usable = |folder: PathBuf| {
            let major = server_major(&folder).filter(|major| *major >= POSTGRES_MAJOR_MIN)?;
            Some(Postgres { folder, major })
        };
        let postgres = match std::env::var_os(SERVER_FOLDER_VARIABLE) {
            // Whoever names a folder is told when it is the wrong one; nothing else is taken or installed in its place.
            Some(folder) => Some(usable(folder.clone().into()).with_context(|| {
                format!(
                    "{SERVER_FOLDER_VARIABLE} is {}, which holds no server of PostgreSQL {POSTGRES_MAJOR_MIN} or newer",
                    folder.display()
                )
            })?),
            None => server_folders().into_iter().find_map(usable),
        };
        // OpenSSL's build needs a whole perl; Debian's smallest one lacks this module.
        let perl = capture(Command::new("perl").args(["-MIPC::Cmd", "-e", "1"])).is_ok();
        Ok(Self { postgres, compiler: find_program("cc"), builders: perl && find_program("make").is_some() })
    }

    fn missing(&self) -> Vec<Need> {
        let needs = [
            (self.postgres.is_none(), Need::Postgres),
            (self.compiler.is_none(), Need::Compiler),
            (!self.builders, Need::Builders),
        ];
        needs.into_iter().filter_map(|(missing, need)| missing.then_some(need)).collect()
    }
}

/// Lists the folders that may hold the server's programs, in the order they are preferred.
///
/// A program found by name may be a link or a wrapper, so a folder counts only once its links are resolved and the server in it answers.
fn server_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = search_path()
        .into_iter()
        .filter_map(|folder| folder.join("initdb").canonicalize().ok())
        .filter_map(|initdb| Some(initdb.parent()?.to_owned()))
        .collect();
    folders.extend(capture(Command::new("pg_config").arg("--bindir")).ok().map(|text| PathBuf::from(text.trim())));
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok())));
    folders.extend(versions.into_iter().map(|version| version.join("bin")));
    folders
}

/// Gives the version of the server in a folder that holds what a private server is made and run with.
fn server_major(folder: &Path) -> Option<u32> {
    let complete = ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file());
    if !complete {
        return None;
    }
    parse_major(&capture(Command::new(folder.join("postgres")).arg("--version")).ok()?)
}

/// Reads the major version from `postgres (PostgreSQL) 15.14 (Debian …)` or `… 18devel`.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.trim().strip_prefix("postgres (PostgreSQL) ")?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

/// Tells what is here of the programs that only some tests use as outside judges.
fn extras() -> [(&'static str, bool, &'static str); 3] {
    let librouteros = capture(Command::new("python3").args(["-c", "import librouteros"])).is_ok();
    let wireguard = ["wireguard-go", "wg", "ip", "ping"].iter().all(|program| find_program(program).is_some());
    [
        ("python3 with librouteros", librouteros, "a second client against the simulator, and the bench of our client"),
        ("wireguard-go, wg, ip and ping", wireguard, "a second WireGuard against the hub, as root"),
        ("sshd and ssh-keygen", has_sshd(), "a real SSH server in front of the simulator's console"),
    ]
}

/// Debian's units of an SSH server, and where a link to nothing keeps them from ever starting.
const SSH_UNITS: [&str; 2] = ["/etc/systemd/system/ssh.service", "/etc/systemd/system/ssh.socket"];
/// Asked by Debian's scripts before they start a service; there only during our installation.
const NO_START_FILE: &str = "/usr/sbin/policy-rc.d";
const NO_START_TEXT: &str = "#!/bin/sh\n# Mastwire wants the program and no running server; remove this file if an installation left it behind.\nexit 101\n";

fn has_sshd() -> bool {
    let usual = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].iter().any(|sshd| Path::new(sshd).is_file());
    (usual || find_program("sshd").is_some()) && find_program("ssh-keygen").is_some()
}

/// Installs OpenSSH's server where it is missing and can be had: one scenario starts it on a free port of this machine. It is kept from
/// running as a service. Where it cannot be had, that scenario says that it was skipped.
pub(crate) fn ssh_server() {
    if has_sshd() {
        return;
    }
    let (Some(admin), true) = (Admin::find(), find_program("apt-get").is_some()) else {
        println!("set-up: no SSH server here, and none can be installed: its scenario will be skipped");
        return;
    };
    println!(
        "set-up: installing openssh-server for a scenario (apt-get install); masked, so that it does not listen: systemctl unmask ssh ends that"
    );
    if let Err(error) = install_ssh_server(admin) {
        println!("set-up: OpenSSH's server was not installed, its scenario will be skipped: {error:#}");
    }
}

fn install_ssh_server(admin: Admin) -> Result<()> {
    for unit in SSH_UNITS.iter().filter(|unit| std::fs::symlink_metadata(unit).is_err()) {
        capture(admin.command("mkdir").args(["-p", "/etc/systemd/system"]))?;
        capture(admin.command("ln").args(["-s", "/dev/null", unit]))?;
    }
    // Somebody else's rule for services stands.
    let ours = !Path::new(NO_START_FILE).exists();
    if ours {
        admin.write(NO_START_FILE, NO_START_TEXT)?;
        capture(admin.command("chmod").args(["755", NO_START_FILE]))?;
    }
    let install = || admin.apt(&["install", "--yes", "--no-install-recommends", "openssh-server"]);
    // The package lists may be old, or not there at all.
    let installed = install().or_else(|_| admin.apt(&["update"]).and_then(|()| install()));
    let removed = if ours { capture(admin.command("rm").arg(NO_START_FILE)).map(drop) } else { Ok(()) };
    installed.and(removed)
}

/// Installs what is missing with apt-get, saying each step before it is taken.
fn install(missing: &[Need]) -> Result<()> {
    let what = in_words(missing);
    println!("set-up: missing: {what}");
    ensure!(find_program("apt-get").is_some(), "install {what} with this system's package manager, then run this again");
    let Some(admin) = Admin::find() else {
        bail!("install {what}, or run `cargo xtask setup` once as root: this account has no sudo without a password");
    };
    println!("set-up: refreshing the package lists (apt-get update)");
    admin.apt(&["update"])?;
    let mut packages = Vec::new();
    for need in missing {
        match need {
            Need::Compiler => packages.extend(["gcc".to_owned(), "libc6-dev".to_owned()]),
            Need::Builders => packages.extend(["perl".to_owned(), "make".to_owned()]),
            Need::Postgres => {
                let known = capture(Command::new("apt-cache").args(["search", "--names-only", "^postgresql-[0-9]+$"]))?;
                let Some(package) = server_package(&known) else {
                    bail!(
                        "the package lists hold no PostgreSQL {POSTGRES_MAJOR_MIN} or newer (is this machine online?): install it, for example from postgresql.org/download, then run this again"
                    );
                };
                packages.push(package);
            }
        }
    }
    let no_cluster = missing.contains(&Need::Postgres);
    if no_cluster {
        println!(
            "set-up: keeping Debian from starting a server of its own ({NO_CLUSTER_FILE}, for the time of the installation)"
        );
        admin.write(NO_CLUSTER_FILE, NO_CLUSTER_TEXT)?;
    }
    println!("set-up: installing {} (apt-get install)", packages.join(" "));
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend(packages.iter().map(String::as_str));
    let installed = admin.apt(&args);
    let removed = if no_cluster { capture(admin.command("rm").arg(NO_CLUSTER_FILE)).map(drop) } else { Ok(()) };
    installed.and(removed)
}

/// Picks the newest usable server from the lines of `apt-cache search` (`postgresql-15 - …`).
fn server_package(known: &str) -> Option<String> {
    let majors =
        known.lines().filter_map(|line| line.split_whitespace().next()?.strip_prefix("postgresql-")?.parse::<u32>().ok());
    majors.filter(|major| *major >= POSTGRES_MAJOR_MIN).max().map(|major| format!("postgresql-{major}"))
}

/// How commands are run as root.
#[derive(Debug, Clone, Copy)]
enum Admin {
    Root,
    Sudo,
}

impl Admin {
    fn find() -> Option<Self> {
        if nix::unistd::geteuid().is_root() {
            return Some(Self::Root);
        }
        capture(Command::new("sudo").args(["-n", "true"])).is_ok().then_some(Self::Sudo)
    }

    fn command(self, program: &str) -> Command {
        match self {
            Self::Root => Command::new(program),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", program]);
                command
            }
        }
    }

    fn apt(self, args: &[&str]) -> Result<()> {
        // By `env`, because sudo keeps the environment from its command.
        let mut command = self.command("env");
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]).args(args);
        capture(&mut command).map(drop)
    }

    fn write(self, file: &str, text: &str) -> Result<()> {
        let folder = Path::new(file).parent().context("a file lies in a folder")?;
        capture(self.command("mkdir").arg("-p").arg(folder))?;
        let mut command = self.command("tee");
        command.arg(file).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", shown(&command)))?;
        child.stdin.take().expect("stdin is piped three lines above").write_all(text.as_bytes())?;
        let status = child.wait()?;
        ensure!(status.success(), "{} failed ({status})", shown(&command));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Admin, Machine, Need, in_words, parse_major, server_major, server_package};
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    fn program(folder: &Path, name: &str, script: &str) {
        let file = folder.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("made a program");
    }

    #[test]
    fn version_is_read_in_every_form() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18devel"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) 17"), Some(17));
        assert_eq!(parse_major("pg_ctl (PostgreSQL) 15.14"), None);
        assert_eq!(parse_major("postgres (PostgreSQL) beta"), None);
    }

    #[test]
    fn folder_counts_only_with_a_complete_server_that_answers() {
        let folder = tempfile::tempdir().expect("a folder of our own");
        program(folder.path(), "postgres", "echo 'postgres (PostgreSQL) 16.2'");
        assert_eq!(server_major(folder.path()), None, "initdb is missing");
        program(folder.path(), "initdb", "exit 0");
        assert_eq!(server_major(folder.path()), Some(16));
        program(folder.path(), "postgres", "echo 'Error: no server is installed' >&2; exit 1");
        assert_eq!(server_major(folder.path()), None, "a wrapper without a server behind it");
        assert_eq!(server_major(Path::new("absent")), None);
    }

    #[test]
    fn newest_usable_server_package_is_picked() {
        let known = "postgresql-9 - old\npostgresql-16 - The World's Most Advanced Open Source Relational Database\npostgresql-17 - same\n";
        assert_eq!(server_package(known), Some("postgresql-17".to_owned()));
        assert_eq!(server_package("postgresql-13 - too old\n"), None);
        assert_eq!(server_package(""), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let bare = Machine { postgres: None, compiler: None, builders: false };
        assert_eq!(bare.missing(), [Need::Postgres, Need::Compiler, Need::Builders]);
        assert_eq!(
            in_words(&bare.missing()),
            "the server programs of PostgreSQL 15 or newer and a C compiler (cc) and perl and make (for OpenSSL, which SSH needs)"
        );
        let half = Machine { postgres: None, compiler: Some(PathBuf::from("/usr/bin/cc")), builders: true };
        assert_eq!(half.missing(), [Need::Postgres]);
    }

    #[test]
    fn file_is_written_with_its_folder() {
        let folder = tempfile::tempdir().expect("a folder of our own");
        let file = folder.path().join("a").join("b.conf");
        Admin::Root.write(file.to_str().expect("a plain path"), "text\n").expect("written");
        assert_eq!(std::fs::read_to_string(&file).expect("read back"), "text\n");
    }
}
