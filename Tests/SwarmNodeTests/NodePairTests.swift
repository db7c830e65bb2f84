import Metainfo
import Store
import Swarm
import Testing
import Wire

@testable import SwarmNode

/// Two nodes in one process, over loopback.
@Suite(.serialized) struct NodePairTests {
  @Test(arguments: [TorrentKind.v2, .hybrid, .v1], [true, false])
  func aLeechGetsWhatASeedHas(kind: TorrentKind, isByLink: Bool) throws {
    let folder = TemporaryFolder()
    let files: [(String, Int)] = [
      ("data/big.bin", 5 << 20), ("data/odd.bin", 70_001), ("data/empty", 0),
      ("data/sub/small.txt", 5), ("data/block", 16_384), ("data/piece", 65_536),
    ]
    for (number, file) in files.enumerated() {
      folder.write(content(file.1, number), to: file.0)
    }
    let loop = EventLoop()
    let importer = try ContentImport(
      path: folder("data"), name: Array("data".utf8),
      options: ImportOptions(kind: kind, pieceLength: 65_536))
    var description: TorrentDescription?
    importer.start(on: loop) { description = try? $0.get() }
    loop.run()
    let encoded = try #require(description).encoded()
    let torrent = try Torrent(parsing: encoded.bytes)

    let seed = try loopbackNode(on: loop, 1)
    let leech = try loopbackNode(on: loop, 2)
    var request = TorrentRequest(
      source: .torrent(torrent.info, torrent.pieceLayers),
      content: .proven(leaves: importer.leaves))
    _ = try seed.add(request) { info, _ in
      try .inPlace(info, at: folder("data"), maps: folder("seed-maps"))
    }
    request.content = .owned
    request.peers = seed.endpoints
    if isByLink {
      request.source = .infohash(v1: torrent.info.infohashV1, v2: torrent.info.infohashV2)
    }
    _ = try leech.add(request) { info, _ in
      .owned(info, in: folder("target"), maps: folder("leech-maps"))
    }
    var seen: [String] = []
    seed.onNotice = { seen.append("seed \($0)") }
    var isFinished = false
    func stop() { for node in [seed, leech] { node.stop {} } }
    let timer = EventTimer(on: loop, everyMilliseconds: 20_000) { stop() }
    leech.onNotice = { notice in
      seen.append("leech \(notice)")
      if case .finished = notice {
        isFinished = true
        timer.cancel()
        stop()
      }
    }
    loop.run()
    #expect(isFinished, "\(seen.joined(separator: "\n"))")
    if !isFinished { timer.cancel(); loop.run() }
    for (number, file) in files.enumerated() {
      let found = try WholeFile.read(folder("target/" + file.0), limit: 10 << 20)
      #expect(found == content(file.1, number), "\(file.0)")
    }
  }

  private func content(_ count: Int, _ number: Int) -> [UInt8] {
    Array(pattern(count + 4_096 * number).suffix(count))
  }
}
