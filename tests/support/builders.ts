// Values that hold, to be overridden where a test is about them.

import type { ImportedSample } from '../../src-main/domain/import-event.ts'
import { runConfigSchema, type RunConfig } from '../../src-main/domain/run-config.ts'
import { studyConfigSchema, type StudyConfig } from '../../src-main/domain/study.ts'

export function aRunConfig(overrides: { readonly steps?: number; readonly objective?: 'sft' | 'dpo' } = {}): RunConfig {
  return runConfigSchema.parse({
    training: { steps: overrides.steps ?? 4, objective: { kind: overrides.objective ?? 'sft' } },
    snapshot: '0'.repeat(64),
    start: { kind: 'scratch', tokenizerFolder: '/tokenizer', seed: 0 },
  })
}

export function aStudyConfig(
  overrides: {
    readonly seeds?: readonly number[]
    readonly transplant?: boolean
    readonly steps?: number
    readonly pretraining?: boolean
  } = {},
): StudyConfig {
  const stage = { steps: overrides.steps ?? 3, batchSize: 2 }
  return studyConfigSchema.parse({
    name: 'a study',
    seeds: overrides.seeds ?? [0, 1],
    data: {
      texts: 'instructions',
      captions: 'captions',
      instructions: 'instructions',
      preferences: 'preferences',
      heldOutPreferences: 'preferences',
      questions: 'questions',
      objects: 'objects',
    },
    stages: {
      pretraining: overrides.pretraining ? { ...stage, objective: { kind: 'caption-words' } } : null,
      alignment: stage,
      instruction: stage,
      sft: { ...stage, objective: { kind: 'sft' } },
      dpo: { ...stage, objective: { kind: 'dpo' }, learningRate: 1e-4 },
    },
    transplant: overrides.transplant ? { training: stage } : null,
  })
}

export function anImportedQuestion(index: number, overrides: Partial<ImportedSample> = {}): ImportedSample {
  return {
    kind: 'sample',
    split: 'test',
    source: `row ${index}`,
    image: null,
    content: {
      kind: 'questions',
      question: `What is number ${index}?`,
      answer: String(index),
      group: null,
      category: null,
      region: [],
    },
    ...overrides,
  }
}

export function anImportedPair(index: number): ImportedSample {
  return {
    ...anImportedQuestion(index, { split: 'train' }),
    content: {
      kind: 'preferences',
      prompt: `Which is ${index}?`,
      chosen: 'this',
      rejected: 'that',
      group: null,
      category: null,
      region: [],
    },
  }
}

export function anImportedConversation(index: number): ImportedSample {
  return {
    ...anImportedQuestion(index, { split: 'train' }),
    content: {
      kind: 'conversations',
      turns: [
        { from: 'human', text: `Describe ${index}.` },
        { from: 'assistant', text: 'A scene.' },
      ],
    },
  }
}

export function anImportedScene(index: number): ImportedSample {
  return {
    ...anImportedQuestion(index),
    content: { kind: 'objects', objects: [{ category: `class ${index}`, box: [0, 0, 4, 4], mask: null }] },
  }
}
