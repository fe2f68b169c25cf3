//! WireGuard tunnels (rtnetlink to make them, generic netlink to set them up).
//!
//! Source: `include/uapi/linux/wireguard.h`. A tunnel's outer packets always
//! travel in the network namespace in which it was made.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::{Duration, SystemTime};

use netlink_packet_generic::GenlMessage;
use netlink_packet_route::link::{InfoKind, LinkInfo};
use netlink_packet_wireguard::{
    WireguardAddressFamily, WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute,
    WireguardCmd, WireguardDeviceFlags, WireguardMessage, WireguardPeer, WireguardPeerAttribute,
    WireguardPeerFlags,
};
use netlink_sys::protocols::NETLINK_GENERIC;
use stiefel_core::secret::Secret;
use zeroize::Zeroize;

use crate::error::{Error, Result, Tried};
use crate::links::Links;
use crate::netlink::{Family, Netlink};

/// A tunnel's own side.
///
/// The keys are borrowed for the call and wiped from every buffer of this crate.
pub struct Config<'a> {
    /// Our X25519 private key.
    pub private_key: &'a Secret,
    /// The UDP port to listen on; 0 lets the kernel choose one.
    pub listen_port: u16,
    /// The one peer of a loan.
    pub peer: Peer<'a>,
}

/// The other side of a tunnel.
pub struct Peer<'a> {
    /// Its X25519 public key.
    pub public_key: [u8; 32],
    /// The key that only paired machines have.
    pub preshared_key: &'a Secret,
    /// Where to send, with the interface as scope; `None` waits for the peer to begin.
    pub endpoint: Option<SocketAddrV6>,
    /// Inner addresses that the peer may use, with prefix lengths.
    pub allowed_ips: &'a [(Ipv6Addr, u8)],
    /// Seconds between packets that keep the path open; 0 for none.
    pub keepalive_secs: u16,
}

/// What the kernel knows of the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// When the last handshake was completed, by the wall clock; `None` when there was none yet.
    pub last_handshake: Option<SystemTime>,
    /// Bytes received through the tunnel, outer headers included.
    pub received_bytes: u64,
    /// Bytes sent through the tunnel, outer headers included.
    pub sent_bytes: u64,
    /// Where the peer was heard last.
    pub endpoint: Option<SocketAddrV6>,
}

/// The WireGuard tunnels of one network namespace.
pub struct WireGuard {
    netlink: Netlink,
    family: u16,
}

impl WireGuard {
    /// Opens the tunnels of the network namespace that this thread is in now.
    /// Needs the module `wireguard`.
    pub fn open() -> Result<Self> {
        let mut netlink = Netlink::open(NETLINK_GENERIC)
            .tried(|| "cannot open a netlink socket for WireGuard".into())?;
        let family = Family::resolve(&mut netlink, "wireguard")
            .tried(|| "the kernel has no WireGuard; is its module loaded?".into())?;
        Ok(Self {
            netlink,
            family: family.id,
        })
    }

    /// Makes a tunnel interface, switched off and without keys.
    pub fn create(&mut self, links: &mut Links, name: &str) -> Result<u32> {
        links
            .create(name, vec![LinkInfo::Kind(InfoKind::Wireguard)])
            .tried(|| format!("cannot make the tunnel {name}"))?;
        let missing = || {
            Error::new(
                format!("the tunnel {name} was made but is not there"),
                rustix::io::Errno::NODEV,
            )
        };
        links
            .by_name(name)?
            .map(|link| link.index)
            .ok_or_else(missing)
    }

    /// Sets keys, port and the only peer; a peer from before is forgotten.
    pub fn configure(&mut self, index: u32, config: &Config<'_>) -> Result<()> {
        let peer = &config.peer;
        let mut peer_attributes = vec![
            WireguardPeerAttribute::PublicKey(peer.public_key),
            WireguardPeerAttribute::PresharedKey(*peer.preshared_key.expose()),
            WireguardPeerAttribute::Flags(WireguardPeerFlags::ReplaceAllowedIps),
            WireguardPeerAttribute::PersistentKeepalive(peer.keepalive_secs),
            WireguardPeerAttribute::AllowedIps(peer.allowed_ips.iter().map(allowed_ip).collect()),
        ];
        let endpoint = peer.endpoint.map(SocketAddr::V6);
        peer_attributes.extend(endpoint.map(WireguardPeerAttribute::Endpoint));
        let attributes = vec![
            WireguardAttribute::IfIndex(index),
            WireguardAttribute::PrivateKey(*config.private_key.expose()),
            WireguardAttribute::ListenPort(config.listen_port),
            WireguardAttribute::Flags(WireguardDeviceFlags::ReplacePeers),
            WireguardAttribute::Peers(vec![WireguardPeer(peer_attributes)]),
        ];
        self.set(attributes)
            .tried(|| format!("cannot set up the tunnel {index}"))
    }

    /// Tells where a known peer is now; nothing else changes, sessions stay.
    pub fn set_endpoint(
        &mut self,
        index: u32,
        public_key: [u8; 32],
        endpoint: SocketAddrV6,
    ) -> Result<()> {
        let peer = WireguardPeer(vec![
            WireguardPeerAttribute::PublicKey(public_key),
            WireguardPeerAttribute::Flags(WireguardPeerFlags::UpdateOnly),
            WireguardPeerAttribute::Endpoint(SocketAddr::V6(endpoint)),
        ]);
        let attributes = vec![
            WireguardAttribute::IfIndex(index),
            WireguardAttribute::Peers(vec![peer]),
        ];
        self.set(attributes)
            .tried(|| format!("cannot point the tunnel {index} to {endpoint}"))
    }

    /// What the kernel knows of the first peer; `None` when there is no peer.
    pub fn peer_status(&mut self, index: u32) -> Result<Option<PeerStatus>> {
        let question = WireguardMessage {
            cmd: WireguardCmd::GetDevice,
            attributes: vec![WireguardAttribute::IfIndex(index)],
        };
        let mut question = GenlMessage::from_payload(question);
        question.set_resolved_family_id(self.family);
        let answers = self
            .netlink
            .dump(question)
            .tried(|| format!("cannot ask for the state of the tunnel {index}"))?;
        let mut found = None;
        for mut answer in answers {
            for attribute in &mut answer.payload.attributes {
                if let WireguardAttribute::Peers(peers) = attribute
                    && found.is_none()
                {
                    found = peers.first().map(|peer| status(&peer.0));
                }
                wipe(attribute);
            }
        }
        Ok(found)
    }

    fn set(&mut self, attributes: Vec<WireguardAttribute>) -> std::io::Result<()> {
        let message = WireguardMessage {
            cmd: WireguardCmd::SetDevice,
            attributes,
        };
        let mut message = GenlMessage::from_payload(message);
        message.set_resolved_family_id(self.family);
        self.netlink.command_then(message, |message| {
            message.payload.attributes.iter_mut().for_each(wipe);
        })
    }
}

fn allowed_ip((address, prefix): &(Ipv6Addr, u8)) -> WireguardAllowedIp {
    WireguardAllowedIp(vec![
        WireguardAllowedIpAttr::Family(WireguardAddressFamily::Ipv6),
        WireguardAllowedIpAttr::IpAddr(IpAddr::V6(*address)),
        WireguardAllowedIpAttr::Cidr(*prefix),
    ])
}

fn status(attributes: &[WireguardPeerAttribute]) -> PeerStatus {
    let mut status = PeerStatus {
        last_handshake: None,
        received_bytes: 0,
        sent_bytes: 0,
        endpoint: None,
    };
    for attribute in attributes {
        match attribute {
            WireguardPeerAttribute::LastHandshake(time) => {
                let since = Duration::new(
                    time.seconds.try_into().unwrap_or(0),
                    time.nano_seconds.try_into().unwrap_or(0),
                );
                status.last_handshake = (!since.is_zero()).then(|| SystemTime::UNIX_EPOCH + since);
            }
            WireguardPeerAttribute::RxBytes(bytes) => status.received_bytes = *bytes,
            WireguardPeerAttribute::TxBytes(bytes) => status.sent_bytes = *bytes,
            WireguardPeerAttribute::Endpoint(SocketAddr::V6(endpoint)) => {
                status.endpoint = Some(*endpoint);
            }
            _ => {}
        }
    }
    status
}

/// Overwrites the keys in a message that was sent or read.
fn wipe(attribute: &mut WireguardAttribute) {
    match attribute {
        WireguardAttribute::PrivateKey(key) => key.zeroize(),
        WireguardAttribute::Peers(peers) => {
            for attribute in peers.iter_mut().flat_map(|peer| &mut peer.0) {
                if let WireguardPeerAttribute::PresharedKey(key) = attribute {
                    key.zeroize();
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_wireguard::WireguardTimeSpec;

    #[test]
    fn keys_are_wiped_from_messages() {
        let peer = WireguardPeer(vec![WireguardPeerAttribute::PresharedKey([7; 32])]);
        let mut attributes = [
            WireguardAttribute::PrivateKey([7; 32]),
            WireguardAttribute::Peers(vec![peer]),
        ];
        attributes.iter_mut().for_each(wipe);
        assert!(!format!("{attributes:?}").contains('7'));
    }

    #[test]
    fn no_handshake_yet_is_none() {
        let never = WireguardPeerAttribute::LastHandshake(WireguardTimeSpec::default());
        assert_eq!(status(&[never]).last_handshake, None);
        let once = WireguardTimeSpec {
            seconds: 1,
            nano_seconds: 5,
        };
        let once = status(&[WireguardPeerAttribute::LastHandshake(once)]);
        assert_eq!(
            once.last_handshake,
            Some(SystemTime::UNIX_EPOCH + Duration::new(1, 5))
        );
    }
}
