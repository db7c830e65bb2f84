import Glibc
import Metainfo
import Store
import Testing

@testable import SwarmNode

@Suite struct ContentImportTests {
  @Test(arguments: TorrentKind.allCases)
  func folderBecomesATorrentThatItVerifies(kind: TorrentKind) throws {
    let folder = TemporaryFolder()
    folder.write(pattern(700_000), to: "top/large")
    folder.write(pattern(1), to: "top/sub/small")
    folder.write([], to: "top/empty")
    folder.write(pattern(20_000), to: Array("top/not-utf8-".utf8) + [0xFF])
    let torrent = try makeTorrent(folder("top"), kind: kind)
    #expect(
      torrent.info.files.map(\.path.bytes) == [
        Array("empty".utf8), Array("large".utf8), Array("not-utf8-".utf8) + [0xFF],
        Array("sub/small".utf8),
      ])
    #expect(torrent.info.name.bytes == Array("top".utf8))
    #expect(try compare(torrent, folder("top")).isRight)
    #expect(try compare(torrent, folder.path).isRight)
  }

  @Test(arguments: TorrentKind.allCases)
  func sparseFileHashesLikeItsBytes(kind: TorrentKind) throws {
    let length = 20 << 20
    var bytes = [UInt8](repeating: 0, count: length)
    bytes[9_000_000] = 1
    let folder = TemporaryFolder()
    folder.write(bytes, to: "dense/image")
    folder.write([], to: "sparse/image")
    let status = folder("sparse/image").withCPath { path in
      truncate(path, length)
    }
    #expect(status == 0)
    let descriptor = folder("sparse/image").withCPath { open($0, O_WRONLY) }
    var one: UInt8 = 1
    #expect(pwrite(descriptor, &one, 1, 9_000_000) == 1)
    close(descriptor)
    let scan = try FolderScanner.scan(folder("sparse/image"))
    guard case .file(_, _, let holes) = scan.items[0].kind else { return }
    #expect(!holes.isEmpty, "the test's file system has no sparse files")
    let dense = try makeTorrent(folder("dense/image"), kind: kind)
    let sparse = try makeTorrent(folder("sparse/image"), kind: kind)
    #expect(dense.info.bytes == sparse.info.bytes)
    #expect(dense.pieceLayers == sparse.pieceLayers)
  }

  @Test(arguments: [TorrentKind.hybrid, .v1], [UInt64(16 << 10), 4 << 20, 32 << 20])
  func largePiecesAreStreamed(kind: TorrentKind, pieceLength: UInt64) throws {
    let bytes = pattern(40_000_000)
    let folder = TemporaryFolder()
    folder.write(bytes, to: "one")
    let torrent = try makeTorrent(folder("one"), kind: kind, pieceLength: pieceLength)
    let expected = stride(from: 0, to: bytes.count, by: Int(pieceLength)).map {
      SHA1Digest(hashing: bytes[$0..<min($0 + Int(pieceLength), bytes.count)])
    }
    #expect(torrent.info.v1Pieces == expected)
    #expect(try compare(torrent, folder("one")).isRight)
  }

  @Test func whatATorrentCannotHoldIsNamed() throws {
    let folder = TemporaryFolder()
    folder.write(pattern(5), to: "top/a")
    _ = folder("top/void").withCPath { mkdir($0, 0o755) }
    _ = folder("top/pipe").withCPath { mkfifo($0, 0o600) }
    for (name, target) in [("in", "./a"), ("out", "../b"), ("root", "/etc/passwd")] {
      _ = folder("top/\(name)").withCPath { symlink(target, $0) }
    }
    let source = try ContentImport(
      path: folder("top"), name: Array("top".utf8), options: ImportOptions())
    #expect(
      Set(source.warnings) == [
        .emptyFolder("void"), .special("pipe", kind: "FIFO"),
        .symlinkLeadsOutside("out", target: "\"../b\""),
        .symlinkLeadsOutside("root", target: "\"/etc/passwd\""),
      ])
    let torrent = try makeTorrent(folder("top"), kind: .v2)
    #expect(torrent.info.files.map(\.path.description) == ["a", "in"])
    #expect(torrent.info.files[1].symlinkTarget?.description == "a")
  }

  @Test func nothingToShareIsAnError() {
    let folder = TemporaryFolder()
    folder.write([], to: "top/empty")
    #expect(throws: ContentImportError.content(.noContent)) {
      try ContentImport(path: folder("top"), name: Array("top".utf8), options: ImportOptions())
    }
  }

  @Test(arguments: ["grow", "shrink", "rewrite", "replace", "remove", "link"])
  func fileThatChangesIsNamed(how: String) throws {
    let folder = TemporaryFolder()
    folder.write(pattern(3_000_000), to: "top/a")
    folder.write(pattern(3_000_000), to: "top/b")
    let source = try ContentImport(
      path: folder("top"), name: Array("top".utf8), options: ImportOptions())
    usleep(20_000)  // Times have the grain of the kernel's tick.
    switch how {
    case "grow": folder.write(pattern(3_000_001), to: "top/b")
    case "shrink": folder.write(pattern(100), to: "top/b")
    case "rewrite": folder.write(pattern(3_000_000), to: "top/b")
    case "replace":
      folder.write(pattern(3_000_000), to: "top/c")
      _ = folder("top/c").withCPath { from in folder("top/b").withCPath { rename(from, $0) } }
    case "link":
      _ = folder("top/b").withCPath { unlink($0) }
      _ = folder("top/b").withCPath { symlink("a", $0) }
    default: _ = folder("top/b").withCPath { unlink($0) }
    }
    #expect(throws: ContentImportError.file(folder("top/b"), .changed)) { try finish(source) }
  }
}

@Suite struct SparseFileTests {
  @Test(arguments: TorrentKind.allCases, [16 << 20, (16 << 20) + 1])
  func writingIntoAHoleIsAChange(kind: TorrentKind, length: Int) throws {
    let folder = TemporaryFolder()
    folder.write([], to: "image")
    #expect(folder("image").withCPath { truncate($0, length) } == 0)
    let source = try ContentImport(
      path: folder("image"), name: Array("image".utf8), options: ImportOptions(kind: kind))
    usleep(20_000)  // Times have the grain of the kernel's tick.
    let descriptor = folder("image").withCPath { open($0, O_WRONLY) }
    defer { close(descriptor) }
    var one: UInt8 = 1
    #expect(pwrite(descriptor, &one, 1, 3 << 20) == 1)
    #expect(throws: ContentImportError.file(folder("image"), .changed)) { try finish(source) }
  }
}

@Suite struct ContentVerificationTests {
  @Test(arguments: TorrentKind.allCases)
  func holesAreNotRead(kind: TorrentKind) throws {
    let folder = TemporaryFolder()
    folder.write([7], to: "image")
    let length = 1 << 30
    #expect(folder("image").withCPath { truncate($0, length) } == 0)
    let torrent = try makeTorrent(folder("image"), kind: kind)
    let verification = try ContentVerification(torrent, folder: folder("image"))
    let read = IteratorSequence(verification.verifier.schedule).count { !$0.isHole }
    #expect(read == 2, "the first segment, which has data, and the last")
    #expect(try compare(torrent, folder("image")).isRight)
    let descriptor = folder("image").withCPath { open($0, O_WRONLY) }
    defer { close(descriptor) }
    var one: UInt8 = 1
    #expect(pwrite(descriptor, &one, 1, 700 << 20) == 1)
    let piece = UInt64(torrent.info.pieceLength)
    let position = UInt64(700 << 20) / piece * piece
    let report = try compare(torrent, folder("image"))
    #expect(report.files[0].differingRanges == [position..<(position + piece)])
  }

  /// Where a byte is flipped, and the piece that then differs.
  @Test(arguments: TorrentKind.allCases, [0, 65_535, 65_536, 699_999])
  func flippedByteIsFound(kind: TorrentKind, position: Int) throws {
    let folder = TemporaryFolder()
    var bytes = pattern(700_000)
    folder.write(bytes, to: "top/large")
    folder.write(pattern(5), to: "top/small")
    let torrent = try makeTorrent(folder("top"), kind: kind, pieceLength: 65_536)
    bytes[position] ^= 0x40
    folder.write(bytes, to: "top/large")
    let report = try compare(torrent, folder("top"))
    let start = UInt64(position) / 65_536 * 65_536
    #expect(report.files[0].differingRanges == [start..<min(start + 65_536, 700_000)])
    // In a v1 torrent the last piece of the one file is the first of the other.
    let sharesPiece = kind == .v1 && start + 65_536 > 700_000
    #expect(report.files[1].isRight == !sharesPiece)
  }

  @Test(arguments: TorrentKind.allCases)
  func whatIsMissingDiffersEvenIfItShouldBeZeros(kind: TorrentKind) throws {
    let folder = TemporaryFolder()
    folder.write([UInt8](repeating: 0, count: 300_000), to: "top/zeros")
    folder.write(pattern(100_000), to: "top/cut")
    let torrent = try makeTorrent(folder("top"), kind: kind, pieceLength: 16_384)
    _ = folder("top/zeros").withCPath { unlink($0) }
    _ = folder("top/cut").withCPath { truncate($0, 20_000) }
    let report = try compare(torrent, folder("top"))
    #expect(report.files[0].problems == [.length(actual: 20_000)])
    #expect(report.files[0].differingRanges == [16_384..<100_000])
    #expect(report.files[1].problems == [.missing])
    #expect(report.files[1].differingRanges == [0..<300_000])
  }

  @Test func otherThingsInPlaceOfFilesAreNamed() throws {
    let folder = TemporaryFolder()
    for name in ["folder", "link", "long", "executable"] {
      folder.write(pattern(10), to: "top/\(name)")
    }
    _ = folder("top/leads").withCPath { symlink("link", $0) }
    let torrent = try makeTorrent(folder("top"), kind: .v2)
    for name in ["folder", "link", "leads"] { _ = folder("top/\(name)").withCPath { unlink($0) } }
    _ = folder("top/folder").withCPath { mkdir($0, 0o755) }
    _ = folder("top/link").withCPath { symlink("long", $0) }
    _ = folder("top/leads").withCPath { symlink("long", $0) }
    folder.write(pattern(11), to: "top/long")
    _ = folder("top/executable").withCPath { chmod($0, 0o755) }
    let report = try compare(torrent, folder("top"))
    #expect(
      report.files.map(\.problems) == [
        [.permission(shouldBeExecutable: false)], [.kind(actual: "folder")], [.symlinkTarget],
        [.kind(actual: "symlink")], [.length(actual: 11)],
      ])
    #expect(report.files.map(\.isRight) == [true, false, false, false, false])
  }

  @Test func contentIsFoundByNameOrByWhatItHolds() throws {
    let folder = TemporaryFolder()
    folder.write(pattern(10), to: "data/data/x")
    let torrent = try makeTorrent(folder("data"), kind: .v2)
    #expect(try compare(torrent, folder("data")).isRight)
    #expect(try compare(torrent, folder.path).isRight)
    #expect(throws: SystemError.self) { try compare(torrent, folder("nowhere")) }
    #expect(throws: SystemError.self) { try compare(torrent, folder("data/data/x")) }
  }
}

/// Bytes that differ from block to block and from piece to piece: a noisy tile again and again,
/// each time with its number at the front.
func pattern(_ count: Int) -> [UInt8] {
  let tile = (0..<4096).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count + tile.count)
  while bytes.count < count {
    let number = bytes.count / tile.count
    let start = bytes.count
    bytes.append(contentsOf: tile)
    for index in 0..<3 { bytes[start + index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
  }
  return Array(bytes[..<count])
}

func finish(_ source: ContentImport) throws -> TorrentDescription {
  let loop = EventLoop()
  var result: Result<TorrentDescription, ContentImportError>?
  source.start(on: loop) { result = $0 }
  loop.run()
  return try #require(result).get()
}

func makeTorrent(_ path: [UInt8], kind: TorrentKind, pieceLength: UInt64? = nil) throws -> Torrent {
  let source = try ContentImport(
    path: path, name: RealPath.lastName(of: path),
    options: ImportOptions(kind: kind, pieceLength: pieceLength))
  return try Torrent(parsing: finish(source).encoded().bytes)
}

func compare(_ torrent: Torrent, _ path: [UInt8]) throws -> VerifyReport {
  let verification = try ContentVerification(torrent, folder: path)
  let loop = EventLoop()
  var report: VerifyReport?
  verification.start(on: loop) { report = $0 }
  loop.run()
  return try #require(report)
}
