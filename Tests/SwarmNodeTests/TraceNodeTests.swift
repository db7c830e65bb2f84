import Glibc
import Metainfo
import Store
import Swarm
import Synchronization
import Testing
import Wire

@testable import SwarmNode

/// A boot is recorded, published with its image, and fetched by elsewhere before it is read.
@Suite(.serialized) struct TraceNodeTests {
  private static let image = 2_000_001
  private static let reads: [(UInt64, Int)] = [
    (1_900_000, 4_096), (0, 512), (700_000, 40_000), (0, 512), (2_000, 1_000),
  ]
  private static let ranges: [Range<UInt64>] = [
    1_900_000..<1_904_096, 0..<512, 700_000..<740_000, 2_000..<3_000,
  ]

  private let temporary = TemporaryFolder()

  private func state() throws -> StateFolder { try StateFolder(temporary("state")) }

  @Test func whatABootReadIsThereBeforeTheNextOneReadsIt() throws {
    temporary.write(Self.content, to: "data/disk.img")
    temporary.write([1, 2, 3], to: "data/cmdline")
    let source = try state().publish(
      temporary("data"), key: nil, name: nil, kind: .v2, pieceLength: 65_536)
    let first = try publish(source, TraceChanges())
    let name = DatasetName(first.info)
    let recorded = try state().recordedTraces(name)
    let file = try #require(
      first.info.files.firstIndex { $0.path.bytes == Array("disk.img".utf8) })

    let boot = try play(first, source, export: file, reads: Self.reads, recordings: recorded)
    let isRight = boot.answers == Self.reads.map { .success(Self.bytes($0)) }
    #expect(isRight, "\(boot.answers.count) answers")
    #expect(boot.uses.isEmpty)
    let trace = try #require(recorded.trace(of: file))
    #expect(trace.reads.map(\.range) == Self.ranges)
    #expect(recorded.part(of: file) == nil, "it came to its end")
    #expect(recorded.files() == [file])

    var changes = TraceChanges()
    changes.new = [(first.info.files[file].path, trace)]
    let second = try publish(source, changes)
    let place = try #require(
      second.info.files.firstIndex { $0.path.bytes == Array("disk.img".utf8) })
    let next = try play(
      second, source, export: place, reads: [], recordings: nil, awaited: Self.ranges)
    let sum = Self.ranges.reduce(0) { $0 + UInt64($1.count) }
    #expect(next.uses == [.used(ranges: Self.ranges.count, bytes: sum, isCut: false)])
    #expect(next.here, "all of it is here, and nobody has read")
    #expect(next.have < 600_000, "\(next.have) bytes, nothing much else")

    let none = try play(
      second, source, export: place, reads: [], recordings: nil, usesTrace: false,
      awaited: Self.ranges)
    #expect(none.uses.isEmpty && !none.here && none.have == 0)
  }

  /// What an earlier node left of a boot is gone on with, and a recording that finds the disk full, or no
  /// folder, harms nobody.
  @Test func aBootGoesOnWithAnotherNode() throws {
    temporary.write(Self.content, to: "data/disk.img")
    temporary.write([1], to: "data/x")
    let source = try state().publish(
      temporary("data"), key: nil, name: nil, kind: .v2, pieceLength: 65_536)
    let made = try publish(source, TraceChanges())
    let file = try #require(made.info.files.firstIndex { $0.path.bytes.count > 1 })
    let recorded = try state().recordedTraces(DatasetName(made.info))
    let before = BootTrace.Read(offset: 5_000, length: 100, milliseconds: 70)
    let left = try BootTrace(fileSize: UInt64(Self.image), reads: [before])
    try recorded.keep(part: left, of: file)
    _ = try play(made, source, export: file, reads: Self.reads, recordings: recorded)
    let whole = try #require(recorded.trace(of: file))
    #expect(whole.reads.map(\.range) == [5_000..<5_100] + Self.ranges)
    #expect(whole.reads.dropFirst().allSatisfy { $0.milliseconds >= 70 })

    temporary.write([1], to: "state/nothing")
    let nowhere = RecordedTraces(path: temporary("state/nothing"))
    let boot = try play(made, source, export: file, reads: Self.reads, recordings: nowhere)
    let isRight = boot.answers == Self.reads.map { .success(Self.bytes($0)) }
    #expect(isRight, "\(boot.answers.count) answers")
    #expect(boot.log.count { $0.contains("cannot be recorded") } == 1, "\(boot.log)")
  }

  // MARK: -

  private struct Made {
    let info: InfoDictionary
    let layers: PieceLayers
    let record: ContentRecord
    let leaves: [SHA256Digest]
  }

  private func publish(_ source: PublishedSource, _ traces: TraceChanges) throws -> Made {
    let publication = try Publication(
      source, message: "", created: 7, traces: traces, state: try state())
    let loop = EventLoop()
    var description: TorrentDescription?
    publication.import?.start(on: loop) { description = try? $0.get() }
    loop.run()
    guard case .published(let torrent, let folder, _) = try publication.finish(description) else {
      throw NBDClient.Broken()
    }
    return Made(
      info: torrent.info, layers: torrent.pieceLayers, record: try #require(folder.content),
      leaves: folder.leaves)
  }

  private struct Played {
    var answers: [Result<[UInt8], NBDFault>] = []
    var uses: [TraceUse] = []
    /// Whether what was awaited came.
    var here = false
    var have: UInt64 = 0
    var log: [String] = []
  }

  private final class Answers: Sendable {
    let list = Mutex<[Result<[UInt8], NBDFault>]?>(nil)
    let isOver = Mutex(false)
    let log = Mutex<[String]>([])
  }

  /// A seed of the version beside a node that has nothing, and a client that reads, or waits.
  private func play(
    _ made: Made, _ source: PublishedSource, export: Int, reads: [(UInt64, Int)],
    recordings: RecordedTraces?, usesTrace: Bool = true, awaited: [Range<UInt64>] = []
  ) throws -> Played {
    let folder = TemporaryFolder()
    let loop = EventLoop()
    let (seed, leech) = (try loopbackNode(on: loop, 1), try loopbackNode(on: loop, 2))
    let dataset = try state().dataset(source.key)
    let items = made.record.items + dataset.items(of: made.record.shipped)
    let evidence = Dictionary(items.map { ($0.path, $0.evidence) }) { first, _ in first }
    var request = TorrentRequest(
      source: .torrent(made.info, made.layers),
      content: .proven(
        leaves: made.leaves, evidence: made.info.files.map { evidence[$0.path.bytes] ?? nil }))
    _ = try seed.add(request) { info, _ in
      var folders = try TorrentFolders.inPlace(info, at: source.path, maps: folder("seed-maps"))
      folders.elsewhere = dataset.places(of: made.record.shipped)
      return folders
    }
    request.peers = seed.endpoints
    request.content = .owned
    request.reading = .sparse
    request.reading.readsAhead = false
    request.reading.completesPieces = false
    let id = try leech.add(request) { info, _ in
      .owned(info, in: folder("target"), maps: folder("leech-maps"))
    }
    let answers = Answers()
    let server = try NBDServer(
      at: folder("s.sock"), for: leech,
      log: Log { line in answers.log.withLock { $0.append(line) } })
    var offered = BlockExport(
      names: [Array("image".utf8)], torrent: id, file: export, size: UInt64(Self.image),
      readTimeout: .seconds(60))
    offered.recordings = recordings
    if usesTrace { offered.trace = TracePlace.trace(forFileAt: export, in: made.info) }
    server.exports = [offered]
    var played = Played()
    server.onTrace = { played.uses.append($1) }
    let path = String(decoding: folder("s.sock"), as: UTF8.self)
    NBDClient.onThread {
      var all: [Result<[UInt8], NBDFault>] = []
      if let client = try? NBDClient(path: path, export: "image") {
        for (offset, count) in reads {
          if let answer = try? client.read(offset, count) { all.append(answer) }
        }
        answers.list.withLock { $0 = all }
        while !answers.isOver.withLock({ $0 }) { usleep(5_000) }
        client.close()
      }
      answers.list.withLock { $0 = all }
    }
    var (ticks, end) = (0, 0)
    var timer: EventTimer?
    timer = EventTimer(on: loop, everyMilliseconds: 20) {
      ticks += 1
      guard answers.list.withLock({ $0 != nil }) || ticks > 3_000 else { return }
      played.here = awaited.allSatisfy { leech.isHere($0, of: export, in: id) }
      // Without a trace nothing comes, however long is waited.
      guard played.here || ticks > (usesTrace ? 3_000 : 50) else { return }
      answers.isOver.withLock { $0 = true }
      end += 1
      // The client goes first.
      guard server.figures.clients == 0 || end > 100 else { return }
      played.have = leech.status(of: id)?.downloadedBytes ?? 0
      timer?.cancel()
      server.close()
      for node in [seed, leech] { node.stop {} }
    }
    loop.run()
    played.answers = answers.list.withLock { $0 ?? [] }
    played.log = answers.log.withLock { $0 }
    return played
  }

  private static let content = pattern(image)

  private static func bytes(_ read: (UInt64, Int)) -> [UInt8] {
    Array(content[Int(read.0)..<(Int(read.0) + read.1)])
  }
}
