// The words of the sight test: what can be in a scene, what can be said about it, and how each answer is put. Small on
// purpose (under 300 distinct words), so that a model of a few million parameters learns to speak within minutes.

export const KINDS = ['animal', 'food', 'vehicle', 'plant', 'instrument', 'clothing', 'thing'] as const
export type Kind = (typeof KINDS)[number]

export const TINTS = ['red', 'orange', 'yellow', 'green', 'blue', 'purple'] as const
export type Tint = (typeof TINTS)[number]
export const GROUNDS = [...TINTS, 'white', 'gray', 'black'] as const
export type Ground = (typeof GROUNDS)[number]
export type Rgb = readonly [number, number, number]

/** The paint of tinted objects and sign boards: Twemoji's own palette where it has the colour. */
export const TINT_RGB: Readonly<Record<Tint, Rgb>> = {
  red: [221, 46, 68],
  orange: [244, 134, 12],
  yellow: [255, 214, 60],
  green: [62, 151, 75],
  blue: [52, 120, 205],
  purple: [146, 82, 204],
}
/** Backgrounds are a little paler than paint, so that objects stand out. */
export const GROUND_RGB: Readonly<Record<Ground, Rgb>> = {
  red: [206, 92, 92],
  orange: [232, 163, 90],
  yellow: [240, 224, 130],
  green: [136, 190, 120],
  blue: [120, 170, 226],
  purple: [176, 146, 214],
  white: [240, 240, 240],
  gray: [140, 140, 140],
  black: [34, 34, 34],
}

export const PATTERNS = ['plain', 'striped', 'checked', 'gradient', 'noise'] as const
export type Pattern = (typeof PATTERNS)[number]

export interface ObjectClass {
  readonly name: string
  readonly plural: string
  readonly kind: Kind
  /** Twemoji's file name: the code point in hexadecimal. */
  readonly code: string
  /** Fills that take the tint, each with its lightness relative to the paint; null: drawn as it is. */
  readonly tint: Readonly<Record<string, number>> | null
}

function object(kind: Kind, name: string, code: string, more: Partial<Pick<ObjectClass, 'plural' | 'tint'>> = {}): ObjectClass {
  return { name, plural: `${name}s`, kind, code, tint: null, ...more }
}

export const CLASSES: readonly ObjectClass[] = [
  object('animal', 'dog', '1f436'),
  object('animal', 'cat', '1f431'),
  object('animal', 'pig', '1f437'),
  object('animal', 'frog', '1f438'),
  object('animal', 'panda', '1f43c'),
  object('animal', 'lion', '1f981'),
  object('animal', 'owl', '1f989'),
  object('animal', 'penguin', '1f427'),
  object('animal', 'parrot', '1f99c'),
  object('animal', 'bee', '1f41d'),
  object('animal', 'butterfly', '1f98b', { plural: 'butterflies' }),
  object('animal', 'fish', '1f420', { plural: 'fish' }),
  object('animal', 'crab', '1f980'),
  object('animal', 'spider', '1f577'),
  object('animal', 'snake', '1f40d'),
  object('animal', 'octopus', '1f419', { plural: 'octopuses' }),
  object('animal', 'whale', '1f433'),
  object('animal', 'shark', '1f988'),
  object('food', 'apple', '1f34e'),
  object('food', 'banana', '1f34c'),
  object('food', 'lemon', '1f34b'),
  object('food', 'pear', '1f350'),
  object('food', 'melon', '1f349'),
  object('food', 'carrot', '1f955'),
  object('food', 'pizza', '1f355'),
  object('food', 'burger', '1f354'),
  object('food', 'cake', '1f370'),
  object('food', 'donut', '1f369'),
  object('food', 'cheese', '1f9c0'),
  object('vehicle', 'car', '1f697', { tint: { '#DD2E44': 1 } }),
  object('vehicle', 'bus', '1f68c', { plural: 'buses' }),
  object('vehicle', 'train', '1f682'),
  object('vehicle', 'bike', '1f6b2', { tint: { '#DD2E44': 1, '#EA596E': 1.15 } }),
  object('vehicle', 'plane', '2708'),
  object('vehicle', 'boat', '26f5'),
  object('vehicle', 'ship', '1f6a2'),
  object('vehicle', 'rocket', '1f680'),
  object('plant', 'tree', '1f333'),
  object('plant', 'cactus', '1f335', { plural: 'cactuses' }),
  object('plant', 'rose', '1f339'),
  object('plant', 'tulip', '1f337'),
  object('instrument', 'guitar', '1f3b8'),
  object('instrument', 'drum', '1f941'),
  object('instrument', 'trumpet', '1f3ba'),
  object('instrument', 'piano', '1f3b9'),
  object('clothing', 'hat', '1f3a9'),
  object('clothing', 'shirt', '1f455', { tint: { '#3B88C3': 1, '#55ACEE': 1.15 } }),
  object('clothing', 'dress', '1f457', { plural: 'dresses', tint: { '#55ACEE': 1, '#3B88C3': 0.82 } }),
  object('clothing', 'shoe', '1f45f', { tint: { '#DD2E44': 1, '#BE1931': 0.85, '#A0041E': 0.72 } }),
  object('thing', 'key', '1f511'),
  object('thing', 'clock', '23f0'),
  object('thing', 'book', '1f4d5', { tint: { '#DD2E44': 1, '#BE1931': 0.85, '#A0041E': 0.72 } }),
  object('thing', 'ball', '26bd'),
  object('thing', 'cup', '2615'),
  object('thing', 'bell', '1f514', { tint: { '#FFAC33': 1 } }),
  object('thing', 'balloon', '1f388', { tint: { '#BB1A34': 1 } }),
  object('thing', 'umbrella', '1f302', { tint: { '#9266CC': 1, '#744EAA': 0.8 } }),
  object('thing', 'house', '1f3e0'),
  object('thing', 'star', '2b50', { tint: { '#FFAC33': 1 } }),
  object('thing', 'heart', '2764', { tint: { '#DD2E44': 1 } }),
]

const byName = new Map(CLASSES.map((each) => [each.name, each]))
export function classNamed(name: string): ObjectClass {
  return byName.get(name)!
}

/** Words printed on signs, in families whose members differ in exactly one letter: each is a near miss of the others. */
export const WORD_FAMILIES: readonly (readonly string[])[] = [
  ['tea', 'sea', 'pea'],
  ['bay', 'day', 'way'],
  ['hot', 'hop', 'how'],
  ['park', 'dark', 'bark'],
  ['west', 'best', 'rest'],
  ['snow', 'slow', 'show'],
  ['sale', 'safe', 'save'],
  ['lane', 'lake', 'late'],
]
export const WORDS: readonly string[] = WORD_FAMILIES.flat()

export const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'] as const

/** A fact that every member of a kind has, and that the picture does not show: the knowledge group. */
export interface Trait {
  readonly category: string
  readonly kind: Kind
  readonly question: string
  /** Answer → classes. A class whose answer could be disputed is in none. */
  readonly answers: Readonly<Record<string, readonly string[]>>
  readonly sentence: (answer: string) => string
}

export const TRAITS: readonly Trait[] = [
  {
    category: 'flying',
    kind: 'animal',
    question: 'Can the animal fly?',
    answers: {
      yes: ['owl', 'parrot', 'bee', 'butterfly'],
      no: ['dog', 'cat', 'pig', 'frog', 'panda', 'lion', 'penguin', 'crab', 'spider', 'snake', 'octopus', 'whale', 'shark'],
    },
    sentence: (answer) => (answer === 'yes' ? 'Yes, the animal can fly.' : 'No, the animal cannot fly.'),
  },
  {
    category: 'legs',
    kind: 'animal',
    question: 'How many legs does the animal have?',
    answers: {
      zero: ['fish', 'snake', 'whale', 'shark'],
      two: ['owl', 'parrot', 'penguin'],
      four: ['dog', 'cat', 'pig', 'frog', 'panda', 'lion'],
      six: ['bee', 'butterfly'],
      eight: ['spider'],
    },
    sentence: (answer) => `The animal has ${answer} legs.`,
  },
  {
    category: 'habitat',
    kind: 'animal',
    question: 'Does the animal live on land or in water?',
    answers: { land: ['dog', 'cat', 'pig', 'panda', 'lion', 'spider'], water: ['fish', 'octopus', 'whale', 'shark'] },
    sentence: (answer) => `The animal lives ${answer === 'land' ? 'on' : 'in'} ${answer}.`,
  },
  {
    category: 'fruit',
    kind: 'food',
    question: 'Is the food a fruit?',
    answers: { yes: ['apple', 'banana', 'lemon', 'pear', 'melon'], no: ['carrot', 'pizza', 'burger', 'cake', 'donut', 'cheese'] },
    sentence: (answer) => (answer === 'yes' ? 'Yes, the food is a fruit.' : 'No, the food is not a fruit.'),
  },
  {
    category: 'taste',
    kind: 'food',
    question: 'Is the food sweet or salty?',
    answers: { sweet: ['banana', 'melon', 'cake', 'donut'], salty: ['pizza', 'burger', 'cheese'] },
    sentence: (answer) => `The food is ${answer}.`,
  },
  {
    category: 'travel',
    kind: 'vehicle',
    question: 'Does the vehicle travel by land, water or air?',
    answers: { land: ['car', 'bus', 'train', 'bike'], water: ['boat', 'ship'], air: ['plane', 'rocket'] },
    sentence: (answer) => `The vehicle travels by ${answer}.`,
  },
  {
    category: 'playing',
    kind: 'instrument',
    question: 'Is the instrument hit, blown or plucked?',
    answers: { hit: ['drum'], blown: ['trumpet'], plucked: ['guitar'] },
    sentence: (answer) => `The instrument is ${answer}.`,
  },
  {
    category: 'wearing',
    kind: 'clothing',
    question: 'Is the clothing worn on the head, body or foot?',
    answers: { head: ['hat'], body: ['shirt', 'dress'], foot: ['shoe'] },
    sentence: (answer) => `The clothing is worn on the ${answer}.`,
  },
  {
    category: 'thorns',
    kind: 'plant',
    question: 'Does the plant have thorns?',
    answers: { yes: ['cactus', 'rose'], no: ['tree', 'tulip'] },
    sentence: (answer) => (answer === 'yes' ? 'Yes, the plant has thorns.' : 'No, the plant has no thorns.'),
  },
]

/** "a dog", "an owl". */
export function withArticle(name: string): string {
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`
}
