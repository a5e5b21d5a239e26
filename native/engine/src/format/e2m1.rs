//! E2M1 (OCP Microscaling Formats 1.0, §5.3.3): sign, two bits of exponent, one of mantissa; largest level 6. Numbers
//! are rounded to nearest, ties to even. Scales are f32, one a block, and the even element lies in the high nibble, as
//! in the other formats here.

use super::table::Table;

/// The levels by code.
pub const LEVELS: [f32; 16] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0];

/// See [`Table`]. No number becomes −0.
pub static TABLE: Table = Table::new(LEVELS, &[15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7], true);
