// README.md of an export: what it is, how its features are taken, how it came to be. It names no path of this machine, and
// the same checkpoint gives the same words.

import type { Checkpoint } from '../domain/job.ts'
import { MODULES } from '../domain/model-spec.ts'
import type { RunConfig } from '../domain/run-config.ts'
import { numPatches, numPrefixTokens, type VisionEncoderSpec } from '../domain/vision-encoder-spec.ts'

export function encoderCard(checkpoint: Checkpoint, spec: VisionEncoderSpec): string {
  const { model } = checkpoint
  const left = model.visionEncoder.numHiddenLayers - spec.numHiddenLayers
  return card(['image-feature-extraction', 'siglip'], 'Vision encoder, cut out of a multimodal language model', [
    `A vision transformer in SigLIP's layout: ${spec.numHiddenLayers} blocks of width ${spec.hiddenSize}, ` +
      `patches of ${spec.patchSize}×${spec.patchSize} pixels, input ${spec.imageSize}×${spec.imageSize}.`,
    '## Features',
    'The features that the language model saw, and that the lab measured, are the output of the last block, **before** ' +
      '`post_layernorm`: `hidden_states[-1]`, one vector a patch. `last_hidden_state` is normed by untrained weights. ' +
      (left > 0
        ? `The ${left} block${left > 1 ? 's' : ''} above fed nothing and ${left > 1 ? 'are' : 'is'} not in this folder.`
        : ''),
    '```python\n' +
      'from transformers import AutoImageProcessor, AutoModel\n\n' +
      'processor = AutoImageProcessor.from_pretrained(folder)\n' +
      'encoder = AutoModel.from_pretrained(folder).eval()\n' +
      'inputs = processor(images=image, return_tensors="pt")\n' +
      'features = encoder(**inputs, output_hidden_states=True).hidden_states[-1]' +
      `  # (1, ${numPrefixTokens(spec) + numPatches(spec)}, ${spec.hiddenSize})\n` +
      '```',
    ...recipe(checkpoint),
  ])
}

export function multimodalCard(checkpoint: Checkpoint): string {
  const { visionEncoder, languageModel, visionFeatureLayer } = checkpoint.model
  return card(['image-text-to-text', 'llava'], 'Multimodal language model', [
    `A vision transformer in SigLIP's layout (${visionEncoder.numHiddenLayers} blocks of width ${visionEncoder.hiddenSize}), ` +
      `a two-layer projector and a Qwen2 decoder (${languageModel.numHiddenLayers} of width ${languageModel.hiddenSize}), ` +
      `joined as in LLaVA: the hidden state ${visionFeatureLayer} of the encoder feeds the projector.`,
    ...recipe(checkpoint),
  ])
}

function card(tags: readonly string[], title: string, paragraphs: readonly string[]): string {
  return [
    '---',
    'library_name: transformers',
    'tags:',
    ...tags.map((tag) => `- ${tag}`),
    '---',
    '',
    `# ${title}`,
    '',
    paragraphs.join('\n\n'),
    '',
  ].join('\n')
}

function recipe({ sha256, step, config }: Checkpoint): readonly string[] {
  const origin =
    `Cut from the checkpoint of step ${step}, SHA-256 \`${sha256}\`. ` + '`manifest.json` has the SHA-256 of every file here.'
  return config === null ? ['## Recipe', 'No training: fresh weights.', origin] : ['## Recipe', recipeTable(config), origin]
}

function recipeTable({ training, start, snapshot }: RunConfig): string {
  const { objective } = training
  const trained = MODULES.filter((module) => training.modules[module].train).map((module) => {
    const rate = training.modules[module].learningRate
    return rate === null ? module : `${module} (${rate})`
  })
  const settings = Object.entries(objective).filter(([name]) => name !== 'kind')
  const starts = { scratch: 'fresh weights', checkpoint: 'an earlier checkpoint', transplant: 'a transplanted encoder' }
  const rows: readonly (readonly [string, string | number])[] = [
    ['Objective', [objective.kind, ...settings.map(([name, value]) => `${name} ${value}`)].join(', ')],
    ['Start', starts[start.kind]],
    ['Trained', trained.join(', ')],
    ['Learning rate', `${training.learningRate}, ${training.schedule}, warm-up ${training.warmupRatio}`],
    ['Steps', training.steps],
    ['Batch', `${training.batchSize} × ${training.gradientAccumulation}`],
    [
      'Optimiser',
      `AdamW, β ${training.adamBeta1}, ${training.adamBeta2}, ε ${training.adamEpsilon}, decay ${training.weightDecay}`,
    ],
    ['Gradient clipping', training.maxGradientNorm],
    ['Seed', training.seed],
    ['Data', `snapshot \`${snapshot}\``],
  ]
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
}
