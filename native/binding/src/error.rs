//! The only maker of JavaScript errors.

use nibble_engine::Error;

/// The engine's error code, which becomes the `code` of the JavaScript error.
pub struct Code(&'static str);

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

/// What exports return.
pub type Result<T> = std::result::Result<T, napi::Error<Code>>;

/// Turns the engine's result into an export's.
pub trait OrThrow<T> {
    /// The value, or the error that JavaScript sees.
    fn or_throw(self) -> Result<T>;
}

impl<T> OrThrow<T> for nibble_engine::Result<T> {
    fn or_throw(self) -> Result<T> {
        self.map_err(|error: Error| napi::Error::new(Code(error.code()), error.to_string()))
    }
}

/// What an asynchronous export's promise is rejected with: an error with the engine's code.
pub(crate) fn rejection(env: &napi::Env, error: &Error) -> napi::Result<napi::Error> {
    let status = napi::Error::new(Code(error.code()), error.to_string());
    let value = napi::JsError::from(status).into_unknown(*env);
    Ok(napi::Error::from(value))
}
