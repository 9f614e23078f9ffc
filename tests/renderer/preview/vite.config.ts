// Serves the window with an invented lab behind it; see preview.ts.

import vue from '@vitejs/plugin-vue'
import { resolve } from 'node:path'
import { defineConfig } from 'vite'

const project = resolve(import.meta.dirname, '../../..')

export default defineConfig({
  root: project,
  cacheDir: resolve(project, 'node_modules/.vite-preview'),
  plugins: [vue()],
  server: { port: 5199, strictPort: true, watch: { ignored: ['**/out/**'] } },
})
