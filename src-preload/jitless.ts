// Imported before anything that makes a schema: zod otherwise probes `new Function`, which the page's policy reports.

import { config } from 'zod'

config({ jitless: true })
