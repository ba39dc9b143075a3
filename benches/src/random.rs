//! Numbers that look random and are the same everywhere.

/// A generator (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// One of a list.
    pub fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Numbers of which the first are the most frequent: number `i` in proportion
/// to `1 / (i + 1)^s`.
#[derive(Clone, Debug)]
pub struct Zipf(Vec<f64>);

impl Zipf {
    /// Over `n` numbers.
    #[must_use]
    pub fn new(n: usize, s: f64) -> Self {
        let mut sum = 0.0;
        let mut steps: Vec<f64> = (1..=n)
            .map(|i| {
                sum += (i as f64).powf(-s);
                sum
            })
            .collect();
        for step in &mut steps {
            *step /= sum;
        }
        Self(steps)
    }

    /// A number.
    pub fn pick(&self, random: &mut Random) -> usize {
        let u = (random.bits() >> 11) as f64 / (1u64 << 53) as f64;
        let i = self.0.partition_point(|step| *step < u);
        i.min(self.0.len().saturating_sub(1))
    }
}
