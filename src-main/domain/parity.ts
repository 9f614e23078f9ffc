// What agreement with a reference looks like: one report a case, one line a kind of tensor in it.

export interface ParityGroup {
  /** What was compared: "hidden states", "gradients", "tokens". */
  readonly name: string
  /** How many tensors or values. */
  readonly compared: number
  /** Largest difference over the scale that the case's tolerance names; null where shapes differ or a number is none. */
  readonly worst: number | null
  readonly limit: number
  /** Where the largest difference is. */
  readonly at: string
}

export interface ParityReport {
  /** The case's folder, relative to the one asked about. */
  readonly name: string
  /** What kind of case it is; null: unknown. */
  readonly kind: string | null
  readonly passed: boolean
  readonly groups: readonly ParityGroup[]
  /** Why the case could not be compared; null: it was. */
  readonly fault: string | null
}
