//! Hashers that lead keys where small scenarios can see a table grow.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

/// Hashes a number to itself: of tables that are chosen by the high bits, all keys share one.
pub type Identity = BuildHasherDefault<Itself>;

/// See [`Identity`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = self.0.rotate_left(8) ^ n;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// As [`Identity`], with the lowest bit as the highest too: keys are dealt out to two of the tables that are chosen by
/// the high bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Halves;

/// See [`Halves`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Half(Itself);

impl BuildHasher for Halves {
    type Hasher = Half;

    fn build_hasher(&self) -> Half {
        Half::default()
    }
}

impl Hasher for Half {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn write_u64(&mut self, n: u64) {
        self.0.write_u64(n);
    }

    fn finish(&self) -> u64 {
        let n = self.0.finish();
        n | n << 63
    }
}
