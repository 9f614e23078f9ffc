// The modules of a model in words: one spelling for forms, tables and dry runs.

import type { Module } from '../../src-main/domain/model-spec.ts'

export const moduleLabels: Readonly<Record<Module, string>> = { visionEncoder: 'Vision encoder', projector: 'Projector', languageModel: 'Language model' }
