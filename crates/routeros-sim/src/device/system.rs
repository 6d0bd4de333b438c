//! Commands that are paths of their own, and the log.

use super::request::{Output, Request, Session, Trap};
use super::table::{Fields, Origin};
use super::values::{Change, Taking};
use super::{Device, Effect, text};
use routeros::catalogue::Menu;

/// The rows that the log keeps in memory, as RouterOS does by default.
const LOG_ROWS: usize = 1_000;

/// How long a new device-mode waits for the button by default, in seconds.
const ACTIVATION: i64 = 300;

impl Device {
    /// Runs a command that is a path of its own.
    pub(super) fn run(&mut self, session: &Session, menu: &'static Menu, request: &Request) -> Result<Output, Trap> {
        let mut fields = Fields::new();
        for (name, value) in &request.args {
            if let Change::Put(name, value) = self.read_argument(menu, Taking::Add, name, value)? {
                fields.insert(name, value);
            }
        }
        let required = menu.args.iter().filter(|arg| arg.required && !fields.contains_key(arg.name));
        let missing: Vec<&str> = required.map(|arg| arg.name).collect();
        if !missing.is_empty() {
            return Err(Trap::failure(format!("missing value(s) of argument(s) {}", missing.join(" "))));
        }
        let given = |name: &str| fields.get(name).cloned().unwrap_or_default();
        match menu.path {
            "/system/reboot" => {
                self.log("system,info", &format!("router rebooted by {}", session.user));
                self.effects.push_back(Effect::Reboot);
                Ok(Output::default())
            }
            "/log/info" | "/log/warning" | "/log/error" | "/log/debug" => {
                let level = menu.path.trim_start_matches("/log/");
                self.log(&format!("script,{level}"), &given("message"));
                Ok(Output::default())
            }
            "/ip/hotspot/active/login" => self.hotspot_login_command(&fields).map(|()| Output::default()),
            "/system/device-mode/update" => {
                self.ask_for_mode(&given("mode"), &given("activation-timeout")).map(|()| Output::default())
            }
            "/tool/fetch" => {
                self.may_fetch(session)?;
                Err(Trap::failure("failure: this simulator runs it from the console only"))
            }
            "/export" => self.export_command(session, &fields),
            "/file/read" => self.read_file(&fields),
            "/import" => Err(Trap::failure("failure: this simulator runs it from the console only")),
            _ => Err(Trap::of(0, "no such command")),
        }
    }

    /// Notes the device-mode that is wanted; it comes with the button alone.
    fn ask_for_mode(&mut self, mode: &str, timeout: &str) -> Result<(), Trap> {
        let Ok(mode) = mode.parse() else {
            return Err(Trap::failure("failure: this simulator changes the device-mode as a whole: name a mode"));
        };
        let seconds = text::seconds(timeout).and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(ACTIVATION);
        if !(10..=86_400).contains(&seconds) {
            return Err(Trap::of(1, "value of activation-timeout is out of range (00:00:10 .. 1d00:00:00)"));
        }
        let until = self.now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(self.now);
        self.asked_mode = Some((mode, until));
        self.log("system,info", "device-mode: press the button or cut the power to confirm the update");
        Ok(())
    }

    /// Presses the button on the box: confirms a device-mode that is asked for, and restarts with it. Says whether there was
    /// one to confirm.
    pub fn press_button(&mut self) -> bool {
        let Some((mode, until)) = self.asked_mode.take() else { return false };
        if self.now > until {
            return false;
        }
        self.config.mode = mode;
        self.effects.push_back(Effect::Reboot);
        true
    }

    /// Gives the router another device-mode, and returns the one that it had.
    pub const fn set_mode(&mut self, mode: super::Mode) -> super::Mode {
        self.version += 1;
        std::mem::replace(&mut self.config.mode, mode)
    }

    /// Says whether somebody may fetch files.
    ///
    /// # Errors
    /// The trap that RouterOS would answer.
    pub(crate) fn may_fetch(&self, session: &Session) -> Result<(), Trap> {
        if !session.may("test") {
            return Err(Trap::not_enough_permissions());
        }
        if self.config.mode.allows("fetch") { Ok(()) } else { Err(Trap::device_mode()) }
    }

    /// Puts a fetched file into the flash, however long it is.
    pub fn store_file(&mut self, name: &str, contents: &str) {
        let size = contents.chars().count().to_string();
        let fields = [("name", name), ("contents", contents), ("size", &size), ("type", "file")];
        let fields: Fields = fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        self.insert("/file", Origin::Configured, fields, None);
    }

    /// Writes a row of `/log`.
    pub fn log(&mut self, topics: &str, message: &str) {
        let time = self.date_time();
        let id = self.new_id("/log");
        let fields = Fields::from([
            ("time", time),
            ("topics", topics.to_owned()),
            ("message", message.to_owned()),
            ("buffer", "memory".to_owned()),
        ]);
        let table = self.table("/log");
        table.insert(super::Row { id, origin: Origin::Configured, fields }, None);
        let oldest = table.iter().next().map(|row| row.id);
        if table.len() > LOG_ROWS
            && let Some(oldest) = oldest
        {
            table.remove(oldest);
        }
    }
}
