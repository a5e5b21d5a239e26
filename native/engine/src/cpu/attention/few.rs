//! A few queries, as while text is generated: keys and values are read once, where they are.

use super::forward::{LOWEST, Task};
use super::lanes::round;
use super::mask::View;
use super::{HALF, Row};
use crate::cpu::exp::{dot, exp_and_sum, largest};

/// All queries of a task; operands are rounded to bf16 where `ROUND`.
#[inline(always)]
pub(super) fn forward<const ROUND: bool>(task: &Task<'_>, heads: &mut [Vec<&mut [f32]>], lse: &mut [f32]) {
    let s = task.s;
    let (keys, values) = (s.key_head(task.k, task.batch, task.kv), s.key_head(task.v, task.batch, task.kv));
    let mut room: Vec<f32> = vec![0.0; s.keys + s.width];
    let (scores, rounded) = room.split_at_mut(s.keys);
    for (i, (rows, lse)) in heads.iter_mut().zip(lse.chunks_exact_mut(s.queries)).enumerate() {
        let head = task.kv * s.group() + i;
        for (query, (row, lse)) in rows.iter_mut().zip(lse).enumerate() {
            let mut q = s.query_head(task.q, task.batch, head).row(query);
            if ROUND {
                rounded.iter_mut().zip(q).for_each(|(rounded, &x)| *rounded = round(x));
                q = rounded;
            }
            let view = View::new(s, task.bias, task.batch, head, query, 1);
            let range = view.range();
            let seen = &mut scores[range.clone()];
            for (key, score) in range.clone().zip(seen.iter_mut()) {
                let key_row = keys.row(key);
                *score = s.scale * if ROUND { dot_rounded(q, key_row) } else { dot(q, key_row) };
                if !view.is_plain() {
                    let mut one: [Row; 1] = [[[*score; HALF]; 2]];
                    view.finish(key, &mut one, 0);
                    *score = one[0][0][0];
                }
            }
            let shift = largest(seen).max(LOWEST);
            let sum = exp_and_sum(seen, shift);
            let factor = if sum == 0.0 { 0.0 } else { 1.0 / sum };
            row.fill(0.0);
            for (key, &p) in range.zip(seen.iter()) {
                let p = if ROUND { factor * round(p) } else { factor * p };
                for (y, &v) in row.iter_mut().zip(values.row(key)) {
                    *y += p * if ROUND { round(v) } else { v };
                }
            }
            *lse = if sum == 0.0 { LOWEST } else { shift + sum.ln() };
        }
    }
}

/// `Σ a·b`, with `b` rounded to bf16, in sixteen interleaved sums.
#[inline(always)]
fn dot_rounded(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for (a, b) in a.chunks(16).zip(b.chunks(16)) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * round(b);
        }
    }
    lanes.iter().sum()
}
