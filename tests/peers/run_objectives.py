"""Trains the second arm of a recipe with each objective, all in one process, and compares every step with the lab's own; and the
rewards of answers. Prints one JSON object a check."""

import json
import sys
import traceback
from pathlib import Path

from run_recipe import compare_log, say

root = Path(sys.argv[1])
lab = json.loads((root / "lab.json").read_text())
sys.path.insert(0, str(root / lab["cases"][0]["name"] / "recipe"))

import data  # noqa: E402
import rewards  # noqa: E402
import train  # noqa: E402
import trainers  # noqa: E402

for case in lab["cases"]:
    name = case["name"]
    train.HERE = root / name / "recipe"
    data.DATA = train.HERE / "data"
    drawn = iter(case["drawn"])
    # TRL learns from the answers that the lab drew: two generators of random numbers never draw the same.
    trainers.GrpoRecipe._generate_single_turn = lambda *_, **__: (next(drawn), None)
    try:
        train.run("dpo", lab["seed"], root / name / "out")
        compare_log(name, root / name / "out", case["steps"])
    except (Exception, SystemExit):
        say(name, fault=traceback.format_exc()[-1500:])

for rule, table in lab["rewards"].items():
    reward = rewards.reward_of({"reward": rule, "numberTolerance": lab["numberTolerance"]})
    found = reward([answer for answer, _, _ in table], [accepted for _, accepted, _ in table])
    worst = max(abs(ours - theirs) for (_, _, ours), theirs in zip(table, found))
    say(f"reward {rule} of {len(table)} answers", worst, 1e-12)

pictures = data.Pictures(None, None)
for decoding in lab["pictures"]:
    pictures.decoding = decoding["decoding"]
    pixels = list(pictures.read(root / decoding["file"]).tobytes())
    apart = 255 if len(pixels) != len(decoding["pixels"]) else max(abs(a - b) for a, b in zip(pixels, decoding["pixels"]))
    say(f"pixels of {decoding['file']} read as {decoding['decoding']}", float(apart), decoding["levels"])
