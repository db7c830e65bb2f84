import Metainfo
import Store
import Wire

/// How everything is doing.
extension Swarm {
  /// How a torrent is doing; nil when it was removed.
  public borrowing func status(of id: TorrentID) -> TorrentStatus? {
    guard let torrent = torrent(id) else { return nil }
    var status = TorrentStatus()
    status.infohashV1 = torrent.v1
    status.infohashV2 = torrent.v2
    status.dataset = torrent.dataset
    status.isForHeads = torrent.isForHeads
    status.group = torrent.group
    status.name = torrent.data?.info.name.bytes
    status.wantedBytes = torrent.data?.wantedBytes ?? 0
    status.doneBytes = torrent.data?.doneBytes ?? 0
    status.isFinished = torrent.data?.isFinished ?? false
    status.isSeed = torrent.data?.have.isFull ?? false
    status.downloadedBytes = torrent.download.total
    status.uploadedBytes = torrent.upload.total
    status.wastedBytes = torrent.wastedBytes
    status.savedDownloadBytes = torrent.savedDownloadBytes
    status.savedUploadBytes = torrent.savedUploadBytes
    status.compressingPeers = torrent.peers.count { $0.zstdID != 0 }
    status.downloadRate = torrent.download.rate(now: now)
    status.uploadRate = torrent.upload.rate(now: now)
    status.peers = torrent.peers.count
    status.seeds = torrent.peers.count { $0.isSeed }
    status.connecting = torrent.connecting
    status.knownPeers = torrent.known.count
    status.refusingPeers = torrent.known.refusing
    status.requestedBlocks = torrent.peers.reduce(0) { $0 + $1.outstanding.count }
    status.waiting = waiting(torrent)
    status.stalledReads = stalledReads(torrent)
    status.isSparse = torrent.reading.isSparse
    return status
  }

  /// What compression did in this run.
  public var compression: CompressionFigures { frames.figures }

  private func waiting(_ torrent: Torrent) -> TorrentStatus.Waiting {
    switch torrent.phase {
    case .closing, .unusable: return .stopping
    case .opening: return torrent.data?.content.isBlocked == true ? .record : .checking
    case .fetching: return torrent.peers.isEmpty ? waitingForPeers(torrent) : .metadata
    case .meeting: return torrent.peers.isEmpty ? waitingForPeers(torrent) : .nothing
    case .running: break
    }
    guard let data = torrent.data, !data.isFinished else { return .nothing }
    if data.isSparse, data.picker.isFinished, data.awaiting.isEmpty { return .nothing }
    if torrent.isDiskFull { return .disk }
    if torrent.peers.contains(where: { !$0.outstanding.isEmpty }) || heldBlocks > 0 {
      return .nothing
    }
    if torrent.peers.isEmpty { return waitingForPeers(torrent) }
    let interesting = torrent.peers.filter(\.amInterested)
    if interesting.isEmpty { return .availability }
    return interesting.allSatisfy(\.peerChoking) ? .choked : .nothing
  }

  private func waitingForPeers(_ torrent: Torrent) -> TorrentStatus.Waiting {
    torrent.connecting > 0 || torrent.known.count > 0 ? .connections : .peers
  }

  /// How its peers are doing.
  public borrowing func peers(of id: TorrentID) -> [PeerStatus] {
    guard let torrent = torrent(id) else { return [] }
    return torrent.peers.filter(\.isActive).map { peer in
      PeerStatus(
        id: peer.id, endpoint: peer.endpoint, isIncoming: peer.isIncoming,
        isEncrypted: peer.group != nil, client: peer.name, pieces: peer.pieces?.count ?? 0,
        downloadRate: peer.download.rate(now: now), uploadRate: peer.upload.rate(now: now),
        peerChoking: peer.peerChoking,
        peerInterested: peer.peerInterested, amChoking: peer.amChoking,
        amInterested: peer.amInterested, requested: peer.outstanding.count,
        compresses: peer.zstdID != 0)
    }
  }
}
