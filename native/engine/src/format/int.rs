//! Integer grids: `W = scale·(q − zeroPoint)`, one scale and zero point for each group of a row's columns.
//!
//! Codes are row-major, each row padded to a byte, lowest bits first: a row is one little-endian stream of `bits`-wide
//! numbers (so three-bit codes cross bytes).

use crate::error::{Error, Result};

/// Widths that exist.
pub const WIDTHS: [usize; 6] = [2, 3, 4, 5, 6, 8];

/// Bytes of a row's codes.
pub fn row_bytes(columns: usize, bits: usize) -> usize {
    (columns * bits).div_ceil(8)
}

/// Groups of a row: the last may be shorter.
pub fn groups(columns: usize, group: usize) -> usize {
    if group == 0 { usize::from(columns > 0) } else { columns.div_ceil(group) }
}

/// Errs unless codes of `bits` bits exist.
pub fn check_bits(op: &'static str, bits: usize) -> Result<()> {
    if WIDTHS.contains(&bits) {
        return Ok(());
    }
    Err(Error::option(op, "bits", bits, format!("one of {}", WIDTHS.map(|w| w.to_string()).join(", "))))
}

/// What [`quantize_integer`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegerGrid {
    /// Packed codes.
    pub codes: Vec<u8>,
    /// `[rows, groups]`.
    pub scales: Vec<f32>,
    /// `[rows, groups]`.
    pub zero_points: Vec<f32>,
}

/// Rounds `w[rows, columns]` to the nearest level of a grid for each group, ties to even.
///
/// Asymmetric: the range is widened to hold 0, `scale = (max − min)/(2^bits − 1)`, `zeroPoint = round(−min/scale)`.
/// Symmetric: `zeroPoint = 2^(bits−1)`, `scale = 2·max|w|/(2^bits − 1)`. A group of one value is kept exactly.
pub fn quantize_integer(
    op: &'static str,
    w: &[f32],
    [rows, columns]: [usize; 2],
    bits: usize,
    group: usize,
    symmetric: bool,
) -> Result<IntegerGrid> {
    check_bits(op, bits)?;
    assert_eq!(w.len(), rows * columns, "w is [rows, columns]");
    let size = if group == 0 { columns } else { group };
    let count = rows * groups(columns, group);
    let mut grid = IntegerGrid {
        codes: vec![0; rows * row_bytes(columns, bits)],
        scales: Vec::with_capacity(count),
        zero_points: Vec::with_capacity(count),
    };
    if w.is_empty() {
        return Ok(grid);
    }
    let top = ((1u32 << bits) - 1) as f32;
    let mut levels = vec![0u8; columns];
    for (w, codes) in w.chunks_exact(columns).zip(grid.codes.chunks_exact_mut(row_bytes(columns, bits))) {
        for (w, levels) in w.chunks(size).zip(levels.chunks_mut(size)) {
            let (scale, zero) = fit(op, w, bits, symmetric)?;
            grid.scales.push(scale);
            grid.zero_points.push(zero);
            for (w, level) in w.iter().zip(levels) {
                *level = ((w / scale).round_ties_even() + zero).clamp(0.0, top) as u8;
            }
        }
        pack_row(&levels, bits, codes);
    }
    Ok(grid)
}

/// Scale and zero point of a group.
fn fit(op: &'static str, w: &[f32], bits: usize, symmetric: bool) -> Result<(f32, f32)> {
    let (mut low, mut high, mut sum) = (f32::INFINITY, f32::NEG_INFINITY, 0.0f32);
    for &w in w {
        low = low.min(w);
        high = high.max(w);
        sum += w * 0.0;
    }
    if sum != 0.0 || !(low.is_finite() && high.is_finite()) {
        let what = "a weight is not a finite number".into();
        return Err(Error::Numerics { op, what, advice: "Check the tensor before quantizing it.".into() });
    }
    let top = f64::from((1u32 << bits) - 1);
    let middle = (1u32 << (bits - 1)) as f32;
    if low == high {
        // One value: a step of its size reaches it exactly.
        let zero = if symmetric { middle } else { f32::from(low < 0.0) };
        return Ok((if low == 0.0 { 1.0 } else { low.abs() }, zero));
    }
    let (low, high) = if symmetric {
        let reach = low.abs().max(high.abs());
        (-reach, reach)
    } else {
        (low.min(0.0), high.max(0.0))
    };
    let scale = ((f64::from(high) - f64::from(low)) / top) as f32;
    // Numbers so small that the step vanishes count as zero.
    let scale = if scale > 0.0 && scale.is_finite() { scale } else { f32::MIN_POSITIVE };
    Ok((scale, if symmetric { middle } else { (-low / scale).round_ties_even().clamp(0.0, top as f32) }))
}

/// `q[rows, columns]`, one code a byte → packed codes.
pub fn pack_integers(op: &'static str, q: &[u8], [rows, columns]: [usize; 2], bits: usize) -> Result<Vec<u8>> {
    check_bits(op, bits)?;
    assert_eq!(q.len(), rows * columns, "q is [rows, columns]");
    let top = ((1u32 << bits) - 1) as u8;
    if let Some(&level) = q.iter().find(|&&level| level > top) {
        return Err(Error::option(op, "q", level, format!("codes of {bits} bits: 0 to {top}")));
    }
    let bytes = row_bytes(columns, bits);
    let mut codes = vec![0; rows * bytes];
    if bytes > 0 {
        for (q, codes) in q.chunks_exact(columns).zip(codes.chunks_exact_mut(bytes)) {
            pack_row(q, bits, codes);
        }
    }
    Ok(codes)
}

/// Packed codes → `[rows, columns]`, one code a byte.
pub fn unpack_integers(op: &'static str, codes: &[u8], [rows, columns]: [usize; 2], bits: usize) -> Result<Vec<u8>> {
    check_bits(op, bits)?;
    let bytes = row_bytes(columns, bits);
    if codes.len() != rows * bytes {
        return Err(Error::shape(op, "codes", &[codes.len()], format!("[{}]", rows * bytes)));
    }
    let mut q = vec![0; rows * columns];
    if bytes > 0 {
        for (codes, q) in codes.chunks_exact(bytes).zip(q.chunks_exact_mut(columns)) {
            unpack(codes, bits, 0, q);
        }
    }
    Ok(q)
}

/// One row of codes, one a byte → packed.
#[inline(always)]
pub(crate) fn pack_row(levels: &[u8], bits: usize, codes: &mut [u8]) {
    let (wholes, rest) = levels.as_chunks::<8>();
    let (packed, last) = codes.split_at_mut(wholes.len() * bits);
    match bits {
        2 => pack_eights::<2>(wholes, packed),
        3 => pack_eights::<3>(wholes, packed),
        4 => pack_eights::<4>(wholes, packed),
        5 => pack_eights::<5>(wholes, packed),
        6 => pack_eights::<6>(wholes, packed),
        _ => packed.copy_from_slice(wholes.as_flattened()),
    }
    last.fill(0);
    for (i, &level) in rest.iter().enumerate() {
        let at = i * bits;
        let shifted = u16::from(level) << (at % 8);
        last[at / 8] |= shifted as u8;
        if at % 8 + bits > 8 {
            last[at / 8 + 1] |= (shifted >> 8) as u8;
        }
    }
}

/// Eight codes into `BITS` bytes, again and again: the inverse of [`unpack_eights`].
#[inline(always)]
fn pack_eights<const BITS: usize>(levels: &[[u8; 8]], packed: &mut [u8]) {
    for (levels, packed) in levels.iter().zip(packed.as_chunks_mut::<BITS>().0) {
        // Pairs, fours, eights move together.
        let mut word = u64::from_le_bytes(*levels);
        word = (word & 0x00ff_00ff_00ff_00ff) | (word & 0xff00_ff00_ff00_ff00) >> (8 - BITS);
        word = (word & 0x0000_ffff_0000_ffff) | (word & 0xffff_0000_ffff_0000) >> (16 - 2 * BITS);
        word = (word & 0x0000_0000_ffff_ffff) | (word & 0xffff_ffff_0000_0000) >> (32 - 4 * BITS);
        packed.copy_from_slice(&word.to_le_bytes()[..BITS]);
    }
}

/// The codes of columns `start..` of one row, one a byte.
#[inline(always)]
pub(crate) fn unpack(row: &[u8], bits: usize, start: usize, out: &mut [u8]) {
    // Eight codes fill `bits` bytes, so a multiple of eight starts at a byte.
    let lead = (start.next_multiple_of(8) - start).min(out.len());
    let (head, body) = out.split_at_mut(lead);
    for (i, out) in head.iter_mut().enumerate() {
        *out = code_at(row, bits, start + i);
    }
    let start = start + lead;
    let whole = body.len() / 8;
    let (body, tail) = body.split_at_mut(whole * 8);
    let bytes = &row[start / 8 * bits..][..whole * bits];
    match bits {
        2 => unpack_eights::<2>(bytes, body),
        3 => unpack_eights::<3>(bytes, body),
        4 => unpack_eights::<4>(bytes, body),
        5 => unpack_eights::<5>(bytes, body),
        6 => unpack_eights::<6>(bytes, body),
        _ => body.copy_from_slice(bytes),
    }
    for (i, out) in tail.iter_mut().enumerate() {
        *out = code_at(row, bits, start + whole * 8 + i);
    }
}

/// Eight codes from `BITS` bytes, again and again.
#[inline(always)]
fn unpack_eights<const BITS: usize>(bytes: &[u8], out: &mut [u8]) {
    for (bytes, out) in bytes.as_chunks::<BITS>().0.iter().zip(out.as_chunks_mut::<8>().0) {
        let mut word = 0u64;
        for (i, &byte) in bytes.iter().enumerate() {
            word |= u64::from(byte) << (8 * i);
        }
        // Spread the codes over the bytes of one word: halves, quarters, eighths.
        let half = (1u64 << (4 * BITS)) - 1;
        let quarter = (1u64 << (2 * BITS)) - 1;
        let one = (1u64 << BITS) - 1;
        word = (word & half) | (word & (half << (4 * BITS))) << (32 - 4 * BITS);
        let mask = quarter | quarter << 32;
        word = (word & mask) | (word & (mask << (2 * BITS))) << (16 - 2 * BITS);
        let mask = one * 0x0001_0001_0001_0001;
        word = (word & mask) | (word & (mask << BITS)) << (8 - BITS);
        *out = word.to_le_bytes();
    }
}

#[inline(always)]
fn code_at(row: &[u8], bits: usize, column: usize) -> u8 {
    let at = column * bits;
    let low = u16::from(row[at / 8]);
    let high = if at % 8 + bits > 8 { u16::from(row[at / 8 + 1]) } else { 0 };
    ((low | high << 8) >> (at % 8)) as u8 & ((1u16 << bits) - 1) as u8
}

/// `scale·(q − zero)`.
#[inline(always)]
pub(crate) fn to_weights(codes: &[u8], scale: f32, zero: f32, out: &mut [f32]) {
    for (code, out) in codes.iter().zip(out) {
        *out = (f32::from(*code) - zero) * scale;
    }
}
