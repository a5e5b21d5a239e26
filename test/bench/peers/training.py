"""Training steps of a Llama shape with PyTorch, all weights or LoRA through PEFT, optionally on a bitsandbytes NF4 base.

training.py KIND HIDDEN LAYERS INNER VOCABULARY BATCH LENGTH with KIND one of full-f32, full-bf16, lora-f32, lora-bf16,
lora-f32-nf4, lora-bf16-nf4. Prints one JSON object: tokensPerSecond (median of the steps after the first) and peakBytes
(resident). One kind a process, so that each peak is its own. Needs torch, transformers; peft for LoRA, bitsandbytes for NF4.
"""

import json
import resource
import statistics
import sys
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

STEPS = 4
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def quantize_linears(module, dtype):
    """Replaces every linear layer but the head by an NF4 one with double quantization."""
    import bitsandbytes as bnb

    for name, child in list(module.named_children()):
        if isinstance(child, torch.nn.Linear) and name != "lm_head":
            packed = bnb.nn.Linear4bit(
                child.in_features, child.out_features, bias=False, compute_dtype=dtype, quant_type="nf4"
            )
            packed.weight = bnb.nn.Params4bit(
                child.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True
            )
            packed = packed.to("cpu")
            if packed.weight.quant_state is None:
                packed.weight = packed.weight._quantize("cpu")
            setattr(module, name, packed)
        else:
            quantize_linears(child, dtype)


def with_lora(model, nf4, dtype):
    """LoRA of rank 16 on every linear layer of the blocks."""
    from peft import LoraConfig, get_peft_model

    if nf4:
        quantize_linears(model, dtype)
        model.is_loaded_in_4bit = True
    return get_peft_model(model, LoraConfig(r=16, lora_alpha=16, target_modules=LINEARS, task_type="CAUSAL_LM"))


def main(kind, *sizes):
    hidden, layers, inner, vocabulary, batch, length = map(int, sizes)
    what, precision, *base = kind.split("-")
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[precision]
    torch.manual_seed(0)
    heads = max(1, hidden // 64)
    config = LlamaConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        intermediate_size=inner,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        vocab_size=vocabulary,
        max_position_embeddings=2048,
    )
    model = LlamaForCausalLM(config).to(dtype)
    if what == "lora":
        model = with_lora(model, base == ["nf4"], dtype)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    seconds = []
    for _ in range(STEPS + 1):
        tokens = torch.randint(0, vocabulary, (batch, length))
        start = time.perf_counter()
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "tokensPerSecond": batch * length / statistics.median(seconds[1:]),
                "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
