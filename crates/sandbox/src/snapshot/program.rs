//! The program that builds a process again from a snapshot: an executable of one page of code and a list of system calls.
//!
//! It begins in an address space of its own, moves what the kernel has mapped to where the process had it, unmaps the rest,
//! maps what the process had mapped, and jumps to where it stood. Files have to be the ones that they were.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use nix::libc::{self, c_long};

use super::code::{
    CALL_BYTES, CALLS, COMPARE, FROM_VDSO, MAY_FAIL, MUST_BE, MUST_DIFFER, OF_FILE, ON_FILE, OPENS, PLAN,
    REGISTERS, code,
};
use super::layout::{Layout, Mapping, PAGE, What};
use super::tracee::State;
use super::{SnapshotError, failed};
use hearth_sandbox_init::IMAGE_FD;

/// Where the program may be: between what programs and libraries get, where nothing ever is.
const PLACES: [u64; 4] = [0x1000_0000_0000, 0x2000_0000_0000, 0x3000_0000_0000, 0x0800_0000_0000];
/// How much room is kept around it.
const ROOM: u64 = 1 << 30;
/// The end of what a program can map.
const END: u64 = 0x7fff_ffff_f000;
/// How much a stack may grow. As the limit of the host's is by default.
const STACK_BYTES: u64 = 8 << 20;
/// Where the code begins in its page, after the heads of the executable.
const CODE: u64 = 512;
/// How much of the memory is copied at once.
const COPIED_BYTES: usize = 1 << 20;

/// A value that a call is given.
#[derive(Clone, Copy)]
enum Value {
    Number(u64),
    /// An address within the data.
    Data(u64),
    /// The page that can be written to.
    Scratch(u64),
}
use Value::{Data, Number, Scratch};

#[derive(Default)]
struct Plan {
    calls: Vec<(u64, u64, [Value; 6])>,
    data: Vec<u8>,
}

impl Plan {
    fn call<const N: usize>(&mut self, kind: u64, number: c_long, arguments: [Value; N]) {
        let mut all = [Number(0); 6];
        all[..N].copy_from_slice(&arguments);
        self.calls.push((kind, number as u64, all));
    }

    fn data(&mut self, bytes: &[u8]) -> Value {
        let at = self.data.len();
        self.data.extend_from_slice(bytes);
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        Data(at as u64)
    }

    fn compare(&mut self, scratch: u64, value: u64) {
        self.call(COMPARE, 0, [Scratch(scratch), Number(value)]);
    }
}

/// Writes the memory of the process into `image`, and returns the executable and how many bytes of memory there are.
pub(super) fn plan(
    pid: i32,
    state: &State,
    layout: &Layout,
    image: &File,
    bytes_max: u64,
) -> Result<(Vec<u8>, u64), SnapshotError> {
    let is_free = |place: &&u64| {
        layout.mappings.iter().all(|mapping| mapping.end < **place - ROOM || mapping.begin > **place + ROOM)
    };
    let place = *PLACES
        .iter()
        .find(is_free)
        .ok_or_else(|| SnapshotError::Refused("it has mapped memory everywhere".to_owned()))?;
    let mut plan = Plan::default();
    // By its number libraries know whether their random numbers are those of another process.
    let own_pid = [Number(0), Number(0), Number(0), Number(0), Number(0), Number(state.pid_inside)];
    plan.call(MUST_DIFFER, libc::SYS_getpid, own_pid);
    clear(&mut plan, layout, place);
    let mut memory = Memory::of(pid, image, bytes_max)?;
    let mut opened: Option<&str> = None;
    for mapping in &layout.mappings {
        if let What::File(path) = &mapping.what
            && opened != Some(path)
        {
            if opened.is_some() {
                plan.call(ON_FILE, libc::SYS_close, [Number(0)]);
            }
            open(&mut plan, pid, path)?;
            opened = Some(path);
        }
        map(&mut plan, mapping, &mut memory)?;
    }
    if opened.is_some() {
        plan.call(ON_FILE, libc::SYS_close, [Number(0)]);
    }
    plan.call(0, libc::SYS_close, [Number(IMAGE_FD as u64)]);
    finish(&mut plan, state, layout);
    Ok((plan.executable(place, state), memory.length))
}

/// Moves what the kernel has mapped, and unmaps everything else but the program.
fn clear(plan: &mut Plan, layout: &Layout, place: u64) {
    let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as u64;
    for (begin, end) in &layout.of_kernel {
        let size = end - begin;
        let from = begin.wrapping_sub(layout.vdso);
        let arguments = [from, size, size, flags, *begin].map(Number);
        plan.call(FROM_VDSO, libc::SYS_mremap, arguments);
    }
    let mut keep = layout.of_kernel.clone();
    keep.push((place, place + ROOM));
    keep.sort_unstable();
    let mut from = 0;
    for (begin, end) in keep {
        if from < begin {
            plan.call(0, libc::SYS_munmap, [from, begin - from].map(Number));
        }
        from = end;
    }
    plan.call(0, libc::SYS_munmap, [from, END - from].map(Number));
}

/// Opens a file, which has to be the one that the process had.
fn open(plan: &mut Plan, pid: i32, path: &str) -> Result<(), SnapshotError> {
    let file =
        fs::metadata(format!("/proc/{pid}/root{path}")).map_err(failed("find a file that it has mapped"))?;
    let mut text = path.as_bytes().to_vec();
    text.push(0);
    let path = plan.data(&text);
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;
    plan.call(OPENS, libc::SYS_openat, [Number(libc::AT_FDCWD as u64), path, Number(flags)]);
    plan.call(ON_FILE, libc::SYS_fstat, [Number(0), Scratch(0)]);
    // `struct stat`: device, number, size, time of the last change in seconds and nanoseconds.
    plan.compare(0, file.dev());
    plan.compare(8, file.ino());
    plan.compare(48, file.size());
    plan.compare(88, file.mtime() as u64);
    plan.compare(96, file.mtime_nsec() as u64);
    Ok(())
}

/// Maps one mapping: what is its own from the image, what is not from its file, or empty.
fn map(plan: &mut Plan, mapping: &Mapping, memory: &mut Memory<'_>) -> Result<(), SnapshotError> {
    let fixed = (libc::MAP_PRIVATE | libc::MAP_FIXED) as u64;
    let empty = fixed | (libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
    let none = u64::MAX;
    if let What::Stack = mapping.what {
        // It cannot grow by itself, as a stack of the kernel's: so it has all of its room.
        let begin = mapping.end - STACK_BYTES.max(mapping.end - mapping.begin);
        let size = mapping.end - begin;
        let arguments = [begin, size, mapping.protection, empty, none, 0].map(Number);
        plan.call(0, libc::SYS_mmap, arguments);
        for (from, to) in &mapping.dirty {
            let at = memory.copy(*from, *to)?;
            let arguments = [IMAGE_FD as u64, *from, to - from, at, 0, to - from].map(Number);
            plan.call(MUST_BE, libc::SYS_pread64, arguments);
        }
        return Ok(());
    }
    let clean = |plan: &mut Plan, from: u64, to: u64| {
        if from == to {
            return;
        }
        let (kind, flags, offset) = match mapping.what {
            What::File(_) => (OF_FILE, fixed, mapping.offset + (from - mapping.begin)),
            What::Anonymous | What::Heap | What::Stack => (0, empty, 0),
        };
        let arguments = [from, to - from, mapping.protection, flags, none, offset].map(Number);
        plan.call(kind, libc::SYS_mmap, arguments);
    };
    let mut done = mapping.begin;
    for (from, to) in &mapping.dirty {
        clean(plan, done, *from);
        let at = memory.copy(*from, *to)?;
        let arguments = [*from, to - from, mapping.protection, fixed, IMAGE_FD as u64, at].map(Number);
        plan.call(0, libc::SYS_mmap, arguments);
        done = *to;
    }
    clean(plan, done, mapping.end);
    Ok(())
}

/// Restores what is not memory.
fn finish(plan: &mut Plan, state: &State, layout: &Layout) {
    for (signal, action) in &state.actions {
        let action = plan.data(action);
        plan.call(0, libc::SYS_rt_sigaction, [Number(*signal), action, Number(0), Number(8)]);
    }
    if let Some(stack) = &state.signal_stack {
        let stack = plan.data(stack);
        plan.call(0, libc::SYS_sigaltstack, [stack]);
    }
    let blocked = plan.data(&state.blocked.to_ne_bytes());
    let set = Number(libc::SIG_SETMASK as u64);
    plan.call(0, libc::SYS_rt_sigprocmask, [set, blocked, Number(0), Number(8)]);
    const ARCH_SET_FS: u64 = 0x1002;
    plan.call(0, libc::SYS_arch_prctl, [ARCH_SET_FS, state.registers.fs_base].map(Number));
    if let Some((head, length)) = state.robust_list {
        plan.call(0, libc::SYS_set_robust_list, [head, length].map(Number));
    }
    if let Some((address, size, signature)) = state.rseq {
        plan.call(0, libc::SYS_rseq, [address, size, 0, signature].map(Number));
    }
    let mut name = state.name.clone();
    name.push(0);
    let name = plan.data(&name);
    plan.call(0, libc::SYS_prctl, [Number(libc::PR_SET_NAME as u64), name]);
    // Where arguments, variables and heap are: without it tools see none, and the C library maps memory in another way.
    let mut map = state.memory_map;
    let heap = layout.mappings.iter().filter(|mapping| matches!(mapping.what, What::Heap));
    map[5] = heap.map(|mapping| mapping.end).max().unwrap_or(map[4]);
    let mut bytes: Vec<u8> = map.iter().flat_map(|number| number.to_ne_bytes()).collect();
    bytes.extend(0_u64.to_ne_bytes()); // no auxiliary vector
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(u32::MAX.to_ne_bytes()); // no other executable
    let size = bytes.len() as u64;
    let bytes = plan.data(&bytes);
    let (set, all) = (libc::PR_SET_MM as u64, libc::PR_SET_MM_MAP as u64);
    plan.call(MAY_FAIL, libc::SYS_prctl, [Number(set), Number(all), bytes, Number(size), Number(0)]);
}

impl Plan {
    /// Writes the executable, which will be at `place`.
    fn executable(&self, place: u64, state: &State) -> Vec<u8> {
        let data = place + PLAN + CALLS + self.calls.len() as u64 * CALL_BYTES;
        let end = (data + self.data.len() as u64).next_multiple_of(PAGE);
        let scratch = end + PAGE;
        let mut file = head(place, end - place, scratch);
        file.resize(CODE as usize, 0);
        file.extend_from_slice(code());
        file.resize(PLAN as usize, 0);
        file.extend((self.calls.len() as u64).to_le_bytes());
        debug_assert_eq!(file.len() as u64, PLAN + REGISTERS);
        let of = &state.registers;
        // In the order of the code. `recv` returns 0.
        let registers = [
            of.rbx, of.rbp, of.r12, of.r13, of.r14, of.r15, of.rsp, of.rip, 0, of.rdi, of.rsi, of.rdx, of.r8,
            of.r9, of.r10,
        ];
        file.extend(registers.iter().flat_map(|register| register.to_le_bytes()));
        file.resize((PLAN + CALLS) as usize, 0);
        for (kind, number, arguments) in &self.calls {
            file.extend(kind.to_le_bytes());
            file.extend(number.to_le_bytes());
            for argument in arguments {
                let value = match argument {
                    Number(number) => *number,
                    Data(at) => data + at,
                    Scratch(at) => scratch + at,
                };
                file.extend(value.to_le_bytes());
            }
        }
        file.extend_from_slice(&self.data);
        file.resize((end - place) as usize, 0);
        // The page that can be written to.
        file.resize((end - place + PAGE) as usize, 0);
        file
    }
}

/// The heads of the executable: a segment of code and list, one page to write to, and a stack without code.
fn head(place: u64, size: u64, scratch: u64) -> Vec<u8> {
    let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    head.extend(2_u16.to_le_bytes()); // at a fixed place
    head.extend(62_u16.to_le_bytes()); // x86_64
    head.extend(1_u32.to_le_bytes());
    head.extend((place + CODE).to_le_bytes());
    head.extend(64_u64.to_le_bytes()); // segments
    head.extend(0_u64.to_le_bytes());
    head.extend(0_u32.to_le_bytes());
    for number in [64_u16, 56, 3, 64, 0, 0] {
        head.extend(number.to_le_bytes());
    }
    const LOAD: u32 = 1;
    const STACK: u32 = 0x6474_e551;
    let (read, write, execute) = (4_u32, 2, 1);
    for (kind, flags, offset, address, size) in [
        (LOAD, read | execute, 0, place, size),
        (LOAD, read | write, size, scratch, PAGE),
        (STACK, read | write, 0, 0, 0),
    ] {
        head.extend(kind.to_le_bytes());
        head.extend(flags.to_le_bytes());
        for number in [offset, address, address, size, size, PAGE] {
            head.extend(number.to_le_bytes());
        }
    }
    head
}

/// The memory of the process on its way into the image.
struct Memory<'a> {
    of_process: File,
    image: &'a File,
    length: u64,
    bytes_max: u64,
    buffer: Vec<u8>,
}

impl<'a> Memory<'a> {
    fn of(pid: i32, image: &'a File, bytes_max: u64) -> Result<Self, SnapshotError> {
        let of_process = File::open(format!("/proc/{pid}/mem")).map_err(failed("read its memory"))?;
        Ok(Self { of_process, image, length: 0, bytes_max, buffer: vec![0; COPIED_BYTES] })
    }

    /// Copies a stretch, and returns where it is in the image.
    fn copy(&mut self, mut from: u64, to: u64) -> Result<u64, SnapshotError> {
        let at = self.length;
        if at + (to - from) > self.bytes_max {
            return Err(SnapshotError::Refused("it has more memory than the function may have".to_owned()));
        }
        while from < to {
            let part = &mut self.buffer[..(to - from).min(COPIED_BYTES as u64) as usize];
            self.of_process.read_exact_at(part, from).map_err(failed("read its memory"))?;
            self.image.write_all_at(part, self.length).map_err(failed("write a snapshot"))?;
            from += part.len() as u64;
            self.length += part.len() as u64;
        }
        Ok(at)
    }
}
