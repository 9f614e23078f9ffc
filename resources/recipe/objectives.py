"""The study's objective in TRL's words: which trainer, and which settings of it."""

from trl import DPOConfig, GRPOConfig, KTOConfig, SFTConfig
from trl.experimental.cpo import CPOConfig
from trl.experimental.orpo import ORPOConfig

from devices import parts_of
from trainers import CpoRecipe, DpoRecipe, GrpoRecipe, KtoRecipe, OrpoRecipe, SftRecipe


def trainer_of(objective):
    """The trainer, its configuration, and the settings that are the objective's."""
    kind = objective["kind"]
    if kind == "sft":
        return SftRecipe, SFTConfig, dict(loss_type="nll", dataset_kwargs={"skip_prepare_dataset": True}, max_length=None)
    if kind in ("dpo", "mpo"):
        return DpoRecipe, DPOConfig, dict(dpo_settings(objective), max_length=None)
    if kind in ("cpo", "simpo"):
        settings = dict(
            loss_type="simpo" if kind == "simpo" else objective["lossType"],
            beta=objective["beta"],
            label_smoothing=objective["labelSmoothing"],
            cpo_alpha=objective["cpoAlpha"],
        )
        return CpoRecipe, CPOConfig, settings | (dict(simpo_gamma=objective["simpoGamma"]) if kind == "simpo" else {})
    if kind == "orpo":
        return OrpoRecipe, ORPOConfig, dict(beta=objective["beta"])
    if kind == "kto":
        settings = dict(
            loss_type=objective["lossType"],
            beta=objective["beta"],
            desirable_weight=objective["desirableWeight"],
            undesirable_weight=objective["undesirableWeight"],
            train_sampling_strategy="sequential",
            max_length=None,
        )
        return KtoRecipe, KTOConfig, settings
    settings = dict(
        num_generations=objective["numGenerations"],
        max_completion_length=objective["maxCompletionLength"],
        temperature=objective["temperature"],
        top_p=objective["topP"],
        top_k=0,
        num_iterations=objective["numIterations"],
        beta=objective["beta"],
        use_bias_correction_kl=objective["useBiasCorrectionKl"],
        epsilon=objective["epsilon"],
        epsilon_high=objective["epsilonHigh"],
        loss_type=objective["lossType"],
        scale_rewards=objective["scaleRewards"],
        shuffle_dataset=False,
        disable_dropout=True,
    )
    return GrpoRecipe, GRPOConfig, settings


def dpo_settings(objective):
    """TRL's "sigmoid" does not read label_smoothing. With l(z) = -log sigmoid(z), cDPO, (1-e) l(z) + e l(-z), is a sum of what
    TRL has: 2 (1-e) sigmoid - (1-2e) robust, where robust is ((1-e) l(z) - e l(-z)) / (1-2e)."""
    smoothing = objective["labelSmoothing"]
    weights = {}
    for loss, weight in parts_of(objective):
        if loss == "sigmoid" and smoothing > 0:
            weights["sigmoid"] = weights.get("sigmoid", 0) + 2 * (1 - smoothing) * weight
            weights["robust"] = weights.get("robust", 0) - (1 - 2 * smoothing) * weight
        elif weight > 0:
            weights[loss] = weights.get(loss, 0) + weight
    return dict(
        beta=objective["beta"],
        loss_type=list(weights),
        loss_weights=list(weights.values()),
        label_smoothing=smoothing,
        f_divergence_type=objective["fDivergenceType"],
        f_alpha_divergence_coef=objective["fAlphaDivergenceCoef"],
        discopop_tau=objective["discopopTau"],
        ld_alpha=None if objective["ldAlpha"] == 1 else objective["ldAlpha"],
    )
