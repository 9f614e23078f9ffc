"""Loads what exports.ts wrote with the libraries it is written for; prints one JSON object a check."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

root = Path(sys.argv[1])
torch.set_grad_enabled(False)
# Another order of summing, and rounding of the weights to two bytes in each layer.
TOLERANCES = {"float32": 1e-5, "float16": 2e-2, "bfloat16": 1.5e-1}


def say(name, difference=None, tolerance=None, fault=None):
    print(json.dumps({"name": name, "difference": difference, "tolerance": tolerance, "fault": fault}), flush=True)


def apart(found, expected):
    found, expected = torch.as_tensor(found).float(), expected.float()
    if found.shape != expected.shape:
        raise ValueError(f"shape {tuple(found.shape)}, expected {tuple(expected.shape)}")
    return float((found - expected).norm() / expected.norm())


def patches_of(pixels, size):
    """(B, C, H, W) -> (B, P, size * size * C), as Siglip2ImageProcessor orders them."""
    b, c, h, w = pixels.shape
    rows = pixels.reshape(b, c, h // size, size, w // size, size)
    return rows.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, size * size * c)


def inputs_of(encoder, pixels):
    config = encoder.config
    if config.model_type == "siglip2_vision_model":
        patches = patches_of(pixels, config.patch_size)
        sides = [pixels.shape[2] // config.patch_size, pixels.shape[3] // config.patch_size]
        return {"pixel_values": patches, "pixel_attention_mask": torch.ones(patches.shape[:2], dtype=torch.long), "spatial_shapes": torch.tensor([sides])}
    if config.model_type == "vit_mae":
        # Nothing is masked, and nothing shuffled.
        config.mask_ratio = encoder.embeddings.config.mask_ratio = 0.0
        count = (pixels.shape[2] // config.patch_size) * (pixels.shape[3] // config.patch_size)
        return {"pixel_values": pixels, "noise": torch.arange(count).float()[None]}
    return {"pixel_values": pixels}


def check_hf(export, expected):
    from transformers import AutoImageProcessor, AutoModel

    folder = export["folder"]
    processor = AutoImageProcessor.from_pretrained(folder)
    encoder = AutoModel.from_pretrained(folder).eval()
    if str(encoder.dtype) != f"torch.{export['dtype']}":
        raise ValueError(f"loaded as {encoder.dtype}")
    own = load_file(root / f"{export['family']}-weights.safetensors")
    # In memory transformers 5 has other names than in files.
    with TemporaryDirectory() as again:
        encoder.save_pretrained(again)
        found = load_file(f"{again}/model.safetensors")
    lost = [name for name in own if name not in found]
    if lost:
        raise ValueError(f"AutoModel has no {lost[:3]}")
    kind = getattr(torch, export["dtype"])
    yield "weights in AutoModel, bit by bit", float(sum(not torch.equal(found[name], tensor.to(kind)) for name, tensor in own.items())), 0
    pixels = processor(images=Image.open(root / "image.png"), return_tensors="pt")["pixel_values"]
    shown = patches_of(expected["pixel_values"], encoder.config.patch_size) if pixels.ndim == 3 else expected["pixel_values"]
    yield "pixels of AutoImageProcessor", apart(pixels, shown), 1e-2
    encoder = encoder.float()
    hidden = encoder(**inputs_of(encoder, expected["pixel_values"]), output_hidden_states=True).hidden_states[-1]
    yield "hidden_states[-1] of AutoModel", apart(hidden, expected["hidden"]), TOLERANCES[export["dtype"]]
    if export["projectorLayers"]:
        import torch.nn.functional as F

        p = {name: tensor.float() for name, tensor in load_file(f"{folder}/projector.safetensors").items()}
        x = F.gelu(F.linear(hidden[:, -expected["features"].shape[1] :], p["linear_1.weight"], p.get("linear_1.bias")))
        x = F.linear(x, p["linear_2.weight"], p.get("linear_2.bias"))
        yield "projector.safetensors", apart(x, expected["projected"]), TOLERANCES[export["dtype"]]


def check_whole(export, expected):
    from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

    folder = export["folder"]
    model, info = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)
    loose = [name for key in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in info[key]]
    if [name for name in loose if "lm_head" not in name]:
        raise ValueError(f"keys that do not fit: {loose[:5]}")
    AutoImageProcessor.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = model.float().model.get_image_features(expected["pixel_values"])
    tokens = getattr(tokens, "pooler_output", tokens)
    tokens = torch.cat(list(tokens)) if isinstance(tokens, (tuple, list)) else tokens
    yield "image tokens of the whole model", apart(tokens.reshape(expected["projected"].shape), expected["projected"]), TOLERANCES[export["dtype"]]
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "<image>\nWhat colour is it?"}], tokenize=False, add_generation_prompt=True)
    yield ("chat template", None, None) if "What colour" in prompt else ("chat template", 1.0, 0.0)


def check_timm(export, expected):
    import timm

    encoder = timm.create_model(f"local-dir:{export['folder']}", pretrained=True).eval().float()
    states = encoder.forward_intermediates(
        expected["pixel_values"], indices=1, norm=False, return_prefix_tokens=True, output_fmt="NLC", intermediates_only=True
    )[-1]
    if isinstance(states, (tuple, list)):
        patches, prefix = states
        states = torch.cat([prefix, patches], 1) if prefix is not None and prefix.shape[1] else patches
    yield "forward_intermediates of timm", apart(states, expected["hidden"]), TOLERANCES[export["dtype"]]
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(encoder))
    yield "pixels of timm's transform", apart(transform(Image.open(root / "image.png"))[None], expected["pixel_values"]), 5e-2


def check_open_clip(export, expected):
    import open_clip

    config = json.loads((Path(export["folder"]) / "open_clip_config.json").read_text())["model_cfg"]
    tower = open_clip.model._build_vision_tower(**config).eval()
    weights = load_file(f"{export['folder']}/open_clip_model.safetensors")
    tower.load_state_dict({name.removeprefix("visual."): tensor.float() for name, tensor in weights.items()})
    states = []
    tower.transformer.register_forward_hook(lambda module, inputs, output: states.append(output))
    tower(expected["pixel_values"])
    yield "transformer of open_clip", apart(states[0], expected["hidden"]), TOLERANCES[export["dtype"]]


def check_onnx(export, expected):
    import onnx

    path = f"{export['folder']}/model.onnx"
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    names = {tensor.name for tensor in model.graph.initializer}
    if not any("layer" in name for name in names) or "preprocessor_config" not in {prop.key for prop in model.metadata_props}:
        raise ValueError("no weights by name, or no preprocessing")
    yield "checker of onnx", None, None
    if find_spec("onnxruntime") is None:
        return
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    pixels = np.repeat(expected["pixel_values"].numpy(), 3, 0)
    for output in session.get_outputs():
        found = session.run([output.name], {"pixel_values": pixels})[0]
        for row in found:
            difference = apart(row[None], expected[output.name])
        yield f"{output.name} of onnxruntime", difference, TOLERANCES[export["dtype"]]


CHECKS = {"hf": check_hf, "timm": check_timm, "open_clip": check_open_clip, "onnx": check_onnx}
NEEDS = {"hf": "PIL", "timm": "timm", "open_clip": "open_clip", "onnx": "onnx"}
for export in json.loads((root / "exports.json").read_text()):
    whole = export["part"] == "multimodal-lm"
    name = f"{export['family']} {export['format']} {export['dtype']}" + (" whole" if whole else "") + (" with projector" if export["projectorLayers"] else "")
    if find_spec(NEEDS[export["format"]]) is None:
        continue
    expected = load_file(root / f"{export['family']}.safetensors")
    try:
        for what, difference, tolerance in (check_whole if whole else CHECKS[export["format"]])(export, expected):
            say(f"{name}: {what}", difference, tolerance)
    except Exception as fault:
        say(name, fault=f"{type(fault).__name__}: {str(fault)[:400]}")
