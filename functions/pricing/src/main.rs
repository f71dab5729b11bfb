#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::serve(pricing::router).await
}
