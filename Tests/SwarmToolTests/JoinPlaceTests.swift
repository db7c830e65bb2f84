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

  /// A version of that many files, whose names are letters.
  private func info(_ number: UInt64, files: [String], name: String) throws -> InfoDictionary {
    var description = TorrentDescription(
      kind: .v2, name: try PathElement(Array(name.utf8)), isSingleFile: files == [name],
      pieceLength: 16_384,
      files: try files.map {
        FileEntry(
          path: try ContentPath([try PathElement(Array($0.utf8))]), length: 1,
          piecesRoot: SHA256Digest(hashing: [UInt8(number)] + Array($0.utf8)))
      })
    description.version = VersionInfo(number: number)
    return try description.infoDictionary()
  }

  /// A folder with one file is that folder, and stays where it is when files come and go; and also when a
  /// later version is called otherwise.
  @Test func aDatasetStaysWhereItIsWhateverIsInIt() throws {
    let versions = [
      (["a"], "data"), (["a", "b"], "data"), (["b"], "data"), (["a", "b"], "renamed"),
    ]
    for (index, (files, name)) in versions.enumerated() {
      let number = UInt64(index + 1)
      let place = try place(number)
      let folders = try place.prepare(try info(number, files: files, name: name), [:])
      #expect(place.content == scratch("dir/data@\(number)"))
      #expect(folders.content == place.content && folders.fileName == nil)
      for name in files { write("data@\(number)/\(name)") }
      try place.finish()
      #expect(scratch.link("dir/data") == "data@\(number)")
    }
    for name in ["a", "b", "renamed"] { #expect(scratch.link("dir/" + name) == nil) }
    // All are shared on, each from where it is.
    let newest = try JoinPlace(
      in: scratch("dir"), globs: [], selection: nil, torrent: nil, dataset: key, number: 4,
      state: try state(), teller: StatusDisplay(isJSON: true))
    let older = newest.older(atMost: 9)
    #expect(older.map(\.version) == [3, 2, 1])
    #expect(older.map(\.folders.content) == (1...3).reversed().map { scratch("dir/data@\($0)") })
  }

  @Test func aFileThatIsADatasetIsAFile() throws {
    for number in 1...2 as ClosedRange<UInt64> {
      let place = try place(number)
      let folders = try place.prepare(try info(number, files: ["image"], name: "image"), [:])
      #expect(place.content == scratch("dir/image@\(number)"))
      #expect(folders.content == scratch("dir"))
      #expect(folders.fileName?.bytes == Array("image@\(number)".utf8))
      write("image@\(number)")
      try place.finish()
      #expect(scratch.link("dir/image") == "image@\(number)")
    }
  }

  /// Two datasets of one name, and a torrent called as the symlink of one.
  @Test func noOtherDatasetIsWrittenThroughASymlink() throws {
    try fetch(1)
    let other = try #require(DatasetSecret(seed: [UInt8](repeating: 8, count: 32))).key
    let twin = try JoinPlace(
      in: scratch("dir"), globs: [], selection: nil, torrent: nil, dataset: other, number: 7,
      state: try state(), teller: StatusDisplay(isJSON: true))
    #expect(throws: StateError.nameTaken(path: scratch("dir/data"), by: key.hex)) {
      try twin.prepare(try info(7), [:])
    }
    #expect(scratch.link("dir/data") == "data@1")
    let plain = try JoinPlace(
      in: scratch("dir"), globs: [], selection: nil, torrent: nil, state: try state(),
      teller: StatusDisplay(isJSON: true))
    let error = #expect(throws: (any Error).self) {
      try plain.prepare(try info(3, files: ["x", "y"], name: "data"), [:])
    }
    guard case StateError.placeTaken? = error as? StateError else {
      Issue.record("\(String(describing: error))")
      return
    }
    // What it leads to is looked at, not only what it is called.
    let name = try #require(DatasetName(v1: nil, v2: SHA256Digest(hashing: [5])))
    try Self.symlink("data@1", scratch("dir/elsewhere"))
    #expect(throws: StateError.self) { try state().claim(scratch("dir/elsewhere"), for: name) }
    #expect(throws: StateError.self) { try state().claim(scratch("dir/elsewhere/a/b"), for: name) }
    try state().claim(scratch("dir/free"), for: name)
    // The next version of the first goes on.
    try fetch(2)
    #expect(scratch.link("dir/data") == "data@2")
  }

  private static func symlink(_ target: String, _ path: [UInt8]) throws {
    let made = Glibc.symlink(target, path.map { CChar(bitPattern: $0) } + [0])
    try #require(made == 0)
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
