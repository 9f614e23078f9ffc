// Compiled programs on disk: a folder each, named by what decides its content, with `saved_model.pb` and `program.json`.
// A folder appears under its name only when complete (written aside, then renamed), and its graph is checked against the hash
// in program.json before use. What fails the check is removed and written anew. Weights are never in it.

import { createHash, randomUUID } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { DATA_TYPES, type RecordedType } from '../../engine/compile/recording.ts'

const tensorSpecSchema = z.strictObject({
  name: z.string(),
  dtype: z.enum(Object.keys(DATA_TYPES) as [RecordedType, ...RecordedType[]]),
  shape: z.array(z.int().min(0)),
})

const layoutSchema = z.strictObject({
  inputs: z.array(tensorSpecSchema),
  variables: z.array(tensorSpecSchema),
  outputs: z.array(z.string()),
  /** Names of the variables the step assigns. */
  assigned: z.array(z.string()),
  indexLimits: z.array(z.strictObject({ input: z.int().min(0), limit: z.int().min(0) })),
})

const programSchema = z.strictObject({ layout: layoutSchema, graphSha256: z.string(), graphBytes: z.int() })

/** What a caller must know of a program to feed it; the graph itself is TensorFlow's business. */
export type ProgramLayout = z.output<typeof layoutSchema>

const GRAPH = 'saved_model.pb'
const DESCRIPTION = 'program.json'
/** Programs kept; the least recently used go first. A program of the demo's size is about half a megabyte. */
const KEPT_PROGRAMS = 200
const HOUR_MS = 3_600_000

export class ProgramCache {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true })
    this.#sweep()
  }

  /** The folder and layout of a stored program; undefined when there is none or what is there is damaged. */
  find(key: string): { readonly folder: string; readonly layout: ProgramLayout } | undefined {
    const folder = join(this.#folder, key)
    if (!existsSync(folder)) return undefined
    const layout = readProgram(folder)
    if (layout === undefined) {
      rmSync(folder, { recursive: true, force: true })
      return undefined
    }
    const now = new Date()
    utimesSync(folder, now, now)
    return { folder, layout }
  }

  store(key: string, graph: Uint8Array, layout: ProgramLayout): string {
    const folder = join(this.#folder, key)
    const aside = join(this.#folder, `${ASIDE}${randomUUID()}`)
    mkdirSync(aside)
    try {
      writeFileSync(join(aside, GRAPH), graph, { flush: true })
      const description = { layout, graphSha256: sha256(graph), graphBytes: graph.length }
      writeFileSync(join(aside, DESCRIPTION), JSON.stringify(description), { flush: true })
      // Somebody else may have stored the same program meanwhile; theirs is as good.
      if (!existsSync(folder)) renameSync(aside, folder)
    } finally {
      rmSync(aside, { recursive: true, force: true })
    }
    return folder
  }

  /** Removes what a killed process left behind, and the oldest programs above the limit. */
  #sweep(): void {
    const entries = readdirSync(this.#folder).map((name) => ({ path: join(this.#folder, name), name }))
    const ages = entries.flatMap(({ path, name }) => {
      const age = statSync(path, { throwIfNoEntry: false })?.mtimeMs
      return age === undefined ? [] : [{ path, name, modifiedMs: age }]
    })
    const newestFirst = ages.filter(({ name }) => !name.startsWith(ASIDE)).sort((a, b) => b.modifiedMs - a.modifiedMs)
    const abandoned = ages.filter(({ name, modifiedMs }) => name.startsWith(ASIDE) && Date.now() - modifiedMs > HOUR_MS)
    for (const { path } of [...abandoned, ...newestFirst.slice(KEPT_PROGRAMS)]) rmSync(path, { recursive: true, force: true })
  }
}

const ASIDE = '.writing-'

/** A key for `ProgramCache`: the hash of everything that decides the program. */
export function programKey(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  // The length before each part: ('ab', 'c') is not ('a', 'bc').
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('hex').slice(0, 40)
}

function readProgram(folder: string): ProgramLayout | undefined {
  try {
    const { layout, graphSha256 } = programSchema.parse(JSON.parse(readFileSync(join(folder, DESCRIPTION), 'utf8')))
    return sha256(readFileSync(join(folder, GRAPH))) === graphSha256 ? layout : undefined
  } catch {
    return undefined
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
