// Which part of a picture is in sight. Places are shares of the picture, so that one zoom serves pictures of any size: the maps
// of several encoders are moved together by sharing it.

export interface Zoom {
  /** 1 shows the whole picture. */
  readonly scale: number
  /** The picture's place in the upper left corner, shares from 0. */
  readonly x: number
  readonly y: number
}

export interface Place {
  readonly x: number
  readonly y: number
}

export const WHOLE: Zoom = { scale: 1, x: 0, y: 0 }
export const MOST_ZOOM = 12

/** Zooms by `factor` and leaves what is at `at` (shares of the window) where it is, as far as the picture's edge lets it. */
export function zoomAt(zoom: Zoom, factor: number, at: Place): Zoom {
  const scale = Math.min(MOST_ZOOM, Math.max(1, zoom.scale * factor))
  const under = toPicture(zoom, at)
  return within({ scale, x: under.x - at.x / scale, y: under.y - at.y / scale })
}

/** Moves the picture with the pointer; `by` in shares of the window. */
export function panBy(zoom: Zoom, by: Place): Zoom {
  return within({ ...zoom, x: zoom.x - by.x / zoom.scale, y: zoom.y - by.y / zoom.scale })
}

/** The picture's place at a place of the window. */
export function toPicture(zoom: Zoom, at: Place): Place {
  return { x: zoom.x + at.x / zoom.scale, y: zoom.y + at.y / zoom.scale }
}

/** For an element that is as large as the window, with its origin in the upper left corner. */
export function transformOf({ scale, x, y }: Zoom): string {
  return `scale(${scale}) translate(${-100 * x}%, ${-100 * y}%)`
}

/** Nothing beyond the picture's edge is shown. */
function within({ scale, x, y }: Zoom): Zoom {
  const most = 1 - 1 / scale
  return { scale, x: Math.min(most, Math.max(0, x)), y: Math.min(most, Math.max(0, y)) }
}
