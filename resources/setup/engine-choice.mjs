// Which TensorFlow the native engine is linked with, for this user on this machine: cpu unless `npm run setup:gpu` chose gpu.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from './places.mjs'
import { tensorflowVariants } from './tensorflow-wheels.mjs'

const choiceFile = () => join(cacheFolder(), 'engine.json')

export function chosenVariant() {
  try {
    const { variant } = JSON.parse(readFileSync(choiceFile(), 'utf8'))
    return Object.hasOwn(tensorflowVariants, variant) ? variant : 'cpu'
  } catch {
    return 'cpu'
  }
}

export function chooseVariant(variant) {
  mkdirSync(cacheFolder(), { recursive: true })
  writeFileSync(choiceFile(), `${JSON.stringify({ variant })}\n`)
}
