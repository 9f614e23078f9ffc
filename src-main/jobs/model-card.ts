// README.md of an export: what it is, how it is loaded, how it came to be, what was measured on it, and what its publisher has
// to fill in. It names no path of this machine, and the same checkpoint gives the same words.

import { loadingLines, verificationWords, type ExportRecord, type ExportSettings, type Verification } from '../domain/export.ts'
import type { Checkpoint } from '../domain/job.ts'
import { MODULES } from '../domain/model-spec.ts'
import type { RunConfig } from '../domain/run-config.ts'
import { numPatches, numPrefixTokens } from '../domain/vision-encoder-spec.ts'
import { exportedSpec, PROJECTOR_FILE } from './exported-encoder.ts'

/** What stands where a person must decide. */
const TO_FILL_IN = '_to be filled in_'

/** @param isWhole  an encoder as it was published, with its pooling, and not cut out of a model */
export function modelCard(checkpoint: Checkpoint, settings: ExportSettings, verification: Verification, record: ExportRecord | null, isWhole = false): string {
  const isEncoder = settings.part === 'vision-encoder'
  const { visionEncoder } = checkpoint.model
  return card(isEncoder ? ['image-feature-extraction', visionEncoder.family] : ['image-text-to-text', 'llava'], settings, [
    isEncoder ? (isWhole ? '# Vision encoder' : '# Vision encoder, cut out of a multimodal language model') : '# Multimodal language model',
    isEncoder ? encoderParagraph(checkpoint, isWhole) : modelParagraph(checkpoint),
    '## Use',
    code(settings, loadingLines(settings, 'folder')),
    ...(isEncoder ? (isWhole ? wholeParagraphs(checkpoint, settings) : featureParagraphs(checkpoint, settings)) : []),
    ...(isEncoder && settings.format === 'hf' && visionEncoder.family === 'vit_mae' ? [SHUFFLED] : []),
    `Weights are ${settings.dtype}. This export was ${verificationWords(verification)}.`,
    ...results(record),
    ...recipe(checkpoint, record, isWhole),
    '## Licence',
    'Weights inherit terms from what they were trained on and from. Before publishing, fill these in:',
    ['| | |', '|---|---|', ...['Licence of these weights', 'Starting checkpoints and their licences', 'Data and their licences', 'Intended use and limits', 'Contact'].map((row) => `| ${row} | ${TO_FILL_IN} |`)].join('\n'),
  ])
}

function encoderParagraph({ model }: Checkpoint, isWhole: boolean): string {
  const spec = isWhole ? model.visionEncoder : exportedSpec(model)
  const left = model.visionEncoder.numHiddenLayers - spec.numHiddenLayers
  return (
    `A vision transformer of the family ${spec.family}: ${spec.numHiddenLayers} blocks of width ${spec.hiddenSize}, ` +
    `patches of ${spec.patchSize}×${spec.patchSize} pixels, input ${spec.imageSize}×${spec.imageSize}.` +
    (left > 0 ? ` The ${left} block${left > 1 ? 's' : ''} above fed nothing and ${left > 1 ? 'are' : 'is'} not in this folder.` : '')
  )
}

function modelParagraph({ model: { visionEncoder, languageModel, visionFeatureLayer } }: Checkpoint): string {
  return (
    `A vision encoder of the family ${visionEncoder.family} (${visionEncoder.numHiddenLayers} blocks of width ${visionEncoder.hiddenSize}), ` +
    `a two-layer projector and a decoder of the family ${languageModel.family} (${languageModel.numHiddenLayers} of width ${languageModel.hiddenSize}), ` +
    `joined as in LLaVA: hidden state ${[visionFeatureLayer].flat().join(' beside ')} of the encoder feeds the projector.`
  )
}

/** What transformers does to patches of a masked autoencoder, whatever the ratio. */
const SHUFFLED =
  '`ViTMAEModel` deals the patches in a random order, even where it masks none: for features in their places give it the order, `encoder(**inputs, noise=torch.arange(patches).float()[None])`, or export as onnx.'

/** An encoder as published: all of it is there. */
function wholeParagraphs({ model: { visionEncoder: spec } }: Checkpoint, { format }: ExportSettings): readonly string[] {
  if (format !== 'onnx' && format !== 'tfjs') return ['Every weight of the encoder is here, its last norm and its pooling included.']
  return [
    `Input \`pixel_values\` (batch, ${spec.numChannels}, ${spec.imageSize}, ${spec.imageSize}), float32, preprocessed as \`preprocessor_config.json\` says; any batch size. ` +
      'Outputs: `features`, the last block’s output before the final norm; `last_hidden_state`; and `pooler_output` where the encoder has a pooling.',
  ]
}

/** Where the features are that the lab measured. */
function featureParagraphs({ model }: Checkpoint, { format, projectorLayers }: ExportSettings): readonly string[] {
  const spec = exportedSpec(model)
  const tokens = numPrefixTokens(spec) + numPatches(spec)
  const dropped = model.visionFeatureSelectStrategy === 'default' ? ' The projector sees them without the first (class) token.' : ''
  const measured = 'The features that the language model saw, and that the lab measured, are the output of the last block, **before** the final norm'
  const python = (lines: readonly string[]) => `\`\`\`python\n${lines.join('\n')}\n\`\`\``
  switch (format) {
    case 'hf':
      return [
        `${measured}: \`hidden_states[-1]\`, one vector a token.${dropped} \`last_hidden_state\` may be normed by untrained weights.`,
        python([
          'inputs = processor(images=image, return_tensors="pt")',
          `features = encoder(**inputs, output_hidden_states=True).hidden_states[-1]  # (1, ${tokens}, ${spec.hiddenSize})`,
        ]),
        ...(projectorLayers === 0
          ? []
          : [
              `\`${PROJECTOR_FILE}\` holds the first ${projectorLayers === 1 ? 'linear layer' : 'two linear layers'} of the projector: what the language model ` +
                `${projectorLayers === 1 ? 'sees comes one linear layer later' : 'sees'}.`,
              python([
                'import torch.nn.functional as F',
                'from safetensors.torch import load_file',
                `p = load_file(folder + "/${PROJECTOR_FILE}")`,
                'x = F.gelu(F.linear(features, p["linear_1.weight"], p.get("linear_1.bias")))',
                ...(projectorLayers === 2 ? ['x = F.linear(x, p["linear_2.weight"], p.get("linear_2.bias"))'] : []),
              ]),
            ]),
      ]
    case 'onnx':
    case 'tfjs':
      return [
        `Input \`pixel_values\` (batch, ${spec.numChannels}, ${spec.imageSize}, ${spec.imageSize}), float32, preprocessed as \`preprocessor_config.json\` says; any batch size. ` +
          `Output \`features\` (batch, tokens, ${spec.hiddenSize}): the last block’s output, before the final norm, as the projector sees it.` +
          (projectorLayers === 0 ? '' : ` Output \`projected\`: after the projector’s first ${projectorLayers === 1 ? 'linear layer and its activation' : 'two linear layers'}.`),
      ]
    case 'timm':
      return [
        `${measured}.${dropped}`,
        python([
          'transform = timm.data.create_transform(**timm.data.resolve_model_data_config(encoder))',
          `features = encoder.forward_intermediates(x, indices=1, norm=False, return_prefix_tokens=True, output_fmt="NLC", intermediates_only=True)[-1]  # ${numPatches(spec)} patches, and prefix tokens`,
        ]),
      ]
    case 'open_clip':
      return [`${measured}.${dropped} The matrix \`proj\` is the identity: there are no texts to be compared with.`]
  }
}

function code({ format }: ExportSettings, lines: readonly string[]): string {
  return `\`\`\`${format === 'tfjs' ? 'js' : 'python'}\n${lines.join('\n')}\n\`\`\``
}

function card(tags: readonly string[], { format, part }: ExportSettings, paragraphs: readonly string[]): string {
  const library = part === 'multimodal-lm' ? 'transformers' : { hf: 'transformers', onnx: 'onnx', tfjs: 'tf-keras', timm: 'timm', open_clip: 'open_clip' }[format]
  return [
    '---',
    `library_name: ${library}`,
    '# Fill in before publishing: an identifier from https://spdx.org/licenses, or other.',
    'license: other',
    'tags:',
    ...tags.map((tag) => `- ${tag}`),
    '---',
    '',
    paragraphs.join('\n\n'),
    '',
  ].join('\n')
}

function results(record: ExportRecord | null): readonly string[] {
  if (record === null || record.results.length === 0) return []
  const rows = record.results.map(({ label, value, interval, n, basis }) => `| ${label} | ${value} | ${interval ?? '–'} | ${n} | ${basis} |`)
  return ['## Results', ['| Measure | Value | 95 % interval | Items | Over |', '|---|---|---|---|---|', ...rows].join('\n')]
}

function recipe({ sha256, step, config }: Checkpoint, record: ExportRecord | null, isWhole: boolean): readonly string[] {
  if (isWhole) return ['## Recipe', `Not trained here: the weights of a folder with SHA-256 \`${sha256}\`. \`manifest.json\` has the SHA-256 of every file here.`]
  const origin =
    `Cut from the checkpoint of step ${step}, SHA-256 \`${sha256}\`. ` + '`manifest.json` has the SHA-256 of every file here.'
  const data = record === null || record.data.length === 0 ? [] : [['| Data | Name | SHA-256 of the snapshot |', '|---|---|---|', ...record.data.map(({ role, name, sha256: hash }) => `| ${role} | ${name} | \`${hash}\` |`)].join('\n')]
  const of = record === null ? [] : [`Run “${record.run}”${record.study === null ? '' : ` of the study “${record.study}”`}.`]
  return config === null ? ['## Recipe', 'No training: fresh weights.', origin, ...data] : ['## Recipe', ...of, recipeTable(config), ...data, origin]
}

function recipeTable({ training, start, snapshot }: RunConfig): string {
  const { objective } = training
  const trained = MODULES.filter((module) => training.modules[module].train).map((module) => {
    const rate = training.modules[module].learningRate
    return rate === null ? module : `${module} (${rate})`
  })
  const settings = Object.entries(objective).filter(([name]) => name !== 'kind')
  const starts = {
    scratch: 'fresh weights',
    checkpoint: 'an earlier checkpoint',
    transplant: 'a transplanted encoder',
    parts: 'a published encoder and language model',
  }
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
