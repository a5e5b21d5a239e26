//! The thread pool, and loops over it whose grid does not depend on the number of threads: results are the same bits
//! for one thread and for many. Sums across blocks are made in order by the caller, never by rayon.
//!
//! Tasks are compiled once for each instruction set: closures that say `#[inline(always)]` get its vectors.

use std::sync::LazyLock;

use rayon::prelude::*;

use crate::cancel::Cancel;
use crate::cpu::simd;
use crate::error::Result;

/// Elements that one task should touch, so that handing it out costs little beside it.
const GRAIN: usize = 16 << 10;

static POOL: LazyLock<Option<rayon::ThreadPool>> = LazyLock::new(|| {
    rayon::ThreadPoolBuilder::new()
        .num_threads(wanted_threads())
        .thread_name(|n| format!("nibble-lab-{n}"))
        .build()
        .ok()
});

fn wanted_threads() -> usize {
    let available = std::thread::available_parallelism().map_or(1, |n| n.get());
    let wanted = std::env::var("NIBBLE_LAB_THREADS").ok().and_then(|text| text.parse().ok());
    wanted.filter(|n| (1..=1024).contains(n)).unwrap_or(available)
}

/// Number of threads that compute.
pub fn threads() -> usize {
    run(rayon::current_num_threads)
}

/// Runs `f` on the pool (in place where it already runs there).
pub fn run<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() {
        return f();
    }
    match POOL.as_ref() {
        Some(pool) => pool.install(f),
        None => f(),
    }
}

/// Rows of `width` elements that make up one task.
pub fn rows_per_task(width: usize) -> usize {
    (GRAIN / width.max(1)).max(1)
}

/// Calls `f(first_row, rows)` for every block of rows of `out`.
pub fn rows<T: Send>(cancel: &Cancel, out: &mut [T], width: usize, f: impl Fn(usize, &mut [T]) + Sync) -> Result<()> {
    blocks(cancel, out, width.max(1), rows_per_task(width), f)
}

/// Calls `f(first_row, rows)` for every `per_task` rows of `out`.
pub fn blocks<T: Send>(
    cancel: &Cancel,
    out: &mut [T],
    width: usize,
    per_task: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) -> Result<()> {
    let (size, level) = (width * per_task, simd::level());
    cancel.check()?;
    if out.is_empty() {
        return Ok(());
    }
    cancel.expect(out.len().div_ceil(size));
    if out.len() <= size {
        fearless_simd::dispatch!(level, _simd => f(0, out));
        cancel.advance();
        return Ok(());
    }
    run(|| {
        out.par_chunks_mut(size).enumerate().try_for_each(|(n, chunk)| {
            cancel.check()?;
            fearless_simd::dispatch!(level, _simd => f(n * per_task, chunk));
            cancel.advance();
            Ok(())
        })
    })
}

/// [`blocks`] over two outputs with the same number of rows and their own widths.
pub fn blocks2<A: Send, B: Send>(
    cancel: &Cancel,
    (a, a_width): (&mut [A], usize),
    (b, b_width): (&mut [B], usize),
    per_task: usize,
    f: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) -> Result<()> {
    parts2(
        cancel,
        (a, a_width.max(1) * per_task),
        (b, b_width.max(1) * per_task),
        #[inline(always)]
        |n, a, b| f(n * per_task, a, b),
    )
}

/// [`blocks`] over three outputs.
pub fn blocks3<A: Send, B: Send, C: Send>(
    cancel: &Cancel,
    (a, a_width): (&mut [A], usize),
    (b, b_width): (&mut [B], usize),
    (c, c_width): (&mut [C], usize),
    per_task: usize,
    f: impl Fn(usize, &mut [A], &mut [B], &mut [C]) + Sync,
) -> Result<()> {
    let parts = |width: usize| width.max(1) * per_task;
    let mut both: Vec<_> = b.chunks_mut(parts(b_width)).zip(c.chunks_mut(parts(c_width))).collect();
    parts2(
        cancel,
        (a, parts(a_width)),
        (&mut both, 1),
        #[inline(always)]
        |n, a, both| {
            if let [(b, c)] = both {
                f(n * per_task, a, b, c);
            }
        },
    )
}

/// Calls `f(n, part of a, part of b)` for every `a_size` elements of `a` and `b_size` of `b`.
pub fn parts2<A: Send, B: Send>(
    cancel: &Cancel,
    (a, a_size): (&mut [A], usize),
    (b, b_size): (&mut [B], usize),
    f: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) -> Result<()> {
    let level = simd::level();
    cancel.check()?;
    if a.is_empty() && b.is_empty() {
        return Ok(());
    }
    if a.len() <= a_size && b.len() <= b_size {
        fearless_simd::dispatch!(level, _simd => f(0, a, b));
        return Ok(());
    }
    run(|| {
        a.par_chunks_mut(a_size).zip(b.par_chunks_mut(b_size)).enumerate().try_for_each(|(n, (a, b))| {
            cancel.check()?;
            fearless_simd::dispatch!(level, _simd => f(n, a, b));
            Ok(())
        })
    })
}

/// `f(0), f(1), …, f(count − 1)`, in order.
pub fn map<T: Send>(cancel: &Cancel, count: usize, f: impl Fn(usize) -> T + Sync) -> Result<Vec<T>> {
    let level = simd::level();
    cancel.check()?;
    run(|| {
        (0..count)
            .into_par_iter()
            .map(|n| {
                cancel.check()?;
                Ok(fearless_simd::dispatch!(level, _simd => f(n)))
            })
            .collect()
    })
}
