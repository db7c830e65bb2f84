import Glibc
import Metainfo
import Store
import Swarm
import Testing
import Wire

@testable import SwarmNode

/// Whole nodes in one process, over loopback and real files.
@Suite struct NodeTests {
  private static let loopback = IPAddress.v4(IPv4Address(rawValue: 0x7F00_0001))

  /// A node with what it told.
  private final class Watched {
    let node: Node
    var notices: [Notice] = []
    /// Called at each notice.
    var onNotice: (Notice) -> Void = { _ in }

    init(_ number: UInt8, on loop: EventLoop, poolBuffers: Int = 256) throws {
      let id = try #require(PeerID([UInt8](repeating: number, count: 20)))
      var core = SwarmConfiguration(peerID: id)
      core.poolBuffers = poolBuffers
      var configuration = NodeConfiguration(
        swarm: core, listen: [ListenAddress(address: NodeTests.loopback, port: 0)])
      configuration.seed = UInt64(number)
      node = try Node(on: loop, configuration: configuration)
      node.onNotice = { [unowned self] in
        notices.append($0)
        onNotice($0)
      }
    }
  }

  /// A loop that ends the test when nothing comes to an end.
  private static func run(_ loop: EventLoop, _ nodes: [Watched]) {
    var ticks = 0
    let timer = EventTimer(on: loop, everyMilliseconds: 100) {
      ticks += 1
      guard ticks == 600 else { return }
      Issue.record("the nodes did not come to an end: \(nodes.flatMap(\.notices))")
      for one in nodes { one.node.stop {} }
    }
    loop.run()
    timer.cancel()
    loop.run()
  }

  @Test func aNodeThatIsStoppedLetsTheLoopEnd() throws {
    let loop = EventLoop()
    let one = try Watched(1, on: loop)
    #expect(one.node.endpoints.count == 1 && one.node.endpoints[0].port > 0)
    var isStopped = false
    one.node.stop { isStopped = true }
    Self.run(loop, [one])
    #expect(isStopped)
  }

  @Test(arguments: TorrentKind.allCases)
  func oneNodeSeedsAnotherFetches(kind: TorrentKind) throws {
    let folder = TemporaryFolder()
    folder.write(pattern(3_000_000), to: "top/large")
    folder.write(pattern(70_001), to: "top/sub/small")
    folder.write([], to: "top/empty")
    let torrent = try makeTorrent(folder("top"), kind: kind, pieceLength: 65_536)
    let loop = EventLoop()
    let seed = try Watched(1, on: loop)
    let leech = try Watched(2, on: loop)
    let seeding = try seed.node.add(
      TorrentRequest(
        source: .torrent(torrent.info, torrent.pieceLayers), content: .inPlace(claimsAll: true))
    ) { info, _ in
      try .inPlace(info, at: folder("top"), maps: folder("seed-maps"))
    }
    var request = TorrentRequest(
      source: .torrent(torrent.info, torrent.pieceLayers), content: .owned)
    request.peers = seed.node.endpoints
    let leeching = try leech.node.add(request) { info, _ in
      .owned(info, in: folder("here/and/there"), maps: folder("leech-maps"))
    }
    let large = try #require(torrent.info.files.firstIndex { $0.length == 3_000_000 })
    var delivered = [UInt8](repeating: 0, count: 100_000)
    var deliveredBytes = 0
    var ends: [ReadFailure?] = []
    leech.onNotice = { notice in
      guard case .finished = notice else { return }
      #expect(leech.node.status(of: leeching)?.isSeed == true)
      #expect(!seed.node.peers(of: seeding).isEmpty)
      let range: Range<UInt64> = 1_000_001..<1_100_001
      leech.node.read(range, of: large, in: leeching, timeout: .seconds(30)) { bytes, offset in
        delivered.replaceSubrange(
          Int(offset - range.lowerBound)..<(Int(offset - range.lowerBound) + bytes.count),
          with: bytes)
        deliveredBytes += bytes.count
      } completion: { failure in
        ends.append(failure)
        for one in [seed, leech] { one.node.stop {} }
      }
    }
    Self.run(loop, [seed, leech])
    #expect(try compare(torrent, folder("here/and/there/top")).isRight)
    #expect(ends == [nil])
    #expect(deliveredBytes == 100_000)
    #expect(delivered == Array(pattern(3_000_000)[1_000_001..<1_100_001]))
  }

  @Test func theFilesOfAMagnetLinkArePlacedWhenTheyAreKnown() throws {
    let folder = TemporaryFolder()
    folder.write(pattern(500_000), to: "one")
    let torrent = try makeTorrent(folder("one"), kind: .v2)
    let loop = EventLoop()
    let seed = try Watched(1, on: loop)
    let leech = try Watched(2, on: loop)
    _ = try seed.node.add(
      TorrentRequest(
        source: .torrent(torrent.info, torrent.pieceLayers), content: .proven(leaves: []))
    ) { info, _ in
      try .inPlace(info, at: folder("one"), maps: folder("seed-maps"))
    }
    let leeching = try leech.node.add(
      TorrentRequest(
        source: .infohash(v1: nil, v2: torrent.info.infohashV2), content: .owned)
    ) { info, _ in
      #expect(info.bytes == torrent.info.bytes)
      return .owned(info, in: folder("here"), maps: folder("leech-maps"))
    }
    let port = seed.node.endpoints[0].port
    leech.node.resolve(
      PeerAddress(host: .name(try HostName("localhost".utf8)), port: port), for: leeching)
    leech.onNotice = { notice in
      guard case .finished = notice else { return }
      for one in [seed, leech] { one.node.stop {} }
    }
    Self.run(loop, [seed, leech])
    #expect(try compare(torrent, folder("here/one")).isRight)
  }

  @Test func aFileInPlaceMayHaveAnotherNameAndLieBehindALink() throws {
    let folder = TemporaryFolder()
    folder.write(pattern(200_000), to: "original")
    let torrent = try makeTorrent(folder("original"), kind: .v2)
    folder.write(pattern(200_000), to: "deep/renamed")
    _ = folder("deep/renamed").withCPath { target in
      folder("link").withCPath { symlink(target, $0) }
    }
    let folders = try TorrentFolders.inPlace(
      torrent.info, at: folder("link"), maps: folder("maps"))
    #expect(folders.fileName?.bytes == Array("renamed".utf8))
    #expect(folders.content == (try RealPath.resolve(folder("deep"))))
  }

  @Test func foldersThatCannotBeAreANoticeAndTheNodeLives() throws {
    let folder = TemporaryFolder()
    folder.write(pattern(200_000), to: "one")
    folder.write([1], to: "file")
    let torrent = try makeTorrent(folder("one"), kind: .v2)
    let loop = EventLoop()
    let one = try Watched(1, on: loop)
    _ = try one.node.add(
      TorrentRequest(source: .torrent(torrent.info, torrent.pieceLayers), content: .owned)
    ) { info, _ in .owned(info, in: folder("file/below"), maps: folder("maps")) }
    var failure: DiskFailure?
    one.onNotice = { notice in
      guard case .diskFailed(_, let reason) = notice, failure == nil else { return }
      failure = reason
      one.node.stop {}
    }
    Self.run(loop, [one])
    #expect(failure?.description.hasSuffix("Not a directory") == true)
  }
}
