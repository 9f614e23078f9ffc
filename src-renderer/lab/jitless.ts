// Imported before anything that makes a schema: zod otherwise probes `new Function` to compile its parsers, which the
// window's content security policy refuses and reports.

import { config } from 'zod'

config({ jitless: true })
