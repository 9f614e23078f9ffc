// The part of the WebAssembly interface that is used here. TypeScript declares it only with the browser's types, which
// main-process code does without.

export interface WasmMemory {
  readonly buffer: SharedArrayBuffer
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>
}

export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>

interface WasmInterface {
  readonly Module: { new (code: Uint8Array): object; imports(module: object): readonly object[] }
  readonly Instance: new (module: object, imports: WasmImports) => WasmInstance
  instantiate(code: Uint8Array, imports: WasmImports): Promise<{ readonly instance: WasmInstance }>
  validate(code: Uint8Array): boolean
}

export const { WebAssembly: webAssembly } = globalThis as unknown as { readonly WebAssembly: WasmInterface }
