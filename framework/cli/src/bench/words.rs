//! Numbers for people.

use super::lines::Better;

/// A number with three figures, or all of its whole ones, in groups of three; from ten million on with a power of ten.
pub fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 9_999_999.5 => engineered(value),
        _ if size >= 99.95 => grouped(value),
        _ if size >= 9.995 => format!("{value:.1}"),
        _ if size >= 0.9995 => format!("{value:.2}"),
        _ if size == 0.0 => "0".into(),
        _ if size < 1e-6 => format!("{value:.2e}"),
        // As many places as three figures need.
        _ => format!("{value:.*}", (2.0 - size.log10().floor()) as usize),
    }
}

/// Three figures and a power of a thousand.
fn engineered(value: f64) -> String {
    let power = (value.abs().log10() / 3.0).floor() as i32 * 3;
    let part = value / 10_f64.powi(power);
    let places = if part.abs() < 9.995 { 2 } else { usize::from(part.abs() < 99.95) };
    format!("{part:.places$}e{power}")
}

/// The same without places that say nothing, for what was given and not measured.
pub fn exact(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { grouped(value) } else { value.to_string() }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

/// `at least 3`, `at most 8`; the number alone where neither way is better.
pub fn limit(limit: f64, better: Option<Better>) -> String {
    match better {
        Some(Better::More) => format!("at least {}", exact(limit)),
        Some(Better::Less) => format!("at most {}", exact(limit)),
        None => exact(limit),
    }
}

/// `1 figure`, `2 figures`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A size of memory.
pub fn bytes(bytes: u64) -> String {
    let gib = bytes as f64 / (1_u64 << 30) as f64;
    if gib >= 1.0 { format!("{gib:.1} GiB") } else { format!("{} MiB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_three_figures_or_all_of_its_whole_ones() {
        let told =
            [0.0, 0.00123, 0.5, 0.9999, 3.456, 9.999, 10.06, 99.96, 1234.5, 1_234_567.0, -1234.0];
        let wanted = [
            "0",
            "0.00123",
            "0.500",
            "1.00",
            "3.46",
            "10.0",
            "10.1",
            "100",
            "1,234",
            "1,234,567",
            "-1,234",
        ];
        assert_eq!(told.map(number), wanted);
        assert_eq!(
            [1e-9, 2e16, 12_345_678.0, -1.5e11].map(number),
            ["1.00e-9", "20.0e15", "12.3e6", "-150e9"]
        );
    }

    #[test]
    fn a_limit_says_which_way_is_better() {
        assert_eq!(limit(3.0, Some(Better::More)), "at least 3");
        assert_eq!(limit(0.5, Some(Better::Less)), "at most 0.5");
        assert_eq!(limit(30_000.0, None), "30,000");
    }

    #[test]
    fn memory_is_told_in_a_unit_that_suits_it() {
        assert_eq!([bytes(512 << 20), bytes(3 << 29)], ["512 MiB", "1.5 GiB"]);
    }
}
