//! Exact decimals: a threshold of 9.0 is not a matter of binary fractions.

use std::{cmp::Ordering, fmt};

/// Digits that a number may have before and after the point together; FHIR asks for 18 (R4 datatypes §decimal).
const MAX_DIGITS: u32 = 18;

/// A decimal number, `mantissa × 10^-scale`, kept exactly.
#[derive(Clone, Copy)]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

impl Decimal {
    /// Reads a number as JSON writes it. `None` when it is none, or has more digits than a measurement has.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (is_negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if whole.is_empty() || !digits().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let leading = digits().take_while(|b| *b == b'0').count();
        if digits().count() - leading > MAX_DIGITS as usize {
            return None;
        }
        let mantissa = digits().fold(0_i128, |all, digit| all * 10 + i128::from(digit - b'0'));
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let (mantissa, scale) = match u32::try_from(scale) {
            Ok(scale) if scale <= MAX_DIGITS => (mantissa, scale),
            Ok(_) => return None,
            Err(_) => {
                let power = scale.unsigned_abs();
                (10_i128.checked_pow(power.min(40))?.checked_mul(mantissa)?, 0)
            }
        };
        let fits = mantissa < 10_i128.pow(MAX_DIGITS);
        fits.then_some(Self { mantissa: if is_negative { -mantissa } else { mantissa }, scale })
    }

    /// `self × factor + offset`, rounded half away from zero to `places` after the point. `None` when it does not fit.
    pub fn converted(self, factor: Self, offset: Self, places: u32) -> Option<Self> {
        let product =
            Self { mantissa: self.mantissa.checked_mul(factor.mantissa)?, scale: self.scale + factor.scale };
        let scale = product.scale.max(offset.scale);
        let mantissa = product.at(scale)?.checked_add(offset.at(scale)?)?;
        Some(Self { mantissa, scale }.rounded(places))
    }

    fn rounded(self, places: u32) -> Self {
        if self.scale <= places {
            return self;
        }
        let power = 10_i128.pow(self.scale - places);
        let half = if self.mantissa < 0 { -power / 2 } else { power / 2 };
        Self { mantissa: self.mantissa.saturating_add(half) / power, scale: places }
    }

    /// The mantissa at a larger scale.
    fn at(self, scale: u32) -> Option<i128> {
        10_i128.checked_pow(scale - self.scale)?.checked_mul(self.mantissa)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.at(scale), other.at(scale)) {
            (Some(a), Some(b)) => a.cmp(&b),
            // Only what was parsed is compared, and that fits (a test goes to the ends); the larger mantissa decides else.
            _ => self.mantissa.cmp(&other.mantissa),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = 10_u128.pow(self.scale);
        let (sign, number) = (if self.mantissa < 0 { "-" } else { "" }, self.mantissa.unsigned_abs());
        let (whole, fraction) = (number / power, number % power);
        match self.scale {
            0 => write!(f, "{sign}{whole}"),
            scale => write!(f, "{sign}{whole}.{fraction:0width$}", width = scale as usize),
        }
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_compare_by_what_they_say_and_print_as_written() {
        for (a, b, expected) in [
            ("9.0", "9", Ordering::Equal),
            ("9.00", "9.0", Ordering::Equal),
            ("9.01", "9.0", Ordering::Greater),
            ("8.999999999999999", "9.0", Ordering::Less),
            ("0.1e1", "1", Ordering::Equal),
            ("9e0", "90e-1", Ordering::Equal),
            ("-0.0", "0", Ordering::Equal),
            ("-1", "1", Ordering::Less),
            ("999999999999999999", "0.000000000000000001", Ordering::Greater),
            ("1e17", "99999999999999999", Ordering::Greater),
        ] {
            assert_eq!(number(a).cmp(&number(b)), expected, "{a} {b}");
        }
        for text in ["9.0", "-0.05", "140", "8.10"] {
            assert_eq!(number(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_measurement_is_no_number() {
        for text in [
            "",
            ".",
            ".5",
            "-",
            "1.2.3",
            "NaN",
            "1e",
            "1e99",
            "1e-99",
            "9,1",
            " 9",
            "1234567890123456789",
            "0x9",
        ] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn ifcc_units_become_ngsp_percent_as_laboratories_report_them() {
        let ngsp = |text: &str| number(text).converted(number("0.09148"), number("2.152"), 1).unwrap();
        for (ifcc, percent) in
            [("75", "9.0"), ("76", "9.1"), ("48", "6.5"), ("53", "7.0"), ("74", "8.9"), ("20", "4.0")]
        {
            assert_eq!(ngsp(ifcc), number(percent), "{ifcc} mmol/mol");
        }
        assert_eq!(number("-1.25").converted(number("1"), number("0"), 1).unwrap(), number("-1.3"));
    }
}
