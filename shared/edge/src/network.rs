use std::net::{IpAddr, Ipv6Addr};

/// Where a request came from, as the host (API Gateway, the local listener) saw it; never from a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceIp(pub IpAddr);

impl SourceIp {
    /// The address cut to its network, the only form that is counted or stored: IPv4 /24, IPv6 /48.
    pub fn network(self) -> String {
        match self.0 {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) => SourceIp(IpAddr::V4(mapped)).network(),
                None => {
                    let [a, b, c, ..] = address.segments();
                    format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SourceIp;

    #[test]
    fn addresses_are_cut_to_networks() {
        let table = [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ];
        for (address, expected) in table {
            assert_eq!(SourceIp(address.parse().unwrap()).network(), expected);
        }
    }
}
