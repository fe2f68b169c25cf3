//! The tunnel to a disk that is served without a loan; see [`stiefel_core::standalone`].

use std::io;
use std::net::{SocketAddrV6, TcpListener};

use stiefel_core::bundle::public_key;
use stiefel_core::net::{
    BORROWER_ADDRESS, LENDER_ADDRESS, LENDER_KEEPALIVE_SECS, NBD_PORT, TUNNEL_INTERFACE,
    TUNNEL_PORT, TUNNEL_PREFIX,
};
use stiefel_core::standalone::TunnelKeys;
use stiefel_linux::links::Links;
use stiefel_linux::wireguard::{Config, Peer, WireGuard};

/// A tunnel that waits for one peer, gone when it is dropped.
pub struct Tunnel {
    links: Links,
    index: u32,
}

impl Tunnel {
    /// Makes the tunnel's interface and sets it up; needs root.
    ///
    /// # Errors
    /// There is one already, or the kernel has no WireGuard.
    pub fn open(keys: &TunnelKeys) -> stiefel_linux::Result<Self> {
        let mut links = Links::open()?;
        let mut wireguard = WireGuard::open()?;
        let index = wireguard.create(&mut links, TUNNEL_INTERFACE)?;
        let mut tunnel = Self { links, index };
        let peer = Peer {
            public_key: public_key(&keys.borrower),
            preshared_key: &keys.preshared,
            // It calls us, wherever it is.
            endpoint: None,
            allowed_ips: &[(BORROWER_ADDRESS, 128)],
            keepalive_secs: LENDER_KEEPALIVE_SECS,
        };
        wireguard.configure(
            index,
            &Config {
                private_key: &keys.lender,
                listen_port: TUNNEL_PORT,
                peer,
            },
        )?;
        tunnel.links.set_up(index)?;
        tunnel
            .links
            .add_address(index, LENDER_ADDRESS, TUNNEL_PREFIX)?;
        Ok(tunnel)
    }

    /// Listens for the disk's clients, inside the tunnel only.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn listen(&self) -> io::Result<TcpListener> {
        let address = SocketAddrV6::new(LENDER_ADDRESS, NBD_PORT, 0, 0);
        crate::sockets::listen(address, Some(TUNNEL_INTERFACE))
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // Somebody has removed it already, or nobody can.
        let _ = self.links.delete(self.index);
    }
}
