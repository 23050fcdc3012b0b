//! Output of a function, as it comes through its pipe: plain lines and framed records.
//!
//! It does not matter in which pieces it comes; no event is longer than the limit; and every byte is in some event, except
//! for the heads of frames. The first byte says in which pieces, the second how much stands in front: so much that the
//! limit is near, if it is small.

use hearth_telemetry::{OutputCapture, PutEvent};
use hearth_types::limits::LOG_EVENT_BYTES_MAX;

/// The bytes that begin a frame.
const MAGIC: [u8; 2] = [0xa5, 0x5a];
/// The longest head of a frame.
const HEAD_BYTES_MAX: usize = 16;

/// Runs one input.
pub fn run(data: &[u8]) {
    let [piece, short_of_limit, data @ ..] = data else { return };
    let front = match *short_of_limit {
        short @ 0..=3 => LOG_EVENT_BYTES_MAX - usize::from(short),
        4.. => 0,
    };
    let whole = captured(front, [data].into_iter());
    let pieces = captured(front, data.chunks(usize::from(*piece).max(1)));
    assert_eq!(whole, pieces, "the same in pieces of {piece}");
    assert!(whole.iter().all(|event| !event.message.is_empty()), "no event is empty");
    let longest = whole.iter().map(|event| event.message.len()).max();
    assert!(longest.is_none_or(|bytes| bytes <= LOG_EVENT_BYTES_MAX), "{longest:?} bytes in an event");

    let kept: usize = whole.iter().map(|event| event.message.len()).sum::<usize>();
    let frames = data.windows(2).filter(|two| *two == MAGIC).count();
    let strays = data.iter().filter(|&&byte| byte == MAGIC[0]).count();
    assert!(kept + frames * HEAD_BYTES_MAX >= front + data.len(), "{kept} bytes of {}", front + data.len());
    // A stray first byte of a head becomes a replacement character, which has three.
    assert!(kept <= front + data.len() + 2 * strays, "{kept} bytes of {}", front + data.len());
    if strays == 0 {
        let text: Vec<u8> = whole.into_iter().flat_map(|event| event.message).skip(front).collect();
        assert_eq!(text, data, "plain text is kept as it is");
    }
}

fn captured<'a>(front: usize, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<PutEvent> {
    let (pipe, _) = std::io::pipe().expect("a pipe");
    let mut capture = OutputCapture::new(pipe.into());
    let mut events = capture.take(&vec![b'x'; front], 0);
    for piece in pieces {
        events.extend(capture.take(piece, 0));
    }
    events.extend(capture.finish(0));
    events
}
