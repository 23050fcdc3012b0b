//! Pages of operations: bounded in number and in bytes, because an event and an answer are.

use hearth_store::{Details, OperationRecord};

use crate::execution::size;

/// How many bytes of data a page has, unless its first operation alone has more. Source: AWS's local runner for tests of
/// durable functions, read 2026-11.
const PAGE_BYTES_MAX: u64 = 5 << 20;

/// A page of operations.
#[derive(Debug, Clone)]
pub struct Page {
    /// The operations, in the order in which they began.
    pub operations: Vec<OperationRecord>,
    /// Where the next page begins, when there is one.
    pub next: Option<usize>,
}

/// Returns the page that begins at a place.
pub(crate) fn page(all: &[OperationRecord], from: usize, most: usize) -> Page {
    let mut bytes = 0;
    let mut operations = Vec::new();
    for (place, operation) in all.iter().enumerate().skip(from) {
        let input = match &operation.details {
            Details::Execution { input } => input.len() as u64,
            _ => 0,
        };
        // Names, ids and times are more than nothing.
        let more = input + size(operation.result.as_deref(), operation.error.as_ref()) + 512;
        if !operations.is_empty() && (operations.len() >= most || bytes + more > PAGE_BYTES_MAX) {
            return Page { operations, next: Some(place) };
        }
        bytes += more;
        operations.push(operation.clone());
    }
    Page { operations, next: None }
}
