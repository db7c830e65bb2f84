import Glibc
import Metainfo
import Store
import Swarm
import Synchronization
import Testing
import Wire

@testable import SwarmNode

/// A sparse node whose files are block devices, beside a seed, over loopback.
@Suite(.serialized) struct NBDServerTests {
  private final class Answers: Sendable {
    let list = Mutex<[Result<[UInt8], NBDFault>]?>(nil)
  }

  private static let image = 1_000_001

  @Test(arguments: [TorrentKind.v2, .hybrid, .v1])
  func readsAreFetched(kind: TorrentKind) throws {
    let reads: [(UInt64, Int)] = [
      (0, 4_096), (16_000, 1_000), (500_000, 70_000), (999_000, 1_001), (0, 4_096),
      (999_000, 1_002),
    ]
    let (answers, status) = try run(kind, reads, hasSeed: true, timeout: .seconds(60))
    let image = pattern(Self.image)
    #expect(answers.count == reads.count)
    for ((offset, count), answer) in zip(reads, answers).dropLast() {
      #expect(answer == .success(Array(image[Int(offset)..<(Int(offset) + count)])))
    }
    #expect(answers.last == .failure(NBDFault(code: 22)), "a read beyond the end")
    #expect(status.figures.reads == 5 && status.figures.readsAtOnce >= 1)
    #expect(status.figures.bytes == 80_193 && status.figures.waiting == 0)
    #expect(status.figures.firstRead != nil && status.figures.longestWait > .zero)
    // The rest of nothing was fetched: other pieces stay where they are.
    #expect(status.have < 600_000, "\(status.have) bytes are here")
  }

  @Test func withoutPeersAReadEndsInTime() throws {
    let (answers, status) = try run(
      .v2, [(0, 4_096)], hasSeed: false, timeout: .milliseconds(300))
    #expect(answers == [.failure(NBDFault(code: 5))])
    #expect(status.figures.failures == 1 && status.figures.waiting == 0)
    #expect(status.figures.firstRead == nil, "nothing was answered")
    #expect(status.figures.longestWait > .milliseconds(200), "it waited for all of its time")
  }

  @Test func theSocketIsOursAlone() throws {
    let folder = TemporaryFolder()
    let loop = EventLoop()
    let node = try loopbackNode(on: loop, 1)
    let path = folder("s.sock")
    let left = try LocalListener(at: path, on: loop, log: .standardError()) { _ in }
    #expect(throws: SystemError.self) { try NBDServer(at: path, for: node, log: .standardError()) }
    // As after a kill: the file stays, and nobody listens.
    let aside = folder("aside")
    _ = path.withCPath { path in aside.withCPath { rename(path, $0) } }
    left.close()
    _ = path.withCPath { path in aside.withCPath { rename($0, path) } }
    let server = try NBDServer(at: path, for: node, log: .standardError())
    var status = stat()
    #expect(path.withCPath { lstat($0, &status) } == 0 && status.st_mode & 0o777 == 0o600)
    server.close()
    #expect(path.withCPath { lstat($0, &status) } != 0)
    folder.write([1], to: "s.sock")
    #expect(throws: SystemError.self) { try NBDServer(at: path, for: node, log: .standardError()) }
    #expect(path.withCPath { lstat($0, &status) } == 0, "what is no socket is left alone")
    node.stop {}
    loop.run()
  }

  private func run(
    _ kind: TorrentKind, _ reads: [(UInt64, Int)], hasSeed: Bool, timeout: Duration
  ) throws -> ([Result<[UInt8], NBDFault>], (figures: BlockExportFigures, have: UInt64)) {
    let folder = TemporaryFolder()
    folder.write(pattern(Self.image), to: "data/image")
    let loop = EventLoop()
    let importer = try ContentImport(
      path: folder("data"), name: Array("data".utf8),
      options: ImportOptions(kind: kind, pieceLength: 65_536))
    var description: TorrentDescription?
    importer.start(on: loop) { description = try? $0.get() }
    loop.run()
    let torrent = try Torrent(parsing: #require(description).encoded().bytes)
    var nodes: [Node] = []
    let leech = try loopbackNode(on: loop, 2)
    nodes.append(leech)
    var request = TorrentRequest(
      source: .torrent(torrent.info, torrent.pieceLayers),
      content: .proven(leaves: importer.leaves))
    if hasSeed {
      let seed = try loopbackNode(on: loop, 1)
      nodes.append(seed)
      _ = try seed.add(request) { info, _ in
        try .inPlace(info, at: folder("data"), maps: folder("seed-maps"))
      }
      request.peers = seed.endpoints
    }
    request.content = .owned
    request.reading = .sparse
    request.reading.readsAhead = false
    let id = try leech.add(request) { info, _ in
      .owned(info, in: folder("target"), maps: folder("leech-maps"))
    }
    let socket = folder("s.sock")
    let server = try NBDServer(at: socket, for: leech, log: Log { _ in })
    server.exports = [
      BlockExport(
        names: [Array("image".utf8)], torrent: id, file: 0, size: UInt64(Self.image),
        readTimeout: timeout)
    ]
    let answers = Answers()
    let path = String(decoding: socket, as: UTF8.self)
    // It waits: on a thread of Swift's pool it would wait for tests that do the same there.
    let client = SideThread(on: loop)
    client.perform {
      var all: [Result<[UInt8], NBDFault>] = []
      if let client = try? NBDClient(path: path, export: "image") {
        if client.size == UInt64(Self.image) {
          for (offset, count) in reads {
            if let answer = try? client.read(offset, count) { all.append(answer) }
          }
        }
        client.close()
      }
      answers.list.withLock { $0 = all }
    } completion: {
      client.close()
    }
    var ticks = 0
    var have: UInt64 = 0
    var timer: EventTimer?
    timer = EventTimer(on: loop, everyMilliseconds: 20) {
      ticks += 1
      guard answers.list.withLock({ $0 != nil }) || ticks > 3_000 else { return }
      have = leech.status(of: id)?.downloadedBytes ?? 0
      timer?.cancel()
      server.close()
      for node in nodes { node.stop {} }
    }
    loop.run()
    return (answers.list.withLock { $0 ?? [] }, (server.figures, have))
  }
}
