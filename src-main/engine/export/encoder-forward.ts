// What an exported graph computes: pixels to the features that the projector sees, and on through its first layers. It is the
// model's own forward pass, whatever its family; an export has no mathematics of its own.

import * as tf from '@tensorflow/tfjs'
import type { MultimodalLmSpec } from '../../domain/model-spec.ts'
import type { VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import type { NamedTensors } from '../compile/recorder.ts'
import { imageFeatures, type MultimodalLm } from '../models/multimodal-lm.ts'
import { projector } from '../models/projector.ts'
import { patchify, visionHiddenStates, visionLastHiddenState, visionPooled } from '../models/vision-encoder.ts'
import { visionEncoderLayout, type NamedArrays } from '../weights/initial.ts'
import { multimodalName, visionEncoderName } from '../weights/names.ts'
import type { Weights } from '../shapes.ts'
import { recordBatchGraph, type BatchGraph } from './batch-graph.ts'

export interface ExportedParts {
  readonly spec: MultimodalLmSpec
  readonly visionEncoder: NamedArrays
  readonly projector: NamedArrays
  /** Linear layers of the projector that go along. */
  readonly projectorLayers: 0 | 1 | 2
  /** Whether the encoder is one as published, whose norm and pooling mean something: the graph then gives what they make, too. */
  readonly isWhole?: boolean
}

export interface EncoderGraph {
  /**
   * Inputs: pixel_values (B, C, height, width). Outputs: features (B, I, D_vision), and projected (B, I, D) with projector layers;
   * of a whole encoder last_hidden_state (B, N, D_vision), and pooler_output (B, D) where the family has one.
   */
  readonly graph: BatchGraph
  /** Values of a weight by the name that the graph gives it, which is Hugging Face's. */
  valuesOf(name: string): Float32Array
  /** The graph's outputs, computed here. @param pixels (B, C, height, width) */
  compute(pixels: tf.Tensor4D): Readonly<Record<string, Float32Array>>
  dispose(): void
}

/** Records the forward pass. The caller disposes. @throws LabError as recordBatchGraph does */
export function encoderGraph({ spec, projectorLayers, isWhole = false, ...arrays }: ExportedParts): EncoderGraph {
  const used = Object.keys(visionEncoderLayout(spec.visionEncoder)).filter((name) => arrays.visionEncoder[name] !== undefined)
  const linears = ['linear_1', 'linear_2'].slice(0, projectorLayers)
  const named: Record<string, { readonly array: NamedArrays[string]; readonly variable: tf.Variable }> = {}
  const held = (array: NamedArrays[string], name: string): tf.Variable => {
    const initial = tf.tensor(array.values, [...array.shape], 'float32')
    const variable = tf.variable(initial)
    initial.dispose()
    named[name] = { array, variable }
    return variable
  }
  const visionEncoder = Object.fromEntries(
    used.map((name) => [name, held(arrays.visionEncoder[name]!, visionEncoderName(spec.visionEncoder, name))]),
  )
  const projectorWeights = Object.fromEntries(
    Object.entries(arrays.projector)
      .filter(([name]) => linears.some((linear) => name.startsWith(`${linear}.`)))
      .map(([name, array]) => [name, held(array, multimodalName('projector', name))]),
  )
  const model: MultimodalLm = {
    spec,
    weights: { visionEncoder, projector: projectorWeights, languageModel: {} },
    gradientCheckpointing: { visionEncoder: false, projector: false, languageModel: false },
  }
  const forward = ({ pixel_values: pixels }: NamedTensors): NamedTensors => {
    const patches = patchify(pixels as tf.Tensor4D, spec.visionEncoder.patchSize)
    if (isWhole) return wholeOutputs(spec.visionEncoder, visionEncoder, patches)
    const features = imageFeatures(model, patches) // (B, I, D_vision)
    if (projectorLayers === 0) return { features }
    return { features, projected: projector(projectorWeights, features, projectorLayers) } // (B, I, D)
  }
  const variables = Object.fromEntries(Object.entries(named).map(([name, { variable }]) => [name, variable]))
  const dispose = () => tf.dispose(variables as tf.NamedTensorMap)
  try {
    const { numChannels, imageSize } = spec.visionEncoder
    const examples = (batch: number) => ({
      pixel_values: tf.randomUniform([batch, numChannels, imageSize, imageSize], -1, 1, 'float32', batch),
    })
    return {
      graph: recordBatchGraph(forward, examples, variables),
      valuesOf: (name) => named[name]!.array.values,
      compute: (pixels) =>
        tf.tidy(() =>
          Object.fromEntries(
            Object.entries(forward({ pixel_values: pixels })).map(([name, tensor]) => [name, tensor.dataSync().slice() as Float32Array]),
          ),
        ),
      dispose,
    }
  } catch (thrown) {
    dispose()
    throw thrown
  }
}

/** @param patches (B, P, C·patch²) */
function wholeOutputs(spec: VisionEncoderSpec, weights: Weights, patches: tf.Tensor): NamedTensors {
  const features = visionHiddenStates(spec, weights, patches, spec.numHiddenLayers).at(-1)! // (B, N, D)
  const last = visionLastHiddenState(spec, weights, features)
  const pooled = visionPooled(spec, weights, last)
  // Where the family norms nothing at the end, both are one tensor; a graph names each output once.
  return { features, last_hidden_state: last === features ? tf.clone(last) : last, ...(pooled !== null && { pooler_output: pooled }) }
}
