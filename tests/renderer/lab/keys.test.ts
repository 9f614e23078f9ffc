// What a key is called: by what it prints, or by its place where that is no letter or digit of ours.

import { describe, expect, it } from 'vitest'
import { namesOfKey } from '../../../src-renderer/lab/keys.ts'

const key = (key: string, code: string, held: { shift?: boolean; ctrl?: boolean; capsLock?: boolean } = {}) =>
  namesOfKey({ key, code, shiftKey: held.shift ?? false, ctrlKey: held.ctrl ?? false, metaKey: false, getModifierState: (name) => name === 'CapsLock' && (held.capsLock ?? false) })

describe('a key', () => {
  it('is what it prints, wherever it lies: QWERTZ’s Z and Dvorak’s Q are theirs', () => {
    expect(key('z', 'KeyY')).toEqual(['z'])
    expect(key("'", 'KeyQ')).toEqual(["'"])
    expect(key('?', 'Slash', { shift: true })).toEqual(['?'])
    expect(key('ArrowLeft', 'ArrowLeft', { shift: true })).toEqual(['ArrowLeft'])
  })

  it('is the same with Caps Lock and without', () => {
    expect(key('X', 'KeyX', { capsLock: true })).toEqual(key('x', 'KeyX'))
    expect(key('x', 'KeyX', { capsLock: true, shift: true })).toEqual(key('X', 'KeyX', { shift: true }))
    expect(key('Z', 'KeyZ', { ctrl: true, capsLock: true })).toEqual(['Ctrl+z'])
    expect(key('Я', 'KeyZ', { capsLock: true })).toEqual(key('я', 'KeyZ'))
  })

  it('of the digit row is its digit too where it prints something else without Shift', () => {
    expect(key('&', 'Digit1')).toEqual(['&', '1'])
    expect(key('à', 'Digit0')).toEqual(['à', '0'])
    // With Shift a sign is meant.
    expect(key('!', 'Digit1', { shift: true })).toEqual(['!'])
    expect(key('1', 'Digit1', { shift: true })).toEqual(['1'])
  })

  it('of another alphabet is the letter of its place too, held with Ctrl or not', () => {
    expect(key('ч', 'KeyX')).toEqual(['ч', 'x'])
    expect(key('л', 'KeyK', { ctrl: true })).toEqual(['Ctrl+л', 'Ctrl+k'])
    expect(key('ü', 'BracketLeft')).toEqual(['ü', '['])
  })
})
