// What a queue is called by in the window: its source and order in words.

import type { QueueOrder, QueueSource } from '../../../src-main/domain/labelling/queue.ts'

export const SOURCE_TABLE: Readonly<Record<QueueSource['kind'], { readonly label: string; readonly about: string }>> = {
  pairs: { label: 'Pairs of a dataset', about: 'Judge again what somebody has judged, or candidates that you imported as pairs.' },
  'two-models': { label: 'Answers of two models', about: 'Two runs answer the same prompts; you say who is right. With a temperature, one run may answer twice.' },
  'near-miss': { label: 'Right answer, near miss', about: 'Made by rule: the right answer against what is true of another image under a like question.' },
  'two-images': { label: 'True image, other image', about: 'One model answers under the true image and under a blurred, blank or foreign one.' },
  edits: { label: 'Answers and their edits', about: 'What labellers wrote while judging, against the answer that they improved.' },
  disagreements: { label: 'Disagreements', about: 'What labellers of a queue judged differently. Your verdict is final there.' },
}

export const ORDER_TABLE: Readonly<Record<QueueOrder['kind'], { readonly label: string; readonly about: string }>> = {
  random: { label: 'At random', about: 'The fair choice when the labels shall also tell how often a model wins.' },
  'as-stored': { label: 'As stored', about: 'In the order of the dataset.' },
  'small-margin': { label: 'What a model is least sure of', about: 'Smallest margin first: those labels change the model most.' },
  'seed-disagreement': { label: 'What models disagree on', about: 'Pairs on which several runs contradict each other come first.' },
  diversity: { label: 'Least like what came before', about: 'Each image is the one farthest, in a model’s features, from all before it.' },
}
