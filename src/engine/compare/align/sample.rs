//! How much is equal in pairs of stretches, by a look at a few places of them: cheap at any size.

use crate::engine::Result;
use crate::engine::compare::alignment::Pair;
use crate::engine::file::ReadAt;

/// How many places are looked at.
const PLACES: u64 = 256;
/// The bytes of each; pairs of no more bytes in all are compared whole.
const BYTES: u64 = 256;

/// The part of the bytes in `pairs` that are equal, from 0 to 1; 0 where there are none.
///
/// # Errors
/// [`crate::engine::Error::Io`], [`crate::engine::Error::Malformed`] when a file ends before.
pub fn equal_share(a: &dyn ReadAt, b: &dyn ReadAt, pairs: &[Pair]) -> Result<f64> {
    let total: u64 = pairs.iter().map(|pair| pair.len).sum();
    if total == 0 {
        return Ok(0.0);
    }
    Ok(equal_bytes(a, b, pairs)? as f64 / total as f64)
}

/// How many of the bytes in `pairs` are equal, as far as the places that are looked at tell.
///
/// # Errors
/// As [`equal_share`].
pub fn equal_bytes(a: &dyn ReadAt, b: &dyn ReadAt, pairs: &[Pair]) -> Result<u64> {
    let total: u64 = pairs.iter().map(|pair| pair.len).sum();
    let (mut seen, mut equal) = (0, 0);
    if total <= PLACES * BYTES {
        for pair in pairs {
            equal += same(a, b, *pair)?;
        }
        return Ok(equal);
    }
    // The pairs as one stretch, looked at in equal distances.
    let (step, mut start, mut next) = (total / PLACES, 0, 0);
    for pair in pairs {
        while next < start + pair.len {
            let into = next.saturating_sub(start);
            let len = BYTES.min(pair.len - into);
            equal += same(a, b, Pair { a: pair.a + into, b: pair.b + into, len })?;
            seen += len;
            next += step;
        }
        start += pair.len;
    }
    let share = equal as f64 / (seen.max(1)) as f64;
    Ok((share * total as f64) as u64)
}

fn same(a: &dyn ReadAt, b: &dyn ReadAt, pair: Pair) -> Result<u64> {
    let (one, other) = (a.bytes(pair.a, pair.len)?, b.bytes(pair.b, pair.len)?);
    Ok(one.iter().zip(&other).filter(|(one, other)| one == other).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    #[test]
    fn a_few_places_tell_how_much_is_equal() {
        let half: Vec<u8> = (0..1_000_000).map(|at| u8::from(at >= 500_000)).collect();
        let (a, b) = (MemoryBytes::new("a".into(), vec![0; 1_000_000]), MemoryBytes::new("b".into(), half));
        let of = |pairs: &[Pair]| equal_share(&a, &b, pairs).unwrap();
        assert!((0.48..0.52).contains(&of(&[Pair { a: 0, b: 0, len: 1_000_000 }])));
        let two = [Pair { a: 0, b: 500_000, len: 300_000 }, Pair { a: 400_000, b: 900_000, len: 100_000 }];
        assert!(of(&two) < 0.01 && of(&[]) < 0.01);
        assert!((0.49..0.51).contains(&of(&[Pair { a: 0, b: 499_900, len: 200 }])));
    }
}
