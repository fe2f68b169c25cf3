//! What each wired interface is used for: what people said on the bus, else the
//! configuration, else `shared`.

use super::Daemon;
use crate::config::LinkName;
use crate::request::{Answer, Refused};
use crate::store::{LinkPolicy, LinkRecord, MAX_LINKS};
use crate::view::{self, LinkView};
use crate::world::Link;
use crate::world::claims::Claims;
use std::collections::{BTreeMap, BTreeSet};
use stiefel_core::handoff::HandOff;
use stiefel_core::net::MacAddress;
use stiefel_core::preflight::{Cable, LinkFact};

impl Daemon {
    /// Changes what the interface of this name is used for, now and whenever it comes back.
    pub(super) fn set_link_policy(
        &mut self,
        name: &str,
        policy: LinkPolicy,
    ) -> Result<Answer, Refused> {
        let link = self.links.iter().flatten().find(|link| link.name == name);
        let link = link.ok_or(Refused::NoLink)?;
        let record = LinkRecord {
            mac: link.mac,
            name: link.name.clone(),
            policy,
        };
        let mut records = self.link_records.clone();
        records.retain(|other| other.mac != record.mac);
        if records.len() >= MAX_LINKS {
            return Err(Refused::TooManyLinks);
        }
        records.push(record);
        self.store.save_links(&records)?;
        self.link_records = records;
        Ok(Answer::Done)
    }

    /// The first of the dedicated interfaces that are there.
    pub(super) fn stiefellink(&self) -> Option<&Link> {
        let mut links = self.links.iter().flatten();
        links.find(|link| self.policy_of(link) == LinkPolicy::Dedicated)
    }

    fn policy_of(&self, link: &Link) -> LinkPolicy {
        let record = self.link_records.iter().find(|one| one.mac == link.mac);
        let configured = match &self.config.link {
            Some(LinkName::Interface(name)) => link.name == *name,
            Some(LinkName::Mac(mac)) => link.mac == *mac,
            None => false,
        };
        match record {
            Some(record) => record.policy,
            None if configured => LinkPolicy::Dedicated,
            None => LinkPolicy::Shared,
        }
    }

    /// Interfaces that nobody else shall configure now, also those that are unplugged: what
    /// is plugged in again is taken before anybody has touched it. `None` as long as the
    /// interfaces are not known.
    #[must_use]
    pub fn claims(&self) -> Option<Claims> {
        let links = self.links.as_ref()?;
        let leaving = matches!(self.machine, HandOff::Leaving { .. });
        if !self.is_armed() || (self.ending && !leaving) {
            return Some(Claims::new());
        }
        let there = links
            .iter()
            .filter(|link| self.policy_of(link) == LinkPolicy::Dedicated)
            .map(|link| (link.name.clone(), Some(link.index)));
        let is_there = |name: &str| links.iter().any(|link| link.name == name);
        let recorded = self
            .link_records
            .iter()
            .filter(|record| record.policy == LinkPolicy::Dedicated)
            .map(|record| record.name.clone());
        let configured = match &self.config.link {
            Some(LinkName::Interface(name)) => Some(name.clone()),
            Some(LinkName::Mac(_)) | None => None,
        };
        let absent = recorded
            .chain(configured)
            .filter(|name| !is_there(name))
            .map(|name| (name, None));
        Some(there.chain(absent).collect())
    }

    pub(super) fn to_claim(&self) -> Vec<String> {
        let link = self.stiefellink().map(|link| link.name.clone());
        link.into_iter().collect()
    }

    /// The addresses of interfaces on which no search is heard.
    pub(super) fn ignored(&self) -> BTreeSet<MacAddress> {
        self.link_records
            .iter()
            .filter(|record| record.policy == LinkPolicy::Ignore)
            .map(|record| record.mac)
            .collect()
    }

    /// The interfaces that a loan may use, or none for all wired ones.
    pub(super) fn usable(&self) -> Vec<MacAddress> {
        let ignored = self.ignored();
        let links = self.links.iter().flatten().map(|link| link.mac);
        match ignored.is_empty() {
            true => vec![],
            false => links.filter(|mac| !ignored.contains(mac)).collect(),
        }
    }

    pub(super) fn link_fact(&self, needed: bool) -> LinkFact {
        if let Some(trouble) = &self.claim_trouble {
            return LinkFact::Disputed {
                trouble: trouble.0.clone(),
            };
        }
        if let Some(link) = self.stiefellink() {
            let cable = match (link.up, link.carrier) {
                (false, _) => Cable::Unknown,
                (true, false) => Cable::Loose,
                (true, true) => Cable::Connected(link.speed_mbps),
            };
            let name = link.name.clone();
            return LinkFact::Present { name, cable };
        }
        let recorded = |mac: &MacAddress| self.link_records.iter().find(|one| one.mac == *mac);
        let overruled = |link: &Link| recorded(&link.mac).is_some();
        let configured = match &self.config.link {
            Some(LinkName::Interface(name)) => {
                let mut links = self.links.iter().flatten();
                let other = links.any(|link| link.name == *name && overruled(link));
                (!other).then(|| name.clone())
            }
            Some(LinkName::Mac(mac)) => recorded(mac).is_none().then(|| mac.to_string()),
            None => None,
        };
        let mut dedicated = self.link_records.iter();
        let dedicated = dedicated.find(|record| record.policy == LinkPolicy::Dedicated);
        match configured.or(dedicated.map(|record| record.name.clone())) {
            Some(name) => LinkFact::Gone { name, needed },
            None => LinkFact::AnyWired,
        }
    }

    /// Drivers of wired interfaces that should be in the ramdisk and are not.
    pub(super) fn missing_drivers(&self) -> Vec<String> {
        // The kernel's modules are named with "-" in files and with "_" in memory.
        let missing = |driver: &String| {
            let names = &self.survey.missing_modules;
            let plain = |name: &str| name.replace('-', "_");
            names.iter().any(|name| plain(name) == plain(driver))
        };
        let drivers = self.links.iter().flatten().map(|link| link.driver.clone());
        let missing: BTreeSet<String> = drivers.filter(missing).collect();
        missing.into_iter().collect()
    }

    pub(super) fn links_by_name(&self) -> BTreeMap<String, LinkView> {
        let show = |link: &Link| {
            let view = LinkView {
                policy: view::link_policy(self.policy_of(link)),
                managed: !self.claimed.contains(&link.name),
                link: link.clone(),
            };
            (link.name.clone(), view)
        };
        self.links.iter().flatten().map(show).collect()
    }
}
