"""How many pairs a device takes at a time, so that the loss is the study's whatever the number of devices."""


def parts_of(objective):
    """The losses that DPO or MPO is a weighted sum of, as (name, weight)."""
    if objective["kind"] == "mpo":
        return list(zip(objective["lossType"], objective["lossWeights"]))
    return [(objective["lossType"], 1.0), ("sft", objective["rpoAlpha"])]


def looks_across(objective):
    """What of a loss is a matter of all pairs of one of the study's forward passes; None: each pair counts for itself."""
    kind = objective["kind"]
    if kind == "kto" and objective["lossType"] == "kto":
        return "the drift from the reference"
    losses = [loss for loss, weight in parts_of(objective) if weight > 0] if kind in ("dpo", "mpo") else []
    if "aot" in losses or "aot_unpaired" in losses:
        return "the order of the pairs by log-ratio"
    if "sft" in losses or kind == "orpo" or objective.get("cpoAlpha", 0) > 0:
        return "the mean over the chosen answers' tokens"
    return None


def pairs_per_device(training, devices, asked=None):
    """How many pairs (for GRPO prompts) a device takes at a time, and how often before an update. The product with the number
    of devices is the study's effective batch, and the loss is the study's.

    @raises SystemExit naming the numbers of processes that are possible
    """
    batch, objective = training["batchSize"], training["objective"]
    effective = batch * training["gradientAccumulation"]
    across = looks_across(objective)
    if across is None:
        possible = [n for n in range(1, batch + 1) if effective % (n * devices) == 0]
        counts = [n for n in range(1, effective + 1) if effective % n == 0]
    elif objective["kind"] == "kto":
        # TRL takes the mean of the drift over the devices.
        possible = [batch // devices] if batch % devices == 0 else []
        counts = [n for n in range(1, batch + 1) if batch % n == 0]
    else:
        possible = [batch] if effective % (batch * devices) == 0 else []
        counts = [n for n in range(1, effective // batch + 1) if (effective // batch) % n == 0]
    if not possible or (asked is not None and asked not in possible):
        why = f", and its loss takes {across} over a forward pass of {batch}" if across else ""
        remedy = f"--per-device {' or '.join(map(str, possible))}" if possible else f"{', '.join(map(str, counts))} processes"
        raise SystemExit(
            f"{devices} processes{'' if asked is None else f' with --per-device {asked}'}: the study's effective batch is {effective} pairs{why}. "
            f"Possible here: {remedy}. More devices take a study with a smaller batchSize and more gradientAccumulation"
        )
    per_device = max(possible) if asked is None else asked
    return per_device, effective // (per_device * devices)
