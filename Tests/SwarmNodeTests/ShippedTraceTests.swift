import Glibc
import Metainfo
import Store
import TestSupport
import Testing

@testable import SwarmNode

/// Boot traces that go with a version: the user's folder is not written to, and the torrent is that of a
/// folder which has them.
@Suite struct ShippedTraceTests {
  private let temporary = TemporaryFolder()

  private func state() throws -> StateFolder { try StateFolder(temporary("state")) }

  private func trace(_ seed: UInt64, size: UInt64 = 100_000) throws -> BootTrace {
    var recorder = TraceRecorder(fileSize: size)
    var random = SplitMix64(seed: seed)
    for time in 0..<200 as Range<UInt64> {
      let start = UInt64.random(in: 0..<size, using: &random)
      recorder.record(start..<start + 700, at: time)
    }
    return recorder.trace
  }

  private func path(_ text: String) throws -> ContentPath {
    try ContentPath(joinedNames: Array(text.utf8))
  }

  private func changes(_ traces: (String, BootTrace)..., drops: Bool = false) throws -> TraceChanges
  {
    var changes = TraceChanges()
    changes.new = try traces.map { (try path($0.0), $0.1) }
    changes.dropsOthers = drops
    return changes
  }

  private func hash(_ content: ContentImport) throws -> TorrentDescription {
    let loop = EventLoop()
    var result: Result<TorrentDescription, ContentImportError>?
    content.start(on: loop) { result = $0 }
    loop.run()
    return try #require(try result?.get())
  }

  /// Publishes what is there; nil when nothing is new.
  private func publish(
    _ source: PublishedSource, _ traces: TraceChanges = TraceChanges()
  ) throws -> (torrent: KnownTorrent, record: ContentRecord)? {
    let publication = try Publication(
      source, message: "", created: 7, traces: traces, state: try state())
    let description = try publication.import.map(hash)
    guard case .published(let torrent, let folder, _) = try publication.finish(description) else {
      return nil
    }
    return (torrent, try #require(folder.content))
  }

  private func source(_ kind: TorrentKind) throws -> PublishedSource {
    try state().publish(
      temporary("data"), key: nil, name: nil, kind: kind, pieceLength: 16_384)
  }

  /// What hashing a folder that has the trace in it gives.
  private func reference(
    _ source: PublishedSource, _ version: VersionInfo?, _ files: [(String, [UInt8])]
  ) throws -> InfoDictionary {
    let copy = TemporaryFolder()
    for (name, bytes) in files { copy.write(bytes, to: "data/" + name) }
    let content = try ContentImport(
      path: copy("data"), name: source.name,
      options: ImportOptions(
        kind: source.kind, pieceLength: source.pieceLength, version: version))
    return try hash(content).infoDictionary()
  }

  @Test(arguments: [TorrentKind.v2, .hybrid])
  func theTorrentIsThatOfAFolderThatHasIt(kind: TorrentKind) throws {
    var random = SplitMix64(seed: 3)
    let image = random.bytes(100_000)
    temporary.write(image, to: "data/sub/disk.img")
    temporary.write([1], to: "data/.first")
    temporary.write([2], to: "data/zlast")
    let source = try source(kind)
    _ = try publish(source)
    let trace = try trace(1)
    let made = try #require(try publish(source, try changes(("sub/disk.img", trace))))
    let slow = try reference(
      source, made.torrent.info.version,
      [
        ("sub/disk.img", image), (".first", [1]), ("zlast", [2]),
        (".swarm/traces/sub/disk.img.trace", trace.encoded),
      ])
    #expect(made.torrent.info.bytes == slow.bytes)
    let items = try FolderScanner.scan(temporary("data")).items
    #expect(items.count == 4, "nothing was written to the folder")
    #expect(made.record.items.count == 4 && made.record.shipped.count == 1)
    // What is kept of it can be read again.
    #expect(ContentRecord(decoding: made.record.encoded) == made.record)
    let dataset = try state().dataset(source.key)
    let place = try #require(dataset.places(of: made.record.shipped).values.first)
    #expect(try WholeFile.read(place, limit: 1 << 20) == trace.encoded)
    #expect(dataset.items(of: made.record.shipped).count == 1)
    // Bytes that are something else by now are not shared.
    try WholeFile.write(Array(trace.encoded.dropLast()), to: place)
    #expect(dataset.items(of: made.record.shipped).isEmpty)
  }

  @Test func tracesStayUntilReplacedDroppedOrWithoutTheirFile() throws {
    temporary.write([UInt8](repeating: 1, count: 100_000), to: "data/disk.img")
    temporary.write([1], to: "data/other")
    let source = try source(.v2)
    let (first, second) = (try trace(1), try trace(2))
    let dataset = try state().dataset(source.key)
    func shipped(_ made: (torrent: KnownTorrent, record: ContentRecord)?) throws -> [BootTrace] {
      let made = try #require(made)
      let places = dataset.places(of: made.record.shipped)
      let names = made.torrent.info.files.map(\.path.bytes).filter { places[$0] != nil }
      #expect(names.count == places.count)
      return try names.map {
        try BootTrace(encoded: WholeFile.read(try #require(places[$0]), limit: 1 << 20))
      }
    }
    #expect(try shipped(publish(source, changes(("disk.img", first)))) == [first])
    #expect(try publish(source, changes(("disk.img", first))) == nil, "nothing is new")
    #expect(try publish(source) == nil, "it stays")
    temporary.write([2, 2], to: "data/other")
    #expect(try shipped(publish(source)) == [first])
    #expect(try shipped(publish(source, changes(("disk.img", second)))) == [second])
    let both = try changes(("other", trace(4, size: 2)))
    #expect(try shipped(publish(source, both)).count == 2)
    _ = temporary("data/other").withCPath { unlink($0) }
    #expect(try shipped(publish(source)) == [second])
    #expect(try shipped(publish(source, changes(drops: true))) == [])
    #expect(try publish(source) == nil)
    #expect(try shipped(publish(source, changes(("disk.img", first)))) == [first])
    // The user's own file takes its place.
    temporary.write([9], to: "data/.swarm/traces/disk.img.trace")
    let own = try #require(try publish(source))
    #expect(own.record.shipped.isEmpty && own.torrent.info.files.count == 2)
  }

  @Test func whatCannotBeIsSaid() throws {
    temporary.write([UInt8](repeating: 1, count: 100_000), to: "data/disk.img")
    let source = try source(.v2)
    let trace = try trace(1)
    let place = Array(".swarm/traces/disk.img.trace".utf8)
    func refused(_ error: PublicationError, _ changes: TraceChanges) throws {
      #expect(throws: error) { try publish(source, changes) }
    }
    try refused(.traceOfNothing(Array("none".utf8)), changes(("none", trace)))
    try refused(
      .traceTwice(Array("disk.img".utf8)), changes(("disk.img", trace), ("disk.img", trace)))
    temporary.write([1], to: "data/.swarm/traces/disk.img.trace/x")
    try refused(
      .traceInTheWay(place, place + Array("/x".utf8)), changes(("disk.img", trace)))
    _ = temporary("data/.swarm/traces/disk.img.trace/x").withCPath { unlink($0) }
    _ = temporary("data/.swarm/traces/disk.img.trace").withCPath { rmdir($0) }
    temporary.write([1], to: "data/.swarm/traces/disk.img.trace")
    try refused(.traceInTheWay(place, place), changes(("disk.img", trace)))
    _ = temporary("data/.swarm/traces/disk.img.trace").withCPath { unlink($0) }
    _ = temporary("data/.swarm/traces").withCPath { rmdir($0) }
    _ = temporary("data/.swarm").withCPath { rmdir($0) }
    temporary.write([1], to: "data/.swarm")
    try refused(
      .traceInTheWay(place, Array(".swarm".utf8)), changes(("disk.img", trace)))
    #expect(try state().dataset(source.key).head() == nil, "nothing was published")
    let single = try state().publish(
      temporary("data/disk.img"), key: nil, name: nil, kind: .v2, pieceLength: nil)
    #expect(throws: PublicationError.traceOfAFile) {
      try publish(single, changes(("disk.img", trace)))
    }
  }
}
