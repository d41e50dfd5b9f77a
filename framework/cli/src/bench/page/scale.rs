//! From values to places.

use crate::bench::words;

/// Values this many times apart do not show beside each other on a linear scale.
const APART: f64 = 30.0;

/// The farthest from zero that a linear scale goes, and the least is the reciprocal.
const FAR: f64 = 1e300;

/// A scale from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    /// Whether equal ways are equal ratios.
    pub logarithmic: bool,
    /// The values with a line.
    pub ticks: Vec<f64>,
}

impl Scale {
    /// One that has all these values: logarithmic if they are far apart and all positive, linear from zero otherwise.
    pub fn of(values: &[f64]) -> Self {
        let (low, high) = bounds(values);
        if low > 0.0 && high / low > APART {
            Self::logarithmic(low, high)
        } else {
            Self::linear(low, high)
        }
    }

    /// The same, where the medians say whether it is logarithmic.
    pub fn of_samples(medians: &[f64], samples: &[f64]) -> Self {
        let (low, high) = bounds(medians);
        let (least, most) = bounds(samples);
        let apart = least > 0.0 && high / low > APART;
        if apart { Self::logarithmic(least, most) } else { Self::linear(least, most) }
    }

    /// From one of these powers of ten to another.
    pub fn logarithmic(low: f64, high: f64) -> Self {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let last = last.max(first + 1);
        // Not more lines than there is room for their numbers.
        let step = ((last - first) as usize).div_ceil(6);
        let ticks = (first..=last).step_by(step).map(|power| 10_f64.powi(power)).collect();
        Self { from: f64::from(first), to: f64::from(last), logarithmic: true, ticks }
    }

    /// From zero, or below, to a round number.
    fn linear(low: f64, high: f64) -> Self {
        // Beyond these, steps would be no numbers any more.
        let (low, high) = (low.clamp(-FAR, 0.0), high.clamp(0.0, FAR));
        let high = if high - low < 1.0 / FAR { low + 1.0 } else { high };
        let rough = (high - low) / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0].map(|step| step * power);
        let step = steps.into_iter().find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil().max(1.0) as i64);
        let ticks = (first..=last).map(|n| n as f64 * step).collect();
        Self { from: first as f64 * step, to: last as f64 * step, logarithmic: false, ticks }
    }

    /// Where a value is; what is outside is at the end.
    pub fn place(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// The number at a line.
    pub fn label(&self, tick: f64) -> String {
        let short =
            |value: f64, unit: &str| format!("{}{unit}", words::exact((value * 1e6).round() / 1e6));
        match tick.abs() {
            size if size >= 1e9 => short(tick / 1e9, "G"),
            size if size >= 1e6 => short(tick / 1e6, "M"),
            size if size >= 1e4 => short(tick / 1e3, "k"),
            size if size >= 1e-5 || size == 0.0 => short(tick, ""),
            _ => format!("{tick:e}"),
        }
    }
}

fn bounds(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_values_are_on_a_linear_scale_from_zero() {
        let scale = Scale::of(&[3.0, 7.0]);
        assert_eq!(
            (scale.logarithmic, scale.ticks.clone()),
            (false, vec![0.0, 2.0, 4.0, 6.0, 8.0])
        );
        assert_eq!([0.0, 4.0, 8.0, 99.0].map(|v| scale.place(v)), [0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn far_values_are_on_a_logarithmic_one() {
        let scale = Scale::of(&[20.0, 90_000.0]);
        assert!(scale.logarithmic);
        assert_eq!(scale.ticks, [10.0, 100.0, 1e3, 1e4, 1e5]);
        assert_eq!(scale.place(1e3), 0.5);
        let wide = Scale::of(&[1e-9, 1e9]);
        assert!(wide.ticks.len() <= 7, "{wide:?}");
    }

    #[test]
    fn values_without_a_width_have_a_scale_too() {
        let ends = [-f64::MAX, f64::MAX];
        let tiny = [0.0, f64::from_bits(1)];
        for values in [&[][..], &[0.0], &[-3.0], &[5.0, 5.0], &[0.0, 1e9], &ends, &tiny, &tiny[1..]]
        {
            let scale = Scale::of(values);
            let places: Vec<f64> = values.iter().map(|v| scale.place(*v)).collect();
            assert!(scale.ticks.len() >= 2 && scale.ticks.len() <= 7, "{values:?}: {scale:?}");
            assert!(
                places.iter().all(|place| (0.0..=1.0).contains(place)),
                "{values:?}: {places:?}"
            );
        }
    }

    #[test]
    fn a_label_is_short() {
        let scale = Scale::of(&[1.0]);
        let told = [0.0, 0.25, 2000.0, 20_000.0, 2.5e6, 1e9, 1e-7].map(|tick| scale.label(tick));
        assert_eq!(told, ["0", "0.25", "2,000", "20k", "2.5M", "1G", "1e-7"]);
    }
}
