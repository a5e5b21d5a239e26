//! Compute precision of matrix products.

use crate::error::{Error, Result};

/// What both operands of a matrix product are rounded to before they are multiplied; sums are f32 either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Not at all: the reference.
    #[default]
    F32,
    /// bfloat16, to nearest, ties to even (QLoRA's compute type).
    Bf16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Precision; 2] = [Precision::F32, Precision::Bf16];

    /// The name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }

    /// The precision of this name, f32 where none is given.
    pub fn parse(op: &'static str, name: Option<&str>) -> Result<Precision> {
        let Some(name) = name else { return Ok(Precision::F32) };
        Self::ALL
            .into_iter()
            .find(|precision| precision.name() == name)
            .ok_or_else(|| Error::option(op, "precision", format!("\"{name}\""), "\"f32\" or \"bf16\""))
    }
}
