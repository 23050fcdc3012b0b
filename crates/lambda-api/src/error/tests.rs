//! Every error of ours, as a client sees it.

use expect_test::expect;
use hearth_functions::{DeployError, FunctionsError, ResolveError};
use hearth_invoke::{InvokeError, ThrottleReason};
use hearth_store::StoreError;
use hearth_types::{AccountId, CodeSha256, FunctionArn, FunctionName, Qualifier, Region};
use http_body_util::BodyExt as _;

use super::ApiError;

fn arn() -> FunctionArn {
    FunctionArn {
        region: Region::new("us-east-1").unwrap(),
        account: AccountId::new("000000000000").unwrap(),
        name: FunctionName::new("f").unwrap(),
        qualifier: Some(Qualifier::parse("42").unwrap()),
    }
}

async fn shown(error: impl Into<ApiError>) -> String {
    let error = error.into();
    let error_type = error.error_type();
    let response = error.into_response();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    format!("{status} {error_type} {}\n", String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn every_error_of_ours_is_one_of_aws_and_tells_nothing_of_the_server() {
    let secret = || Box::new(std::io::Error::other("/secret/path"));
    let mut table = String::new();
    for error in [
        FunctionsError::NotFound { arn: arn() },
        FunctionsError::AlreadyExists { name: arn().name },
        FunctionsError::UpdateInProgress { arn: arn() },
        FunctionsError::Pending { arn: arn() },
        FunctionsError::RevisionMismatch,
        FunctionsError::CodeMismatch { expected: "x".to_owned(), current: CodeSha256([0; 32]) },
        FunctionsError::VersionInUse { arn: arn(), aliases: vec!["live".to_owned()] },
        FunctionsError::Deploy(DeployError::Unpack { reason: "/secret/path".to_owned() }),
        FunctionsError::Deploy(DeployError::UnzippedTooLarge),
        FunctionsError::Deploy(DeployError::Missing),
        FunctionsError::Deploy(DeployError::Service(secret())),
        FunctionsError::Store(StoreError::Stopped),
    ] {
        table += &shown(error).await;
    }
    for error in [
        InvokeError::Resolve(ResolveError::NotFound { arn: arn() }),
        InvokeError::Resolve(ResolveError::Pending { arn: arn() }),
        InvokeError::Resolve(ResolveError::Failed { arn: arn(), reason: "no python3.11".to_owned() }),
        InvokeError::Throttled { reason: ThrottleReason::ConcurrentInvocationLimitExceeded },
        InvokeError::Recursive { arn: arn() },
        InvokeError::Draining,
        InvokeError::Code { reason: "`app.py` was changed".to_owned() },
        InvokeError::Service("/secret/path".to_owned()),
    ] {
        table += &shown(error).await;
    }
    expect![[r#"
        404 ResourceNotFoundException {"Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:42","Type":"User"}
        409 ResourceConflictException {"Type":"User","message":"Function already exist: f"}
        409 ResourceConflictException {"Type":"User","message":"The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:us-east-1:000000000000:function:f:42"}
        409 ResourceConflictException {"Type":"User","message":"The operation cannot be performed at this time. The function is currently in the following state: Pending"}
        412 PreconditionFailedException {"Type":"User","message":"The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"}
        400 InvalidParameterValueException {"Type":"User","message":"CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=). Please try again with the CodeSHA256 in $LATEST."}
        409 ResourceConflictException {"Type":"User","message":"Function version 42 is still referenced by alias live"}
        400 InvalidParameterValueException {"Type":"User","message":"Could not unzip uploaded file. Please check your file, then try to upload again."}
        400 InvalidParameterValueException {"Type":"User","message":"Unzipped size must be smaller than 262144000 bytes"}
        500 ServiceException {"Message":"The AWS Lambda service encountered an internal error.","Type":"Service"}
        500 ServiceException {"Message":"The AWS Lambda service encountered an internal error.","Type":"Service"}
        500 ServiceException {"Message":"The AWS Lambda service encountered an internal error.","Type":"Service"}
        404 ResourceNotFoundException {"Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:42","Type":"User"}
        409 ResourceConflictException {"Type":"User","message":"The operation cannot be performed at this time. The function is currently in the following state: Pending"}
        409 ResourceConflictException {"Type":"User","message":"The operation cannot be performed at this time. The function is currently in the following state: Failed (no python3.11)"}
        429 TooManyRequestsException {"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}
        400 RecursiveInvocationException {"Message":"arn:aws:lambda:us-east-1:000000000000:function:f:42 has called itself 16 times. Lambda stopped it as a recursive loop.","Type":"User"}
        503 ServiceUnavailableException {"message":"The server is stopping"}
        502 InvalidZipFileException {"Message":"Lambda could not use the deployment package: `app.py` was changed. Deploy it again.","Type":"Service"}
        500 ServiceException {"Message":"The AWS Lambda service encountered an internal error.","Type":"Service"}
    "#]].assert_eq(&table);
}
