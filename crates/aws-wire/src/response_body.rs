//! The body of a response: complete when it is sent, or still growing.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use hyper::body::{Frame, SizeHint};

/// The body of a response.
pub struct Body(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Growing { pieces: BoxStream<'static, Result<Bytes, CutOff>>, is_cut_off: bool },
}

/// A body was left before its end. The connection is closed without the last chunk, so that no client takes what it has
/// for all of it.
#[derive(Debug, thiserror::Error)]
#[error("the response was cut off")]
pub struct CutOff;

impl Body {
    /// Returns a body that is complete.
    pub fn new(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    /// Returns a body that is sent as it grows, in chunks. It is asked for more when the client has taken what there was,
    /// and dropped when the client hangs up.
    pub fn growing(pieces: impl Stream<Item = Result<Bytes, CutOff>> + Send + 'static) -> Self {
        Self(Kind::Growing { pieces: pieces.boxed(), is_cut_off: false })
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::new(Bytes::from(text))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self(Kind::Whole(None))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Whole(_) => "Body(whole)",
            Kind::Growing { .. } => "Body(growing)",
        })
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Growing { is_cut_off: true, .. } => Poll::Ready(Some(Err(CutOff))),
            Kind::Growing { pieces, is_cut_off } => match ready!(pieces.as_mut().poll_next(cx)) {
                Some(Err(CutOff)) => {
                    // The HTTP library throws away what it has not sent when it hears of this. It sends while there is
                    // nothing to do, so it gets a moment.
                    *is_cut_off = true;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                piece => Poll::Ready(piece.map(|piece| piece.map(Frame::data))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Growing { .. } => SizeHint::default(),
        }
    }
}
