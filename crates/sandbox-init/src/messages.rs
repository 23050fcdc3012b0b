//! What the server, the launcher and init say to each other, as packets on a `SOCK_SEQPACKET` socket.
//!
//! One message is one packet, so nothing has to be framed. What init says is untrusted for the server: a packet that
//! does not decode is an error, never a panic.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// Largest packet. Arguments and environment of a function are far below (4 KB of user variables).
pub const PACKET_BYTES_MAX: usize = 128 * 1024;
/// Most descriptors that come along with a packet.
const DESCRIPTORS_MAX: usize = 8;

/// One process to start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// Path of the executable.
    pub path: OsString,
    /// Its arguments, the name at index 0 included.
    pub arguments: Vec<OsString>,
    /// `NAME=value`, all of it: nothing is inherited.
    pub environment: Vec<OsString>,
    /// Where it starts.
    pub working_directory: OsString,
    /// The number under which it finds the pipe for log frames, besides 1 and 2.
    pub log_fd: Option<i32>,
    /// `RLIMIT_NOFILE`.
    pub open_files_max: u64,
}

/// A folder or file of the host that an environment sees, for reading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bind {
    /// Where it is on the host.
    pub host: OsString,
    /// Where the environment sees it.
    pub inside: OsString,
}

/// What `/tmp` of an environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temporary {
    /// A file system that the server has made. Its mount, which nobody sees yet, comes along with the packet.
    Mounted,
    /// Memory, which counts as that of whoever writes there.
    Memory {
        /// Most of it.
        bytes_max: u64,
    },
}

impl Default for Temporary {
    fn default() -> Self {
        Self::Memory { bytes_max: 0 }
    }
}

/// What an environment of its own namespaces begins with, whatever its function: most of the work, which can be done
/// before there is a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Foundation {
    /// A folder of the host, of which it is to see nothing. Its root file system is mounted there, seen by nobody else.
    pub root: OsString,
    /// The user and the group of its processes, of nobody else on the host.
    pub user: u32,
    /// Makes a user namespace, in which this user of the host, of nobody else either, is user 0. Not for an init that was
    /// born in one.
    pub root_user: Option<u32>,
}

/// What an environment looks like to its function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walls {
    /// What it sees besides the host's programs.
    pub binds: Vec<Bind>,
    /// Its `/tmp`.
    pub temporary: Temporary,
    /// Most processes and threads.
    pub processes_max: u64,
    /// The content of its `/etc/resolv.conf`.
    pub resolver: OsString,
    /// Whether the packet carries a network namespace, which nobody else uses. Otherwise init makes one.
    pub network_is_prepared: bool,
}

/// From the server to init.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToInit {
    /// Lay the foundation of walls; the first message, if there are to be any. [`FromInit::FoundationLaid`] or
    /// [`FromInit::WallsFailed`] follows.
    LayFoundation(Foundation),
    /// Build the walls on it. [`FromInit::WallsBuilt`] or [`FromInit::WallsFailed`] follows. The packet carries descriptors
    /// of what the walls say is prepared: the network namespace, then the mount of `/tmp`.
    BuildWalls(Walls),
    /// Every process that is started from now on is to begin in the cgroups whose files the packet carries: see
    /// [`Groups`](crate::groups::Groups).
    EnterGroups {
        /// Whether the last of the files lets what stands still go on; the others let a process enter.
        has_freezer: bool,
    },
    /// Start a process; the packet carries the write end of the output pipe. For one that is restored from a snapshot it
    /// also carries the executable that does so, and its memory: the program says the rest, and its path nothing.
    Start {
        /// By what the server knows it.
        process: u32,
        /// What to start.
        program: Program,
    },
    /// Send a signal to the process group of a process.
    Signal {
        /// Which one.
        process: u32,
        /// The number of the signal.
        signal: i32,
    },
    /// Kill every process of this environment and say so when none is left.
    KillAll,
}

/// From init to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromInit {
    /// The foundation is there.
    FoundationLaid,
    /// The walls stand. If init has made the network, the packet carries listeners inside, for the Runtime API and for the
    /// AWS API, and a socket that answers each packet with a socket inside: whoever cannot prepare a network has no right
    /// to enter it either.
    WallsBuilt,
    /// The walls could not be built, and init has ended.
    WallsFailed {
        /// What it was doing.
        step: String,
        /// The error of the system call that failed.
        errno: i32,
    },
    /// The process runs (its `exec` worked). Behind walls the packet carries its pidfd: init does not know how the host
    /// counts.
    Started {
        /// Which one.
        process: u32,
        /// Its process id.
        pid: i32,
    },
    /// It could not be started.
    StartFailed {
        /// Which one.
        process: u32,
        /// The error of the system call that failed.
        errno: i32,
    },
    /// It ended.
    Exited {
        /// Which one.
        process: u32,
        /// How.
        status: ExitStatus,
        /// The most memory that it had resident, in KiB.
        memory_kb_max: u64,
        /// Its time on a CPU, with that of the children it has waited for, in microseconds.
        cpu_us: u64,
    },
    /// No process is left besides init itself; the answer to `KillAll`.
    AllGone,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By a signal.
    Signal {
        /// Its number.
        signal: i32,
        /// Whether it left a core file.
        core_dumped: bool,
    },
}

/// Writes a packet piece by piece.
#[derive(Default)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn text(mut self, text: &OsString) -> Self {
        self.0.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn texts(mut self, texts: &[OsString]) -> Self {
        self = self.number(texts.len() as u64);
        texts.iter().fold(self, Self::text)
    }
}

/// Reads what [`Encoder`] wrote; `None` when the packet is too short.
struct Decoder<'a>(&'a [u8]);

impl Decoder<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn int(&mut self) -> Option<i32> {
        self.number().map(|number| number as i32)
    }

    fn text(&mut self) -> Option<OsString> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(OsString::from_vec(text.to_vec()))
    }

    fn texts(&mut self) -> Option<Vec<OsString>> {
        let count = self.number()?;
        (0..count).map(|_| self.text()).collect()
    }

    fn temporary(&mut self) -> Option<Temporary> {
        match (self.number()?, self.number()?) {
            (0, _) => Some(Temporary::Mounted),
            (1, bytes_max) => Some(Temporary::Memory { bytes_max }),
            _ => None,
        }
    }

    fn binds(&mut self) -> Option<Vec<Bind>> {
        let count = self.number()?;
        (0..count).map(|_| Some(Bind { host: self.text()?, inside: self.text()? })).collect()
    }
}

impl ToInit {
    /// Writes the packet.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::default();
        let encoder = match self {
            Self::Start { process, program } => encoder
                .number(0)
                .number(u64::from(*process))
                .text(&program.path)
                .texts(&program.arguments)
                .texts(&program.environment)
                .text(&program.working_directory)
                .number(program.log_fd.map_or(u64::MAX, |fd| fd as u64))
                .number(program.open_files_max),
            Self::Signal { process, signal } => {
                encoder.number(1).number(u64::from(*process)).number(*signal as u64)
            }
            Self::KillAll => encoder.number(2),
            Self::EnterGroups { has_freezer } => encoder.number(4).number((*has_freezer).into()),
            Self::LayFoundation(foundation) => encoder
                .number(5)
                .text(&foundation.root)
                .number(foundation.user.into())
                .number(foundation.root_user.map_or(u64::MAX, u64::from)),
            Self::BuildWalls(walls) => {
                let encoder = encoder.number(3);
                let encoder = match walls.temporary {
                    Temporary::Mounted => encoder.number(0).number(0),
                    Temporary::Memory { bytes_max } => encoder.number(1).number(bytes_max),
                };
                let encoder = encoder.number(walls.processes_max);
                let encoder = encoder.text(&walls.resolver).number(walls.network_is_prepared.into());
                let encoder = encoder.number(walls.binds.len() as u64);
                walls.binds.iter().fold(encoder, |encoder, bind| encoder.text(&bind.host).text(&bind.inside))
            }
        };
        encoder.0
    }

    /// Reads a packet; `None` when it is none of ours.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let mut decoder = Decoder(packet);
        Some(match decoder.number()? {
            0 => Self::Start {
                process: decoder.number()? as u32,
                program: Program {
                    path: decoder.text()?,
                    arguments: decoder.texts()?,
                    environment: decoder.texts()?,
                    working_directory: decoder.text()?,
                    log_fd: i32::try_from(decoder.number()?).ok(),
                    open_files_max: decoder.number()?,
                },
            },
            1 => Self::Signal { process: decoder.number()? as u32, signal: decoder.int()? },
            2 => Self::KillAll,
            4 => Self::EnterGroups { has_freezer: decoder.number()? != 0 },
            5 => Self::LayFoundation(Foundation {
                root: decoder.text()?,
                user: u32::try_from(decoder.number()?).ok()?,
                root_user: u32::try_from(decoder.number()?).ok(),
            }),
            3 => Self::BuildWalls(Walls {
                temporary: decoder.temporary()?,
                processes_max: decoder.number()?,
                resolver: decoder.text()?,
                network_is_prepared: decoder.number()? != 0,
                binds: decoder.binds()?,
            }),
            _ => return None,
        })
    }
}

impl FromInit {
    /// Writes the packet.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::default();
        let encoder = match *self {
            Self::FoundationLaid => encoder.number(7),
            Self::WallsBuilt => encoder.number(5),
            Self::WallsFailed { ref step, errno } => {
                encoder.number(6).text(&step.into()).number(errno as u64)
            }
            Self::Started { process, pid } => encoder.number(0).number(process.into()).number(pid as u64),
            Self::StartFailed { process, errno } => {
                encoder.number(1).number(process.into()).number(errno as u64)
            }
            Self::Exited { process, status, memory_kb_max, cpu_us } => {
                let encoder = match status {
                    ExitStatus::Code(code) => encoder.number(2).number(process.into()).number(code as u64),
                    ExitStatus::Signal { signal, core_dumped } => {
                        let encoder = encoder.number(3).number(process.into()).number(signal as u64);
                        encoder.number(core_dumped.into())
                    }
                };
                encoder.number(memory_kb_max).number(cpu_us)
            }
            Self::AllGone => encoder.number(4),
        };
        encoder.0
    }

    /// Reads a packet; `None` when it is none of ours.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let mut decoder = Decoder(packet);
        let kind = decoder.number()?;
        match kind {
            4 => return Some(Self::AllGone),
            7 => return Some(Self::FoundationLaid),
            5 => return Some(Self::WallsBuilt),
            6 => {
                let step = decoder.text()?.into_string().ok()?;
                return Some(Self::WallsFailed { step, errno: decoder.int()? });
            }
            _ => {}
        }
        let process = u32::try_from(decoder.number()?).ok()?;
        let value = decoder.int()?;
        Some(match kind {
            0 => Self::Started { process, pid: value },
            1 => Self::StartFailed { process, errno: value },
            2 | 3 => {
                let status = match kind {
                    2 => ExitStatus::Code(value),
                    _ => ExitStatus::Signal { signal: value, core_dumped: decoder.number()? != 0 },
                };
                let (memory_kb_max, cpu_us) = (decoder.number()?, decoder.number()?);
                Self::Exited { process, status, memory_kb_max, cpu_us }
            }
            _ => return None,
        })
    }
}

/// Sends one packet, with descriptors if there are any.
pub fn send(socket: BorrowedFd<'_>, packet: &[u8], descriptors: &[RawFd]) -> io::Result<()> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let control: &[ControlMessage<'_>] = if descriptors.is_empty() { &[] } else { &rights };
    // The other end may be gone: that is an error to read, not a signal that ends us.
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(packet)], control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Receives one packet into `buffer`; returns its length and the descriptors that came along. Length 0 is the end.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = cmsg_space!([RawFd; DESCRIPTORS_MAX]);
    let mut slices = [IoSliceMut::new(buffer)];
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for control_message in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control_message {
            // SAFETY: the kernel has just made these descriptors for us, so they are open and nobody else owns them.
            #[allow(unsafe_code)]
            descriptors.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok((message.bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_reads_as_it_was_written() {
        let program = Program {
            path: "/bin/true".into(),
            arguments: vec!["true".into(), "a b\n".into()],
            environment: vec!["K=v=w".into(), OsString::from_vec(vec![b'X', b'=', 0xff])],
            working_directory: "/".into(),
            log_fd: Some(62),
            open_files_max: 1_024,
        };
        let foundation =
            Foundation { root: "/run/root".into(), user: 1_900_000_000, root_user: Some(2_000_000_000) };
        let walls = Walls {
            binds: vec![Bind { host: "/srv/code".into(), inside: "/var/task".into() }],
            temporary: Temporary::Memory { bytes_max: 512 << 20 },
            processes_max: 1_024,
            resolver: "nameserver 192.0.2.53\n".into(),
            network_is_prepared: true,
        };
        for message in [
            ToInit::Start { process: 7, program: program.clone() },
            ToInit::Start { process: 8, program: Program { log_fd: None, ..program } },
            ToInit::Signal { process: 7, signal: 15 },
            ToInit::KillAll,
            ToInit::EnterGroups { has_freezer: true },
            ToInit::EnterGroups { has_freezer: false },
            ToInit::BuildWalls(walls.clone()),
            ToInit::BuildWalls(Walls { temporary: Temporary::Mounted, ..walls }),
            ToInit::LayFoundation(foundation.clone()),
            ToInit::LayFoundation(Foundation { root_user: None, ..foundation }),
        ] {
            assert_eq!(ToInit::decode(&message.encode()), Some(message));
        }
        for message in [
            FromInit::Started { process: 1, pid: 4_711 },
            FromInit::StartFailed { process: 1, errno: 2 },
            FromInit::Exited { process: 1, status: ExitStatus::Code(7), memory_kb_max: 8_000, cpu_us: 9_000 },
            FromInit::Exited {
                process: 1,
                status: ExitStatus::Signal { signal: 11, core_dumped: true },
                memory_kb_max: 0,
                cpu_us: 0,
            },
            FromInit::AllGone,
            FromInit::FoundationLaid,
            FromInit::WallsBuilt,
            FromInit::WallsFailed { step: "mount /proc".to_owned(), errno: 1 },
        ] {
            assert_eq!(FromInit::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn a_cut_packet_is_no_message() {
        let packet = ToInit::Start { process: 7, program: Program::default() }.encode();
        for length in 0..packet.len() {
            assert_eq!(ToInit::decode(&packet[..length]), None, "{length}");
        }
    }
}
