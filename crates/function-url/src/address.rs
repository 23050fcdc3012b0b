//! Whose URL a request names, by its host or by its path.

use http::{HeaderMap, Uri};

/// What a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The id of the URL, which need not be there.
    pub(crate) id: String,
    /// The path that the function sees, as it was sent.
    pub(crate) path: String,
}

impl Address {
    /// Reads a request whose Host is that of a function URL: `ID.lambda-url.REGION.DOMAIN`, with or without a port. What
    /// follows the region does not matter: `localhost`, or a domain of the operator's own that leads here.
    pub fn of_host(headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        let host = headers.get(http::header::HOST)?.to_str().ok()?;
        let (id, _) = host.split_once(".lambda-url.")?;
        Some(Self { id: id.to_ascii_lowercase(), path: uri.path().to_owned() })
    }

    /// Reads a path behind `/_hearth/url/`: an id, and the path that the function sees.
    pub fn of_path(rest: &str) -> Self {
        let (id, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        Self { id: id.to_owned(), path: path.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_host(host: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        Address::of_host(&headers, &"/p/a?x=1".parse().unwrap())
            .map(|address| format!("{} {}", address.id, address.path))
    }

    #[test]
    fn a_url_is_named_by_its_host_or_its_path() {
        let named = Some("abc /p/a".to_owned());
        assert_eq!(of_host("abc.lambda-url.us-east-1.localhost:4566"), named);
        assert_eq!(of_host("ABC.lambda-url.eu-west-1.example.org"), named);
        assert_eq!(of_host("localhost:4566"), None);
        assert_eq!(of_host("lambda.us-east-1.localhost"), None);
        for (rest, id, path) in
            [("abc", "abc", "/"), ("abc/", "abc", "/"), ("abc/p%20/a//", "abc", "/p%20/a//")]
        {
            assert_eq!(Address::of_path(rest), Address { id: id.to_owned(), path: path.to_owned() });
        }
    }
}
