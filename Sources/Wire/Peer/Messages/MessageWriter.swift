/// Writes numbers, highest byte first, and bytes one after the other into a buffer.
struct MessageWriter {
  private let buffer: UnsafeMutableRawBufferPointer
  private var offset = 0

  init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

  mutating func write<Number: FixedWidthInteger>(_ number: Number) {
    buffer.storeBytes(of: number.bigEndian, toByteOffset: offset, as: Number.self)
    offset += MemoryLayout<Number>.size
  }

  mutating func write(_ bytes: UnsafeRawBufferPointer) {
    UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyMemory(from: bytes)
    offset += bytes.count
  }
}
