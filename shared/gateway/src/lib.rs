#![doc = include_str!("../README.md")]

mod answers;
mod door;
mod request;

use axum::Router;
use door::Door;
use host::{Environment, KeepOpen};
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use platform::{InvalidSettings, Platform};
use serde_json::Value;

pub use host::Error;

/// Serves a function's finished router to API Gateway until the environment is shut down.
pub async fn serve(router: fn(&Platform) -> Result<Router, InvalidSettings>) -> Result<(), Error> {
    let environment = Environment::open(router).await?;
    let keep_open = KeepOpen::of(environment.platform());
    let door = Door::open(environment)?;
    // The door answers every event itself, so the runtime never calls this service.
    let never_called = service_fn(async |_: LambdaEvent<Value>| Ok::<Value, Error>(Value::Null));
    Runtime::new(never_called).layer(door).layer(keep_open).run().await
}
