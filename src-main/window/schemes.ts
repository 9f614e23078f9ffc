// The two schemes: app: serves the built pages, lab-image: serves images of the project by their hash, and images that a zero-shot
// task has classified by their names in its folder.

import { readFile } from 'node:fs/promises'
import { protocol } from 'electron'
import { classifiedImageOfAddress, CONTENT_SECURITY_POLICY, fileOfAddress, hashOfAddress, mimeOf } from './policy.ts'

/** Must be called before the app is ready. */
export function declareSchemes(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
    { scheme: 'lab-image', privileges: { standard: true, secure: true, supportFetchAPI: true, corsEnabled: true } },
  ])
}

export interface ImageFiles {
  /** The absolute path of an image of the project or of its small copy, null when it is not one. */
  readonly ofHash: (sha256: string, size: 'full' | 'thumbnail') => string | null
  /** The absolute path of an image that a zero-shot task has classified, null when it has not. */
  readonly ofTask: (taskId: string, image: string) => string | null
}

export function serveSchemes(pages: string, images: ImageFiles): void {
  protocol.handle('app', async ({ url }) => {
    const file = await fileOfAddress(pages, url)
    return file === null ? notFound() : respond(file, { 'content-security-policy': CONTENT_SECURITY_POLICY })
  })
  protocol.handle('lab-image', async ({ url }) => {
    const classified = classifiedImageOfAddress(url)
    if (classified !== null) {
      const file = images.ofTask(classified.taskId, classified.image)
      return file === null ? notFound() : respond(file, { 'cache-control': 'no-cache' })
    }
    const hash = hashOfAddress(url)
    const size = new URL(url).searchParams.has('thumbnail') ? 'thumbnail' : 'full'
    const file = hash === null ? null : images.ofHash(hash, size)
    // An image is its hash: it never changes. The window's canvases may read it.
    return file === null
      ? notFound()
      : respond(file, { 'cache-control': 'max-age=31536000, immutable', 'access-control-allow-origin': 'app://ui' })
  })
}

async function respond(file: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  const bytes = await readFile(file).catch(() => null)
  if (bytes === null) return notFound()
  return new Response(bytes, {
    headers: {
      'content-type': mimeOf(file),
      'x-content-type-options': 'nosniff',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'cross-origin',
      ...headers,
    },
  })
}

function notFound(): Response {
  return new Response('not found', { status: 404, headers: { 'content-type': 'text/plain' } })
}
