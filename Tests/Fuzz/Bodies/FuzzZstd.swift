import Metainfo
import Wire

/// A payload of `sw_zstd`. What opens has filled its block and nothing around it, and opens the same way again;
/// what is compressed again comes back.
func fuzzZstd(_ bytes: UnsafeRawBufferPointer) {
  let payload = Array(bytes)
  let message: CompressedBlock
  do {
    message = try CompressedBlock(payload: payload.span.bytes)
  } catch {
    demand(!error.description.isEmpty)
    return
  }
  let head = message.encoded
  demand(payload.prefix(head.count).elementsEqual(head))
  demand(head.count + message.frameByteCount == payload.count)
  let frame = Array(payload.dropFirst(head.count))
  guard let block = opened(frame, length: Int(message.block.length)) else { return }
  demand(opened(frame, length: block.count) == block, "opened again it is something else")
  for level: Int32 in [1, 6] {
    guard let again = sealed(block, level: level) else { continue }
    demand(opened(again, length: block.count) == block, "what was compressed does not come back")
  }
}

private func opened(_ frame: [UInt8], length: Int) -> [UInt8]? {
  guard var decompressor = BlockDecompressor() else { return nil }
  let margin = 64
  var memory = [UInt8](repeating: 0xa5, count: length + 2 * margin)
  let isOpen = memory.withUnsafeMutableBytes { memory in
    frame.withUnsafeBytes { frame in
      let block = UnsafeMutableRawBufferPointer(rebasing: memory[margin..<(margin + length)])
      do throws(CompressionError) {
        try decompressor.decompress(frame, into: block)
        return true
      } catch {
        demand(!error.description.isEmpty)
        return false
      }
    }
  }
  demand((memory.prefix(margin) + memory.suffix(margin)).allSatisfy { $0 == 0xa5 }, "overwritten")
  return isOpen ? Array(memory[margin..<(margin + length)]) : nil
}

private func sealed(_ block: [UInt8], level: Int32) -> [UInt8]? {
  guard var compressor = BlockCompressor() else { return nil }
  var frame = [UInt8](repeating: 0, count: CompressionLimits.frameBytes)
  let count = frame.withUnsafeMutableBytes { frame in
    block.withUnsafeBytes { compressor.compress($0, level: level, into: frame) }
  }
  return count.map { Array(frame.prefix($0)) }
}
