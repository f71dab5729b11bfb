//! EventBridge Scheduler.

use crate::lambda::{FunctionError, InvokeError, Lambda, Part, Reply};
use crate::moment;
use serde_json::{Value, json};

/// A tick that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    #[error("{0} has no schedule")]
    NoSchedule(String),
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    #[error("the function failed: {0}")]
    Function(#[from] FunctionError),
    #[error("the function's answer is no JSON: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// What the scheduler sends for a target without `Input`. It is no event of a bus: its `detail` is a text
/// (aws-lambda-dotnet issue 1864 and aws-lambda-java-libs issue 479 show it as received).
fn event(schedule: &str, region: &str) -> Value {
    json!({
        "version": "0",
        "id": moment::uuid(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "123456789012",
        "time": moment::written(moment::now(), moment::EVENT),
        "region": region,
        "resources": [format!("arn:aws:scheduler:{region}:123456789012:schedule/default/{schedule}")],
        "detail": "{}",
    })
}

/// One tick of the function's schedule, until the function rests again.
pub(crate) async fn tick(
    lambda: &Lambda,
    function: &str,
    schedule: &str,
    region: &str,
) -> Result<Value, TickError> {
    let reply = lambda.invoke(function, &event(schedule, region)).await?;
    let answer = match reply {
        Reply::Whole(bytes) => serde_json::from_slice(&bytes)?,
        Reply::Failed(error) => return Err(error.into()),
        Reply::Streamed(mut reply) => {
            let mut bytes = Vec::new();
            while let Some(part) = reply.parts.recv().await {
                match part {
                    Part::Data(data) => bytes.extend_from_slice(&data),
                    Part::Failed(error) => return Err(error.into()),
                }
            }
            serde_json::from_slice(&bytes)?
        }
    };
    lambda.rest(function).await;
    Ok(answer)
}
