//! RouterOS versions.

use std::fmt;
use std::str::FromStr;

/// Why a text is no RouterOS version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a RouterOS version such as 7.20.8 (stable)")]
pub struct VersionError;

/// A RouterOS version, compared by number; betas and release candidates count as the release they lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterosVersion {
    /// 7 in 7.20.8.
    pub major: u16,
    /// 20 in 7.20.8.
    pub minor: u16,
    /// 8 in 7.20.8, 0 where it is left out.
    pub patch: u16,
}

impl RouterosVersion {
    /// Makes a version.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }
}

impl FromStr for RouterosVersion {
    type Err = VersionError;

    /// Reads `7.20.8`, `7.22`, `7.21rc3` and what `/system/resource` shows: `7.20.8 (long-term)`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let number = text.split([' ', '_']).next().unwrap_or_default();
        let mut parts = number.split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse::<u16>().map_err(|_| VersionError)
        });
        let major = parts.next().ok_or(VersionError)??;
        let minor = parts.next().ok_or(VersionError)??;
        let patch = parts.next().transpose()?.unwrap_or(0);
        if parts.next().is_some() { Err(VersionError) } else { Ok(Self { major, minor, patch }) }
    }
}

impl fmt::Display for RouterosVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch == 0 { Ok(()) } else { write!(f, ".{}", self.patch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_routers_show() {
        assert_eq!("7.20.8 (long-term)".parse(), Ok(RouterosVersion::new(7, 20, 8)));
        assert_eq!("7.22rc1".parse(), Ok(RouterosVersion::new(7, 22, 0)));
        assert_eq!("6.49.17".parse(), Ok(RouterosVersion::new(6, 49, 17)));
        assert!("".parse::<RouterosVersion>().is_err() && "7".parse::<RouterosVersion>().is_err());
        assert!(RouterosVersion::new(7, 9, 2) < RouterosVersion::new(7, 20, 0));
    }
}
