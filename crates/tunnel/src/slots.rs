//! A table whose places are found by the upper 24 bits of a session index.

/// Session indexes have 24 bits for the peer (boringtun keeps the lower 8 for the session).
const INDEX_MASK: u32 = 0x00ff_ffff;

/// Values with stable places. Indexes start at a random number, so that those of an earlier run fit nobody.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    base: u32,
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Slots<T> {
    pub(crate) fn new(seed: u64) -> Self {
        Self { base: (seed >> 40) as u32 & INDEX_MASK, places: Vec::new(), free: Vec::new() }
    }

    /// Finds the place for the next value and the index that leads to it.
    pub(crate) fn vacant(&self) -> (usize, u32) {
        let place = self.free.last().copied().unwrap_or(self.places.len());
        (place, self.index_of(place))
    }

    pub(crate) fn index_of(&self, place: usize) -> u32 {
        self.base.wrapping_add(u32::try_from(place).expect("limits keep places far below 2^24")) & INDEX_MASK
    }

    /// Puts a value into the place that [`Slots::vacant`] has named.
    pub(crate) fn insert(&mut self, value: T) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.places[place] = Some(value);
                place
            }
            None => {
                self.places.push(Some(value));
                self.places.len() - 1
            }
        }
    }

    pub(crate) fn remove(&mut self, place: usize) -> Option<T> {
        let value = self.places.get_mut(place)?.take()?;
        self.free.push(place);
        Some(value)
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.places.get_mut(place)?.as_mut()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.places.get(place)?.as_ref()
    }

    /// Finds the place that a session index leads to.
    pub(crate) fn place_of(&self, session_index: u32) -> Option<usize> {
        let place = (session_index >> 8).wrapping_sub(self.base) & INDEX_MASK;
        let place = usize::try_from(place).ok()?;
        self.places.get(place)?.as_ref().map(|_| place)
    }

    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_lead_back_across_the_wrap() {
        let mut slots = Slots::new(u64::MAX);
        for value in 0..300u32 {
            let (place, index) = slots.vacant();
            assert_eq!(slots.insert(value), place);
            assert_eq!(slots.place_of((index << 8) | 7), Some(place));
        }
        assert_eq!(slots.place_of(slots.index_of(299).wrapping_add(1) << 8), None);
    }

    #[test]
    fn places_are_used_again() {
        let mut slots = Slots::new(5);
        slots.insert('a');
        slots.insert('b');
        assert_eq!(slots.remove(0), Some('a'));
        assert_eq!(slots.place_of(slots.index_of(0) << 8), None);
        assert_eq!((slots.vacant().0, slots.len(), slots.places()), (0, 1, 2));
        assert_eq!(slots.insert('c'), 0);
    }
}
