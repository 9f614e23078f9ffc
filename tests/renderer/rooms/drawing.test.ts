// Drawing by keys alone, without a canvas: what is painted becomes the region, and every stroke can be taken back.

import { effectScope, nextTick, shallowRef, type EffectScope } from 'vue'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { areaOf, boxesOf, masksOf } from '../../../src-main/domain/mask.ts'
import { regionSchema, type Box, type ImageRef, type Region } from '../../../src-main/domain/sample.ts'
import { useDrawing } from '../../../src-renderer/rooms/labelling/use-drawing.ts'

const anImage = (sha256: string): ImageRef => ({ sha256, path: 'a.png', width: 96, height: 48 })
let scope: EffectScope
let region: ReturnType<typeof shallowRef<Region>>
let image: ReturnType<typeof shallowRef<ImageRef>>
let drawing: ReturnType<typeof useDrawing>
let repainted: (Box | null)[]

beforeEach(() => {
  region = shallowRef<Region>([])
  image = shallowRef(anImage('a'.repeat(64)))
  repainted = []
  scope = effectScope()
  drawing = scope.run(() => useDrawing(region as never, () => image.value!, (part) => repainted.push(part)))!
})
afterEach(() => scope.stop())

const press = (key: string, held: { shiftKey?: boolean; repeat?: boolean } = {}) => drawing.keys[key]!({ shiftKey: false, repeat: false, ...held } as KeyboardEvent)
const area = () => region.value!.reduce((sum, shape) => sum + areaOf(shape), 0)

describe('by keys alone', () => {
  it('a brush goes down, along, and up, and what it painted is one mask of the image’s size', () => {
    press(' ')
    press('ArrowRight')
    press('ArrowRight')
    expect(region.value).toEqual([])
    press(' ')
    const [mask] = masksOf(regionSchema.parse(region.value))
    expect(mask!.size).toEqual([48, 96])
    expect(areaOf(mask!)).toBeGreaterThan(0)
    // A second stroke joins the first.
    const before = area()
    press('ArrowDown')
    press(' ')
    press('ArrowDown')
    press(' ')
    expect(region.value).toHaveLength(1)
    expect(area()).toBeGreaterThan(before)
  })

  it('a box has its corners where Space was pressed', () => {
    press('r')
    press(' ')
    for (let i = 0; i < 10; i++) press('ArrowRight', { shiftKey: true })
    for (let i = 0; i < 4; i++) press('ArrowDown', { shiftKey: true })
    press(' ')
    expect(region.value).toEqual([[48, 24, 10, 4]])
  })

  it('a key that is held down presses once', () => {
    press(' ')
    press(' ', { repeat: true })
    expect(drawing.isDown.value).toBe(true)
  })

  it('the brush cannot leave the picture', () => {
    for (let i = 0; i < 500; i++) press('ArrowUp')
    for (let i = 0; i < 500; i++) press('ArrowRight')
    expect(drawing.cursor.value).toEqual({ x: 96, y: 0 })
    press(' ')
    press(' ')
    expect(area()).toBeGreaterThan(0)
  })

  it('every stroke is taken back one by one, boxes and clearing too, and then nothing is left', async () => {
    const states: Region[] = [region.value!]
    for (const keys of [[' ', 'ArrowRight', ' '], ['r', ' ', 'ArrowRight', 'ArrowDown', ' '], ['b', ' ', 'ArrowUp', ' '], ['Delete']]) {
      keys.forEach((key) => press(key))
      await nextTick()
      states.push(region.value!)
    }
    expect(states.map((each) => [boxesOf(each).length, masksOf(each).length])).toEqual([[0, 0], [0, 1], [1, 1], [1, 1], [0, 0]])
    for (const state of states.slice(0, -1).toReversed()) {
      drawing.undo()
      await nextTick()
      expect(region.value).toEqual(state)
    }
    expect(drawing.mayUndo.value).toBe(false)
    drawing.undo()
    expect(drawing.said.value).toMatch(/^Nothing drawn to take back/)
  })

  it('an eraser takes away what the brush put there, and the mask with its last pixel', () => {
    press(' ')
    press(' ')
    press('e')
    press(']')
    press(' ')
    press(' ')
    expect(region.value).toEqual([])
  })

  it('a stroke that is left with Escape has not been', () => {
    press(' ')
    press('ArrowRight')
    expect(drawing.cancel()).toBe(true)
    expect(drawing.cancel()).toBe(false)
    press(' ')
    press(' ')
    const alone = area()
    drawing.undo()
    expect(region.value).toEqual([])
    expect(alone).toBeGreaterThan(0)
  })
})

describe('another item', () => {
  it('begins with its own region: nothing of the last can be taken back into it, and strokes add to what it has', async () => {
    press(' ')
    press(' ')
    const drawn = region.value!
    image.value = anImage('b'.repeat(64))
    region.value = []
    await nextTick()
    expect(drawing.mayUndo.value).toBe(false)
    expect(drawing.bitmap()).toBeNull()
    // A verdict taken back shows its item with what was drawn.
    image.value = anImage('a'.repeat(64))
    region.value = drawn
    await nextTick()
    const before = area()
    for (let i = 0; i < 9; i++) press('ArrowRight')
    press(' ')
    press(' ')
    expect(area()).toBeGreaterThan(before)
    expect(masksOf(region.value!)).toHaveLength(1)
  })
})
