//! bitsandbytes' FP4: sign, two bits of exponent, one of mantissa, as its kernels read them (not OCP's e2m1: see
//! [`super::e2m1`]). Codes and scales equal those of its CPU path.

use super::table::Table;

/// The levels by code.
pub const LEVELS: [f32; 16] = [
    0.0,
    0.062_5 / 12.0,
    8.0 / 12.0,
    1.0,
    4.0 / 12.0,
    6.0 / 12.0,
    2.0 / 12.0,
    3.0 / 12.0,
    0.0,
    -0.062_5 / 12.0,
    -8.0 / 12.0,
    -1.0,
    -4.0 / 12.0,
    -6.0 / 12.0,
    -2.0 / 12.0,
    -3.0 / 12.0,
];

/// See [`Table`]. Small numbers above 0 get code 8, which is 0 too: so do bitsandbytes'.
pub static TABLE: Table = Table::new(LEVELS, &[11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3], false);
