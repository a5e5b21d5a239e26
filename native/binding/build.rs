//! Link settings that a Node.js addon needs.
fn main() {
    napi_build::setup();
}
