//! The answers to the searches of paired borrowers.

use super::{Happening, Reporter};
use std::collections::{BTreeMap, BTreeSet};
use stiefel_core::discovery::Standing;
use stiefel_core::net::MacAddress;
use stiefel_core::pairing::{Name, Pairing, PairingId};
use stiefel_server::discovery::{Answerer, Event};
use tokio::sync::watch;

/// Who is answered, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// Our name.
    pub lender: Name,
    /// Who is answered.
    pub pairings: Vec<Pairing>,
    /// How we stand to those that [`Audience::special`] does not name.
    pub standing: Standing,
    /// How we stand to some.
    pub special: BTreeMap<PairingId, Standing>,
    /// Interfaces on which nobody is heard.
    pub ignored: BTreeSet<MacAddress>,
}

/// Answers the audience of the moment; nobody while there is none.
pub async fn answer(mut audience: watch::Receiver<Option<Audience>>, reporter: Reporter) {
    loop {
        let now = audience.borrow_and_update().clone();
        let Some(now) = now else {
            if audience.changed().await.is_err() {
                return;
            }
            continue;
        };
        let ignored = now.ignored.clone();
        let wired = Box::new(move |link: &stiefel_linux::links::Link| {
            let known = link.identity().is_some_and(|mac| ignored.contains(&mac));
            link.is_ethernet && !known
        });
        match Answerer::open(now.lender.clone(), &now.pairings, wired) {
            Ok(answerer) => {
                if let Err(error) = serve(answerer, now, &mut audience, &reporter).await {
                    tracing::error!("cannot answer searches any more: {error}");
                }
            }
            Err(error) => tracing::error!("cannot answer searches: {error}"),
        }
        // After an error, only another audience is a reason to try again.
        if audience.borrow().is_some() && audience.changed().await.is_err() {
            return;
        }
    }
}

/// Returns when nobody is to be answered any more, or on other interfaces.
async fn serve(
    mut answerer: Answerer,
    mut now: Audience,
    audience: &mut watch::Receiver<Option<Audience>>,
    reporter: &Reporter,
) -> std::io::Result<()> {
    tell(&mut answerer, &now);
    loop {
        let event = tokio::select! {
            changed = audience.changed() => {
                let next = audience.borrow_and_update().clone();
                let (Ok(()), Some(next)) = (changed, next) else { return Ok(()) };
                if next.ignored != now.ignored {
                    audience.mark_changed();
                    return Ok(());
                }
                if next.pairings != now.pairings {
                    answerer.set_pairings(&next.pairings);
                }
                now = next;
                tell(&mut answerer, &now);
                continue;
            }
            event = answerer.next() => event?,
        };
        let happening = match event {
            Event::Seen { pairing, .. } => Happening::Sought(pairing),
            Event::Wake { pairing, .. } => Happening::Woken(pairing),
            Event::OtherVersion { pairing, version } => {
                tracing::warn!(
                    "pairing {pairing} searches with version {version} of the protocol; make its boot medium again"
                );
                Happening::Outdated(pairing)
            }
        };
        if reporter.send(happening).await.is_err() {
            return Ok(());
        }
    }
}

fn tell(answerer: &mut Answerer, audience: &Audience) {
    answerer.set_standing(audience.standing.clone());
    for (pairing, standing) in &audience.special {
        answerer.set_standing_of(*pairing, standing.clone());
    }
}
