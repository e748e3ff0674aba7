//! A cache with a budget and the CLOCK policy: a used entry gets a second chance, a pinned one stays.

use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hash, Hasher};

use hashbrown::HashMap;

/// Maps keys to values and keeps at most `capacity` unpinned ones.
pub(crate) struct Cache<K, V> {
    index: HashMap<K, usize, BuildHasherDefault<Mix>>,
    slots: Vec<Slot<K, V>>,
    vacant: Vec<usize>,
    hand: usize,
    capacity: usize,
}

struct Slot<K, V> {
    entry: Option<(K, V)>,
    used: bool,
    pinned: bool,
}

impl<K: Eq + Hash + Copy, V> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            index: HashMap::default(),
            slots: Vec::new(),
            vacant: Vec::new(),
            hand: 0,
            capacity,
        }
    }

    /// Entries held, pinned ones included.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.index.contains_key(key)
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.slot(key)?;
        slot.used = true;
        slot.entry.as_mut().map(|(_, value)| value)
    }

    /// Adds an entry, or replaces the value of an existing one; evicts another if the budget is spent.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if let Some(slot) = self.slot(&key) {
            slot.entry = Some((key, value));
            return;
        }
        // Evict before adding: the budget holds at every moment, except for pinned entries.
        if self.index.len() >= self.capacity {
            self.evict();
        }
        let slot = Slot {
            entry: Some((key, value)),
            used: false,
            pinned: false,
        };
        let position = match self.vacant.pop() {
            Some(position) => {
                if let Some(place) = self.slots.get_mut(position) {
                    *place = slot;
                }
                position
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        self.index.insert(key, position);
    }

    /// Keeps the entry whatever the budget says, until [`unpin`](Self::unpin).
    pub(crate) fn pin(&mut self, key: &K) {
        if let Some(slot) = self.slot(key) {
            slot.pinned = true;
        }
    }

    pub(crate) fn unpin(&mut self, key: &K) {
        if let Some(slot) = self.slot(key) {
            slot.pinned = false;
        }
        if self.index.len() > self.capacity {
            self.evict();
        }
    }

    /// Makes the entry the next to go: it will not be needed soon.
    pub(crate) fn demote(&mut self, key: &K) {
        if let Some(slot) = self.slot(key) {
            slot.used = false;
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let position = self.index.remove(key)?;
        self.vacant.push(position);
        self.slots
            .get_mut(position)?
            .entry
            .take()
            .map(|(_, value)| value)
    }

    pub(crate) fn remove_where(&mut self, doomed: impl Fn(&K) -> bool) {
        let keys: Vec<K> = self.index.keys().copied().filter(doomed).collect();
        keys.iter().for_each(|key| drop(self.remove(key)));
    }

    fn slot(&mut self, key: &K) -> Option<&mut Slot<K, V>> {
        let position = *self.index.get(key)?;
        self.slots.get_mut(position)
    }

    /// Turns the hand until an entry falls out; gives up after two rounds, when all are pinned.
    fn evict(&mut self) {
        for _ in 0..self.slots.len() * 2 {
            self.hand = if self.hand + 1 < self.slots.len() {
                self.hand + 1
            } else {
                0
            };
            let Some(slot) = self.slots.get_mut(self.hand) else {
                return;
            };
            let Some((key, _)) = &slot.entry else {
                continue;
            };
            if slot.pinned || core::mem::take(&mut slot.used) {
                continue;
            }
            let key = *key;
            self.remove(&key);
            return;
        }
    }
}

/// Mixes small integers well enough for a table. A guest that finds collisions slows down nobody but itself.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        // The odd number next to 2^64 divided by the golden ratio spreads consecutive numbers evenly.
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        // The table takes its position from the low bits, the multiplication mixes into the high ones.
        self.0.rotate_left(26)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_entry_outlives_an_unused_one() {
        let mut cache = Cache::new(2);
        cache.insert(1, "one");
        cache.insert(2, "two");
        assert!(cache.get(&1).is_some());
        cache.insert(3, "three");
        assert_eq!((cache.len(), cache.get(&2)), (2, None));
        assert!(cache.get(&1).is_some());
    }

    #[test]
    fn pinned_entries_stay_even_beyond_the_budget() {
        let mut cache = Cache::new(1);
        for key in 0..4 {
            cache.insert(key, key);
            cache.pin(&key);
        }
        assert_eq!(cache.len(), 4);
        (0..4).for_each(|key| cache.unpin(&key));
        assert_eq!(cache.len(), 1);
    }
}
