"""TRL's trainers, each with the little that the study does otherwise or that TRL lacks: the order is given, each module has its
own learning rate, and the trainers that read text alone look at pictures too."""

import math
import re

import torch
from trl import DPOTrainer, GRPOTrainer, KTOTrainer, SFTTrainer
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer
from trl.trainer.utils import entropy_from_logits, selective_log_softmax, split_tensor_dict

from lora import merged

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


class Recipe:
    """What all arms share. `follow` is called before training."""

    def follow(self, training, order, scales):
        """@param scales of each layer with an adapter, by name"""
        self.training, self.order, self.scales = training, order, scales

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

    def log(self, logs, *args, **kwargs):
        super().log(logs, *args, **kwargs)
        entry = self.state.log_history[-1]
        if "loss" in entry:
            # The trainer's own epoch is the share of the run; the study counts passes over its pairs.
            entry.update(self.order.steps[entry["step"] - 1])

    def _save(self, output_dir=None, state_dict=None):
        if self.scales:
            state_dict = merged(self.model.state_dict() if state_dict is None else state_dict, self.scales)
        super()._save(output_dir, state_dict=state_dict)


class SftRecipe(Recipe, SFTTrainer):
    pass


class DpoRecipe(Recipe, DPOTrainer):
    pass


class KtoRecipe(Recipe, KTOTrainer):
    pass


class Compared(Recipe):
    """For CPO and ORPO, whose trainers read text alone and tokenise it: one forward pass over both answers and their picture.
    The loss of log-probabilities is TRL's. Its mean negative log-likelihood is of the chosen answer's tokens, as in both papers;
    TRL's ORPO counts the prompt's tokens too."""

    def tokenize_row(self, row, *args, **kwargs):
        return row

    def concatenated_forward(self, model, batch):
        inputs = {name: values for name, values in batch.items() if name != "completion_mask"}
        logits = model(**inputs, use_cache=False).logits[:, :-1]
        ids, mask = batch["input_ids"][:, 1:], batch["completion_mask"][:, 1:]
        log_probs = selective_log_softmax(logits, ids) * mask
        compared = log_probs.sum(-1) / mask.sum(-1) if self.compares_means() else log_probs.sum(-1)
        pairs = len(ids) // 2
        chosen, rejected = logits[:pairs][mask[:pairs] == 1], logits[pairs:][mask[pairs:] == 1]
        with torch.no_grad():
            right = (chosen.argmax(-1) == ids[:pairs][mask[:pairs] == 1]).float().mean()
            entropy = entropy_from_logits(torch.cat([chosen, rejected])).mean()
            gather = lambda value: self.accelerator.gather_for_metrics(value).mean().item()
            self.store_metrics({"mean_token_accuracy": gather(right), "entropy": gather(entropy)})
        nll = -log_probs[:pairs].sum() / mask[:pairs].sum()
        return compared[:pairs], compared[pairs:], chosen, rejected, nll


class CpoRecipe(Compared, CPOTrainer):
    def compares_means(self):
        return self.loss_type in ("ipo", "simpo")


class OrpoRecipe(Compared, ORPOTrainer):
    def compares_means(self):
        return True


class GrpoRecipe(Recipe, GRPOTrainer):
    """Prompts are the study's tokens and pictures. Answers keep their prompts' order within a device."""

    # TRL's own gives every prompt as often as it has answers, in the order of the dataset.
    _get_train_sampler = GRPOTrainer._get_train_sampler
    pictures = None
    # The trainer counts the tokens of a draw once, the study at every update that learns from it.
    tokens_of_draw = tokens_met = 0

    def _prepare_inputs(self, rows):
        parts = self.args.steps_per_generation
        if self._step % (parts * self.num_iterations) == 0 or self._buffered_inputs is None:
            self._rows = rows
            self._look_at(rows)
            before = self.state.num_input_tokens_seen
            self._buffered_inputs = split_tensor_dict(self._generate_and_score_completions(rows), parts)
            self.tokens_of_draw = self.state.num_input_tokens_seen - before
        part, size = self._step % parts, len(self._rows) // parts
        self._look_at(self._rows[part * size : (part + 1) * size])
        return self._buffered_inputs[part]

    def _look_at(self, rows):
        pixels = self.pictures([picture for row in rows for picture in row["pictures"]])
        self._pixels = {} if pixels is None else {"pixel_values": pixels.to(self.accelerator.device)}
        self._num_pictures = [len(row["pictures"]) for row in rows]

    def _tokenize_prompts(self, prompts):
        return [row["prompt_ids"] for row in self._rows], None, self._pixels

    def _get_per_token_logps_and_entropies(self, *args, pixel_values=None, num_images=None, **kwargs):
        looking = {**self._pixels, "num_images": self._num_pictures} if self._pixels else {}
        return super()._get_per_token_logps_and_entropies(*args, **looking, **kwargs)

    def log(self, logs, *args, **kwargs):
        super().log(logs, *args, **kwargs)
        entry = self.state.log_history[-1]
        if "loss" in entry:
            self.tokens_met += self.tokens_of_draw
            entry["num_tokens"] = self.tokens_met
