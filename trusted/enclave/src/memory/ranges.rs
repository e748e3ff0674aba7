//! A map from page ranges to what they are: disjoint, sorted, neighbours of the same kind merged.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

/// Disjoint ranges with a value each.
pub(super) struct RangeMap<V> {
    /// Start to (end, value).
    ranges: BTreeMap<u64, (u64, V)>,
}

impl<V: Copy + PartialEq> RangeMap<V> {
    pub(super) const fn new() -> Self {
        Self {
            ranges: BTreeMap::new(),
        }
    }

    /// The value at a point.
    pub(super) fn at(&self, point: u64) -> Option<V> {
        let (_, (end, value)) = self.ranges.range(..=point).next_back()?;
        (point < *end).then_some(*value)
    }

    /// The parts of `range` in order: what has a value, and the gaps.
    pub(super) fn parts(&self, range: Range<u64>) -> Vec<(Range<u64>, Option<V>)> {
        let mut parts = Vec::new();
        let mut at = range.start;
        let first = self
            .ranges
            .range(..=range.start)
            .next_back()
            .map_or(range.start, |(start, _)| *start);
        for (start, (end, value)) in self.ranges.range(first..range.end) {
            let (start, end) = ((*start).max(range.start), (*end).min(range.end));
            if end <= at {
                continue;
            }
            if start > at {
                parts.push((at..start, None));
            }
            parts.push((start..end, Some(*value)));
            at = end;
        }
        if at < range.end {
            parts.push((at..range.end, None));
        }
        parts
    }

    /// Gives all of `range` a value, or none.
    pub(super) fn set(&mut self, range: Range<u64>, value: Option<V>) {
        if range.is_empty() {
            return;
        }
        self.split_at(range.start);
        self.split_at(range.end);
        let inside: Vec<u64> = self
            .ranges
            .range(range.clone())
            .map(|(start, _)| *start)
            .collect();
        for start in inside {
            self.ranges.remove(&start);
        }
        if let Some(value) = value {
            self.insert_merged(range, value);
        }
    }

    /// The lowest gap of `len` within `bounds`.
    pub(super) fn find_gap(&self, bounds: Range<u64>, len: u64) -> Option<u64> {
        let mut at = bounds.start;
        for (start, (end, _)) in self.ranges.range(bounds.clone()) {
            if start.checked_sub(at)? >= len {
                return Some(at);
            }
            at = *end;
        }
        (bounds.end.checked_sub(at)? >= len).then_some(at)
    }

    /// Cuts the range that contains `point` in two.
    fn split_at(&mut self, point: u64) {
        if let Some((_, (end, value))) = self.ranges.range_mut(..point).next_back()
            && *end > point
        {
            let tail = (*end, *value);
            *end = point;
            self.ranges.insert(point, tail);
        }
    }

    /// Inserts a range where there is a gap, together with its neighbours of the same value.
    fn insert_merged(&mut self, mut range: Range<u64>, value: V) {
        if let Some((end, after)) = self.ranges.get(&range.end).copied()
            && after == value
        {
            self.ranges.remove(&range.end);
            range.end = end;
        }
        if let Some((start, (end, before))) = self.ranges.range(..range.start).next_back()
            && *end == range.start
            && *before == value
        {
            range.start = *start;
        }
        self.ranges.insert(range.start, (range.end, value));
    }
}
