//! Timing: interleaved rounds and their medians.
//!
//! Invariant: what is compared is measured in the same rounds, each contestant once
//! in each, forwards in one round and backwards in the next. So whatever else the
//! machine does meets all of them.

use std::time::{Duration, Instant};

use crate::Result;

/// Something that is timed: gets the number of the round, says how long it took.
pub(crate) type Contestant<'a> = &'a mut dyn FnMut(usize) -> Result<Duration>;

/// The fewest rounds that a row may have.
pub(crate) const ROUNDS: usize = 31;

/// What was seen of one contestant, one number a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(1, 2)
    }

    /// The sample below which `part` of `of` equal parts of all lie.
    pub(crate) fn quantile(&self, part: usize, of: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = sorted.len().saturating_sub(1) * part / of;
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    /// Every sample divided by `n`, for rounds of `n` operations.
    pub(crate) fn each(&self, n: u32) -> Samples {
        Samples(self.0.iter().map(|sample| sample / f64::from(n)).collect())
    }

    /// The samples divided by those of the same rounds of another contestant.
    pub(crate) fn over(&self, other: &Samples) -> Samples {
        let pairs = self.0.iter().zip(&other.0);
        Samples(pairs.map(|(sample, other)| sample / other).collect())
    }

    /// The samples with those of the same rounds of another added.
    pub(crate) fn plus(&self, other: &Samples) -> Samples {
        let pairs = self.0.iter().zip(&other.0);
        Samples(pairs.map(|(sample, other)| sample + other).collect())
    }
}

/// Two rounds that do not count, then `rounds` that do. Samples are in seconds.
pub(crate) fn interleaved<const N: usize>(
    rounds: usize,
    mut contestants: [Contestant<'_>; N],
) -> Result<[Samples; N]> {
    const WARM_UP: usize = 2;
    let mut samples: [Samples; N] = std::array::from_fn(|_| Samples::default());
    for round in 0..rounds + WARM_UP {
        let mut pairs: Vec<_> = contestants.iter_mut().zip(&mut samples).collect();
        if round % 2 == 1 {
            pairs.reverse();
        }
        for (contestant, samples) in pairs {
            let time = contestant(round)?;
            if round >= WARM_UP {
                samples.push(time.as_secs_f64());
            }
        }
    }
    Ok(samples)
}

/// How long something takes.
pub(crate) fn timed<T, E: Into<crate::Error>>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<Duration> {
    let began = Instant::now();
    let done = work().map_err(Into::into)?;
    let time = began.elapsed();
    drop(std::hint::black_box(done));
    Ok(time)
}

/// Pseudo-random numbers (Marsaglia, "Xorshift RNGs", 2003), the same as the
/// guest's.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Bytes that no compression makes smaller.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(4) {
            let number = self.next().to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(number) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contestants_change_their_order_and_warm_up_does_not_count() {
        let order = std::cell::RefCell::new(String::new());
        let note = |name: char, round: usize| {
            order.borrow_mut().push(name);
            Ok(Duration::from_secs(u64::try_from(round)?))
        };
        let [a, b] = interleaved(3, [&mut |r| note('a', r), &mut |r| note('b', r)]).unwrap();
        assert_eq!(*order.borrow(), "abbaabbaab");
        assert_eq!((a.median(), b.median()), (3.0, 3.0));
        assert_eq!((a.quantile(0, 4), a.quantile(4, 4)), (2.0, 4.0));
    }
}
