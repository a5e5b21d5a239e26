//! Golden files: arrays of outside oracles, named by `[type, offset, count]` in a blob beside a JSON file.

use std::path::Path;

use serde_json::Value;

pub struct Golden {
    pub about: Value,
    blob: Vec<u8>,
}

impl Golden {
    pub fn load(name: &str) -> Golden {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/native/golden");
        let about = serde_json::from_slice(&std::fs::read(folder.join(name).with_extension("json")).unwrap()).unwrap();
        Golden { about, blob: std::fs::read(folder.join(name).with_extension("bin")).unwrap() }
    }

    pub fn u8(&self, entry: &Value) -> &[u8] {
        assert_eq!(entry[0], "u8");
        self.bytes(entry, 1)
    }

    pub fn f32(&self, entry: &Value) -> Vec<f32> {
        assert_eq!(entry[0], "f32");
        self.bytes(entry, 4).as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    pub fn cases(&self) -> &[Value] {
        self.about["cases"].as_array().unwrap()
    }

    fn bytes(&self, entry: &Value, size: usize) -> &[u8] {
        let number = |i: usize| entry[i].as_u64().unwrap() as usize;
        &self.blob[number(1)..number(1) + number(2) * size]
    }
}
