import { describe, expect, it } from 'vitest'
import { decodingOf, siglipPreprocess, squareSized, withDecoding, type PreprocessSpec } from '../../../src-main/domain/preprocess-spec.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import { specFromHuggingFace, specToHuggingFace } from '../../../src-main/engine/preprocess/hugging-face.ts'
import { mapBox, outputSize, preprocessImage } from '../../../src-main/engine/preprocess/pipeline.ts'

const image = (width: number, height: number, value: (x: number, y: number) => number) => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => value(Math.floor(i / 3) % width, Math.floor(i / 3 / width))),
})

describe('preprocessImage', () => {
  it('puts channels first and normalises each by its own mean and deviation', () => {
    const picture = { width: 2, height: 1, data: Uint8Array.from([0, 51, 255, 255, 102, 0]) }
    const { data } = preprocessImage(picture, [{ op: 'normalize', factor: 1 / 255, mean: [0, 0.2, 0.5], std: [1, 0.2, 0.25] }])
    // (0, 255) → (0, 1); (51, 102)/255 = (0.2, 0.4) → (0, 1); (255, 0)/255 → (1 − 0.5, 0 − 0.5)/0.25 = (2, −2)
    ;[0, 1, 0, 1, 2, -2].forEach((value, i) => expect(data[i]).toBeCloseTo(value, 6))
  })

  it('leaves a plain picture plain under every geometry', () => {
    const spec: PreprocessSpec = [
      { op: 'resize-shortest-edge', size: 20, resample: 'lanczos' },
      { op: 'center-crop', width: 16, height: 18 },
    ]
    const { data } = preprocessImage(
      image(31, 57, () => 200),
      spec,
    )
    expect(new Set(data)).toEqual(new Set([200]))
  })

  it('adds black evenly around a picture smaller than its crop', () => {
    const { data } = preprocessImage(
      image(1, 1, () => 9),
      [{ op: 'center-crop', width: 3, height: 3 }],
    )
    expect([...data.subarray(0, 9)]).toEqual([0, 0, 0, 0, 9, 0, 0, 0, 0])
  })

  it('refuses to normalise anywhere but last', () => {
    const [resize, normalize] = siglipPreprocess(8) as [PreprocessSpec[0], PreprocessSpec[0]]
    expect(() =>
      preprocessImage(
        image(4, 4, () => 0),
        [normalize, resize],
      ),
    ).toThrow('as the last operation')
  })
})

describe('mapBox', () => {
  it('finds a marked place again after resizing and cropping', () => {
    const random = createRandom(3, 'boxes')
    for (let trial = 0; trial < 40; trial++) {
      const [width, height] = [40 + random.integer(60), 40 + random.integer(60)]
      const [w, h] = [8 + random.integer(20), 8 + random.integer(20)]
      const [x, y] = [random.integer(width - w), random.integer(height - h)]
      const spec: PreprocessSpec = [
        { op: 'resize-shortest-edge', size: 48, resample: 'bilinear' },
        { op: 'center-crop', width: 40, height: 36 },
      ]
      const marked = image(width, height, (px, py) => (px >= x && px < x + w && py >= y && py < y + h ? 255 : 0))
      const { data, width: outWidth, height: outHeight } = preprocessImage(marked, spec)
      expect({ width: outWidth, height: outHeight }).toEqual(outputSize(spec, width, height))
      const box = mapBox(spec, width, height, [x, y, w, h])
      const area = data.subarray(0, outWidth * outHeight).reduce((sum, value) => sum + value / 255, 0)
      if (box === null) expect(area).toBeLessThan(outWidth)
      // Antialiasing smears each edge by less than a pixel, and cropping may cut the smear off.
      else expect(Math.abs(area - box[2] * box[3])).toBeLessThan(1.2 * (box[2] + box[3]) + 2)
    }
  })

  it('is null for what was cropped away', () => {
    expect(mapBox([{ op: 'center-crop', width: 10, height: 10 }], 100, 10, [0, 0, 20, 10])).toBeNull()
  })
})

describe('preprocessor_config.json', () => {
  const specs: PreprocessSpec[] = [
    siglipPreprocess(64),
    [
      { op: 'resize-shortest-edge', size: 256, resample: 'bicubic' },
      { op: 'center-crop', width: 224, height: 200 },
      { op: 'normalize', factor: 1 / 255, mean: [0.48, 0.45, 0.4], std: [0.26, 0.25, 0.27] },
    ],
    [{ op: 'normalize', factor: 1, mean: [3, 4, 5], std: [1, 2, 3] }],
    [
      { op: 'resize', width: 30, height: 20, resample: 'hamming' },
      { op: 'normalize', factor: 1 / 127, mean: [0, 0, 0], std: [1, 1, 1] },
    ],
    [
      { op: 'decode', orientation: 'apply', alpha: 'white' },
      { op: 'resize-to-patches', patchSize: 16, maxPatches: 256, resample: 'bilinear' },
      { op: 'normalize', factor: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    ],
  ]
  it.each(specs)('read back after writing is the same pipeline (%#)', (...spec) => {
    expect(specFromHuggingFace(JSON.parse(JSON.stringify(specToHuggingFace(spec))))).toEqual(spec)
  })

  it('knows what each family means by a bare size and by absent keys', () => {
    expect(specFromHuggingFace({ image_processor_type: 'ViTImageProcessor', size: 32 })[0]).toEqual({
      op: 'resize',
      width: 32,
      height: 32,
      resample: 'bilinear',
    })
    const clip = specFromHuggingFace({ feature_extractor_type: 'CLIPFeatureExtractor', size: 32, crop_size: 30 })
    expect(clip.map((op) => op.op)).toEqual(['resize-shortest-edge', 'center-crop', 'normalize'])
  })

  it('reads a mean and a spread for all channels at once, and the fields of fast processors', () => {
    const fast = { image_processor_type: 'SiglipImageProcessorFast', default_to_square: true, device: null, input_data_format: null, image_mean: 0.5, image_std: 0.25 }
    expect(specFromHuggingFace(fast).at(-1)).toEqual({ op: 'normalize', factor: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] })
  })

  it('refuses what it would have to ignore', () => {
    expect(() => specFromHuggingFace({ image_processor_type: 'SiglipImageProcessor', do_pad: true })).toThrow('do_pad')
    expect(() => specFromHuggingFace({ image_processor_type: 'VideoImageProcessor' })).toThrow(
      'CLIP, Bit, Siglip, Siglip2, ViT, DeiT, Llava, LlavaOnevision, got "VideoImageProcessor"',
    )
    expect(() => specFromHuggingFace({ size: { longest_edge: 3 } })).toThrow('size')
    expect(() => specFromHuggingFace({ size: { shortest_edge: 3, longest_edge: 5 } })).toThrow('longest_edge')
    expect(() =>
      specToHuggingFace([
        { op: 'center-crop', width: 3, height: 3 },
        { op: 'resize', width: 3, height: 3, resample: 'box' },
      ]),
    ).toThrow('in this order')
  })
})

describe('as many patches as fit', () => {
  // Sizes that transformers 5.24's Siglip2ImageProcessor chooses: height, width, patch, patches; height and width.
  it.each([
    [224, 224, 16, 256, 256, 256],
    [100, 300, 16, 256, 144, 432],
    [1, 1000, 16, 64, 16, 1024],
    [37, 53, 14, 196, 168, 224],
    [4000, 3000, 16, 256, 288, 224],
    [8, 8, 16, 1, 16, 16],
    [640, 480, 16, 1024, 576, 432],
    [3, 2, 4, 12, 16, 12],
  ])('%i × %i in patches of %i, at most %i', (height, width, patchSize, maxPatches, expectedHeight, expectedWidth) => {
    expect(outputSize([{ op: 'resize-to-patches', patchSize, maxPatches, resample: 'bilinear' }], width, height)).toEqual({ height: expectedHeight, width: expectedWidth })
  })

  it('become a plain square where all images must have one size', () => {
    const spec: PreprocessSpec = [{ op: 'resize-to-patches', patchSize: 16, maxPatches: 256, resample: 'bilinear' }]
    expect(squareSized(spec, 96)).toEqual([{ op: 'resize', width: 96, height: 96, resample: 'bilinear' }])
    expect(squareSized(siglipPreprocess(64), 96)).toEqual(siglipPreprocess(64))
  })
})

describe('how files are read', () => {
  it('is kept with the pipeline only where it is not as the references do, and replaced, never added up', () => {
    const spec = siglipPreprocess(64)
    const turned = withDecoding(spec, { orientation: 'apply', alpha: 'drop' })
    expect(decodingOf(spec)).toEqual({ orientation: 'ignore', alpha: 'drop' })
    expect(decodingOf(turned)).toEqual({ orientation: 'apply', alpha: 'drop' })
    expect(withDecoding(withDecoding(turned, { orientation: 'ignore', alpha: 'white' }), { orientation: 'ignore', alpha: 'drop' })).toEqual(spec)
    expect(outputSize(turned, 10, 20)).toEqual({ width: 64, height: 64 })
  })
})
