//! The table of shapes and types: every line is read as it is meant, and checking costs little.

use nibble_engine::ops::rules;
use nibble_engine::{DType, Engine};

use crate::helpers::{ids, tensor};

#[test]
fn names_are_bound_where_they_first_come() {
    let e = Engine::default();
    let (q, k) = (tensor(&e, &[6, 8], &[0.0; 48]), tensor(&e, &[4, 4], &[0.0; 16]));
    let mut args = rules::ATTENTION_FORWARD.of(&e).know([("batch", 2), ("heads", 4), ("kvHeads", 2)]).unwrap();
    args.take(q).unwrap();
    args.take(k).unwrap();
    assert_eq!(args.dims(["queries", "keys", "width"]).unwrap(), [3, 2, 2]);
    let refused = args.take(q).err().unwrap().to_string();
    assert_eq!(refused, "[attentionForward] v has shape [6, 8]. Expected [4, 4], as k.");
}

#[test]
fn what_does_not_fit_is_told_with_what_is_known() {
    let e = Engine::default();
    let x = tensor(&e, &[2, 3, 4], &[0.0; 24]);
    let mut args = rules::RMS_NORM_FORWARD.of(&e);
    args.take(x).unwrap();
    assert_eq!(args.dims(["rows", "n"]).unwrap(), [6, 4]);
    let message = args.take(ids(&e, &[1, 2, 3, 4])).err().unwrap().to_string();
    assert_eq!(message, "[rmsNormForward] weight is i32. Expected f32. Cast it first.");
    let message = args.take(ids(&e, &[1])).err().unwrap().to_string();
    assert_eq!(message, "[rmsNormForward] weight has shape [1]. Expected [4], because x is [2, 3, 4].");
    let message = rules::RMS_NORM_FORWARD.of(&e).take(tensor(&e, &[2, 0], &[])).err().unwrap().to_string();
    assert_eq!(message, "[rmsNormForward] x has shape [2, 0]. Expected [.., n > 0].");
}

#[test]
fn every_line_names_its_operation_and_types() {
    for rule in rules::ALL {
        let words: Vec<_> = rule.text.split([';', '→']).map(str::trim).collect();
        for word in words {
            let types = word.rsplit(' ').next().unwrap();
            let known = types.split('|').all(|name| name == "any" || DType::parse("rules", name).is_ok());
            assert!(known, "{}: \"{word}\" ends in no type", rule.op);
        }
    }
}
