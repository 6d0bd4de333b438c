//! Goal: hotspot customers log in, are limited and end as their user says.
//! Method: a pure router, devices that join and log in, time that passes.

use crate::support::Lab;
use routeros_sim::device::{HotspotError, Limit, Mode, Reach};
use routeros_sim::router::Customer;

const PHONE: &str = "AA:00:00:00:00:01";

fn login(lab: &mut Lab, user: &str, password: &str, mac: &str) -> Result<String, HotspotError> {
    let now = lab.now;
    let wish = Limit { upload: 80_000, download: 800_000 };
    lab.router.device_mut().hotspot_login(user, password, mac, "ether3", wish, now).map(|grant| grant.address.to_string())
}

#[test]
fn a_login_brings_its_rows() {
    let mut lab = Lab::new().with_hotspot();
    assert_eq!(login(&mut lab, "otieno", "secret", PHONE).as_deref(), Ok("10.6.0.10"));
    let active = lab.row("/ip/hotspot/active", "user", "otieno");
    assert_eq!((active["mac-address"].as_str(), active["session-time-left"].as_str()), (PHONE, "1h"));
    assert_eq!(lab.row("/ip/hotspot/host", "mac-address", PHONE)["authorized"], "true");
    assert_eq!(lab.row("/queue/simple", "name", "<hotspot-otieno>")["max-limit"], "1000000/2000000");
    assert_eq!(lab.row("/ip/hotspot/cookie", "mac-address", PHONE)["user"], "otieno");
    assert_eq!(lab.router.device().hotspot_reach(PHONE, "example.com"), Reach::Internet);
    lab.ok(&["/ip/hotspot/active/remove", &format!(".id={}", active[".id"])]);
    assert!(lab.print("/ip/hotspot/active").is_empty() && lab.print("/queue/simple").is_empty());
    assert_eq!(lab.router.device().hotspot_reach(PHONE, "example.com"), Reach::Redirected("hotspot login".into()));
}

#[test]
fn a_login_page_says_why() {
    let mut lab = Lab::new().with_hotspot();
    assert_eq!(login(&mut lab, "otieno", "wrong", PHONE), Err(HotspotError::Invalid));
    lab.ok(&["/ip/hotspot/user/set", ".id=otieno", "mac-address=AA:00:00:00:00:99"]);
    assert_eq!(login(&mut lab, "otieno", "secret", PHONE), Err(HotspotError::OtherDevice));
    lab.ok(&["/ip/hotspot/user/set", ".id=otieno", "mac-address=00:00:00:00:00:00", "disabled=yes"]);
    assert_eq!(login(&mut lab, "otieno", "secret", PHONE), Err(HotspotError::Invalid));
    lab.ok(&["/ip/hotspot/user/enable", ".id=otieno"]);
    assert!(login(&mut lab, "otieno", "secret", PHONE).is_ok());
    assert_eq!(login(&mut lab, "otieno", "secret", "AA:00:00:00:00:02"), Err(HotspotError::TooMany));
    lab.ok(&["/ip/hotspot/ip-binding/add", "mac-address=AA:00:00:00:00:03", "type=blocked"]);
    assert_eq!(login(&mut lab, "otieno", "secret", "AA:00:00:00:00:03"), Err(HotspotError::Blocked));
    lab.ok(&["/ip/hotspot/disable", ".id=hs1"]);
    assert!(lab.print("/ip/hotspot/active").is_empty(), "a disabled server serves nobody");
    assert_eq!(login(&mut lab, "otieno", "secret", PHONE), Err(HotspotError::NoServer));
}

#[test]
fn time_and_volume_run_out() {
    let mut lab = Lab::new().with_hotspot();
    login(&mut lab, "otieno", "secret", PHONE).expect("a login");
    lab.jump(1_800);
    assert_eq!(lab.row("/ip/hotspot/user", "name", "otieno")["uptime"], "30m");
    lab.jump(1_800);
    assert!(lab.print("/ip/hotspot/active").is_empty());
    assert_eq!(login(&mut lab, "otieno", "secret", PHONE), Err(HotspotError::UptimeLimit));
    lab.ok(&["/ip/hotspot/user/set", ".id=otieno", "limit-uptime=0s", "limit-bytes-total=500M"]);
    login(&mut lab, "otieno", "secret", PHONE).expect("a login");
    lab.jump(2_000);
    assert!(lab.print("/ip/hotspot/active").is_empty());
    assert_eq!(login(&mut lab, "otieno", "secret", PHONE), Err(HotspotError::TrafficLimit));
}

#[test]
fn a_cookie_outlives_the_session_but_not_the_user() {
    let mut lab = Lab::new().with_hotspot();
    let phone = Customer::Hotspot {
        mac: PHONE.into(),
        interface: "ether3".into(),
        user: Some("otieno".into()),
        password: "secret".into(),
    };
    let now = lab.now;
    assert!(lab.router.add_customer(phone, now).expect("room").online);
    let id = lab.row("/ip/hotspot/active", "user", "otieno")[".id"].clone();
    lab.ok(&["/ip/hotspot/user/set", ".id=otieno", "disabled=yes"]);
    assert_eq!(lab.print("/ip/hotspot/active").len(), 1, "a disabled user stays until its session is removed");
    lab.ok(&["/ip/hotspot/user/set", ".id=otieno", "disabled=no"]);
    lab.ok(&["/ip/hotspot/active/remove", &format!(".id={id}")]);
    lab.pass(1);
    assert_eq!(lab.row("/ip/hotspot/active", "user", "otieno")["login-by"], "mac-cookie");
    let id = lab.row("/ip/hotspot/active", "user", "otieno")[".id"].clone();
    lab.ok(&["/ip/hotspot/user/set", ".id=otieno", "disabled=yes"]);
    lab.ok(&["/ip/hotspot/active/remove", &format!(".id={id}")]);
    lab.pass(60);
    assert!(lab.print("/ip/hotspot/active").is_empty());
    lab.jump(3 * 86_400);
    assert!(lab.print("/ip/hotspot/cookie").is_empty(), "cookies end after three days");
}

#[test]
fn some_need_no_login() {
    let mut lab = Lab::new().with_hotspot();
    lab.ok(&["/ip/hotspot/walled-garden/add", "dst-host=*.pay.example", "action=allow"]);
    lab.ok(&["/ip/hotspot/ip-binding/add", "mac-address=AA:00:00:00:00:09", "type=bypassed"]);
    let now = lab.now;
    for mac in [PHONE, "AA:00:00:00:00:09"] {
        lab.router.device_mut().hotspot_join(mac, "ether3", Limit::default(), now).expect("an address");
    }
    let device = lab.router.device();
    assert_eq!(device.hotspot_reach(PHONE, "www.pay.example"), Reach::Internet);
    assert_ne!(device.hotspot_reach(PHONE, "www.example"), Reach::Internet);
    assert_eq!(device.hotspot_reach("AA:00:00:00:00:09", "www.example"), Reach::Internet);
}

#[test]
fn the_controller_logs_a_device_in() {
    let mut lab = Lab::new().with_hotspot();
    let now = lab.now;
    lab.router.device_mut().hotspot_join(PHONE, "ether3", Limit::default(), now).expect("an address");
    lab.ok(&["/ip/hotspot/active/login", "user=otieno", "password=secret", "ip=10.6.0.10", "mac-address=AA:00:00:00:00:01"]);
    assert_eq!(lab.row("/ip/hotspot/active", "user", "otieno")["address"], "10.6.0.10");
    assert_eq!(
        lab.refused(&["/ip/hotspot/active/login", "user=otieno", "password=x", "ip=10.6.0.99"]),
        "failure: unknown host IP"
    );
}

#[test]
fn home_mode_has_no_hotspot() {
    let mut lab = Lab::in_mode(Mode::Home);
    assert_eq!(lab.refused(&["/ip/hotspot/add", "interface=bridge", "disabled=no"]), "failure: not allowed by device-mode");
}
