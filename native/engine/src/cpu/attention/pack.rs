//! Brings heads into panels, and panels of results back into rows.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x4};

use super::{Column, Head, ROWS, Row};

/// Four rows of four numbers, turned.
#[inline(always)]
fn turn<S: Simd>([a, b, c, d]: [f32x4<S>; 4]) -> [f32x4<S>; 4] {
    let (even_low, even_high) = (a.zip_low(c), a.zip_high(c));
    let (odd_low, odd_high) = (b.zip_low(d), b.zip_high(d));
    [even_low.zip_low(odd_low), even_low.zip_high(odd_low), even_high.zip_low(odd_high), even_high.zip_high(odd_high)]
}

/// `out[k][i] = factor·rows[first + i][k]` for `count` rows, 0 for the other `N − count`.
#[inline(always)]
pub(super) fn across<S: Simd, const N: usize>(
    simd: S,
    head: Head<'_>,
    first: usize,
    count: usize,
    factor: f32,
    out: &mut [[f32; N]],
) {
    let scale = f32x4::splat(simd, factor);
    for i in (0..N).step_by(4) {
        if i + 4 > count {
            for lane in i..i + 4 {
                if lane < count {
                    for (out, &x) in out.iter_mut().zip(head.row(first + lane)) {
                        out[lane] = factor * x;
                    }
                } else {
                    out.iter_mut().for_each(|out| out[lane] = 0.0);
                }
            }
            continue;
        }
        let rows = [0, 1, 2, 3].map(|r| head.row(first + i + r).as_chunks::<4>());
        for k in 0..rows[0].0.len() {
            let vectors = rows.map(|(fours, _)| f32x4::from_slice(simd, &fours[k]) * scale);
            for (j, vector) in turn(vectors).into_iter().enumerate() {
                vector.store_slice(&mut out[4 * k + j][i..i + 4]);
            }
        }
        let done = 4 * rows[0].0.len();
        for (r, (_, rest)) in rows.iter().enumerate() {
            for (out, &x) in out[done..].iter_mut().zip(*rest) {
                out[i + r] = factor * x;
            }
        }
    }
}

/// `out[block][i] = factor·rows[first + i][block·N..]` for `count` rows, in blocks of `rows_out` rows, the rest 0.
#[inline(always)]
pub(super) fn along<const N: usize>(
    head: Head<'_>,
    first: usize,
    count: usize,
    factor: f32,
    rows_out: usize,
    out: &mut [[f32; N]],
) {
    for (block, out) in out.chunks_exact_mut(rows_out).enumerate() {
        for (i, out) in out.iter_mut().enumerate() {
            if i >= count {
                *out = [0.0; N];
                continue;
            }
            let row = &head.row(first + i)[block * N..];
            match row.first_chunk::<N>() {
                Some(row) => *out = row.map(|x| factor * x),
                None => {
                    *out = [0.0; N];
                    for (out, &x) in out.iter_mut().zip(row) {
                        *out = factor * x;
                    }
                }
            }
        }
    }
}

/// Left panels over the keys: `out[key panel][element][8]`.
#[inline(always)]
pub(super) fn key_panels<S: Simd>(simd: S, head: Head<'_>, keys: usize, out: &mut [Column]) {
    for (panel, out) in out.chunks_exact_mut(head.width).enumerate() {
        let first = panel * ROWS;
        across(simd, head, first.min(keys), keys.saturating_sub(first).min(ROWS), 1.0, out);
    }
}

/// `rows[q][k] = factor[q]·panel[k][q]`: a panel of results back into rows.
#[inline(always)]
pub(super) fn back<S: Simd>(simd: S, panel: &[Row], factors: &Row, rows: &mut [&mut [f32]]) {
    let width = rows.first().map_or(0, |row| row.len());
    let fours = width / 4 * 4;
    for (q, group) in rows.chunks_mut(4).enumerate() {
        let at = 4 * q;
        if group.len() == 4 {
            let scale = f32x4::from_slice(simd, &factors[at..at + 4]);
            for k in (0..fours).step_by(4) {
                let vectors = [0, 1, 2, 3].map(|j| f32x4::from_slice(simd, &panel[k + j][at..at + 4]) * scale);
                for (row, vector) in group.iter_mut().zip(turn(vectors)) {
                    vector.store_slice(&mut row[k..k + 4]);
                }
            }
        }
        let from = if group.len() == 4 { fours } else { 0 };
        for (i, row) in group.iter_mut().enumerate() {
            for (k, out) in row.iter_mut().enumerate().skip(from) {
                *out = factors[at + i] * panel[k][at + i];
            }
        }
    }
}
