// An encoder as a graph that others run: ONNX or TensorFlow.js. What was written is read back from the disk, run by another
// program (ONNX Runtime) or loader, and compared with the lab's own features before the export counts as one.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import type { ExportDtype, Verification } from '../domain/export.ts'
import { createRandom } from '../domain/random.ts'
import type { EncoderGraph } from '../engine/export/encoder-forward.ts'
import { writeOnnx } from '../engine/export/onnx.ts'
import { SHARD_BYTES, shardNames, writeTfjsGraph } from '../engine/export/tfjs-graph.ts'
import { writeWhole } from './files.ts'
import { openOnnxRuntime } from './onnx-runtime.ts'

/**
 * The largest ‖written − own‖ / ‖own‖ that is let through. Another program sums in another order (float32 has a relative
 * step of 6e-8, a deep encoder some hundred sums); two-byte weights are off by half their step, 5e-4 and 4e-3, in each layer.
 */
export const TOLERANCES: Readonly<Record<ExportDtype, number>> = { float32: 1e-4, float16: 2e-2, bfloat16: 0.15 }

/** None of them was recorded. */
const BATCHES = [1, 4] as const

const ONNX_FILE = 'model.onnx'
const TFJS_FILE = 'model.json'

export interface GraphOptions {
  readonly dtype: ExportDtype
  /** Recorded in the model: preprocessing and origin. */
  readonly metadata: Readonly<Record<string, string>>
  /** (C, height, width) of an image. */
  readonly imageShape: readonly [number, number, number]
}

/** Writes model.onnx (and model.onnx.data, beyond 2 GB) and runs it. @throws LabError 'corrupt-artifact' when it computes otherwise */
export async function writeOnnxExport(folder: string, encoder: EncoderGraph, options: GraphOptions): Promise<Verification> {
  const { model, data } = writeOnnx(encoder.graph, encoder.valuesOf, { ...options, dataFile: `${ONNX_FILE}.data` })
  if (data !== null) await writeWhole(join(folder, `${ONNX_FILE}.data`), data)
  await writeWhole(join(folder, ONNX_FILE), model)
  const runtime = openOnnxRuntime()
  if (runtime === null) return { by: null, batches: [], difference: null, tolerance: TOLERANCES[options.dtype] }
  const session = await runtime.open(join(folder, ONNX_FILE)).catch((thrown: unknown) => {
    throw new LabError('corrupt-artifact', `${ONNX_FILE}: ${runtime.name} refuses it: ${(thrown as Error).message}`, {}, thrown)
  })
  try {
    return await verified(runtime.name, encoder, options, async (pixels) => session.run('pixel_values', pixels.dataSync() as Float32Array, pixels.shape))
  } finally {
    await session.close()
  }
}

/** Writes model.json and its shards, and loads them. @throws LabError 'corrupt-artifact' when it computes otherwise */
export async function writeTfjsExport(folder: string, encoder: EncoderGraph, options: GraphOptions): Promise<Verification> {
  const { json, weights } = writeTfjsGraph(encoder.graph, encoder.valuesOf, options)
  const bytes = weights.reduce((sum, { length }) => sum + length, 0)
  const pieces = piecesOf(weights, SHARD_BYTES)
  for (const name of shardNames(bytes)) await writeWhole(join(folder, name), pieces.next().value ?? [])
  await writeWhole(join(folder, TFJS_FILE), JSON.stringify(json))
  const model = await tf.loadGraphModel(readerOf(folder)).catch((thrown: unknown) => {
    throw new LabError('corrupt-artifact', `${TFJS_FILE}: TensorFlow.js refuses it: ${(thrown as Error).message}`, {}, thrown)
  })
  const names = Object.keys(json['signature'] === undefined ? {} : (json['signature'] as { outputs: object }).outputs)
  try {
    return await verified(`TensorFlow.js ${tf.version_core}`, encoder, options, async (pixels) => {
      const outputs = [model.execute({ pixel_values: pixels }, names)].flat()
      const values = Object.fromEntries(names.map((name, i) => [name, outputs[i]!.dataSync().slice() as Float32Array]))
      tf.dispose(outputs)
      return values
    })
  } finally {
    model.dispose()
  }
}

type Run = (pixels: tf.Tensor4D) => Promise<Readonly<Record<string, Float32Array>>>

async function verified(by: string, encoder: EncoderGraph, { dtype, imageShape }: GraphOptions, run: Run): Promise<Verification> {
  const tolerance = TOLERANCES[dtype]
  let difference = 0
  for (const batch of BATCHES) {
    const pixels = samplePixels([batch, ...imageShape])
    try {
      const [own, written] = [encoder.compute(pixels), await run(pixels)]
      for (const [name, expected] of Object.entries(own)) difference = Math.max(difference, relativeDifference(written[name] ?? new Float32Array(), expected))
    } finally {
      pixels.dispose()
    }
  }
  if (!(difference <= tolerance))
    throw new LabError('corrupt-artifact', `run by ${by}, the export's features differ from the checkpoint's by ${difference} (relative), expected at most ${tolerance}; nothing was written`, {
      difference,
      tolerance,
    })
  return { by, batches: [...BATCHES], difference, tolerance }
}

/** Pixel values in (−1, 1), the same at every export. The caller disposes. */
export function samplePixels(shape: readonly [number, number, number, number]): tf.Tensor4D {
  const random = createRandom(0, 'export', 'sample')
  const size = shape.reduce((product, each) => product * each, 1)
  return tf.tensor4d(
    Float32Array.from({ length: size }, () => 2 * random.uniform() - 1),
    [...shape],
  )
}

/** ‖found − expected‖ / ‖expected‖; infinite when there is a NaN or another number of values. */
export function relativeDifference(found: Float32Array, expected: Float32Array): number {
  let [apart, size] = [0, 0]
  expected.forEach((value, i) => {
    apart += ((found[i] ?? Number.NaN) - value) ** 2
    size += value ** 2
  })
  const ratio = apart === 0 ? 0 : Math.sqrt(apart / size)
  return found.length !== expected.length || Number.isNaN(ratio) ? Infinity : ratio
}

/** Reads a graph model of this folder, as a browser would fetch it. */
function readerOf(folder: string): tf.io.IOHandler {
  return {
    async load() {
      const json = JSON.parse(await readFile(join(folder, TFJS_FILE), 'utf8')) as Record<string, unknown>
      const [{ paths, weights }] = json['weightsManifest'] as [{ paths: string[]; weights: tf.io.WeightsManifestEntry[] }]
      const shards = await Promise.all(paths.map((path) => readFile(join(folder, path))))
      return {
        modelTopology: json['modelTopology'] as object,
        signature: json['signature'] as object,
        format: 'graph-model',
        weightSpecs: weights,
        weightData: shards.map((shard) => Uint8Array.from(shard).buffer),
      }
    },
  }
}

/** The bytes of `chunks` in pieces of `size`, without laying them end to end. */
function* piecesOf(chunks: readonly Uint8Array[], size: number): Generator<readonly Uint8Array[]> {
  let [piece, room]: [Uint8Array[], number] = [[], size]
  for (const chunk of chunks)
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + room)
      piece.push(part)
      at += part.length
      room -= part.length
      if (room === 0) {
        yield piece
        ;[piece, room] = [[], size]
      }
    }
  if (piece.length > 0) yield piece
}
