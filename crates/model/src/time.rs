//! Time and randomness are handed in, so that a test can set them.

use jiff::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Returns the present, cut to microseconds (PostgreSQL's grain).
    fn now(&self) -> Timestamp;
}

/// Draws randomness that is fit for keys.
pub trait Entropy: Send + Sync + std::fmt::Debug {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// Cuts a time to whole microseconds, so that what is stored equals what is read back.
#[must_use]
pub fn micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).expect("a time that was in range stays in range")
}

/// A clock that stands still until a test moves it.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub struct ManualClock(std::sync::Mutex<Timestamp>);

#[cfg(feature = "testing")]
impl ManualClock {
    /// Starts at a time.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self(std::sync::Mutex::new(micros(time)))
    }

    /// Moves forward, or back with a negative span.
    pub fn advance(&self, by: jiff::SignedDuration) {
        let mut now = self.0.lock().expect("no test panics while it moves the clock");
        *now = now.checked_add(by).expect("tests stay within the calendar");
    }
}

#[cfg(feature = "testing")]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no test panics while it moves the clock")
    }
}

/// Repeatable randomness for tests (SplitMix64); it is predictable and therefore absent from release builds.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub struct SeededEntropy(std::sync::atomic::AtomicU64);

#[cfg(feature = "testing")]
impl SeededEntropy {
    /// Starts from a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(std::sync::atomic::AtomicU64::new(seed))
    }
}

#[cfg(feature = "testing")]
impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let mut x = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, std::sync::atomic::Ordering::Relaxed);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^= x >> 31;
            chunk.copy_from_slice(&x.to_le_bytes()[..chunk.len()]);
        }
    }
}
