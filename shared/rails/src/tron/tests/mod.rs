mod answers;
mod indexer;
mod rows;
mod walk;

use super::{Address, USDT_CONTRACT, Watch};

const WALLET: &str = "TBXSw8fM4jpQkGc6zZjsVABFpVN7UvXPdV";
const SENDER: &str = "TZJozAg1ruapycCicgz31GxvYJ1FraLjZa";
const STRANGER: &str = "T9yD14Nj9j7xAB4dbGeiX9h8unkKLxmGkn";
/// A block's time, a multiple of 3 s.
const NOON: u64 = 1_790_000_001_000;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn watch() -> Watch {
    Watch { wallet: address(WALLET), contract: address(USDT_CONTRACT) }
}
