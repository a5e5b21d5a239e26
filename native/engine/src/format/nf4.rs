//! NF4 (Dettmers et al., "QLoRA", 2023): sixteen quantiles of the normal distribution. Codes and scales equal those of
//! bitsandbytes' CPU path.

use super::table::Table;

/// The levels, ascending; the code is the index.
pub const LEVELS: [f32; 16] = [
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

/// See [`Table`].
pub static TABLE: Table = Table::new(LEVELS, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], false);
