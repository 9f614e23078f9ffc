// The vision encoders that the lab knows, one line a family.

import { LabError } from '../../../domain/errors.ts'
import type { SpecOf, VisionEncoderSpec, VisionFamilyName } from '../../../domain/vision-encoder-spec.ts'
import { CLIP } from './clip.ts'
import { DINOV2, DINOV2_WITH_REGISTERS } from './dinov2.ts'
import type { Json, VisionFamily } from './family.ts'
import { SIGLIP } from './siglip.ts'
import { SIGLIP2 } from './siglip2.ts'
import { VIT, VIT_MAE } from './vit.ts'

const FAMILIES: { readonly [Name in VisionFamilyName]: VisionFamily<SpecOf<Name>> } = {
  siglip: SIGLIP,
  siglip2: SIGLIP2,
  clip: CLIP,
  dinov2: DINOV2,
  dinov2_with_registers: DINOV2_WITH_REGISTERS,
  vit: VIT,
  vit_mae: VIT_MAE,
}

/** The family that computes `spec`. */
export function familyOf({ family }: Pick<VisionEncoderSpec, 'family'>): VisionFamily {
  // Each family is asked about its own specs only: the key says which.
  return FAMILIES[family] as unknown as VisionFamily
}

/** The family that reads a config.json. @throws LabError 'invalid-input' listing those there are */
export function familyOfConfig(config: Json, where = 'config.json'): VisionFamily {
  const type = config['model_type']
  const found = Object.values(FAMILIES).find(({ modelTypes }) => modelTypes.includes(String(type)))
  if (found === undefined)
    throw new LabError(
      'invalid-input',
      `${where}: model_type: expected a vision encoder, one of ${Object.values(FAMILIES).flatMap(({ modelTypes }) => modelTypes).join(', ')}; ` +
        `found ${JSON.stringify(type)}. To add a family, write src-main/engine/models/vision/<family>.ts and a line in families.ts there`,
      { key: 'model_type' },
    )
  return found as unknown as VisionFamily
}

/**
 * The spec without its pooling, where the weights have none of it: checkpoints of classifiers and bare towers leave it out, and
 * their config.json does not say so.
 * @param has  whether there is a weight of a local name
 */
export function withPoolingThatIsThere(spec: VisionEncoderSpec, has: (name: string) => boolean): VisionEncoderSpec {
  const family = familyOf(spec)
  const bare = family.truncated(spec, spec.numHiddenLayers)
  const kept = family.layout(bare)
  const pooling = Object.keys(family.layout(spec)).filter((name) => !Object.hasOwn(kept, name))
  return pooling.some(has) ? spec : bare
}
