// Invented models of the preview: folders that were looked into, what is in one, and an answer whose tokens differ in how sure
// the model was.

import { exportSettingsSchema } from '../../../src-main/domain/export.ts'
import { modelQuestionSchema, type AnswerView, type ModelInspection } from '../../../src-main/domain/model-view.ts'
import { LabError } from '../../../src-main/domain/errors.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import type { Handlers } from '../../../src-preload/contract/operations.ts'

const NOW = Date.now()

export function fakeModels(): Pick<Handlers, Exclude<Extract<keyof Handlers, `models.${string}`>, 'models.export'>> {
  const random = createRandom(5, 'answer')
  const words = ['There', ' are', ' three', ' mug', 's', ' on', ' the', ' table', '.']
  const answers: AnswerView[] = [0, 1].map((index) => ({
    id: `answer-${index}`,
    model: 'own-1',
    image: '2'.repeat(64),
    question: modelQuestionSchema.parse({ question: ['How many mugs are on the table?', 'What colour is the largest?'][index]! }),
    status: 'finished',
    text: words.join(''),
    tokens: words.map((text) => {
      const probability = 0.25 + 0.74 * random.uniform()
      return {
        text,
        probability,
        alternatives: [
          { text, probability },
          { text: ' two', probability: (1 - probability) * 0.6 },
          { text: ' several', probability: (1 - probability) * 0.2 },
        ],
      }
    }),
    ended: 'end',
    failure: null,
    createdAtMs: NOW - 60_000 * (index + 1),
  }))
  return {
    'models.folders': () =>
      (
        [
          ['/home/ada/models/llava-siglip-qwen2.5-0.5b', 'multimodal model', 'llava', 586e6],
          ['/home/ada/models/clip-vit-base-patch32', 'dual encoder', 'clip', 151e6],
          ['/home/ada/models/siglip-base-patch16-224', 'vision encoder', 'siglip_vision_model', 86e6],
          ['/home/ada/models/Qwen2.5-0.5B-Instruct', 'language model', 'qwen2', 494e6],
        ] as const
      ).map(([folder, kind, modelType, parameters], index) => ({ folder, kind, modelType, parameters, bytes: parameters * 2, usedAtMs: NOW - index * 9e6, isThere: index < 3 })),
    'models.forget': () => {},
    'models.inspect': ({ model }) => {
      const found = fakeInspection(model)
      return model.includes('clip') ? { ...found, kind: 'dual encoder', modelType: 'clip', modules: found.modules.slice(0, 1), tokenizer: null } : found
    },
    'models.keepPicture': () => ({ sha256: '2'.repeat(64) }),
    'models.ask': () => {
      throw new LabError('conflict', 'the preview has no model to ask')
    },
    'models.answer': ({ answerId }) => answers.find(({ id }) => id === answerId)!,
    'models.answers': ({ model }) => answers.map((answer) => ({ ...answer, model: model ?? answer.model })),
    'models.stopAnswer': () => {},
    'models.deleteAnswer': () => {},
    'models.cancelExport': () => {},
    'models.checkExport': () => ({ folder: '/home/ada/pivot/exports/x', kind: 'vision-encoder', settings: exportSettingsSchema.parse({}), files: 5, bytes: 12e6, sha256: '5e1f'.repeat(16) }),
  }
}

function fakeInspection(folder: string): ModelInspection {
  const sizes = { hiddenSize: 192, numHiddenLayers: 6, numAttentionHeads: 3 }
  return {
    folder,
    kind: 'checkpoint',
    modelType: 'llava',
    files: [`${folder}/model.safetensors`],
    bytes: 12_400_000,
    modules: (['visionEncoder', 'projector', 'languageModel'] as const).map((module, index) => ({
      module,
      spec: [{ family: 'siglip', imageSize: 64, patchSize: 16, ...sizes }, { hiddenSize: 256 }, { family: 'qwen2', vocabSize: 2000, ...sizes }][index]!,
      tensors: [104, 4, 74][index]!,
      parameters: [1_330_000, 82_000, 1_690_000][index]!,
      dtypes: { F32: [104, 4, 74][index]! },
      missing: [],
      extra: [],
      misshapen: [],
    })),
    unknown: [],
    tokenizer: { tokens: 2000, endId: 3, imageId: 4, prompt: 'USER: <image>\nWhat is this?\nASSISTANT:', endIds: [3], sampling: null, notComputed: [] },
    preprocess: ['resize 64 64 bicubic', 'normalize 0.5 0.5'],
    faults: [],
    notes: [],
  }
}
