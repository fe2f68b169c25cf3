//! The kernel's switch of an interface: nobody else switches an interface on that
//! everybody was told to leave alone, and a search is heard on no other.

use super::claims::Claims;
use super::{Doing, NetworkService, Trouble};
use stiefel_linux::links::Links;

/// Switches claimed interfaces on, also when they are plugged in again.
pub struct Switch;

impl NetworkService for Switch {
    fn claim<'a>(&'a mut self, claims: &'a Claims) -> Doing<'a, ()> {
        Box::pin(async move {
            let tried = |error| Trouble::new("cannot switch the stiefellink on", error);
            let mut links = Links::open().map_err(tried)?;
            for link in links.list().map_err(tried)? {
                if claims.contains_key(&link.name) && !link.up {
                    links.set_up(link.index).map_err(tried)?;
                }
            }
            Ok(())
        })
    }

    /// Whoever configures it again switches it as they like.
    fn release(&mut self) -> Doing<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
