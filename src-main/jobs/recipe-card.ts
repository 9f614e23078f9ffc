// The README of a recipe's folder: how it is run on one device and on many, what holds whatever their number, what lies where,
// and every hyper-parameter of both arms side by side.

import { MODULES } from '../domain/model-spec.ts'
import { OBJECTIVE_NAMES, unusualName } from '../domain/objective-config.ts'
import type { Recipe } from '../domain/recipe.ts'
import { ARMS } from '../domain/study.ts'

export function recipeCard({ study, snapshot, seeds, arms, pairs, tooLong }: Recipe): string {
  const { steps, batchSize, gradientAccumulation } = arms.dpo
  const outputOf = (arm: string, seed: number) => `out/${arm}-${seed}`
  const first = seeds[0]!.seed
  const commands = ARMS.flatMap((arm) => seeds.map(({ seed }) => `accelerate launch --config_file accelerate/fsdp.yaml train.py --arm ${arm} --seed ${seed} --output ${outputOf(arm, seed)}`))
  const settings = (['objective', 'learningRate', 'schedule', 'warmupRatio', 'weightDecay', 'adamBeta1', 'adamBeta2', 'adamEpsilon', 'maxGradientNorm', 'precision'] as const).map(
    (name) => `| ${name} | ${ARMS.map((arm) => '`' + JSON.stringify(arms[arm][name]) + '`').join(' | ')} |`,
  )
  const { objective } = arms.dpo
  const name = unusualName(objective) ?? OBJECTIVE_NAMES[objective.kind]
  return [
    `# ${study.name}: both arms, on TRL and Accelerate`,
    `SFT and ${name}: two trainings from one start for each seed, on the same ${pairs} pairs in the same order (snapshot \`${snapshot}\`${tooLong === 0 ? '' : `; ${tooLong} longer ones are left out`}): ` +
      `${steps} steps of ${batchSize * gradientAccumulation} ${objective.kind === 'grpo' ? 'pairs, of which GRPO takes the prompts' : 'pairs'}.`,
    `\`\`\`sh\npip install -r requirements.txt\npython train.py --arm dpo --seed ${first} --output ${outputOf('dpo', first)}   # one device\n${commands.join('\n')}\n\`\`\``,
    'Back in the lab, with a folder that came out:',
    `\`\`\`sh\nlab import-run ${outputOf('dpo', first)}\n\`\`\``,
    '## On more devices',
    '`accelerate/ddp.yaml`, `fsdp.yaml` and `deepspeed.yaml` are to be adapted to the machines (`num_processes`). Without a card, `ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 train.py …` rehearses. ' +
      'The effective batch stays the study’s: `--per-device` pairs at a time on each device, accumulation makes up the rest. Where the loss takes something over a whole forward pass ' +
      `(a mean over tokens, an order, KTO’s drift), a device takes a whole one of ${batchSize} pairs; \`train.py\` says so, and which numbers of processes are possible.`,
    'In float32 every loss is the lab’s to about 10⁻⁵ on one process and on several: compared step by step on processors, with two processes by DDP, FSDP 2 and DeepSpeed ZeRO 2 (untested on cards). Not the same numbers: `precision: bfloat16`, whose products the lab sums in float32 and autocast rounds once more; ' +
      'GRPO, whose answers are drawn by another generator of random numbers. Means over tokens that are only logged (`entropy`, `mean_token_accuracy`, `logits/…`) weigh passes by their tokens where several devices share a pass.',
    '## What is here',
    [
      '- `model/seed-*`: the start of each seed, a Hugging Face folder (LLaVA).',
      ...(ARMS.some((arm) => MODULES.some((module) => arms[arm].modules[module].lora !== null))
        ? ['- `adapter/*`: LoRA’s adapters as they begin, in PEFT’s layout. The script merges them into the checkpoint that it leaves.']
        : []),
      '- `data/preferences.jsonl`: the pairs in TRL’s conversational format with `images`, and the lab’s tokens (`prompt_ids`, `chosen_ids`, `rejected_ids`), which the script uses.',
      '- `data/order-*.json`: which pair is met when.',
      '- `recipe.json`: every hyper-parameter of both arms, per-module learning rates, freezing and LoRA included.',
      '- `objectives.py` says them in TRL’s words; `trainers.py` holds the little that TRL’s trainers do otherwise.',
    ].join('\n'),
    [`| | ${ARMS.map((arm) => OBJECTIVE_NAMES[arms[arm].objective.kind]).join(' | ')} |`, '|---|---|---|', ...settings].join('\n'),
    '',
  ].join('\n\n')
}
