// How a token of an answer is shown: what cannot be seen is named, and how unsure the model was is a length.

/** Spaces and line breaks alone, and bytes that are no whole character, would be invisible. */
export function tokenText(text: string): string {
  const shown = text.replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll('\uFFFD', '▯')
  return shown === '' ? '∅' : shown.replace(/^ +| +$/g, (spaces) => '␣'.repeat(spaces.length))
}

/** 0 for a certain token, 1 for one of probability 0.1 or less: differences among likely tokens are what one looks for. */
export function unsureness(probability: number): number {
  return Math.min(1, Math.max(0, -Math.log10(Math.max(probability, 1e-9))))
}
