// What the window's pages may load: their own files from app://ui/, images of the project by hash, nothing else. No
// Electron here, so that the rules can be tested.

import { realpath } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'

export const APP_ORIGIN = 'app://ui'

export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' lab-image: data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const MIME: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.bmp': 'image/bmp',
  '.woff2': 'font/woff2',
}

export function mimeOf(path: string): string {
  return MIME[extname(path).toLowerCase()] ?? 'application/octet-stream'
}

/** The file under `root` that an app: address names; null when it names none, or one outside of the root. */
export async function fileOfAddress(root: string, address: string): Promise<string | null> {
  const url = parseUrl(address)
  if (url === null || url.protocol !== 'app:' || url.host !== 'ui') return null
  const path = decodeOnce(url.pathname)
  if (path === null || path.includes('\0') || path.includes('\\')) return null
  const asked = join(root, path === '/' ? 'index.html' : path)
  const [realRoot, real] = await Promise.all([realpath(root), realpath(asked)]).catch(() => [null, null])
  return real !== null && realRoot !== null && real.startsWith(realRoot + sep) ? real : null
}

/** The hash that a lab-image: address names, and nothing that could be a path. */
export function hashOfAddress(address: string): string | null {
  return /^lab-image:\/\/sha\/([0-9a-f]{64})\/?(?:\?thumbnail)?$/.exec(address)?.[1] ?? null
}

/** The image of a zero-shot task that a lab-image: address names: whether there is one, the task knows. */
export function classifiedImageOfAddress(address: string): { readonly taskId: string; readonly image: string } | null {
  const [, taskId, encoded] = /^lab-image:\/\/zero-shot\/([\w-]+)\/([^/?#]+)$/.exec(address) ?? []
  const image = encoded === undefined ? null : decodeOnce(encoded)
  return taskId === undefined || image === null ? null : { taskId, image }
}

function parseUrl(address: string): URL | null {
  return URL.canParse(address) ? new URL(address) : null
}

function decodeOnce(path: string): string | null {
  try {
    return decodeURIComponent(path)
  } catch {
    return null
  }
}
