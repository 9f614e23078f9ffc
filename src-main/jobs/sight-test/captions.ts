// A scene in a sentence: everything that is in it, and about every other time where, on what, or what the sign says.

import type { Random } from '../../domain/random.ts'
import type { Scene } from './scene.ts'
import { classNamed, NUMBERS, withArticle } from './vocabulary.ts'

export function captionOf(scene: Scene, random: Random): string {
  const groups = [...Map.groupBy(scene.objects, ({ name }) => name)].map(([name, objects]) => {
    if (objects.length > 1) return `${NUMBERS[objects.length]} ${classNamed(name).plural}`
    const tint = objects[0]!.tint
    return withArticle(tint === null ? name : `${tint} ${name}`)
  })
  const sign = scene.sign === null ? [] : [`a ${scene.sign.color} sign that says ${scene.sign.word}`]
  const things = listed([...groups, ...sign])
  const { color, pattern } = scene.ground
  const hasName = pattern === 'striped' || pattern === 'checked' || pattern === 'plain'
  const ground = `${withArticle(hasName ? `${pattern} ${color}` : color)} background`
  return random.pick([
    `The picture shows ${things}.`,
    `There is ${things} on ${ground}.`,
    `A picture of ${things}.`,
    `On ${ground} there is ${things}.`,
  ])
}

function listed(things: readonly string[]): string {
  return things.length < 2 ? things.join('') : `${things.slice(0, -1).join(', ')} and ${things.at(-1)}`
}
