//! Which addresses are those of the public internet (IANA, "IPv4 / IPv6 Special-Purpose Address Registry").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of version 4 that are not public: address, and how many of its bits count.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, what is reserved, and broadcast: all to the end.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// All that is public in version 6 begins with 001.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// And of that these are not: Teredo and its neighbours, documentation, 6to4, a test network's.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Addresses of version 6 that stand for one of version 4, which is judged in their place: mapped, compatible, and what
/// a translator makes (NAT64).
const WITH_V4: [(Ipv6Addr, u32); 3] = [
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0x0064, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
];

/// Whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match v4_within(address) {
            // A translator in our network would lead there; the other two are never on the wire.
            Some(within) => is_public_v4(within) && !is_within_v6(address, WITH_V4[1]),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    let is_within = |(network, length): &(Ipv4Addr, u32)| (bits ^ network.to_bits()) >> (32 - length) == 0;
    !NOT_PUBLIC_V4.iter().any(is_within)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    is_within_v6(address, GLOBAL_V6) && !NOT_PUBLIC_V6.iter().any(|network| is_within_v6(address, *network))
}

fn is_within_v6(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()) >> (128 - length) == 0
}

fn v4_within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let has_v4 = WITH_V4.iter().any(|network| is_within_v6(address, *network));
    let [.., a, b, c, d] = address.octets();
    has_v4.then(|| Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// First and last address of every network that is refused, with a neighbour that is not, where there is one.
    const NETWORKS: &[(&str, &str, &str, &str)] = &[
        ("this network", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
        ("private", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
        ("shared by a provider's customers", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
        ("this machine", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
        ("link-local, and the metadata of clouds", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
        ("private", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
        ("protocol assignments", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
        ("documentation", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
        ("AS112", "192.31.196.0", "192.31.196.255", "192.31.197.0"),
        ("AMT", "192.52.193.0", "192.52.193.255", "192.52.194.0"),
        ("6to4 relays", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
        ("private", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
        ("AS112", "192.175.48.0", "192.175.48.255", "192.175.49.0"),
        ("benchmarks", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
        ("documentation", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
        ("documentation", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
        ("multicast", "224.0.0.0", "239.255.255.255", "223.255.255.255"),
        ("reserved, and broadcast", "240.0.0.0", "255.255.255.255", "223.255.255.255"),
        ("unspecified, and this machine", "::", "::1", "2000::"),
        ("compatible with version 4", "::7f00:1", "::ffff:ffff", "2000::"),
        ("compatible with a public one, too", "::808:808", "::808:808", "2000::"),
        ("mapped", "::ffff:10.0.0.0", "::ffff:10.255.255.255", "::ffff:11.0.0.0"),
        ("mapped", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8"),
        ("translated", "::ffff:0:0:0", "::ffff:0:808:808", "2000::"),
        ("NAT64", "64:ff9b::a00:0", "64:ff9b::aff:ffff", "64:ff9b::b00:0"),
        ("NAT64", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808"),
        ("NAT64 of a network's own", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "2000::"),
        ("discard", "100::", "100::ffff:ffff:ffff:ffff", "2000::"),
        ("segment routing", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
        ("Teredo", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
        ("benchmarks", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
        ("ORCHID", "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
        ("ORCHIDv2", "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
        ("drones", "2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
        ("documentation", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"),
        ("6to4", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"),
        ("6to4 of this machine", "2002:7f00:1::", "2002:a9fe:a9fe::", "2003::"),
        ("the old test network", "3ffe::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffd::"),
        ("documentation", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"),
        ("not given out", "4000::", "4000::1", "3fff:1000::"),
        ("unique local", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
        ("link-local", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
        ("site-local", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
        ("multicast", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
    ];

    #[test]
    fn every_special_network_is_refused_from_its_first_to_its_last_address() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for (name, first, last, neighbour) in NETWORKS {
            for refused in [first, last] {
                assert!(!is_public(address(refused)), "{name}: {refused}");
            }
            assert!(is_public(address(neighbour)), "{name}: {neighbour}");
        }
        for public in ["8.8.8.8", "1.1.1.1", "142.250.74.46", "2a00:1450:4001:80e::200e", "2606:4700::1111"] {
            assert!(is_public(address(public)), "{public}");
        }
    }

    proptest! {
        /// The standard library's own judgement, of what it has words for.
        #[test]
        fn nothing_is_public_that_the_standard_library_calls_otherwise(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            let is_special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_broadcast() || address.is_documentation() || address.is_multicast()
                || address.is_unspecified();
            prop_assert!(!(is_special && is_public(address.into())));
            // A version 4 address is judged alike in whatever it is wrapped.
            let [a, b, c, d] = address.octets();
            let words = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            prop_assert_eq!(is_public(address.to_ipv6_mapped().into()), is_public(address.into()));
            let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, words.0, words.1);
            prop_assert_eq!(is_public(translated.into()), is_public(address.into()));
        }
    }
}
