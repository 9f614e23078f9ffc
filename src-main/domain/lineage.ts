// Where a run comes from and what became of it, as a graph without circles: data → training → further trainings, measurements
// and exports. What each node stands on is a fact of the database; where it is drawn follows from the edges alone.

import { z } from 'zod'

export const LINEAGE_KINDS = ['data', 'folder', 'run', 'evaluation', 'export'] as const

export const lineageNodeSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(LINEAGE_KINDS),
  label: z.string(),
  /** "snapshot 3fa9c2…", "DPO, 200 steps, finished". */
  detail: z.string(),
  /** What it opens: a dataset, a folder, a run, the study of a measurement, an artifact; null: nothing that is still there. */
  ref: z.string().nullable(),
})
export type LineageNode = z.output<typeof lineageNodeSchema>

export const lineageSchema = z.strictObject({
  nodes: z.array(lineageNodeSchema),
  edges: z.array(z.strictObject({ from: z.string(), to: z.string() })),
})
export type Lineage = z.output<typeof lineageSchema>

/**
 * Nodes in columns: each stands one column after the last of those that it comes from; what comes from nothing stands right before
 * the first that comes from it.
 */
export function lineageColumns({ nodes, edges }: Lineage): readonly (readonly LineageNode[])[] {
  const depth = new Map<string, number>()
  const depthOf = (id: string): number => {
    const known = depth.get(id)
    if (known !== undefined) return known
    // Held while its sources are asked, so that a circle, which only a damaged database could have, ends.
    depth.set(id, 0)
    const own = Math.max(0, ...edges.filter(({ to }) => to === id).map(({ from }) => depthOf(from) + 1))
    depth.set(id, own)
    return own
  }
  const columnOf = (id: string): number => {
    if (edges.some(({ to }) => to === id)) return depthOf(id)
    const first = Math.min(...edges.filter(({ from }) => from === id).map(({ to }) => depthOf(to)))
    return Number.isFinite(first) ? first - 1 : 0
  }
  const columns: LineageNode[][] = []
  for (const node of nodes) (columns[columnOf(node.id)] ??= []).push(node)
  return columns.filter((column) => column !== undefined)
}
