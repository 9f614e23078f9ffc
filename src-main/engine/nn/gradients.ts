// Reverse-mode differentiation over TensorFlow.js's own tape. Its tf.grads keeps every intermediate gradient and every
// saved activation until the whole backward pass has ended; this frees each as soon as it has been used, which halves
// the peak memory of a training step, and keeps nothing at all of what does not depend on the weights asked for: the
// activations of a frozen module. It may be used inside a gradient (recomputation needs that), where tf.grads loses the
// outer tape.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'

/** One kernel's record on the tape, as tfjs-core 4.22 writes it. */
interface TapeNode {
  readonly inputs: Readonly<Record<string, tf.Tensor>>
  readonly outputs: readonly tf.Tensor[]
  readonly saved: readonly tf.Tensor[] | undefined
  readonly gradient?: (dys: readonly (tf.Tensor | undefined)[]) => Readonly<Record<string, () => tf.Tensor>>
  readonly kernelName: string
}
/** The part of tfjs-core's engine that records: public at run time, private in its types. */
interface Recorder {
  startTape(): void
  endTape(): void
  readonly state: { activeTape: { push(node: TapeNode): unknown } | null }
}

/**
 * f's value and ∂f/∂x for every x; Σ(dy·∂f/∂x) when f is not a scalar.
 * @param dy  of f's value's shape; null: ones
 * @returns gradients in the order of `xs`, zeros where f does not depend on x. The caller disposes all (or its tidy does).
 * @throws LabError 'internal' naming a kernel without a gradient
 */
export function gradients(f: () => tf.Tensor, xs: readonly tf.Tensor[], dy: tf.Tensor | null = null): { value: tf.Tensor; gradients: tf.Tensor[] } {
  const { value, gradients: found } = gradientsOfReached(f, xs, dy)
  return { value, gradients: found.map((gradient, i) => gradient ?? tf.zerosLike(xs[i]!)) }
}

/** The same, with undefined for each x that f does not depend on. */
export function gradientsOfReached(
  f: () => tf.Tensor,
  xs: readonly tf.Tensor[],
  dy: tf.Tensor | null = null,
): { value: tf.Tensor; gradients: (tf.Tensor | undefined)[] } {
  const recorder = tf.engine() as unknown as Recorder
  const fromX = new Set(xs.map((x) => x.id))
  const result = tf.tidy(() => {
    const tape: TapeNode[] = []
    const outer = recorder.state.activeTape
    recorder.startTape()
    recorder.state.activeTape = {
      push(node) {
        if (Object.values(node.inputs).some((input) => fromX.has(input.id))) {
          node.outputs.forEach(({ id }) => fromX.add(id))
          tape.push(node)
        } else node.saved?.forEach((tensor) => tensor.dispose())
      },
    }
    try {
      let value: tf.Tensor
      try {
        value = tf.tidy(f)
      } finally {
        recorder.endTape()
        recorder.state.activeTape = outer
      }
      return [value, ...backward(tape, value, xs, dy, fromX)]
    } finally {
      // No tidy frees what the tape saved: out of memory half way, all of it would stay for good.
      for (const { saved } of tape) saved?.forEach((tensor) => tensor.dispose())
    }
  })
  return { value: result[0]!, gradients: result.slice(1) }
}

/** @param tape  only nodes that depend on one of `xs`   @param fromX  ids of all tensors that do */
function backward(
  tape: readonly TapeNode[],
  y: tf.Tensor,
  xs: readonly tf.Tensor[],
  dy: tf.Tensor | null,
  fromX: ReadonlySet<number>,
): (tf.Tensor | undefined)[] {
  const wanted = new Set(xs.map((x) => x.id))
  const arrived = new Map<number, tf.Tensor>([[y.id, dy === null ? tf.onesLike(y) : tf.clone(dy)]])
  for (const node of [...tape].reverse()) {
    const dys = node.outputs.map(({ id }) => arrived.get(id))
    const inputs = Object.entries(node.inputs).filter(([, input]) => fromX.has(input.id))
    if (dys.some((each) => each !== undefined)) {
      if (node.gradient === undefined) throw new LabError('internal', `the kernel ${node.kernelName} has no gradient`, { kernel: node.kernelName })
      const dxs = tf.tidy(() => {
        const thunks = node.gradient!(dys)
        // A kernel may hand dy on as it is; a clone shares its memory and has a life of its own.
        return inputs.map(([name]) => tf.clone(thunks[name]!()))
      })
      inputs.forEach(([, { id }], i) => {
        const before = arrived.get(id)
        arrived.set(id, before === undefined ? dxs[i]! : tf.add(before, dxs[i]!))
        if (before !== undefined) tf.dispose([before, dxs[i]!])
      })
    }
    for (const { id } of node.outputs)
      if (!wanted.has(id)) {
        arrived.get(id)?.dispose()
        arrived.delete(id)
      }
    node.saved?.forEach((tensor) => tensor.dispose())
  }
  return xs.map((x) => arrived.get(x.id))
}
