import Glibc
import Metainfo
import Store
import TestSupport
import Testing

@testable import SwarmNode

@Suite struct VersionReuseTests {
  private let temporary = TemporaryFolder()

  private func info(_ folder: String, name: String = "data") throws -> InfoDictionary {
    let loop = EventLoop()
    let content = try ContentImport(
      path: temporary(folder), name: Array(name.utf8),
      options: ImportOptions(kind: .v2, pieceLength: 16_384))
    var result: Result<TorrentDescription, ContentImportError>?
    content.start(on: loop) { result = $0 }
    loop.run()
    return try #require(try result?.get()).infoDictionary()
  }

  private func folders(_ name: String, fileName: String? = nil) throws -> TorrentFolders {
    TorrentFolders(
      content: temporary(name), maps: [],
      fileName: try fileName.map { try PathElement(Array($0.utf8)) })
  }

  private func bytes(_ path: String) -> [UInt8]? {
    try? WholeFile.read(temporary(path), limit: 1 << 26)
  }

  private func reuse(
    _ new: InfoDictionary, from older: [(InfoDictionary, String)], to place: String = "new",
    ways: [FileClone.Way] = FileClone.Way.allCases, wanted: (Int) -> Bool = { _ in true }
  ) throws -> VersionReuse {
    VersionReuse(
      new, into: try folders(place), wanted: wanted,
      from: try older.map { .init(info: $0.0, folders: try folders($0.1)) }, ways: ways)
  }

  private func paths(_ info: InfoDictionary, _ outcome: VersionReuse.Outcome) -> [String] {
    outcome.files.map { "\(info.files[$0].path)" }
  }

  private func names(_ folder: String) throws -> [String] {
    try FolderScanner.scan(temporary(folder)).items.map {
      String(decoding: Array($0.names.joined(separator: [0x2F])), as: UTF8.self)
    }.sorted()
  }

  @Test(arguments: [FileClone.Way.allCases, [.kernel, .byHand], [.byHand]])
  func filesComeByContentThenByPath(ways: [FileClone.Way]) throws {
    var generator = SplitMix64(seed: 1)
    let long = generator.bytes(200_000)
    var middle = long
    middle[100_000] ^= 1
    temporary.write(generator.bytes(100_000), to: "v1/same")
    for name in ["grown", "shrunk", "middle", "old/place", "folder"] {
      temporary.write(long + Array(name.utf8), to: "v1/\(name)")
    }
    temporary.write([1], to: "v1/gone")
    let same = try #require(bytes("v1/same"))
    temporary.write(same, to: "v2/same")
    temporary.write(long + Array("grown".utf8) + generator.bytes(50_000), to: "v2/grown")
    temporary.write(Array(long.prefix(70_000)), to: "v2/shrunk")
    temporary.write(middle + Array("middle".utf8), to: "v2/middle")
    temporary.write(long + Array("old/place".utf8), to: "v2/new/place")
    temporary.write([9], to: "v2/folder/file")
    temporary.write(generator.bytes(1_000), to: "v2/added")
    temporary.write([], to: "v2/empty")
    let (old, new) = (try info("v1"), try info("v2"))
    let run = try reuse(new, from: [(old, "v1")], ways: ways)
    let outcome = run.run()
    #expect(outcome.failure == nil && !outcome.isPartial)
    #expect(paths(new, outcome) == ["grown", "middle", "new/place", "same", "shrunk"])
    #expect(try names("new") == ["grown", "middle", "new", "new/place", "same", "shrunk"])
    #expect(bytes("new/same") == bytes("v2/same"))
    #expect(bytes("new/new/place") == bytes("v2/new/place"))
    #expect(bytes("new/shrunk") == bytes("v2/shrunk"))
    #expect(
      bytes("new/grown") == long + Array("grown".utf8) + [UInt8](repeating: 0, count: 50_000))
    // The old bytes: what is wrong in them shows when they are hashed.
    #expect(bytes("new/middle") == bytes("v1/middle"))
    #expect(outcome.bytes == 100_000 + 200_005 + 70_000 + 200_006 + 200_009)
    #expect(run.bytesDone == run.totalBytes)
    // The old version is as it was.
    #expect(bytes("v1/same") == same && bytes("v1/middle") == long + Array("middle".utf8))
  }

  @Test func theBestVersionComesFirstAndBrokenOnesAreSkipped() throws {
    temporary.write([1, 1], to: "v1/a")
    temporary.write([2, 2], to: "v2/a")
    temporary.write([1, 1], to: "v3/b")
    temporary.write([3, 3], to: "v3/a")
    let (one, two, three) = (try info("v1"), try info("v2"), try info("v3"))
    var outcome = try reuse(three, from: [(two, "v2"), (one, "v1")]).run()
    #expect(bytes("new/a") == [2, 2] && bytes("new/b") == [1, 1] && outcome.files == [0, 1])
    // Cut short by somebody, or gone: another will do.
    temporary.write([2], to: "v2/a")
    outcome = try reuse(three, from: [(two, "v2"), (one, "v1")], to: "again").run()
    #expect(bytes("again/a") == [1, 1])
    outcome = try reuse(three, from: [(two, "nowhere"), (one, "v1")], to: "third").run()
    #expect(bytes("third/a") == [1, 1] && outcome.failure == nil)
    outcome = try reuse(three, from: [(two, "nowhere")], to: "none").run()
    #expect(outcome.files.isEmpty && outcome.failure == nil)
  }

  @Test func onlyWhatIsWanted() throws {
    temporary.write([1], to: "v1/a")
    temporary.write([2], to: "v1/b")
    let info = try info("v1")
    let outcome = try reuse(info, from: [(info, "v1")], wanted: { $0 == 1 }).run()
    #expect(outcome.files == [1])
    #expect(try names("new") == ["b"])
    _ = try reuse(info, from: [(info, "v1")], to: "untouched", wanted: { _ in false }).run()
    #expect(bytes("untouched/b") == nil)
    #expect(throws: SystemError.self) { try RealPath.resolve(temporary("untouched")) }
  }

  @Test func theOnlyFileMayBeCalledOtherwise() throws {
    temporary.write([1, 2], to: "places/image@1")
    temporary.write([1, 2, 3], to: "image")
    let new = try info("image", name: "image.raw")
    temporary.write([1, 2], to: "old")
    let old = try info("old", name: "image")
    let outcome = VersionReuse(
      new, into: try folders("places", fileName: "image@2"),
      from: [.init(info: old, folders: try folders("places", fileName: "image@1"))]
    ).run()
    #expect(outcome.files == [0] && bytes("places/image@2") == [1, 2, 0])
  }

  @Test func executablesStayExecutable() throws {
    temporary.write([1], to: "v1/tool")
    _ = temporary("v1/tool").withCPath { chmod($0, 0o755) }
    let info = try info("v1")
    _ = try reuse(info, from: [(info, "v1")]).run()
    #expect(access(String(decoding: temporary("new/tool"), as: UTF8.self), X_OK) == 0)
  }

  @Test func whatIsThereIsKept() throws {
    temporary.write([1, 1], to: "v1/a")
    temporary.write([1, 2], to: "v1/b")
    temporary.write([1, 3], to: "v1/c/d")
    let info = try info("v1")
    temporary.write([8, 8], to: "new/a")
    temporary.write([8], to: "new/b")
    temporary.write([8], to: "new/c")
    let outcome = try reuse(info, from: [(info, "v1")]).run()
    // One of the right size is examined; others are in the way, as for a download.
    #expect(outcome.files == [0] && outcome.failure != nil && !outcome.isPartial)
    #expect(bytes("new/a") == [8, 8] && bytes("new/b") == [8] && bytes("new/c") == [8])
    #expect(try names("new") == ["a", "b", "c"])
  }

  @Test func symlinksLeadNowhere() throws {
    temporary.write([7, 7, 7], to: "secret/a")
    temporary.write([1, 1, 1], to: "v1/a")
    temporary.write([1, 1, 2], to: "v1/sub/b")
    temporary.write([1, 1, 3], to: "v1/c")
    let info = try info("v1")
    func remove(_ name: String) { _ = temporary(name).withCPath { Glibc.remove($0) } }
    func link(_ target: String, _ name: String) {
      _ = temporary(name).withCPath { symlink(target, $0) }
    }
    remove("v1/a")
    link("../secret/a", "v1/a")
    remove("v1/sub/b")
    remove("v1/sub")
    link("../secret", "v1/sub")
    link("a", "secret/b")
    var outcome = try reuse(info, from: [(info, "v1")]).run()
    #expect(paths(info, outcome) == ["c"] && bytes("new/a") == nil)
    // Nor on the way to what is written.
    temporary.write([1, 1, 1], to: "good/a")
    temporary.write([1, 1, 2], to: "good/sub/b")
    temporary.write([1, 1, 3], to: "good/c")
    temporary.write([], to: "trap/x")
    temporary.write([], to: "outside/x")
    link("../outside", "trap/sub")
    link("../outside/x", "trap/a")
    outcome = try reuse(info, from: [(info, "good")], to: "trap").run()
    #expect(paths(info, outcome) == ["c"])
    #expect(try names("outside") == ["x"])
    #expect(bytes("outside/x") == [])
  }

  @Test(arguments: [FileClone.Way.allCases, [.kernel, .byHand], [.byHand]])
  func holesStayHoles(ways: [FileClone.Way]) throws {
    temporary.write([1], to: "v1/image")
    let file = temporary("v1/image")
    let length: off_t = 64 << 20
    _ = file.withCPath { truncate($0, length) }
    let descriptor = file.withCPath { open($0, O_WRONLY) }
    pwrite(descriptor, [2], 1, length / 2)
    close(descriptor)
    let info = try info("v1")
    let run = try reuse(info, from: [(info, "v1")], ways: ways)
    #expect(run.run().files == [0] && run.bytesDone == UInt64(length))
    var status = stat()
    _ = temporary("new/image").withCPath { stat($0, &status) }
    #expect(status.st_size == length && status.st_blocks * 512 < length / 4)
    #expect(bytes("new/image") == bytes("v1/image"))
  }

  @Test func aStopKeepsWhatIsDoneAndTheNextRunGoesOn() throws {
    for name in ["a", "b", "c"] { temporary.write(Array(name.utf8), to: "v1/\(name)") }
    let info = try info("v1")
    let stopped = try reuse(info, from: [(info, "v1")])
    stopped.cancel()
    let outcome = stopped.run()
    #expect(outcome.isPartial && outcome.files.isEmpty)
    // What a killed run has left.
    temporary.write([1, 2, 3], to: "new/.swarm-reuse.tmp")
    temporary.write(Array("b".utf8), to: "new/b")
    #expect(try reuse(info, from: [(info, "v1")]).run().files == [0, 1, 2])
    #expect(try names("new") == ["a", "b", "c"])
  }

  /// A disk of 1 MiB: what fits is kept, nothing half is left, and it is said.
  @Test(.enabled(if: geteuid() == 0, "mounts a small file system"))
  func aFullDiskEndsIt() throws {
    let place = temporary("new")
    try StateFolder.make(place)
    let isMounted = place.withCPath { mount("tmpfs", $0, "tmpfs", 0, "size=1m") } == 0
    // Not every root may mount.
    guard isMounted else { return }
    defer { _ = place.withCPath { umount($0) } }
    var generator = SplitMix64(seed: 2)
    for name in ["a", "b", "c"] { temporary.write(generator.bytes(400_000), to: "v1/\(name)") }
    let info = try info("v1")
    let outcome = try reuse(info, from: [(info, "v1")]).run()
    #expect(outcome.files == [0, 1] && outcome.isPartial)
    #expect(outcome.failure?.errno == ENOSPC)
    #expect(try names("new") == ["a", "b"])
  }
}

@Suite struct VersionLinksTests {
  private let temporary = TemporaryFolder()

  private struct Stopped: Error {}

  private func links(_ name: String = "data") throws -> VersionLinks {
    VersionLinks(directory: temporary.path, name: try PathElement(Array(name.utf8)))
  }

  private func names() throws -> [String] {
    try FolderScanner.scan(temporary.path).items.filter { $0.names.count == 1 }.map {
      String(decoding: $0.names[0], as: UTF8.self)
    }.sorted()
  }

  @Test func oneNameLeadsToOneVersion() throws {
    let links = try links()
    #expect(try links.current() == nil)
    #expect(try links.place(of: 3) == temporary("data@3"))
    temporary.write([1], to: "data@1/a")
    temporary.write([2], to: "data@3/a")
    try links.point(to: 1)
    #expect(try links.current() == 1)
    #expect(try WholeFile.read(temporary("data/a"), limit: 9) == [1])
    try links.point(to: 3)
    try links.point(to: 3)
    #expect(try links.current() == 3)
    #expect(try WholeFile.read(temporary("data/a"), limit: 9) == [2])
    for other in ["data@", "data@0", "data@03", "data@x", "data@3.part", "database@4", "dat@5"] {
      temporary.write([1], to: other)
    }
    #expect(try links.versions() == [1, 3])
    #expect(
      try VersionLinks(directory: temporary("nowhere"), name: links.name).versions().isEmpty)
  }

  @Test func whatIsInTheWayIsNeverReplaced() throws {
    let links = try links()
    let obstacle = VersionLinks.Obstacle.inTheWay(temporary("data"))
    temporary.write([1], to: "data/mine")
    #expect(throws: obstacle) { try links.point(to: 1) }
    #expect(try WholeFile.read(temporary("data/mine"), limit: 9) == [1])
    _ = temporary("data/mine").withCPath { unlink($0) }
    _ = temporary("data").withCPath { rmdir($0) }
    temporary.write([1], to: "data")
    #expect(throws: obstacle) { try links.point(to: 1) }
    _ = temporary("data").withCPath { unlink($0) }
    for target in ["elsewhere", "data@", "data@01", "/data@1", "x/data@1"] {
      _ = temporary("data").withCPath { symlink(target, $0) }
      #expect(throws: obstacle) { try links.point(to: 1) }
      _ = temporary("data").withCPath { unlink($0) }
    }
    #expect(try names().isEmpty)
    let long = try self.links(String(repeating: "n", count: 254))
    #expect(throws: VersionLinks.Obstacle.nameTooLong(long.name.bytes)) { try long.point(to: 1) }
    // Something that comes in the last moment.
    #expect(throws: obstacle) {
      try links.point(to: 1) { (step) throws(VersionLinks.Obstacle) in
        if step == .rename { temporary.write([5], to: "data") }
      }
    }
    #expect(try WholeFile.read(temporary("data"), limit: 9) == [5])
  }

  /// Killed at any point, the link leads to the old version or to the new one, and the next time works.
  @Test(arguments: VersionLinks.Step.allCases)
  func aKillAtAnyPointLeavesOneOfBoth(step: VersionLinks.Step) throws {
    let links = try links()
    let kill = VersionLinks.Obstacle.system(SystemError("kill", [], EINTR))
    func killed(_ number: UInt64) {
      #expect(throws: kill) {
        try links.point(to: number) { (now) throws(VersionLinks.Obstacle) in
          if now == step { throw kill }
        }
      }
    }
    killed(1)
    #expect(try links.current() == (step == .sync ? 1 : nil))
    try links.point(to: 1)
    killed(2)
    #expect(try links.current() == (step == .sync ? 2 : 1))
    try links.point(to: 3)
    #expect(try links.current() == 3)
    #expect(try names() == ["data"])
  }
}
