//! What the ramdisk knows of its modules.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Catalogue, Purpose, normal, pattern};

/// Longest index that the ramdisk reads, bytes. Debian's whole module tree has 1.4 MB of
/// aliases, and ours is a part of it.
pub const INDEX_LIMIT: usize = 4 << 20;

/// A module to take into the ramdisk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name; dash or underscore is the same.
    pub name: String,
    /// What for.
    pub purpose: Purpose,
    /// Whether a ramdisk without it is useless.
    pub required: bool,
    /// What to load before it although no table says so; what is not there is left out.
    pub first: Vec<String>,
}

/// A module that was wanted and is not there as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What was wanted.
    pub module: String,
    /// What the kernel has not, the same as `module` or something that it needs.
    pub lacks: String,
}

/// A module in the ramdisk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Name, with underscores.
    pub name: String,
    /// File in the ramdisk's module folder: `.ko`, or compressed `.ko.xz`, `.ko.zst`, `.ko.gz`.
    pub file: String,
    /// What it was taken for.
    pub purpose: Purpose,
    /// Positions in the index of all that has to be loaded for it, in order, with itself.
    load: Vec<u16>,
}

/// What the ramdisk has: modules, the order to load them in, the devices they serve.
///
/// JSON in the file `stiefel/modules/index.json`. Loading goes on after a failure: what is
/// only soft may not fit the machine, and what depends on a module that failed fails itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Index {
    /// The kernel that these modules belong to.
    pub release: String,
    modules: Vec<Module>,
    builtin: BTreeSet<String>,
    aliases: Vec<Alias>,
    /// The different lengths of the aliases' literal parts.
    #[serde(skip)]
    lengths: BTreeSet<usize>,
}

/// An index that cannot be made or read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IndexError {
    /// Something without which no loan works.
    #[error(
        "kernel {release} has no module {lacks}, {}; install the package that holds it, or take another kernel",
        needed_for(module, lacks)
    )]
    Required {
        /// The kernel.
        release: String,
        /// The wanted module.
        module: String,
        /// What the kernel has not.
        lacks: String,
    },
    /// Asked for by name, and not in this ramdisk.
    #[error(
        "the ramdisk for kernel {release} has no module {module}; make it anew with `stiefelctl update`"
    )]
    Unknown {
        /// The kernel.
        release: String,
        /// The name.
        module: String,
    },
    /// A stored index that contradicts itself, or is larger than [`INDEX_LIMIT`].
    #[error(
        "the ramdisk's index of modules is damaged ({0}); make the ramdisk anew with `stiefelctl update`"
    )]
    Damaged(String),
}

fn needed_for(module: &str, lacks: &str) -> String {
    if module == lacks {
        "without which there is no loan".to_owned()
    } else {
        format!("which {module} needs")
    }
}

/// Stored as `[pattern, position]`, for there are thousands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(String, u16)", into = "(String, u16)")]
struct Alias {
    pattern: String,
    module: u16,
    /// Length of the part of the pattern that stands for itself; aliases are sorted by it.
    literal: usize,
}

#[derive(Deserialize)]
struct Stored {
    release: String,
    modules: Vec<Module>,
    builtin: BTreeSet<String>,
    aliases: Vec<Alias>,
}

impl Catalogue {
    /// The index of the wanted modules with all they need, and what is not there.
    ///
    /// The first one to want a module gives it its purpose. Aliases are kept when a device
    /// may present them (`bus:...`), not those by which the kernel asks for a protocol.
    ///
    /// # Errors
    /// [`IndexError::Required`].
    pub fn index(
        &self,
        release: &str,
        wanted: &[Wanted],
    ) -> Result<(Index, Vec<Missing>), IndexError> {
        let mut missing = Vec::new();
        let mut orders: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut purposes: BTreeMap<String, Purpose> = BTreeMap::new();
        for want in wanted {
            let module = normal(&want.name);
            if purposes.contains_key(&module) {
                continue;
            }
            match self.load_order(&module, &want.first) {
                Ok(order) => {
                    purposes.insert(module.clone(), want.purpose);
                    orders.insert(module, order);
                }
                Err(lacks) if want.required => {
                    let release = release.to_owned();
                    return Err(IndexError::Required {
                        release,
                        module,
                        lacks,
                    });
                }
                Err(lacks) => missing.push(Missing { module, lacks }),
            }
        }
        let needed: BTreeSet<String> = orders.values().flatten().cloned().collect();
        for name in needed {
            if !orders.contains_key(&name)
                && let Ok(order) = self.load_order(&name, &[])
            {
                orders.insert(name, order);
            }
        }
        Ok((self.assemble(release, &orders, &purposes)?, missing))
    }

    fn assemble(
        &self,
        release: &str,
        orders: &BTreeMap<String, Vec<String>>,
        purposes: &BTreeMap<String, Purpose>,
    ) -> Result<Index, IndexError> {
        let names: Vec<&String> = orders
            .keys()
            .filter(|name| self.path(name).is_some())
            .collect();
        let positions: BTreeMap<&str, u16> = names
            .iter()
            .zip(0..)
            .map(|(name, position)| (name.as_str(), position))
            .collect();
        let modules = names
            .iter()
            .map(|&name| {
                let path = self.path(name).unwrap_or_default();
                Module {
                    name: name.clone(),
                    file: path.rsplit('/').next().unwrap_or(path).to_owned(),
                    purpose: purposes.get(name).copied().unwrap_or(Purpose::Support),
                    load: orders[name]
                        .iter()
                        .filter_map(|n| positions.get(n.as_str()))
                        .copied()
                        .collect(),
                }
            })
            .collect();
        let aliases = self
            .aliases()
            .filter(|(pattern, _)| pattern.contains(':'))
            .filter_map(|(pattern, module)| Some((pattern, *positions.get(module)?)))
            .map(|(pattern, module)| Alias::from((pattern.to_owned(), module)))
            .collect();
        let stored = Stored {
            release: release.to_owned(),
            modules,
            builtin: self.builtin().map(str::to_owned).collect(),
            aliases,
        };
        Index::try_from(stored)
    }
}

impl Index {
    /// Reads the stored form.
    ///
    /// # Errors
    /// [`IndexError::Damaged`].
    pub fn from_json(json: &[u8]) -> Result<Self, IndexError> {
        if json.len() > INDEX_LIMIT {
            return Err(IndexError::Damaged(format!("{} bytes long", json.len())));
        }
        serde_json::from_slice(json).map_err(|error| IndexError::Damaged(error.to_string()))
    }

    /// The stored form.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Every module, sorted by name.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// How many aliases there are.
    pub fn alias_count(&self) -> usize {
        self.aliases.len()
    }

    /// What to load, in this order, for devices with these modaliases (the text of
    /// `/sys/devices/.../modalias`), as far as it is for one of these purposes.
    pub fn for_hardware<S: AsRef<str>>(
        &self,
        modaliases: impl IntoIterator<Item = S>,
        purposes: &[Purpose],
    ) -> Vec<&Module> {
        let mut chosen = BTreeSet::new();
        for modalias in modaliases {
            self.serving(&normal(modalias.as_ref().trim_end()), &mut chosen);
        }
        let modules = chosen
            .into_iter()
            .map(|position| &self.modules[usize::from(position)]);
        self.sequence(modules.filter(|module| purposes.contains(&module.purpose)))
    }

    /// What to load, in this order, for all of these names; what is part of the kernel needs
    /// nothing.
    ///
    /// # Errors
    /// [`IndexError::Unknown`].
    pub fn named<S: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<Vec<&Module>, IndexError> {
        let mut modules = Vec::new();
        for name in names {
            let name = normal(name.as_ref());
            match self
                .modules
                .binary_search_by(|module| module.name.cmp(&name))
            {
                Ok(position) => modules.push(&self.modules[position]),
                Err(_) if self.builtin.contains(&name) => {}
                Err(_) => {
                    let release = self.release.clone();
                    return Err(IndexError::Unknown {
                        release,
                        module: name,
                    });
                }
            }
        }
        Ok(self.sequence(modules))
    }

    /// Adds the positions of all modules that serve a device.
    ///
    /// An alias can only fit when its literal part begins the device's; there are a few dozen
    /// different lengths of these, so that a look-up is a few dozen binary searches and not
    /// thousands of comparisons.
    fn serving(&self, modalias: &str, chosen: &mut BTreeSet<u16>) {
        for &length in &self.lengths {
            let Some(head) = modalias.as_bytes().get(..length) else {
                break;
            };
            let from = self.aliases.partition_point(|alias| alias.head() < head);
            self.aliases[from..]
                .iter()
                .take_while(|alias| alias.head() == head)
                .filter(|alias| pattern::matches(&alias.pattern, modalias))
                .for_each(|alias| {
                    chosen.insert(alias.module);
                });
        }
    }

    /// The sequences of these modules, one behind the other, without repetition.
    fn sequence<'a>(&'a self, modules: impl IntoIterator<Item = &'a Module>) -> Vec<&'a Module> {
        let mut seen = BTreeSet::new();
        modules
            .into_iter()
            .flat_map(|module| &module.load)
            .filter(|position| seen.insert(**position))
            .map(|position| &self.modules[usize::from(*position)])
            .collect()
    }
}

impl Alias {
    fn head(&self) -> &[u8] {
        &self.pattern.as_bytes()[..self.literal]
    }
}

impl From<(String, u16)> for Alias {
    fn from((pattern, module): (String, u16)) -> Self {
        Self {
            literal: pattern::literal_length(&pattern),
            pattern,
            module,
        }
    }
}

impl From<Alias> for (String, u16) {
    fn from(alias: Alias) -> Self {
        (alias.pattern, alias.module)
    }
}

/// Checks what was read, once, so that no look-up has to.
impl TryFrom<Stored> for Index {
    type Error = IndexError;

    fn try_from(stored: Stored) -> Result<Self, IndexError> {
        let Stored {
            release,
            modules,
            builtin,
            mut aliases,
        } = stored;
        let damaged = |what: &str| Err(IndexError::Damaged(what.to_owned()));
        if !modules.is_sorted_by(|a, b| a.name < b.name) {
            return damaged("modules are not sorted");
        }
        if modules
            .iter()
            .any(|module| module.file.contains('/') || module.file.is_empty())
        {
            return damaged("a file is outside of the folder");
        }
        let mut positions = modules
            .iter()
            .flat_map(|m| &m.load)
            .chain(aliases.iter().map(|a| &a.module));
        if positions.any(|position| usize::from(*position) >= modules.len()) {
            return damaged("a position is beyond the end");
        }
        aliases.sort_unstable_by(|a, b| a.head().cmp(b.head()).then_with(|| a.cmp(b)));
        let lengths = aliases.iter().map(|alias| alias.literal).collect();
        Ok(Self {
            release,
            modules,
            builtin,
            aliases,
            lengths,
        })
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
