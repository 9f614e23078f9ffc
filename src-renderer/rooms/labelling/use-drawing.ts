// Drawing the region that decides: a brush, an eraser and boxes, by pointer or by keys alone. What is painted are the pixels
// of a mask at the image's own size; a stroke that ends becomes part of the region, and each can be taken back.

import { computed, markRaw, ref, shallowRef, watch, type Ref } from 'vue'
import { BRUSH, brushRadius, brushSize, stroke, type Bitmap, type Point } from '../../../src-main/domain/labelling/brush.ts'
import { areaOf, boxesOf, maskOfPixels, masksOf, pixelsOf } from '../../../src-main/domain/mask.ts'
import type { Box, ImageRef, Region } from '../../../src-main/domain/sample.ts'
import type { KeyMap } from '../../lab/keys.ts'
import { percent } from '../../ui/quantity.ts'

export const TOOLS = ['brush', 'eraser', 'box'] as const
export type Tool = (typeof TOOLS)[number]

/** Parts of the shorter side that an arrow key moves by. */
const STEPS = 48

/** @param repaint what of the painted pixels is to be drawn anew; null: all */
export function useDrawing(region: Ref<Region>, image: () => ImageRef, repaint: (part: Box | null) => void) {
  const tool = ref<Tool>('brush')
  const share = ref<number>(BRUSH.first)
  const radius = computed(() => brushRadius(share.value, image()))
  /** Where pointer or keys are, pixels of the image; null: nowhere yet. */
  const cursor = shallowRef<Point | null>(null)
  /** Where the stroke under way began; null: the brush is up. */
  const from = shallowRef<Point | null>(null)
  const isDown = computed(() => from.value !== null)
  const box = shallowRef<Box | null>(null)
  const said = ref('')
  const history = shallowRef<readonly Region[]>([])
  /** null: nothing is painted. Made with the first stroke, since most items get none. */
  let bitmap: Bitmap | null = null
  /** What was drawn here last: the model tells it only when its owner has taken it. */
  let own: Region | null = null
  const current = () => own ?? region.value

  function blank(): Bitmap {
    const { width, height } = image()
    return { width, height, pixels: new Uint8Array(width * height) }
  }

  /** The bitmap follows the region: another item, a verdict taken back, a stroke taken back. */
  function load() {
    const [first, ...others] = masksOf(current())
    bitmap = null
    if (first !== undefined) {
      const pixels = pixelsOf(first)
      for (const mask of others) pixelsOf(mask).forEach((inside, i) => (pixels[i] ||= inside))
      bitmap = { width: first.size[1], height: first.size[0], pixels }
    }
    repaint(null)
  }
  watch(
    [region, () => image().sha256],
    ([next, sha256], [, before]) => {
      if (next === own && sha256 === before) return
      own = null
      history.value = []
      from.value = box.value = null
      if (sha256 !== before) cursor.value = null
      load()
    },
    { flush: 'post' },
  )

  function set(next: Region) {
    own = region.value = markRaw(next)
  }

  function within({ x, y }: Point): Point {
    const { width, height } = image()
    return { x: Math.min(width, Math.max(0, x)), y: Math.min(height, Math.max(0, y)) }
  }

  function begin(at: Point) {
    cursor.value = from.value = within(at)
    if (tool.value !== 'box') paint(cursor.value, cursor.value)
  }

  function move(at: Point) {
    const [before, now] = [cursor.value, within(at)]
    cursor.value = now
    const start = from.value
    if (start === null) return
    if (tool.value !== 'box') return paint(before ?? now, now)
    const [x, y] = [Math.min(now.x, start.x), Math.min(now.y, start.y)]
    const tenth = (value: number) => Math.round(value * 10) / 10
    box.value = [tenth(x), tenth(y), tenth(Math.abs(now.x - start.x)), tenth(Math.abs(now.y - start.y))]
  }

  function paint(a: Point, b: Point) {
    bitmap ??= blank()
    const part = stroke(bitmap, a, b, radius.value, tool.value === 'eraser' ? 0 : 1)
    if (part !== null) repaint(part)
  }

  function end() {
    if (from.value === null) return
    const [before, drawn] = [current(), box.value]
    from.value = box.value = null
    if (tool.value === 'box') {
      // A click without a drag is no region.
      if (drawn === null || drawn[2] < 1 || drawn[3] < 1) return
      history.value = [...history.value, before]
      set([...before, drawn])
      return
    }
    if (bitmap === null) return
    const mask = markRaw(maskOfPixels(bitmap.pixels, bitmap.width, bitmap.height))
    if (areaOf(mask) === 0 && masksOf(before).length === 0) return
    history.value = [...history.value, before]
    set(areaOf(mask) === 0 ? [...boxesOf(before)] : [...boxesOf(before), mask])
  }

  /** Ends a stroke as if it had not begun. Returns whether there was one. */
  function cancel(): boolean {
    if (from.value === null) return false
    from.value = box.value = null
    load()
    return true
  }

  function undo() {
    const before = history.value.at(-1)
    if (before === undefined) return void (said.value = 'Nothing drawn to take back. Esc leaves drawing.')
    history.value = history.value.slice(0, -1)
    set(before)
    load()
    said.value = `Taken back: ${covered()}.`
  }

  function clear() {
    if (current().length === 0) return
    history.value = [...history.value, current()]
    set([])
    load()
    said.value = 'Nothing drawn.'
  }

  function remove(index: number) {
    history.value = [...history.value, current()]
    set([...boxesOf(current()).filter((_, i) => i !== index), ...masksOf(current())])
  }

  function covered(): string {
    const { width, height } = image()
    const boxes = boxesOf(current()).length
    const painted = masksOf(current()).reduce((sum, mask) => sum + areaOf(mask), 0) / (width * height)
    return [painted > 0 ? `${percent(painted)} of the picture painted` : '', boxes > 0 ? `${boxes} ${boxes === 1 ? 'box' : 'boxes'}` : ''].filter(Boolean).join(', ') || 'nothing drawn'
  }

  function choose(next: Tool) {
    if (from.value !== null) end()
    tool.value = next
    said.value = next === 'box' ? 'Box' : `${next === 'brush' ? 'Brush' : 'Eraser'}, ${Math.max(1, Math.round(2 * radius.value))} pixels wide`
  }

  function resize(steps: number) {
    share.value = brushSize(share.value, steps)
    said.value = `${Math.max(1, Math.round(2 * radius.value))} pixels wide`
  }

  /** Down where the keys are, or up again. */
  function press() {
    const { width, height } = image()
    if (from.value === null) begin(cursor.value ?? { x: width / 2, y: height / 2 })
    else end()
    const { x, y } = cursor.value!
    const where = `${percent(x / width)} from the left, ${percent(y / height)} from the top`
    said.value = isDown.value ? `${tool.value === 'box' ? 'Corner' : 'Down'}, ${where}` : `Up, ${where}: ${covered()}`
  }

  function step(event: KeyboardEvent, right: number, down: number) {
    const { width, height } = image()
    const by = event.shiftKey ? 1 : Math.max(1, Math.round(Math.min(width, height) / STEPS))
    const at = cursor.value ?? { x: width / 2, y: height / 2 }
    move({ x: at.x + by * right, y: at.y + by * down })
  }

  const keys: KeyMap = {
    b: () => choose('brush'),
    e: () => choose('eraser'),
    r: () => choose('box'),
    '[': () => resize(-1),
    '-': () => resize(-1),
    ']': () => resize(1),
    '+': () => resize(1),
    '=': () => resize(1),
    ' ': (event) => event.repeat || press(),
    ArrowLeft: (event) => step(event, -1, 0),
    ArrowRight: (event) => step(event, 1, 0),
    ArrowUp: (event) => step(event, 0, -1),
    ArrowDown: (event) => step(event, 0, 1),
    Delete: clear,
    Backspace: clear,
  }

  return { tool, radius, cursor, isDown, box, said, keys, mayUndo: computed(() => history.value.length > 0), bitmap: () => bitmap, load, begin, move, end, cancel, undo, clear, remove, choose, resize }
}
