//! The search on real interfaces: joins and asks on all wired ones, as they
//! come and go. The rules are in [`stiefel_core::discovery`].

mod answerer;
mod seeker;
mod wired;

pub use answerer::{Answerer, Event};
pub use seeker::{Found, Seeker, Speeds};
pub use wired::LinkFilter;
