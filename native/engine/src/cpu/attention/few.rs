//! A few queries, as while text is generated: keys and values are read once, where they are.

use super::forward::{LOWEST, Task};
use super::mask::View;
use super::{QUERIES, Row};
use crate::cpu::exp::{dot, exp_and_sum, largest};

/// All queries of a task.
#[inline(always)]
pub(super) fn forward(task: &Task<'_>, rows: &mut [&mut [f32]], lse: &mut [f32]) {
    let (s, group) = (task.s, task.s.group());
    let (keys, values) = (s.key_head(task.k, task.batch, task.kv), s.key_head(task.v, task.batch, task.kv));
    let mut scores: Vec<f32> = vec![0.0; s.keys];
    for (i, row) in rows.iter_mut().enumerate() {
        let (query, head) = (i / group, task.kv * group + i % group);
        let q = s.query_head(task.q, task.batch, head).row(query);
        let view = View::new(s, task.bias, task.batch, head, query, 1);
        let range = view.range();
        let seen = &mut scores[range.clone()];
        for (key, score) in range.clone().zip(seen.iter_mut()) {
            *score = s.scale * dot(q, keys.row(key));
            if !view.is_plain() {
                let mut one: [Row; 1] = [[*score; QUERIES]];
                view.finish(key, &mut one);
                *score = one[0][0];
            }
        }
        let shift = largest(seen).max(LOWEST);
        let sum = exp_and_sum(seen, shift);
        let factor = if sum == 0.0 { 0.0 } else { 1.0 / sum };
        row.fill(0.0);
        for (key, &p) in range.zip(seen.iter()) {
            for (y, &v) in row.iter_mut().zip(values.row(key)) {
                *y += factor * p * v;
            }
        }
        lse[i % group * s.queries + query] = if sum == 0.0 { LOWEST } else { shift + sum.ln() };
    }
}
