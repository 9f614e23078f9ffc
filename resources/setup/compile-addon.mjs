// The two C++ files of @tensorflow/tfjs-node-gpu against TensorFlow's wheel libraries. The package's own build is for
// libtensorflow 2.9.1; its sources compile unchanged with 2.21, whose C interface is in libtensorflow_cc.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { capture, firstWorking, tailOf } from './commands.mjs'
import { packagesFolder } from './places.mjs'
import { SetupFault, step } from './report.mjs'
import { installSystemPackages } from './system-packages.mjs'

export async function compileAddon({ compiler, packageFolder, libraries, target }) {
  const sources = join(packageFolder, 'binding')
  await step(`native engine: compiling its addon with ${compiler}`, async () => {
    const result = await capture(compiler, [
      '-std=c++17',
      '-O2',
      '-fPIC',
      '-shared',
      '-DNAPI_VERSION=8',
      '-I',
      join(packagesFolder, 'node-api-headers', 'include'),
      '-I',
      join(libraries, 'include'),
      '-I',
      sources,
      ...readdirSync(sources)
        .filter((name) => name.endsWith('.cc'))
        .map((name) => join(sources, name)),
      join(libraries, 'libtensorflow_cc.so.2'),
      join(libraries, 'libtensorflow_framework.so.2'),
      // NVIDIA's libraries need no path of ours: TensorFlow's own run path finds them in the sibling folder nvidia/.
      `-Wl,-rpath,${libraries}`,
      '-o',
      target,
    ])
    if (result.status === 0) return
    throw new SetupFault(
      `${compiler} could not compile the addon\n${tailOf(result.output)}`,
      'g++ 9 or later is needed; name another compiler with CXX=...',
    )
  })
}

/** The C++ compiler to use, installed if need be. @throws SetupFault with the command that installs one */
export async function ensureCompiler() {
  const find = () => firstWorking([process.env.CXX, 'g++', 'c++', 'clang++'].filter(Boolean), ['--version'])
  if (find() === null) await installSystemPackages('a C++ compiler (it builds the native engine)', [['g++']])
  return find() ?? 'g++'
}
