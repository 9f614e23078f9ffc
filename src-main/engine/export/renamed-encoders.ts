// Vision encoders under the names that timm and open_clip give their weights. Both lay queries, keys and values on top of each
// other as one matrix; the numbers are the same, and so are the features. A family without an equal there is refused by name.

import { LabError } from '../../domain/errors.ts'
import type { PreprocessSpec } from '../../domain/preprocess-spec.ts'
import { numPatches, type VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import { CLIP_NAMES, VIT_ATTENTION, type BlockNames } from '../models/vision/blocks.ts'
import { familyOf } from '../models/vision/families.ts'
import type { NamedArray, NamedArrays } from '../weights/initial.ts'

type Json = Readonly<Record<string, unknown>>

export interface RenamedEncoder {
  readonly config: Json
  readonly tensors: NamedArrays
}

/** What differs between families: the architecture that timm builds, and where it keeps what. */
interface TimmForm {
  readonly architecture: string
  readonly options: Json
  readonly layerNormEps: number
  readonly names: BlockNames
  /** Ours → timm's, outside of blocks. */
  readonly outside: Readonly<Record<string, string>>
  /** Ours → timm's, inside of a block, beside attention, norms and MLP. */
  readonly inside: Readonly<Record<string, string>>
}

const VIT_NAMES: BlockNames = { norm1: 'layernorm_before', ...VIT_ATTENTION, norm2: 'layernorm_after', mlpIn: 'intermediate.dense', mlpOut: 'output.dense' }
const CONVOLUTION = { 'embeddings.patch_embeddings.projection.weight': 'patch_embed.proj.weight', 'embeddings.patch_embeddings.projection.bias': 'patch_embed.proj.bias' }
const TIMM_ACTIVATIONS: Readonly<Record<string, string>> = { gelu: 'gelu', gelu_pytorch_tanh: 'gelu_tanh', quick_gelu: 'quick_gelu', silu: 'silu', relu: 'relu' }

function timmForm(spec: VisionEncoderSpec): TimmForm {
  const sizes = (inner: number) => ({
    img_size: spec.imageSize,
    patch_size: spec.patchSize,
    embed_dim: spec.hiddenSize,
    depth: spec.numHiddenLayers,
    num_heads: spec.numAttentionHeads,
    // timm multiplies and cuts off: half a unit more keeps it from falling below.
    mlp_ratio: (inner + 0.5) / spec.hiddenSize,
  })
  switch (spec.family) {
    case 'siglip':
      return {
        architecture: 'vit_base_patch16_siglip_gap_224',
        options: { ...sizes(spec.intermediateSize), act_layer: TIMM_ACTIVATIONS[spec.hiddenAct] },
        layerNormEps: 1e-6,
        names: CLIP_NAMES,
        outside: {
          'embeddings.patch_embedding.weight': 'patch_embed.proj.weight',
          'embeddings.patch_embedding.bias': 'patch_embed.proj.bias',
          'embeddings.position_embedding.weight': 'pos_embed',
          'post_layernorm.weight': 'norm.weight',
          'post_layernorm.bias': 'norm.bias',
        },
        inside: {},
      }
    case 'clip':
      return {
        architecture: 'vit_base_patch16_clip_quickgelu_224',
        options: { ...sizes(spec.intermediateSize), act_layer: TIMM_ACTIVATIONS[spec.hiddenAct] },
        layerNormEps: 1e-5,
        names: CLIP_NAMES,
        outside: {
          'embeddings.class_embedding': 'cls_token',
          'embeddings.patch_embedding.weight': 'patch_embed.proj.weight',
          'embeddings.position_embedding.weight': 'pos_embed',
          'pre_layrnorm.weight': 'norm_pre.weight',
          'pre_layrnorm.bias': 'norm_pre.bias',
          'post_layernorm.weight': 'norm.weight',
          'post_layernorm.bias': 'norm.bias',
        },
        inside: {},
      }
    case 'dinov2':
    case 'dinov2_with_registers': {
      const registers = spec.family === 'dinov2_with_registers' ? spec.numRegisterTokens : 0
      const ratio = spec.mlpRatio * spec.hiddenSize
      const gated = 8 * Math.floor((Math.trunc((Math.trunc(ratio) * 2) / 3) + 7) / 8)
      return {
        architecture: spec.useSwigluFfn ? 'vit_giant_patch14_dinov2' : 'vit_base_patch14_dinov2',
        options: {
          ...sizes(spec.useSwigluFfn ? 2 * gated : Math.trunc(ratio)),
          ...(!spec.useSwigluFfn && { act_layer: TIMM_ACTIVATIONS[spec.hiddenAct] }),
          qkv_bias: spec.qkvBias,
          ...(registers > 0 && { reg_tokens: registers, no_embed_class: true }),
        },
        layerNormEps: 1e-6,
        names: { norm1: 'norm1', ...VIT_ATTENTION, norm2: 'norm2', mlpIn: spec.useSwigluFfn ? 'mlp.weights_in' : 'mlp.fc1', mlpOut: spec.useSwigluFfn ? 'mlp.weights_out' : 'mlp.fc2' },
        outside: {
          'embeddings.cls_token': 'cls_token',
          ...CONVOLUTION,
          'embeddings.position_embeddings': 'pos_embed',
          ...(registers > 0 && { 'embeddings.register_tokens': 'reg_token' }),
          'layernorm.weight': 'norm.weight',
          'layernorm.bias': 'norm.bias',
        },
        inside: { 'layer_scale1.lambda1': 'ls1.gamma', 'layer_scale2.lambda1': 'ls2.gamma' },
      }
    }
    case 'vit':
    case 'vit_mae':
      return {
        architecture: 'vit_base_patch16_224',
        options: { ...sizes(spec.intermediateSize), act_layer: TIMM_ACTIVATIONS[spec.hiddenAct], qkv_bias: spec.qkvBias },
        layerNormEps: 1e-6,
        names: VIT_NAMES,
        outside: { 'embeddings.cls_token': 'cls_token', ...CONVOLUTION, 'embeddings.position_embeddings': 'pos_embed', 'layernorm.weight': 'norm.weight', 'layernorm.bias': 'norm.bias' },
        inside: {},
      }
    default:
      throw new LabError('invalid-input', `format: timm has no equal of ${spec.family} that the lab writes; choose the format hf or onnx`, { family: spec.family })
  }
}

/** timm's vision transformers fix ε; below it a difference is nothing that a feature shows. */
const EPSILON_SLACK = 1e-6

/**
 * @param weights  by the family's own names
 * @throws LabError 'invalid-input' when timm has no such encoder
 */
export function timmEncoder(spec: VisionEncoderSpec, weights: NamedArrays, preprocess: PreprocessSpec): RenamedEncoder {
  const { architecture, options, layerNormEps, names, outside, inside } = timmForm(spec)
  if (Math.abs(spec.layerNormEps - layerNormEps) > EPSILON_SLACK)
    throw new LabError('invalid-input', `layerNormEps: timm's ${architecture} has ${layerNormEps}, found ${spec.layerNormEps}; choose the format hf or onnx`)
  const D = spec.hiddenSize
  const tensors: Record<string, NamedArray> = {}
  for (const [ours, theirs] of Object.entries(outside)) tensors[theirs] = weightNamed(weights, ours)
  if (tensors['cls_token'] !== undefined) tensors['cls_token'] = { shape: [1, 1, D], values: tensors['cls_token'].values }
  const positions = tensors['pos_embed']!
  tensors['pos_embed'] = { shape: [1, positions.values.length / D, D], values: positions.values }
  if (tensors['reg_token'] !== undefined) {
    // timm's table has no place for the class token there: its position is part of the token.
    tensors['cls_token'] = { shape: [1, 1, D], values: tensors['cls_token']!.values.map((value, i) => value + positions.values[i]!) }
    tensors['pos_embed'] = { shape: [1, numPatches(spec), D], values: positions.values.slice(D) }
  }
  for (let i = 0; i < spec.numHiddenLayers; i++) {
    const from = familyOf(spec).blockPrefix(i)
    const to = `blocks.${i}.`
    Object.assign(tensors, blockTensors(weights, from, names, { qkv: `${to}attn.qkv.`, output: `${to}attn.proj`, norm1: `${to}norm1`, norm2: `${to}norm2`, mlpIn: `${to}mlp.fc1`, mlpOut: `${to}mlp.fc2` }))
    for (const [ours, theirs] of Object.entries(inside)) tensors[to + theirs] = weightNamed(weights, from + ours)
  }
  const normalize = preprocess.find((op) => op.op === 'normalize')
  const resize = preprocess.find((op) => op.op === 'resize' || op.op === 'resize-shortest-edge')
  return {
    tensors,
    config: {
      architecture,
      num_classes: 0,
      num_features: D,
      global_pool: spec.family === 'siglip' ? 'avg' : 'token',
      model_args: options,
      pretrained_cfg: {
        tag: 'pivot_lab',
        custom_load: false,
        input_size: [spec.numChannels, spec.imageSize, spec.imageSize],
        fixed_input_size: true,
        interpolation: resize?.resample ?? 'bicubic',
        crop_pct: 1,
        crop_mode: resize?.op === 'resize-shortest-edge' ? 'center' : 'squash',
        mean: normalize?.mean ?? [0, 0, 0],
        std: normalize?.std ?? [1, 1, 1],
        num_classes: 0,
        pool_size: null,
        first_conv: 'patch_embed.proj',
        classifier: 'head',
      },
    },
  }
}

/**
 * CLIP's image tower as open_clip names it. Its last matrix, which leads into the space of texts, is the identity: what the
 * tower was trained for has no texts, and pooled features come out as they are.
 * @throws LabError 'invalid-input' for other families, which open_clip builds through timm
 */
export function openClipEncoder(spec: VisionEncoderSpec, weights: NamedArrays, preprocess: PreprocessSpec): RenamedEncoder {
  if (spec.family !== 'clip')
    throw new LabError('invalid-input', `format: open_clip has CLIP's image tower of its own and takes ${spec.family} from timm; choose the format timm`, { family: spec.family })
  if (spec.hiddenAct !== 'gelu' && spec.hiddenAct !== 'quick_gelu')
    throw new LabError('invalid-input', `hiddenAct: open_clip has gelu and quick_gelu, found ${spec.hiddenAct}; choose the format hf or onnx`)
  const D = spec.hiddenSize
  const outside = {
    'embeddings.class_embedding': 'class_embedding',
    'embeddings.patch_embedding.weight': 'conv1.weight',
    'embeddings.position_embedding.weight': 'positional_embedding',
    'pre_layrnorm.weight': 'ln_pre.weight',
    'pre_layrnorm.bias': 'ln_pre.bias',
    'post_layernorm.weight': 'ln_post.weight',
    'post_layernorm.bias': 'ln_post.bias',
  }
  const tensors: Record<string, NamedArray> = Object.fromEntries(Object.entries(outside).map(([ours, theirs]) => [theirs, weightNamed(weights, ours)]))
  for (let i = 0; i < spec.numHiddenLayers; i++) {
    const to = `transformer.resblocks.${i}.`
    Object.assign(tensors, blockTensors(weights, familyOf(spec).blockPrefix(i), CLIP_NAMES, { qkv: `${to}attn.in_proj_`, output: `${to}attn.out_proj`, norm1: `${to}ln_1`, norm2: `${to}ln_2`, mlpIn: `${to}mlp.c_fc`, mlpOut: `${to}mlp.c_proj` }))
  }
  const identity = new Float32Array(D * D)
  for (let i = 0; i < D; i++) identity[i * D + i] = 1
  tensors['proj'] = { shape: [D, D], values: identity }
  const normalize = preprocess.find((op) => op.op === 'normalize')
  return {
    tensors: Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`visual.${name}`, tensor])),
    config: {
      model_cfg: {
        embed_dim: D,
        quick_gelu: spec.hiddenAct === 'quick_gelu',
        vision_cfg: {
          image_size: spec.imageSize,
          patch_size: spec.patchSize,
          width: D,
          layers: spec.numHiddenLayers,
          head_width: D / spec.numAttentionHeads,
          mlp_ratio: (spec.intermediateSize + 0.5) / D,
          norm_kwargs: { eps: spec.layerNormEps },
        },
      },
      preprocess_cfg: { size: spec.imageSize, mean: normalize?.mean ?? [0, 0, 0], std: normalize?.std ?? [1, 1, 1], interpolation: 'bicubic', resize_mode: 'shortest' },
    },
  }
}

interface BlockTargets {
  /** Before `weight` and `bias` of the joined matrix. */
  readonly qkv: string
  readonly output: string
  readonly norm1: string
  readonly norm2: string
  readonly mlpIn: string
  readonly mlpOut: string
}

function blockTensors(weights: NamedArrays, from: string, names: BlockNames, to: BlockTargets): Record<string, NamedArray> {
  const tensors: Record<string, NamedArray> = {}
  for (const part of ['norm1', 'output', 'norm2', 'mlpIn', 'mlpOut'] as const)
    for (const kind of ['weight', 'bias']) tensors[`${to[part]}.${kind}`] = weightNamed(weights, `${from}${names[part]}.${kind}`)
  for (const kind of ['weight', 'bias']) {
    const parts = [names.query, names.key, names.value].map((name) => weights[`${from}${name}.${kind}`])
    // Without biases on queries, keys and values there are none to join.
    if (kind === 'bias' && parts.every((part) => part === undefined)) continue
    tensors[to.qkv + kind] = stacked([names.query, names.key, names.value].map((name) => weightNamed(weights, `${from}${name}.${kind}`)))
  }
  return tensors
}

/** Rows of one below rows of the other. */
function stacked(arrays: readonly NamedArray[]): NamedArray {
  const all = arrays.map(({ values }) => values)
  const values = new Float32Array(all.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const each of all) {
    values.set(each, at)
    at += each.length
  }
  const [rows, ...rest] = arrays[0]!.shape
  return { shape: [rows! * arrays.length, ...rest], values }
}

function weightNamed(weights: NamedArrays, name: string): NamedArray {
  const found = weights[name]
  if (found === undefined) throw new LabError('corrupt-artifact', `the weight ${name} of the vision encoder is missing`, { name })
  return found
}
