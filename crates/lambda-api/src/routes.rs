//! The table of paths. Every operation of the model is in it; those that Hearth does not implement answer so.

use std::collections::BTreeSet;

use hearth_aws_wire::path_segments;
use http::{Method, Uri};

use crate::error::ApiError;
use crate::generated::Operation;
use crate::generated::operations::OPERATIONS;

/// An operation that is asked for.
#[derive(Debug)]
pub(crate) struct Call {
    /// Which one.
    pub(crate) operation: &'static Operation,
    /// The labels of its path, under the names of the model, decoded.
    pub(crate) labels: Labels,
}

/// Labels of a path under their names.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// What a request asks for.
#[derive(Debug)]
pub(crate) enum Route {
    /// The operation that counts: found without looking through the table.
    Invoke { function_name: String },
    /// Any other operation of the model.
    Operation(Call),
    /// `/`: where services without paths are, such as STS.
    Root,
}

impl Route {
    /// Finds the operation of a request.
    pub(crate) fn of(method: &Method, uri: &Uri) -> Result<Self, ApiError> {
        let path = uri.path();
        if method == Method::POST
            && let Some(rest) = path.strip_prefix("/2015-03-31/functions/")
            && let Some(name) =
                rest.strip_suffix("/invocations").or_else(|| rest.strip_suffix("/invocations/"))
            && !name.contains('/')
        {
            return Ok(Self::Invoke { function_name: label(name)? });
        }
        if path == "/" {
            return Ok(Self::Root);
        }
        let query = uri.query().unwrap_or("");
        let mut other_methods = BTreeSet::new();
        let mut found: Option<&'static Operation> = None;
        for operation in OPERATIONS {
            if !matches_path(operation.path, path) {
                continue;
            }
            if operation.method != method.as_str() {
                other_methods.insert(operation.method);
                continue;
            }
            // An operation with a literal query is meant only with it, and then before the one without.
            match operation.query {
                Some(literal) if query.split('&').any(|pair| pair == literal) => found = Some(operation),
                Some(_) => {}
                None => {
                    found.get_or_insert(operation);
                }
            }
        }
        match found {
            Some(operation) => Ok(Self::Operation(Call { operation, labels: labels(operation.path, path)? })),
            None if other_methods.is_empty() => Err(ApiError::unknown_operation()),
            None => Err(ApiError::method_not_allowed(&other_methods)),
        }
    }
}

fn is_label(part: &str) -> bool {
    part.starts_with('{')
}

fn matches_path(template: &str, path: &str) -> bool {
    let mut segments = path_segments(path);
    let matches = path_segments(template).all(|part| match segments.next() {
        // An empty one, too: the model says what is wrong with it.
        Some(_) if is_label(part) => true,
        segment => segment == Some(part),
    });
    matches && segments.next().is_none()
}

fn labels(template: &'static str, path: &str) -> Result<Labels, ApiError> {
    let pairs = path_segments(template).zip(path_segments(path));
    let labels = pairs.filter(|(part, _)| is_label(part));
    labels.map(|(part, segment)| Ok((part.trim_matches(['{', '}']), label(segment)?))).collect()
}

fn label(segment: &str) -> Result<String, ApiError> {
    hearth_aws_wire::decode(segment).ok_or_else(ApiError::unknown_operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, uri: &str) -> String {
        let method: Method = method.parse().unwrap();
        match Route::of(&method, &uri.parse().unwrap()) {
            Ok(Route::Invoke { function_name }) => format!("Invoke {function_name}"),
            Ok(Route::Operation(Call { operation, labels })) => {
                let labels: Vec<String> = labels.into_iter().map(|(_, label)| label).collect();
                format!("{} {}", operation.name, labels.join(" "))
            }
            Ok(Route::Root) => "root".to_owned(),
            Err(error) => error.error_type().to_owned(),
        }
    }

    #[test]
    fn every_operation_of_the_model_is_found_at_its_own_path() {
        assert_eq!(OPERATIONS.len(), 91, "the model has changed: read what is new");
        for operation in OPERATIONS {
            let mut uri = String::new();
            for part in path_segments(operation.path) {
                uri.push('/');
                uri.push_str(if is_label(part) { "a%3Ab" } else { part });
            }
            for end in ["", "/"] {
                let query = operation.query.map_or(String::new(), |query| format!("?x=1&{query}"));
                let found = found(operation.method, &format!("{uri}{end}{query}"));
                assert_eq!(found.split(' ').next(), Some(operation.name), "{uri}{end}{query}");
            }
        }
    }

    #[test]
    fn labels_are_decoded_and_unknown_paths_are_refused() {
        let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af";
        assert_eq!(
            found("GET", &format!("/2015-03-31/functions/{arn}")),
            "GetFunction arn:aws:lambda:us-east-1:000000000000:function:f"
        );
        assert_eq!(found("POST", "/2015-03-31/functions/f/invocations"), "Invoke f");
        assert_eq!(found("PATCH", "/2015-03-31/functions/f"), "MethodNotAllowedException");
        assert_eq!(found("GET", "/2015-03-30/functions/f"), "UnknownOperationException");
        assert_eq!(found("GET", "/2015-03-31/functions/%ff"), "UnknownOperationException");
        assert_eq!(found("GET", "/"), "root");
    }
}
