// A study's configuration with every optional part in it, built from the schema, so that a new role of data needs no
// change here.

import { studyConfigSchema, type StudyConfig } from '../../src-main/domain/study.ts'

export const dataNames = Object.fromEntries(
  Object.keys(studyConfigSchema.shape.data.shape).map((role) => [role, `sight-test ${role}`]),
) as StudyConfig['data']

export function aStudy(
  over: {
    readonly name?: string
    readonly seeds?: readonly number[]
    readonly stages?: object
    readonly transplant?: object
    readonly watch?: object
  } = {},
): StudyConfig {
  const { stages = {}, ...rest } = over
  return studyConfigSchema.parse({
    name: 'a study',
    seeds: [0],
    data: dataNames,
    stages: {
      pretraining: {},
      language: {},
      alignment: {},
      instruction: {},
      sft: {},
      dpo: { objective: { kind: 'dpo' } },
      ...stages,
    },
    transplant: { training: {} },
    ...rest,
  })
}
