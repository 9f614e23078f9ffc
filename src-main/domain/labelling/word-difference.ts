// What two answers have in common, word by word: the longest common subsequence of words and blanks (Myers' problem, by
// the plain table, trimmed at both ends). The labeller's eye should fall on what differs.

export interface TextPart {
  readonly text: string
  readonly isShared: boolean
}

/** Beyond this many cells the middle is called different as a whole: a screen holds less. */
const MOST_CELLS = 4_000_000

/** Both texts cut into parts; the parts of each join to the text itself. */
export function wordDifference(a: string, b: string): { readonly a: readonly TextPart[]; readonly b: readonly TextPart[] } {
  const [left, right] = [wordsOf(a), wordsOf(b)]
  const isShared = sharedWords(left, right)
  return { a: joined(left, isShared.a), b: joined(right, isShared.b) }
}

/** Letters and digits in a row, in small letters: what counts when texts are compared for likeness. */
export function plainWords(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
}

/** Share of words, as `plainWords` cuts them, that both have in the same order: 2·LCS/(n + m), 1 for equal lists. */
export function wordSimilarity(a: readonly string[], b: readonly string[]): number {
  if (a.length + b.length === 0) return 1
  return (2 * sharedWords(a, b).a.filter(Boolean).length) / (a.length + b.length)
}

/** Whether the similarity could reach `least` at all: shared words are at most those that both hold, in any order. */
export function mayBeSimilar(a: readonly string[], b: readonly string[], least: number): boolean {
  const all = a.length + b.length
  if (2 * Math.min(a.length, b.length) < least * all) return false
  const counts = new Map<string, number>()
  for (const word of a) counts.set(word, (counts.get(word) ?? 0) + 1)
  let shared = 0
  for (const word of b) {
    const left = counts.get(word) ?? 0
    if (left > 0) {
      shared += 1
      counts.set(word, left - 1)
    }
  }
  return 2 * shared >= least * all
}

function wordsOf(text: string): readonly string[] {
  return text.match(/\s+|[\p{L}\p{N}]+(?:['’.,-][\p{L}\p{N}]+)*|[^\s\p{L}\p{N}]/gu) ?? []
}

function sharedWords(a: readonly string[], b: readonly string[]): { readonly a: boolean[]; readonly b: boolean[] } {
  const inA = a.map(() => false)
  const inB = b.map(() => false)
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) inA[start] = inB[start++] = true
  let endA = a.length
  let endB = b.length
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) inA[--endA] = inB[--endB] = true
  const [rows, columns] = [endA - start, endB - start]
  if (rows === 0 || columns === 0 || rows * columns > MOST_CELLS) return { a: inA, b: inB }
  // length[i][j]: longest common subsequence of what follows a[start + i] and b[start + j].
  const width = columns + 1
  const length = new Uint16Array((rows + 1) * width)
  for (let i = rows - 1; i >= 0; i--)
    for (let j = columns - 1; j >= 0; j--)
      length[i * width + j] =
        a[start + i] === b[start + j]
          ? length[(i + 1) * width + j + 1]! + 1
          : Math.max(length[(i + 1) * width + j]!, length[i * width + j + 1]!)
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (a[start + i] === b[start + j]) inA[start + i++] = inB[start + j++] = true
    else if (length[(i + 1) * width + j]! >= length[i * width + j + 1]!) i++
    else j++
  }
  return { a: inA, b: inB }
}

/** Words of the same kind in a row as one part; a blank between two that differ belongs to the difference. */
function joined(words: readonly string[], isShared: readonly boolean[]): readonly TextPart[] {
  const parts: { text: string; isShared: boolean }[] = []
  words.forEach((word, i) => {
    const isBridge = isShared[i]! && /^\s+$/.test(word) && isShared[i - 1] === false && isShared[i + 1] === false
    const shared = isShared[i]! && !isBridge
    const last = parts.at(-1)
    if (last?.isShared === shared) last.text += word
    else parts.push({ text: word, isShared: shared })
  })
  return parts
}
