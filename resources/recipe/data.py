"""The study's pairs, in its order and in its own tokens, as batches with pictures. Nothing is tokenised here."""

import json
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from PIL import Image, ImageOps

DATA = Path(__file__).resolve().parent / "data"


class Order:
    """Which pair is met when (`pairs`, by their line in preferences.jsonl), and what the study logs of each step of it."""

    def __init__(self, arm, seed):
        order = json.loads((DATA / f"order-{arm}-seed-{seed}.json").read_text())
        self.pairs, self.steps = order["pairs"], order["steps"]


def training_rows(order, kind):
    """A dataset with one row for each time that a pair is met; for KTO, which judges answers one by one, two."""
    with open(DATA / "preferences.jsonl", encoding="utf-8") as file:
        pairs = [json.loads(line) for line in file]
    # TRL takes a column "images" for its own processing, which would tokenise anew.
    rows = [{"pictures": pair["images"], **{key: value for key, value in pair.items() if key.endswith("_ids")}} for pair in pairs]
    if kind == "grpo":
        for row, pair in zip(rows, pairs):
            # The words are for logs alone.
            row.update(prompt=pair["prompt"][0]["content"][-1]["text"], accepted=pair["accepted"])
    if kind != "kto":
        return Dataset.from_list(rows).select(order.pairs)
    answers = [
        {
            "pictures": row["pictures"],
            "prompt_ids": row["prompt_ids"],
            "completion_ids": row[f"{which}_ids"],
            "KL_completion_ids": row.get(f"mismatched_{which}_ids"),
            "label": which == "chosen",
        }
        for row in rows
        for which in ("chosen", "rejected")
    ]
    return Dataset.from_list(answers).select([2 * pair + which for pair in order.pairs for which in (0, 1)])


class Pictures:
    """Pixels as the model's preprocessing says, of files read as the study reads them."""

    def __init__(self, processor, decoding):
        self.processor, self.decoding = processor, decoding

    def __call__(self, names):
        """(N, 3, height, width) of N names; None of none. A picture that comes several times is read once."""
        if not names:
            return None
        once = list(dict.fromkeys(names))
        pixels = self.processor(images=[self.read(DATA / name) for name in once], return_tensors="pt")["pixel_values"]
        return pixels[[once.index(name) for name in names]]

    def read(self, path):
        image = Image.open(path)
        if self.decoding["orientation"] == "apply":
            image = ImageOps.exif_transpose(image)
        if self.decoding["alpha"] != "drop" and (image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info):
            pixels = np.asarray(image.convert("RGBA")).astype(np.uint32)
            colours, alpha = pixels[..., :3], pixels[..., 3:]
            behind = 255 if self.decoding["alpha"] == "white" else 0
            image = Image.fromarray(((colours * alpha + behind * (255 - alpha)) // 255).astype(np.uint8))
        return image.convert("RGB")


def padded(rows, pad):
    """Tokens, attention and answers, each (rows, longest row), of rows of (prompt, answer); padded on the right."""
    longest = max(len(prompt) + len(answer) for prompt, answer in rows)
    fill = lambda values, filler: values + [filler] * (longest - len(values))
    return {
        "input_ids": torch.tensor([fill(prompt + answer, pad) for prompt, answer in rows]),
        "attention_mask": torch.tensor([fill([1] * (len(prompt) + len(answer)), 0) for prompt, answer in rows]),
        "completion_mask": torch.tensor([fill([0] * len(prompt) + [1] * len(answer), 0) for prompt, answer in rows]),
    }


class Collator:
    """Rows of the dataset as what a trainer takes: SFT labels, both answers of each pair (all chosen ones first), or answers
    that are judged alone, with the same prompts under other answers."""

    def __init__(self, pad, pictures, kind):
        self.pad, self.pictures, self.kind = pad, pictures, kind

    def __call__(self, rows):
        if self.kind == "kto":
            batch = padded([(row["prompt_ids"], row["completion_ids"]) for row in rows], self.pad)
            batch["label"] = torch.tensor([row["label"] for row in rows])
            if rows[0]["KL_completion_ids"] is not None:
                mismatched = padded([(row["prompt_ids"], row["KL_completion_ids"]) for row in rows], self.pad)
                batch.update({f"KL_{key}": value for key, value in mismatched.items()})
            shown = rows
        else:
            answers = ["chosen_ids"] if self.kind == "sft" else ["chosen_ids", "rejected_ids"]
            batch = padded([(row["prompt_ids"], row[answer]) for answer in answers for row in rows], self.pad)
            if self.kind == "sft":
                batch["labels"] = torch.where(batch.pop("completion_mask") == 1, batch["input_ids"], -100)
            shown = [row for _ in answers for row in rows]
        pixels = self.pictures([picture for row in shown for picture in row["pictures"]])
        return batch if pixels is None else {**batch, "pixel_values": pixels}
