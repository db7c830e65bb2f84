import Glibc
import Metainfo
import Store
import Swarm
import SwarmNode
import Testing

@testable import SwarmTool

/// Where versions go, and what is remembered of them.
@Suite struct JoinPlaceTests {
  private let scratch = ScratchFolder()
  private let key: DatasetKey

  init() throws {
    key = try #require(DatasetSecret(seed: [UInt8](repeating: 9, count: 32))).key
  }

  private func state() throws -> StateFolder { try StateFolder(scratch("state")) }

  /// A version with one file, "a", in a folder.
  private func info(_ number: UInt64) throws -> InfoDictionary {
    var description = TorrentDescription(
      kind: .v2, name: try PathElement(Array("data".utf8)), isSingleFile: false,
      pieceLength: 16_384,
      files: [
        FileEntry(
          path: try ContentPath([try PathElement(Array("a".utf8))]), length: 1,
          piecesRoot: SHA256Digest(hashing: [UInt8(number)])),
        FileEntry(
          path: try ContentPath([try PathElement(Array("b".utf8))]), length: 1,
          piecesRoot: SHA256Digest(hashing: [UInt8(number), 1])),
      ])
    description.version = VersionInfo(number: number)
    return try description.infoDictionary()
  }

  private func place(_ number: UInt64?, isPinned: Bool = false) throws -> JoinPlace {
    try JoinPlace(
      in: scratch("dir"), globs: [], selection: nil, torrent: nil, dataset: key, number: number,
      isPinned: isPinned, state: try state(), teller: StatusDisplay(isJSON: true))
  }

  /// Takes part in a version, fills its files, and says that it is whole.
  private func fetch(_ number: UInt64, isPinned: Bool = false) throws {
    let place = try place(number, isPinned: isPinned)
    _ = try place.prepare(try info(number), [:])
    for name in ["a", "b"] { write("data@\(number)/\(name)") }
    try place.finish()
  }

  private func write(_ name: String) {
    let path = scratch("dir/" + name)
    let folder = path[..<(path.lastIndex(of: 0x2F) ?? 0)]
    _ = mkdir(folder.map { CChar(bitPattern: $0) } + [0], 0o755)
    let file = open(path.map { CChar(bitPattern: $0) } + [0], O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    #expect(Glibc.write(file, [1], 1) == 1)
    close(file)
  }

  private func record(_ number: UInt64) throws -> ContentRecord? {
    let infohash = try #require(try info(number).infohashV2)
    return try state().keptVersion(infohash, content: scratch("dir/data@\(number)"))?.record
  }

  @Test func eachVersionHasItsPlaceAndTheNameLeadsToTheNewestWhole() throws {
    try fetch(1)
    #expect(scratch.link("dir/data") == "data@1")
    let second = try place(2)
    _ = try second.prepare(try info(2), [:])
    #expect(second.versionNumber == 2 && second.content == scratch("dir/data@2"))
    #expect(scratch.link("dir/data") == "data@1")
    try fetch(3)
    #expect(scratch.link("dir/data") == "data@3")
    // One that is whole later, and older, changes nothing.
    for name in ["a", "b"] { write("data@2/\(name)") }
    try second.finish()
    #expect(scratch.link("dir/data") == "data@3")
  }

  @Test func onlyWhatIsVouchedForIsRememberedAsAVersion() throws {
    let dataset = try state().dataset(key)
    let foreign = try place(nil)
    _ = try foreign.prepare(try info(4), [:])
    #expect(foreign.versionNumber == 4)
    #expect(dataset.version(4) == nil)
    _ = try place(5).prepare(try info(5), [:])
    #expect(try dataset.version(5) == info(5).infohashV2)
  }

  @Test func aWholeVersionIsRememberedAsItLooks() throws {
    try fetch(1)
    let record = try #require(try record(1))
    #expect(record.isWhole && record.isDisposable)
    #expect(record.items.map(\.path) == [Array("a".utf8), Array("b".utf8)])
    // A later start neither forgets it nor takes a change for its own.
    write("data@1/b")
    let again = try place(1)
    _ = try again.prepare(try info(1), [:])
    try again.finish()
    #expect(try self.record(1) == record)
  }

  @Test func whatSomebodyAskedForOrPutThereIsNotDisposable() throws {
    try fetch(1, isPinned: true)
    #expect(try record(1)?.isDisposable == false)
    try fetch(2)
    #expect(try record(2)?.isDisposable == true)
    try fetch(2, isPinned: true)
    #expect(try record(2)?.isDisposable == false)
    try fetch(2)
    #expect(try record(2)?.isDisposable == false)
    write("data@3/a")
    try fetch(3)
    #expect(try record(3)?.isDisposable == false)
  }

  @Test func olderOnesAreSharedWhileNobodyElseHasThem() throws {
    for number in 1...4 as ClosedRange<UInt64> { try fetch(number) }
    let known = KnownTorrent(info: try info(4), pieceLayers: [:])
    func newest() throws -> JoinPlace {
      try JoinPlace(
        in: scratch("dir"), globs: [], selection: nil, torrent: known, dataset: key, number: 4,
        state: try state(), teller: StatusDisplay(isJSON: true))
    }
    var shared = try newest().older(atMost: 2)
    #expect(shared.map(\.version) == [3, 2])
    #expect(try newest().older(atMost: 9).map(\.version) == [1])
    shared = []
    #expect(try newest().older(atMost: 9).map(\.version) == [3, 2, 1])
  }
}
