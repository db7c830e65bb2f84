import Metainfo
import Store

/// A read that has waited for longer than a disk would take.
public struct StalledRead: Hashable, Sendable {
  /// What a read can wait for.
  public enum Reason: Hashable, Sendable {
    /// The block maps are being loaded, or what is said to be here is examined.
    case checking
    /// The torrent's info dictionary.
    case metadata
    /// There is no connected peer.
    case peers
    /// No connected peer has the block.
    case availability
    /// Those who have it do not let us request.
    case choked
    /// The answer of so many peers.
    case answer(peers: Int)
    /// The hashes that prove what came; in v1 torrents the rest of the piece.
    case hashes
    /// Our disk: it is full, or has not answered.
    case disk
    /// Other reads: so much is read at once.
    case turn
  }

  /// Its file, by its place in the torrent.
  public let file: Int
  /// What was to be read of it.
  public let bytes: Range<UInt64>
  /// How long it has waited.
  public let age: Duration
  /// When it will fail, from now.
  public let timeLeft: Duration
  /// Blocks that are still to come.
  public let blocks: Int
  /// What the first of them waits for.
  public let reason: Reason
}

extension Swarm {
  /// Reads of the torrent that have waited for long, the oldest first; of many only the oldest.
  func stalledReads(_ torrent: Torrent) -> [StalledRead] {
    reads.values.filter {
      $0.torrent == torrent.id && $0.since + ReadLimits.stalledAfter <= now
    }.sorted { ($0.since, $0.id.rawValue) < ($1.since, $1.id.rawValue) }
      .prefix(ReadLimits.toldStalls).map { read in
        StalledRead(
          file: Int(read.file.rawValue), bytes: read.bytes, age: now - read.since,
          timeLeft: max(.zero, read.deadline - now),
          blocks: read.remaining.count + read.awaited.count + read.reading,
          reason: reason(read, torrent))
      }
  }

  /// What the first block that is missing waits for.
  func reason(_ read: PendingRead, _ torrent: Torrent) -> StalledRead.Reason {
    guard let data = torrent.data else { return .metadata }
    guard torrent.isRunning else { return .checking }
    guard let block = read.awaited.min() else { return read.reading > 0 ? .disk : .turn }
    switch data.picker.state(of: block) {
    case .here: return .disk
    case .received:
      if data.content.isClaimed(block) { return .checking }
      return data.content.isBeingWritten(block) ? .disk : .hashes
    case .asked:
      return torrent.isDiskFull
        ? .disk : .answer(peers: data.picker.requesters(of: block).count)
    case .free: break
    }
    if torrent.isDiskFull { return .disk }
    if torrent.peers.isEmpty { return .peers }
    let piece = data.geometry.piece(of: block)
    let having = torrent.peers.filter { $0.pieces?.contains(piece) == true }
    if having.isEmpty { return .availability }
    return having.allSatisfy { $0.peerChoking } ? .choked : .answer(peers: 0)
  }
}
