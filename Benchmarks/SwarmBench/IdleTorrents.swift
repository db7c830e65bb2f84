import Glibc
import Metainfo
import Swarm
import SwarmNode
import Wire

/// A node that seeds every .torrent of a folder, content beside it and taken for right, as
/// libtorrent's seed mode takes it. The program itself has one torrent a process.
struct IdleTorrents {
  /// Holds `<n>.torrent` from 0 on, and the content by its name.
  let folder: String
  /// Where the block maps go.
  let state: String

  /// Prints {"event": "ready", "torrents": N} when all are open, and stays until it is killed.
  func run() {
    do {
      let loop = EventLoop()
      guard let peerID = PeerID(Array("-SW0000-idleidleidle".utf8)) else { return }
      let node = try Node(
        on: loop,
        configuration: NodeConfiguration(
          swarm: SwarmConfiguration(peerID: peerID), listen: [.anyIPv4(port: 0)]))
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
      }
      if opened == count { say(opened) }
      loop.run()
    } catch {
      print(#"{"event": "failed", "reason": "\#(error)"}"#)
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
