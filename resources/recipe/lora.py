"""LoRA's adapters, which begin as the study's do and are merged into what is saved."""

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file


def add_adapters(model, folder):
    """Puts the adapters beside the layers that they adapt. The reference of DPO is the base model read anew, and B begins as
    zero: adapters change nothing of it. Returns the scale of each adapted layer."""
    # Releases of transformers differ in whether the vision tower's layers stand one level deeper.
    plain = lambda name: name.replace("vision_tower.vision_model.", "vision_tower.")
    layers = {plain(name): name for name, _ in model.named_modules()}
    config = LoraConfig.from_pretrained(str(folder))
    config.target_modules = {layers[name] for name in map(plain, config.target_modules)}
    inject_adapter_in_model(config, model)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in load_file(folder / "adapter_model.safetensors").items():
            layer, factor = name.removeprefix("base_model.model.").removesuffix(".weight").rsplit(".", 1)
            parameters[f"{layers[plain(layer)]}.{factor}.default.weight"].copy_(tensor)
    return {name: layer.scaling["default"] for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}


def merged(state, scales):
    """The weights under the base model's names, W + s B A for each adapted layer."""
    weights = {}
    for name, tensor in state.items():
        layer, is_adapted, own = name.partition(".base_layer.")
        if is_adapted and own == "weight":
            A, B = (state[f"{layer}.lora_{factor}.default.weight"] for factor in "AB")
            tensor = tensor + scales[layer] * (B @ A)
        if ".lora_" not in name:
            weights[f"{layer}.{own}" if is_adapted else name] = tensor
    return weights
