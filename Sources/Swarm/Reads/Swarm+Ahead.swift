import Metainfo
import Store
import Wire

/// What is fetched before somebody reads it: behind what is read, before all else.
extension Swarm {
  /// Fetches bytes of a file before they are read: behind all reads, and in the order of the calls. Of
  /// what is here nothing is done. False when there are no such bytes, or too much waits already.
  @discardableResult
  public mutating func prefetch(
    _ bytes: Range<UInt64>, of file: Int, in id: TorrentID, now: Duration
  ) -> Bool {
    advance(to: now)
    guard let torrent = torrent(id), let data = torrent.data, data.content.takesBlocks,
      let number = UInt32(exactly: file), let index = data.geometry.file(number),
      let blocks = data.geometry.blocks(of: index, bytes: bytes),
      data.prefetch.count < ReadLimits.prefetchRanges
    else { return false }
    data.prefetch.append(blocks)
    data.keepsAll = true
    wakeForReads(torrent)
    settle()
    return true
  }

  /// Ranges that wait to be prefetched, those of a few blocks that are done with left out.
  public mutating func prefetchCount(in id: TorrentID) -> Int {
    guard let data = torrent(id)?.data else { return 0 }
    data.prefetch.compact { data.picker.state(of: $0) != .free }
    return data.prefetch.count
  }

  /// Forgets what waits to be prefetched and was not asked of anybody.
  public mutating func cancelPrefetch(in id: TorrentID) {
    torrent(id)?.data?.prefetch.removeAll()
  }

  /// What is fetched for the sake of reads from now on. Whether the torrent is sparse stays as it was.
  public mutating func setReading(_ policy: ReadingPolicy, of id: TorrentID) {
    guard let torrent = torrent(id) else { return }
    let isSparse = torrent.reading.isSparse
    torrent.reading = policy
    torrent.reading.isSparse = isSparse
    if !policy.readsAhead { torrent.data?.ahead.removeAll() }
  }

  /// Notes a read; what it goes on with is fetched ahead.
  mutating func readAhead(
    _ bytes: Range<UInt64>, of file: FileIndex, _ torrent: Torrent
  ) {
    guard torrent.reading.readsAhead, let data = torrent.data, data.content.takesBlocks,
      let range = data.streams.read(bytes, of: file, length: data.geometry.length(of: file)),
      let blocks = data.geometry.blocks(of: file, bytes: range)
    else { return }
    if data.ahead.count >= ReadLimits.aheadRanges { data.ahead.removeFirst() }
    data.ahead.append(blocks)
    data.keepsAll = true
    wakeForReads(torrent)
  }

  /// Somebody waits for peers: shows interest, and asks.
  mutating func wakeForReads(_ torrent: Torrent) {
    for peer in torrent.peers where peer.isActive && !peer.amInterested {
      updateInterest(peer, torrent)
    }
    touchDownloaders(torrent)
  }

  /// Up to so many blocks to be fetched ahead, which the peer has, into `picked`.
  mutating func pickAhead(
    _ count: Int, of peer: Peer, _ torrent: Torrent, _ pieces: PieceSet
  ) {
    guard let data = torrent.data else { return }
    // Of a crowd one asks for each block those that have everything, and tells the others.
    let crowd = isInStep(peer) ? [] : crowd(torrent)
    let (ownKey, now) = (configuration.peerID.crowdKey, now)
    while picked.count < count {
      let isDone = { (block: BlockIndex) in data.picker.state(of: block) != .free }
      let isHad = { (block: BlockIndex) in
        let piece = data.geometry.piece(of: block)
        guard pieces.contains(piece) || peer.passesOn(block, now),
          !peer.peerChoking || peer.allowedToUs.contains(piece)
        else { return false }
        return crowd.isEmpty || Self.leader(of: block, in: crowd, besides: ownKey) == nil
      }
      let limit = ReadLimits.scannedAhead
      guard
        let block = data.ahead.next(limit: limit, isDone: isDone, use: isHad)
          ?? data.prefetch.next(limit: limit, isDone: isDone, use: isHad)
      else { return }
      data.picker.requested(block, of: peer.id.slot)
      picked.append(block)
      if !crowd.isEmpty { tell(block, askedOf: peer, torrent) }
      completePiece(of: block, torrent)
    }
  }

  /// The largest piece of which the rest is fetched behind what is read of it, in bytes.
  public static var completedPieceBytes: UInt64 { ReadLimits.completedPiece }

  /// Somebody needs a block of a sparse torrent: the rest of its piece is fetched behind all reads, so
  /// that it can be shared.
  func completePiece(of block: BlockIndex, _ torrent: Torrent) {
    guard let data = torrent.data else { return }
    let piece = data.geometry.piece(of: block)
    // In v1 there is no other proof of the block.
    if data.geometry.kind == .v1 { return complete(piece, torrent) }
    guard torrent.reading.isSparse, torrent.reading.completesPieces,
      UInt64(data.geometry.pieceLength) <= ReadLimits.completedPiece
    else { return }
    complete(piece, torrent)
  }

  /// The piece is to be judged as a whole: if somebody waits for a part of it, all of it must come.
  func completeJudged(_ piece: PieceIndex, _ torrent: Torrent) {
    guard let data = torrent.data,
      data.geometry.blocks(of: piece).contains(where: { data.awaiting[$0] != nil })
    else { return }
    complete(piece, torrent)
  }

  private func complete(_ piece: PieceIndex, _ torrent: Torrent) {
    guard let data = torrent.data else { return }
    guard data.picker.priority(of: piece) == .skip, !data.have.contains(piece) else { return }
    data.picker.setPriority(.normal, of: piece)
    if let first = data.geometry.blocks(of: piece).first { data.completing.insert(first, at: now) }
    data.wantedBytes += UInt64(data.geometry.dataLength(of: piece))
  }
}
