"""Trains one arm of the study that this folder was written from, with TRL and Accelerate.

    python train.py --arm dpo --seed 0 --output out/dpo-0
    accelerate launch --config_file accelerate/fsdp.yaml train.py --arm sft --seed 0 --output out/sft-0

recipe.json has every number. The effective batch, the order of the pairs, the tokens, the learning rate of each module and
the clipping are those of the study, however many devices share the work. LoRA's adapters begin as the study's do and are
merged into what is saved. What comes out (a Hugging Face folder with
trainer_state.json and run.json) goes back into the lab with `lab import-run`.
"""

import argparse
import json
import math
import os
import re
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

HERE = Path(__file__).resolve().parent
MODULES = {"visionEncoder": "vision_tower", "projector": "multi_modal_projector"}


def module_of(name):
    """The part of the model that a parameter belongs to."""
    return next((module for module, word in MODULES.items() if word in name), "languageModel")


def is_trained(name, modules):
    """Whether a parameter is trained: its module, and within it its block."""
    settings = modules[module_of(name)]
    if settings["lora"] is not None:
        return ".lora_" in name
    first, last = settings.get("firstBlock"), settings.get("lastBlock")
    if not settings["train"] or (first is None and last is None):
        return settings["train"]
    block = re.search(r"(?:^|\.)(?:layers?|blocks|h)\.(\d+)\.", name)
    return block is not None and (first or 0) <= int(block[1]) <= (math.inf if last is None else last)


def decays(name):
    """Weight decay on everything but biases and norms."""
    return not name.endswith("bias") and "norm" not in name


def training_rows(seed):
    """The pairs in the order in which the study meets them, one row for each time that one is met."""
    with open(HERE / "data" / "preferences.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    order = json.loads((HERE / "data" / f"order-seed-{seed}.json").read_text())
    fields = ("images", "prompt_ids", "chosen_ids", "rejected_ids")
    # TRL takes a column "images" for its own processing, which would tokenise anew.
    pairs = Dataset.from_list([{("pictures" if field == "images" else field): row[field] for field in fields} for row in rows])
    return pairs.select(order)


def add_adapters(model, folder):
    """Puts LoRA's adapters beside the layers that they adapt, beginning as the study's do. The reference of DPO is the base
    model read anew, and B begins as zero: adapters change nothing of it. Returns the scale of each adapted layer."""
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


class Collator:
    """Tokens that the lab made, padded on the right, and images as its preprocessing says."""

    def __init__(self, tokenizer, processor, arm):
        self.pad, self.processor, self.arm = tokenizer.pad_token_id, processor, arm

    def __call__(self, examples):
        answers = ["chosen_ids"] if self.arm == "sft" else ["chosen_ids", "rejected_ids"]
        rows = [(example["prompt_ids"], example[answer]) for answer in answers for example in examples]
        longest = max(len(prompt) + len(answer) for prompt, answer in rows)
        padded = lambda values, filler: values + [filler] * (longest - len(values))
        batch = {
            "input_ids": torch.tensor([padded(prompt + answer, self.pad) for prompt, answer in rows]),
            "attention_mask": torch.tensor([padded([1] * (len(prompt) + len(answer)), 0) for prompt, answer in rows]),
        }
        if self.arm == "sft":
            batch["labels"] = torch.tensor([padded([-100] * len(prompt) + answer, -100) for prompt, answer in rows])
        else:
            batch["completion_mask"] = torch.tensor([padded([0] * len(prompt) + [1] * len(answer), 0) for prompt, answer in rows])
        pictures = [picture for _ in answers for example in examples for picture in example["pictures"]]
        if pictures:
            images = [Image.open(HERE / "data" / picture).convert("RGB") for picture in pictures]
            batch["pixel_values"] = self.processor(images=images, return_tensors="pt")["pixel_values"]
        return batch


class Recipe:
    """What the lab does and TRL leaves open: the order is given, and each module has its own learning rate."""

    training = None
    # Of each layer with an adapter, by name.
    scales = {}

    def _get_train_sampler(self, *args, **kwargs):
        return torch.utils.data.SequentialSampler(self.train_dataset)

    def _prepare_dataset(self, dataset, *args, **kwargs):
        return dataset

    def create_optimizer(self, *args, **kwargs):
        if self.optimizer is None:
            groups = {}
            for name, parameter in self.model.named_parameters():
                if not parameter.requires_grad:
                    continue
                own = self.training["modules"][module_of(name)]["learningRate"]
                key = (self.training["learningRate"] if own is None else own, self.training["weightDecay"] if decays(name) else 0.0)
                groups.setdefault(key, []).append(parameter)
            # The trainer logs the first group's rate; the lab logs the highest.
            ordered = sorted(groups.items(), key=lambda group: -group[0][0])
            self.optimizer = torch.optim.AdamW(
                [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in ordered],
                betas=(self.training["adamBeta1"], self.training["adamBeta2"]),
                eps=self.training["adamEpsilon"],
            )
        return self.optimizer

    def _save(self, output_dir=None, state_dict=None):
        if self.scales:
            state_dict = merged(self.model.state_dict() if state_dict is None else state_dict, self.scales)
        super()._save(output_dir, state_dict=state_dict)


class SftRecipe(Recipe, SFTTrainer):
    pass


class DpoRecipe(Recipe, DPOTrainer):
    def use_conservative_loss(self, share):
        """cDPO with `share` of swapped labels. TRL's "sigmoid" does not read label_smoothing; "robust" with the rate
        -share / (1 - 2 share) is the same formula, (1 - share) * -log sigmoid(z) + share * -log sigmoid(-z), which TRL
        computes and whose configuration refuses a rate below 0."""
        self.loss_types = ["robust" if loss == "sigmoid" else loss for loss in self.loss_types]
        self.label_smoothing = -share / (1 - 2 * share)


def arguments(training, output, seed, per_device):
    """Hyper-parameters that both trainers share, for any number of devices."""
    effective = training["batchSize"] * training["gradientAccumulation"]
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    per_device = per_device or min(training["batchSize"], max(1, effective // devices))
    if effective % (per_device * devices):
        raise SystemExit(
            f"--per-device {per_device}: the study's effective batch of {effective} pairs must be a multiple of "
            f"{per_device} x {devices} devices; choose another number"
        )
    return dict(
        output_dir=str(output),
        per_device_train_batch_size=per_device,
        gradient_accumulation_steps=effective // (per_device * devices),
        max_steps=training["steps"],
        learning_rate=training["learningRate"],
        lr_scheduler_type={"cosine": "cosine", "constant": "constant_with_warmup"}[training["schedule"]],
        warmup_steps=math.ceil(training["warmupRatio"] * training["steps"]),
        weight_decay=training["weightDecay"],
        adam_beta1=training["adamBeta1"],
        adam_beta2=training["adamBeta2"],
        adam_epsilon=training["adamEpsilon"],
        max_grad_norm=training["maxGradientNorm"],
        # The other kind loses gradients behind inputs that need none, as of a frozen module under adapters.
        gradient_checkpointing_kwargs={"use_reentrant": False},
        gradient_checkpointing=any(module["gradientCheckpointing"] for module in training["modules"].values()),
        bf16=training["precision"] == "bfloat16",
        max_length=None,
        seed=seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        remove_unused_columns=False,
        report_to=[],
        dataloader_drop_last=False,
    )


def is_conservative(objective):
    return "sigmoid" in losses_of(objective) and objective["labelSmoothing"] > 0


def losses_of(objective):
    return objective["lossType"] if isinstance(objective["lossType"], list) else [objective["lossType"]]


def dpo_settings(objective):
    """The study's objective in the words of TRL's DPOConfig."""
    if objective["kind"] == "mpo":
        losses, weights = objective["lossType"], objective["lossWeights"]
    elif objective["rpoAlpha"] > 0:
        losses, weights = [objective["lossType"], "sft"], [1.0, objective["rpoAlpha"]]
    else:
        losses, weights = [objective["lossType"]], [1.0]
    return dict(
        beta=objective["beta"],
        loss_type=losses,
        loss_weights=weights,
        label_smoothing=0.0 if is_conservative(objective) else objective["labelSmoothing"],
        f_divergence_type=objective["fDivergenceType"],
        f_alpha_divergence_coef=objective["fAlphaDivergenceCoef"],
        discopop_tau=objective["discopopTau"],
        ld_alpha=None if objective["ldAlpha"] == 1 else objective["ldAlpha"],
    )


def build(arm, seed, output, per_device=None):
    """The trainer of one arm, ready to train."""
    recipe = json.loads((HERE / "recipe.json").read_text())
    training = recipe["arms"][arm]
    base = str(HERE / "model" / f"seed-{seed}")
    tokenizer = AutoTokenizer.from_pretrained(base)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    # Pillow's resampling, as the lab's: the tensor backend of the same name differs in the third digit.
    processor = AutoImageProcessor.from_pretrained(base, backend="pil")
    model = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    adapter = HERE / "adapter" / f"{arm}-seed-{seed}"
    scales = add_adapters(model, adapter) if adapter.exists() else {}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_trained(name, training["modules"]))
    shared = dict(
        model=model,
        train_dataset=training_rows(seed),
        processing_class=tokenizer,
        data_collator=Collator(tokenizer, processor, arm),
    )
    settings = arguments(training, output, seed, per_device)
    if arm == "sft":
        trainer = SftRecipe(args=SFTConfig(**settings, loss_type="nll", dataset_kwargs={"skip_prepare_dataset": True}), **shared)
    else:
        trainer = DpoRecipe(args=DPOConfig(**settings, **dpo_settings(training["objective"])), **shared)
        if is_conservative(training["objective"]):
            trainer.use_conservative_loss(training["objective"]["labelSmoothing"])
    trainer.training, trainer.scales = training, scales
    return recipe, trainer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", choices=["sft", "dpo"], required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--per-device", type=int, help="pairs a device takes at a time; accumulation makes up the rest")
    options = parser.parse_args()
    recipe, trainer = build(options.arm, options.seed, options.output, options.per_device)
    trainer.train()
    trainer.save_model(str(options.output))
    trainer.save_state()
    if trainer.is_world_process_zero():
        about = {"formatVersion": 1, "study": recipe["study"]["id"], "arm": options.arm, "seed": options.seed}
        (options.output / "run.json").write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
