//! Wrong input to the Lambda API: a clear answer in AWS's shape, and nothing stored.
