import Metainfo
import TestSupport
import Testing

@testable import SwarmNode

/// What is found in the state folder, and which versions others are asked for.
@Suite struct VersionSearchTests {
  private let temporary = TemporaryFolder()
  private let secret: DatasetSecret

  init() throws {
    secret = try #require(DatasetSecret(seed: [UInt8](repeating: 3, count: 32)))
  }

  private func state() throws -> StateFolder { try StateFolder(temporary("state")) }

  private func info(_ number: UInt64?, after previous: SHA256Digest?) throws -> InfoDictionary {
    let name = try PathElement(Array("data".utf8))
    var description = TorrentDescription(
      kind: .v2, name: name, isSingleFile: true, pieceLength: 16_384,
      files: [
        FileEntry(
          path: try ContentPath([name]), length: 1,
          piecesRoot: SHA256Digest(hashing: Array("\(number ?? 0)".utf8)))
      ])
    description.version = number.flatMap { VersionInfo(number: $0, previous: previous) }
    return try description.infoDictionary()
  }

  /// Keeps versions of these numbers, each made from the one before; `here` says whose torrents are in
  /// the state folder. Returns their infohashes.
  @discardableResult
  private func keep(
    _ numbers: [UInt64], head: Bool = true, here: (UInt64) -> Bool = { _ in true }
  ) throws -> [UInt64: SHA256Digest] {
    var infohashes: [UInt64: SHA256Digest] = [:]
    var previous: SHA256Digest?
    for number in numbers {
      let info = try info(number, after: previous)
      previous = info.infohashV2
      infohashes[number] = info.infohashV2
      if here(number) { try state().keep(KnownTorrent(info: info, pieceLayers: [:])) }
    }
    if head, let last = numbers.last, let previous {
      let head = try Head(version: Int64(last), infohash: previous, signedBy: secret)
      _ = try state().dataset(secret.key).keep(head: head)
    }
    return infohashes
  }

  private func search(_ goal: VersionSearch.Goal) throws -> VersionSearch {
    VersionSearch(goal, of: try state().dataset(secret.key), state: try state())
  }

  @Test func oneVersionIsFoundByWalkingDown() throws {
    let infohashes = try keep([1, 2, 3, 4])
    for number in 1...4 as ClosedRange<UInt64> {
      let found = try #require(try search(.version(number)).findHere())
      #expect(found.map(\.number) == [number])
      #expect(found.first?.torrent.info.infohashV2 == infohashes[number])
      // And is remembered, as those on the way.
      #expect(try state().dataset(secret.key).version(number) == infohashes[number])
    }
  }

  @Test func theNewestAreFoundInTheirOrder() throws {
    try keep([1, 2, 5, 9])
    #expect(try search(.newest(3)).findHere()?.map(\.number) == [9, 5, 2])
    #expect(try search(.newest(99)).findHere()?.map(\.number) == [9, 5, 2, 1])
  }

  @Test func whatIsMissingIsAskedForByItsNumber() throws {
    try keep([1, 2, 3, 4]) { $0 != 3 }
    let search = try search(.version(1))
    #expect(try search.findHere() == nil)
    #expect(search.waiting == .version(3))
  }

  @Test func anEarlierWalkIsAShortCut() throws {
    let infohashes = try keep([1, 2, 3, 4]) { $0 < 3 }
    try state().dataset(secret.key).keep(version: 2, infohash: try #require(infohashes[2]))
    #expect(try search(.version(1)).findHere()?.map(\.number) == [1])
  }

  @Test func withoutAHeadNothingIsBegun() throws {
    try keep([1, 2], head: false)
    let search = try search(.version(1))
    #expect(try search.findHere() == nil && search.waiting == .head)
    try keep([1, 2])
    let newer = try self.search(.version(3))
    #expect(try newer.findHere() == nil && newer.waiting == .newerHead(3))
  }

  @Test func numbersThatAreNone() throws {
    try keep([1, 2, 5])
    #expect(throws: VersionSearchError.gap(4, before: 2)) {
      try search(.version(4)).findHere()
    }
    #expect(throws: VersionSearchError.gap(3, before: 2)) {
      try search(.version(3)).findHere()
    }
  }

  @Test func aHistoryThatEndsEarly() throws {
    try keep([3, 4])
    #expect(throws: VersionSearchError.endsAt(3, wanted: 1)) {
      try search(.version(1)).findHere()
    }
    #expect(try search(.newest(10)).findHere()?.map(\.number) == [4, 3])
  }

  @Test func aTorrentThatSaysItIsAnotherVersion() throws {
    let info = try info(7, after: nil)
    try state().keep(KnownTorrent(info: info, pieceLayers: [:]))
    let head = try Head(
      version: 8, infohash: try #require(info.infohashV2), signedBy: secret)
    _ = try state().dataset(secret.key).keep(head: head)
    #expect(throws: VersionSearchError.trail(.wrongNumber(7, expected: 8))) {
      try search(.version(1)).findHere()
    }
  }
}
