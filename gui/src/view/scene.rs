//! The drawing of the two computers and the cable between them. The lit screen
//! is where the person's system runs.

use super::words::{self, fill};
use crate::picture::{Pairing, Picture};
use gettextrs::gettext;
use stiefel_dbus::words::Presence;

/// Both computers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// What the one is called whose disk it is.
    pub lender: String,
    /// What the other is called.
    pub borrower: String,
    pub look: Look,
    /// What the drawing shows, in words.
    pub meaning: String,
}

/// What goes on between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Apart,
    /// The lender listens.
    Waiting,
    /// The system is on its way to the borrower.
    Going,
    /// The system runs on the borrower.
    Lent,
    /// It does, and waits for its disk.
    Frozen,
    /// The system is on its way back.
    Returning,
    /// It has been taken back.
    Over,
}

/// The scene as this machine, a lender, sees it.
pub(super) fn of_lender(picture: &Picture, look: Look) -> Scene {
    let this = match picture.machine.name.as_str() {
        "" => gettext("This Computer"),
        name => name.to_owned(),
    };
    let searching = |pairing: &&Pairing| pairing.presence == Presence::Searching;
    let known = words::borrower(picture)
        .or_else(|| picture.pairings.iter().find(searching))
        .or(match picture.pairings.as_slice() {
            [only] => Some(only),
            _ => None,
        });
    let other = known.map_or_else(|| gettext("Paired Computer"), |known| known.name.clone());
    Scene::new(this, other, look)
}

impl Scene {
    pub(super) fn new(lender: String, borrower: String, look: Look) -> Self {
        let meaning = match look {
            Look::Apart | Look::Waiting => {
                fill(&gettext("Your system runs on {name}"), "name", &lender)
            }
            Look::Going | Look::Returning => gettext("Your system changes computers"),
            Look::Lent => fill(&gettext("Your system runs on {name}"), "name", &borrower),
            Look::Frozen => fill(&gettext("Your system waits on {name}"), "name", &borrower),
            Look::Over => gettext("The two computers are apart"),
        };
        Self {
            lender,
            borrower,
            look,
            meaning,
        }
    }
}
