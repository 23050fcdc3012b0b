//! The machine code of the program that restores a process: it carries out a list of system calls, and then becomes the
//! process.
//!
//! It runs without a stack, a library or memory of its own, because all of that is unmapped on the way. What does not go as
//! the list wants it ends the process: nothing has been done by then that anybody could see.

#![allow(unsafe_code, reason = "machine code is data here: it runs in no process of ours")]

/// Where the list begins, counted from the page of the code.
pub(super) const PLAN: u64 = 4_096;
/// Where the calls begin, counted from the list.
pub(super) const CALLS: u64 = 256;
/// How long one is: what to do, the number of the call, six arguments.
pub(super) const CALL_BYTES: u64 = 64;

/// Add the address of this process' vDSO to the first argument.
pub(super) const FROM_VDSO: u64 = 1;
/// The first argument is the file that was opened last.
pub(super) const ON_FILE: u64 = 2;
/// The fifth argument is the file that was opened last.
pub(super) const OF_FILE: u64 = 4;
/// The result is a file.
pub(super) const OPENS: u64 = 8;
/// It may fail.
pub(super) const MAY_FAIL: u64 = 16;
/// No call: there must be this value (second argument) at this address (first argument).
pub(super) const COMPARE: u64 = 32;
/// The result must be the sixth argument.
pub(super) const MUST_BE: u64 = 64;
/// The result must not be the sixth argument.
pub(super) const MUST_DIFFER: u64 = 128;

/// Where the registers are, counted from the list, in this order.
pub(super) const REGISTERS: u64 = 8;

std::arch::global_asm!(
    ".pushsection .rodata.hearth_restore, \"a\"",
    ".balign 16",
    ".globl hearth_restore_code",
    ".hidden hearth_restore_code",
    "hearth_restore_code:",
    // Find the vDSO in what the kernel has put on the stack: arguments, variables, then pairs of which number 33 is it.
    "mov rsi, rsp",
    "mov rax, [rsi]",
    "lea rsi, [rsi + rax*8 + 16]",
    "20: mov rax, [rsi]",
    "add rsi, 8",
    "test rax, rax",
    "jnz 20b",
    "30: mov rax, [rsi]",
    "add rsi, 16",
    "cmp rax, 33",
    "je 40f",
    "test rax, rax",
    "jnz 30b",
    "jmp 90f",
    "40: mov r14, [rsi - 8]",
    "lea rbx, [rip]",
    "and rbx, -4096",
    "add rbx, 4096",
    "mov r13, [rbx]",
    "lea r12, [rbx + 256]",
    // One call after the other.
    "50: test r13, r13",
    "jz 80f",
    "mov rbp, [r12]",
    "mov rax, [r12 + 8]",
    "mov rdi, [r12 + 16]",
    "mov rsi, [r12 + 24]",
    "mov rdx, [r12 + 32]",
    "mov r10, [r12 + 40]",
    "mov r8, [r12 + 48]",
    "mov r9, [r12 + 56]",
    "test ebp, 32",
    "jz 51f",
    "cmp [rdi], rsi",
    "jne 90f",
    "jmp 70f",
    "51: test ebp, 1",
    "jz 52f",
    "add rdi, r14",
    "52: test ebp, 2",
    "jz 53f",
    "mov rdi, r15",
    "53: test ebp, 4",
    "jz 54f",
    "mov r8, r15",
    "54: syscall",
    "test ebp, 16",
    "jnz 70f",
    "cmp rax, -4096",
    "ja 90f",
    "test ebp, 8",
    "jz 55f",
    "mov r15, rax",
    "55: test ebp, 64",
    "jz 56f",
    "cmp rax, r9",
    "jne 90f",
    "56: test ebp, 128",
    "jz 70f",
    "cmp rax, r9",
    "je 90f",
    "70: add r12, 64",
    "dec r13",
    "jmp 50b",
    // Become the process.
    "80: mov rbp, [rbx + 16]",
    "mov r12, [rbx + 24]",
    "mov r13, [rbx + 32]",
    "mov r14, [rbx + 40]",
    "mov r15, [rbx + 48]",
    "mov rsp, [rbx + 56]",
    "mov rcx, [rbx + 64]",
    "mov rax, [rbx + 72]",
    "mov rdi, [rbx + 80]",
    "mov rsi, [rbx + 88]",
    "mov rdx, [rbx + 96]",
    "mov r8, [rbx + 104]",
    "mov r9, [rbx + 112]",
    "mov r10, [rbx + 120]",
    "mov rbx, [rbx + 8]",
    "jmp rcx",
    // End.
    "90: mov edi, r13d",
    "and edi, 127",
    "or edi, 128",
    "mov eax, 231",
    "syscall",
    "ud2",
    ".globl hearth_restore_code_end",
    ".hidden hearth_restore_code_end",
    "hearth_restore_code_end:",
    ".popsection",
);

unsafe extern "C" {
    static hearth_restore_code: u8;
    static hearth_restore_code_end: u8;
}

/// Returns the machine code. It does not depend on where it is.
pub(super) fn code() -> &'static [u8] {
    let (begin, end) = (&raw const hearth_restore_code, &raw const hearth_restore_code_end);
    let length = end as usize - begin as usize;
    // SAFETY: both symbols are of one section, the end after the beginning; what is between them is constant.
    unsafe { std::slice::from_raw_parts(begin, length) }
}
