//! `POST /_hearth/imports`: what the function's Init imports, told by a runtime client of Hearth as it happens. Only in an
//! environment that was made to be measured; everywhere else there is no such path.

use bytes::Bytes;
use hearth_telemetry::imports::ImportStream;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use crate::reply;

/// The path.
pub(crate) const PATH: &str = "/_hearth/imports";

/// Reads a profile to its end, which may be that of its process. How much of it is kept is the stream's to say.
pub(crate) async fn take(mut stream: ImportStream, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(piece) = frame.into_data() {
            stream.push(&piece);
        }
    }
    // Whoever waits for the end of the stream has all of it before the client hears so.
    drop(stream);
    reply::accepted()
}
