//! Which bytes of the tables of the second file are explained, and by which requests: ranges, searched by offset.

/// Ranges that are explained.
#[derive(Debug, Default)]
pub struct Claims {
    list: Vec<(u64, u64, Vec<usize>)>,
}

impl Claims {
    /// Says that the `size` bytes at `start` come from `causes`. Without any, nothing is said.
    pub fn add(&mut self, start: u64, size: u64, causes: &[usize]) {
        if size > 0 && !causes.is_empty() {
            self.list.push((start, start.saturating_add(size), causes.to_vec()));
        }
    }

    /// Takes back what was said of any byte of the `size` bytes at `start`.
    pub fn revoke(&mut self, start: u64, size: u64) {
        let end = start.saturating_add(size);
        self.list.retain(|(from, to, _)| *to <= start || *from >= end);
    }

    /// Brings them into the order in which they are searched; to be called once all is said.
    pub fn order(&mut self) {
        self.list.sort();
    }

    /// The causes of the byte at `offset`, and how far this holds, `end` at the most.
    #[must_use]
    pub fn at(&self, offset: u64, end: u64) -> (Vec<usize>, u64) {
        let after = self.list.partition_point(|(start, _, _)| *start <= offset);
        match after.checked_sub(1).and_then(|before| self.list.get(before)).filter(|(_, stop, _)| *stop > offset) {
            Some((_, stop, causes)) => (causes.clone(), end.min(*stop)),
            None => (Vec::new(), self.list.get(after).map_or(end, |(start, _, _)| end.min(*start))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_has_the_causes_of_its_range() {
        let mut claims = Claims::default();
        claims.add(8, 4, &[1]);
        claims.add(0, 4, &[0]);
        claims.add(4, 4, &[]);
        claims.add(20, 4, &[2]);
        claims.revoke(21, 1);
        claims.order();
        assert_eq!(claims.at(0, 30), (vec![0], 4));
        assert_eq!(claims.at(3, 30), (vec![0], 4));
        assert_eq!(claims.at(4, 30), (vec![], 8));
        assert_eq!(claims.at(9, 11), (vec![1], 11));
        assert_eq!(claims.at(12, 30), (vec![], 30));
    }
}
