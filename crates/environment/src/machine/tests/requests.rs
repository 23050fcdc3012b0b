//! What the runtime hears to each of its requests, and its caller with it.

use bytes::Bytes;
use expect_test::expect;

use super::*;
use crate::invocation::AnswerKind;

#[test]
fn wrong_answers_are_refused_and_the_call_goes_on() {
    let [begins, arrives] = response(1);
    let [foreign, _] = response(9);
    check(
        &[
            (0, Event::Init),
            (0, begins.clone()),
            (0, next()),
            (0, begins.clone()),
            (0, init_error()),
            (0, an_invocation(1)),
            (0, foreign),
            (0, next()),
            (0, begins.clone()),
            (0, next()),
            (0, arrives),
            (0, begins),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            Reject(InvalidRequestId)
            runtime init done: success
            Park
            init done in Init: success 
            Settled
            Reject(InvalidRequestId)
            Reject(InvalidStateTransition { from: Ready, to: InitError })
            runtime gets 1
            invoke started, cold because None
            deadline in 3 s
            Reject(InvalidRequestId)
            Park
            runtime gets 1
            Accept
            Reject(InvalidStateTransition { from: InvocationResponse, to: Ready })
            caller gets Response 1
            ResponseSent
            Accept
            Reject(InvalidStateTransition { from: ResponseSent, to: InvocationResponse })
        "#]],
    );
}

#[test]
fn case_052_an_event_is_delivered_once_to_threads_and_again_to_whoever_lost_it() {
    let [begins, arrives] = response(1);
    let [begins_2, _] = response(2);
    check(
        &[
            (0, Event::Init),
            (0, next()),
            (0, next_of_another()),
            (0, an_invocation(1)),
            // A second thread asks while the first one works.
            (0, next_of_another()),
            // The first one asks again: it has lost the event.
            (0, next()),
            (0, begins),
            (0, next_of_another()),
            (0, arrives),
            (0, next_of_another()),
            (0, an_invocation(2)),
            (0, begins_2),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            Boot
            runtime init done: success
            Park
            init done in Init: success 
            Settled
            Park
            runtime gets 1
            invoke started, cold because None
            deadline in 3 s
            Park
            Park
            runtime gets 1
            Accept
            Park
            caller gets Response 1
            ResponseSent
            Accept
            runtime done: success
            invoke done: success 
            Park
            Settled
            runtime gets 2
            invoke started, cold because None
            deadline in 3 s
            Accept
        "#]],
    );
}

#[test]
fn each_request_of_the_runtime_has_one_reply_in_each_state() {
    let [begins, arrives] = response(1);
    let begins_error = Event::AnswerBegins { request_id: Some(id(1)), kind: AnswerKind::FunctionError };
    let [foreign, _] = response(9);
    let to_ready = [Event::Init, next()];
    let to_running = [Event::Init, next(), an_invocation(1)];
    let sending = [&to_running[..], std::slice::from_ref(&begins)].concat();
    let sending_error = [&to_running[..], std::slice::from_ref(&begins_error)].concat();
    let sent = [&sending[..], std::slice::from_ref(&arrives)].concat();
    let states: [(&str, &[Event]); 7] = [
        ("Started", &to_ready[..1]),
        ("Ready", &to_ready),
        ("Running", &to_running),
        ("InvocationResponse", &sending),
        ("InvocationErrorResponse", &sending_error),
        ("RuntimeResponseSentState", &sent),
        ("Ready again", &[&sent[..], &[next()]].concat()),
    ];
    let requests = [
        ("next", next()),
        ("next of another thread", next_of_another()),
        ("init/error begins", Event::InitErrorBegins),
        ("init/error", init_error()),
        ("response", begins),
        ("error", begins_error),
        ("foreign response", foreign),
    ];
    let mut table = String::new();
    for (state, events) in states {
        table += &format!("{state}\n");
        for (name, request) in &requests {
            let mut machine = Machine::new(10 * SECOND, vec![]);
            let now = Instant::now();
            for event in events {
                machine.on_event(now, event.clone());
            }
            for action in machine.on_event(now, request.clone()) {
                let reply = match action {
                    Action::Accept => "accepted".to_owned(),
                    Action::Park => "waits".to_owned(),
                    Action::Deliver(_) => "gets the event".to_owned(),
                    Action::Reject(Rejection::InvalidStateTransition { from, to }) => {
                        format!("from {from} to {to} is refused")
                    }
                    Action::Reject(rejection) => format!("{rejection:?}"),
                    _ => continue,
                };
                table += &format!("  {name}: {reply}\n");
            }
        }
    }
    expect![[r#"
        Started
          next: waits
          next of another thread: waits
          init/error begins: accepted
          init/error: accepted
          response: InvalidRequestId
          error: InvalidRequestId
          foreign response: InvalidRequestId
        Ready
          next: waits
          next of another thread: waits
          init/error begins: from Ready to InitError is refused
          init/error: from Ready to InitError is refused
          response: InvalidRequestId
          error: InvalidRequestId
          foreign response: InvalidRequestId
        Running
          next: waits
          next: gets the event
          next of another thread: waits
          init/error begins: from Running to InitError is refused
          init/error: from Running to InitError is refused
          response: accepted
          error: accepted
          foreign response: InvalidRequestId
        InvocationResponse
          next: from InvocationResponse to Ready is refused
          next of another thread: waits
          init/error begins: from InvocationResponse to InitError is refused
          init/error: from InvocationResponse to InitError is refused
          response: from InvocationResponse to InvocationResponse is refused
          error: from InvocationResponse to InvocationErrorResponse is refused
          foreign response: InvalidRequestId
        InvocationErrorResponse
          next: from InvocationErrorResponse to Ready is refused
          next of another thread: waits
          init/error begins: from InvocationErrorResponse to InitError is refused
          init/error: from InvocationErrorResponse to InitError is refused
          response: from InvocationErrorResponse to InvocationResponse is refused
          error: from InvocationErrorResponse to InvocationErrorResponse is refused
          foreign response: InvalidRequestId
        RuntimeResponseSentState
          next: waits
          next of another thread: waits
          init/error begins: from RuntimeResponseSentState to InitError is refused
          init/error: from RuntimeResponseSentState to InitError is refused
          response: from RuntimeResponseSentState to InvocationResponse is refused
          error: from RuntimeResponseSentState to InvocationErrorResponse is refused
          foreign response: InvalidRequestId
        Ready again
          next: waits
          next of another thread: waits
          init/error begins: from Ready to InitError is refused
          init/error: from Ready to InitError is refused
          response: InvalidRequestId
          error: InvalidRequestId
          foreign response: InvalidRequestId
    "#]]
    .assert_eq(&table);
}

/// Lets a response stream end, and returns what the caller hears, how many bytes count, and what the runtime hears.
fn end_of_stream(failure: Option<StreamFailure>) -> String {
    let (mut machine, now) = (machine(0), Instant::now());
    let [begins, _] = response(1);
    for event in [Event::Init, Event::RuntimeStarted, next(), an_invocation(1), begins] {
        machine.on_event(now, event);
    }
    assert!(machine.is_responding());
    let ends = Event::AnswerArrived(RuntimeAnswer::Streamed { bytes: 7, failure });
    let mut shown = Vec::new();
    for action in machine.on_event(now, ends) {
        match action {
            Action::Answer { kind, payload } => {
                shown.push(format!(
                    "{kind:?} {}",
                    String::from_utf8_lossy(&payload).replace(&id(1).to_string(), "ID")
                ));
            }
            Action::Record(LifecycleEvent::ResponseSent { bytes, .. }) => {
                shown.push(format!("{bytes} bytes"))
            }
            other => shown.push(format!("{other:?}")),
        }
    }
    assert!(machine.has_answered());
    shown.join("\n") + "\n"
}

#[test]
fn a_streamed_response_ends_with_no_payload_of_its_own_or_with_why_it_broke_off() {
    let payload = Bytes::from_static(b"{}");
    let reported = StreamFailure::Reported { error_type: "Function.Gone".to_owned(), payload };
    let ends = [None, Some(reported), Some(StreamFailure::TooLarge), Some(StreamFailure::Truncated)];
    expect![[r#"
        Response 
        7 bytes
        Accept
        FunctionError {}
        7 bytes
        Accept
        FunctionError {"errorMessage":"Response payload size exceeded maximum allowed payload size (209715200 bytes).","errorType":"Function.ResponseSizeTooLarge"}
        7 bytes
        Reject(ResponseTooLarge { bytes_max: 209715200 })
        FunctionError {"errorType":"Runtime.TruncatedResponse","errorMessage":"RequestId: ID Error: Response was truncated"}
        7 bytes
        Reject(Truncated)
    "#]].assert_eq(&ends.map(end_of_stream).concat());
}
