//! lambda-api
