use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::{LogSink, Platform, start_logs};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let platform = Platform::from_env()?;
    start_logs(&platform.log_level(), LogSink::Stdout);
    let platform = &platform;
    let refresh =
        |_: LambdaEvent<Value>| async move { exchange_rates::handle(platform).await.map_err(Error::from) };
    lambda_runtime::run(service_fn(refresh)).await
}
