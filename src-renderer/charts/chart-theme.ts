// The colours a chart is drawn in. They are the window's own tokens, read once per colour scheme, so that an encoder has
// the same colour in a curve, a table and a map; a chart's function gets them as a value and touches no document.

import type { EncoderName } from '../../src-main/domain/study.ts'
import { MARK_TOKENS } from '../ui/encoder-marks.ts'

export interface ChartTheme {
  readonly ink: string
  readonly muted: string
  readonly faint: string
  readonly line: string
  readonly strong: string
  readonly surface: string
  readonly encoders: Readonly<Record<EncoderName, string>>
  /** By an encoder's index (ui/encoder-marks.ts); the first three are those of `encoders`. */
  readonly marks: readonly string[]
  /** The same as they are in the light scheme, for maps, which are white where nothing differs in both schemes. */
  readonly marksOnWhite: readonly string[]
  readonly font: string
}

/** Canvas knows neither var() nor light-dark(): a probe element resolves them to plain colours. */
export function readChartTheme(root: HTMLElement): ChartTheme {
  const probe = document.createElement('span')
  probe.hidden = true
  root.append(probe)
  const color = (token: string) => {
    probe.style.color = `var(${token})`
    return getComputedStyle(probe).color
  }
  const theme: ChartTheme = {
    ink: color('--ink'),
    muted: color('--ink-muted'),
    faint: color('--ink-faint'),
    line: color('--line'),
    strong: color('--line-strong'),
    surface: color('--surface'),
    encoders: { 'stage-1': color('--encoder-stage-1'), sft: color('--encoder-sft'), dpo: color('--encoder-dpo') },
    marks: MARK_TOKENS.map(color),
    marksOnWhite: [],
    font: getComputedStyle(document.body).fontFamily,
  }
  probe.style.colorScheme = 'light'
  const marksOnWhite = MARK_TOKENS.map(color)
  probe.remove()
  return { ...theme, marksOnWhite }
}

/** How every chart's tooltip looks; when it comes is the chart's own. */
export function tooltipLook(theme: ChartTheme) {
  return {
    confine: true,
    transitionDuration: 0,
    backgroundColor: theme.surface,
    borderColor: theme.line,
    textStyle: { color: theme.ink, fontSize: 12 },
  }
}

/** The colour of the encoder with that index. */
export function markColor(theme: ChartTheme, index: number): string {
  return theme.marks[index % theme.marks.length]!
}

export function markColorOnWhite(theme: ChartTheme, index: number): string {
  return theme.marksOnWhite[index % theme.marksOnWhite.length]!
}
