// The door of every `npm run`: makes ready what the command needs, then runs it under the lab's own Node.
// Plain JavaScript without dependencies, like every file beside it, because on a fresh clone there is nothing else yet
// and the machine's Node may be 20. What is ready already costs a few file reads.

import { join } from 'node:path'
import { ensureBuilt } from './build-app.mjs'
import { environmentWithPackages, runInTerminal } from './commands.mjs'
import { ensureElectronLibraries } from './electron-libraries.mjs'
import { chooseVariant } from './engine-choice.mjs'
import { ensureElectron } from './ensure-electron.mjs'
import { buildNativeEngine, ensureNativeEngine, forgetFailure, readProof } from './native-engine.mjs'
import { ensureNodePackages } from './node-packages.mjs'
import { packagesFolder, projectFolder } from './places.mjs'
import { say, sayFault } from './report.mjs'
import { runTimeNode } from './run-time-node.mjs'
import { start } from './start.mjs'
import { test } from './test.mjs'
import { typecheck } from './typecheck.mjs'

const verbs = {
  setup,
  demo: (args) => lab(['demo', ...args]),
  lab,
  doctor: (args) => lab(['doctor', ...args]),
  bench: async (args) => {
    await ensureNativeEngine()
    return inLabNode([join(projectFolder, 'tests', 'bench', 'bench.ts'), ...args])
  },
  'test:peers': async (args) => {
    await ensureNativeEngine()
    return inLabNode([join(projectFolder, 'tests', 'peers', 'peers.ts'), ...args])
  },
  start: async (args) => {
    await ensureNativeEngine()
    return start(args)
  },
  test: async (args) => {
    await ensureNativeEngine()
    return test(args)
  },
  build: async () => {
    await ensureElectron()
    return inLabNode([join(packagesFolder, 'electron-vite', 'bin', 'electron-vite.js'), 'build'])
  },
  typecheck: async () => ((await typecheck()).failed === 0 ? 0 : 1),
  'setup:gpu': () => setupEngine('gpu'),
  'setup:cpu': () => setupEngine('cpu'),
}

async function lab(args) {
  await ensureNativeEngine()
  // npm runs every script in the project's folder; a path on the command line means the folder npm was called from.
  return inLabNode([join(projectFolder, 'src-main', 'cli.ts'), ...args], process.env.INIT_CWD ?? process.cwd())
}

/** Everything at once, so that the machine can be taken offline afterwards. */
async function setup() {
  forgetFailure()
  await ensureNativeEngine()
  await ensureElectron()
  await ensureElectronLibraries()
  await ensureBuilt()
  say('everything is set up')
  return 0
}

async function setupEngine(variant) {
  if (variant === 'gpu') say('the GPU engine is untested on a card; it needs an NVIDIA driver for CUDA 12')
  await buildNativeEngine(variant)
  // Only what works is chosen: after a failure the engine stays what it was.
  chooseVariant(variant)
  const { tensorflow, usesGpu } = readProof()
  say(`the native engine is TensorFlow ${tensorflow} for ${variant}, computing on the ${usesGpu ? 'GPU' : 'processor'}`)
  if (variant === 'gpu' && !usesGpu)
    say('  TensorFlow finds no card: `npm run doctor` shows what is missing, `npm run setup:cpu` returns')
  return 0
}

function inLabNode(args, cwd = projectFolder) {
  return runInTerminal(runTimeNode(), args, { cwd, env: environmentWithPackages() })
}

async function enter([verb, ...args]) {
  if (!Object.hasOwn(verbs, verb ?? '')) {
    say(`which command? One of: ${Object.keys(verbs).join(', ')}`)
    return 2
  }
  try {
    await ensureNodePackages()
    return await verbs[verb](args)
  } catch (fault) {
    sayFault(verb, fault)
    return 1
  }
}

process.exitCode = await enter(process.argv.slice(2))
