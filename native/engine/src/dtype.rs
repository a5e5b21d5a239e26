//! Element types.

use crate::error::{Error, Result};

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit float: what every computation runs in.
    F32,
    /// IEEE half precision, for storage.
    F16,
    /// bfloat16, for storage.
    BF16,
    /// 32-bit signed integer: token ids, row numbers.
    I32,
    /// 8-bit signed integer, for storage.
    I8,
    /// Bytes: packed codes.
    U8,
}

impl DType {
    /// All of them, in the order that messages print.
    pub const ALL: [DType; 6] = [DType::F32, DType::F16, DType::BF16, DType::I32, DType::I8, DType::U8];

    /// The name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::I32 => "i32",
            DType::I8 => "i8",
            DType::U8 => "u8",
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F16 | DType::BF16 => 2,
            DType::I8 | DType::U8 => 1,
        }
    }

    /// The type of this name.
    pub fn parse(op: &'static str, name: &str) -> Result<DType> {
        Self::ALL
            .into_iter()
            .find(|dtype| dtype.name() == name)
            .ok_or_else(|| Error::option(op, "dtype", format!("\"{name}\""), names()))
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

fn names() -> String {
    let names: Vec<_> = DType::ALL.iter().map(|dtype| format!("\"{dtype}\"")).collect();
    format!("one of {}", names.join(", "))
}
