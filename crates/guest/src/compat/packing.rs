//! Bytes as numbers: three bytes to an i32, in decimal digits.
//!
//! | bytes left | number |
//! |---|---|
//! | a, b, c | 1,000,000,000 + 1,000,000 a + 1,000 b + c |
//! | a, b | 2,000,000,000 + 1,000 a + b |
//! | a | a |
//!
//! (The crate `serialize_deserialize_u8_i32` 0.1.34 has it.) Invariant: what is no packed
//! form is refused; the original took some of it for other bytes.

use alloc::vec::Vec;

const THREE: i32 = 1_000_000_000;
const TWO: i32 = 2_000_000_000;

/// Packs bytes.
pub(in crate::compat) fn pack(bytes: &[u8]) -> impl ExactSizeIterator<Item = i32> {
    bytes.chunks(3).map(|chunk| {
        let digits = |at: usize| chunk.get(at).map_or(0, |byte| i32::from(*byte));
        match chunk.len() {
            3 => THREE + 1_000_000 * digits(0) + 1_000 * digits(1) + digits(2),
            2 => TWO + 1_000 * digits(0) + digits(1),
            _ => digits(0),
        }
    })
}

/// Unpacks numbers; `None` if one of them is no packed form.
pub(in crate::compat) fn unpack(numbers: impl ExactSizeIterator<Item = i32>) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(numbers.len().saturating_mul(3));
    for number in numbers {
        let byte = |unit: i32| u8::try_from(number / unit % 1_000).ok();
        if number >= TWO {
            bytes.extend([u8::try_from((number - TWO) / 1_000).ok()?, byte(1)?]);
        } else if number >= THREE {
            bytes.extend([byte(1_000_000)?, byte(1_000)?, byte(1)?]);
        } else {
            bytes.push(u8::try_from(number).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn packed(bytes: &[u8]) -> Vec<i32> {
        pack(bytes).collect()
    }

    fn unpacked(numbers: &[i32]) -> Option<Vec<u8>> {
        unpack(numbers.iter().copied())
    }

    #[test]
    fn the_known_forms() {
        assert_eq!(packed(&[]), [0; 0]);
        assert_eq!(packed(&[0]), [0]);
        assert_eq!(packed(&[1, 2]), [2_000_001_002]);
        assert_eq!(packed(&[1, 2, 3]), [1_001_002_003]);
        assert_eq!(packed(&[255; 4]), [1_255_255_255, 255]);
        assert_eq!(packed(&[255; 5]), [1_255_255_255, 2_000_255_255]);
    }

    #[test]
    fn what_was_packed_comes_back_for_every_length() {
        for length in 0..300_usize {
            let bytes: Vec<u8> = (0..length)
                .map(|at| (at * 37 + length).to_le_bytes()[0])
                .collect();
            assert_eq!(unpacked(&packed(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn what_is_no_packed_form_is_refused() {
        for number in [
            -1,
            256,
            1_000,
            999_999_999,
            1_256_000_000,
            1_000_256_000,
            1_000_000_256,
            1_999_999_999,
            2_000_000_256,
            2_000_256_000,
            2_001_000_000,
            i32::MIN,
            i32::MAX,
        ] {
            assert_eq!(unpacked(&[number]), None, "{number}");
        }
        for (number, bytes) in [
            (255, vec![255]),
            (1_000_000_000, vec![0; 3]),
            (2_000_000_000, vec![0; 2]),
        ] {
            assert_eq!(unpacked(&[number]), Some(bytes));
        }
    }
}
