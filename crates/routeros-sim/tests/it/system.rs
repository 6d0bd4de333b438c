//! Goal: scripts, scheduler, clock and restarts behave as on a router.
//! Method: a pure router whose time is set.

use crate::support::{Lab, config};
use routeros_sim::device::Mode;

#[test]
fn a_paste_goes_on_after_a_mistake() {
    let mut lab = Lab::new();
    let ended = lab.paste("/ip pool add name=a ranges=10.0.0.1-10.0.0.9\n/ip pool add name=a ranges=10.0.0.1-10.0.0.9\n:put [/ip pool get a ranges]\n");
    assert_eq!(ended.failures.len(), 1);
    assert_eq!(ended.output, ["failure: already have such entry", "10.0.0.1-10.0.0.9"]);
}

#[test]
fn a_paste_finds_sets_and_removes() {
    let mut lab = Lab::new();
    let ended = lab.paste(
        "/interface wireguard add name=wg comment=\"mw:000000000001\"\n\
         :local mwId [/interface wireguard find where comment~\"^mw:\"]\n\
         /interface wireguard set [find name=wg] mtu=1280\n\
         :put [/interface wireguard get wg mtu]\n\
         :if ([:len [/system ntp client get servers]] = 0) do={ /system ntp client set enabled=yes servers=192.0.2.1 }\n\
         :put [/system ntp client get status]\n\
         :do { /ip pool remove nothing } on-error={ :put \"caught\" }\n\
         /interface wireguard remove [find comment~\"^mw:\"]\n\
         /interface wireguard remove [find comment~\"^mw:\"]\n\
         :put [:len [/interface wireguard find]]\n",
    );
    assert_eq!(ended.failures, [], "{:?}", ended.output);
    assert_eq!(ended.output, ["1280", "synchronized", "caught", "0"]);
}

#[test]
fn an_import_with_a_syntax_error_does_nothing() {
    let mut lab = Lab::new();
    let now = lab.now;
    let id = lab.router.start_script("/ip pool add name=a ranges=10.0.0.1-10.0.0.9\n/ip pool ad name=b\n", now).expect("room");
    let ended = lab.router.take_ended(id).expect("an end");
    assert_eq!(ended.failures.len(), 1);
    assert!(lab.print("/ip/pool").is_empty());
}

#[test]
fn a_file_is_imported() {
    let mut lab = Lab::new();
    lab.ok(&["/file/add", "name=setup.rsc", "contents=/ip pool add name=a ranges=10.0.0.1-10.0.0.9"]);
    let ended = lab.paste("/import file-name=setup.rsc\n/import file-name=none.rsc\n");
    assert_eq!(ended.failures.len(), 1);
    assert_eq!(lab.print("/ip/pool").len(), 1);
}

#[test]
fn a_delay_takes_device_time() {
    let mut lab = Lab::new();
    let before = lab.now;
    lab.paste(":delay 20s\n:log warning \"late\"\n");
    assert!(lab.now.duration_since(before).as_secs() >= 20);
    assert_eq!(lab.row("/log", "message", "late")["topics"], "script,warning");
}

#[test]
fn home_mode_fetches_nothing() {
    let mut lab = Lab::in_mode(Mode::Home);
    let ended = lab.paste("/tool fetch url=\"http://127.0.0.1:1/x\"\n");
    assert_eq!(ended.output, ["failure: not allowed by device-mode"]);
    assert_eq!(lab.single("/system/device-mode")["fetch"], "false");
    assert!(lab.router.take_fetch().is_none());
}

#[test]
fn the_scheduler_runs_at_its_time() {
    let mut lab = Lab::new();
    lab.ok(&["/ip/pool/add", "name=a", "ranges=10.0.0.1-10.0.0.9"]);
    let entry = [
        "/system/scheduler/add",
        "name=fuse",
        "start-date=2026-11-21",
        "start-time=10:00:00",
        "on-event=/ip pool remove a",
        "policy=read,write",
    ];
    lab.ok(&entry);
    assert_eq!(lab.row("/system/scheduler", "name", "fuse")["next-run"], "2026-11-21 10:00:00");
    lab.jump(3_599);
    assert_eq!(lab.print("/ip/pool").len(), 1);
    lab.jump(1);
    assert!(lab.print("/ip/pool").is_empty());
    let row = lab.row("/system/scheduler", "name", "fuse");
    assert!(row["run-count"] == "1" && !row.contains_key("next-run"), "{row:?}");
    lab.ok(&["/system/scheduler/add", "name=beat", "interval=10m", "on-event=:log info beat", "policy=read,write"]);
    lab.pass(1);
    for _ in 0..3 {
        lab.jump(600);
    }
    assert_eq!(lab.row("/system/scheduler", "name", "beat")["run-count"], "4");
}

#[test]
fn a_script_may_do_what_its_policy_grants() {
    let mut lab = Lab::new();
    lab.ok(&["/system/scheduler/add", "name=weak", "on-event=/ip pool add name=a ranges=10.0.0.1", "policy=read"]);
    lab.pass(1);
    assert!(lab.print("/ip/pool").is_empty());
    assert!(lab.print("/log").iter().any(|row| row["message"].contains("not enough permissions (9)")));
}

#[test]
fn the_scheduler_goes_by_the_routers_zone() {
    let mut lab = Lab::new();
    lab.ok(&["/system/clock/set", "time-zone-name=Africa/Nairobi"]);
    let clock = lab.single("/system/clock");
    if clock["gmt-offset"] == "+00:00" {
        // This machine has no zone files; the router then stays on UTC.
        return;
    }
    assert_eq!((clock["time"].as_str(), clock["gmt-offset"].as_str()), ("12:00:00", "+03:00"));
    lab.ok(&["/system/scheduler/add", "name=a", "start-date=2026-11-21", "start-time=12:30:00", "on-event=:log info done"]);
    lab.jump(1_800);
    assert_eq!(lab.row("/system/scheduler", "name", "a")["run-count"], "1");
}

#[test]
fn a_clock_of_1970_is_set_right_by_ntp() {
    let mut config = config("hEX S", "7.20.8");
    config.clock = Some("1970-01-02T00:00:00Z".parse().expect("a time"));
    config.internet = false;
    let mut lab = Lab::with(config);
    assert_eq!(lab.single("/system/clock")["date"], "1970-01-02");
    lab.ok(&["/system/ntp/client/set", "enabled=yes", "servers=pool.example"]);
    assert_eq!(lab.single("/system/ntp/client")["status"], "waiting");
    lab.router.device_mut().set_internet(true);
    lab.pass(1);
    assert_eq!(lab.single("/system/ntp/client")["status"], "synchronized");
    assert_eq!(lab.single("/system/clock")["date"], "2026-11-21");
    lab.ok(&["/system/ntp/client/set", "enabled=no"]);
    lab.ok(&["/system/clock/set", "date=2020-02-03", "time=04:05:06"]);
    let clock = lab.single("/system/clock");
    assert_eq!((clock["date"].as_str(), clock["time"].as_str()), ("2020-02-03", "04:05:06"));
    assert_eq!(lab.refused(&["/system/clock/set", "date=tomorrow"]), "invalid value for argument date");
}

#[test]
fn a_restart_keeps_the_configuration_only() {
    let mut lab = Lab::new().with_pppoe();
    lab.ok(&["/system/scheduler/add", "name=up", "start-time=startup", "on-event=:log info started", "policy=read,write"]);
    let now = lab.now;
    let asha = routeros_sim::router::Customer::Pppoe {
        name: "asha".into(),
        password: "secret".into(),
        mac: String::new(),
        interface: "ether2".into(),
    };
    lab.router.add_customer(asha, now).expect("room");
    lab.pass(100);
    lab.ok(&["/system/reboot"]);
    assert_eq!(lab.router.boots(), 2);
    assert_eq!(lab.single("/system/resource")["uptime"], "0s");
    assert_eq!(lab.print("/ppp/secret").len(), 1);
    lab.pass(2);
    assert!(lab.print("/log").iter().any(|row| row["message"] == "started"));
    assert_eq!(lab.row("/ppp/active", "name", "asha")["uptime"], "0s", "the customer dialled again");
}

#[test]
fn the_log_is_bounded() {
    let mut lab = Lab::new();
    for _ in 0..1_100 {
        lab.ok(&["/log/info", "message=x"]);
    }
    assert_eq!(lab.print("/log").len(), 1_000);
}

#[test]
fn what_preflight_reads() {
    let mut lab = Lab::with(config("RB5009", "7.20.8"));
    let resource = lab.single("/system/resource");
    assert_eq!((resource["version"].as_str(), resource["board-name"].as_str()), ("7.20.8 (long-term)", "RB5009UG+S+"));
    assert_eq!(lab.row("/ip/route", "dst-address", "0.0.0.0/0")["gateway"], "192.0.2.1");
    assert_eq!(lab.row("/interface", "name", "ether2")["slave"], "true");
    assert_eq!(lab.row("/ip/service", "name", "api")["port"], "8728");
    let mut chr = Lab::new();
    assert!(chr.single("/system/license").contains_key("system-id"));
}

#[test]
fn a_device_mode_comes_with_the_button() {
    let mut lab = Lab::in_mode(Mode::Home);
    assert!(!lab.router.device_mut().press_button(), "nothing was asked for");
    lab.ok(&["/system/device-mode/update", "mode=advanced"]);
    lab.pass(2);
    assert_eq!(lab.single("/system/device-mode")["mode"], "home");
    lab.jump(400);
    assert!(!lab.router.device_mut().press_button(), "too late");
    lab.ok(&["/system/device-mode/update", "mode=advanced"]);
    assert!(lab.router.device_mut().press_button());
    lab.pass(1);
    assert_eq!(lab.single("/system/device-mode")["mode"], "advanced");
    assert_eq!(lab.router.boots(), 2);
    let text = lab.refused(&["/system/device-mode/update", "mode=home", "activation-timeout=2s"]);
    assert_eq!(text, "value of activation-timeout is out of range (00:00:10 .. 1d00:00:00)");
}
