//! Random bytes for ids: the kernel's, fetched for many ids at once.

use std::cell::RefCell;

use uuid::{Builder, Uuid};

/// How many bytes are fetched at once, on each thread: 32 ids. Asking the kernel for each costs more than all else that an id
/// takes.
const FETCHED: usize = 512;

/// Bytes that nobody has had, from `next` on. Those before are zero.
struct Fetched {
    bytes: [u8; FETCHED],
    next: usize,
}

thread_local! {
    static FETCHED_HERE: RefCell<Fetched> = const { RefCell::new(Fetched { bytes: [0; FETCHED], next: FETCHED }) };
}

/// Returns bytes that cannot be guessed, and that nobody else gets.
pub(super) fn bytes() -> [u8; 16] {
    FETCHED_HERE.with_borrow_mut(|fetched| {
        if fetched.next + 16 > FETCHED {
            // Where the kernel has none, the library says so and ends: an id that can be guessed is no id.
            if getrandom::fill(&mut fetched.bytes).is_err() {
                return Uuid::new_v4().into_bytes();
            }
            fetched.next = 0;
        }
        let mut bytes = [0; 16];
        bytes.swap_with_slice(&mut fetched.bytes[fetched.next..fetched.next + 16]);
        fetched.next += 16;
        bytes
    })
}

/// Returns a random UUID.
pub(super) fn uuid() -> Uuid {
    Builder::from_random_bytes(bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_id_comes_twice_whichever_thread_makes_it() {
        let make = || (0..1_000).map(|_| uuid()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let ids: Vec<Uuid> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 4_000);
        assert!(ids.iter().all(|id| id.get_version_num() == 4 && id.get_variant() == uuid::Variant::RFC4122));
    }
}
