//! Packed weights: what their bytes mean. [`Format`] is the only list of formats, [`PackedRef`] the only match over them.
//!
//! A row is decoded in two steps, the same for every format: `unpack` gives one code a byte,
//! then codes become numbers (`scale·(q − zeroPoint)`, or a table's entry times the block's scale). Matrix products
//! decode rows while they pack panels, so a weight never exists whole.

use fearless_simd::Simd;

use crate::error::{Error, Result};

pub mod double_quant;
pub mod e2m1;
pub mod fp4;
pub mod int;
mod nibbles;
pub mod normal_float;
pub mod table;

pub use double_quant::{NestedScales, quantize_scales_nested};
pub use int::{IntegerGrid, pack_integers, quantize_integer, unpack_integers};
use table::Table;

/// Codes decoded at a time.
pub(crate) const RUN: usize = 128;

/// How a weight's codes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Four codes a byte.
    Int2,
    /// Eight codes in three bytes.
    Int3,
    /// Two codes a byte, the even column in the low nibble.
    Int4,
    /// Eight codes in five bytes.
    Int5,
    /// Four codes in three bytes.
    Int6,
    /// One code a byte.
    Int8,
    /// Quantiles of the normal distribution; two codes a byte, the even element in the high nibble; blocks run over the
    /// flattened tensor.
    Nf4,
    /// Its eight-level sibling; the flattened tensor's codes as one stream, eight in three bytes, lowest bits first.
    Nf3,
    /// Its four-level sibling, stored alike: four codes a byte.
    Nf2,
    /// bitsandbytes' FP4, stored as NF4 is.
    Fp4,
    /// OCP's E2M1, stored as NF4 is.
    E2m1,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 11] = [
        Format::Int2,
        Format::Int3,
        Format::Int4,
        Format::Int5,
        Format::Int6,
        Format::Int8,
        Format::Nf4,
        Format::Nf3,
        Format::Nf2,
        Format::Fp4,
        Format::E2m1,
    ];

    /// The name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Format::Int2 => "int2",
            Format::Int3 => "int3",
            Format::Int4 => "int4",
            Format::Int5 => "int5",
            Format::Int6 => "int6",
            Format::Int8 => "int8",
            Format::Nf4 => "nf4",
            Format::Nf3 => "nf3",
            Format::Nf2 => "nf2",
            Format::Fp4 => "fp4",
            Format::E2m1 => "e2m1",
        }
    }

    /// The format of this name.
    pub fn parse(op: &'static str, name: &str) -> Result<Format> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|format| format!("\"{}\"", format.name())).collect();
            Error::option(op, "format", format!("\"{name}\""), format!("one of {}", names.join(", ")))
        })
    }

    /// Bits a code takes.
    pub fn bits(self) -> usize {
        match self {
            Format::Int2 | Format::Nf2 => 2,
            Format::Int3 | Format::Nf3 => 3,
            Format::Int4 | Format::Nf4 | Format::Fp4 | Format::E2m1 => 4,
            Format::Int5 => 5,
            Format::Int6 => 6,
            Format::Int8 => 8,
        }
    }

    /// Whether codes are levels of an integer grid, with a scale and a zero point for each group.
    pub fn is_integer(self) -> bool {
        self.table().is_none()
    }

    /// The levels of a format that lists them, with a scale for each block.
    pub fn table(self) -> Option<&'static Table> {
        match self {
            Format::Nf4 => Some(&normal_float::NF4_TABLE),
            Format::Nf3 => Some(&normal_float::NF3_TABLE),
            Format::Nf2 => Some(&normal_float::NF2_TABLE),
            Format::Fp4 => Some(&fp4::TABLE),
            Format::E2m1 => Some(&e2m1::TABLE),
            Format::Int2 | Format::Int3 | Format::Int4 | Format::Int5 | Format::Int6 | Format::Int8 => None,
        }
    }

    /// Bytes of the codes of `[rows, columns]` weights.
    pub fn code_bytes(self, rows: usize, columns: usize) -> usize {
        let bits = self.bits();
        if self.is_integer() { rows * int::row_bytes(columns, bits) } else { int::row_bytes(rows * columns, bits) }
    }

    /// Number of scales of `[rows, columns]` weights.
    pub fn scale_count(self, rows: usize, columns: usize, group: usize) -> usize {
        if self.is_integer() { rows * int::groups(columns, group) } else { (rows * columns).div_ceil(group.max(1)) }
    }
}

/// The scales of a packed weight.
#[derive(Debug, Clone, Copy)]
pub enum Scales<'a> {
    /// As they are.
    Plain(&'a [f32]),
    /// Quantized in their turn: `map[codes[i]]·scales[i / 256] + offset`.
    Nested {
        /// Indices into [`double_quant::dynamic_map`].
        codes: &'a [u8],
        /// One for each 256 codes.
        scales: &'a [f32],
        /// The mean that was taken off.
        offset: f32,
    },
}

impl Scales<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Scales::Plain(scales) => scales.len(),
            Scales::Nested { codes, .. } => codes.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Scale number `i`.
    #[inline(always)]
    pub fn get(&self, i: usize) -> f32 {
        match self {
            Scales::Plain(scales) => scales[i],
            Scales::Nested { codes, scales, offset } => double_quant::decode(codes[i], scales, i, *offset),
        }
    }
}

/// A packed weight `[rows, columns]` without its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// How codes are stored.
    pub format: Format,
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub columns: usize,
    /// Inputs that share a scale; 0 = the whole row. Formats with a table: elements of a block.
    pub group: usize,
}

impl Layout {
    /// Errs unless there are as many bytes of codes, scales and zero points as this layout asks for.
    pub fn check(&self, op: &'static str, [codes, scales, zero_points]: [usize; 3]) -> Result<()> {
        let Layout { format, rows, columns, group } = *self;
        if !format.is_integer() {
            table::check_block(op, group)?;
        }
        let expected = format.scale_count(rows, columns, group);
        let lengths = [
            ("codes", codes, format.code_bytes(rows, columns)),
            ("scales", scales, expected),
            ("zeroPoints", zero_points, if format.is_integer() { expected } else { 0 }),
        ];
        match lengths.into_iter().find(|(_, got, expected)| got != expected) {
            None => Ok(()),
            Some((name, got, expected)) => Err(Error::shape(op, name, &[got], self.describe(expected))),
        }
    }

    fn describe(&self, elements: usize) -> String {
        let Layout { format, rows, columns, group } = self;
        format!("[{elements}] ({} of [{rows}, {columns}], group {group})", format.name())
    }
}

/// A packed weight `[rows, columns]`, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct PackedRef<'a> {
    /// How codes are stored.
    pub format: Format,
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub columns: usize,
    /// Inputs that share a scale; 0 = the whole row. Formats with a table: elements of a block.
    pub group: usize,
    /// The codes.
    pub codes: &'a [u8],
    /// `[rows, groups]`, or one a block.
    pub scales: Scales<'a>,
    /// `[rows, groups]` for integers; empty otherwise.
    pub zero_points: &'a [f32],
}

impl PackedRef<'_> {
    /// Groups in a row (integer formats).
    pub fn groups(&self) -> usize {
        int::groups(self.columns, self.group)
    }

    /// Columns of a group (integer formats).
    pub fn group_size(&self) -> usize {
        if self.group == 0 { self.columns } else { self.group }
    }

    /// Errs unless codes, scales and zero points have the lengths that format, rows, columns and group ask for.
    pub fn check(&self, op: &'static str) -> Result<()> {
        let layout = self.layout();
        layout.check(op, [self.codes.len(), self.scales.len(), self.zero_points.len()])?;
        if let Scales::Nested { codes, scales, .. } = self.scales {
            let expected = codes.len().div_ceil(double_quant::BLOCK);
            if self.format.is_integer() {
                return Err(Error::option(op, "nestedScales", "given for an integer format", "plain f32 scales"));
            }
            if scales.len() != expected {
                return Err(Error::shape(op, "nestedScales", &[scales.len()], layout.describe(expected)));
            }
        }
        Ok(())
    }

    fn layout(&self) -> Layout {
        Layout { format: self.format, rows: self.rows, columns: self.columns, group: self.group }
    }

    /// Columns `start..` of a row into `out`, as weights.
    #[inline(always)]
    pub(crate) fn decode<S: Simd>(&self, simd: S, row: usize, start: usize, out: &mut [f32]) {
        let mut codes = [0u8; RUN];
        let mut column = start;
        for out in out.chunks_mut(RUN) {
            let codes = &mut codes[..out.len()];
            self.unpack(simd, row, column, codes);
            if let Some(table) = self.format.table() {
                let place = (row * self.columns + column, self.group);
                table::to_weights(simd, table, codes, place, &self.scales, out);
            } else {
                self.levels(codes, row, column, false, out);
            }
            column += out.len();
        }
    }

    /// Columns `start..` of a row into `out`, as `q − zeroPoint` (integer formats).
    #[inline(always)]
    pub(crate) fn decode_levels<S: Simd>(&self, simd: S, row: usize, start: usize, out: &mut [f32]) {
        let mut codes = [0u8; RUN];
        let mut column = start;
        for out in out.chunks_mut(RUN) {
            let codes = &mut codes[..out.len()];
            self.unpack(simd, row, column, codes);
            self.levels(codes, row, column, true, out);
            column += out.len();
        }
    }

    /// The codes of columns `column..` of a row, one a byte.
    #[inline(always)]
    pub(crate) fn unpack<S: Simd>(&self, simd: S, row: usize, column: usize, codes: &mut [u8]) {
        let bits = self.format.bits();
        if !self.format.is_integer() {
            let first = row * self.columns + column;
            return match bits {
                4 => nibbles::unpack::<S, false>(simd, self.codes, first, codes),
                _ => int::unpack(self.codes, bits, first, codes),
            };
        }
        let bytes = int::row_bytes(self.columns, bits);
        let packed = &self.codes[row * bytes..(row + 1) * bytes];
        if bits == 4 {
            nibbles::unpack::<S, true>(simd, packed, column, codes);
        } else {
            int::unpack(packed, bits, column, codes);
        }
    }

    /// Codes of columns `column..` → `scale·(q − zeroPoint)`, or the latter factor alone.
    #[inline(always)]
    fn levels(&self, codes: &[u8], row: usize, column: usize, unscaled: bool, out: &mut [f32]) {
        let (groups, size) = (self.groups(), self.group_size());
        let mut at = 0;
        while at < codes.len() {
            let group = (column + at) / size;
            let end = codes.len().min((group + 1) * size - column);
            let index = row * groups + group;
            let scale = if unscaled { 1.0 } else { self.scales.get(index) };
            int::to_weights(&codes[at..end], scale, self.zero_points[index], &mut out[at..end]);
            at = end;
        }
    }
}

/// `w` → codes u8 and one scale for each `block` elements of the flattened tensor, in a format with a table.
pub fn quantize_blocks(op: &'static str, format: Format, w: &[f32], block: usize) -> Result<(Vec<u8>, Vec<f32>)> {
    let Some(table) = format.table() else {
        let names: Vec<_> =
            Format::ALL.iter().filter(|f| !f.is_integer()).map(|f| format!("\"{}\"", f.name())).collect();
        return Err(Error::option(
            op,
            "format",
            format!("\"{}\"", format.name()),
            format!("one of {}", names.join(", ")),
        ));
    };
    table::quantize(op, table, format.bits(), w, block)
}

/// `weight[rows, columns]` packed → `out[rows, columns]` f32.
pub fn dequantize(weight: &PackedRef, out: &mut [f32]) {
    assert_eq!(out.len(), weight.rows * weight.columns, "one number for each weight");
    if weight.columns == 0 {
        return;
    }
    let level = crate::cpu::simd::level();
    for (row, out) in out.chunks_exact_mut(weight.columns).enumerate() {
        fearless_simd::dispatch!(level, simd => weight.decode(simd, row, 0, out));
    }
}
