//! A cache with a budget and the CLOCK policy: a used entry gets a second chance, a pinned one stays.

use alloc::vec::Vec;
use core::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher};

use hashbrown::HashTable;

/// Maps keys to values and keeps at most `capacity` unpinned ones.
///
/// Who reads a large file at random finds none of this in the processor's nearer caches. A lookup therefore goes through
/// arrays of small things, 4 bytes of the index and the pointer to the value, and compares the key beside.
pub(crate) struct Cache<K, V> {
    /// Positions in the two arrays, by the key's hash.
    index: HashTable<u32>,
    slots: Vec<Slot<K>>,
    values: Vec<Option<V>>,
    vacant: Vec<u32>,
    hand: usize,
    capacity: usize,
}

struct Slot<K> {
    key: K,
    used: bool,
    pinned: bool,
}

impl<K: Eq + Hash + Copy, V> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            values: Vec::new(),
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
        self.position(key).is_some()
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        let position = self.position(key)?;
        self.slots.get_mut(position)?.used = true;
        self.values.get_mut(position)?.as_mut()
    }

    /// Adds an entry, or replaces the value of an existing one; evicts another if the budget is spent.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if let Some(position) = self.position(&key) {
            self.put(position, value);
            return;
        }
        // Evict before adding: the budget holds at every moment, except for pinned entries.
        if self.index.len() >= self.capacity {
            self.evict();
        }
        let slot = Slot {
            key,
            used: false,
            pinned: false,
        };
        let position = match self.vacant.pop() {
            Some(position) => {
                if let Some(place) = self.slots.get_mut(position as usize) {
                    *place = slot;
                }
                self.put(position as usize, value);
                position
            }
            None => {
                let Ok(position) = u32::try_from(self.slots.len()) else {
                    unreachable!("four billion blocks fit into no memory")
                };
                self.slots.push(slot);
                self.values.push(Some(value));
                position
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash(&key), position, |&other| {
            slots.get(other as usize).map_or(0, |slot| hash(&slot.key))
        });
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
        let same = is_at(&self.slots, key);
        let entry = self.index.find_entry(hash(key), same).ok()?;
        let (position, _) = entry.remove();
        self.vacant.push(position);
        self.values.get_mut(position as usize)?.take()
    }

    pub(crate) fn remove_where(&mut self, doomed: impl Fn(&K) -> bool) {
        let keys = self
            .index
            .iter()
            .filter_map(|&position| self.slots.get(position as usize));
        let keys: Vec<K> = keys.map(|slot| slot.key).filter(doomed).collect();
        keys.iter().for_each(|key| drop(self.remove(key)));
    }

    fn position(&self, key: &K) -> Option<usize> {
        let found = self.index.find(hash(key), is_at(&self.slots, key))?;
        Some(*found as usize)
    }

    fn put(&mut self, position: usize, value: V) {
        if let Some(place) = self.values.get_mut(position) {
            *place = Some(value);
        }
    }

    fn slot(&mut self, key: &K) -> Option<&mut Slot<K>> {
        let position = self.position(key)?;
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
            let (Some(slot), Some(value)) =
                (self.slots.get_mut(self.hand), self.values.get(self.hand))
            else {
                return;
            };
            if value.is_none() || slot.pinned || core::mem::take(&mut slot.used) {
                continue;
            }
            let key = slot.key;
            self.remove(&key);
            return;
        }
    }
}

/// Whether a position is the key's.
fn is_at<K: Eq>(slots: &[Slot<K>], key: &K) -> impl Fn(&u32) -> bool {
    |&position| {
        let slot = slots.get(position as usize);
        slot.is_some_and(|slot| slot.key == *key)
    }
}

fn hash<K: Hash>(key: &K) -> u64 {
    BuildHasherDefault::<Mix>::new().hash_one(key)
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
