// The window without main, for drawing it: a bridge that answers from invented data (fake-lab.ts), then the real
// renderer. Nothing of it is built into the app. Served by `vite --config tests/renderer/preview/vite.config.ts`.

import '../../../src-renderer/lab/jitless.ts'
import { installFakeLab } from './fake-lab.ts'

installFakeLab(new URLSearchParams(location.search).get('scene') ?? 'running')
await import('../../../src-renderer/main.ts')
