//! One pass over many parameters: all of them are cut into blocks of a fixed size, which the pool shares out. The grid
//! depends on the sizes alone, and a model of many small tensors is one dispatch.

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

/// Elements of a block: with four streams, what one task should touch.
const BLOCK: usize = 4096;

/// A parameter (or a block of one) with its gradient and its states, all of one length.
pub struct Parameter<'a, const N: usize> {
    /// The parameter.
    pub p: &'a mut [f32],
    /// Its gradient.
    pub g: &'a [f32],
    /// What the optimizer remembers of it.
    pub states: [&'a mut [f32]; N],
}

/// Calls `f` on blocks of all parameters. Nothing stops it in the middle: a step is made whole or not at all.
pub fn update<const N: usize>(
    op: &'static str,
    parameters: Vec<Parameter<'_, N>>,
    f: impl Fn(&mut Parameter<'_, N>) + Sync,
) -> Result<()> {
    let mut blocks: Vec<_> = parameters.into_iter().flat_map(cut).collect();
    pool::blocks(
        &Cancel::never(op),
        &mut blocks,
        1,
        1,
        #[inline(always)]
        |_, blocks| blocks.iter_mut().for_each(&f),
    )
}

fn cut<const N: usize>(parameter: Parameter<'_, N>) -> impl Iterator<Item = Parameter<'_, N>> {
    let Parameter { p, g, states } = parameter;
    let mut states = states.map(|state| state.chunks_mut(BLOCK));
    p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).map(move |(p, g)| Parameter {
        p,
        g,
        states: states.each_mut().map(|blocks| blocks.next().unwrap_or_default()),
    })
}
