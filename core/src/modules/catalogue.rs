//! All modules of one kernel, read from the tables that depmod(8) writes.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::{normal, pattern};

/// The text of the tables of one kernel, each from the file `modules.<name>`.
///
/// `dep` is the one that has to be there; the others may be empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tables<'a> {
    /// Files and the files that they need.
    pub dep: &'a str,
    /// Patterns of device aliases and the modules that serve them.
    pub alias: &'a str,
    /// What should be loaded before and after, without a symbol that says so.
    pub softdep: &'a str,
    /// What a module may ask the system for while it runs (kmod 33 and later).
    pub weakdep: &'a str,
    /// What is part of the kernel itself.
    pub builtin: &'a str,
}

/// A line of a table that cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("modules.{table}, line {line}: {text:?} is not understood; run depmod for this kernel")]
pub struct ParseError {
    /// Which table: `dep`, `alias`, ...
    pub table: &'static str,
    /// Counted from one.
    pub line: usize,
    /// The line's first 80 characters.
    pub text: String,
}

/// All modules of one kernel.
#[derive(Debug, Default)]
pub struct Catalogue {
    modules: BTreeMap<String, Entry>,
    builtin: BTreeSet<String>,
    aliases: Vec<Alias>,
}

#[derive(Debug, Default)]
struct Entry {
    path: String,
    needs: Vec<String>,
    before: Vec<String>,
    after: Vec<String>,
}

#[derive(Debug)]
struct Alias {
    pattern: String,
    module: String,
}

impl Catalogue {
    /// Reads the tables.
    ///
    /// # Errors
    /// The first line that is none. Modules that a softdep names but nobody has are normal.
    pub fn parse(tables: &Tables<'_>) -> Result<Self, ParseError> {
        let mut catalogue = Self {
            modules: dependencies(tables.dep)?,
            builtin: lines(tables.builtin)
                .map(|(_, line)| name_of(line))
                .collect(),
            aliases: aliases(tables.alias)?,
        };
        for (line, text) in lines(tables.softdep) {
            catalogue
                .soft(text)
                .ok_or_else(|| error("softdep", line, text))?;
        }
        for (line, text) in lines(tables.weakdep) {
            catalogue
                .weak(text)
                .ok_or_else(|| error("weakdep", line, text))?;
        }
        Ok(catalogue)
    }

    /// Name and path (below the kernel's module folder) of every module, sorted by name.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.modules
            .iter()
            .map(|(name, entry)| (name.as_str(), entry.path.as_str()))
    }

    /// Path of a module below the kernel's module folder.
    pub fn path(&self, name: &str) -> Option<&str> {
        self.modules
            .get(&normal(name))
            .map(|entry| entry.path.as_str())
    }

    /// Whether this name is part of the kernel itself, so that there is nothing to load.
    pub fn is_builtin(&self, name: &str) -> bool {
        self.builtin.contains(&normal(name))
    }

    /// Names of what is part of the kernel itself.
    pub fn builtin(&self) -> impl Iterator<Item = &str> {
        self.builtin.iter().map(String::as_str)
    }

    /// Every pattern with the module it belongs to, both in [`normal`] spelling.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        self.aliases
            .iter()
            .map(|alias| (alias.pattern.as_str(), alias.module.as_str()))
    }

    /// The names to load, in this order, for `name`, with `first` before it.
    ///
    /// Hard dependencies come first, then what softdeps and weakdeps want before, then the
    /// module, then what softdeps want after; each with its own dependencies, and once.
    /// Soft ones that this kernel does not have are left out.
    ///
    /// # Errors
    /// The name that is needed and is neither a module nor part of the kernel.
    pub fn load_order(&self, name: &str, first: &[String]) -> Result<Vec<String>, String> {
        let mut walk = Walk {
            catalogue: self,
            seen: BTreeSet::new(),
            order: Vec::new(),
        };
        for soft in first {
            walk.soft(soft);
        }
        walk.visit(&normal(name))?;
        Ok(walk.order)
    }

    /// The modules that a softdep's word stands for: one of that name, or all with that alias.
    fn resolve(&self, word: &str) -> Vec<&str> {
        if let Some((name, _)) = self.modules.get_key_value(word) {
            return vec![name];
        }
        self.aliases
            .iter()
            .filter(|alias| pattern::matches(&alias.pattern, word))
            .map(|alias| alias.module.as_str())
            .collect()
    }

    fn soft(&mut self, text: &str) -> Option<()> {
        let mut words = text.strip_prefix("softdep ")?.split_whitespace();
        let Some(entry) = self.modules.get_mut(&normal(words.next()?)) else {
            return Some(());
        };
        // Words before the first "pre:" or "post:" mean nothing to modprobe either.
        let mut list = None;
        for word in words {
            match (word, &mut list) {
                ("pre:", _) => list = Some(&mut entry.before),
                ("post:", _) => list = Some(&mut entry.after),
                (_, Some(list)) => list.push(normal(word)),
                (_, None) => {}
            }
        }
        Some(())
    }

    /// Nobody answers a module's request while it runs, so what it may ask for comes before.
    fn weak(&mut self, text: &str) -> Option<()> {
        let mut words = text.strip_prefix("weakdep ")?.split_whitespace();
        if let Some(entry) = self.modules.get_mut(&normal(words.next()?)) {
            entry.before.extend(words.map(normal));
        }
        Some(())
    }
}

/// One walk along the dependencies of a module.
struct Walk<'a> {
    catalogue: &'a Catalogue,
    seen: BTreeSet<String>,
    order: Vec<String>,
}

impl Walk<'_> {
    fn visit(&mut self, name: &str) -> Result<(), String> {
        // Soft dependencies may go in circles; whoever is on the way is not visited again.
        if !self.seen.insert(name.to_owned()) || self.catalogue.builtin.contains(name) {
            return Ok(());
        }
        let catalogue = self.catalogue;
        let entry = catalogue.modules.get(name).ok_or_else(|| name.to_owned())?;
        for need in &entry.needs {
            self.visit(need)?;
        }
        for word in &entry.before {
            self.soft(word);
        }
        self.order.push(name.to_owned());
        for word in &entry.after {
            self.soft(word);
        }
        Ok(())
    }

    /// Visits what a soft word stands for; what is incomplete is left out as a whole.
    fn soft(&mut self, word: &str) {
        for name in self.catalogue.resolve(word) {
            let (seen, length) = (self.seen.clone(), self.order.len());
            if self.visit(name).is_err() {
                self.seen = seen;
                self.order.truncate(length);
            }
        }
    }
}

fn dependencies(text: &str) -> Result<BTreeMap<String, Entry>, ParseError> {
    let mut modules = BTreeMap::new();
    for (line, text) in lines(text) {
        let (path, needs) = text
            .split_once(':')
            .ok_or_else(|| error("dep", line, text))?;
        let entry = Entry {
            path: path.to_owned(),
            // depmod writes the nearest first, so that the reverse can be loaded as it is.
            needs: needs.split_whitespace().rev().map(name_of).collect(),
            ..Entry::default()
        };
        modules.insert(name_of(path), entry);
    }
    Ok(modules)
}

fn aliases(text: &str) -> Result<Vec<Alias>, ParseError> {
    lines(text)
        .map(|(line, text)| {
            // A pattern may hold blanks, a module's name none.
            let (pattern, module) = text
                .strip_prefix("alias ")
                .and_then(|rest| rest.rsplit_once(' '))
                .ok_or_else(|| error("alias", line, text))?;
            Ok(Alias {
                pattern: normal(pattern.trim()),
                module: normal(module),
            })
        })
        .collect()
}

/// Lines that say something, counted from one.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .zip(1..)
        .map(|(text, line)| (line, text.trim()))
        .filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
}

/// `kernel/drivers/net/usb/r8152.ko.xz` is `r8152`.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    normal(file.split_once(".ko").map_or(file, |(stem, _)| stem))
}

fn error(table: &'static str, line: usize, text: &str) -> ParseError {
    ParseError {
        table,
        line,
        text: text.chars().take(80).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        Catalogue::parse(&Tables {
            dep: "kernel/net/a.ko.xz: kernel/net/b.ko.xz kernel/lib/c-d.ko.xz\n\
                  kernel/net/b.ko.xz: kernel/lib/c-d.ko.xz\n\
                  kernel/lib/c-d.ko.xz:\n\
                  kernel/phy/realtek.ko.xz: kernel/lib/libphy.ko.xz\n\
                  kernel/lib/libphy.ko.xz:\n\
                  kernel/net/r8169.ko.xz: kernel/lib/libphy.ko.xz\n\
                  kernel/crypto/crc32c_generic.ko.xz:\n\
                  kernel/crypto/crc32c-intel.ko.xz:\n\
                  kernel/fs/ext4.ko.xz:\n\
                  kernel/x/one.ko: kernel/x/lost.ko kernel/lib/c-d.ko.xz\n\
                  kernel/x/two.ko:\n\
                  kernel/x/weak.ko:\n",
            alias: "# Aliases extracted from modules themselves.\n\
                    alias crypto-crc32c crc32c_generic\n\
                    alias crypto-crc32c crc32c_intel\n\
                    alias dmi:*:svnA Company:* two\n",
            softdep: "# Soft dependencies extracted from modules themselves.\n\
                      softdep r8169 pre: realtek\n\
                      softdep ext4 pre: crypto-crc32c\n\
                      softdep two pre: one nobody post: realtek\n\
                      softdep realtek pre: r8169\n\
                      softdep b unlisted\n",
            weakdep: "weakdep weak two\n",
            builtin: "kernel/drivers/net/mdio/fixed-phy.ko\n",
        })
        .unwrap()
    }

    fn order(name: &str) -> Vec<String> {
        catalogue().load_order(name, &[]).unwrap()
    }

    #[test]
    fn hard_dependencies_come_first() {
        assert_eq!(order("a"), ["c_d", "b", "a"]);
    }

    #[test]
    fn soft_dependencies_come_before_although_they_go_in_a_circle() {
        assert_eq!(order("r8169"), ["libphy", "realtek", "r8169"]);
        assert_eq!(order("realtek"), ["libphy", "r8169", "realtek"]);
    }

    #[test]
    fn a_softdep_may_name_an_alias_of_several() {
        assert_eq!(order("ext4"), ["crc32c_generic", "crc32c_intel", "ext4"]);
    }

    #[test]
    fn a_soft_dependency_that_is_not_whole_is_left_out() {
        assert_eq!(order("two"), ["two", "libphy", "r8169", "realtek"]);
        assert_eq!(catalogue().load_order("one", &[]), Err("lost".to_owned()));
    }

    #[test]
    fn weak_dependencies_come_before() {
        assert_eq!(order("weak"), ["two", "libphy", "r8169", "realtek", "weak"]);
    }

    #[test]
    fn companions_come_before() {
        let order = catalogue()
            .load_order("a", &["realtek".into(), "none".into()])
            .unwrap();
        assert_eq!(order, ["libphy", "r8169", "realtek", "c_d", "b", "a"]);
    }

    #[test]
    fn what_is_built_in_needs_no_loading() {
        assert!(catalogue().is_builtin("fixed-phy"));
        assert_eq!(order("fixed_phy"), Vec::<String>::new());
    }

    #[test]
    fn names_paths_and_aliases_are_found() {
        let catalogue = catalogue();
        assert_eq!(catalogue.path("c-d"), Some("kernel/lib/c-d.ko.xz"));
        assert_eq!(catalogue.path("c_d"), Some("kernel/lib/c-d.ko.xz"));
        assert!(
            catalogue
                .aliases()
                .any(|a| a == ("dmi:*:svnA Company:*", "two"))
        );
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let bad = Catalogue::parse(&Tables {
            dep: "\n\nkernel/a.ko\n",
            ..Tables::default()
        });
        let expected = ParseError {
            table: "dep",
            line: 3,
            text: "kernel/a.ko".into(),
        };
        assert_eq!(bad.unwrap_err(), expected);
        let bad = Catalogue::parse(&Tables {
            alias: "alias x\n",
            ..Tables::default()
        });
        assert_eq!(bad.unwrap_err().table, "alias");
    }
}
