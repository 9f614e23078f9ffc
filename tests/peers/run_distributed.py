"""Launches a recipe's arms on two processes of this machine's processor and compares every step with the lab's
own; prints one JSON object a check.

Accelerate shares a model out (FSDP, DeepSpeed) on cards alone: `as_cards` has it take processes that talk by gloo for cards, and all that
follows is its own code and PyTorch's."""

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

from run_recipe import compare_log, say

FEW = ["loss", "learning_rate", "grad_norm", "rewards/margins", "epoch", "num_tokens"]


def as_cards(script, arguments):
    import torch
    from accelerate import state

    state.PartialState._prepare_backend = lambda *_, **__: ("gloo", state.DistributedType.MULTI_GPU)
    state.PartialState.set_device = lambda self: setattr(self, "device", torch.device("cpu"))
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")


def main():
    root = Path(sys.argv[1])
    lab = json.loads((root / "lab.json").read_text())
    ran = []
    for launch in lab["launches"]:
        title, by, recipe = launch["title"], launch["by"], Path(launch["recipe"])
        if by == "deepspeed" and importlib.util.find_spec("deepspeed") is None:
            print(f"{title}: not run, there is no deepspeed", file=sys.stderr)
            continue
        script = [str(recipe / "train.py"), "--arm", launch["arm"], "--seed", str(lab["seed"]), "--output", launch["output"]]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
        if by == "ddp":
            environment["ACCELERATE_USE_CPU"] = "true"
            command = ["torch.distributed.run", "--nproc_per_node", "2", *script]
        else:
            config = recipe / "accelerate" / f"{by}.yaml"
            command = ["accelerate.commands.launch", "--config_file", str(config), "--num_processes", "2", __file__, "--as-cards", *script]
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, env=environment, timeout=900)
        if done.returncode != 0:
            say(title, fault=done.stderr[-2500:])
            continue
        ran.append(title)
        processes = json.loads((Path(launch["output"]) / "run.json").read_text())["processes"]
        say(f"{title}: processes", float(abs(processes - 2)), 0.0)
        if launch["steps"] is None:
            log = [entry for entry in json.loads((Path(launch["output"]) / "trainer_state.json").read_text())["log_history"] if "reward" in entry]
            say(f"{title}: a reward at every step", float(sum(not 0 <= entry["reward"] <= 1 for entry in log) + abs(len(log) - 4)), 0.0)
        else:
            compare_log(title, Path(launch["output"]), launch["steps"], FEW)
    (root / "ran.json").write_text(json.dumps(ran))


if sys.argv[1] == "--as-cards":
    as_cards(sys.argv[2], sys.argv[3:])
elif __name__ == "__main__":
    main()
