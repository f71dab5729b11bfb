#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::serve(identity_webhook::router).await
}
