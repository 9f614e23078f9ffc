// A decoded picture: what a codec gives and the image pipeline takes. Knows no file format.

/** 8-bit RGB, rows from the top, channels last: (H, W, 3). */
export interface RawImage {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}
