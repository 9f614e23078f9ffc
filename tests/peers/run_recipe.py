"""Trains both arms of a recipe with TRL and compares every step with the lab's own; prints one JSON object a check."""

import json
import subprocess
import sys
from pathlib import Path

root = Path(sys.argv[1])
lab = json.loads((root / "lab.json").read_text())
# float32 sums in another order; logged losses are rounded by the trainer of some releases.
METRICS = {"loss": 1e-5, "grad_norm": 1e-4, "learning_rate": 1e-6, "rewards/margins": 1e-4, "rewards/accuracies": 0.0}


def say(name, difference=None, tolerance=None, fault=None):
    print(json.dumps({"name": name, "difference": difference, "tolerance": tolerance, "fault": fault}), flush=True)


for arm, own in lab["arms"].items():
    output = root / "out" / arm
    command = [sys.executable, str(root / "recipe" / "train.py"), "--arm", arm, "--seed", str(lab["seed"]), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        say(f"{arm}: train.py", fault=done.stderr[-1500:])
        continue
    state = json.loads((output / "trainer_state.json").read_text())
    log = [entry for entry in state["log_history"] if "loss" in entry]
    say(f"{arm}: number of steps", float(abs(len(log) - len(own["steps"]))), 0.0)
    for metric, tolerance in METRICS.items():
        pairs = [(float(theirs[metric]), ours[metric]) for theirs, ours in zip(log, own["steps"]) if metric in theirs and metric in ours]
        if pairs:
            worst = max(abs(theirs - ours) / max(abs(ours), 1e-2 if metric != "learning_rate" else 1e-6) for theirs, ours in pairs)
            say(f"{arm}: {metric} at each of {len(pairs)} steps", worst, tolerance)
