//! Taking back what was done, when something after it fails.

use http::{Method, StatusCode};

use super::super::event_sources::settled;
use super::super::server::Request;
use super::{ApplyError, Applying, event_sources, settle};
use crate::client::{Client, ClientError};

/// What takes back a change.
pub(super) struct Undo {
    pub(super) what: String,
    pub(super) back: Back,
    pub(super) settles: Settles,
}

/// How something is taken back.
pub(super) enum Back {
    Request(Request),
    /// A mapping that was made, whose UUID may not be known.
    NewMapping {
        source_arn: String,
        function_arn: String,
    },
}

impl From<Request> for Back {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

/// What has to be settled before something is taken back, and is to be settled after it.
pub(super) enum Settles {
    Nothing,
    Function(String),
    /// A mapping, by its UUID.
    Mapping(String),
}

impl Settles {
    pub(super) fn function(name: &str) -> Self {
        Self::Function(name.to_owned())
    }

    /// Waits, whatever became of it: only what is under way is in the way.
    async fn wait(&self, client: &Client) {
        match self {
            Self::Nothing => {}
            Self::Function(name) => drop(settle(client, name).await),
            Self::Mapping(uuid) => drop(settled(client, uuid, None).await),
        }
    }
}

/// What became of taking everything back.
#[derive(Debug, Default)]
pub(in super::super) struct Undone {
    pub(in super::super) undone: Vec<String>,
    /// What is still there, and why.
    pub(in super::super) left: Vec<(String, String)>,
}

impl Applying<'_> {
    /// Takes everything back, the last first. What cannot be taken back does not keep the rest from it.
    pub(in super::super) async fn take_back(self) -> Undone {
        let mut result = Undone::default();
        for undo in self.undo.into_iter().rev() {
            undo.settles.wait(self.client).await;
            let done = match &undo.back {
                Back::Request(request) => match request.send(self.client).await {
                    // It never came to be.
                    Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. })
                        if request.method == Method::DELETE =>
                    {
                        Ok(())
                    }
                    done => done.map(drop).map_err(ApplyError::from),
                },
                Back::NewMapping { source_arn, function_arn } => {
                    event_sources::remove_new(self.client, source_arn, function_arn).await
                }
            };
            match done {
                Ok(()) => {
                    undo.settles.wait(self.client).await;
                    result.undone.push(undo.what);
                }
                Err(error) => result.left.push((undo.what, error.to_string())),
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::{run, scripted};

    #[test]
    fn a_mapping_that_may_have_been_made_is_looked_for_and_removed_when_it_has_settled() {
        let answers = &[
            // An answer that is shorter than it says: nobody knows what became of the request.
            ("202 Accepted\r\nContent-Length: 99", "{}"),
            (
                "200 OK",
                r#"{"EventSourceMappings":[{"UUID":"u","FunctionArn":"f"},{"UUID":"v","FunctionArn":"f:a"}]}"#,
            ),
            ("200 OK", r#"{"State":"Creating"}"#),
            ("200 OK", r#"{"State":"Enabled"}"#),
            ("400 Bad Request\r\nx-amzn-ErrorType: ResourceInUseException", r#"{"Message":"in use"}"#),
            ("200 OK", r#"{"State":"Enabled"}"#),
            ("202 Accepted", "{}"),
            ("200 OK", r#"{"State":"Deleting"}"#),
            ("404 Not Found", "{}"),
        ];
        let (client, server) = scripted(answers);
        run(async {
            let mut applying = Applying::new(&client);
            let create = Request::new(Method::POST, "/mappings".into(), None);
            let back = Back::NewMapping { source_arn: "s".into(), function_arn: "f".into() };
            let done = applying.change(&create, "m".to_owned(), back, Settles::Nothing).await;
            assert!(matches!(done, Err(ApplyError::Client(ClientError::Broken { .. }))), "{done:?}");
            let undone = applying.take_back().await;
            assert_eq!((undone.undone, undone.left), (vec!["m".to_owned()], vec![]));
        });
        let asked = server.join().unwrap();
        let asked: Vec<&str> = asked.iter().map(|line| line.split(" HTTP").next().unwrap()).collect();
        let one = "/2015-03-31/event-source-mappings/u";
        let (get, delete) = (format!("GET {one}"), format!("DELETE {one}"));
        let (get, delete) = (get.as_str(), delete.as_str());
        let list = "GET /2015-03-31/event-source-mappings?EventSourceArn=s&FunctionName=f";
        assert_eq!(asked, ["POST /mappings", list, get, get, delete, get, delete, get, get]);
    }
}
