"""Trains both arms of a recipe with TRL and compares every step with the lab's own; prints one JSON object a check."""

import json
import subprocess
import sys
from pathlib import Path

# float32 sums in another order; logged losses are rounded by the trainer of some releases.
TOLERANCES = {"loss": 1e-5, "learning_rate": 1e-6, "rewards/accuracies": 1e-6, "epoch": 1e-9, "num_tokens": 0.0}
OTHERS = 2e-4
# What a number is compared with where it is near nought.
SMALLEST = {"learning_rate": 1e-6}


def say(name, difference=None, tolerance=None, fault=None):
    print(json.dumps({"name": name, "difference": difference, "tolerance": tolerance, "fault": fault}), flush=True)


def compare_log(name, output, own, only=None):
    """Every metric that both log, at every step. @param only a few of them"""
    state = json.loads((output / "trainer_state.json").read_text())
    log = [entry for entry in state["log_history"] if "loss" in entry]
    say(f"{name}: number of steps", float(abs(len(log) - len(own))), 0.0)
    for metric in only or own[0]:
        pairs = [(float(theirs[metric]), ours[metric]) for theirs, ours in zip(log, own) if metric in theirs and metric in ours]
        if pairs:
            worst = max(abs(theirs - ours) / max(abs(ours), SMALLEST.get(metric, 1e-2)) for theirs, ours in pairs)
            say(f"{name}: {metric} at each of {len(pairs)} steps", worst, TOLERANCES.get(metric, OTHERS))


def main():
    root = Path(sys.argv[1])
    lab = json.loads((root / "lab.json").read_text())
    for arm, own in lab["arms"].items():
        output = root / "out" / arm
        command = [sys.executable, str(root / "recipe" / "train.py"), "--arm", arm, "--seed", str(lab["seed"]), "--output", str(output)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            say(f"{arm}: train.py", fault=done.stderr[-1500:])
        else:
            compare_log(arm, output, own["steps"])


if __name__ == "__main__":
    main()
