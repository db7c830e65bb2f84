import Testing

@testable import Metainfo

/// Requests of peers, sizes at the edge of what indices count, and numbers that make no sense.
@Suite struct GeometryLimitTests {
  private typealias File = PieceGeometry.File
  private let block = UInt64(blockLength)

  @Test func requestsOfPeers() throws {
    // 20,000 bytes in pieces of 32 KiB: the second block has 3,616 bytes.
    let v2 = try PieceGeometry(v2Lengths: [20_000, 0, 5], pieceLength: 2 * block)
    let short = try #require(v2.bytes(piece: 0, begin: 16_384, length: 3_616))
    #expect(v2.spans(of: short).map(\.offset) == [16_384])
    #expect(v2.blocks(of: short).map(\.rawValue) == [1])
    // libtorrent 2.0.8 asks for the whole block, and for zeros beyond the last file.
    let whole = try #require(v2.bytes(piece: 1, begin: 0, length: 16_384))
    #expect(v2.spans(of: whole).map(\.length) == [5, 16_379])
    #expect(v2.spans(of: whole).map(\.file) == [v2.file(2), nil])
    let padding = try #require(v2.bytes(piece: 1, begin: 16_384, length: 16_384))
    #expect(v2.blocks(of: padding).isEmpty)
    #expect(v2.spans(of: padding).map(\.file) == [nil])
    #expect(v2.bytes(piece: 1, begin: 16_384, length: 16_385) == nil)
    #expect(v2.bytes(piece: 1, begin: 32_768, length: 1) == nil)
    #expect(v2.bytes(piece: 2, begin: 0, length: 1) == nil)
    #expect(v2.bytes(piece: 0, begin: 0, length: 0) == nil)
    #expect(v2.bytes(piece: 0, begin: .max, length: .max) == nil)

    // In a hybrid torrent the padding belongs to the request, except after an unpadded last file.
    let files = [File(length: 20_000, v1Offset: 0), File(length: 5, v1Offset: 32_768)]
    let hybrid = try PieceGeometry(hybridFiles: files, v1Length: 32_773, pieceLength: 2 * block)
    #expect(hybrid.block(piece: 0, begin: 16_384, length: 16_384)?.rawValue == 1)
    #expect(hybrid.block(piece: 0, begin: 16_384, length: 3_616) == nil)
    #expect(hybrid.block(piece: 1, begin: 0, length: 5)?.rawValue == 2)
    #expect(hybrid.bytes(piece: 1, begin: 0, length: 6) == nil)
  }

  @Test func hugeFiles() throws {
    // 64 TiB less one block is the most that 32 bits count in blocks.
    let tebibyte: UInt64 = 1 << 40
    let most = 64 * tebibyte - block
    let geometry = try PieceGeometry(v2Lengths: [most], pieceLength: block)
    let last = try #require(geometry.block(UInt32.max - 1))
    #expect(geometry.block(.max) == nil)
    #expect(geometry.leaf(of: last)?.offset == most - block)
    #expect(geometry.blocks(of: geometry.files[0]).count == Int(UInt32.max))
    #expect(throws: GeometryError.tooManyPieces(file: 0)) {
      try PieceGeometry(v2Lengths: [64 * tebibyte], pieceLength: block)
    }
    #expect(throws: GeometryError.tooManyBlocks(pieces: 1 << 31)) {
      try PieceGeometry(v2Lengths: [64 * tebibyte], pieceLength: 2 * block)
    }
    #expect(throws: GeometryError.tooManyPieces(file: 1)) {
      try PieceGeometry(v2Lengths: [1, .max], pieceLength: block)
    }
    let odd = try PieceGeometry(
      v1Files: [File(length: most - 1, v1Offset: 0)], v1Length: most - 1, pieceLength: block)
    #expect(odd.requestLength(of: odd.block(.max - 1)!) == 16_383)
  }

  @Test func pieceLengths() {
    for length in [
      0, 1, block - 1, block + 1, 3 * block, MetainfoLimits.largestPieceLength * 2, .max,
    ] {
      #expect(throws: GeometryError.pieceLength(length)) {
        try PieceGeometry(v2Lengths: [1], pieceLength: length)
      }
      #expect(throws: GeometryError.pieceLength(length)) {
        try PieceGeometry(hybridFiles: [], v1Length: 0, pieceLength: length)
      }
    }
    for length in [0, MetainfoLimits.largestPieceLength + 1, .max] {
      #expect(throws: GeometryError.pieceLength(length)) {
        try PieceGeometry(v1Files: [], v1Length: 0, pieceLength: length)
      }
    }
  }

  @Test func contradictions() {
    func v1(_ files: [File], _ length: UInt64) throws {
      _ = try PieceGeometry(v1Files: files, v1Length: length, pieceLength: 1000)
    }
    func hybrid(_ files: [File], _ length: UInt64) throws {
      _ = try PieceGeometry(hybridFiles: files, v1Length: length, pieceLength: block)
    }
    let one = File(length: 10, v1Offset: 0)
    #expect(throws: GeometryError.misplaced(file: 1)) {
      try v1([one, File(length: 1, v1Offset: 9)], 20)
    }
    #expect(throws: GeometryError.misplaced(file: 0)) { try v1([one], 9) }
    #expect(throws: GeometryError.misplaced(file: 0)) {
      try v1([File(length: 2, v1Offset: .max)], 20)
    }
    #expect(throws: GeometryError.tooManyPieces(file: 1)) { try v1([one], .max) }
    #expect(throws: GeometryError.unaligned(file: 1)) {
      try hybrid([one, File(length: 1, v1Offset: 10)], 20)
    }
    #expect(throws: GeometryError.unaligned(file: 1)) {
      try hybrid([one, File(length: 1, v1Offset: 2 * block)], 3 * block)
    }
    #expect(throws: GeometryError.misplaced(file: 0)) { try hybrid([one], 9) }
    #expect(throws: GeometryError.surplusPadding(v1Length: block + 1)) {
      try hybrid([one], block + 1)
    }
    #expect(throws: Never.self) { try hybrid([one, File(length: 0, v1Offset: 77)], block) }
  }
}
