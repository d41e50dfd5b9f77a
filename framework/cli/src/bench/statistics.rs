//! What is said of samples: the median and its spread, a ratio, how something grows.

/// The order statistics of some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// A quarter of them is at most this.
    pub lower: f64,
    /// Half of them is.
    pub median: f64,
    /// Three quarters are.
    pub upper: f64,
    /// The largest.
    pub max: f64,
    /// How many there are.
    pub samples: usize,
}

impl Spread {
    /// Of at least one sample. Between two samples quantiles are interpolated, as most tools do (Hyndman and Fan,
    /// "Sample Quantiles in Statistical Packages", 1996: their definition 7).
    ///
    /// # Panics
    /// When there is none.
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (sorted.len() - 1) as f64;
            let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        let (min, max) = (at(0.0), at(1.0));
        let (lower, median, upper) = (at(0.25), at(0.5), at(0.75));
        Self { min, lower, median, upper, max, samples: sorted.len() }
    }

    /// Of samples that are all this one.
    fn alone(value: f64) -> Self {
        Self { samples: 1, ..Self::of(&[value]) }
    }
}

/// The ratio of two figures. Samples were taken by turns: where there are as many of both, those of one turn are
/// compared, since whatever slowed one of them is likely to have slowed the other, and the spread is that of these
/// ratios. Else it is the ratio of the medians, whose spread nobody knows. `None` where it has no value.
///
/// # Panics
/// When one has no samples.
pub fn ratio(of: &[f64], to: &[f64]) -> Option<Spread> {
    let spread = if of.len() == to.len() {
        let pairs: Vec<f64> = of.iter().zip(to).map(|(of, to)| of / to).collect();
        pairs.iter().all(|ratio| ratio.is_finite()).then(|| Spread::of(&pairs))?
    } else {
        Spread::alone(Spread::of(of).median / Spread::of(to).median)
    };
    spread.median.is_finite().then_some(spread)
}

/// How something grows along a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// The power of x that it grows with: 1 is linear, 0 is not at all.
    pub exponent: f64,
    /// How many times the smallest x the largest is.
    pub x_times: f64,
    /// How many times the figure at the smallest x that at the largest is.
    pub y_times: f64,
}

/// The power law nearest to the points, by least squares of logarithms; `None` for fewer than three points, or where
/// one has no logarithm.
pub fn growth(points: &[(f64, f64)]) -> Option<Growth> {
    let positive = |(x, y): &(f64, f64)| *x > 0.0 && *y > 0.0;
    if points.len() < 3 || !points.iter().all(positive) {
        return None;
    }
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
    let logs: Vec<(f64, f64)> = sorted.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let (mx, my) = logs.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / count, y + p.1 / count));
    let both: f64 = logs.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
    let square: f64 = logs.iter().map(|p| (p.0 - mx).powi(2)).sum();
    (square > 0.0).then(|| Growth {
        exponent: both / square,
        x_times: last.0 / first.0,
        y_times: last.1 / first.1,
    })
}

impl Growth {
    /// It in a few words; `x` names what it grows with.
    pub fn words(&self, x: &str) -> String {
        let Self { exponent, .. } = self;
        match exponent {
            e if e.abs() < 0.1 => format!("does not grow with {x} (exponent {e:.2})"),
            e if *e < 0.0 => format!("falls with {x} (exponent {e:.2})"),
            e if *e < 0.9 => format!("grows more slowly than {x} (exponent {e:.2})"),
            e if *e <= 1.1 => format!("is linear in {x} (exponent {e:.2})"),
            e => format!("grows faster than {x} (exponent {e:.2})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated_between_samples() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]);
        let wanted =
            Spread { min: 1.0, lower: 1.75, median: 2.5, upper: 3.25, max: 4.0, samples: 4 };
        assert_eq!(spread, wanted);
        let one = Spread::of(&[7.0]);
        assert_eq!((one.min, one.lower, one.median, one.max), (7.0, 7.0, 7.0, 7.0));
    }

    #[test]
    fn samples_of_one_turn_are_compared_where_both_have_as_many() {
        // The second turn was slow for both: the ratio is the same.
        let spread = ratio(&[30.0, 15.0, 30.0], &[10.0, 5.0, 10.0]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max, spread.samples), (3.0, 3.0, 3.0, 3));
        // The median of the ratios 1, 10 and 2 is not the ratio of the medians.
        assert_eq!(ratio(&[1.0, 100.0, 2.0], &[1.0, 10.0, 1.0]).unwrap().median, 2.0);
        let unpaired = ratio(&[8.0, 10.0, 12.0], &[4.0, 6.0]).unwrap();
        assert_eq!((unpaired.median, unpaired.samples), (2.0, 1));
        assert_eq!(ratio(&[1.0], &[0.0]), None);
    }

    #[test]
    fn a_power_law_is_fitted_and_said_in_words() {
        let points = |power: f64| [1.0, 8.0, 64.0].map(|x: f64| (x, 3.0 * x.powf(power)));
        for (power, said) in [
            (1.0, "is linear in threads (exponent 1.00)"),
            (0.0, "does not grow with threads (exponent 0.00)"),
            (0.5, "grows more slowly than threads (exponent 0.50)"),
            (2.0, "grows faster than threads (exponent 2.00)"),
            (-1.0, "falls with threads (exponent -1.00)"),
        ] {
            let growth = growth(&points(power)).unwrap();
            assert!((growth.exponent - power).abs() < 1e-9, "{growth:?}");
            assert_eq!(growth.words("threads"), said);
            assert_eq!(growth.x_times, 64.0);
        }
        assert_eq!(growth(&points(1.0)[..2]), None, "two points fit any power");
        assert_eq!(growth(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]), None);
        assert_eq!(growth(&[(2.0, 1.0); 3]), None);
    }
}
