// One process a test file: each file opens its own tensor backend. Two at a time, because every one of them is threaded.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    exclude: ['app/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    // A loaded machine takes long to open the engine.
    hookTimeout: 120_000,
  },
})
