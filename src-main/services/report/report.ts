// The study's report as one HTML document that opens offline: verdict in words, results with intervals, parity, learning
// curves, maps side by side, and all that is needed to do it again. A pure function of what the store holds.

import type { Series } from '../../domain/run-view.ts'
import type { EncoderResult, Example, MetricResult, StudyResults } from '../../domain/study-results.ts'
import type { StudyView } from '../../domain/study-view.ts'
import { encoderColumn, ENCODERS } from '../../domain/study.ts'
import { formatDifference, formatDuration, formatInterval, formatPValue, formatValue } from '../number-text.ts'
import { curve, type Line } from './curves.ts'
import { html, Markup } from './html.ts'
import { mapExample, type ImageData } from './maps.ts'
import { REPORT_STYLE } from './style.ts'

export interface ReportInput {
  readonly study: StudyView
  readonly results: StudyResults
  /** By run id: the training metrics drawn below. */
  readonly series: ReadonlyMap<string, readonly Series[]>
  readonly examples: readonly { readonly example: Example; readonly image: ImageData }[]
  readonly isQuick: boolean
  readonly writtenAtMs: number
}

/** Drawn for every stage, then only where preferences are learnt. */
export const CURVES: readonly { readonly metric: string; readonly title: string; readonly stages: readonly string[] }[] = [
  { metric: 'loss', title: 'Loss, stage 0 (encoder from nothing, words of captions)', stages: ['pretraining'] },
  { metric: 'loss', title: 'Loss, stage 0 (language model from nothing, text alone)', stages: ['language'] },
  { metric: 'loss', title: 'Loss, stage 1a (captions, projector)', stages: ['alignment'] },
  { metric: 'loss', title: 'Loss, stage 1b (instructions)', stages: ['instruction'] },
  { metric: 'loss', title: 'Loss, stage 2 (each arm its own objective)', stages: ['sft', 'dpo'] },
  { metric: 'mean_token_accuracy', title: 'Token accuracy, stage 2', stages: ['sft', 'dpo'] },
  { metric: 'rewards/margins', title: 'Reward margin', stages: ['dpo'] },
  { metric: 'rewards/accuracies', title: 'Preference accuracy in training', stages: ['dpo'] },
  { metric: 'grad_norm', title: 'Gradient norm, stage 2', stages: ['sft', 'dpo'] },
  { metric: 'learning_rate', title: 'Learning rate, stage 2', stages: ['sft', 'dpo'] },
  { metric: 'loss', title: 'Loss, transplants', stages: ['transplant'] },
]

export function reportDocument(input: ReportInput): string {
  const { study, results } = input
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'" />
        <title>${study.row.name}: ${study.encoderNames.sft} against ${study.encoderNames.dpo}</title>
        <style>
          ${new Markup(REPORT_STYLE)}
        </style>
      </head>
      <body>
        <main>
          ${heading(input)}
          <h2>What came out</h2>
          <div class="verdict">${results.verdict.map((line) => html`<p>${line}</p>`)}</div>
          <h2>Results</h2>
          <p class="soft">
            Mean over seeds with ${Math.round(100 * results.confidence)} % intervals. Difference is ${results.encoderNames.dpo} − ${results.encoderNames.sft}, paired; p is
            two-sided, then corrected by Holm over all
            ${results.metrics.filter(({ difference }) => difference?.pValue != null).length} tests of this table.
          </p>
          <div class="scroll">${resultTable(results)}</div>
          <h2>What the arms share, and where they differ</h2>
          ${parityTable(study)}
          <h2>Training</h2>
          <p class="legend"><span class="sft">━ ${study.encoderNames.sft}</span><span class="dpo">━ ${study.encoderNames.dpo}</span><span class="stage-1">━ stage 1</span></p>
          <div class="curves">${CURVES.map((each) => drawCurve(each, input))}</div>
          ${
            input.examples.length === 0
              ? null
              : html`<h2>Where each loss looks</h2>
                  <p class="soft">
                    Gradient at the visual tokens, for held-out pairs; each map is scaled from its own smallest to its own largest
                    value, so colours say where, not how much. The outlined region decides between the answers.
                  </p>
                  ${input.examples.map(({ example, image }, i) => mapExample(example, image, `image-${i}`, results.encoderNames))}`
          }
          <h2>Seeds one by one</h2>
          <details>
            <summary>Every number behind the means</summary>
            <div class="scroll">${seedTable(results)}</div>
          </details>
          <h2>To do it again</h2>
          ${provenance(study)}
        </main>
      </body>
    </html> `
  return page.text
}

function heading({ study, isQuick, writtenAtMs }: ReportInput): Markup {
  const { row } = study
  return html`<h1>${row.name}${isQuick ? html` <span class="quick">quick: a demonstration, not evidence</span>` : null}</h1>
    <p class="soft">
      ${study.encoderNames.sft} against ${study.encoderNames.dpo} from the same start, on the same pairs in the same order; ${row.seeds.length}
      ${row.seeds.length === 1 ? 'seed' : 'seeds'} (${row.seeds.join(', ')}).
      ${row.status === 'finished' ? `Finished after ${formatDuration(row.workedMs)}` : `Status: ${row.status}, ${row.phasesDone} of ${row.phases} phases`}
      on ${row.engine ?? 'an unknown engine'}${row.device === null ? '' : `, ${row.device}`}. Written
      ${new Date(writtenAtMs).toISOString().slice(0, 16).replace('T', ' ')} UTC.
    </p>`
}

function resultTable(results: StudyResults): Markup {
  return html`<table>
    <thead>
      <tr>
        <th>Measure</th>
        ${ENCODERS.map((encoder) => html`<th class="number ${encoder}">${encoderColumn(encoder, results.encoderNames)}</th>`)}
        <th class="number">${results.encoderNames.dpo} − ${results.encoderNames.sft}</th>
        <th></th>
        <th class="number">p</th>
        <th class="number">p (Holm)</th>
        <th>In words</th>
      </tr>
    </thead>
    <tbody>
      ${results.metrics.map(resultRow)}
    </tbody>
  </table>`
}

function resultRow(metric: MetricResult): Markup {
  const { difference, unit } = metric
  const cell = (encoder: string) => {
    const of = metric.encoders.find((each) => each.encoder === encoder)
    return of === undefined
      ? html`<td class="number">–</td>`
      : html`<td class="number">${formatValue(of.mean, unit)}<small>${formatInterval(of.low, of.high, unit)}</small></td>`
  }
  return html`<tr>
    <td title="${metric.meaning}">
      ${metric.label}<small>${metric.better === 'neither' ? '' : `${metric.better} is better`}</small>
    </td>
    ${ENCODERS.map(cell)}
    ${
      difference === null
        ? html`<td class="number">–</td>
            <td></td>
            <td class="number">–</td>
            <td class="number">–</td>
            <td></td>`
        : html`<td class="number">
              ${formatDifference(difference.mean, unit)}<small>${formatInterval(difference.low, difference.high, unit)}</small>
            </td>
            <td>${whisker(metric)}</td>
            <td class="number">${formatPValue(difference.pValue)}</td>
            <td class="number">${formatPValue(difference.holmPValue)}</td>
            <td class="${difference.winner === 'neither' ? '' : `winner ${difference.winner}`}" title="${difference.method}">
              ${difference.verdict}<small>${difference.basis}</small>
            </td>`
    }
  </tr>`
}

/** The difference's interval around zero, on a scale of its own row. */
function whisker({ difference }: MetricResult): Markup | null {
  if (difference === null || difference.low === null || difference.high === null) return null
  const reach = Math.max(Math.abs(difference.low), Math.abs(difference.high), 1e-12)
  const x = (value: number) => (60 + (value / reach) * 54).toFixed(1)
  const tone = difference.winner === 'neither' ? 'stage-1' : difference.winner
  return html`<svg
    class="${tone}"
    width="120"
    height="18"
    viewBox="0 0 120 18"
    role="img"
    aria-label="interval of the difference"
  >
    <line class="axis" x1="60" x2="60" y1="0" y2="18" />
    <line class="whisker" x1="${x(difference.low)}" x2="${x(difference.high)}" y1="9" y2="9" />
    <circle class="point" cx="${x(difference.mean)}" cy="9" r="3.5" />
  </svg>`
}

function seedTable(results: StudyResults): Markup {
  const value = (of: EncoderResult | undefined, seed: number, unit: MetricResult['unit']) => {
    const found = of?.perSeed.find((each) => each.seed === seed)
    return found === undefined ? '–' : formatValue(found.value, unit)
  }
  return html`<table>
    <thead>
      <tr>
        <th>Measure</th>
        <th>Encoder</th>
        ${results.seeds.map((seed) => html`<th class="number">seed ${seed}</th>`)}
        <th class="number">items</th>
      </tr>
    </thead>
    <tbody>
      ${results.metrics.flatMap((metric) =>
        metric.encoders.map(
          (of) =>
            html`<tr>
              <td>${metric.label}</td>
              <td class="${of.encoder}">${encoderColumn(of.encoder, results.encoderNames)}</td>
              ${results.seeds.map((seed) => html`<td class="number">${value(of, seed, metric.unit)}</td>`)}
              <td class="number">${of.n}</td>
            </tr>`,
        ),
      )}
    </tbody>
  </table>`
}

function parityTable(study: StudyView): Markup {
  const differing = study.parity.filter(({ verdict }) => verdict !== 'equal')
  const equal = study.parity.filter(({ verdict }) => verdict === 'equal')
  const table = (rows: StudyView['parity']) =>
    html`<table>
      <thead>
        <tr>
          <th>Setting</th>
          <th class="sft">${study.encoderNames.sft}</th>
          <th class="dpo">${study.encoderNames.dpo}</th>
          <th></th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              <td>${row.setting}</td>
              <td>${row.sft}</td>
              <td>${row.dpo}</td>
              <td>${row.verdict}</td>
            </tr>`,
        )}
      </tbody>
    </table>`
  return html`${table(differing)}
    <details>
      <summary>${equal.length} settings are equal</summary>
      ${table(equal)}
    </details>`
}

function drawCurve({ metric, title, stages }: (typeof CURVES)[number], { study, series }: ReportInput): Markup {
  const lines = study.phases
    .filter(({ kind, stage }) => kind === 'train' && stage !== null && stages.includes(stage))
    .flatMap((phase): Line[] => {
      const points = series.get(phase.runId ?? '')?.find(({ name }) => name === metric)?.points
      const arm = phase.stage === 'transplant' ? phase.id.split('/')[1] : phase.stage
      return points === undefined ? [] : [{ label: phase.title, tone: arm === 'sft' || arm === 'dpo' ? arm : 'stage-1', points }]
    })
  return curve(title, lines)
}

function provenance(study: StudyView): Markup {
  const facts: readonly (readonly [string, string])[] = [
    ['Engine', study.row.engine ?? '–'],
    ['Device', study.row.device ?? '–'],
    ...Object.entries(study.versions).map(([name, version]) => [name, version] as const),
    ...Object.entries(study.config.data).map(
      ([role, name]) => [`Data: ${role}`, `${name}, snapshot SHA-256 ${study.snapshots[role] ?? '–'}`] as const,
    ),
  ]
  return html`<table>
      <tbody>
        ${facts.map(
          ([name, value]) =>
            html`<tr>
              <th scope="row">${name}</th>
              <td>${value}</td>
            </tr>`,
        )}
      </tbody>
    </table>
    <details>
      <summary>Phases and their time</summary>
      <table>
        <tbody>
          ${study.phases.map(
            (phase) =>
              html`<tr>
                <td>${phase.title}</td>
                <td>${phase.status}</td>
                <td class="number">${formatDuration(phase.workedMs)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </details>
    <details>
      <summary>The whole configuration</summary>
      <pre>${JSON.stringify(study.config, null, 2)}</pre>
    </details>`
}
