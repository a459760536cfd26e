//! The arguments of a guest's function: typed as numbers, read by the types of
//! the function's parameters.
//!
//! Integers may be given signed or unsigned, as a whole of the type's bits: for
//! an i32, `-1`, `4294967295` and `0xffffffff` are the same.

use wasm_storage_host::convention::{Convention, counted};
use wasm_storage_wasmtime::{Module, Val, ValType};

use crate::failure::Failure;

/// Reads the arguments for `function`.
///
/// Errors: usage, naming the function, the argument and what it must be.
pub(crate) fn parse(
    module: &Module,
    function: &str,
    numbers: &[String],
) -> Result<Vec<Val>, Failure> {
    let ty = module.function(function)?;
    let types: Vec<ValType> = ty.params().collect();
    if types.len() != numbers.len() {
        let arguments = match types.len() {
            1 => "1 argument".into(),
            count => format!("{count} arguments"),
        };
        let names: Vec<String> = types.iter().map(ToString::to_string).collect();
        let or_buffers = match module.convention(function)? {
            Convention::Buffers(count) => {
                format!("; or {}, by --text or --bytes", counted(count))
            }
            Convention::Numbers => String::new(),
        };
        return Err(Failure::Usage(format!(
            "{}: function {function:?} takes {arguments} ({}), not {}{or_buffers}",
            module.name(),
            names.join(", "),
            numbers.len()
        )));
    }
    types
        .iter()
        .zip(numbers)
        .enumerate()
        .map(|(index, (ty, text))| {
            value(text, ty).map_err(|wanted| {
                Failure::Usage(format!(
                    "{}: argument {} of function {function:?} is {text:?}, but {wanted}",
                    module.name(),
                    index + 1
                ))
            })
        })
        .collect()
}

/// One argument; else what it must be, as the end of a sentence.
fn value(text: &str, ty: &ValType) -> Result<Val, String> {
    match ty {
        ValType::I32 => integer(text)
            .and_then(|number| {
                let signed = i32::try_from(number).ok();
                signed.or_else(|| Some(u32::try_from(number).ok()?.cast_signed()))
            })
            .map(Val::I32)
            .ok_or_else(|| must_be("i32", &i32::MIN, &u32::MAX)),
        ValType::I64 => integer(text)
            .and_then(|number| {
                let signed = i64::try_from(number).ok();
                signed.or_else(|| Some(u64::try_from(number).ok()?.cast_signed()))
            })
            .map(Val::I64)
            .ok_or_else(|| must_be("i64", &i64::MIN, &u64::MAX)),
        ValType::F32 => text
            .parse()
            .ok()
            .filter(|number: &f32| in_range(text, number.is_infinite()))
            .map(|number| Val::F32(number.to_bits()))
            .ok_or_else(|| "it must be an f32, as in 1.5 or -2e10".into()),
        ValType::F64 => text
            .parse()
            .ok()
            .filter(|number: &f64| in_range(text, number.is_infinite()))
            .map(|number| Val::F64(number.to_bits()))
            .ok_or_else(|| "it must be an f64, as in 1.5 or -2e10".into()),
        other => Err(format!("no argument of type {other} can be given here")),
    }
}

fn must_be(name: &str, least: &dyn std::fmt::Display, most: &dyn std::fmt::Display) -> String {
    format!("it must be an {name}: a whole number from {least} to {most}, decimal or 0x hex")
}

/// Decimal or hex, with a sign in front.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None => (10, digits),
    };
    // `from_str_radix` would take a second sign.
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let number = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

/// A number that is too large reads as infinite; only infinity itself may.
fn in_range(text: &str, infinite: bool) -> bool {
    !infinite || text.to_ascii_lowercase().contains("inf")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn i32_of(text: &str) -> Option<i32> {
        value(text, &ValType::I32).ok()?.i32()
    }

    fn i64_of(text: &str) -> Option<i64> {
        value(text, &ValType::I64).ok()?.i64()
    }

    #[test]
    fn integers_are_read_to_both_ends_of_their_bits() {
        assert_eq!(i32_of("-2147483648"), Some(i32::MIN));
        assert_eq!(i32_of("4294967295"), Some(-1));
        assert_eq!(i32_of("0xffffffff"), Some(-1));
        assert_eq!(i32_of("-0x80000000"), Some(i32::MIN));
        assert_eq!(i32_of("+7"), Some(7));
        assert_eq!(i64_of("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(i64_of("18446744073709551615"), Some(-1));
        assert_eq!(i64_of("0xFFFFFFFFFFFFFFFF"), Some(-1));
        for beyond in ["-2147483649", "4294967296", "0x100000000"] {
            assert_eq!(i32_of(beyond), None, "{beyond}");
        }
        for beyond in ["-9223372036854775809", "18446744073709551616"] {
            assert_eq!(i64_of(beyond), None, "{beyond}");
        }
        for bad in [
            "", "-", "0x", "1.0", "1e3", "--1", "0x-1", "+-1", "abc", " 1", "1_000",
        ] {
            assert_eq!(i64_of(bad), None, "{bad}");
        }
        let huge = "9".repeat(50);
        assert_eq!(i64_of(&huge), None);
    }

    #[test]
    fn floats_are_read_but_not_beyond_their_range() {
        let f32_of = |text| value(text, &ValType::F32).ok()?.f32();
        let f64_of = |text| value(text, &ValType::F64).ok()?.f64();
        assert_eq!(f32_of("-1.5"), Some(-1.5));
        assert_eq!(f64_of("2e300"), Some(2e300));
        assert_eq!(f64_of("-inf"), Some(f64::NEG_INFINITY));
        assert!(f64_of("nan").unwrap().is_nan());
        assert_eq!(f32_of("1e39"), None);
        assert_eq!(f64_of("1e309"), None);
        assert_eq!(f32_of("one"), None);
    }

    #[test]
    fn what_cannot_be_typed_is_said() {
        let text = value("0", &ValType::V128).unwrap_err();
        assert!(text.contains("v128"), "{text}");
    }
}
