//! A disk with a cache that forgets, and what everybody may rely on.

use crate::world::Dice;
use std::collections::BTreeMap;

/// Few blocks, so that old and new writes meet.
pub const BLOCKS: usize = 3;

#[derive(Default)]
pub struct Disk {
    platter: [u64; BLOCKS],
    cache: BTreeMap<usize, u64>,
    /// What was promised: a write was answered, and a flush after that.
    answered: [u64; BLOCKS],
    flushed: [u64; BLOCKS],
}

impl Disk {
    pub fn write(&mut self, block: usize, value: u64) {
        self.cache.insert(block, value);
    }

    pub fn read(&self) -> [u64; BLOCKS] {
        let mut all = self.platter;
        for (block, value) in &self.cache {
            all[*block] = *value;
        }
        all
    }

    pub fn flush(&mut self) {
        self.platter = self.read();
        self.cache.clear();
    }

    /// Any part of what is in the cache is lost.
    pub fn lose_power(&mut self, dice: &mut Dice) {
        for (block, value) in std::mem::take(&mut self.cache) {
            if dice.below(2) == 0 {
                self.platter[block] = value;
            }
        }
        // Only what was flushed was promised to survive that.
        self.answered = self.flushed;
    }

    pub fn promise_answered(&mut self, block: usize, value: u64) {
        self.answered[block] = self.answered[block].max(value);
    }

    pub fn promise_flushed(&mut self, values: &[u64; BLOCKS]) {
        for (promised, value) in self.flushed.iter_mut().zip(values) {
            *promised = (*promised).max(*value);
        }
    }

    pub fn answered(&self) -> [u64; BLOCKS] {
        self.answered
    }

    /// Whoever reads now has to find what was promised.
    pub fn check(&self) -> Result<(), String> {
        let found = self.read();
        for (block, value) in found.into_iter().enumerate() {
            let promised = self.answered[block].max(self.flushed[block]);
            if value < promised {
                return Err(format!(
                    "block {block} has {value}, and {promised} was promised"
                ));
            }
        }
        Ok(())
    }
}
