#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    host::serve(runs_function::router).await
}
