//! Which network addresses a call may reach: public ones, and others only where that is allowed by name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a connection may reach besides public addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// Nothing else.
    Public,
    /// This machine too: sandbox tenants.
    Loopback,
}

/// Whether `address` may be connected to.
pub(crate) fn is_allowed(address: IpAddr, reach: Reach, private_networks: &[(IpAddr, u8)]) -> bool {
    let address = address.to_canonical();
    if address.is_loopback() {
        return reach == Reach::Loopback;
    }
    is_public(address) || private_networks.iter().any(|(network, bits)| contains(*network, *bits, address))
}

/// Whether an address belongs to the public internet (IANA special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local() // 169.254/16 holds the clouds' metadata services
        || (a == 100 && (64..128).contains(&b)) // carrier NAT
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || address.is_documentation()
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, _, _, _, _, g, h] = address.segments();
    if a == 0x64 && b == 0xff9b {
        // NAT64 carries an IPv4 address in its last 32 bits.
        let [g1, g2] = g.to_be_bytes();
        let [h1, h2] = h.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(g1, g2, h1, h2));
    }
    // Only 2000::/3 is global unicast; of it 2001::/23 is special (Teredo, ORCHID), 2002::/16 tunnels IPv4, and
    // 2001:db8::/32 and 3fff::/20 are documentation.
    a & 0xe000 == 0x2000
        && !(a == 0x2001 && b < 0x200)
        && !(a == 0x2001 && b == 0xdb8)
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str, reach: Reach) -> bool {
        is_allowed(text.parse().unwrap(), reach, &[])
    }

    #[test]
    fn private_link_local_metadata_and_loopback_addresses_are_refused() {
        for bad in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
        ] {
            assert!(!allowed(bad, Reach::Public), "{bad}");
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        for good in ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(allowed(good, Reach::Public), "{good}");
        }
    }

    #[test]
    fn a_sandbox_reaches_this_machine_and_nothing_else_private() {
        assert!(allowed("127.0.0.1", Reach::Loopback) && allowed("::1", Reach::Loopback));
        assert!(!allowed("10.0.0.1", Reach::Loopback) && !allowed("169.254.169.254", Reach::Loopback));
    }

    #[test]
    fn a_private_network_can_be_allowed_by_name_and_only_it() {
        let networks = [("10.20.0.0".parse().unwrap(), 16)];
        assert!(is_allowed("10.20.3.4".parse().unwrap(), Reach::Public, &networks));
        assert!(!is_allowed("10.21.3.4".parse().unwrap(), Reach::Public, &networks));
        assert!(!is_allowed("127.0.0.1".parse().unwrap(), Reach::Public, &[("0.0.0.0".parse().unwrap(), 0)]));
    }
}
