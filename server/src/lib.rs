//! The network core of a loan, both ends of it.
//!
//! The lender's side is [`discovery::Answerer`], [`boot`], [`control`] and
//! [`disk`]; the borrower's is [`borrow`], made of [`discovery::Seeker`] and [`fetch`]. The rules
//! are in `stiefel-core`; here they meet sockets. Nothing here owns a loan:
//! the services hand what arrives to the one loop of their program.

pub mod boot;
pub mod borrow;
pub mod control;
pub mod discovery;
pub mod disk;
pub mod fetch;
mod http;
pub mod sockets;
pub mod tunnel;
