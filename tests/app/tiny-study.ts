// The smallest study that has every part of one: it shows that everything works and means nothing.

const stage = { steps: 16, batchSize: 4, learningRate: 1e-3, checkpointEverySteps: 8 }

export const tinySightTest = {
  seed: 1,
  imageSize: 64,
  scenes: { train: 60, validation: 20, test: 24 },
  pairs: { train: 48, test: 24 },
}

export const tinyStudy = {
  name: 'A tiny study',
  seeds: [0],
  model: {
    visionEncoder: {
      imageSize: 64,
      patchSize: 16,
      hiddenSize: 32,
      intermediateSize: 64,
      numHiddenLayers: 2,
      numAttentionHeads: 2,
    },
    languageModel: {
      vocabSize: 400,
      hiddenSize: 32,
      intermediateSize: 64,
      numHiddenLayers: 2,
      numAttentionHeads: 2,
      numKeyValueHeads: 1,
    },
  },
  data: {
    texts: 'sight-test texts',
    captions: 'sight-test captions',
    instructions: 'sight-test instructions',
    preferences: 'sight-test preferences',
    heldOutPreferences: 'sight-test preferences',
    questions: 'sight-test questions',
    objects: 'sight-test objects',
  },
  stages: {
    alignment: stage,
    instruction: stage,
    sft: { ...stage, objective: { kind: 'sft' } },
    dpo: { ...stage, objective: { kind: 'dpo' }, learningRate: 5e-4 },
  },
  evaluation: {
    batchSize: 8,
    questions: { limit: 16 },
    preferences: { limit: 16 },
    probe: { perClass: { train: 2, validation: 1, test: 1 }, lambdas: [0.1, 1], neighbours: [1] },
    segmentation: { limit: { train: 10, test: 6 }, hiddenSize: 16, epochs: 1 },
    localisation: { limit: 8, examples: 4 },
    alignment: { limit: 16, neighbours: 2 },
  },
  transplant: { training: stage },
} as const
