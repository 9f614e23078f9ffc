// The native engine: the addon of the published @tensorflow/tfjs-node-gpu, compiled against the TensorFlow libraries in the
// cache and proved by a multiplication before it takes its place. Optional by design: without it the lab computes on
// WebAssembly, slower, and says so. A published addon that is already in place and works is kept.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileAddon, ensureCompiler } from './compile-addon.mjs'
import { capture, tailOf } from './commands.mjs'
import { chosenVariant } from './engine-choice.mjs'
import { oneAtATime } from './one-at-a-time.mjs'
import { cacheFolder, packagesFolder, projectFolder } from './places.mjs'
import { SetupFault, say, sayFault, step } from './report.mjs'
import { runTimeNode } from './run-time-node.mjs'
import { hasTensorflow, obtainTensorflow, tensorflowFolder } from './tensorflow-libraries.mjs'

const packageFolder = join(packagesFolder, '@tensorflow', 'tfjs-node-gpu')
const addonFolder = join(packageFolder, 'lib', 'napi-v8')
const addon = join(addonFolder, 'tfjs_binding.node')
/** Says of the addon beside it which variant it is and that it computed correctly. */
const proofFile = join(addonFolder, 'proof.json')
const failureFile = () => join(cacheFolder(), 'engine-failure.json')
/** A failure that took long to find out is not tried again on every command, but when this is over. */
const retryAfterMs = 60 * 60 * 1000

/** Makes the native engine ready or says why not; never throws, since WebAssembly serves instead. */
export async function ensureNativeEngine() {
  const variant = chosenVariant()
  if (isProved(variant)) return
  const failure = recentFailure(variant)
  if (failure) return say(`• native engine not available (${failure}); computing on WebAssembly. Try again: npm run setup`)
  try {
    await buildNativeEngine(variant)
  } catch (fault) {
    sayFault('native engine', fault)
    say('  going on with WebAssembly: the same computation, several times slower')
  }
}

/** @throws SetupFault with cause and remedy */
export async function buildNativeEngine(variant) {
  refuseOtherPlatforms(`${process.platform}-${process.arch}`, existsSync(packageFolder))
  if (isProved(variant)) return
  await oneAtATime(async () => {
    if (isProved(variant) || (await keepWorkingAddon(variant))) return
    try {
      // Before the download: without a compiler that would be for nothing.
      const compiler = await ensureCompiler()
      if (!hasTensorflow(variant)) await obtainTensorflow(variant)
      await compileAndProve(variant, compiler)
      rmSync(failureFile(), { force: true })
    } catch (fault) {
      rememberFailure(variant, fault)
      throw fault
    }
  })
}

export function forgetFailure() {
  rmSync(failureFile(), { force: true })
}

export function refuseOtherPlatforms(platform, hasPackage) {
  if (platform !== 'linux-x64') {
    throw new SetupFault(
      `the native engine is built on linux-x64 only, this is ${platform}`,
      'none needed: WebAssembly serves on every platform',
    )
  }
  if (!hasPackage) {
    throw new SetupFault(
      'the optional package @tensorflow/tfjs-node-gpu is not installed',
      'run `npm ci` without --omit=optional',
    )
  }
}

/** What was found when the addon in place was proved: { variant, libraries, tensorflow, usesGpu, addonMtimeMs }. */
export function readProof() {
  return JSON.parse(readFileSync(proofFile, 'utf8'))
}

/** Built and proved for this variant, and neither the addon nor its libraries were touched since. */
function isProved(variant) {
  if (!existsSync(proofFile) || !existsSync(addon)) return false
  const proof = readProof()
  if (proof.addonMtimeMs !== statSync(addon).mtimeMs) return false
  return proof.variant === 'published'
    ? variant === 'cpu'
    : proof.variant === variant && existsSync(join(proof.libraries, 'tensorflow'))
}

/** An addon that came from elsewhere and works is kept: a published binary, or one linked with this variant by hand. */
async function keepWorkingAddon(variant) {
  if (!existsSync(addon) || existsSync(proofFile)) return false
  const { stdout } = await capture('ldd', [addon])
  const isOurs = stdout.includes(join(tensorflowFolder(variant), 'tensorflow'))
  if (variant === 'gpu' && !isOurs) return false
  try {
    await step('native engine: trying the addon that is there', async () =>
      writeProof(isOurs ? variant : 'published', variant, await prove(addon)),
    )
    return true
  } catch {
    say('  it does not work; building another')
    return false
  }
}

async function compileAndProve(variant, compiler) {
  // In the same folder, so that taking its place is one rename: whoever is computing keeps the old one.
  const candidate = join(addonFolder, `candidate-${process.pid}.node`)
  mkdirSync(addonFolder, { recursive: true })
  try {
    await compileAddon({ compiler, packageFolder, libraries: join(tensorflowFolder(variant), 'tensorflow'), target: candidate })
    const found = await step('native engine: proving it by a multiplication', () => prove(candidate))
    rmSync(proofFile, { force: true })
    renameSync(candidate, addon)
    writeProof(variant, variant, found)
  } finally {
    rmSync(candidate, { force: true })
  }
}

/** Loads the addon in a process of its own and multiplies two matrices. @throws SetupFault when the result is not the product. */
async function prove(addonFile) {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', TF_FORCE_GPU_ALLOW_GROWTH: 'true' }
  const script = join(projectFolder, 'resources', 'setup', 'prove-addon.cjs')
  const result = await capture(runTimeNode(), [script, addonFile], { cwd: projectFolder, env, timeoutMs: 120_000 })
  if (result.status === 0) return JSON.parse(result.stdout.trim().split('\n').at(-1))
  throw new SetupFault(
    `the native engine does not compute\n${tailOf(result.output)}`,
    `remove ${tensorflowFolder(chosenVariant())} and run \`npm run setup\`; \`ldd ${addonFile}\` shows what is missing`,
  )
}

function writeProof(variant, chosen, found) {
  const libraries = variant === 'published' ? null : tensorflowFolder(chosen)
  writeFileSync(
    proofFile,
    `${JSON.stringify({ variant, libraries, ...found, addonMtimeMs: statSync(addon).mtimeMs }, null, 2)}\n`,
  )
}

function recentFailure(variant) {
  if (!existsSync(failureFile())) return null
  const { variant: failed, cause, at } = JSON.parse(readFileSync(failureFile(), 'utf8'))
  return failed === variant && Date.now() - at < retryAfterMs ? cause : null
}

/** What is quick to check (no compiler, no pip, no space) is not kept: the reader may mend it the next minute. */
function rememberFailure(variant, fault) {
  const isQuick = /missing on this machine|free disk/.test(fault.message)
  if (!isQuick)
    writeFileSync(failureFile(), `${JSON.stringify({ variant, cause: fault.message.split('\n')[0], at: Date.now() })}\n`)
}
