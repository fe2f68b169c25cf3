//! Addresses and ports of a loan; see `docs/protocol.md`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// UDP port of the search.
pub const DISCOVERY_PORT: u16 = 61570;
/// Link-local multicast group of the search; the last 56 bits spell "stiefel" in ASCII.
pub const DISCOVERY_GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0x73, 0x7469, 0x6566, 0x656c);
/// TCP port of the boot service, on link-local addresses.
pub const BOOT_PORT: u16 = 61571;
/// UDP port of the lender's end of the tunnel.
pub const TUNNEL_PORT: u16 = 61572;
/// TCP port of the control service, inside the tunnel.
pub const CONTROL_PORT: u16 = 61573;
/// TCP port of the disk service, inside the tunnel; the number that IANA gave to NBD.
pub const NBD_PORT: u16 = 10809;
/// The lender's address inside the tunnel.
pub const LENDER_ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd73, 0x7469, 0x6566, 0x656c, 0, 0, 0, 1);
/// The borrower's address inside the tunnel.
pub const BORROWER_ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd73, 0x7469, 0x6566, 0x656c, 0, 0, 0, 2);
/// Prefix length of the tunnel's network.
pub const TUNNEL_PREFIX: u8 = 64;
/// Largest packet that every Ethernet carries, bytes.
pub const USUAL_MTU: u32 = 1500;
/// What the tunnel adds to each packet: IPv6, UDP and WireGuard's own header and tag, bytes.
const TUNNEL_OVERHEAD: u32 = 40 + 8 + 32;
/// WireGuard fills each packet up to a multiple of so many bytes (`MESSAGE_PADDING_MULTIPLE`, drivers/net/wireguard/messages.h).
const TUNNEL_PADDING: u32 = 16;
/// How often the lender's end of the tunnel says that it is there, seconds.
///
/// It is what keeps a loan alive whose borrower's clock is set back, as it is on a machine that
/// keeps local time for another system: WireGuard takes no handshake that seems older than the
/// last one, so that when the keys are used up (three minutes) only the lender can begin.
pub const LENDER_KEEPALIVE_SECS: u16 = 5;
/// Name of the tunnel's interface on both machines.
pub const TUNNEL_INTERFACE: &str = "stiefel-wg";

/// Largest inner packet of a tunnel over a link that carries packets of `link_mtu` bytes.
///
/// Not one byte more: an end whose own limit is higher fills a packet up beyond ours.
#[must_use]
pub const fn tunnel_mtu(link_mtu: u32) -> u32 {
    (link_mtu - TUNNEL_OVERHEAD) / TUNNEL_PADDING * TUNNEL_PADDING
}

/// A hardware address of a NIC, as `aa:bb:cc:dd:ee:ff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = BadMacAddress;

    fn from_str(text: &str) -> Result<Self, BadMacAddress> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2);
            let part = part.ok_or(BadMacAddress)?;
            hex::decode_to_slice(part, std::slice::from_mut(byte)).map_err(|_| BadMacAddress)?;
        }
        match parts.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(BadMacAddress),
        }
    }
}

impl TryFrom<String> for MacAddress {
    type Error = BadMacAddress;

    fn try_from(text: String) -> Result<Self, BadMacAddress> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(address: MacAddress) -> Self {
        address.to_string()
    }
}

/// The text is no hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hardware address looks like aa:bb:cc:dd:ee:ff")]
pub struct BadMacAddress;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_up_fits_the_link() {
        for (link, inner) in [(1500, 1408), (9000, 8912)] {
            assert_eq!(tunnel_mtu(link), inner);
            assert!(inner.next_multiple_of(TUNNEL_PADDING) + TUNNEL_OVERHEAD <= link);
        }
    }

    #[test]
    fn hardware_addresses_are_read_and_shown() {
        let address: MacAddress = "52:54:00:AA:bb:0c".parse().unwrap();
        assert_eq!(address.to_string(), "52:54:00:aa:bb:0c");
        for bad in [
            "",
            "52:54:00:aa:bb",
            "52:54:00:aa:bb:cc:dd",
            "5254:00:aa:bb:cc:d",
            "+1:54:00:aa:bb:cc",
        ] {
            assert!(bad.parse::<MacAddress>().is_err(), "{bad}");
        }
    }
}
