import TestSupport
import Testing

@testable import Metainfo

@Suite struct VersionDiffTests {
  /// A file as the test has it: a number for each block, which stands for its bytes.
  private struct Content: Equatable {
    var blocks: [UInt64]
    /// Bytes in the last block.
    var tail: UInt64 = 16_384
    var isExecutable = false

    var length: UInt64 { blocks.isEmpty ? 0 : UInt64(blocks.count - 1) * 16_384 + tail }

    /// Blocks with what makes them differ: the last one by its length too.
    func block(_ index: Int) -> [UInt64]? {
      guard index < blocks.count else { return nil }
      return [blocks[index], index == blocks.count - 1 ? tail : 16_384]
    }
  }

  private func torrent(
    _ files: [String: Content], pieceLength: UInt32, knowsLayers: Bool = true
  ) throws -> (InfoDictionary, PieceLayers) {
    var layers: PieceLayers = [:]
    let entries = try files.map { name, content in
      var entry = FileEntry(
        path: try ContentPath(name.split(separator: "/").map { try PathElement($0.utf8) }),
        length: content.length, attributes: content.isExecutable ? .executable : [])
      if content.length > 0 {
        let leaves = content.blocks.indices.map { index in
          SHA256Digest(hashing: (content.block(index) ?? []).flatMap { "\($0) ".utf8 })
        }
        let (root, layer) = SlowReference.tree(leaves, pieceLength: Int(pieceLength))
        entry.piecesRoot = root
        if !layer.isEmpty { layers[root] = layer }
      }
      return entry
    }.sorted { $0.path < $1.path }
    let description = TorrentDescription(
      kind: .v2, name: try PathElement("t".utf8), isSingleFile: false, pieceLength: pieceLength,
      files: entries)
    return (try description.infoDictionary(), knowsLayers ? layers : [:])
  }

  private func diff(
    _ old: [String: Content], _ new: [String: Content], pieceLength: UInt32 = 32_768,
    newPieceLength: UInt32? = nil, knowsLayers: Bool = true
  ) throws -> VersionDiff {
    let (oldInfo, oldLayers) = try torrent(old, pieceLength: pieceLength)
    let (newInfo, newLayers) = try torrent(
      new, pieceLength: newPieceLength ?? pieceLength, knowsLayers: knowsLayers)
    return try #require(VersionDiff(from: oldInfo, oldLayers, to: newInfo, newLayers))
  }

  /// Bytes of pieces in which a block differs, one by one.
  private func slowBytes(_ old: Content, _ new: Content, piece: Int) -> UInt64 {
    stride(from: 0, to: new.blocks.count, by: piece).reduce(UInt64(0)) { total, start in
      let isSame = (start..<(start + piece)).allSatisfy { old.block($0) == new.block($0) }
      if isSame { return total }
      return total
        + (start..<min(start + piece, new.blocks.count)).reduce(UInt64(0)) {
          $0 + ($1 == new.blocks.count - 1 ? new.tail : 16_384)
        }
    }
  }

  @Test(arguments: 0..<300 as Range<UInt64>)
  func agreesWithTheSlowReference(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    let pieces = [1, 2, 4, 8]
    let (oldPiece, newPiece) = (
      pieces[Int.random(in: 0..<4, using: &generator)],
      pieces[Int.random(in: 0..<4, using: &generator)]
    )
    func content() -> Content {
      let count = Int.random(in: 0...20, using: &generator)
      // Few different blocks, so that different files may be equal.
      return Content(
        blocks: (0..<count).map { _ in UInt64.random(in: 0...2, using: &generator) },
        tail: generator.oneIn(2) ? 16_384 : 5, isExecutable: generator.oneIn(4))
    }
    var old: [String: Content] = [:]
    for index in 0..<6 where !generator.oneIn(3) { old["f\(index)"] = content() }
    old["z"] = Content(blocks: [9])
    var new = old
    for name in old.keys.sorted() where name != "z" && generator.oneIn(2) {
      switch Int.random(in: 0...4, using: &generator) {
      case 0: new[name] = nil
      case 1: new[name]?.blocks.append(7)
      case 2: if new[name]?.blocks.isEmpty == false { new[name]?.blocks[0] = 8 }
      case 3: new["m\(name)"] = new.removeValue(forKey: name)
      default: new["c\(name)"] = new[name]
      }
    }
    if generator.oneIn(2) { new["new"] = content() }
    let diff = try diff(
      old, new, pieceLength: UInt32(oldPiece) * 16_384, newPieceLength: UInt32(newPiece) * 16_384)

    func isSameBytes(_ a: Content, _ b: Content) -> Bool {
      a.length == b.length && a.blocks.indices.allSatisfy { a.block($0) == b.block($0) }
    }
    let changed = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }
    var told = Set<String>()
    for file in diff.files {
      let name = "\(file.path)"
      told.insert(name)
      switch file.change {
      case .added:
        let content = try #require(new[name])
        #expect(old[name] == nil && file.differingBytes == content.length && file.oldLength == 0)
        #expect(content.length == 0 || !old.values.contains { isSameBytes($0, content) })
      case .removed:
        #expect(new[name] == nil && file.differingBytes == 0 && file.newLength == 0)
        #expect(file.oldLength == old[name]?.length)
      case .changed:
        let (before, now) = (try #require(old[name]), try #require(new[name]))
        let isHere = now.length == 0 || old.values.contains { isSameBytes($0, now) }
        let expected = isHere ? 0 : slowBytes(before, now, piece: max(oldPiece, newPiece))
        #expect(file.differingBytes == expected, "seed \(seed), \(name)")
      case .moved(let source):
        let (before, now) = (try #require(old["\(source)"]), try #require(new[name]))
        #expect(isSameBytes(before, now) && old[name] == nil && new["\(source)"] == nil)
        #expect(file.differingBytes == 0)
        told.insert("\(source)")
      case .copied(let source):
        let (before, now) = (try #require(old["\(source)"]), try #require(new[name]))
        #expect(isSameBytes(before, now) && old[name] == nil && file.differingBytes == 0)
      }
    }
    // Each that differs is told, and no other.
    #expect(told == Set(changed), "seed \(seed)")
    #expect(diff.files.map(\.path) == diff.files.map(\.path).sorted())
    #expect(diff.differingBytes == diff.files.reduce(0) { $0 + $1.differingBytes })
  }

  @Test func eachChangeByItsName() throws {
    let big = Content(blocks: [1, 2, 3, 4, 5])
    var middle = big
    middle.blocks[2] = 9
    let diff = try diff(
      ["a": big, "b": Content(blocks: [7]), "c": Content(blocks: [8]), "e": Content(blocks: [6])],
      [
        "a": middle, "b2": Content(blocks: [7]), "d": Content(blocks: [5, 5]),
        "e": Content(blocks: [6], isExecutable: true), "e2": Content(blocks: [6]),
      ])
    func path(_ name: String) throws -> ContentPath { try ContentPath([PathElement(name.utf8)]) }
    #expect(
      diff.files.map(\.change) == [
        .changed, .moved(from: try path("b")), .removed, .added, .changed,
        .copied(from: try path("e")),
      ])
    #expect(diff.files.map(\.differingBytes) == [32_768, 0, 0, 32_768, 0, 0])
    #expect(diff.differingBytes == 65_536)
  }

  @Test func withoutLayersAFileCountsAsAWhole() throws {
    let big = Content(blocks: [1, 2, 3, 4, 5], tail: 10)
    var other = big
    other.blocks[0] = 9
    #expect(try diff(["a": big], ["a": other], knowsLayers: false).differingBytes == big.length)
    #expect(try diff(["a": big], ["a": other]).differingBytes == 32_768)
    #expect(try diff(["a": big], ["a": big], knowsLayers: false).files.isEmpty)
  }

  @Test func withoutTreesThereIsNothingToCompare() throws {
    let v1 = try InfoDictionary(parsing: Samples.v1().encoded)
    let v2 = try InfoDictionary(parsing: Samples.v2().encoded)
    #expect(VersionDiff(from: v1, [:], to: v2, [:]) == nil)
    #expect(VersionDiff(from: v2, [:], to: v1, [:]) == nil)
    #expect(VersionDiff(from: v2, [:], to: v2, [:])?.files.isEmpty == true)
  }
}
