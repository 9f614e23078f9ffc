// Gradient maps over the image, as SVG: the image once per example, one rectangle a patch, the deciding region outlined.

import { isMask, outlineOf } from '../../domain/mask.ts'
import type { Region, Shape } from '../../domain/sample.ts'
import type { Example, ItemDetail, PatchMap } from '../../domain/study-results.ts'
import { encoderColumn, type EncoderNames } from '../../domain/study.ts'
import { html, type Markup } from './html.ts'

/** Of the losses that are measured at every encoder, whatever it was trained with. */
const MAP_TITLES = { sft: 'SFT loss', chosen: 'chosen', rejected: 'rejected', dpo: 'contrast (DPO)' } as const

export interface ImageData {
  readonly uri: string
  readonly width: number
  readonly height: number
}

/** One example: every encoder a row, every map a column. */
export function mapExample(example: Example, image: ImageData, id: string, names: EncoderNames): Markup {
  const details = example.encoders.flatMap(({ encoder, detail }) => (detail?.kind === 'maps' ? [{ encoder, detail }] : []))
  const first = details[0]?.detail
  if (first === undefined) return html``
  return html`<article class="example">
    <svg width="0" height="0" aria-hidden="true">
      <symbol id="${id}" viewBox="0 0 ${image.width} ${image.height}">
        <image href="${image.uri}" width="${image.width}" height="${image.height}" />
      </symbol>
    </svg>
    <div class="sample">
      ${picture(id, image, null, first.region)}
      <dl>
        <dt>Prompt</dt>
        <dd>${first.prompt.replace('<image>', '').trim()}</dd>
        <dt>Chosen</dt>
        <dd>${first.chosen}</dd>
        <dt>Rejected</dt>
        <dd>${first.rejected}</dd>
      </dl>
    </div>
    <table class="maps">
      <thead>
        <tr>
          <th></th>
          ${Object.values(MAP_TITLES).map((title) => html`<th scope="col">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${details.map(({ encoder, detail }) => mapRow(encoderColumn(encoder, names), detail, id, image))}
      </tbody>
    </table>
  </article>`
}

function mapRow(title: string, detail: Extract<ItemDetail, { kind: 'maps' }>, id: string, image: ImageData): Markup {
  const names = Object.keys(MAP_TITLES) as (keyof typeof MAP_TITLES)[]
  return html`<tr>
    <th scope="row">${title}</th>
    ${names.map((name) => html`<td>${picture(id, image, detail.maps[name], detail.region)}</td>`)}
  </tr>`
}

export function picture(id: string, image: ImageData, map: PatchMap | null, region: Region): Markup {
  const { width, height } = image
  return html`<svg class="picture" viewBox="0 0 ${width} ${height}">
    <use href="#${id}" width="${width}" height="${height}" />
    ${map && patches(map, width, height)}${region.map(outline)}
  </svg>`
}

function outline(shape: Shape): Markup {
  if (isMask(shape)) return html`<path class="region" d="${outlineOf(shape)}" />`
  const [x, y, w, h] = shape
  return html`<rect class="region" x="${x}" y="${y}" width="${w}" height="${h}" />`
}

/** A map's values from its smallest, 0, to its largest, 1. */
export function scaled({ values }: PatchMap): readonly number[] {
  const largest = values.reduce((most, value) => Math.max(most, value), -Infinity)
  const smallest = values.reduce((least, value) => Math.min(least, value), Infinity)
  return values.map((value) => (largest > smallest ? (value - smallest) / (largest - smallest) : 0))
}

/** Opacity from the map's smallest value to its largest: gradients of different losses have no common scale. */
function patches(map: PatchMap, width: number, height: number): readonly Markup[] {
  const [w, h] = [width / map.columns, height / map.rows]
  return scaled(map).flatMap((opacity, i) => {
    if (opacity < 0.02) return []
    const [column, row] = [i % map.columns, Math.floor(i / map.columns)]
    return [
      html`<rect
        class="heat"
        x="${(column * w).toFixed(2)}"
        y="${(row * h).toFixed(2)}"
        width="${w.toFixed(2)}"
        height="${h.toFixed(2)}"
        opacity="${(0.8 * opacity).toFixed(2)}"
      />`,
    ]
  })
}
