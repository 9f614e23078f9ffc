// A study: two arms that may differ in objective and learning rate alone, spelled out as jobs in an order that works.

import { describe, expect, it } from 'vitest'
import {
  assertComparable,
  ENCODERS,
  STAGES,
  studyConfigSchema,
  studyParity,
  studyPlan,
  type Phase,
  type StudyConfig,
} from '../../src-main/domain/study.ts'
import { aStudyConfig } from '../support/builders.ts'
import { objectiveSchema, PREFERENCE_OBJECTIVES } from '../../src-main/domain/objective-config.ts'
import { faultOf } from '../support/fault-of.ts'
import { refusal } from '../support/refusal.ts'

/** The study with one setting of the DPO arm changed; `path` like "modules.projector.train". */
function withDpo(path: string, value: unknown): StudyConfig {
  const config = structuredClone(aStudyConfig()) as unknown as { stages: { dpo: Record<string, unknown> } }
  const keys = path.split('.')
  let at = config.stages.dpo
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>
  at[keys.at(-1)!] = value
  return config as unknown as StudyConfig
}

/** Every setting of a training and another value that it may have. */
const OTHERS: Readonly<Record<string, unknown>> = {
  steps: 7,
  batchSize: 5,
  gradientAccumulation: 3,
  schedule: 'constant',
  warmupRatio: 0.2,
  weightDecay: 0.1,
  adamBeta1: 0.8,
  adamBeta2: 0.9,
  adamEpsilon: 1e-4,
  maxGradientNorm: 2,
  precision: 'bfloat16',
  maxLength: 99,
  seed: 5,
  checkpointEverySteps: 9,
  ...Object.fromEntries(
    ['visionEncoder', 'projector', 'languageModel'].flatMap((module): [string, unknown][] => [
      [`modules.${module}.train`, false],
      [`modules.${module}.gradientCheckpointing`, true],
    ]),
  ),
  ...Object.fromEntries(
    ['visionEncoder', 'languageModel'].flatMap((module): [string, unknown][] => [
      [`modules.${module}.firstBlock`, 0],
      [`modules.${module}.lastBlock`, 1],
    ]),
  ),
}
/** Settings that are a group of their own where they are set. */
const GROUPS = ['modules.visionEncoder.lora', 'modules.projector.lora', 'modules.languageModel.lora']
const MAY_DIFFER: Readonly<Record<string, unknown>> = {
  learningRate: 0.5,
  'objective.beta': 0.3,
  'objective.lossType': 'ipo',
  'objective.labelSmoothing': 0.1,
  'objective.fDivergenceType': 'js_divergence',
  'objective.fAlphaDivergenceCoef': 0.7,
  'objective.discopopTau': 0.1,
  'objective.ldAlpha': 0.5,
  'objective.rpoAlpha': 0.5,
  'modules.visionEncoder.learningRate': 0.2,
  'modules.projector.learningRate': 0.2,
  'modules.languageModel.learningRate': 0.2,
}

describe('parity', () => {
  it('shows every setting of both arms once, and what the plan gives to both', () => {
    const rows = studyParity(aStudyConfig())
    const settings = rows.map(({ setting }) => setting)
    expect(new Set(settings).size).toBe(settings.length)
    expect(settings).toEqual(
      expect.arrayContaining([...Object.keys(OTHERS), ...Object.keys(MAY_DIFFER), 'objective.kind', 'starting checkpoint']),
    )
    expect(rows.find(({ setting }) => setting === 'steps')).toEqual({ setting: 'steps', sft: '3', dpo: '3', verdict: 'equal' })
    expect(rows.find(({ setting }) => setting === 'objective.kind')).toEqual({
      setting: 'objective.kind',
      sft: 'sft',
      dpo: 'dpo',
      verdict: 'differs as it may',
    })
  })

  it('knows every setting that there is: none is left out of this test', () => {
    const flat = (value: object, path = ''): string[] =>
      Object.entries(value).flatMap(([key, each]) =>
        typeof each === 'object' && each !== null ? flat(each, `${path}${key}.`) : [path + key],
      )
    expect(flat(aStudyConfig().stages.dpo).sort()).toEqual(
      [...Object.keys(OTHERS), ...Object.keys(MAY_DIFFER), ...GROUPS, 'objective.kind'].sort(),
    )
  })

  for (const [setting, value] of Object.entries(OTHERS))
    it(`refuses arms that differ in ${setting}, by name`, () => {
      const config = withDpo(setting, value)
      expect(studyParity(config).find((row) => row.setting === setting)).toMatchObject({
        dpo: String(value),
        verdict: 'must be equal',
      })
      const fault = faultOf(() => assertComparable(config))
      expect([fault.code, fault.details]).toEqual(['conflict', { settings: [setting] }])
      expect(fault.message).toContain(setting)
      expect(refusal(() => studyPlan(config))).toBe('conflict')
    })

  for (const setting of GROUPS)
    it(`refuses arms of which one has ${setting}, naming it`, () => {
      const lora = { rank: 8, alpha: 16, rankStabilised: false, targets: 'all-linear' }
      const fault = faultOf(() => assertComparable(withDpo(setting, lora)))
      expect(fault.code).toBe('conflict')
      expect(fault.details['settings']).toEqual([setting, ...Object.keys(lora).map((key) => `${setting}.${key}`)])
    })

  for (const [setting, value] of Object.entries(MAY_DIFFER))
    it(`allows arms that differ in ${setting}`, () => {
      const config = withDpo(setting, value)
      expect(studyParity(config).find((row) => row.setting === setting)).toMatchObject({
        dpo: String(value),
        verdict: 'differs as it may',
      })
      expect(() => assertComparable(config)).not.toThrow()
    })

  it('names every setting that offends, not the first alone', () => {
    const config = withDpo('steps', 7)
    const both = { ...config, stages: { ...config.stages, dpo: { ...config.stages.dpo, batchSize: 9 } } }
    expect(faultOf(() => assertComparable(both)).details['settings']).toEqual(['steps', 'batchSize'])
  })

  it('lets the DPO arm train with any objective of pairs or on its own answers, and with no other', () => {
    const config = aStudyConfig()
    const withObjective = (objective: unknown) => ({ ...config, stages: { ...config.stages, dpo: { ...config.stages.dpo, objective: objectiveSchema.parse(objective) } } })
    for (const kind of [...PREFERENCE_OBJECTIVES, 'grpo']) expect(() => assertComparable(withObjective({ kind })), kind).not.toThrow()
    for (const kind of ['sft', 'text', 'caption-words']) expect(faultOf(() => assertComparable(withObjective({ kind }))).message).toContain('stages.dpo.objective.kind')
  })

  it('refuses GRPO with several updates on the same answers: the arms would meet other prompts', () => {
    const config = withDpo('objective', objectiveSchema.parse({ kind: 'grpo', numIterations: 2 }))
    expect(faultOf(() => assertComparable(config)).message).toContain('stages.dpo.objective.numIterations: expected 1')
  })

  it('names the second arm in its title by what it trains with', () => {
    const titleOf = (kind: string) => studyPlan(withDpo('objective', objectiveSchema.parse({ kind }))).find(({ id }) => id.endsWith('/dpo'))!.title
    expect(titleOf('grpo')).toContain('GRPO on its own answers')
    expect(titleOf('mpo')).toContain('MPO on the pairs')
  })

  it('refuses an arm that has not the objective of its name', () => {
    const config = aStudyConfig()
    const swapped = { ...config, stages: { ...config.stages, sft: config.stages.dpo } }
    const fault = faultOf(() => assertComparable(swapped))
    expect(fault.code).toBe('invalid-input')
    expect(fault.message).toContain('stages.sft.objective.kind')
  })
})

/** Ids that a phase needs to be done before it. */
function needsOf(phase: Phase): readonly string[] {
  if (phase.kind === 'train') {
    const { start } = phase
    if (start.kind === 'study') return []
    return start.kind === 'checkpoint'
      ? [start.of]
      : [start.of, ...(start.languageModelOf === null ? [] : [start.languageModelOf])]
  }
  return [phase.checkpointOf, ...(phase.kind === 'evaluate' && phase.baselineOf !== null ? [phase.baselineOf] : [])]
}

const stage = { steps: 3, batchSize: 2 }
const full = studyConfigSchema.parse({
  ...aStudyConfig({ transplant: true, pretraining: true }),
  stages: { ...aStudyConfig({ pretraining: true }).stages, language: { ...stage, objective: { kind: 'text' } } },
})
const studies: Record<string, StudyConfig> = {
  'without pre-training and transplant': aStudyConfig(),
  'with everything': full,
  'with an encoder from nothing only': aStudyConfig({ pretraining: true, transplant: true }),
  'with a language model from nothing only': { ...full, stages: { ...full.stages, pretraining: null } },
}

for (const [name, config] of Object.entries(studies))
  describe(`the plan of a study ${name}`, () => {
    const plan = studyPlan(config)

    it('has an id for each phase, and gives the same plan again', () => {
      expect(new Set(plan.map(({ id }) => id)).size).toBe(plan.length)
      expect(studyPlan(structuredClone(config))).toEqual(plan)
    })

    it('names only phases that come earlier, of the same seed and of training', () => {
      plan.forEach((phase, at) => {
        for (const id of needsOf(phase)) {
          const earlier = plan.slice(0, at).find((each) => each.id === id)
          expect(earlier, `${phase.id} needs ${id}`).toMatchObject({ kind: 'train', seed: phase.seed })
        }
      })
    })

    it('keeps the ids of a seed when other seeds are added', () => {
      const more = studyPlan({ ...config, seeds: [...config.seeds, 77] })
      expect(more.slice(0, plan.length)).toEqual(plan)
    })

    it('gives both arms the same start, the same data and the same seed', () => {
      for (const seed of config.seeds) {
        const [sft, dpo] = ['sft', 'dpo'].map((arm) => plan.find(({ id }) => id === `seed-${seed}/${arm}`)) as [Phase, Phase]
        const shared = (phase: Phase) =>
          phase.kind === 'train' ? [phase.start, phase.data, phase.training.seed, phase.training.steps] : null
        expect(shared(sft)).not.toBeNull()
        expect(shared(dpo)).toEqual(shared(sft))
      }
    })

    it('trains with the seed of the study, whatever the stage said', () => {
      for (const phase of plan) if (phase.kind === 'train') expect(phase.training.seed).toBe(phase.seed)
    })

    it('measures and exports each encoder of each seed once', () => {
      for (const seed of config.seeds)
        for (const encoder of ENCODERS) {
          const of = plan.filter((phase) => phase.seed === seed && phase.kind !== 'train' && phase.encoder === encoder)
          expect(of.filter(({ kind }) => kind === 'export').length).toBe(1)
          expect(of.filter((phase) => phase.kind === 'evaluate' && phase.metricPrefix === null).length).toBe(1)
          expect(of.filter((phase) => phase.kind === 'evaluate' && phase.metricPrefix === 'transplant').length).toBe(
            config.transplant === null ? 0 : 1,
          )
        }
    })

    it('transplants every encoder with one training, differing in the encoder alone', () => {
      const transplants = plan.flatMap((phase) =>
        phase.kind === 'train' && phase.stage === 'transplant' && phase.seed === config.seeds[0] ? [phase] : [],
      )
      expect(transplants.length).toBe(config.transplant === null ? 0 : ENCODERS.length)
      for (const { training, data, start } of transplants) {
        expect([training, data]).toEqual([transplants[0]!.training, transplants[0]!.data])
        expect({ ...start, of: '' }).toEqual({ ...transplants[0]!.start, of: '' })
      }
      expect(new Set(transplants.map(({ start }) => (start.kind === 'transplant' ? start.of : ''))).size).toBe(transplants.length)
    })
  })

it('every stage that a plan can have is named', () => {
  const used = new Set(studyPlan(full).flatMap((phase) => (phase.kind === 'train' ? [phase.stage] : [])))
  expect([...used].sort()).toEqual([...STAGES].sort())
})

it('a repeated seed is refused: it would be counted as evidence twice', () => {
  expect(studyConfigSchema.safeParse({ ...aStudyConfig(), seeds: [3, 1, 3] }).success).toBe(false)
  expect(studyConfigSchema.safeParse({ ...aStudyConfig(), seeds: [3, 1] }).success).toBe(true)
  expect(studyConfigSchema.safeParse({ ...aStudyConfig(), seeds: [] }).success).toBe(false)
})
