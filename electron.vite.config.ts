// The app's build: main with its four entries (window, command line, the processes for jobs and for data), one CommonJS preload, the pages.

import { resolve } from 'node:path'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'electron-vite'

const at = (path: string) => resolve(import.meta.dirname, path)

export default defineConfig({
  main: {
    build: {
      outDir: 'out/main',
      rolldownOptions: {
        input: {
          index: at('src-main/index.ts'),
          cli: at('src-main/cli.ts'),
          'process-entry': at('src-main/jobs/process-entry.ts'),
          'data-process-entry': at('src-main/data-process-entry.ts'),
        },
        output: { entryFileNames: '[name].js' },
      },
    },
  },
  preload: {
    build: {
      outDir: 'out/preload',
      // A sandboxed preload must be one CommonJS file; the contract is bundled into it.
      externalizeDeps: false,
      rolldownOptions: { input: { index: at('src-preload/index.ts') }, output: { format: 'cjs', entryFileNames: '[name].cjs' } },
    },
  },
  renderer: {
    root: 'src-renderer',
    plugins: [vue()],
    build: { outDir: at('out/renderer'), rolldownOptions: { input: { index: at('src-renderer/index.html') } } },
  },
})
