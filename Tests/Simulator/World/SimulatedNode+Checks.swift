import Metainfo
import Store
import Swarm
import Wire

/// What must hold of a node at every step.
extension SimulatedNode {
  /// Bytes of messages that may wait for one peer: some hash answers and metadata.
  private static let mostQueuedBytes = 4 << 20
  /// Peers that a torrent may know.
  private static let mostKnownPeers = 2_500

  /// Memory, after whatever the core did.
  func checkBounds() {
    let kept = memory.keptHandles * blockLength
    if kept > plan.configuration.payloadBytes + (2 << 20) {
      world.fail("host \(number) keeps \(kept) bytes of payload")
    }
    if links.count > plan.configuration.connections + 8 {
      world.fail("host \(number) has \(links.count) connections")
    }
  }

  func check(_ link: NodeLink) {
    if link.queuedBytes > Self.mostQueuedBytes {
      world.fail("host \(number) has \(link.queuedBytes) bytes waiting for one peer")
    }
  }

  /// Once a second: what the node says of itself.
  func poll() {
    guard let status else { return }
    if status.knownPeers > Self.mostKnownPeers {
      world.fail("host \(number) knows \(status.knownPeers) peers")
    }
    if status.doneBytes > status.wantedBytes {
      world.fail("host \(number) has \(status.doneBytes) of \(status.wantedBytes) bytes")
    }
    if isOpened { ownWantedBytes = min(ownWantedBytes, status.wantedBytes) }
    history.append((now, status.doneBytes - min(status.doneBytes, bytesForReads(status))))
    if history.count > 64 { history.removeFirst(32) }
    if status.isFinished, finishedAt == nil {
      finishedAt = now
      checkContent()
    }
    checkPromise(status)
  }

  /// What was durable before a crash is there again, without a byte of it being downloaded.
  private func checkPromise(_ status: TorrentStatus) {
    guard let promise = promised, isOpened, disk.failures == 0, !disk.wasFull, !isDamaged else {
      return
    }
    if status.doneBytes >= promise {
      promised = nil
      return
    }
    // Claims are examined after the start; what is downloaded meanwhile cannot stand for them.
    let wanted = wantedBytes
    let room =
      wanted - min(wanted, promise) + UInt64(blockLength) + bytesForReads(status)
    if status.downloadedBytes > status.wastedBytes + room {
      world.fail(
        "host \(number) had \(promise) bytes before the crash, has \(status.doneBytes), and has "
          + "downloaded \(status.downloadedBytes) of the \(wanted - min(wanted, promise)) missing")
    }
  }

  /// Bytes that are wanted only because somebody read in their pieces, and no more after the next start.
  private func bytesForReads(_ status: TorrentStatus) -> UInt64 {
    status.wantedBytes - min(status.wantedBytes, ownWantedBytes)
  }

  /// Bytes of the files that the node wants.
  var wantedBytes: UInt64 {
    dataset.contents.enumerated().reduce(0) {
      $0 + (plan.wanted?.contains($1.offset) ?? true ? UInt64($1.element.count) : 0)
    }
  }

  /// The files that were wanted are on disk, byte for byte.
  func checkContent() {
    guard !isDamaged else { return }
    for (index, file) in dataset.geometry.files.enumerated()
    where plan.wanted?.contains(index) ?? true {
      let there = disk.files[file]?.cached ?? []
      if there != dataset.contents[index] {
        world.fail("host \(number) is finished, but file \(index) is not what it should be")
      }
    }
  }

  /// A notice of the core.
  func take(_ notice: Notice) {
    switch notice {
    case .opened:
      isOpened = true
      world.note(.opened, number)
    case .finished: world.note(.finished, number)
    case .closed:
      closed()
    case .banned(_, let endpoint, let why):
      world.note(.banned, number, 0, 0, "\(endpoint) \(why)")
      if honest.contains(endpoint.address) {
        world.fail("host \(number) banned the honest \(endpoint): \(why)")
      }
    case .peerGone(_, let id, let endpoint, let end):
      world.note(.peerGone, number, Int(id.slot), 0, "\(endpoint) \(end)")
      guard honest.contains(endpoint.address) else { return }
      switch end {
      case .notBitTorrent, .protocolError, .extensionError, .misconduct, .corrupt:
        world.fail("host \(number) accuses the honest \(endpoint): \(end)")
      default: break
      }
    default: world.note(.notice, number, 0, 0, "\(notice)")
    }
  }
}
