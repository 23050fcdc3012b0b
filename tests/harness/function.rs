//! Functions of a test, and calling them, by the Lambda API without a client in between.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use crate::http::{Response, encode, http};
use crate::logs::{LogEvent, reports};
use crate::package::Package;
use crate::server::Server;
use crate::wait::eventually;

/// A function to create.
#[derive(Debug, Clone)]
pub struct NewFunction {
    name: String,
    package: Package,
    request: Map<String, Value>,
}

/// A Python function: `source` is `app.py`, the handler `app.handler`.
pub fn python(name: &str, source: &str) -> NewFunction {
    NewFunction::new(name, "python3.11", "app.handler", Package::new().file("app.py", source))
}

/// A Node.js function: `source` is `index.mjs`, the handler `index.handler`.
pub fn node(name: &str, source: &str) -> NewFunction {
    NewFunction::new(name, "nodejs20.x", "index.handler", Package::new().file("index.mjs", source))
}

/// A function that brings its own runtime: `source` is `bootstrap`.
pub fn bootstrap(name: &str, source: impl Into<Vec<u8>>) -> NewFunction {
    NewFunction::new(name, "provided.al2023", "main", Package::new().program("bootstrap", source))
}

impl NewFunction {
    /// Describes a function.
    pub fn new(name: &str, runtime: &str, handler: &str, package: Package) -> Self {
        let request = json!({
            "FunctionName": name,
            "Runtime": runtime,
            "Handler": handler,
            "Role": "arn:aws:iam::000000000000:role/lambda",
        });
        let Value::Object(request) = request else { unreachable!() };
        Self { name: name.to_owned(), package, request }
    }

    /// Adds a file to the package.
    #[must_use]
    pub fn file(mut self, name: &str, content: &str) -> Self {
        self.package = self.package.file(name, content);
        self
    }

    /// Sets a member of the CreateFunction request, under AWS's name.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.request.insert(member.to_owned(), value.into());
        self
    }

    /// Sets the memory that comes with a whole CPU. With less, an extension may have got only a part of what it is sent
    /// when its environment stands still after a call; the rest comes with the next one.
    #[must_use]
    pub fn whole_cpu(self) -> Self {
        self.with("MemorySize", 1_769)
    }

    /// Sets the time-out in seconds.
    #[must_use]
    pub fn timeout(self, seconds: u32) -> Self {
        self.with("Timeout", seconds)
    }

    /// Returns the body of the CreateFunction request.
    pub fn body(&self) -> Value {
        let mut request = self.request.clone();
        request.insert("Code".to_owned(), json!({ "ZipFile": BASE64.encode(self.package.zip()) }));
        Value::Object(request)
    }
}

impl Server {
    /// Creates a function and waits until it is Active.
    pub fn create(&self, new: NewFunction) -> Function<'_> {
        let response = self.http("POST", "/2015-03-31/functions", new.body().to_string().as_bytes());
        assert_eq!(response.status, 201, "{}", response.text());
        let function = self.function(&new.name);
        function.wait_until("State", "Active");
        function
    }

    /// Returns a function that was created before.
    pub fn function(&self, name: &str) -> Function<'_> {
        Function { server: self, name: name.into() }
    }
}

/// A function of a server.
#[derive(Debug, Clone)]
pub struct Function<'server> {
    server: &'server Server,
    name: Arc<str>,
}

/// An Invoke request that differs from the plain one.
#[derive(Debug, Clone, Default)]
pub struct Call<'call> {
    /// What stands in the path: a name or an ARN. Empty: the function's name.
    pub reference: &'call str,
    /// The query, without `?`.
    pub query: &'call str,
    /// More headers.
    pub headers: &'call [(&'call str, &'call str)],
    /// The body.
    pub payload: &'call [u8],
}

impl<'server> Function<'server> {
    /// Returns the server that it lives on.
    pub fn server(&self) -> &'server Server {
        self.server
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls it and waits for the answer.
    ///
    /// # Panics
    /// When the service, not the function, fails.
    pub fn invoke(&self, payload: impl AsRef<[u8]>) -> Answer {
        let answer = self.call(&Call { payload: payload.as_ref(), ..Call::default() });
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer
    }

    /// Calls it as `call` says, whatever comes out of it.
    pub fn call(&self, call: &Call<'_>) -> Answer {
        let reference = if call.reference.is_empty() { &*self.name } else { call.reference };
        let mut path = format!("/2015-03-31/functions/{}/invocations", encode(reference));
        if !call.query.is_empty() {
            path.push('?');
            path.push_str(call.query);
        }
        Answer(http(self.server.address(), "POST", &path, call.headers, call.payload))
    }

    /// Returns its configuration.
    pub fn configuration(&self) -> Value {
        let path = format!("/2015-03-31/functions/{}/configuration", self.name);
        let response = self.server.http("GET", &path, b"");
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }

    /// Waits until a member of its configuration has a value.
    pub fn wait_until(&self, member: &str, wanted: &str) {
        eventually(&format!("{member} of {} is {wanted}", self.name), || {
            let configuration = self.configuration();
            let reached = configuration[member] == wanted;
            assert!(reached || configuration[member] != "Failed", "{configuration:#}");
            reached.then_some(())
        });
    }

    /// Replaces its code and waits until that is done.
    pub fn update_code(&self, package: &Package) {
        let body = json!({ "ZipFile": BASE64.encode(package.zip()) });
        let path = format!("/2015-03-31/functions/{}/code", self.name);
        let response = self.server.http("PUT", &path, body.to_string().as_bytes());
        assert_eq!(response.status, 200, "{}", response.text());
        self.wait_until("LastUpdateStatus", "Successful");
    }

    /// Changes its configuration and waits until that is done.
    pub fn update_configuration(&self, change: &Value) {
        let path = format!("/2015-03-31/functions/{}/configuration", self.name);
        let response = self.server.http("PUT", &path, change.to_string().as_bytes());
        assert_eq!(response.status, 200, "{}", response.text());
        self.wait_until("LastUpdateStatus", "Successful");
    }

    /// Deletes it.
    pub fn delete(&self) {
        let response = self.server.http("DELETE", &format!("/2015-03-31/functions/{}", self.name), b"");
        assert_eq!(response.status, 204, "{}", response.text());
    }

    /// Waits until its log has `number` REPORT lines, and returns all of it.
    pub fn logs_with_reports(&self, number: usize) -> Vec<LogEvent> {
        self.logs_until(&format!("{number} REPORT lines"), |events| reports(events).len() >= number)
    }

    /// Waits until its log has what is wanted, and returns all of it.
    pub fn logs_until(&self, what: &str, enough: impl Fn(&[LogEvent]) -> bool) -> Vec<LogEvent> {
        self.server.logs_until(&self.name, what, enough)
    }

    /// Waits until none of its environments is busy, so that the next call finds them all.
    ///
    /// A caller has its answer before the runtime asks for the next event, and before a reset is over.
    pub fn wait_until_all_are_ready(&self) {
        eventually(&format!("all environments of {} are Ready", self.name), || {
            self.environments().iter().all(|environment| environment["state"] == "Ready").then_some(())
        });
    }

    /// Returns the environments of it that are there now.
    pub fn environments(&self) -> Vec<Value> {
        self.server.environments(&self.name)
    }
}

/// The answer to an Invoke.
#[derive(Debug, Clone)]
pub struct Answer(pub Response);

impl Answer {
    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// Returns the payload, or the error, as text.
    pub fn text(&self) -> String {
        self.0.text()
    }

    /// Returns the payload, or the error, as JSON.
    pub fn json(&self) -> Value {
        self.0.json()
    }

    /// Returns the id of the request.
    ///
    /// # Panics
    /// When there is none.
    pub fn request_id(&self) -> String {
        self.0.header("x-amzn-RequestId").unwrap().to_owned()
    }

    /// Returns the payload of a call that succeeded.
    ///
    /// # Panics
    /// When the function failed.
    pub fn success(&self) -> Value {
        assert_eq!(self.0.header("X-Amz-Function-Error"), None, "{}", self.text());
        self.json()
    }

    /// Returns the payload of a function error as text, with the request's id as `<id>`.
    ///
    /// # Panics
    /// When the function did not fail.
    pub fn function_error(&self) -> String {
        assert_eq!(self.status(), 200, "{}", self.text());
        assert_eq!(self.0.header("X-Amz-Function-Error"), Some("Unhandled"), "{}", self.text());
        self.text().replace(&self.request_id(), "<id>")
    }

    /// Returns the AWS exception, the status and the message of a call that the service refused.
    pub fn exception(&self) -> (String, u16, String) {
        let kind = self.0.header("x-amzn-ErrorType").unwrap_or_default();
        let body = self.json();
        let message = body["Message"].as_str().or_else(|| body["message"].as_str());
        (kind.to_owned(), self.status(), message.unwrap_or_default().to_owned())
    }

    /// Returns the tail of the log.
    ///
    /// # Panics
    /// When none was sent.
    pub fn log_tail(&self) -> String {
        let tail = self.0.header("X-Amz-Log-Result").unwrap();
        String::from_utf8_lossy(&BASE64.decode(tail).unwrap()).into_owned()
    }
}
