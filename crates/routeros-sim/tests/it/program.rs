//! Goal: the program runs a router, answers at its control socket, and says what is wrong in a sentence.
//! Method: the built program as a process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mastwire-router-sim"))
}

/// Ends the process when the test ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It is gone already when all went well.
        let _gone = self.0.kill();
        let _waited = self.0.wait();
    }
}

fn run(socket: &Path) -> (Running, Vec<String>) {
    let mut command = program();
    command.args([
        "run",
        "--board",
        "RB5009",
        "--routeros",
        "7.21.5",
        "--serial",
        "HG0123456789",
        "--api",
        "127.0.0.1:0",
        "--control",
    ]);
    let mut child = command.arg(socket).stdout(Stdio::piped()).spawn().expect("the program starts");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let lines: Vec<String> = output.lines().take(3).map(|line| line.expect("text")).collect();
    (Running(child), lines)
}

fn ctl(socket: &Path, words: &[&str]) -> Output {
    program().arg("ctl").arg(socket).args(words).output().expect("the program runs")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_router_is_run_asked_and_switched_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("sim.sock");
    let (mut running, lines) = run(&socket);
    assert_eq!(lines[0], "MikroTik (RB5009UG+S+), RouterOS 7.21.5, serial HG0123456789, device-mode advanced");
    assert!(lines[1].starts_with("API on 127.0.0.1:"), "{lines:?}");
    assert_eq!(text(&ctl(&socket, &["console", ":put", "[/system routerboard get serial-number]"])), "HG0123456789\n");
    assert!(text(&ctl(&socket, &["status"])).contains("RB5009UG+S+"));
    assert!(text(&ctl(&socket, &["print", "/ip/service", "name=api"])).contains("port=8728"));
    let failed = ctl(&socket, &["console", "/ip", "pool", "remove", "nothing"]);
    assert!(!failed.status.success());
    assert!(String::from_utf8_lossy(&failed.stdout).contains("no such item"));
    let json: serde_json::Value = serde_json::from_str(&text(&ctl(&socket, &["--json", "status"]))).expect("JSON");
    assert_eq!(json["version"], "7.21.5");
    text(&ctl(&socket, &["shutdown"]));
    assert!(running.0.wait().expect("an end").success());
    assert!(!socket.exists());
    let alone = ctl(&socket, &["status"]);
    assert!(String::from_utf8_lossy(&alone.stderr).contains("no router answers on"));
}

#[test]
fn help_and_boards() {
    let help = program().arg("--help").output().expect("the program runs");
    assert!(text(&help).contains("A virtual MikroTik router"));
    let boards = program().arg("boards").output().expect("the program runs");
    assert!(text(&boards).contains("RB760iGS"));
    let unknown = program().args(["run", "--board", "toaster"]).output().expect("the program runs");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no such board"));
}
