//! How login names and passwords are judged. Pure.

use jiff::{SignedDuration, Timestamp};

/// Shortest and longest password, in characters. The upper end keeps hashing bounded.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 10..=200;
/// Wrong passwords in a row before the login is locked.
const FAILURES_ALLOWED: i32 = 5;
/// How long a locked login stays locked.
const LOCK: SignedDuration = SignedDuration::from_mins(15);

/// Says what is wrong with a new password, if anything.
#[must_use]
pub fn password_fault(password: &str) -> Option<&'static str> {
    (!PASSWORD_CHARS.contains(&password.chars().count()))
        .then_some("choose 10 to 200 characters; a few words are better than symbols")
}

/// Says what is wrong with a login name, if anything.
#[must_use]
pub fn login_fault(login: &str) -> Option<&'static str> {
    let good = (3..=100).contains(&login.len())
        && login.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".@_+-".contains(&byte));
    (!good).then_some("use 3 to 100 of a-z, 0-9 and . @ _ + -")
}

/// After the given number of wrong passwords in a row, says until when the login is locked.
#[must_use]
pub fn locked_until(failures: i32, now: Timestamp) -> Option<Timestamp> {
    (failures > 0 && failures % FAILURES_ALLOWED == 0).then(|| now + LOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_wrong_password_locks() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(
            (1..=5).map(|failures| locked_until(failures, now).is_some()).collect::<Vec<_>>(),
            [false, false, false, false, true]
        );
    }

    #[test]
    fn names_and_passwords() {
        assert_eq!(password_fault("correct horse battery"), None);
        assert!(password_fault("short").is_some() && password_fault(&"x".repeat(201)).is_some());
        assert_eq!(login_fault("jane@isp.example"), None);
        assert!(login_fault("Jane").is_some() && login_fault("jo").is_some() && login_fault("a b c").is_some());
    }
}
