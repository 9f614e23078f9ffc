// A sweep carried out: seed after seed through the grid, so that the rule that stops settings has something to go by; each training
// and measurement is found again by the task and what it is of.

import { existsSync, readFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { LabError } from '../../domain/errors.ts'
import type { ExperimentOf } from '../../domain/experiment.ts'
import type { EvaluateJob } from '../../domain/job.ts'
import { freshModels } from '../../domain/fresh-models.ts'
import type { Module } from '../../domain/model-spec.ts'
import { parse } from '../../domain/parse.ts'
import { createRandom } from '../../domain/random.ts'
import { runConfigSchema } from '../../domain/run-config.ts'
import { checkpointId } from '../../domain/encoder.ts'
import { evaluatorOf, isCell, sizeCurves, stillRunning, sweepCells, sweepCurves, type SweepCell, type SweepPoint, type SweepSize } from '../../domain/sweep.ts'
import type { TaskPlan } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import { writeTextWhole } from '../report/write-text.ts'
import type { ExperimentServices } from './experiments.ts'
import { createFreshStarts } from './fresh-starts.ts'
import { measuredPhase } from './measured-phase.ts'

interface Subset {
  readonly sha256: string
  readonly samples: number
}

const MS_PER_HOUR = 3_600_000

export function sweep(parts: Parts, services: ExperimentServices, request: ExperimentOf<'sweep'>): TaskPlan {
  const { store, project } = parts
  const { settings } = request
  const fresh = settings.fresh === null ? [] : freshModels(settings.fresh)
  if (request.encoders.length + fresh.length === 0) throw new LabError('invalid-input', 'encoders: expected a model to start from, found none; name one, or sizes to be made (settings.fresh)', { path: ['encoders'] })
  const cells = sweepCells(settings, [...request.encoders, ...fresh.map(({ label }) => label)])
  /** What is the same in all goes unsaid. */
  const startWords = new Set(cells.map(({ start }) => start)).size < 2 ? null : new Map(services.encoders.list().map(({ id, shortName }) => [id, shortName]))
  const wordsOf = (cell: SweepCell) => wordsOfCell(cell, startWords && (startWords.get(cell.start) ?? cell.start))
  const subsets = new Map<string, Subset>()
  const sizes = new Map<string, SweepSize | null>()
  return {
    title: `${request.name}: ${cells.length} settings, ${settings.seeds.length} ${settings.seeds.length === 1 ? 'seed' : 'seeds'}`,
    async work(work) {
      const evaluator = evaluatorOf(settings.metric)
      const snapshot = await services.datasets.snapshotOf(request.dataset)
      const snapshots: EvaluateJob['snapshots'] = { questions: null, preferences: null, objects: null, captions: null }
      for (const role of Object.keys(snapshots) as (keyof typeof snapshots)[]) {
        const name = request.measuredOn[role]
        if (name !== null) snapshots[role] = await services.datasets.snapshotOf(name)
      }
      const freshStarts = settings.fresh === null ? null : createFreshStarts(parts, services, request, settings.fresh, work)
      const points: SweepPoint[] = []
      const notes: string[] = []
      let [left, runs, workedMs] = [cells, 0, 0]
      const isSpent = () => runs >= settings.budget.runs || (settings.budget.hours !== null && workedMs >= settings.budget.hours * MS_PER_HOUR)

      for (const seed of settings.seeds) {
        for (const cell of left) {
          if (isSpent()) break
          const start = await startOf(cell.start, seed)
          if (start === null || isSpent()) break
          const all = cells.length * settings.seeds.length
          work.piece(points.length + 1, all)
          const point = await trained(cell, seed, start, `${points.length + 1} of ${all}: ${wordsOf(cell)}, seed ${seed}`)
          runs += 1
          points.push(point)
        }
        if (isSpent()) break
        const next = stillRunning(left, points, settings.stopMargin)
        for (const cell of left) if (!next.includes(cell)) notes.push(`${wordsOf(cell)}: stopped after ${points.filter(isCell(cell)).length} of ${settings.seeds.length} seeds, more than ${settings.stopMargin} behind the best`)
        left = next
      }
      const undone = settings.seeds.length * cells.length - points.length
      if (isSpent() && undone > 0) notes.push(`the budget of ${settings.budget.runs} runs${settings.budget.hours === null ? '' : ` and ${settings.budget.hours} hours`} ended it: ${undone} trainings were not begun or were stopped by the rule`)
      if (cells.some((cell) => points.filter(isCell(cell)).length > 0) && settings.arms.some(({ learningRates, betas }) => (learningRates?.length ?? 1) * (betas?.length ?? 1) > 1))
        notes.push('each curve shows the best setting by the very score that it shows, which favours arms with more settings: confirm it on other data')
      return { kind: 'sweep', metric: settings.metric, points, curves: [...sweepCurves(points, settings.metric)], sizeCurves: [...sizeCurves(points, settings.metric)], notes }

      /** The folder of a model to start from, made first where it is a fresh one; null: the budget was spent over it. */
      async function startOf(named: string, seed: number): Promise<string | null> {
        const model = fresh.find(({ label }) => label === named)
        if (model !== undefined)
          return freshStarts!.of(model, seed, (runId) => {
            runs += 1
            workedMs += store.runs.find(runId)!.row.workedMs
            return !isSpent()
          })
        const members = services.encoders.measurable([named])
        return (members.find((each) => each.seed === seed) ?? members[0]!).folder
      }

      async function trained(cell: SweepCell, seed: number, start: string, about: string): Promise<SweepPoint> {
        const arm = settings.arms.find(({ label }) => label === cell.arm)!
        const { sha256, samples } = await subset(snapshot, cell.dataSize)
        const perStep = arm.training.batchSize * arm.training.gradientAccumulation
        const objective = cell.beta === null ? arm.training.objective : { ...arm.training.objective, beta: cell.beta }
        const steps = settings.epochs === null ? arm.training.steps : Math.max(1, Math.round((samples * settings.epochs) / perStep))
        const training = { ...arm.training, objective, learningRate: cell.learningRate, steps, seed }
        const config = parse(runConfigSchema, { training, snapshot: sha256, start: { kind: 'checkpoint', folder: start }, images: null }, 'invalid-input', cell.arm)
        const phaseId = `${work.taskId}/${JSON.stringify(cell)}/seed-${seed}`
        const runId = await services.runs.trained({ name: `${request.name}: ${wordsOf(cell)}, seed ${seed}`, dataset: request.dataset, config, phaseId }, work.signal, (event) => {
          if (event.kind === 'step') work.progress(`training, ${about}`, event.step, event.of)
        })
        workedMs += store.runs.find(runId)!.row.workedMs
        const job: EvaluateJob = { kind: 'evaluate', project, checkpoint: services.runs.newestCheckpoint(runId), baseline: null, evaluators: [evaluator], settings: settings.evaluation, snapshots }
        const encoderId = checkpointId(runId, store.checkpoints.newest(runId)!.step)
        const { evaluationId, scores } = await measuredPhase(parts, { work, phaseId, about, job, seed, encoderId, protocol: null })
        const score = scores.find(({ metric }) => metric === settings.metric)
        if (score === undefined)
          throw new LabError('invalid-input', `metric: expected one of ${scores.map(({ metric }) => metric).join(', ')}, got "${settings.metric}"`)
        return { ...cell, seed, runId, evaluationId, score: score.value, size: await sizeOf(start) }
      }
    },
  }

  /** Parameters of a model's modules, as its folder says; null where it lacks one. */
  async function sizeOf(folder: string): Promise<SweepSize | null> {
    const known = sizes.get(folder)
    if (known !== undefined) return known
    let found: SweepSize | null = null
    for await (const event of parts.runner({ kind: 'inspect', folder }, { aborted: false })) {
      if (event.kind !== 'inspection') continue
      const of = (name: Module) => event.inspection.modules.find(({ module }) => module === name)?.parameters
      const [visionEncoder, languageModel] = [of('visionEncoder'), of('languageModel')]
      found = visionEncoder === undefined || languageModel === undefined ? null : { visionEncoder, languageModel }
    }
    sizes.set(folder, found)
    return found
  }

  /** The training samples of a snapshot, the first `size` of them in an order that is the same for every size: small sets lie in large ones. */
  async function subset(snapshot: string, size: number | null): Promise<Subset> {
    const known = subsets.get(`${snapshot} ${size}`)
    if (known !== undefined) return known
    const lines = readFileSync(join(project, 'snapshots', `${snapshot}.jsonl`), 'utf8').split('\n').filter((line) => line !== '' && (JSON.parse(line) as { split: string }).split === 'train')
    if (size !== null && size > lines.length)
      throw new LabError('invalid-input', `dataSizes: "${request.dataset}" has ${lines.length} training samples, found ${size}; choose at most as many`, { size })
    const made = size === null ? { sha256: snapshot, samples: lines.length } : await writeSubset(createRandom(0, 'sweep', snapshot).shuffle(lines).slice(0, size))
    subsets.set(`${snapshot} ${size}`, made)
    return made
  }

  async function writeSubset(lines: readonly string[]): Promise<Subset> {
    const text = lines.map((line) => `${line}\n`).join('')
    const sha256 = createHash('sha256').update(text).digest('hex')
    const file = join(project, 'snapshots', `${sha256}.jsonl`)
    if (!existsSync(file)) await writeTextWhole(file, text)
    return { sha256, samples: lines.length }
  }
}

function wordsOfCell({ arm, dataSize, learningRate, beta }: SweepCell, start: string | null): string {
  return [arm, start === null ? null : `from ${start}`, dataSize === null ? null : `${dataSize} samples`, `learning rate ${learningRate}`, beta === null ? null : `β ${beta}`].filter((each) => each !== null).join(', ')
}
