"""Puts the lab's adapter over its base with PEFT, and writes one of PEFT's own for the lab; prints one JSON object a check."""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

root = Path(sys.argv[1])
paths = json.loads((root / "adapters.json").read_text())
torch.set_grad_enabled(False)
case = load_file(root / "conversation.safetensors")
inputs = {"pixel_values": case["pixel_values"], "input_ids": case["input_ids"].long(), "attention_mask": torch.ones_like(case["input_ids"]).long()}


def say(name, difference=None, tolerance=None, fault=None):
    print(json.dumps({"name": name, "difference": difference, "tolerance": tolerance, "fault": fault}), flush=True)


def base():
    return LlavaForConditionalGeneration.from_pretrained(paths["base"]).float().eval()


def apart(found, expected):
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1))


plain = base()(**inputs).logits
tuned = PeftModel.from_pretrained(base(), paths["adapter"]).eval()(**inputs).logits
say("the lab's adapter, loaded by PEFT", apart(tuned, case["logits"]), 1e-5)
# An adapter that changed nothing would agree with anything.
say("what the lab's adapter changes", 0.0 if apart(plain, case["logits"]) > 1e-2 else 1.0, 0.0)

torch.manual_seed(1)
config = LoraConfig(
    r=4,
    lora_alpha=6,
    use_rslora=True,
    target_modules=["q_proj", "v_proj", "fc2", "down_proj"],
    rank_pattern={"down_proj": 2},
    alpha_pattern={r"model\.vision_tower\..*": 3},
    modules_to_save=["multi_modal_projector"],
)
own = get_peft_model(base(), config).eval()
for name, parameter in own.named_parameters():
    if "lora_" in name or "modules_to_save" in name:
        parameter.add_(0.2 * torch.randn(parameter.shape))
save_file({"logits": own(**inputs).logits.contiguous()}, root / "written.safetensors")
say("what PEFT's adapter changes", 0.0 if apart(plain, own(**inputs).logits) > 1e-2 else 1.0, 0.0)
own.save_pretrained(paths["written"])
