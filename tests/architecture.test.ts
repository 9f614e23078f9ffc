// Who may import whom: ARCHITECTURE.md's table as data. A new edge is a change to this table, seen in review.

import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

interface Room {
  /** Files of the room: the longest prefix that matches wins. */
  readonly prefix: string
  /** Rooms and packages that it may import, besides itself. */
  readonly may: readonly string[]
}

const ROOMS: readonly Room[] = [
  { prefix: 'src-main/domain/', may: ['zod', 'pure-rand'] },
  {
    prefix: 'src-main/engine/',
    may: ['src-main/domain/', 'zod', '@tensorflow/tfjs', '@huggingface/tokenizers', '@huggingface/jinja'],
  },
  {
    prefix: 'src-main/jobs/',
    may: ['src-main/domain/', 'src-main/engine/', 'node:', 'zod', '@tensorflow/tfjs', 'wasm-vips', '@resvg/resvg-wasm', 'umap-js', 'csv-parse', 'hyparquet', 'hyparquet-compressors', 'hyparquet-writer', 'tar-stream'],
  },
  // One door for each native thing.
  {
    prefix: 'src-main/jobs/backend/',
    may: [
      'src-main/domain/',
      'src-main/engine/',
      'node:',
      '@tensorflow/tfjs',
      '@tensorflow/tfjs-node-gpu',
      '@tensorflow/tfjs-backend-wasm',
      'src-main/jobs/',
    ],
  },
  { prefix: 'src-main/jobs/onnx-runtime.ts', may: ['node:', 'onnxruntime-node'] },
  { prefix: 'src-main/jobs/utility-process.ts', may: ['src-main/jobs/', 'electron'] },
  { prefix: 'src-main/store/', may: ['src-main/domain/', 'better-sqlite3', 'node:', 'zod'] },
  // Given a Runner and a reader: neither engine nor jobs nor Electron.
  { prefix: 'src-main/services/', may: ['src-main/domain/', 'src-main/store/', 'node:', 'zod'] },
  {
    prefix: 'src-main/ipc/',
    may: ['src-main/domain/', 'src-main/services/', 'src-main/compose.ts', 'src-preload/contract/', 'zod', 'node:'],
  },
  { prefix: 'src-main/ipc/register.ts', may: ['src-main/ipc/', 'src-preload/contract/', 'electron'] },
  { prefix: 'src-main/window/', may: ['src-main/domain/', 'electron', 'node:'] },
  {
    prefix: 'src-main/cli/',
    may: [
      'src-main/domain/',
      'src-main/services/',
      'src-main/compose.ts',
      'src-main/place.ts',
      'src-main/jobs/process-runner.ts',
      'commander',
      'node:',
    ],
  },
  { prefix: 'src-main/data-process-entry.ts', may: ['src-main/domain/', 'src-main/jobs/', 'src-main/services/'] },
  { prefix: 'src-main/place.ts', may: ['node:'] },
  { prefix: 'src-main/compose.ts', may: ['src-main/domain/', 'src-main/services/', 'src-main/store/', 'node:'] },
  { prefix: 'src-main/index.ts', may: ['src-main/', 'electron', 'node:'] },
  { prefix: 'src-main/cli.ts', may: ['src-main/', 'node:'] },
  { prefix: 'src-preload/contract/', may: ['src-main/domain/', 'zod'] },
  { prefix: 'src-preload/', may: ['src-preload/contract/', 'electron', 'zod'] },
  { prefix: 'src-renderer/', may: ['src-main/domain/', 'src-preload/contract/', 'vue', 'reka-ui', '@lucide/vue'] },
  { prefix: 'src-renderer/rooms/data/', may: ['src-renderer/', 'src-main/domain/', 'src-preload/contract/', 'vue', 'reka-ui', '@lucide/vue'] },
  { prefix: 'src-renderer/charts/', may: ['src-renderer/', 'src-main/domain/', 'vue', 'echarts', 'reka-ui', '@lucide/vue'] },
  { prefix: 'src-renderer/lab/jitless.ts', may: ['zod'] },
  { prefix: 'src-renderer/lab/', may: ['src-renderer/', 'src-main/domain/', 'src-preload/contract/', 'vue', 'type zod'] },
]

interface Edge {
  readonly from: string
  readonly to: string
  readonly isType: boolean
}

function roomOf(file: string): Room | undefined {
  return ROOMS.filter(({ prefix }) => file.startsWith(prefix)).toSorted((a, b) => b.prefix.length - a.prefix.length)[0]
}

function edgesOf(file: string, text: string): readonly Edge[] {
  const statements = [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\s+(type\s+)?[^'"\n;]*?(?:\n[^'"]*?)?\bfrom\s+['"]([^'"]+)['"]/g),
  ].map(([, type, to]) => ({ to: to!, isType: type !== undefined }))
  const bare = [
    ...text.matchAll(/(?:^|\n)import\s+['"]([^'"]+)['"]/g),
    ...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g),
    ...text.matchAll(/\brequire\(\s*['"]([^'"]+)['"]/g),
  ].map(([, to]) => ({
    to: to!,
    isType: false,
  }))
  return [...statements, ...bare].map(({ to, isType }) => ({
    from: file,
    to: to.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), to)) : to,
    isType,
  }))
}

function isAllowed({ from, to, isType }: Edge): boolean {
  const room = roomOf(from)
  if (room === undefined) return false
  if (roomOf(to) === room) return true
  return room.may.some((may) => {
    const wanted = may.startsWith('type ') ? (isType ? may.slice(5) : null) : may
    if (wanted === null) return false
    if (wanted.endsWith('/') || wanted.endsWith(':') || wanted.endsWith('.ts')) return to.startsWith(wanted)
    return to === wanted || to.startsWith(`${wanted}/`)
  })
}

const files = globSync('{src-main,src-preload,src-renderer}/**/*.{ts,vue}', { cwd: ROOT }).filter(
  (file) => !file.endsWith('.d.ts'),
)
const edges = files.flatMap((file) => edgesOf(file, readFileSync(join(ROOT, file), 'utf8')))

describe('the architecture', () => {
  it('has no stray import', () => {
    expect(edges.filter((edge) => !isAllowed(edge) && !isInside(edge)).map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  it('has a room for every file', () => {
    expect(files.filter((file) => roomOf(file) === undefined)).toEqual([])
  })

  it('uses each rule: none outlives the code that needed it', () => {
    const unused = ROOMS.filter(({ prefix }) => !files.some((file) => roomOf(file)?.prefix === prefix))
    expect(unused.map(({ prefix }) => prefix)).toEqual([])
  })

  it('a room of the window imports no other room', () => {
    const roomName = (path: string) => /^src-renderer\/rooms\/([^/]+)\//.exec(path)?.[1]
    const strays = edges.filter(
      ({ from, to }) => roomName(from) !== undefined && roomName(to) !== undefined && roomName(from) !== roomName(to),
    )
    expect(strays.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  it('nobody draws an unseeded random number for a result', () => {
    const offenders = files.filter((file) => /\bMath\.random\b/.test(readFileSync(join(ROOT, file), 'utf8')))
    expect(offenders).toEqual([])
  })

  it('catches what it is there to catch', () => {
    const planted = [
      ['src-main/domain/metric.ts', "import { readFileSync } from 'node:fs'"],
      ['src-main/services/runs.ts', "import { train } from '../engine/train.ts'"],
      ['src-renderer/App.vue', "import { x } from '../src-main/engine/train.ts'"],
      ['src-renderer/rooms/runs/RunsRoom.vue', "import * as echarts from 'echarts'"],
      ['src-main/store/runs.ts', "import { app } from 'electron'"],
      ['src-main/jobs/train-job.ts', "import Database from 'better-sqlite3'"],
    ] as const
    for (const [file, text] of planted) expect(edgesOf(file, text).filter((edge) => !isAllowed(edge))).toHaveLength(1)
  })
})

/** Rooms inside a room are one room to each other: jobs/backend and jobs, renderer/charts and renderer. */
function isInside({ from, to }: Edge): boolean {
  const [a, b] = [roomOf(from)?.prefix, roomOf(to)?.prefix]
  return a !== undefined && b !== undefined && (a.startsWith(b) || b.startsWith(a))
}
