//! The generator behind every seed: O'Neill's PCG with 128 bits of state, multiplied, and the output function XSL RR
//! (*PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation*, Harvey
//! Mudd College, 2014). It is written out here since what it draws must not change under a stored seed.

const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// A generator; the same state draws the same for ever.
#[derive(Clone, Debug)]
pub(crate) struct Pcg(u128);

impl Pcg {
    /// The state must be odd, so its last bit is set.
    pub(crate) fn new(state: u128) -> Pcg {
        Pcg(state | 1)
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(MULTIPLIER);
        let folded = (self.0 >> 64) as u64 ^ self.0 as u64;
        folded.rotate_right((self.0 >> 122) as u32)
    }

    /// Fills `bytes`, eight from each number, the lowest first.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_pcg::Pcg64Mcg;
    use rand_pcg::rand_core::Rng as _;

    #[test]
    fn it_draws_what_the_published_generator_draws() {
        for state in [0, 1, 2, 7, u128::MAX, 0xdead_beef << 77] {
            let (mut ours, mut theirs) = (Pcg::new(state), Pcg64Mcg::new(state));
            assert!((0..1000).all(|_| ours.next() == theirs.next_u64()), "{state}");
            let (mut a, mut b) = ([0; 45], [0; 45]);
            ours.fill(&mut a);
            theirs.fill_bytes(&mut b);
            assert_eq!(a, b, "{state}");
        }
    }
}
