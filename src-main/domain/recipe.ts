// A study as a folder that runs on distributed tooling (TRL and Accelerate), and what comes back from there. Both sides of the
// way out and in are declared here: what recipe.json holds, and what the script leaves beside its checkpoint.

import { z } from 'zod'
import { LabError } from './errors.ts'
import { SMOOTHED_LOSSES } from './objective-config.ts'
import { trainingSchema, type Training } from './run-config.ts'
import { ARMS } from './study.ts'

/** recipe.json: every number that the script uses. */
export const recipeSchema = z.strictObject({
  formatVersion: z.literal(1),
  study: z.strictObject({ id: z.string(), name: z.string() }),
  /** SHA-256 of the snapshot of preference pairs. */
  snapshot: z.string(),
  seeds: z.array(z.strictObject({ seed: z.int().min(0), /** SHA-256 of the base model's weights. */ model: z.string() })).min(1),
  arms: z.strictObject({ sft: trainingSchema, dpo: trainingSchema }),
  /** Pairs in the file, and those left out because they are longer than maxLength. */
  pairs: z.int().min(1),
  tooLong: z.int().min(0),
})
export type Recipe = z.output<typeof recipeSchema>

/** run.json, which the script writes beside the checkpoint. */
export const recipeRunSchema = z.strictObject({
  formatVersion: z.literal(1),
  study: z.string(),
  arm: z.enum(ARMS),
  seed: z.int().min(0),
})
export type RecipeRun = z.output<typeof recipeRunSchema>

/** trainer_state.json of transformers: as much of it as a run's record needs. */
export const trainerStateSchema = z.looseObject({
  global_step: z.int().min(1),
  log_history: z.array(z.looseObject({ step: z.int().min(0) })),
})

/** @throws LabError 'invalid-input' naming a setting that the script does not carry over */
export function assertCarriedOver(arm: string, training: Training): void {
  const { objective } = training
  if (objective.kind !== 'sft' && objective.kind !== 'dpo' && objective.kind !== 'mpo')
    throw new LabError('invalid-input', `stages.${arm}.objective.kind: the recipe's script trains with sft, dpo or mpo, found ${objective.kind}; choose one of them, or train here`, { arm })
  // The script makes cDPO of TRL's "robust" at another rate, and one rate is all that TRL knows.
  const readers = objective.kind === 'sft' ? [] : [objective.lossType].flat().filter((loss) => SMOOTHED_LOSSES.includes(loss))
  if (objective.kind !== 'sft' && objective.labelSmoothing > 0 && readers.includes('sigmoid') && readers.length > 1)
    throw new LabError(
      'invalid-input',
      `stages.${arm}.objective.labelSmoothing: the recipe's script smooths the loss sigmoid alone, found ${readers.join(' and ')} at ${objective.labelSmoothing}; choose one of them, or train here`,
      { arm },
    )
}
