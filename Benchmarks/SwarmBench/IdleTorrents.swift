import Glibc
import Metainfo
import Swarm
import SwarmNode
import Wire

/// A node that seeds every .torrent of a folder, content beside it and taken for right, as
/// libtorrent's seed mode takes it, and perhaps follows a dataset for each. The program itself has one
/// torrent a process.
struct IdleTorrents {
  /// Holds `<n>.torrent` from 0 on, and the content by its name.
  let folder: String
  /// Where the block maps go.
  let state: String
  /// Where it listens and a node of the DHT, both ADDRESS:PORT. Then each torrent is the newest version
  /// of a dataset that is followed; nil for neither DHT nor datasets.
  let places: (listen: String, node: String)?

  /// Prints {"event": "ready", "torrents": N} when all are open, and stays until it is killed.
  func run() {
    do {
      let loop = EventLoop()
      guard let peerID = PeerID(Array("-SW0000-idleidleidle".utf8)) else { return }
      var configuration = NodeConfiguration(
        swarm: SwarmConfiguration(peerID: peerID), listen: [.anyIPv4(port: 0)])
      if let places {
        configuration.discovery = try discovery(places.node)
        configuration.listen = [ListenAddress(text: places.listen)].compactMap(\.self)
      }
      let node = try Node(on: loop, configuration: configuration)
      var opened = 0
      var count = 0
      node.onNotice = { notice in
        guard case .opened = notice else { return }
        opened += 1
        if opened == count { say(opened) }
      }
      while let torrent = try torrent(count) {
        let maps = Array("\(state)/\(count)".utf8)
        let content = Array(folder.utf8)
        count += 1
        _ = try node.add(
          TorrentRequest(
            source: .torrent(torrent.info, torrent.pieceLayers), content: .proven(leaves: []))
        ) { info, _ in
          try TorrentFolders.inPlace(
            info, at: content + [UInt8(ascii: "/")] + info.name.bytes, maps: maps)
        }
        if places != nil, let infohash = torrent.info.infohashV2 { try follow(infohash, node) }
      }
      if opened == count { say(opened) }
      loop.run()
    } catch {
      print(#"{"event": "failed", "reason": "\#(error)"}"#)
    }
  }

  /// The DHT, and nothing else, with the private network's own rules.
  private func discovery(_ node: String) throws -> DiscoveryConfiguration {
    var discovery = DiscoveryConfiguration()
    discovery.bootstrapNodes = [try PeerAddress(parsing: node.utf8)]
    discovery.dht.enforcesNodeIDs = false
    discovery.dht.limitsNetworks = false
    discovery.usesLocalNetwork = false
    discovery.mapsPorts = false
    return discovery
  }

  /// Follows a dataset of which this is the newest version, as one does that was joined earlier.
  private func follow(_ infohash: SHA256Digest, _ node: Node) throws {
    let seed = (0..<DatasetSecret.seedByteCount).map { _ in UInt8.random(in: 0...255) }
    guard let secret = DatasetSecret(seed: seed) else { return }
    let head = try Head(version: 1, infohash: infohash, signedBy: secret)
    node.follow(secret.key, head: head.item)
    _ = try node.add(TorrentRequest(meeting: secret.key)) { _, _ in
      preconditionFailure("where heads are exchanged there are no files")
    }
  }

  private func say(_ count: Int) {
    print(#"{"event": "ready", "torrents": \#(count)}"#)
    fflush(nil)
  }

  /// nil where there is none of that number.
  private func torrent(_ number: Int) throws -> Torrent? {
    let path = "\(folder)/\(number).torrent"
    guard access(path, R_OK) == 0 else { return nil }
    return try Torrent(parsing: WholeFile.read(Array(path.utf8), limit: 1 << 20))
  }
}

extension ListenAddress {
  /// From ADDRESS:PORT; nil for anything else.
  init?(text: String) {
    guard let place = try? PeerAddress(parsing: text.utf8) else { return nil }
    switch place.host {
    case .ipv4(let address): self.init(address: .v4(address), port: place.port)
    case .ipv6(let address): self.init(address: .v6(address), port: place.port)
    case .name: return nil
    }
  }
}
