import TestSupport
import Testing

@testable import Metainfo

/// `PieceGeometry` against a reference that lays out all bytes one by one.
@Suite struct GeometryTests {
  static let edges = [
    0, 1, blockLength - 1, blockLength, blockLength + 1, 2 * blockLength, 2 * blockLength + 1,
  ]

  @Test(arguments: TorrentKind.allCases)
  func edgeLengthsAlone(kind: TorrentKind) throws {
    for length in Self.edges {
      for tail in [false, true] where !(tail && kind == .v2) {
        try check(
          GeometryReference(
            kind: kind, pieceLength: 2 * blockLength, lengths: [length], tailPadding: tail))
      }
    }
  }

  @Test(arguments: TorrentKind.allCases)
  func edgeLengthsTogether(kind: TorrentKind) throws {
    for pieceLength in [blockLength, 2 * blockLength] {
      try check(GeometryReference(kind: kind, pieceLength: pieceLength, lengths: Self.edges))
      try check(
        GeometryReference(
          kind: kind, pieceLength: pieceLength, lengths: Array(Self.edges.reversed())))
    }
  }

  @Test(arguments: 0..<48 as Range<UInt64>)
  func randomLayouts(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let kind = TorrentKind.allCases[Int(seed % 3)]
    // v1 allows any piece length, below a block and odd ones too.
    let odd = kind == .v1 ? [1000, 20_000, 3 * blockLength, blockLength + 1] : []
    let pieceLength =
      ([blockLength, 2 * blockLength, 4 * blockLength] + odd).randomElement(using: &random)!
    var lengths: [Int] = []
    var gaps: [Int] = []
    for _ in 0..<Int.random(in: 0...14, using: &random) {
      switch Int.random(in: 0..<8, using: &random) {
      case 0...2: lengths.append(0)
      case 3...4: lengths.append(Int.random(in: 1...9, using: &random))
      case 5: lengths.append(Self.edges.randomElement(using: &random)!)
      default: lengths.append(Int.random(in: 1...(3 * blockLength), using: &random))
      }
      gaps.append(
        Bool.random(using: &random) ? 0 : Int.random(in: 0...(2 * pieceLength), using: &random))
    }
    try check(
      GeometryReference(
        kind: kind, pieceLength: pieceLength, lengths: lengths, gaps: gaps,
        tailPadding: kind != .v2 && Bool.random(using: &random)))
  }

  private func check(_ reference: GeometryReference) throws {
    let geometry = reference.geometry
    #expect(geometry.pieces.count == reference.pieceCount)
    #expect(geometry.piece(UInt32(reference.pieceCount)) == nil)
    #expect(geometry.blocksPerPiece == UInt32(reference.blocksPerPiece))
    #expect(geometry.totalLength == UInt64(reference.lengths.reduce(0, +)))
    let stream = reference.kind == .v2 ? reference.dataLength(reference.cells[...]) : nil
    #expect(geometry.streamLength == UInt64(stream ?? reference.cells.count))
    for number in 0..<reference.pieceCount { try checkPiece(number, reference) }
    try checkFiles(reference)
  }

  private func checkPiece(_ number: Int, _ reference: GeometryReference) throws {
    let geometry = reference.geometry
    let piece = try #require(geometry.piece(UInt32(number)))
    let cells = reference.requestable(of: number)
    let data = reference.dataLength(cells)
    #expect(geometry.length(of: piece) == UInt32(cells.count))
    #expect(geometry.dataLength(of: piece) == UInt32(data))
    let padded = reference.kind == .v2 ? reference.pieceLength : cells.count
    #expect(geometry.paddedLength(of: piece) == UInt32(padded))
    #expect(Array(geometry.spans(of: piece)) == reference.spans(cells))

    let blocks = geometry.blocks(of: piece)
    #expect(blocks.count == (data + blockLength - 1) / blockLength)
    for inPiece in 0..<reference.blocksPerPiece {
      let block = geometry.block(UInt32(number * reference.blocksPerPiece + inPiece))
      #expect((block != nil) == (inPiece < blocks.count))
      guard let block else { continue }
      let cells = cells.dropFirst(inPiece * blockLength).prefix(blockLength)
      let data = reference.dataLength(cells)
      #expect(blocks[inPiece] == block)
      #expect(geometry.piece(of: block) == piece)
      #expect(geometry.begin(of: block) == UInt32(inPiece * blockLength))
      #expect(geometry.requestLength(of: block) == UInt32(cells.count))
      #expect(geometry.dataLength(of: block) == UInt32(data))
      #expect(Array(geometry.spans(of: block)) == reference.spans(cells))
      checkMessage(block, piece, UInt32(inPiece * blockLength), UInt32(cells.count), geometry)
      try checkLeaf(block, cells, data, reference)
    }
  }

  private func checkMessage(
    _ block: BlockIndex, _ piece: PieceIndex, _ begin: UInt32, _ length: UInt32,
    _ geometry: PieceGeometry
  ) {
    let number = piece.rawValue
    #expect(geometry.block(piece: number, begin: begin, length: length) == block)
    #expect(geometry.block(piece: number, begin: begin, length: length - 1) == nil)
    #expect(geometry.block(piece: number, begin: begin, length: length + 1) == nil)
    #expect(geometry.block(piece: number, begin: begin + 1, length: length) == nil)
    #expect(
      geometry.block(piece: UInt32(geometry.pieces.count), begin: begin, length: length) == nil)
  }

  private func checkLeaf(
    _ block: BlockIndex, _ cells: ArraySlice<GeometryReference.Cell>, _ data: Int,
    _ reference: GeometryReference
  ) throws {
    let geometry = reference.geometry
    guard reference.kind.hasV2 else {
      #expect(geometry.leaf(of: block) == nil)
      return
    }
    let first = try #require(cells.first)
    let leaf = try #require(geometry.leaf(of: block))
    #expect(leaf.file.rawValue == UInt32(first.file))
    #expect(leaf.offset == UInt64(first.offset))
    #expect(leaf.leaf.rawValue == first.offset / UInt32(blockLength))
    #expect(leaf.length == UInt32(data))
    #expect(geometry.block(of: leaf.file, leaf: leaf.leaf.rawValue) == block)
    #expect(geometry.leaf(leaf.leaf.rawValue, of: leaf.file) == leaf.leaf)
  }

  private func checkFiles(_ reference: GeometryReference) throws {
    let geometry = reference.geometry
    #expect(geometry.files.count == reference.lengths.count)
    #expect(geometry.file(UInt32(reference.lengths.count)) == nil)
    for (number, length) in reference.lengths.enumerated() {
      let file = try #require(geometry.file(UInt32(number)))
      #expect(geometry.length(of: file) == UInt64(length))
      #expect(geometry.blocks(of: file, bytes: 0..<UInt64(length) + 1) == nil)
      if length == 0 {
        #expect(geometry.pieces(of: file).isEmpty)
        #expect(geometry.blocks(of: file).isEmpty)
        continue
      }
      let start = reference.v1Offsets[number]
      for range in [0..<length, 0..<1, (length - 1)..<length, (length / 3)..<(length / 2)] {
        let blocks = try #require(
          geometry.blocks(
            of: file, bytes: UInt64(range.lowerBound)..<UInt64(range.upperBound)))
        let expected = Set(range.map { UInt32(reference.block(at: start + $0)) })
        #expect(Set(blocks.map(\.rawValue)) == expected)
      }
      let pieces = Set((0..<length).map { UInt32((start + $0) / reference.pieceLength) })
      #expect(Set(geometry.pieces(of: file).map(\.rawValue)) == pieces)
      #expect(geometry.blocks(of: file) == geometry.blocks(of: file, bytes: 0..<UInt64(length)))
      if reference.kind.hasV2 {
        #expect(geometry.leaf(UInt32(geometry.blocks(of: file).count), of: file) == nil)
      }
    }
  }
}
