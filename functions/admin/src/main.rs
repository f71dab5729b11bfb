#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::serve(admin::router).await
}
