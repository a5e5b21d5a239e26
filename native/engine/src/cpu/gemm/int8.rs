//! Packed weights times activations that are rounded to eight bits: sums of products of small integers, for generation.
//!
//! Each [`BLOCK`] activations share a scale, `x ≈ scale·x₈` with `scale = max|x|/127`, and so do the weights of a block, whose
//! groups hold whole blocks. With `W = s·(q − z)`:
//!
//! `y = Σ_blocks s·scale·(Σ q·x₈ − z·Σ x₈)`
//!
//! Levels of formats with a table become multiples of a fraction of the largest (E2M1's without loss), codes of eight bits are
//! shifted to −128…127. Integer sums are exact, so only the rounding of `x` (and of a table) is lost.

use fearless_simd::{Level, Simd, dispatch};

use super::Output;
use super::few::{MOST_ROWS, ROWS_PER_TASK, columns};
#[cfg(target_arch = "x86_64")]
use super::int8_avx2::Avx2;
use super::pack::Span;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::format::{Format, PackedRef, Scales};

/// Activations, and weights, that are summed as integers.
pub const BLOCK: usize = 32;
/// The largest rounded activation.
const LARGEST: f32 = 127.0;

/// A row of activations.
pub(super) struct Rounded {
    /// In the order in which codes come out, in two's complement.
    pub(super) blocks: Vec<[u8; BLOCK]>,
    /// Of each block.
    pub(super) scales: Vec<f32>,
    /// `Σ scale·x₈` of each group of the weight.
    sums: Vec<f32>,
}

/// The levels of a format with a table as whole numbers of a step.
#[derive(Clone, Copy)]
struct Levels {
    numbers: [i8; 16],
    step: f32,
}

impl Levels {
    /// The step is the part of the largest level, a 64th to a 127th, that rounds all of them least.
    fn of(format: Format) -> Option<Levels> {
        let table = format.table()?;
        let whole = |parts: u8| table.levels.map(|level| f64::from(level) / f64::from(table.top()) * f64::from(parts));
        let lost = |parts: u8| {
            whole(parts).iter().map(|x| ((x - x.round_ties_even()) / f64::from(parts)).powi(2)).sum::<f64>()
        };
        let parts = (64..=127).rev().min_by(|&a, &b| lost(a).total_cmp(&lost(b)))?;
        let numbers = whole(parts).map(|x| x.round_ties_even() as i8);
        Some(Levels { numbers, step: table.top() / f32::from(parts) })
    }
}

/// Whether rows and groups of a weight are made of whole blocks, and no group goes on in the next row.
pub fn fits(format: Format, columns: usize, group: usize) -> bool {
    let whole = columns.is_multiple_of(BLOCK) && group.is_multiple_of(BLOCK);
    whole && (format.is_integer() || columns.is_multiple_of(group))
}

/// `x[tokens, in]`, `w[out, in]` → `y[tokens, out] = x·wᵀ` of a weight that [`fits`].
pub(super) fn forward(
    level: Level,
    tokens: usize,
    x: &[f32],
    w: &PackedRef<'_>,
    y: &mut [f32],
    cancel: &Cancel,
) -> Result<()> {
    let weight = Weight::new(level, w);
    let rows = x.chunks(MOST_ROWS * w.columns).zip(y.chunks_mut(MOST_ROWS * w.rows));
    for (x, y) in rows.take(tokens.div_ceil(MOST_ROWS)) {
        let x: Vec<_> = x.chunks_exact(w.columns).map(|x| dispatch!(level, _simd => weight.round(x))).collect();
        columns::<ROWS_PER_TASK>([x.len(), w.rows], Output::default(), y, cancel, |rows, sums| {
            dispatch!(level, simd => weight.add(simd, &x, rows, sums));
        })?;
    }
    Ok(())
}

struct Weight<'a> {
    w: &'a PackedRef<'a>,
    levels: Option<Levels>,
    /// Blocks of a group, and groups of a row.
    shared: usize,
    groups: usize,
    #[cfg(target_arch = "x86_64")]
    avx2: Option<Avx2>,
}

impl<'a> Weight<'a> {
    fn new(level: Level, w: &'a PackedRef<'a>) -> Weight<'a> {
        #[cfg(not(target_arch = "x86_64"))]
        let _ = level;
        let size = w.group_size();
        Weight {
            w,
            levels: Levels::of(w.format),
            shared: size / BLOCK,
            groups: w.columns.div_ceil(size),
            #[cfg(target_arch = "x86_64")]
            avx2: level.as_avx2().map(Avx2::new),
        }
    }

    /// Whether codes are read from their nibbles, sixteen low ones and then sixteen high ones of each block.
    fn in_nibbles(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.avx2.is_some() && self.w.format.bits() == 4;
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Whether numbers have a sign.
    fn is_signed(&self) -> bool {
        self.levels.is_some() || self.w.format == Format::Int8
    }

    #[inline(always)]
    fn round(&self, x: &[f32]) -> Rounded {
        let count = x.len() / BLOCK;
        let (mut blocks, mut scales, mut sums) = (vec![[0; BLOCK]; count], vec![0.0; count], vec![0.0; self.groups]);
        for (i, x) in x.as_chunks::<BLOCK>().0.iter().enumerate() {
            let largest = x.iter().fold(0.0f32, |largest, x| if x.abs() > largest { x.abs() } else { largest });
            // What is not a number, or infinite, makes the whole block so.
            let poison = x.iter().fold(0.0f32, |sum, x| sum + x * 0.0);
            scales[i] = largest / LARGEST + poison;
            let reciprocal = if largest > 0.0 { LARGEST / largest } else { 0.0 };
            let whole = x.map(|x| (x * reciprocal).round_ties_even() as i32);
            sums[i / self.shared] += scales[i] * whole.iter().sum::<i32>() as f32;
            blocks[i] = whole.map(|x| x as u8);
            if self.in_nibbles() {
                blocks[i] = by_nibbles(&blocks[i], !self.w.format.is_integer());
            }
        }
        Rounded { blocks, scales, sums }
    }

    /// Adds the products of rows of the weight with every row of x.
    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, x: &[Rounded], rows: Span, sums: &mut [[f32; ROWS_PER_TASK]; MOST_ROWS]) {
        let w = self.w;
        let blocks = if self.in_nibbles() { 0 } else { w.columns / BLOCK };
        let (mut numbers, mut space) = (vec![[0u8; BLOCK]; blocks], vec![0.0; self.groups]);
        let (step, middle) =
            (self.levels.map_or(1.0, |levels| levels.step), if self.is_signed() { 128.0 } else { 0.0 });
        for i in 0..rows.length {
            let row = rows.start + i;
            let groups = row * self.groups..(row + 1) * self.groups;
            let scales = match w.scales {
                Scales::Plain(scales) => &scales[groups.clone()],
                Scales::Nested { .. } => {
                    for (scale, group) in space.iter_mut().zip(groups.clone()) {
                        *scale = w.scales.get(group);
                    }
                    &space
                }
            };
            if !self.in_nibbles() {
                self.read(simd, row, &mut numbers);
            }
            for (x, sums) in x.iter().zip(sums.iter_mut()) {
                let products = step * self.products(row, &numbers, scales, x);
                sums[i] = products;
                if w.format.is_integer() {
                    let zeros = w.zero_points[groups.clone()].iter().map(|zero| zero - middle);
                    let offsets = zeros.zip(scales).zip(&x.sums).map(|((zero, scale), sum)| zero * scale * sum);
                    sums[i] = products - offsets.sum::<f32>();
                }
            }
        }
    }

    /// A row's codes or levels, one a byte.
    #[inline(always)]
    fn read<S: Simd>(&self, simd: S, row: usize, numbers: &mut [[u8; BLOCK]]) {
        let numbers = numbers.as_flattened_mut();
        self.w.unpack(simd, row, 0, numbers);
        if let Some(levels) = &self.levels {
            for number in numbers {
                *number = levels.numbers[usize::from(*number & 15)].cast_unsigned();
            }
        } else if self.is_signed() {
            for number in numbers {
                *number ^= 0x80;
            }
        }
    }

    /// `Σ_groups scale·Σ_blocks x.scale·Σ number·x₈`
    #[inline(always)]
    fn products(&self, row: usize, numbers: &[[u8; BLOCK]], scales: &[f32], x: &Rounded) -> f32 {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            if !self.in_nibbles() {
                return avx2.bytes(self.is_signed(), numbers, (scales, self.shared), x);
            }
            let bytes = self.w.columns / 2;
            let codes = self.w.codes[row * bytes..][..bytes].as_chunks().0;
            return avx2.nibbles(self.levels.map(|levels| levels.numbers), codes, (scales, self.shared), x);
        }
        let _ = row;
        let mut sum = 0.0;
        for (i, (numbers, x_block)) in numbers.iter().zip(&x.blocks).enumerate() {
            let products = numbers.iter().zip(x_block).map(|(&number, &x)| {
                let number = if self.is_signed() { i32::from(number.cast_signed()) } else { i32::from(number) };
                number * i32::from(x.cast_signed())
            });
            sum += scales[i / self.shared] * x.scales[i] * products.sum::<i32>() as f32;
        }
        sum
    }
}

/// The numbers of the low nibbles, then those of the high ones.
fn by_nibbles(block: &[u8; BLOCK], even_high: bool) -> [u8; BLOCK] {
    std::array::from_fn(|i| block[2 * (i % 16) + usize::from((i < 16) == even_high)])
}
