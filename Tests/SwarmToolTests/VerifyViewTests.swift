import Glibc
import Metainfo
import Store
import SwarmNode
import Testing

@testable import SwarmTool

/// What `swarm verify` says of what is wrong, missing, unreadable and there besides.
@Suite struct VerifyViewTests {
  private let scratch = ScratchFolder()

  private func write(_ name: String, _ bytes: [UInt8]) throws {
    try WholeFile.write(bytes, to: scratch(name))
  }

  /// A torrent of three files.
  private func torrent() throws -> Torrent {
    _ = mkdir(scratch("d").map { CChar(bitPattern: $0) } + [0], 0o755)
    for name in ["a", "b", "c"] { try write("d/" + name, [UInt8](repeating: 1, count: 40_000)) }
    let content = try ContentImport(
      path: scratch("d"), name: Array("d".utf8),
      options: ImportOptions(kind: .v2, pieceLength: 16_384))
    let description = try content.hash()
    return try Torrent(parsing: try description.encoded().bytes)
  }

  private func view(_ torrent: Torrent) throws -> VerifyView {
    let verification = try ContentVerification(torrent, folder: scratch("d"))
    return VerifyView(
      verification.compare(), info: torrent.info, path: verification.path,
      extra: VerifyView.extra(torrent.info, at: verification.path))
  }

  @Test func eachFaultIsSaidOnce() throws {
    let torrent = try torrent()
    #expect(try view(torrent).text.hasPrefix("all right: 3 files"))
    #expect(try view(torrent).extraText == nil)
    _ = unlink(scratch("d/a").map { CChar(bitPattern: $0) } + [0])
    #expect(
      try view(torrent).text.split(separator: "\n").map(String.init) == [
        "a: is missing", "wrong: 1 of 3 files, 39.1 KiB (40000 bytes) differ",
      ])
    try write("d/a", [UInt8](repeating: 1, count: 40_001))
    #expect(
      try view(torrent).text.split(separator: "\n").map(String.init) == [
        "a: has 40001 bytes, 40000 expected", "wrong: 1 of 3 files is not as it should be",
      ])
    try write("d/extra", [1])
    #expect(
      try view(torrent).extraText == "1 file is here that the torrent does not have: extra")
    for name in ["x", "y", "z"] { try write("d/" + name, [1]) }
    #expect(
      try view(torrent).extraText
        == "4 files are here that the torrent does not have: extra, x, y, …")
  }

  /// Of bytes that could not be read nothing is said.
  @Test func whatCouldNotBeReadDoesNotDiffer() throws {
    let torrent = try torrent()
    let hidden = ContentPresence.unreadable("no")
    let there = ContentPresence.file(length: 40_000, isExecutable: false)
    let verifier = Verifier(torrent, presence: [hidden, there, there])
    let report = verifier.report
    #expect(report.unreadableFiles.count == 1 && report.wrongFiles.count == 1 && !report.isRight)
    #expect(report.files[0].differingRanges.isEmpty && report.rightBytes == 80_000)
    let view = VerifyView(report, info: torrent.info, path: scratch("d"))
    #expect(
      view.text.split(separator: "\n").map(String.init) == [
        "a: no", "not compared: 1 of 3 files could not be read",
      ])
    let both = Verifier(torrent, presence: [hidden, .missing, there]).report
    #expect(
      VerifyView(both, info: torrent.info, path: scratch("d")).text.hasSuffix(
        "wrong: 1 of 3 files, 39.1 KiB (40000 bytes) differ; 1 could not be read"))
  }

  /// A part that could not be read, as with a bad sector, says nothing of the rest of its file.
  @Test func theRestOfAFileIsRight() throws {
    let there = ContentPresence.file(length: 40_000, isExecutable: false)
    var verifier = Verifier(try torrent(), presence: [there, there, there], laneBytes: 16_384)
    var schedule = verifier.schedule
    let first = schedule.next()
    let segment = try #require(first)
    let failure = HashFailure(file: 0, reason: .unreadable("no"))
    verifier.add(.failure(failure), of: segment)
    let (report, unread) = (verifier.report, UInt64(segment.byteCount))
    #expect(unread > 0 && unread <= 40_000)
    #expect(report.files[0].isUnreadable && report.files[0].unreadRanges == [0..<unread])
    #expect(report.files[0].differingRanges.isEmpty && report.rightBytes == 120_000 - unread)
  }
}
