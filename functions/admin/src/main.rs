use edge::lambda::{self, Error};
use platform::{LogSink, Platform, start_logs};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let platform = Platform::from_env()?;
    start_logs(&platform.log_level(), LogSink::Stdout);
    lambda::serve(admin::router(&platform)?).await
}
