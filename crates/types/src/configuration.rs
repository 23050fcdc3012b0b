//! Small values of a function's configuration.

use std::fmt;
use std::time::Duration;

/// Memory of an environment in MB (1,048,576 bytes), 128 to 10,240.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryMb(u32);

impl MemoryMb {
    /// What a function has when it does not say: 128 MB.
    pub const DEFAULT: Self = Self(128);

    /// Checks the bounds of the service.
    pub fn new(mb: i64) -> Option<Self> {
        (128..=10_240).contains(&mb).then_some(Self(mb as u32))
    }

    /// Returns the number of MB.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// How long an invocation may take, in whole seconds, 1 to 900.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeoutSeconds(u32);

impl TimeoutSeconds {
    /// What a function has when it does not say: 3 seconds.
    pub const DEFAULT: Self = Self(3);

    /// Checks the bounds of the service.
    pub fn new(seconds: i64) -> Option<Self> {
        (1..=900).contains(&seconds).then_some(Self(seconds as u32))
    }

    /// Returns the number of seconds.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the same as a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every value, in AWS's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Reads the word as AWS spells it.
            pub fn parse(value: &str) -> Option<Self> {
                match value { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// Returns the word as AWS spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(
    /// The instruction set a function is built for.
    Architecture {
        /// Intel and AMD.
        X86_64 = "x86_64",
        /// Graviton and other 64-bit Arm.
        Arm64 = "arm64",
    }
);

words!(
    /// Whether Lambda itself samples traces.
    TracingMode {
        /// Lambda samples requests that nobody upstream decided about.
        Active = "Active",
        /// Lambda only hands on what it was given.
        PassThrough = "PassThrough",
    }
);

words!(
    /// The format of a function's log lines.
    LogFormat {
        /// One JSON object a line.
        Json = "JSON",
        /// Plain lines.
        Text = "Text",
    }
);

words!(
    /// A level of log detail. System logs know only `DEBUG`, `INFO` and `WARN`.
    LogLevel {
        /// Finest.
        Trace = "TRACE",
        /// Fine.
        Debug = "DEBUG",
        /// Ordinary.
        Info = "INFO",
        /// Odd, but handled.
        Warn = "WARN",
        /// An error of the function.
        Error = "ERROR",
        /// The end of the process.
        Fatal = "FATAL",
    }
);

words!(
    /// How an environment came to be; the value of `AWS_LAMBDA_INITIALIZATION_TYPE`.
    InitializationType {
        /// For a request that found no free environment.
        OnDemand = "on-demand",
        /// Ahead of requests, because the user paid for it.
        ProvisionedConcurrency = "provisioned-concurrency",
        /// From a snapshot of an initialised one, or to be the one that it is taken of.
        SnapStart = "snap-start",
    }
);
