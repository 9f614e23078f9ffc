// A protocol-buffer writer of the four things a TensorFlow graph needs: varints, 32-bit floats, strings and nested messages.
// Written by hand because the schema compiled into tfjs-node lacks a function's control outputs, and nothing is read here.

export class ProtoWriter {
  #bytes = new Uint8Array(256)
  #length = 0

  /** A varint field. Negative numbers take ten bytes, as the wire format asks (two's complement in 64 bits). */
  int(field: number, value: number | bigint): this {
    this.#tag(field, 0)
    this.#varint(BigInt.asUintN(64, BigInt(value)))
    return this
  }

  bool(field: number, value: boolean): this {
    return this.int(field, value ? 1 : 0)
  }

  float(field: number, value: number): this {
    this.#tag(field, 5)
    this.#append(new Uint8Array(new Float32Array([value]).buffer))
    return this
  }

  string(field: number, value: string): this {
    return this.bytes(field, encodeUtf8(value))
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, 2)
    this.#varint(BigInt(value.length))
    this.#append(value)
    return this
  }

  /** Tag and length of a field whose bytes the caller lays after this writer's, so that large ones are not copied. */
  lengthOf(field: number, length: number): this {
    this.#tag(field, 2)
    this.#varint(BigInt(length))
    return this
  }

  message(field: number, write: (inner: ProtoWriter) => void): this {
    const inner = new ProtoWriter()
    write(inner)
    return this.bytes(field, inner.finish())
  }

  /** One entry of a `map<string, …>`: a message with the key in field 1 and the value, written by the caller, in field 2. */
  entry(field: number, key: string, write: (inner: ProtoWriter) => void): this {
    return this.message(field, (inner) => write(inner.string(1, key)))
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #tag(field: number, wireType: number): void {
    this.#varint(BigInt(field * 8 + wireType))
  }

  #varint(value: bigint): void {
    this.#reserve(10)
    let rest = value
    while (rest > 127n) {
      this.#bytes[this.#length++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    this.#bytes[this.#length++] = Number(rest)
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

/** UTF-8 without the platform's TextEncoder, which the engine's compiler settings do not offer. */
function encodeUtf8(text: string): Uint8Array {
  const escaped = encodeURIComponent(text).replace(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Uint8Array.from(escaped, (character) => character.charCodeAt(0))
}
