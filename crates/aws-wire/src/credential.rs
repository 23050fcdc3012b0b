//! Who says to be calling: the credential scope of a SigV4 signature. It is read, not verified; `hearth-auth` does that.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What a signature is scoped to: `Credential=ACCESS_KEY_ID/DATE/REGION/SERVICE/aws4_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialScope<'a> {
    /// Whose key.
    pub access_key_id: &'a str,
    /// On which day: `20261130`.
    pub date: &'a str,
    /// For which region.
    pub region: &'a str,
    /// For which service, such as `lambda` or `sts`.
    pub service: &'a str,
}

impl<'a> CredentialScope<'a> {
    /// Reads the `Authorization` header. `None` when there is none, or it is no SigV4.
    pub fn of(headers: &'a HeaderMap) -> Option<Self> {
        let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let parameters = authorization.strip_prefix("AWS4-HMAC-SHA256")?;
        let credential =
            parameters.split(',').find_map(|parameter| parameter.trim().strip_prefix("Credential="))?;
        Self::parse(credential)
    }

    /// Reads a scope.
    pub fn parse(credential: &'a str) -> Option<Self> {
        // From the end: of these parts only the key is not ours to know the alphabet of.
        let mut parts = credential.rsplitn(5, '/');
        if parts.next()? != "aws4_request" {
            return None;
        }
        let (service, region, date) = (parts.next()?, parts.next()?, parts.next()?);
        let access_key_id = parts.next()?;
        let complete = [access_key_id, date, region, service].iter().all(|part| !part.is_empty());
        complete.then_some(Self { access_key_id, date, region, service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(authorization: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        CredentialScope::of(&headers)
            .map(|scope| format!("{} {} {}", scope.access_key_id, scope.region, scope.service))
    }

    #[test]
    fn the_scope_is_read_wherever_the_credential_stands() {
        let credential = "Credential=AKIDEXAMPLE/20240131/eu-west-1/lambda/aws4_request";
        for authorization in [
            format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, Signature=0"),
            format!("AWS4-HMAC-SHA256 SignedHeaders=host,{credential},Signature=0"),
        ] {
            assert_eq!(scope(&authorization).as_deref(), Some("AKIDEXAMPLE eu-west-1 lambda"));
        }
    }

    #[test]
    fn what_is_no_signature_has_no_scope() {
        for authorization in [
            "Bearer token",
            "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=AKID/20240131/us-east-1/lambda",
            "AWS4-HMAC-SHA256 Credential=AKID/20240131/us-east-1/lambda/aws4",
            "AWS4-HMAC-SHA256 Credential=/20240131//lambda/aws4_request",
        ] {
            assert_eq!(scope(authorization), None, "{authorization}");
        }
        assert_eq!(CredentialScope::of(&HeaderMap::new()), None);
    }
}
