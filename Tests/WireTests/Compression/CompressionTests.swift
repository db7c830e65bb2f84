import CZstd
import Metainfo
import TestSupport
import Testing

@testable import Wire

/// Text of which every 16 KiB are different and compress to about a third.
private func text(_ count: Int, seed: UInt64) -> [UInt8] {
  var random = SplitMix64(seed: seed)
  let words = (0..<200).map { _ in
    (0..<Int.random(in: 2...9, using: &random)).map { _ in
      UInt8.random(in: 97...122, using: &random)
    }
  }
  var text: [UInt8] = []
  while text.count < count { text += words[Int.random(in: 0..<200, using: &random)] + [32] }
  return Array(text.prefix(count))
}

/// What libzstd makes of `content` when told so.
private func frame(
  _ content: [UInt8], level: Int32 = 3, _ parameters: [(ZSTD_cParameter, Int32)] = [],
  dictionary: [UInt8] = [], streamed: Bool = false
) -> [UInt8] {
  let context = ZSTD_createCCtx()
  defer { ZSTD_freeCCtx(context) }
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
  for (parameter, value) in parameters { ZSTD_CCtx_setParameter(context, parameter, value) }
  if !dictionary.isEmpty { ZSTD_CCtx_loadDictionary(context, dictionary, dictionary.count) }
  var result = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count) + 64)
  let room = result.count
  let count = result.withUnsafeMutableBytes { result in
    content.withUnsafeBytes { content in
      if !streamed {
        return ZSTD_compress2(
          context, result.baseAddress, room, content.baseAddress, content.count)
      }
      // Without knowing the length beforehand: several segments, and no length in the header.
      var input = ZSTD_inBuffer(src: content.baseAddress, size: content.count / 2, pos: 0)
      var output = ZSTD_outBuffer(dst: result.baseAddress, size: room, pos: 0)
      ZSTD_compressStream2(context, &output, &input, ZSTD_e_continue)
      input.size = content.count
      ZSTD_compressStream2(context, &output, &input, ZSTD_e_end)
      return output.pos
    }
  }
  return Array(result.prefix(count))
}

/// What a decompressor makes of a frame, and whether the bytes around the block are as before.
private func decompress(_ frame: [UInt8], to count: Int) throws(CompressionError) -> [UInt8] {
  guard var decompressor = BlockDecompressor() else { preconditionFailure("no memory") }
  var memory = [UInt8](repeating: 0xa5, count: count + 64)
  var failure: CompressionError?
  memory.withUnsafeMutableBytes { memory in
    frame.withUnsafeBytes { frame in
      let block = UnsafeMutableRawBufferPointer(rebasing: memory[32..<(32 + count)])
      do throws(CompressionError) {
        try decompressor.decompress(frame, into: block)
      } catch { failure = error }
    }
  }
  #expect(memory.prefix(32).allSatisfy { $0 == 0xa5 }, "written before the block")
  #expect(memory.suffix(32).allSatisfy { $0 == 0xa5 }, "written behind the block")
  if let failure { throw failure }
  return Array(memory[32..<(32 + count)])
}

private func compress(_ block: [UInt8], level: Int32 = 3) -> [UInt8]? {
  guard var compressor = BlockCompressor() else { preconditionFailure("no memory") }
  var result = [UInt8](repeating: 0, count: CompressionLimits.frameBytes)
  let count = result.withUnsafeMutableBytes { result in
    block.withUnsafeBytes { compressor.compress($0, level: level, into: result) }
  }
  return count.map { Array(result.prefix($0)) }
}

@Suite struct CompressionTests {
  // MARK: Message

  @Test func messageIsReadAndWritten() throws {
    let block = BlockRequest(piece: 0x0102_0304, begin: 0x4000, length: 16_384)
    let message = CompressedBlock(block: block, frameByteCount: 16_383)
    #expect(message.encoded.hex == "010203040000400000004000")
    let payload = message.encoded + [UInt8](repeating: 9, count: 16_383)
    #expect(try CompressedBlock(payload: payload.span.bytes) == message)
  }

  @Test(arguments: [
    ("", CompressionError.truncated(0)), ("010203040000400000004000", .truncated(12)),
    ("01020304000040000000000000", .blockLength(0)),
    ("01020304000040000000400100", .blockLength(16_385)),
    ("0102030400004000ffffffff00", .blockLength(.max)),
    ("0102030400004000000000020011", .frameTooLong(2)),
  ])
  func badMessageIsRefused(hex: String, error: CompressionError) throws {
    let payload = try #require([UInt8](hex: hex))
    #expect(throws: error) { try CompressedBlock(payload: payload.span.bytes) }
    #expect("\(error)".hasPrefix("sw_zstd: "))
  }

  // MARK: Frames

  @Test func blocksComeBackAsTheyWere() throws {
    var random = SplitMix64(seed: 21)
    for level in [Int32(-5), 1, 3, 6, 9, 19] {
      for count in [40, 255, 256, 257, 1_000, 4_096, 16_383, 16_384] {
        let block =
          count < 300 ? [UInt8](repeating: 7, count: count) : text(count, seed: random.next())
        let frame = try #require(compress(block, level: level), "level \(level), \(count) bytes")
        #expect(frame.count <= count - count / 16)
        #expect(try decompress(frame, to: count) == block)
      }
    }
    #expect(
      try decompress(#require(compress([UInt8](repeating: 0, count: 16_384))), to: 16_384)
        .allSatisfy { $0 == 0 })
  }

  @Test func whatSavesLittleIsNotSent() {
    var random = SplitMix64(seed: 22)
    for count in [1, 2, 15, 16, 100, 16_384] {
      #expect(compress(random.bytes(count)) == nil, "\(count) random bytes")
    }
    // Random but for a thirty-second part: it would shrink, but not by a sixteenth.
    let mostly = random.bytes(16_384 - 512) + [UInt8](repeating: 0, count: 512)
    #expect(frame(mostly).count < mostly.count && compress(mostly) == nil)
  }

  /// One context for blocks of all kinds, and after frames that do not open.
  @Test func contextsAreUsedAgain() throws {
    guard var compressor = BlockCompressor(), var decompressor = BlockDecompressor() else {
      Issue.record("no memory")
      return
    }
    var random = SplitMix64(seed: 23)
    for round in 0..<300 {
      let count = Int.random(in: 500...16_384, using: &random)
      let block = text(count, seed: random.next())
      var frame = [UInt8](repeating: 0, count: CompressionLimits.frameBytes)
      let level: Int32 = [1, 3, 6][round % 3]
      let length = try #require(
        frame.withUnsafeMutableBytes { frame in
          block.withUnsafeBytes { compressor.compress($0, level: level, into: frame) }
        })
      frame.removeLast(frame.count - length)
      var result = [UInt8](repeating: 0, count: count)
      if round % 4 == 0 {
        var damaged = frame
        damaged[Int.random(in: 0..<length, using: &random)] ^= 0x55
        result.withUnsafeMutableBytes { result in
          damaged.withUnsafeBytes { try? decompressor.decompress($0, into: result) }
        }
      }
      try result.withUnsafeMutableBytes { result in
        try frame.withUnsafeBytes { try decompressor.decompress($0, into: result) }
      }
      #expect(result == block)
    }
  }

  // MARK: Hostile frames

  private static let block = text(16_384, seed: 24)

  @Test func otherLengthsAreRefused() {
    let bomb = frame([UInt8](repeating: 0, count: 1 << 26))
    #expect(throws: CompressionError.window) { try decompress(bomb, to: 16_384) }
    for length in [1, 255, 256, 300, 16_383, 16_385, 65_791, 65_792, 1 << 20] {
      let other = frame([UInt8](repeating: 1, count: length))
      #expect(throws: CompressionError.contentLength(UInt64(length))) {
        try decompress(other, to: 16_384)
      }
    }
  }

  /// Headers that tell the block's length, and data that are more or less.
  @Test func lengthsThatLieAreRefused() {
    for length in [1, 300, 16_383, 16_385, 1 << 20] {
      var lying = frame([UInt8](repeating: 1, count: length))
      // Header of a single segment of 16,384 bytes before the blocks of another.
      let width = 1 << Int(lying[4] >> 6)
      let blocks = lying[5...].dropFirst(lying[4] & 0x20 != 0 ? width : width + 1)
      lying = [0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x3f] + blocks
      #expect(throws: CompressionError.self) { try decompress(lying, to: 16_384) }
    }
  }

  @Test func windowsOfTheirOwnAreRefused() {
    let streamed = frame(Self.block, streamed: true)
    #expect(throws: CompressionError.window) { try decompress(streamed, to: 16_384) }
    let wide = frame(Self.block, [(ZSTD_c_windowLog, 27)], streamed: true)
    #expect(throws: CompressionError.window) { try decompress(wide, to: 16_384) }
    let small = frame(Self.block, [(ZSTD_c_windowLog, 10)])
    #expect(throws: CompressionError.window) { try decompress(small, to: 16_384) }
  }

  @Test func dictionariesAreRefused() {
    // A raw dictionary has no number; the frame then lacks what it refers to.
    let raw = frame(Self.block, dictionary: Array(Self.block.prefix(4_000)))
    #expect(throws: CompressionError.self) { try decompress(raw, to: 16_384) }
    var numbered = frame(Self.block)
    for bits in UInt8(1)...3 {
      numbered[4] = numbered[4] & ~3 | bits
      #expect(throws: CompressionError.dictionary) { try decompress(numbered, to: 16_384) }
    }
  }

  @Test func checksumsCount() throws {
    var checked = frame(Self.block, [(ZSTD_c_checksumFlag, 1)])
    #expect(try decompress(checked, to: 16_384) == Self.block)
    checked[checked.count - 1] ^= 1
    #expect(
      throws: CompressionError.corrupt(ZSTD_error_checksum_wrong.rawValue)
    ) { try decompress(checked, to: 16_384) }
  }

  @Test func everythingBehindTheFrameIsRefused() {
    let good = frame(Self.block)
    let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9]
    let empty = frame([])
    for (behind, surplus) in [([0], 1), (skippable, 9), (empty, empty.count), (good, good.count)] {
      #expect(throws: CompressionError.frameEnd(surplus: surplus)) {
        try decompress(good + behind, to: 16_384)
      }
    }
    #expect(throws: CompressionError.notFrame) { try decompress(skippable + good, to: 16_384) }
    for magic in UInt8(0x50)...0x5f {
      #expect(throws: CompressionError.notFrame) {
        try decompress([magic] + skippable.dropFirst(), to: 16_384)
      }
    }
    // Formats of old versions of zstd, which libzstd may be built to read.
    for old in UInt8(0x22)...0x27 {
      #expect(throws: CompressionError.notFrame) {
        try decompress([old] + good.dropFirst(), to: 16_384)
      }
    }
  }

  @Test func noPrefixOpens() {
    let good = frame(Self.block)
    for count in 0..<good.count {
      #expect(throws: CompressionError.self, "\(count) bytes") {
        try decompress(Array(good.prefix(count)), to: 16_384)
      }
    }
    var reserved = good
    reserved[4] |= 8
    #expect(throws: CompressionError.reservedBit) { try decompress(reserved, to: 16_384) }
    #expect(throws: CompressionError.frameTooLong(16_384)) {
      try decompress(good + [UInt8](repeating: 0, count: 16_384 - good.count), to: 16_384)
    }
  }

  /// Damage ends in an error or in other bytes, which their hash will tell; never elsewhere in memory.
  @Test func damageIsContained() {
    let good = frame(Self.block)
    var random = SplitMix64(seed: 25)
    var refused = 0
    for _ in 0..<3_000 {
      var damaged = good
      for _ in 0...Int.random(in: 0...3, using: &random) {
        damaged[Int.random(in: 0..<good.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      do { _ = try decompress(damaged, to: 16_384) } catch { refused += 1 }
    }
    #expect(refused > 1_000)
  }
}
