//! NF4, NF3 and NF2 (Dettmers et al., "QLoRA", 2023; the narrower two as in Li et al., "LoftQ", 2023): quantiles of the
//! normal distribution, ascending; the code is the index. With `offset = 0.9677083` and `n = 2^bits`, the positive ones are
//! `Φ⁻¹` of the first `n/2` of `n/2 + 1` even steps from `offset` to ½, the negative ones minus those of the first
//! `n/2 − 1` of `n/2`, all over the largest. NF4's codes and scales equal those of bitsandbytes' CPU path.

use super::table::Table;

/// The levels of NF4.
pub const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// The levels of NF3.
pub const NF3: [f32; 8] = [-1.0, -0.478_629_2, -0.217_141_79, 0.0, 0.160_930_2, 0.337_915_24, 0.562_617, 1.0];

/// The levels of NF2.
pub const NF2: [f32; 4] = [-1.0, 0.0, 0.337_915_24, 1.0];

/// See [`Table`].
pub static NF4_TABLE: Table = Table::new(NF4, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], false);
/// See [`Table`].
pub static NF3_TABLE: Table = Table::new(padded(NF3), &[0, 1, 2, 3, 4, 5, 6, 7], false);
/// See [`Table`].
pub static NF2_TABLE: Table = Table::new(padded(NF2), &[0, 1, 2, 3], false);

/// Sixteen levels, of which codes name the first `N`.
const fn padded<const N: usize>(levels: [f32; N]) -> [f32; 16] {
    let mut all = [0.0; 16];
    let mut i = 0;
    while i < N {
        all[i] = levels[i];
        i += 1;
    }
    all
}
