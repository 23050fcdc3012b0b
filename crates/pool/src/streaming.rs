//! From the pieces of a response that is on its way to the parts that a caller hears of.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use hearth_environment::{AnswerKind, InvokeResult};
use hearth_invoke::{ResponseEnd, ResponsePart};
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{mpsc, oneshot};

/// How far a response is.
enum Flow {
    /// More may come.
    Open { pieces: mpsc::Receiver<Bytes>, answer: oneshot::Receiver<InvokeResult> },
    /// The invocation is over. What has come goes out first.
    Ended { pieces: mpsc::Receiver<Bytes>, answer: Result<InvokeResult, RecvError> },
}

/// Returns the parts of a response: its pieces in order, and its end when the invocation has one. A runtime that holds its
/// connection open after that is not waited for.
pub(crate) fn parts(
    pieces: mpsc::Receiver<Bytes>,
    answer: oneshot::Receiver<InvokeResult>,
) -> BoxStream<'static, ResponsePart> {
    stream::unfold(Some(Flow::Open { pieces, answer }), |flow| async move { next(flow?).await }).boxed()
}

async fn next(flow: Flow) -> Option<(ResponsePart, Option<Flow>)> {
    let (mut pieces, answer) = match flow {
        Flow::Ended { pieces, answer } => (pieces, answer),
        Flow::Open { mut pieces, mut answer } => tokio::select! {
            biased;
            Some(piece) = pieces.recv() => {
                return Some((ResponsePart::Piece(piece), Some(Flow::Open { pieces, answer })));
            }
            answer = &mut answer => {
                // Nothing that is still to come belongs to the response.
                pieces.close();
                (pieces, answer)
            }
        },
    };
    if let Ok(piece) = pieces.try_recv() {
        return Some((ResponsePart::Piece(piece), Some(Flow::Ended { pieces, answer })));
    }
    match answer {
        Ok(Ok(answer)) => {
            let error = (answer.kind == AnswerKind::FunctionError).then_some(answer.payload);
            Some((ResponsePart::End(ResponseEnd { error, log_tail: answer.log_tail }), None))
        }
        Ok(Err(why)) => {
            tracing::error!(?why, "a response was left without its end");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use hearth_environment::Answer;

    use super::*;

    fn answer(kind: AnswerKind, payload: &'static str) -> InvokeResult {
        Ok(Answer { kind, payload: Bytes::from_static(payload.as_bytes()), log_tail: None, why_cold: None })
    }

    async fn shown(mut parts: BoxStream<'static, ResponsePart>) -> Vec<String> {
        let mut shown = Vec::new();
        while let Some(part) = parts.next().await {
            shown.push(match part {
                ResponsePart::Piece(piece) => String::from_utf8(piece.to_vec()).unwrap(),
                ResponsePart::End(end) => format!("end {:?}", end.error),
            });
        }
        shown
    }

    #[tokio::test]
    async fn everything_that_came_goes_out_before_the_end() {
        let ((sender, pieces), (ends, answered)) = (mpsc::channel(8), oneshot::channel());
        for piece in ["a", "b"] {
            sender.send(Bytes::from_static(piece.as_bytes())).await.unwrap();
        }
        ends.send(answer(AnswerKind::Response, "")).unwrap();
        // The runtime still holds its connection.
        assert_eq!(shown(parts(pieces, answered)).await, ["a", "b", "end None"]);
        drop(sender);
    }

    #[tokio::test]
    async fn an_error_in_the_middle_comes_last() {
        let ((sender, pieces), (ends, answered)) = (mpsc::channel(8), oneshot::channel());
        sender.send(Bytes::from_static(b"a")).await.unwrap();
        drop(sender);
        ends.send(answer(AnswerKind::FunctionError, "{}")).unwrap();
        assert_eq!(shown(parts(pieces, answered)).await, ["a", "end Some(b\"{}\")"]);
    }

    #[tokio::test]
    async fn a_stream_that_we_leave_has_no_end() {
        let ((sender, pieces), (ends, answered)) = (mpsc::channel::<Bytes>(8), oneshot::channel());
        drop((sender, ends));
        assert!(shown(parts(pieces, answered)).await.is_empty());
    }
}
