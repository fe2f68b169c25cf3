//! The lender's end of the tunnel: one peer, keys of this grant.

use crate::hardware;
use stiefel_core::net::{
    BORROWER_ADDRESS, LENDER_ADDRESS, LENDER_KEEPALIVE_SECS, TUNNEL_INTERFACE, TUNNEL_PORT,
    TUNNEL_PREFIX, USUAL_MTU, tunnel_mtu,
};
use stiefel_core::secret::Secret;
use stiefel_linux::links::Links;
use stiefel_linux::wireguard::{Config, Peer, WireGuard};

/// The module that makes tunnels.
pub const MODULE: &str = "wireguard";

/// Makes the tunnel, or gives it new keys; whoever had the old ones is cut off at once.
pub fn establish(
    private_key: &Secret,
    peer_key: [u8; 32],
    preshared_key: &Secret,
) -> anyhow::Result<()> {
    hardware::load(&[MODULE])?;
    let mut links = Links::open()?;
    let mut wireguard = WireGuard::open()?;
    if let Some(old) = links.by_name(TUNNEL_INTERFACE)? {
        links.delete(old.index)?;
    }
    let index = wireguard.create(&mut links, TUNNEL_INTERFACE)?;
    wireguard.configure(
        index,
        &Config {
            private_key,
            listen_port: TUNNEL_PORT,
            peer: Peer {
                public_key: peer_key,
                preshared_key,
                // The borrower calls us, wherever it is.
                endpoint: None,
                allowed_ips: &[(BORROWER_ADDRESS, 128)],
                keepalive_secs: LENDER_KEEPALIVE_SECS,
            },
        },
    )?;
    // The borrower finds out what gets through, and TCP agrees on that.
    let most = links.list()?.into_iter().filter(|link| link.is_ethernet);
    if let Some(most) = most.map(|link| link.mtu).max() {
        links.set_mtu(index, tunnel_mtu(most.max(USUAL_MTU)))?;
    }
    links.set_up(index)?;
    links.add_address(index, LENDER_ADDRESS, TUNNEL_PREFIX)?;
    Ok(())
}
