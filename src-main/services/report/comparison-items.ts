// Items that a comparison's report shows: those on which one encoder gains most on the other, with what was asked and answered, and
// where a map was kept with them, both maps and what is left of their difference.

import type { ComparedItem, ComparedRow } from '../../domain/comparison.ts'
import type { EncoderRow } from '../../domain/encoder.ts'
import type { ItemDetail, PatchMap } from '../../domain/study-results.ts'
import { mark } from './comparison-charts.ts'
import { html, type Markup } from './html.ts'
import { picture, scaled, type ImageData } from './maps.ts'

export interface ShownItems {
  readonly row: ComparedRow
  /** The pair, A and B: items are those that B gains on. */
  readonly a: EncoderRow
  readonly b: EncoderRow
  readonly items: readonly { readonly item: ComparedItem; readonly image: ImageData }[]
}

export function itemSection({ row, a, b, items }: ShownItems, encoders: readonly EncoderRow[], section: number): Markup | null {
  if (items.length === 0) return null
  const isMapped = isOfMaps(row)
  return html`<h3>${isMapped ? `Where do they look? Pictures whose maps were kept, those on which ${b.shortName} gains most first (${row.label})` : `${row.label}: where ${b.shortName} gains most on ${a.shortName}`}</h3>
    ${items.map(({ item, image }, i) => {
      const id = `item-${section}-${i}`
      return html`<article class="example">
        <svg width="0" height="0" aria-hidden="true"><symbol id="${id}" viewBox="0 0 ${image.width} ${image.height}"><image href="${image.uri}" width="${image.width}" height="${image.height}" /></symbol></svg>
        <div class="sample">${picture(id, image, null, item.region)}${asked(item)}</div>
        ${isMapped ? mapTable(item, row.metric, a, b, id, image) : answers(item, encoders)}
      </article>`
    })}`
}

const firstDetail = (item: ComparedItem, encoder: string): ItemDetail | null => item.encoders.find((each) => each.encoder === encoder)?.perSeed.find(({ detail }) => detail !== null)?.detail ?? null
const bare = (text: string) => text.replace('<image>', '').trim()

function asked(item: ComparedItem): Markup | null {
  const detail = item.encoders.flatMap(({ encoder }) => firstDetail(item, encoder) ?? [])[0]
  if (detail === undefined) return null
  const lines: readonly (readonly [string, string])[] =
    detail.kind === 'question'
      ? [['Question', bare(detail.question)], ['Right answer', detail.expected]]
      : detail.kind === 'benchmark'
        ? [['Question', bare(detail.answers[0]?.prompt ?? '')], ['Right answer', detail.answers[0]?.expected.join(' or ') ?? '']]
        : detail.kind === 'class'
          ? [['Class', detail.expected]]
          : [['Prompt', bare(detail.prompt)], ['Chosen', detail.chosen], ['Rejected', detail.rejected]]
  return html`<dl>${lines.map(([term, text]) => html`<dt>${term}</dt><dd>${text}</dd>`)}</dl>`
}

/** What every encoder's model said, once a seed. */
function answers(item: ComparedItem, encoders: readonly EncoderRow[]): Markup {
  const said = (detail: ItemDetail | null): string =>
    detail?.kind === 'question' || detail?.kind === 'class' ? detail.given : detail?.kind === 'benchmark' ? detail.answers.map(({ given }) => given).join(' · ') : detail?.kind === 'preference' ? `margin ${(detail.logProbs.chosen - detail.logProbs.rejected).toFixed(2)} nats` : '–'
  return html`<table class="maps"><tbody>${item.encoders.map(({ encoder, perSeed }) => {
    const row = encoders.find(({ id }) => id === encoder)!
    return html`<tr><th scope="row">${mark(row)}${row.shortName}</th><td>${perSeed.map(({ seed, value, detail }) => html`<div class="${value >= 1 ? 'right' : value <= 0 ? 'wrong' : ''}">${value >= 1 ? '✓' : value <= 0 ? '✗' : '·'} ${said(detail) || '(nothing)'}${seed === null ? null : html` <span class="soft">seed ${seed}</span>`}</div>`)}</td></tr>`
  })}</tbody></table>`
}

/** Of "localisation/dpo/energy" the map that it scores. */
function mapsOf(item: ComparedItem, encoder: string, metric: string): PatchMap | null {
  const detail = firstDetail(item, encoder)
  const which = metric.split('/')[1]
  return detail?.kind === 'maps' && (which === 'sft' || which === 'chosen' || which === 'rejected' || which === 'dpo') ? detail.maps[which] : null
}

export const isOfMaps = ({ metric }: Pick<ComparedRow, 'metric'>): boolean => metric.startsWith('localisation/')

/** Maps are kept of a few items alone. */
export const hasMaps = (item: ComparedItem, metric: string, ...encoders: readonly string[]): boolean => encoders.every((encoder) => mapsOf(item, encoder, metric) !== null)

function mapTable(item: ComparedItem, metric: string, a: EncoderRow, b: EncoderRow, id: string, image: ImageData): Markup | null {
  const [mapA, mapB] = [mapsOf(item, a.id, metric), mapsOf(item, b.id, metric)]
  if (mapA === null || mapB === null) return null
  const isAlike = mapA.rows === mapB.rows && mapA.columns === mapB.columns
  const [shareA, shareB] = [scaled(mapA), scaled(mapB)]
  const difference = isAlike ? { rows: mapA.rows, columns: mapA.columns, values: shareA.map((value, i) => value - shareB[i]!) } : null
  return html`<table class="maps">
    <thead><tr><th scope="col">${mark(a)}A: ${a.shortName}</th><th scope="col">${mark(b)}B: ${b.shortName}</th><th scope="col">A − B</th></tr></thead>
    <tbody><tr><td>${picture(id, image, mapA, item.region)}</td><td>${picture(id, image, mapB, item.region)}</td><td>${difference === null ? 'patches of other sizes' : html`<svg class="picture" viewBox="0 0 ${image.width} ${image.height}"><use href="#${id}" width="${image.width}" height="${image.height}" />${differencePatches(difference, a, b, image)}</svg>`}</td></tr></tbody>
  </table>`
}

/** Each map from its least to its greatest value first: where A looks more in A's colour, where B does in B's. */
function differencePatches({ rows, columns, values }: PatchMap, a: EncoderRow, b: EncoderRow, image: ImageData): readonly Markup[] {
  const [w, h] = [image.width / columns, image.height / rows]
  return values.flatMap((value, i) =>
    Math.abs(value) < 0.05
      ? []
      : [html`<rect x="${((i % columns) * w).toFixed(2)}" y="${(Math.floor(i / columns) * h).toFixed(2)}" width="${w.toFixed(2)}" height="${h.toFixed(2)}" fill="var(--e${(value > 0 ? a : b).colour % 9})" opacity="${Math.min(0.85, Math.abs(value)).toFixed(2)}" />`],
  )
}
