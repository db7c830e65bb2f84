import Metainfo
import TestSupport
import Testing

@Suite struct TracePlaceTests {
  private func path(_ text: String) throws -> ContentPath {
    try ContentPath(text.split(separator: "/").map { try PathElement(Array($0.utf8)) })
  }

  @Test func aTraceLiesWhereItsFileSays() throws {
    for (file, trace) in [
      ("disk.img", ".swarm/traces/disk.img.trace"),
      ("a/b/c", ".swarm/traces/a/b/c.trace"),
      (".swarm/traces/x.trace", ".swarm/traces/.swarm/traces/x.trace.trace"),
    ] {
      #expect(try TracePlace.path(ofTraceFor: path(file)) == path(trace))
      #expect(try TracePlace.path(ofFileFor: path(trace)) == path(file))
    }
  }

  @Test func whatIsNoPathHasNoTrace() throws {
    let long = String(repeating: "n", count: MetainfoLimits.pathElementBytes - 5)
    #expect(try TracePlace.path(ofTraceFor: path(long)) == nil)
    #expect(try TracePlace.path(ofTraceFor: path(String(long.dropLast()))) != nil)
    for none in [".swarm/traces/.trace", ".swarm/traces/a/.trace", ".swarm/x.trace", "a.trace"] {
      #expect(try TracePlace.path(ofFileFor: path(none)) == nil, "\(none)")
    }
  }

  @Test func aTorrentsTracesAreFoundByTheirPlace() throws {
    var files = [
      (".swarm/traces/a.trace", 100), (".swarm/traces/b.trace", TraceLimits.bytes + 1),
      (".swarm/traces/c.trace", 0), ("a", 5), ("b", 5), ("c", 5), ("d", 5),
    ].map { (name: $0.0, length: $0.1) }
    files.sort { $0.name < $1.name }
    let info = try TorrentDescription(
      kind: .v2, name: PathElement(Array("data".utf8)), isSingleFile: false, pieceLength: 16_384,
      files: files.map { file in
        var entry = FileEntry(path: try path(file.name), length: UInt64(file.length))
        if file.length > 0 { entry.piecesRoot = SHA256Digest(hashing: Array(file.name.utf8)) }
        return entry
      }
    ).infoDictionary()
    for (place, file) in files.enumerated() {
      let found = TracePlace.trace(forFileAt: place, in: info)
      #expect(found.map { files[$0.place].name } == (file.name == "a" ? files[0].name : nil))
      #expect(found?.length == (file.name == "a" ? 100 : nil))
    }
    #expect(TracePlace.trace(forFileAt: -1, in: info) == nil)
    #expect(TracePlace.trace(forFileAt: files.count, in: info) == nil)
  }
}
