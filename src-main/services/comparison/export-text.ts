// A comparison as text for other programs: CSV with every number, and a LaTeX table (booktabs) with the best in bold and what is
// statistically tied with it underlined.

import { rowLabel, type ComparedRow, type Comparison } from '../../domain/comparison.ts'

export function comparisonCsv({ encoders, rows, confidence }: Comparison): string {
  const percent = Math.round(100 * confidence)
  const header = ['measure', 'metric', 'dataset', 'unit', 'better', 'encoder', 'encoder id', 'value', `low ${percent} %`, `high ${percent} %`, 'items', 'seeds', 'best', 'tied with the best', 'conditions']
  const pairHeader = ['measure', 'metric', 'dataset', 'a', 'b', 'b - a', `low ${percent} %`, `high ${percent} %`, 'p', 'p (Holm)', 'winner', 'basis', 'method', 'effects', 'more items', 'more seeds']
  const name = (id: string) => encoders.find((each) => each.id === id)!.name
  const values = rows.flatMap((row) =>
    row.cells.flatMap((cell) =>
      cell === null
        ? []
        : [[row.label, row.metric, row.dataset, row.unit, row.better, name(cell.encoder), cell.encoder, cell.value, cell.low, cell.high, cell.n, cell.perSeed.length, cell.isBest, cell.isTied, conditionText(row)]],
    ),
  )
  const pairs = rows.flatMap((row) =>
    row.pairs.map((pair) => [
      row.label, row.metric, row.dataset, name(pair.a), name(pair.b), pair.difference, pair.low, pair.high, pair.pValue, pair.holmPValue,
      pair.winner === 'neither' ? 'neither' : name(pair[pair.winner]), pair.basis, pair.method,
      pair.effects.map((effect) => `${effect.name} ${effect.value.toPrecision(3)} (${effect.size})`).join('; '),
      pair.needed?.moreItems ?? null, pair.needed?.moreSeeds ?? null,
    ]),
  )
  return [header, ...values, [], pairHeader, ...pairs].map((cells) => cells.map(csvCell).join(',')).join('\r\n') + '\r\n'
}

const conditionText = ({ conditions }: ComparedRow) => conditions.map(({ name, value }) => `${name}=${value}`).join('; ')

/** RFC 4180; a text that a spreadsheet would take for a formula gets a quote before it. */
function csvCell(value: string | number | boolean | null): string {
  if (value === null) return ''
  if (typeof value !== 'string') return String(value)
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function comparisonLatex({ encoders, rows, confidence, tests }: Comparison): string {
  const shown = rows.filter(({ cells }) => cells.some((cell) => cell !== null))
  const families = [...Map.groupBy(shown, ({ family }) => family)]
  const columns = encoders.length
  const lines = [
    '% needs \\usepackage{booktabs}',
    '\\begin{table}',
    '  \\centering',
    `  \\caption{Mean with its ${Math.round(100 * confidence)}\\,\\% interval. Bold: best; underlined: not told apart from the best (Holm over ${tests} tests). Shares in \\%.}`,
    `  \\begin{tabular}{l${'r'.repeat(columns)}}`,
    '    \\toprule',
    `    Measure & ${encoders.map(({ name }) => escapeLatex(name)).join(' & ')} \\\\`,
    ...families.flatMap(([family, of]) => [
      '    \\midrule',
      `    \\multicolumn{${columns + 1}}{l}{\\emph{${escapeLatex(family)}}} \\\\`,
      ...of.map((row) => `    ${escapeLatex(rowLabel(row, shown))} & ${row.cells.map((cell) => (cell === null ? '--' : latexCell(row, cell))).join(' & ')} \\\\`),
    ]),
    '    \\bottomrule',
    '  \\end{tabular}',
    '\\end{table}',
    '',
  ]
  return lines.join('\n')
}

function latexCell({ unit }: ComparedRow, { value, low, high, isBest, isTied }: NonNullable<ComparedRow['cells'][number]>): string {
  const text = (each: number) => (unit === 'share' ? (100 * each).toFixed(1) : each.toFixed(3)).replace('-', '$-$')
  const number = isBest ? `\\textbf{${text(value)}}` : isTied ? `\\underline{${text(value)}}` : text(value)
  return low === null || high === null ? number : `${number} {\\scriptsize [${text(low)}, ${text(high)}]}`
}

const LATEX: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}', '{': '\\{', '}': '\\}', '$': '\\$', '&': '\\&', '#': '\\#', '^': '\\textasciicircum{}', _: '\\_', '~': '\\textasciitilde{}', '%': '\\%',
  λ: '$\\lambda$', β: '$\\beta$', '−': '$-$', '→': '$\\rightarrow$', '·': '$\\cdot$', '⁺': '$^{+}$', '×': '$\\times$',
}

export function escapeLatex(text: string): string {
  // A control character would end the run of LaTeX.
  return text.replace(/[\u0000-\u001f\u007f]/g, ' ').replace(/[\\{}$&#^_~%λβ−→·⁺×]/g, (character) => LATEX[character]!)
}
