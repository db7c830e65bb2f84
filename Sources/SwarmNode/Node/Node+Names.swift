import Metainfo
import Swarm
import Wire

/// Peers that are named by a host's name.
extension Node {
  /// Asks the system for a name until it has an address or the torrent is gone.
  func lookUp(_ name: HostName, _ port: UInt16, for torrent: TorrentID, failures: Int) {
    lookups.start(name) { [unowned self] result in
      switch result {
      case .success(let found):
        add(peers: found.map { PeerEndpoint(address: $0, port: port) }, to: torrent)
      case .failure(let error):
        // Said once: it may take long.
        if failures == 0 {
          log(.warning, "cannot find the peer \(name): \(error); trying again", torrent: torrent)
        }
        lookUpLater(name, port, for: torrent, failures: failures + 1)
      }
    }
  }

  private func lookUpLater(
    _ name: HostName, _ port: UInt16, for torrent: TorrentID, failures: Int
  ) {
    guard !isStopping, torrents[torrent] != nil else { return }
    var id: ObjectIdentifier?
    let timer = DeadlineTimer(on: loop) { [unowned self] in
      if let id { nameRetries.removeValue(forKey: id)?.close() }
      guard torrents[torrent] != nil else { return }
      lookUp(name, port, for: torrent, failures: failures)
    }
    id = ObjectIdentifier(timer)
    nameRetries[ObjectIdentifier(timer)] = timer
    let wait = NamedRetry.wait(after: failures).components.seconds
    timer.set(milliseconds: UInt64(wait) * 1_000)
  }
}
