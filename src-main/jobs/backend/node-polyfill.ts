// Two functions of `util` that tfjs-node 4.22 still calls (topk, saved models, summaries): Node 23 and Electron 40 dropped the
// first and warn on every use of the second. To be imported before anything that loads the addon; the default import is the
// same mutable object.

import util from 'node:util'

const patched = util as typeof util & { isNullOrUndefined?: (value: unknown) => boolean; isArray?: (value: unknown) => boolean }

patched.isNullOrUndefined ??= (value) => value === null || value === undefined
patched.isArray = Array.isArray
