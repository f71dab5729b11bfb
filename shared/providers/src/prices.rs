use primitives::CostCents;

/// Cents per million tokens, by what the provider did with them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenPrices {
    pub(crate) input: CostCents,
    pub(crate) cached_input: CostCents,
    pub(crate) cache_write: CostCents,
    pub(crate) output: CostCents,
}

/// Tokens as they are billed: each is in one field only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BilledTokens {
    pub(crate) input: u64,
    pub(crate) cached_input: u64,
    pub(crate) cache_write: u64,
    pub(crate) output: u64,
}

impl TokenPrices {
    /// Summed exactly and rounded once, half up, to a millionth of a cent.
    pub(crate) fn cost(&self, tokens: &BilledTokens) -> CostCents {
        const PER: u128 = 1_000_000;
        let parts = [
            (self.input, tokens.input),
            (self.cached_input, tokens.cached_input),
            (self.cache_write, tokens.cache_write),
            (self.output, tokens.output),
        ];
        let exact = parts
            .iter()
            .map(|(price, count)| u128::from(price.micro_cents()) * u128::from(*count))
            .fold(PER / 2, u128::saturating_add);
        // Only nonsense counts leave the range; they are our loss, and the largest cost is easily noticed.
        CostCents::from_micro_cents(u64::try_from(exact / PER).unwrap_or(u64::MAX))
    }
}

/// A guess for a text whose tokens nobody counted: four bytes each.
pub(crate) fn estimated_tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(input: &str, cached: &str, output: &str) -> TokenPrices {
        let cents = |text: &str| text.parse().unwrap();
        let (input, cached_input, output) = (cents(input), cents(cached), cents(output));
        TokenPrices { input, cached_input, cache_write: CostCents::ZERO, output }
    }

    #[test]
    fn cached_fresh_and_written_tokens_have_their_own_price() {
        let flash = prices("14", "0.28", "28");
        let table = [
            ((0, 0, 0), "0"),
            ((1_000_000, 0, 0), "14"),
            ((0, 1_000_000, 0), "0.28"),
            ((0, 0, 1_000_000), "28"),
            ((100, 900, 50), "0.003052"),
            // 0.28 + 14 + 28 millionths of a cent: exact, then rounded once.
            ((1, 1, 1), "0.000042"),
        ];
        for ((input, cached_input, output), cost) in table {
            let tokens = BilledTokens { input, cached_input, cache_write: 0, output };
            assert_eq!(flash.cost(&tokens), cost.parse().unwrap(), "{tokens:?}");
        }
    }

    #[test]
    fn nonsense_counts_do_not_wrap() {
        let tokens = BilledTokens { input: u64::MAX, output: u64::MAX, ..BilledTokens::default() };
        let cost = prices("99999", "0", "99999").cost(&tokens);
        assert_eq!(cost, CostCents::from_micro_cents(u64::MAX));
    }
}
