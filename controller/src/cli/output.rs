//! Writes to the terminal. A reader that has seen enough (`| head`) is no error.

use std::io::{self, Write};

/// Writes a text to standard output.
///
/// # Errors
/// When it cannot be written, except that nobody reads it any more.
pub(super) fn print(text: &str) -> io::Result<()> {
    tolerate(write(io::stdout().lock(), text))
}

/// Writes a text to standard error; there is nowhere to tell that it failed.
pub(super) fn print_aside(text: &str) {
    let _: io::Result<()> = write(io::stderr().lock(), text);
}

fn write(mut to: impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}

fn tolerate(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_gone_reader_is_tolerated() {
        assert!(tolerate(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(tolerate(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
