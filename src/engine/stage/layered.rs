//! A map that is cheap to clone: a layer that all clones share, and above it what has changed in this one.
//!
//! Plans fold effects over clones of the model, several for each step of each artifact. With hundreds of artifacts a whole copy
//! for each would cost more than everything else; only a handful of names change in any of them.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Above so many changes a clone gets a layer of its own, so that its own clones stay cheap.
const CHANGES: usize = 64;

/// A map in two layers.
#[derive(Debug, Clone)]
pub(super) struct Layered<K, V> {
    shared: Arc<BTreeMap<K, V>>,
    /// `None`: taken out.
    changed: BTreeMap<K, Option<V>>,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self { shared: Arc::default(), changed: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Layered<K, V> {
    /// The value of `key`.
    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self.changed.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.shared.get(key),
        }
    }

    /// The value of `key`, to be changed.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if self.is_alone() {
            return Arc::get_mut(&mut self.shared)?.get_mut(key);
        }
        if !self.changed.contains_key(key) {
            let value = self.shared.get(key)?.clone();
            self.changed.insert(key.clone(), Some(value));
        }
        self.changed.get_mut(key)?.as_mut()
    }

    /// Gives `key` a value.
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.set(key, Some(value));
    }

    /// Takes `key` out.
    pub(super) fn remove<Q: Ord + ToOwned<Owned = K> + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if self.get(key).is_some() {
            self.set(key.to_owned(), None);
        }
    }

    /// All values, in no order that means anything.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        let unchanged = self.shared.iter().filter(|(key, _)| !self.changed.contains_key(*key));
        unchanged.map(|(_, value)| value).chain(self.changed.values().flatten())
    }

    fn set(&mut self, key: K, value: Option<V>) {
        if self.is_alone() || self.changed.len() >= CHANGES {
            self.settle();
            let own = Arc::make_mut(&mut self.shared);
            match value {
                Some(value) => own.insert(key, value),
                None => own.remove(&key),
            };
        } else {
            self.changed.insert(key, value);
        }
    }

    /// Whether no clone sees the lower layer, and all changes lie in it.
    fn is_alone(&mut self) -> bool {
        let alone = Arc::get_mut(&mut self.shared).is_some();
        if alone {
            self.settle();
        }
        alone
    }

    /// Lays all changes down in the lower layer, a copy of it if others see it.
    fn settle(&mut self) {
        if self.changed.is_empty() {
            return;
        }
        let own = Arc::make_mut(&mut self.shared);
        for (key, value) in std::mem::take(&mut self.changed) {
            match value {
                Some(value) => own.insert(key, value),
                None => own.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a layered map and a plain one both went through.
    type Pair = (Layered<String, u32>, BTreeMap<String, u32>);

    fn agree((layered, plain): &Pair) {
        let sorted = |mut values: Vec<u32>| {
            values.sort_unstable();
            values
        };
        assert_eq!(sorted(layered.values().copied().collect()), sorted(plain.values().copied().collect()));
        for number in 0..40 {
            assert_eq!(layered.get(number.to_string().as_str()), plain.get(&number.to_string()));
        }
    }

    proptest! {
        /// Whatever is done to a map and its clones, each is what a map of its own would be.
        #[test]
        fn clones_are_maps_of_their_own(moves in prop::collection::vec((0u32..4, 0u32..40, any::<u32>(), 0usize..3), 0..400)) {
            let mut maps: Vec<Pair> = vec![Pair::default()];
            for (kind, key, value, which) in moves {
                let place = which % maps.len();
                let key = key.to_string();
                let (layered, plain) = &mut maps[place];
                match kind {
                    0 => {
                        layered.insert(key.clone(), value);
                        plain.insert(key, value);
                    }
                    1 => {
                        layered.remove(key.as_str());
                        plain.remove(&key);
                    }
                    2 => {
                        let (one, other) = (layered.get_mut(&key), plain.get_mut(&key));
                        prop_assert_eq!(one.is_some(), other.is_some());
                        if let (Some(one), Some(other)) = (one, other) {
                            (*one, *other) = (value, value);
                        }
                    }
                    _ => {
                        let clone = maps[place].clone();
                        maps.push(clone);
                        if maps.len() > 3 {
                            maps.remove(0);
                        }
                    }
                }
            }
            maps.iter().for_each(agree);
        }
    }
}
