import Metainfo
import Store
import Swarm
import SwarmNode
import Testing
import Wire

/// The sample of SwarmNode.docc, word for word (HouseTests compares them), at work. Without @testable, as users
/// of the library write it.
@Suite struct SampleTests {
  /// Fetches a torrent into a folder, and stops when all of it is there. `maps` is where the node remembers what it
  /// has verified. Nothing happens until the loop runs.
  func fetch(
    _ torrent: Torrent, from peers: [PeerEndpoint], into folder: [UInt8], maps: [UInt8],
    as name: PeerID, on loop: EventLoop
  ) throws -> Node {
    let node = try Node(
      on: loop, configuration: NodeConfiguration(swarm: SwarmConfiguration(peerID: name)))
    node.onNotice = { notice in
      if case .finished = notice { node.stop {} }
    }
    var request = TorrentRequest(
      source: .torrent(torrent.info, torrent.pieceLayers), content: .owned)
    request.peers = peers
    _ = try node.add(request) { info, _ in .owned(info, in: folder, maps: maps) }
    return node
  }

  @Test func theSampleFetches() throws {
    let folder = TemporaryFolder()
    folder.write((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }, to: "data/a")
    folder.write([1], to: "data/b")
    let loop = EventLoop()
    let content = try ContentImport(
      path: folder("data"), name: Array("data".utf8),
      options: ImportOptions(kind: .v2, pieceLength: 65_536))
    var description: TorrentDescription?
    content.start(on: loop) { description = try? $0.get() }
    loop.run()
    let encoded = try #require(description).encoded()
    let torrent = try Torrent(parsing: encoded.bytes)
    let seed = try loopbackNode(on: loop, 1)
    _ = try seed.add(
      TorrentRequest(
        source: .torrent(torrent.info, torrent.pieceLayers),
        content: .proven(leaves: content.leaves))
    ) { info, _ in try .inPlace(info, at: folder("data"), maps: folder("seed-maps")) }
    let name = try #require(PeerID([UInt8](repeating: 2, count: 20)))
    let node = try fetch(
      torrent, from: seed.endpoints, into: folder("copy"), maps: folder("maps"), as: name, on: loop)
    // Stops the seed when the other has stopped by itself, and both where that does not happen.
    let isDone = stopWhen(on: loop, [seed, node]) { node.isStopping }
    loop.run()
    #expect(isDone())
    #expect(try FolderScanner.scan(folder("copy/data")).items.count == 2)
  }
}
