use ring::digest::{SHA256, digest};
use std::fmt;
use std::str::FromStr;

/// The contract of USDT on TRON's main network.
pub const USDT_CONTRACT: &str = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";

/// TRON's version byte; every address written with it starts with `T`.
const VERSION: u8 = 0x41;
const LENGTH: usize = 21;
const CHECKSUM_LENGTH: usize = 4;
const TEXT_LENGTH: usize = 34;

/// An account or contract: the version byte and 20 more. Its text is Base58Check, where case matters and one
/// changed letter is noticed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; LENGTH]);

/// Why a text is not an address of TRON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    #[error("it must have 34 characters")]
    Length,
    #[error("it has a character that no address has")]
    Letter,
    #[error("its checksum does not match, so a character is wrong or missing")]
    Checksum,
    #[error("it is an address of another network")]
    Network,
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Address, InvalidAddress> {
        if text.len() != TEXT_LENGTH {
            return Err(InvalidAddress::Length);
        }
        let bytes = bs58::decode(text).into_vec().map_err(|_| InvalidAddress::Letter)?;
        let (content, sum) = bytes.split_last_chunk::<CHECKSUM_LENGTH>().ok_or(InvalidAddress::Length)?;
        let content = <[u8; LENGTH]>::try_from(content).map_err(|_| InvalidAddress::Length)?;
        if checksum(&content) != *sum {
            return Err(InvalidAddress::Checksum);
        }
        Address::of_network(content)
    }
}

impl Address {
    /// From 42 hexadecimal digits, `41…`, as contracts and logs write it.
    pub fn from_hex(text: &str) -> Result<Address, InvalidAddress> {
        if text.len() != 2 * LENGTH {
            return Err(InvalidAddress::Length);
        }
        let mut bytes = [0; LENGTH];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidAddress::Letter)?;
        Address::of_network(bytes)
    }

    /// 42 lower-case hexadecimal digits, `41…`.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    fn of_network(bytes: [u8; LENGTH]) -> Result<Address, InvalidAddress> {
        if bytes[0] == VERSION { Ok(Address(bytes)) } else { Err(InvalidAddress::Network) }
    }
}

/// The first bytes of the double SHA-256.
fn checksum(content: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let twice = digest(&SHA256, digest(&SHA256, content).as_ref());
    let mut first = [0; CHECKSUM_LENGTH];
    first.copy_from_slice(&twice.as_ref()[..CHECKSUM_LENGTH]);
    first
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.0.as_slice(), &checksum(&self.0)].concat();
        f.write_str(&bs58::encode(bytes).into_string())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vectors() -> [(&'static str, String); 4] {
        [
            (USDT_CONTRACT, "41a614f803b6fd780986a42c78ec9c7f77e6ded13c".to_owned()),
            ("T9yD14Nj9j7xAB4dbGeiX9h8unkKLxmGkn", format!("41{}01", "00".repeat(19))),
            ("TBXSw8fM4jpQkGc6zZjsVABFpVN7UvXPdV", format!("41{}", "11".repeat(20))),
            ("TZJozAg1ruapycCicgz31GxvYJ1FraLjZa", format!("41{}", "ff".repeat(20))),
        ]
    }

    #[test]
    fn published_addresses_are_read_and_written_back() {
        for (text, hex) in vectors() {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.to_string(), address.to_hex()), (text.to_owned(), hex.clone()));
            assert_eq!(Address::from_hex(&hex), Ok(address));
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_by_name() {
        use InvalidAddress::*;
        let table = [
            ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T", Checksum),
            ("tR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", Checksum),
            ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj60", Letter),
            ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6\u{e9}", Length),
            ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6", Length),
            (" TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", Length),
            ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", Network),
            ("", Length),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
        let hex = "a614f803b6fd780986a42c78ec9c7f77e6ded13c";
        assert_eq!(Address::from_hex(hex), Err(Length));
        assert_eq!(Address::from_hex(&format!("00{hex}")), Err(Network));
        assert_eq!(Address::from_hex(&format!("4g{hex}")), Err(Letter));
        assert_eq!(Address::from_hex(&format!("0x41{}", &hex[2..])), Err(Letter));
    }

    proptest! {
        #[test]
        fn every_address_survives_its_text(bytes: [u8; 20]) {
            let address = Address::from_hex(&format!("41{}", hex::encode(bytes))).unwrap();
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }

        #[test]
        fn one_changed_letter_is_noticed(at in 0usize..34, letter in "[1-9A-HJ-NP-Za-km-z]") {
            let mut text = USDT_CONTRACT.to_owned();
            text.replace_range(at..=at, &letter);
            prop_assert_eq!(text.parse::<Address>().is_ok(), text == USDT_CONTRACT);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = (text.parse::<Address>(), Address::from_hex(&text));
        }
    }
}
