// A chart as a file: PNG at twice the size, SVG, or the numbers behind it. The title and a ground colour are put in, so
// that the file can stand alone in a paper or a mail.

import type { ChartTheme } from './chart-theme.ts'
import { init, type ChartOption } from './echarts-parts.ts'

export interface Picture {
  readonly title: string
  readonly option: ChartOption
  readonly width: number
  readonly height: number
  readonly theme: ChartTheme
}

const TITLE_HEIGHT = 32

export function svgOf(picture: Picture): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: picture.width, height: picture.height + TITLE_HEIGHT })
  chart.setOption(standingAlone(picture))
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

export async function pngOf(picture: Picture): Promise<Blob> {
  const element = document.createElement('div')
  const chart = init(element, null, {
    renderer: 'canvas',
    devicePixelRatio: 2,
    width: picture.width,
    height: picture.height + TITLE_HEIGHT,
  })
  chart.setOption(standingAlone(picture))
  chart.getZr().flush()
  const canvas = chart.renderToCanvas({ pixelRatio: 2, backgroundColor: picture.theme.surface })
  const blob = await new Promise<Blob>((resolve, reject) =>
    canvas.toBlob((made) => (made === null ? reject(new Error('the picture could not be encoded')) : resolve(made)), 'image/png'),
  )
  chart.dispose()
  return blob
}

/** Hands a file to the person, who says where it goes. */
export function saveFile(name: string, content: Blob): void {
  const address = URL.createObjectURL(content)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 10_000)
}

/** "Does the loss fall?" → "does-the-loss-fall". */
export function fileNameOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
}

/** The option with its title above and everything else moved down by the title's height. */
export function standingAlone({ title, option, theme }: Picture): ChartOption {
  const grids = Array.isArray(option.grid) ? option.grid : [option.grid ?? {}]
  return {
    ...option,
    backgroundColor: theme.surface,
    title: { text: title, left: 12, top: 8, textStyle: { color: theme.ink, fontSize: 14, fontFamily: theme.font } },
    ...(option.grid === undefined && option.radar !== undefined ? {} : { grid: grids.map((grid) => ({ ...grid, top: Number(grid.top ?? 0) + TITLE_HEIGHT })) }),
  }
}
