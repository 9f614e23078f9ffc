// The pictures of a classification probe: whole pictures where each shows one thing that fills it (a folder a class), else
// single-object squares cut out of annotated ones. Splits are the data's own; where nothing is set aside for validation, a fifth
// of training is, class by class, and is not trained on.

import { LabError } from '../../domain/errors.ts'
import { createRandom } from '../../domain/random.ts'
import { SPLITS, type SampleOf, type Split } from '../../domain/sample.ts'
import type { ProbeSettings } from '../../domain/probe.ts'
import { fitCrops } from '../evaluate/crops.ts'
import type { LabelledPicture } from '../evaluate/classification.ts'
import type { Pictured } from './probed-encoder.ts'

/** A picture with its label. `picture` is what is looked at, `label` what is scored. */
export interface Labelled {
  readonly picture: Pictured
  readonly label: LabelledPicture
}

export interface LabelledSplits {
  readonly categories: readonly string[]
  readonly splits: Readonly<Record<Split, readonly Labelled[]>>
  /** What a person should know: a validation that was set aside, classes that are not in every split. */
  readonly notes: readonly string[]
}

/** @throws LabError 'invalid-input' without training or test pictures, or below two classes */
export function labelledPictures(samples: readonly SampleOf<'objects'>[], { limit, seed }: Pick<ProbeSettings, 'limit' | 'seed'>): LabelledSplits {
  const pictured = samples.filter(({ image }) => image !== null)
  const isWhole = pictured.length > 0 && pictured.every(fillsItsPicture)
  const labelled = (of: readonly SampleOf<'objects'>[]): Labelled[] =>
    isWhole
      ? of.map(({ id, image, content: { objects } }) => ({ picture: { image: image!, square: null }, label: { id, image: image!.sha256, category: objects[0]!.category } }))
      : fitCrops(of).map(({ id, image, category, square }) => ({ picture: { image, square }, label: { id, image: image.sha256, category } }))
  const all = Object.fromEntries(SPLITS.map((split) => [split, labelled(pictured.filter((sample) => sample.split === split))])) as Record<Split, Labelled[]>
  const notes: string[] = []
  if (all.train.length > 0 && all.validation.length === 0) {
    const [kept, aside] = setAside(all.train, seed)
    ;[all.train, all.validation] = [kept, aside]
    notes.push(`the data have no validation split: ${aside.length} of ${kept.length + aside.length} training pictures were set aside to choose λ and k`)
  }
  for (const split of SPLITS)
    if (all[split].length === 0)
      throw new LabError(
        'invalid-input',
        `expected labelled pictures in the splits train and test, found ${SPLITS.map((each) => `${all[each].length} in ${each}`).join(', ')} of ${samples.length} samples; split the dataset, or choose one with a class for each picture or object`,
      )
  const named = SPLITS.map((split) => new Set(all[split].map(({ label }) => label.category)))
  const categories = [...named[0]!].filter((category) => named.every((names) => names.has(category))).sort()
  const partial = new Set(named.flatMap((names) => [...names])).size - categories.length
  if (categories.length < 2)
    throw new LabError('invalid-input', `expected two classes or more with pictures in every split, found ${categories.length === 0 ? 'none' : `only "${categories[0]}"`}; there is nothing to tell apart. Choose other data, or split this anew`)
  if (partial > 0) notes.push(`${partial} classes do not occur in every split and are left out`)
  const splits = Object.fromEntries(
    SPLITS.map((split) => [split, drawn(all[split].filter(({ label }) => categories.includes(label.category)), limit[split], seed, split)]),
  ) as Record<Split, readonly Labelled[]>
  return { categories, splits, notes }
}

function fillsItsPicture({ image, content: { objects } }: SampleOf<'objects'>): boolean {
  const [only] = objects
  return objects.length === 1 && only!.box[0] <= 0 && only!.box[1] <= 0 && only!.box[2] >= image!.width && only!.box[3] >= image!.height
}

/** Four fifths and one fifth of each class; a class of one picture stays in training. */
function setAside(train: readonly Labelled[], seed: number): readonly [Labelled[], Labelled[]] {
  const aside = new Set(
    [...Map.groupBy(train, ({ label }) => label.category)].flatMap(([category, of]) => {
      const count = of.length < 2 ? 0 : Math.max(1, Math.floor(of.length / 5))
      return createRandom(seed, 'probe', 'validation', category).shuffle(of).slice(0, count)
    }),
  )
  return [train.filter((each) => !aside.has(each)), train.filter((each) => aside.has(each))]
}

/** At most `limit`, class by class in turn, so that every class keeps pictures. */
function drawn(all: readonly Labelled[], limit: number | null, seed: number, split: Split): readonly Labelled[] {
  if (limit === null || all.length <= limit) return all
  const queues = [...Map.groupBy(all, ({ label }) => label.category)].map(([category, of]) => createRandom(seed, 'probe', 'limit', split, category).shuffle(of))
  const chosen = new Set<Labelled>()
  for (let round = 0; chosen.size < limit; round++)
    for (const queue of queues) {
      const next = queue[round]
      if (next !== undefined && chosen.size < limit) chosen.add(next)
    }
  return all.filter((each) => chosen.has(each))
}
