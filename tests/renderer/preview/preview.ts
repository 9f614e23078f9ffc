// The window without main, for drawing it: a bridge that answers from invented data (fake-lab.ts), put in place before
// the page starts the real renderer. Nothing of it is built into the app.
// Served by `npm exec -- vite --config tests/renderer/preview/vite.config.ts`; shoot.mjs takes the pictures.

import '../../../src-renderer/lab/jitless.ts'
import { installFakeLab } from './fake-lab.ts'

installFakeLab(new URLSearchParams(location.search).get('scene') ?? 'running')
