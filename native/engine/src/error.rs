//! What can go wrong, as data. The binding turns [`Error::code`] into the `code` of a JavaScript error.

use crate::dtype::DType;

/// Shorthand for results of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// Every failure of the engine. Messages read `[op] what came. What is allowed. What to do.`
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A shape that does not fit.
    #[error("[{op}] {name} has shape {got:?}. Expected {expected}.")]
    Shape {
        /// The operation.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// Its shape.
        got: Vec<usize>,
        /// What would fit.
        expected: String,
    },
    /// An element type that the operation does not take.
    #[error("[{op}] {name} is {got}. Expected {expected}. Cast it first.")]
    DType {
        /// The operation.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// Its type.
        got: DType,
        /// The types that are taken.
        expected: String,
    },
    /// An option or number outside of what is allowed.
    #[error("[{op}] {name} is {got}. Expected {expected}.")]
    Option {
        /// The operation.
        op: &'static str,
        /// The option.
        name: &'static str,
        /// What came.
        got: String,
        /// What is allowed.
        expected: String,
    },
    /// Something that is well-formed but that this device or build cannot do.
    #[error("[{op}] {what}. {advice}")]
    Unsupported {
        /// The operation.
        op: &'static str,
        /// What was asked for.
        what: String,
        /// What to do instead.
        advice: String,
    },
    /// Bytes that are not what they should be.
    #[error("[{op}] {what}. {advice}")]
    Format {
        /// The operation.
        op: &'static str,
        /// What is wrong.
        what: String,
        /// What was expected.
        advice: String,
    },
    /// A handle whose tensor is gone, or that never was one.
    #[error("[{op}] {name} {state}. Keep a tensor until its last use.")]
    Disposed {
        /// The operation.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// "was disposed" or "is not a tensor (handle 7.5)".
        state: String,
    },
    /// An allocation beyond the byte limit, or one that the system refused.
    #[error(
        "[{op}] {wanted} bytes of {category} do not fit: {live} bytes are in use of {limit}. Largest owners: {owners}. Dispose tensors, take a smaller batch, or raise the limit."
    )]
    OutOfMemory {
        /// The operation.
        op: String,
        /// Bytes asked for.
        wanted: u64,
        /// Category asked for.
        category: &'static str,
        /// Bytes in use.
        live: u64,
        /// The limit, in words.
        limit: String,
        /// The largest owners, in words.
        owners: String,
    },
    /// A value that no number can be computed from.
    #[error("[{op}] {what}. {advice}")]
    Numerics {
        /// The operation.
        op: &'static str,
        /// What was met.
        what: String,
        /// What to do.
        advice: String,
    },
    /// The interrupt flag was raised while the operation ran.
    #[error("[{op}] interrupted. Nothing was kept; run it again.")]
    Interrupted {
        /// The operation.
        op: &'static str,
    },
    /// A mistake of the engine itself.
    #[error("[{op}] {what}. This is a mistake in the engine: please report it.")]
    Internal {
        /// The operation.
        op: &'static str,
        /// What happened.
        what: String,
    },
}

impl Error {
    /// The stable name that JavaScript sees.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Shape { .. } => "ShapeError",
            Error::DType { .. } => "DTypeError",
            Error::Option { .. } => "OptionError",
            Error::Unsupported { .. } => "UnsupportedError",
            Error::Format { .. } => "FormatError",
            Error::Disposed { .. } => "DisposedError",
            Error::OutOfMemory { .. } => "OutOfMemoryError",
            Error::Numerics { .. } => "NumericsError",
            Error::Interrupted { .. } => "InterruptedError",
            Error::Internal { .. } => "InternalError",
        }
    }

    /// An option outside of what is allowed.
    pub fn option(
        op: &'static str,
        name: &'static str,
        got: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Error::Option { op, name, got: got.to_string(), expected: expected.into() }
    }

    /// A shape that does not fit.
    pub fn shape(op: &'static str, name: &'static str, got: &[usize], expected: impl Into<String>) -> Self {
        Error::Shape { op, name, got: got.to_vec(), expected: expected.into() }
    }
}
