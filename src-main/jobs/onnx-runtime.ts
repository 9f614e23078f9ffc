// The only door to ONNX Runtime, which checks an export and computes nothing else. It is optional: without it an export says
// that it was not verified.

import { createRequire } from 'node:module'

const requirePackage = createRequire(import.meta.url)

export interface OnnxSession {
  /** @param pixels row-major @returns each output's values, row-major */
  run(name: string, pixels: Float32Array, shape: readonly number[]): Promise<Readonly<Record<string, Float32Array>>>
  close(): Promise<void>
}

export interface OnnxRuntime {
  /** Name and version. */
  readonly name: string
  /** Opens the model file, and the data file that it names. */
  open(path: string): Promise<OnnxSession>
}

/** null: not installed, or not for this machine. */
export function openOnnxRuntime(): OnnxRuntime | null {
  try {
    const { InferenceSession, Tensor } = requirePackage('onnxruntime-node') as typeof import('onnxruntime-node')
    const { version } = requirePackage('onnxruntime-node/package.json') as { readonly version: string }
    return {
      name: `onnxruntime ${version}`,
      async open(path) {
        const session = await InferenceSession.create(path, { logSeverityLevel: 3 })
        return {
          async run(name, pixels, shape) {
            const outputs = await session.run({ [name]: new Tensor('float32', pixels, shape) })
            return Object.fromEntries(Object.entries(outputs).map(([each, { data }]) => [each, data as Float32Array]))
          },
          close: () => session.release(),
        }
      },
    }
  } catch {
    return null
  }
}
