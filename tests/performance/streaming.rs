//! Response streaming: how long the first byte takes, over the time that the function itself takes for it.

use std::time::{Duration, Instant};

use hearth_tests::{Server, begin_http};

use crate::functions::native;
use crate::median::{Sides, quantile};
use crate::options::Options;
use crate::runtime::stream_event;
use crate::table::{Bound, Of, Row, Table};

/// How many calls make a sample.
const CALLS: usize = 20;

/// Measures calls by InvokeWithResponseStream. The floor is the function's own time, which it measures itself: from the
/// event in its hands to the first byte out of them. The caller's time begins before it connects.
pub(crate) fn measure(server: &Server, options: &Options, table: &mut Table) {
    let function = server.create(native("streams"));
    for works in [Duration::ZERO, Duration::from_millis(10)] {
        let (mut p50_ms, mut p99_ms) = (Sides::default(), Sides::default());
        for round in 0..=options.rounds {
            let (mut hearth, mut own) = (Vec::new(), Vec::new());
            for _ in 0..CALLS {
                let (of_call, of_function) = first_byte_ms(server, works);
                hearth.push(of_call);
                own.push(of_function);
            }
            // The first round does not count: the environment is started.
            if round > 0 {
                p50_ms.hearth.push(quantile(&hearth, 0.5));
                p50_ms.floor.push(quantile(&own, 0.5));
                p99_ms.hearth.push(quantile(&hearth, 0.99));
                p99_ms.floor.push(quantile(&own, 0.99));
            }
        }
        let name = format!("native, streaming, first byte after {} ms of work", works.as_millis());
        let p50 = Row::over(format!("{name}: p50"), "ms", &p50_ms).against("the function");
        table.add(p50.must(Of::Difference, Bound::AtMost(2.0)));
        table.add(Row::over(format!("{name}: p99"), "ms", &p99_ms).against("the function"));
    }
    function.delete();
}

/// Returns when the caller had the first byte, and when the function had sent it.
fn first_byte_ms(server: &Server, works: Duration) -> (f64, f64) {
    let path = "/2021-11-15/functions/streams/response-streaming-invocations";
    let event = stream_event(works);
    let started = Instant::now();
    let mut answer = begin_http(server.address(), "localhost", "POST", path, &[], event.as_bytes());
    let first = answer.message().unwrap();
    let elapsed = started.elapsed();
    assert_eq!((answer.status, first.event_type.as_str()), (200, "PayloadChunk"));
    // The function goes on, so that what came was not the whole of it.
    let (_, complete) = answer.messages();
    assert_eq!(complete, serde_json::json!({}));
    let own_ns: f64 = String::from_utf8(first.payload).unwrap().parse().unwrap();
    (elapsed.as_secs_f64() * 1e3, own_ns / 1e6)
}
