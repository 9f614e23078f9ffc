// Activations that transformers has under several names.

import type { Json } from './vision/family.ts'

/** To the one name that the lab has for the same function (transformers, activations.py). */
const SAME: Readonly<Record<string, string>> = {
  gelu_new: 'gelu_pytorch_tanh',
  gelu_fast: 'gelu_pytorch_tanh',
  gelu_accurate: 'gelu_pytorch_tanh',
  gelu_python: 'gelu',
  swish: 'silu',
}

/** A config.json whose `hidden_act` goes by the lab's name of it. */
export function withKnownActivation(config: Json): Json {
  const given = config['hidden_act']
  return typeof given === 'string' && Object.hasOwn(SAME, given) ? { ...config, hidden_act: SAME[given] } : config
}
