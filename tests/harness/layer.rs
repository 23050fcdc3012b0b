//! Layers of a test.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::http::Response;
use crate::package::Package;
use crate::server::Server;

impl Server {
    /// Publishes a version of a layer and returns its ARN.
    ///
    /// # Panics
    /// When it is refused.
    pub fn publish_layer(&self, name: &str, package: &Package) -> String {
        let response = self.try_publish_layer(name, &package.zip());
        assert_eq!(response.status, 201, "{}", response.text());
        response.json()["LayerVersionArn"].as_str().unwrap().to_owned()
    }

    /// Asks for a version of a layer of any bytes.
    pub fn try_publish_layer(&self, name: &str, zip: &[u8]) -> Response {
        let body = json!({ "Content": { "ZipFile": BASE64.encode(zip) } });
        self.http("POST", &format!("/2018-10-31/layers/{name}/versions"), body.to_string().as_bytes())
    }

    /// Deletes a version of a layer.
    ///
    /// # Panics
    /// When it is not answered as a deletion is.
    pub fn delete_layer(&self, name: &str, version: u64) {
        let response = self.http("DELETE", &format!("/2018-10-31/layers/{name}/versions/{version}"), b"");
        assert_eq!(response.status, 204, "{}", response.text());
    }

    /// Returns the numbers of the versions of a layer, as they are listed.
    ///
    /// # Panics
    /// When the list is refused.
    pub fn layer_versions(&self, name: &str) -> Vec<u64> {
        let response = self.http("GET", &format!("/2018-10-31/layers/{name}/versions"), b"");
        assert_eq!(response.status, 200, "{}", response.text());
        let list: Value = response.json();
        list["LayerVersions"].as_array().unwrap().iter().map(|it| it["Version"].as_u64().unwrap()).collect()
    }
}
