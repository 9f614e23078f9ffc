"""Trains one arm of the study that this folder was written from, with TRL and Accelerate.

    python train.py --arm dpo --seed 0 --output out/dpo-0
    accelerate launch --config_file accelerate/fsdp.yaml train.py --arm sft --seed 0 --output out/sft-0
    ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 train.py --arm sft --seed 0 --output out/sft-0

recipe.json has every number. The effective batch, the order of the pairs, the tokens, the learning rate of each module and
the clipping are those of the study, however many devices share the work. LoRA's adapters begin as the study's do and are
merged into what is saved. What comes out (a Hugging Face folder with
trainer_state.json and run.json) goes back into the lab with `lab import-run`.
"""

import argparse
import json
import math
import os
from pathlib import Path

import torch
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
from trl.trainer.utils import disable_dropout_in_model

from data import Collator, Order, Pictures, training_rows
from devices import pairs_per_device
from lora import add_adapters
from objectives import trainer_of
from rewards import reward_of
from trainers import is_trained

HERE = Path(__file__).resolve().parent
# How many of TRL's rows a pair is; GRPO's prompts have as many as they are answered.
ROWS = {"kto": lambda objective: 2, "grpo": lambda objective: objective["numGenerations"]}


def arguments(training, output, seed, per_device):
    """Hyper-parameters that all trainers share, for any number of devices."""
    pairs, accumulation = pairs_per_device(training, int(os.environ.get("WORLD_SIZE", "1")), per_device)
    objective = training["objective"]
    return dict(
        output_dir=str(output),
        per_device_train_batch_size=pairs * ROWS.get(objective["kind"], lambda _: 1)(objective),
        gradient_accumulation_steps=accumulation,
        max_steps=training["steps"],
        learning_rate=training["learningRate"],
        lr_scheduler_type={"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}[training["schedule"]],
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
        seed=seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        remove_unused_columns=False,
        report_to=[],
        dataloader_drop_last=False,
    )


def build(arm, seed, output, per_device=None):
    """The trainer of one arm, ready to train."""
    recipe = json.loads((HERE / "recipe.json").read_text())
    training = recipe["arms"][arm]
    objective = training["objective"]
    # A card would round the factors of products to ten bits.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    base = str(HERE / "model" / f"seed-{seed}")
    tokenizer = AutoTokenizer.from_pretrained(base)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    # Pillow's resampling, as the lab's: the tensor backend of the same name differs in the third digit.
    pictures = Pictures(AutoImageProcessor.from_pretrained(base, backend="pil"), recipe["images"])
    model = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    disable_dropout_in_model(model)
    # FSDP asks for every one of them, also for parts that this model was cut off from.
    there = {type(part).__name__ for part in model.modules()}
    model._no_split_modules = [name for name in model._no_split_modules if name in there]
    adapter = HERE / "adapter" / f"{arm}-seed-{seed}"
    scales = add_adapters(model, adapter) if adapter.exists() else {}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_trained(name, training["modules"]))
    order = Order(arm, seed)
    trainer_class, config_class, settings = trainer_of(objective)
    shared = dict(
        model=model,
        args=config_class(**arguments(training, output, seed, per_device), **settings),
        train_dataset=training_rows(order, objective["kind"]),
        processing_class=tokenizer,
    )
    if objective["kind"] == "grpo":
        trainer = trainer_class(reward_funcs=reward_of(objective), **shared)
        trainer.pictures = pictures
    else:
        trainer = trainer_class(data_collator=Collator(tokenizer.pad_token_id, pictures, objective["kind"]), **shared)
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    if trainer.accelerator.num_processes != devices:
        raise SystemExit(
            f"{devices} processes were started and each would train alone, on a share of the batch: Accelerate joined {trainer.accelerator.num_processes}. "
            "Its configuration does not fit this machine (without cards: ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 train.py …)"
        )
    trainer.follow(training, order, scales)
    return recipe, trainer


def run(arm, seed, output, per_device=None):
    """Trains, and leaves weights, log and run.json in `output`."""
    recipe, trainer = build(arm, seed, output, per_device)
    trainer.train()
    trainer.save_model(str(output))
    trainer.save_state()
    if trainer.is_world_process_zero():
        about = {"formatVersion": 1, "study": recipe["study"]["id"], "arm": arm, "seed": seed, "processes": trainer.accelerator.num_processes}
        (output / "run.json").write_text(json.dumps(about, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", choices=["sft", "dpo"], required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--per-device", type=int, help="pairs (for GRPO prompts) that a device takes at a time; accumulation makes up the rest")
    options = parser.parse_args()
    run(options.arm, options.seed, options.output, options.per_device)


if __name__ == "__main__":
    main()
