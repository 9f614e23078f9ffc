// One list of all encoders: arms of studies, checkpoints of runs, folders that were brought in. What they are is read from
// studies, runs and checkpoints; only a colour and brought-in folders have rows of their own.

import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { armId, checkpointId, nextColour, type EncoderRow } from '../domain/encoder.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike } from '../domain/job.ts'
import { unusualName } from '../domain/objective-config.ts'
import { parse } from '../domain/parse.ts'
import type { RunRow } from '../domain/run-view.ts'
import { encoderNames, ENCODERS, type EncoderName, type StageName } from '../domain/study.ts'
import type { StoredEncoder } from '../store/encoders.ts'
import type { StoredStudy } from '../store/studies.ts'
import { answerOf } from './answer-of.ts'
import type { Parts } from './parts.ts'

/** What a job tells of a folder that holds an encoder. */
const encoderFactsSchema = z.strictObject({ sha256: z.string(), preprocessing: z.array(z.string()) })

/** One set of weights that can be measured. */
export interface MeasurableEncoder {
  readonly id: string
  readonly name: string
  readonly folder: string
  readonly seed: number | null
}

/** Of the stages that leave no encoder of a study. */
const STAGE_LABELS: Readonly<Partial<Record<StageName, string>>> = {
  language: 'Stage 0, language',
  pretraining: 'Stage 0',
  alignment: 'Stage 1a',
  transplant: 'Transplant',
}
const STAGE_OF: Readonly<Record<EncoderName, StageName>> = { 'stage-1': 'instruction', sft: 'sft', dpo: 'dpo' }

type Bare = Omit<EncoderRow, 'colour' | 'results' | 'name'>

export type EncoderService = ReturnType<typeof createEncoderService>

export function createEncoderService({ store, runner, queue, now }: Parts) {
  /** Checkpoint folders never change. */
  const preprocessings = new Map<string, readonly string[] | null>()

  function ofCheckpoints(): Bare[] {
    const all = store.studies.list()
    const studies = new Map(all.map((study) => [study.id, study]))
    const studyNames = new Map(all.map(({ id, name, createdAtMs }) => [id, all.filter((each) => each.name === name).length > 1 ? `${name} of ${minuteOf(createdAtMs)}` : name]))
    const stages = new Map([...studies.keys()].flatMap((id) => store.studyPhases.ofStudy(id).flatMap(({ runId, stage }) => (runId === null ? [] : [[runId, stage] as const]))))
    return store.runs.list().toReversed().flatMap(({ row, config }) => {
      const stage = stages.get(row.id) ?? null
      const study = row.studyId === null ? null : (studies.get(row.studyId) ?? null)
      // Nothing there has learned to see.
      if (stage === 'language') return []
      const checkpoints = store.checkpoints.list(row.id)
      return checkpoints.map(({ step, folder, sha256, createdAtMs }): Bare => {
        const id = checkpointId(row.id, step)
        const isLast = step === checkpoints.at(-1)!.step && step === row.steps
        return {
          id,
          kind: 'checkpoint',
          shortName: `${labelOf(row, stage, study)}${isLast ? '' : `, step ${step}`}`,
          studyId: study?.id ?? null,
          study: study === null ? null : studyNames.get(study.id)!,
          arm: ENCODERS.find((encoder) => STAGE_OF[encoder] === stage) ?? null,
          stage,
          seeds: [config.training.seed],
          runId: row.id,
          step,
          folder,
          sha256,
          preprocessing: null,
          members: [id],
          isAvailable: existsSync(folder),
          createdAtMs,
        }
      })
    })
  }

  /** An arm stands for the newest checkpoint of each seed that has one. */
  function ofArms(checkpoints: readonly Bare[]): Bare[] {
    return store.studies.list().flatMap((study) =>
      ENCODERS.flatMap((arm): Bare[] => {
        const own = checkpoints.filter((each) => each.studyId === study.id && each.arm === arm)
        const newest = [...Map.groupBy(own, ({ runId }) => runId).values()].map((of) => of.reduce((a, b) => (b.step! > a.step! ? b : a)))
        const members = newest.toSorted((a, b) => a.seeds[0]! - b.seeds[0]!)
        if (members.length === 0) return []
        return [
          {
            ...members[0]!,
            id: armId(study.id, arm),
            kind: 'arm',
            shortName: armLabel(arm, study),
            seeds: members.flatMap(({ seeds }) => seeds),
            runId: null,
            step: null,
            folder: null,
            sha256: null,
            members: members.map(({ id }) => id),
            isAvailable: members.every(({ isAvailable }) => isAvailable),
            createdAtMs: study.createdAtMs,
          },
        ]
      }),
    )
  }

  const ofFolders = (stored: readonly StoredEncoder[]): Bare[] =>
    stored.flatMap(({ id, name, folder, sha256, preprocessing, createdAtMs }): Bare[] =>
      folder === null
        ? []
        : [
            {
              id,
              kind: 'folder',
              shortName: name!,
              studyId: null,
              study: null,
              arm: null,
              stage: null,
              seeds: [],
              runId: null,
              step: null,
              folder,
              sha256,
              preprocessing: preprocessing && [...preprocessing],
              members: [id],
              isAvailable: existsSync(join(folder, 'config.json')),
              createdAtMs,
            },
          ],
    )

  /** Colours in the order in which encoders came; a reader gives out the next ones without keeping them. */
  function coloursOf(rows: readonly Bare[], stored: readonly StoredEncoder[]): ReadonlyMap<string, number> {
    const colours = new Map(stored.map(({ id, colour }) => [id, colour]))
    const taken = new Set(colours.values())
    const fresh = rows
      .filter(({ id }) => !colours.has(id))
      .toSorted((a, b) => Number(a.kind !== 'arm') - Number(b.kind !== 'arm') || a.createdAtMs - b.createdAtMs || order(a) - order(b) || (a.id < b.id ? -1 : 1))
    const insert = () => {
      for (const { id, kind, arm, createdAtMs } of fresh) {
        const colour = nextColour(kind === 'arm' ? arm : null, taken)
        taken.add(colour)
        colours.set(id, colour)
        if (store.access === 'write') store.encoders.insert({ id, colour, name: null, folder: null, sha256: null, preprocessing: null, createdAtMs })
      }
    }
    if (fresh.length > 0) store.access === 'write' ? store.transaction(insert) : insert()
    return colours
  }

  function list(): readonly EncoderRow[] {
    const stored = store.encoders.list()
    const counts = store.evaluations.resultCounts()
    // A run keeps its newest weights; of the others those matter that were measured.
    const checkpoints = ofCheckpoints().filter(({ id, isAvailable }) => isAvailable || counts.has(id))
    const rows = [...ofArms(checkpoints), ...ofFolders(stored), ...checkpoints]
    const colours = coloursOf(rows, stored)
    const names = uniqueNames(rows)
    return rows.map((row) => ({
      ...row,
      name: names.get(row.id)!,
      // An arm's checkpoints have one preprocessing: they come from one start.
      preprocessing: row.preprocessing ?? preprocessingIn(row.folder ?? rows.find(({ id }) => id === row.members[0])?.folder ?? null),
      colour: colours.get(row.id)!,
      results: row.members.reduce((sum, id) => sum + (counts.get(id) ?? 0), 0),
    }))
  }

  function preprocessingIn(folder: string | null): string[] | null {
    if (folder === null) return null
    const known = preprocessings.get(folder)
    if (known !== undefined) return known && [...known]
    const words = wordsOfProcessor(join(folder, 'preprocessor_config.json'))
    preprocessings.set(folder, words)
    return words
  }

  /** @throws LabError 'not-found' naming those that there are */
  function find(id: string): EncoderRow {
    const found = list().find((each) => each.id === id)
    if (found === undefined) throw new LabError('not-found', `there is no encoder "${id}"; lab encoders lists them`, { encoder: id })
    return found
  }

  return {
    list,
    find,
    /** In the order asked for. @throws LabError 'not-found' */
    findAll(ids: readonly string[]): readonly EncoderRow[] {
      const rows = new Map(list().map((each) => [each.id, each]))
      return ids.map((id) => rows.get(id) ?? find(id))
    },
    /** The weights to be measured, one a seed. @throws LabError 'not-found' also where an encoder's weights are gone */
    measurable(ids: readonly string[]): readonly MeasurableEncoder[] {
      const rows = new Map(list().map((each) => [each.id, each]))
      const members = [...new Set(ids.flatMap((id) => (rows.get(id) ?? find(id)).members))]
      return members.map((id) => {
        const { name, folder, seeds, isAvailable } = rows.get(id)!
        if (!isAvailable || folder === null)
          throw new LabError('not-found', `${name}: its weights are no longer at ${folder ?? 'any place'}; choose another checkpoint of the run`, { encoder: id })
        return { id, name, folder, seed: seeds[0] ?? null }
      })
    },
    /** A run's id, an encoder's id or a model's folder → the encoder; null: a folder that is not in the list. */
    idOf(model: string): string | null {
      const newest = store.checkpoints.newest(model)
      if (newest !== null) return checkpointId(model, newest.step)
      const folder = resolve(model)
      return list().find((each) => each.id === model || (each.folder !== null && resolve(each.folder) === folder))?.id ?? null
    },
    /**
     * Brings in a folder: a vision encoder, a dual encoder or a whole multimodal model as Hugging Face's libraries write them.
     * The same weights brought in again are the same encoder.
     * @throws LabError 'not-found', 'corrupt-artifact', 'invalid-input' naming what the lab cannot read
     */
    async add(path: string, name: string | null, signal: AbortSignalLike): Promise<EncoderRow> {
      const folder = resolve(path)
      let facts: z.output<typeof encoderFactsSchema> | null = null
      await queue.add(async () => {
        facts = await answerOf(runner({ kind: 'encoder-facts', folder }, signal), encoderFactsSchema, 'encoder facts')
      })
      const { sha256, preprocessing } = facts!
      const id = `folder-${sha256.slice(0, 16)}`
      const stored = store.encoders.list()
      const known = stored.find((each) => each.id === id)
      const colour = known?.colour ?? nextColour(null, new Set(stored.map((each) => each.colour)))
      store.encoders.insert({ id, colour, name: name ?? known?.name ?? basename(folder), folder, sha256, preprocessing, createdAtMs: known?.createdAtMs ?? now() })
      return find(id)
    },
    /** @throws LabError 'not-found', 'conflict' for one that is named by its run or study */
    rename(id: string, name: string): void {
      const { kind } = find(id)
      if (kind !== 'folder') throw new LabError('conflict', `"${id}" is named after its ${kind === 'arm' ? 'study' : 'run'}: rename that`, { encoder: id })
      store.encoders.rename(id, name)
    },
    /** Takes a folder out of the list. Its files and what was measured stay. */
    remove(id: string): void {
      const { kind } = find(id)
      if (kind !== 'folder') throw new LabError('conflict', `"${id}" belongs to a ${kind === 'arm' ? 'study' : 'run'}: delete that`, { encoder: id })
      store.encoders.forget(id)
    },
  }
}

/** "2026-11-24 17:12": what tells studies of one name apart. */
const minuteOf = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')

/** What an arm is called: by its objective where that is not the usual one. */
function armLabel(arm: EncoderName, { config }: StoredStudy): string {
  const unusual = arm === 'dpo' ? unusualName(config.stages.dpo.objective) : null
  return unusual ?? encoderNames(config)[arm]
}

function labelOf(row: RunRow, stage: StageName | null, study: StoredStudy | null): string {
  if (study === null || stage === null) return row.name
  const arm = ENCODERS.find((encoder) => STAGE_OF[encoder] === stage)
  const seed = /^seed-(\d+)\//.exec(row.phaseId ?? '')?.[1]
  const of = stage === 'transplant' ? ENCODERS.find((encoder) => row.phaseId?.includes(`/${encoder}/`)) : undefined
  const label = arm === undefined ? (STAGE_LABELS[stage] ?? stage) : armLabel(arm, study)
  return `${label}${of === undefined ? '' : ` of ${armLabel(of, study)}`}${seed === undefined ? '' : `, seed ${seed}`}`
}

const order = ({ arm }: Bare) => (arm === null ? ENCODERS.length : ENCODERS.indexOf(arm))

/** With what they belong to; where two are still alike, with their id. */
function uniqueNames(rows: readonly Bare[]): ReadonlyMap<string, string> {
  const long = rows.map((row) => ({ id: row.id, name: row.study === null ? row.shortName : `${row.shortName} · ${row.study}` }))
  const counts = Map.groupBy(long, ({ name }) => name)
  return new Map(long.map(({ id, name }) => [id, counts.get(name)!.length > 1 ? `${name} (${id})` : name]))
}

const numbers = z.array(z.number())
const sides = z.union([z.number(), z.record(z.string(), z.number())])
const processorSchema = z.object({
  size: sides.exactOptional(),
  crop_size: sides.exactOptional(),
  do_resize: z.boolean().default(true),
  do_center_crop: z.boolean().default(false),
  image_mean: numbers.exactOptional(),
  image_std: numbers.exactOptional(),
})

/** The processor of a checkpoint of the lab in words; null where there is none that can be read. */
function wordsOfProcessor(file: string): string[] | null {
  if (!existsSync(file)) return null
  try {
    const { size, crop_size, do_resize, do_center_crop, image_mean, image_std } = parse(processorSchema, JSON.parse(readFileSync(file, 'utf8')), 'corrupt-artifact', file)
    const text = (given: z.output<typeof sides>) =>
      typeof given === 'number' ? String(given) : given['shortest_edge'] !== undefined ? `shorter side ${given['shortest_edge']}` : `${given['width']} × ${given['height']}`
    return [
      ...(do_resize && size !== undefined ? [`resize to ${text(size)}`] : []),
      ...(do_center_crop && crop_size !== undefined ? [`middle ${text(crop_size)}`] : []),
      ...(image_mean === undefined || image_std === undefined ? [] : [`mean ${image_mean.map(short).join(' ')}, spread ${image_std.map(short).join(' ')}`]),
    ]
  } catch {
    return null
  }
}

const short = (value: number) => String(Number(value.toPrecision(3)))
