// Where the boxes of a lineage stand and how the lines between them run: columns from left to right, boxes centred in each.

import { lineageColumns, type Lineage, type LineageNode } from '../../../src-main/domain/lineage.ts'

export const BOX = { width: 188, height: 62, gapX: 40, gapY: 14 } as const

export interface PlacedNode extends LineageNode {
  readonly x: number
  readonly y: number
}

export interface LineageDrawing {
  readonly width: number
  readonly height: number
  readonly nodes: readonly PlacedNode[]
  /** SVG path data. */
  readonly lines: readonly { readonly key: string; readonly path: string; readonly from: string; readonly to: string }[]
}

export function lineageDrawing(lineage: Lineage): LineageDrawing {
  const columns = lineageColumns(lineage)
  const tallest = Math.max(0, ...columns.map(({ length }) => length))
  const height = Math.max(0, tallest * (BOX.height + BOX.gapY) - BOX.gapY)
  const nodes = columns.flatMap((column, index) => {
    const own = column.length * (BOX.height + BOX.gapY) - BOX.gapY
    return column.map((node, place) => ({ ...node, x: index * (BOX.width + BOX.gapX), y: (height - own) / 2 + place * (BOX.height + BOX.gapY) }))
  })
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const lines = lineage.edges.flatMap(({ from, to }) => {
    const [a, b] = [byId.get(from), byId.get(to)]
    if (a === undefined || b === undefined) return []
    const [x1, y1, x2, y2] = [a.x + BOX.width, a.y + BOX.height / 2, b.x, b.y + BOX.height / 2]
    const bend = Math.max(24, (x2 - x1) / 2)
    return [{ key: `${from} → ${to}`, from, to, path: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }]
  })
  return { width: Math.max(0, columns.length * (BOX.width + BOX.gapX) - BOX.gapX), height, nodes, lines }
}
