import Glibc
import Metainfo
import Store
import Testing

@testable import SwarmNode

@Suite struct StateFolderTests {
  private let temporary = TemporaryFolder()

  private func state() throws -> StateFolder { try StateFolder(temporary("state/swarm")) }

  /// A torrent of two files; `salt` makes it another one.
  private func torrent(_ kind: TorrentKind, salt: String = "") throws -> KnownTorrent {
    temporary.write([UInt8](repeating: 7, count: 100_000), to: "data\(salt)/a")
    temporary.write(Array("b\(salt)".utf8), to: "data\(salt)/sub/b")
    let loop = EventLoop()
    let content = try ContentImport(
      path: temporary("data\(salt)"), name: Array("data".utf8),
      options: ImportOptions(kind: kind, pieceLength: 16_384))
    var result: Result<TorrentDescription, ContentImportError>?
    content.start(on: loop) { result = $0 }
    loop.run()
    let description = try #require(try result?.get())
    return KnownTorrent(
      info: try description.infoDictionary(), pieceLayers: description.pieceLayers)
  }

  @Test func standardPlaceFollowsTheEnvironment() {
    func place(_ values: [String: String]) -> String? {
      StateFolder.standardPath { name in values["\(name)"].map { Array($0.utf8) } }
        .map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(place(["XDG_DATA_HOME": "/x", "HOME": "/h"]) == "/x/swarm")
    #expect(place(["XDG_DATA_HOME": "", "HOME": "/h"]) == "/h/.local/share/swarm")
    #expect(place(["XDG_DATA_HOME": "x", "HOME": "/h/"]) == "/h/.local/share/swarm")
    #expect(place(["HOME": "h"]) == nil)
    #expect(place([:]) == nil)
  }

  /// A place has the content of one dataset, from its first claim until it was removed and nobody takes
  /// part in it.
  @Test func aPlaceIsOfOneDataset() throws {
    let state = try state()
    let names = try (1...3).map { number in
      try #require(DatasetName(v1: nil, v2: SHA256Digest([UInt8](repeating: number, count: 32))))
    }
    temporary.write([1], to: "here/content\u{1}/file")
    let place = temporary("here/content\u{1}")
    try state.claim(place, for: names[0])
    try state.claim(place, for: names[0])
    for taken in [place, place + Array("/below".utf8), temporary("here")] {
      #expect(throws: StateError.placeTaken(path: taken, by: names[0].folder)) {
        try state.claim(taken, for: names[1])
      }
    }
    try state.claim(place + Array("-beside".utf8), for: names[1])
    // It is gone, but somebody takes part in it.
    _ = place.withCPath { path in temporary("aside").withCPath { rename(path, $0) } }
    let held = try state.open(names[0], content: place)
    #expect(throws: StateError.self) { try state.claim(place, for: names[2]) }
    withExtendedLifetime(held) {}
  }

  /// What a killed process has left goes when the folder is opened again; what somebody writes now does not.
  @Test func leftoversOfLongAgoAreRemoved() throws {
    let name = try #require(DatasetName(v1: nil, v2: SHA256Digest(hashing: [1])))
    var folder: DatasetFolder? = try state().open(name, content: [1])
    let path = try #require(folder).path
    folder = nil
    let places = [
      temporary("state/swarm"), path, path + Array("/versions".utf8), path + Array("/blocks".utf8),
    ]
    func names(_ place: [UInt8]) throws -> Set<String> {
      Set(
        try FolderScanner.scan(place).items.filter { $0.names.count == 1 }
          .map { String(decoding: $0.names[0], as: UTF8.self) }.filter { $0.hasPrefix(".swarm") })
    }
    let old = timespec(tv_sec: 1_000_000, tv_nsec: 0)
    for place in places {
      for name in [".swarm-12.tmp", ".swarm-ab3.tmp", ".swarm-x.link"] {
        let file = place + Array("/\(name)".utf8)
        try WholeFile.write([1], to: file)
        if name == ".swarm-ab3.tmp" { continue }
        let status = file.withCPath { path in
          [old, old].withUnsafeBufferPointer { utimensat(AT_FDCWD, path, $0.baseAddress, 0) }
        }
        #expect(status == 0)
      }
    }
    folder = try state().open(name, content: [1])
    for place in places {
      let left = try names(place)
      #expect(left == [".swarm-ab3.tmp", ".swarm-x.link"], "\(printable(place)): \(left)")
    }
    withExtendedLifetime(folder) {}
  }

  @Test func aPlaceThatWasRemovedIsFree() throws {
    let state = try state()
    let names = try (1...2).map { number in
      try #require(DatasetName(v1: nil, v2: SHA256Digest([UInt8](repeating: number, count: 32))))
    }
    let place = temporary("gone")
    try state.claim(place, for: names[0])
    try state.claim(place, for: names[1])
    temporary.write([1], to: "gone/file")
    #expect(throws: StateError.placeTaken(path: place, by: names[1].folder)) {
      try state.claim(place, for: names[0])
    }
  }

  @Test(arguments: TorrentKind.allCases)
  func aTorrentIsFoundAgainByEachOfItsInfohashes(kind: TorrentKind) throws {
    let torrent = try torrent(kind)
    let name = DatasetName(torrent.info)
    let state = try state()
    #expect(try state.knownTorrent(name) == nil)
    let folder = try state.open(name, content: [1])
    #expect(folder.torrent == nil)
    try folder.keep(torrent)
    for found in [
      folder.torrent, try state.knownTorrent(name),
      try name.v1.flatMap { DatasetName(v1: $0, v2: nil) }.flatMap(state.knownTorrent),
      try name.v2.flatMap { DatasetName(v1: nil, v2: $0) }.flatMap(state.knownTorrent),
    ].compactMap({ $0 }) {
      #expect(found.info.bytes == torrent.info.bytes)
      #expect(found.pieceLayers == torrent.pieceLayers)
    }
    let other = try #require(DatasetName(v1: SHA1Digest(hashing: [1]), v2: nil))
    #expect(try state.knownTorrent(other) == nil)
  }

  @Test func aTorrentWithoutItsLayersIsKeptToo() throws {
    let torrent = try torrent(.v2)
    #expect(!torrent.pieceLayers.isEmpty)
    let folder = try state().open(DatasetName(torrent.info), content: [1])
    try folder.keep(KnownTorrent(info: torrent.info, pieceLayers: [:]))
    #expect(folder.torrent?.pieceLayers.isEmpty == true)
    try folder.keep(torrent)
    #expect(folder.torrent?.pieceLayers == torrent.pieceLayers)
  }

  @Test func aDamagedTorrentIsNoTorrent() throws {
    let torrent = try torrent(.v2)
    let name = DatasetName(torrent.info)
    let folder = try state().open(name, content: [1])
    try folder.keep(torrent)
    try WholeFile.write(
      [1, 2, 3], to: folder.path.appending(path: Array("versions/1.torrent".utf8)))
    #expect(folder.torrent == nil)
    #expect(try state().knownTorrent(name) == nil)
    try folder.keep(torrent)
    #expect(folder.torrent != nil)
  }

  @Test func onlyOneAtATime() throws {
    let name = DatasetName(try torrent(.v2).info)
    let other = DatasetName(try torrent(.v2, salt: "2").info)
    let state = try state()
    do {
      let folder = try state.open(name, content: [1])
      let error = #expect(throws: StateError.self) { try state.open(name, content: [1]) }
      guard case .inUse(let process, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(process == Int(getpid()))
      _ = try state.open(other, content: [1])
      withExtendedLifetime(folder) {}
    }
    _ = try state.open(name, content: [1])
  }

  @Test func copiesInTwoPlacesDoNotMeet() throws {
    let torrent = try torrent(.v2)
    let name = DatasetName(torrent.info)
    let state = try state()
    let record = { ContentRecord(path: $0, owner: .program, isWhole: false, items: []) }
    let first = try state.open(name, content: [1])
    try first.keep(torrent)
    try first.keep(record([1]))
    let second = try state.open(name, content: [2])
    #expect(second.torrent?.info.bytes == torrent.info.bytes)
    #expect(second.content == nil && second.mapsPath != first.mapsPath)
    try second.keep(record([2]))
    // What is true of the dataset is kept once.
    try second.keep(leaves: [SHA256Digest(hashing: [7])])
    #expect(first.leaves == [SHA256Digest(hashing: [7])])
    #expect(throws: StateError.self) { try state.open(name, content: [1]) }
    #expect(throws: StateError.self) { try state.open(name, content: [2]) }
    #expect(first.content?.path == [1] && second.content?.path == [2])
  }

  @Test func mapsAreForgotten() throws {
    let folder = try state().open(DatasetName(try torrent(.v2).info), content: [1])
    try WholeFile.write([1], to: folder.mapsPath.appending(path: Array("x".utf8)))
    try folder.forgetMaps()
    #expect(try FolderScanner.scan(folder.mapsPath).items.isEmpty)
  }

  @Test func aFileWhereAFolderBelongsIsAnError() {
    temporary.write([1], to: "file")
    let error = #expect(throws: StateError.self) { try StateFolder(temporary("file")) }
    guard case .system(let failure)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(failure.number == ENOTDIR)
    #expect(throws: StateError.self) { try StateFolder(temporary("file/below")) }
  }

  @Test func aFolderSaysItsFormatAndOneThatSaysNothingGetsIt() throws {
    let state = try state()
    let file = state.path.appending(path: Array("format".utf8))
    #expect(try WholeFile.read(file, limit: 10) == Array("\(StateFolder.format)\n".utf8))
    #expect(unlink(String(decoding: file, as: UTF8.self)) == 0)
    _ = try self.state()
    #expect(try WholeFile.read(file, limit: 10) == Array("\(StateFolder.format)\n".utf8))
  }

  @Test(arguments: ["2\n", "18446744073709551615", "99999999999999999999999", "x", ""])
  func aFolderOfANewerProgramIsRefusedAndLeftAlone(format: String) throws {
    let path = try state().path
    try WholeFile.write(Array(format.utf8), to: path.appending(path: Array("format".utf8)))
    let before = Set(try FolderScanner.scan(path).items.map(\.names))
    let error = #expect(throws: StateError.self) { try StateFolder(path) }
    guard case .newer(let folder, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    let isNumber = !format.isEmpty && format != "x"
    let words = isNumber ? "newer swarm" : "is damaged"
    #expect(folder == path && error?.description.contains(words) == true)
    #expect(Set(try FolderScanner.scan(path).items.map(\.names)) == before)
  }

  @Test func aSourceIsKnownByAllThatDecides() throws {
    let state = try state()
    let name = DatasetName(try torrent(.hybrid).info)
    let key = SourceKey(path: [0xFF, 0x2F], name: [1], kind: .v2, pieceLength: nil)
    #expect(state.source(key) == nil)
    try state.remember(key, as: name)
    #expect(state.source(key) == name)
    for other in [
      SourceKey(path: [0xFF], name: [1], kind: .v2, pieceLength: nil),
      SourceKey(path: [0xFF, 0x2F], name: [2], kind: .v2, pieceLength: nil),
      SourceKey(path: [0xFF, 0x2F], name: [1], kind: .v1, pieceLength: nil),
      SourceKey(path: [0xFF, 0x2F], name: [1], kind: .v2, pieceLength: 16_384),
    ] { #expect(state.source(other) == nil) }
  }
}

@Suite struct ContentRecordTests {
  private let temporary = TemporaryFolder()

  private func items() throws -> [ContentRecord.Item] {
    ContentRecord.items(of: try FolderScanner.scan(temporary("data")))
  }

  private func difference(after change: () throws -> Void) throws -> String? {
    let record = ContentRecord(
      path: temporary("data"), owner: .user, isWhole: true, items: try items())
    try change()
    return record.firstDifference(from: try items()).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func everyChangeShows() throws {
    temporary.write([1, 2, 3], to: "data/a")
    temporary.write([4], to: "data/sub/b")
    #expect(try difference {} == nil)
    #expect(try difference { temporary.write([1, 2, 3, 4], to: "data/a") } == "data/a".below)
    #expect(try difference { temporary.write([9], to: "data/c") } == "c")
    #expect(try difference { _ = temporary("data/c").withCPath { unlink($0) } } == "c")
    #expect(try difference { _ = temporary("data/a").withCPath { chmod($0, 0o755) } } == "a")
    let moved = temporary("data/z")
    #expect(
      try difference {
        _ = temporary("data/a").withCPath { old in moved.withCPath { rename(old, $0) } }
      } == "a")
    #expect(
      try difference {
        _ = temporary("data/link").withCPath { symlink("z", $0) }
      } == "link")
    // Times that were set back: that of the attributes tells.
    #expect(
      try difference {
        var times = [timespec(), timespec()]
        _ = temporary("data/z").withCPath { utimensat(AT_FDCWD, $0, &times, 0) }
      } == "z")
  }

  @Test func recordsSurviveTheDisk() throws {
    temporary.write([1, 2, 3], to: Array("data/".utf8) + [0xFF, 0x0A])
    _ = temporary("data/link").withCPath { symlink("z", $0) }
    for owner in [ContentRecord.Owner.user, .program] {
      let record = ContentRecord(
        path: [0x2F, 0xFF], owner: owner, isWhole: owner == .user, items: try items())
      #expect(ContentRecord(decoding: record.encoded) == record)
      for end in record.encoded.indices {
        #expect(ContentRecord(decoding: Array(record.encoded[..<end])) == nil)
      }
    }
  }
}

extension String {
  fileprivate var below: String { String(dropFirst("data/".count)) }
}
