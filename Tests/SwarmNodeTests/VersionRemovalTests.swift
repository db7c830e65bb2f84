import Glibc
import Metainfo
import Store
import TestSupport
import Testing

@testable import SwarmNode

/// Old versions that go, and what of them stays. Every version has the files a, sub/b and sub/deep/c.
@Suite struct VersionRemovalTests {
  private let temporary = TemporaryFolder()
  private let names = ["a", "sub/b", "sub/deep/c"]

  private func state() throws -> StateFolder { try StateFolder(temporary("state")) }

  private func dataset() throws -> KeyedDataset {
    let secret = try #require(DatasetSecret(seed: [UInt8](repeating: 7, count: 32)))
    return try state().dataset(secret.key)
  }

  private func links() throws -> VersionLinks {
    VersionLinks(directory: temporary("dir"), name: try PathElement(Array("data".utf8)))
  }

  private func removal() throws -> VersionRemoval {
    VersionRemoval(try links(), of: try dataset(), state: try state())
  }

  /// Puts a version in its place as `swarm join` leaves it.
  private func make(
    _ number: UInt64, isDisposable: Bool = true, isWhole: Bool = true, isKnown: Bool = true
  ) throws {
    let place = "dir/data@\(number)"
    for name in names {
      temporary.write(Array("\(name) \(number)".utf8), to: "\(place)/\(name)")
    }
    let loop = EventLoop()
    let content = try ContentImport(
      path: temporary(place), name: Array("data".utf8),
      options: ImportOptions(kind: .v2, pieceLength: 16_384))
    var result: Result<TorrentDescription, ContentImportError>?
    content.start(on: loop) { result = $0 }
    loop.run()
    let info = try #require(try result?.get()).infoDictionary()
    let folder = try state().open(DatasetName(info), content: temporary(place))
    try folder.keep(KnownTorrent(info: info, pieceLayers: [:]))
    var record = ContentRecord(
      path: temporary(place), owner: .program, isWhole: isWhole,
      items: isWhole ? ContentRecord.items(of: info, at: temporary(place)) : [])
    record.isDisposable = isDisposable
    try folder.keep(record)
    if isKnown {
      try dataset().keep(version: number, infohash: try #require(info.infohashV2))
    }
    if try links().current() ?? 0 < number { try links().point(to: number) }
  }

  private func exists(_ name: String) -> Bool {
    var status = stat()
    return temporary("dir/" + name).withCPath { lstat($0, &status) } == 0
  }

  @Test func theNewestOfTheOldStay() throws {
    for number in 1...5 as ClosedRange<UInt64> { try make(number) }
    #expect(try removal().superfluous(keeping: 0) == [1, 2, 3, 4])
    #expect(try removal().superfluous(keeping: 3) == [1])
    #expect(try removal().superfluous(keeping: 9) == [])
    let outcome = try removal().remove(1)
    #expect(outcome == .init(removed: 3))
    #expect(!exists("data@1") && exists("data@2/sub/deep/c") && exists("data/a"))
    #expect(try removal().superfluous(keeping: 3) == [])
    // Nothing is left to be done, and nothing is known of it any more.
    #expect(try removal().remove(1) == .init())
  }

  @Test func whatNobodyMayRemoveStays() throws {
    try make(1, isDisposable: false)
    try make(2, isKnown: false)
    // One that somebody made by hand, and one that a symlink was pointed back to.
    temporary.write([1], to: "dir/data@3/a")
    try make(4)
    try make(5)
    #expect(try removal().superfluous(keeping: 0) == [4])
    try links().point(to: 4)
    #expect(try removal().superfluous(keeping: 0) == [])
    for number in 1...3 as ClosedRange<UInt64> {
      #expect(try removal().remove(number) == .init())
      #expect(exists("data@\(number)/a"))
    }
  }

  @Test func whatWasChangedStays() throws {
    try make(1)
    try make(2)
    temporary.write(Array("mine".utf8), to: "dir/data@1/sub/b")
    temporary.write([1], to: "dir/data@1/sub/new")
    let outcome = try removal().remove(1)
    #expect(outcome == .init(removed: 2, left: [temporary("dir/data@1/sub/b")]))
    #expect(exists("data@1/sub/b") && exists("data@1/sub/new"))
    #expect(!exists("data@1/sub/deep") && !exists("data@1/a"))
  }

  @Test func aFileWithTheSameSizeAndOtherTimesWasChanged() throws {
    try make(1)
    try make(2)
    let file = temporary("dir/data@1/a")
    var times = [timespec(tv_sec: 5, tv_nsec: 0), timespec(tv_sec: 5, tv_nsec: 0)]
    #expect(file.withCPath { utimensat(AT_FDCWD, $0, &times, 0) } == 0)
    // Permissions are no content.
    #expect(temporary("dir/data@1/sub/b").withCPath { chmod($0, 0o600) } == 0)
    #expect(try removal().remove(1) == .init(removed: 2, left: [file]))
  }

  @Test func nothingOutsideIsReachedBySymlinks() throws {
    try make(1)
    try make(2)
    temporary.write([9], to: "outside/b")
    temporary.write([9], to: "outside/deep/c")
    for name in ["b", "deep/c", "deep"] {
      _ = temporary("dir/data@1/sub/\(name)").withCPath { Glibc.remove($0) }
    }
    _ = temporary("dir/data@1/sub").withCPath { rmdir($0) }
    let made = temporary("outside").withCPath { target in
      temporary("dir/data@1/sub").withCPath { symlink(target, $0) }
    }
    #expect(made == 0)
    #expect(try removal().remove(1).removed == 1)
    #expect(exists("data@1/sub") && exists("../outside/b") && exists("../outside/deep/c"))
  }

  @Test func onesThatWereNeverWholeGo() throws {
    try make(1, isWhole: false)
    try make(2)
    #expect(try removal().superfluous(keeping: 0) == [1])
    #expect(try removal().remove(1) == .init(removed: 3))
    #expect(!exists("data@1"))
  }

  @Test func oneThatSomebodyTakesPartInStays() throws {
    try make(1)
    try make(2)
    let infohash = try #require(try dataset().version(1))
    let name = try #require(DatasetName(v1: nil, v2: infohash))
    let held = try state().open(name, content: temporary("dir/data@1"))
    #expect(throws: StateError.self) { try removal().remove(1) }
    #expect(exists("data@1/a"))
    withExtendedLifetime(held) {}
  }

  @Test func whoHasAFileOpenKeepsIt() throws {
    try make(1)
    try make(2)
    let descriptor = temporary("dir/data@1/a").withCPath { open($0, O_RDONLY) }
    defer { close(descriptor) }
    #expect(try removal().remove(1).removed == 3)
    var bytes = [UInt8](repeating: 0, count: 16)
    #expect(read(descriptor, &bytes, 16) == 3)
    #expect(Array(bytes[..<3]) == Array("a 1".utf8))
  }
}
