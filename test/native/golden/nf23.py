"""Makes nf23.json: NF2 weights as LoftQ's quantizer in peft 0.13.2 (the last line of versions that has it) writes them, and the
levels of NF2 and NF3 by its recipe.

    python -m venv venv && venv/bin/pip install torch scipy peft==0.13.2
    venv/bin/python test/native/golden/nf23.py

A case holds f32 weights, codes (four a byte, the first in the lowest bits), the largest magnitude of each block, and the dequantized weights.
peft packs no three-bit codes, so NF3 has its levels only.
"""
import json
import pathlib

import torch
from peft.utils.loftq_utils import NFQuantizer

generator = torch.Generator().manual_seed(23)


def case(name, weights, block):
    quantizer = NFQuantizer(num_bits=2, device="cpu", method="normal", block_size=block)
    codes, largest, shape = quantizer.quantize_block(weights)
    return {
        "name": name,
        "shape": list(shape),
        "block": block,
        "weights": weights.flatten().tolist(),
        "codes": codes.flatten().tolist(),
        "scales": largest.flatten().tolist(),
        "dequantized": quantizer.dequantize_block(codes, largest, shape).flatten().tolist(),
    }


heavy = torch.randn(4, 64, generator=generator) ** 3
one_sided = torch.rand(2, 64, generator=generator) + 0.1
cases = [
    case("normal", torch.randn(6, 32, generator=generator) * 0.02, 64),
    case("heavy tails, blocks of 32", heavy, 32),
    case("one sign", one_sided, 128),
]
levels = {f"nf{bits}": NFQuantizer.create_normal_map(num_bits=bits).tolist() for bits in (2, 3)}
target = pathlib.Path(__file__).with_suffix(".json")
target.write_text(json.dumps({"levels": levels, "cases": cases}, separators=(",", ":")) + "\n")
