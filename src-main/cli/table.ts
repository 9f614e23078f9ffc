// A table of text in columns: the first is flush left, numbers are flush right.

export interface Column {
  readonly title: string
  readonly align: 'left' | 'right'
}

export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, c) => rows.reduce((widest, row) => Math.max(widest, width(row[c] ?? '')), width(title)))
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, c) => {
        const cell = cells[c] ?? ''
        const space = ' '.repeat(widths[c]! - width(cell))
        return align === 'left' ? cell + space : space + cell
      })
      .join('  ')
      .trimEnd()
  return [line(columns.map(({ title }) => title)), widths.map((each) => '─'.repeat(each)).join('  '), ...rows.map(line)].join(
    '\n',
  )
}

/** Characters, not code units: σ and − are one column wide. */
function width(text: string): number {
  return [...text].length
}
