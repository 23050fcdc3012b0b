//! The numbers that `hearth` ends with.

/// How `hearth` ended. Scripts rely on these numbers: they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// Everything was done. A server that drained after SIGTERM or SIGINT ends so, too.
    Success = 0,
    /// Something went wrong that no other number names.
    Failure = 1,
    /// The command line, a `HEARTH_*` variable or `hearth.toml` is wrong. Also Clap's own number for it.
    Usage = 2,
    /// The server could not start.
    StartFailed = 3,
    /// No server answers at the endpoint, or the connection to it broke.
    Unreachable = 4,
    /// The server refused the request: the function does not exist, a throttle, a service error.
    Refused = 5,
    /// The function was run and answered with a function error (`X-Amz-Function-Error`).
    FunctionError = 6,
}

impl ExitCode {
    /// What `hearth --help` says about the numbers.
    pub(crate) const HELP: &str = "\
Exit codes:
  0  done            3  the server could not start    6  the function answered with an error
  1  other failure   4  no server at the endpoint
  2  wrong setting   5  the server refused the request";
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_documented() {
        for code in [
            ExitCode::Success,
            ExitCode::Failure,
            ExitCode::Usage,
            ExitCode::StartFailed,
            ExitCode::Unreachable,
            ExitCode::Refused,
            ExitCode::FunctionError,
        ] {
            assert!(ExitCode::HELP.contains(&format!("  {}  ", code as u8)), "{code:?}");
        }
    }
}
