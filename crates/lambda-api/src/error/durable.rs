//! What goes wrong with durable executions, as AWS's exceptions. Texts that are not recorded are ours.

use hearth_durable::{CallbackError, CheckpointError, DurableError};
use hearth_invoke::InvokeError;

use super::ApiError;

impl From<DurableError> for ApiError {
    fn from(error: DurableError) -> Self {
        match error {
            DurableError::NotFound => Self::not_found("The durable execution does not exist."),
            DurableError::Resolve(error) => error.into(),
            DurableError::AlreadyStarted { name } => Self::durable_execution_already_started(&name),
            DurableError::NotDurable => Self::invalid_parameter("The function is not a durable function."),
            // SDKs know it by these words.
            DurableError::Checkpoint(CheckpointError::Token) => {
                Self::invalid_parameter("Invalid Checkpoint Token")
            }
            DurableError::Checkpoint(CheckpointError::Marker) => Self::invalid_parameter("Invalid marker"),
            DurableError::Checkpoint(CheckpointError::Update(message)) => Self::invalid_parameter(message),
            DurableError::Callback(CallbackError::NotFound) => {
                Self::not_found("The callback does not exist.")
            }
            DurableError::Callback(CallbackError::Closed) => Self::callback_timeout(),
            DurableError::Ended(_) => {
                Self::conflict("The durable execution has ended, and can be neither paused nor resumed.")
            }
            DurableError::Running => Self::conflict(
                "The durable execution has not ended. Only an execution that has ended can be deleted.",
            ),
            DurableError::Draining => InvokeError::Draining.into(),
            error @ (DurableError::TooLong | DurableError::Store(_)) => Self::service(&error),
        }
    }
}
