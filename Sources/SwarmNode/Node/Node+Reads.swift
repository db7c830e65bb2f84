import Metainfo
import Store
import Swarm

/// A read that somebody waits for.
struct ReadState {
  let torrent: TorrentID
  let file: Int
  let bytes: Range<UInt64>
  let deliver: (UnsafeRawBufferPointer, UInt64) -> Void
  let completion: (ReadFailure?) -> Void
}

extension Node {
  /// Reads bytes of a file by its place in the torrent. Missing ones are fetched first of all.
  ///
  /// - Parameters:
  ///   - deliver: gets each run of verified bytes, and its offset in the file; in order of arrival,
  ///     each byte once. The memory is good during the call only.
  ///   - completion: called once, at the latest after `timeout`: nil when all bytes were delivered.
  @discardableResult public func read(
    _ bytes: Range<UInt64>, of file: Int, in torrent: TorrentID, timeout: Duration,
    deliver: @escaping (_ bytes: UnsafeRawBufferPointer, _ offset: UInt64) -> Void,
    completion: @escaping (ReadFailure?) -> Void
  ) -> ReadID {
    let read = swarm.read(bytes, of: file, in: torrent, timeout: timeout, now: now)
    reads[read] = ReadState(
      torrent: torrent, file: file, bytes: bytes, deliver: deliver, completion: completion)
    needsTurn = true
    return read
  }

  /// Gives a read up: neither of its functions is called any more.
  public func cancel(_ read: ReadID) {
    guard reads.removeValue(forKey: read) != nil else { return }
    swarm.cancel(read)
    needsTurn = true
  }

  /// Reads bytes of a file if all are here, verified, and in the system's memory.
  ///
  /// Only of content that is ours to write: of others' the core has to know what the file looked like
  /// when it was read.
  func readAtOnce(
    _ bytes: Range<UInt64>, of file: Int, in torrent: TorrentID,
    into buffer: UnsafeMutableRawBufferPointer
  ) -> Bool {
    guard let state = torrents[torrent], state.isOwned, case .ready(let disk) = state.disk,
      swarm.isHere(bytes, of: file, in: torrent), let number = UInt32(exactly: file),
      let index = state.geometry?.file(number)
    else { return false }
    return disk.readCached(index, at: bytes.lowerBound, into: buffer)
  }

  /// Which of these bytes can be read without any peer, from the first on: runs, in order, that need not reach
  /// to the end of the range.
  ///
  /// - Parameters:
  ///   - blocks: how many are looked at; nil for as many as take a few milliseconds.
  ///   - runs: how many there are at the most; nil for some thousands.
  public func presence(
    of bytes: Range<UInt64>, of file: Int, in torrent: TorrentID, blocks: Int? = nil,
    runs: Int? = nil
  ) -> [PresenceRun] {
    swarm.presence(
      of: bytes, of: file, in: torrent, blocks: blocks ?? NBDServerLimits.statusBlocks,
      runs: runs ?? NBDServerLimits.statusRuns)
  }

  /// Fetches bytes of a file before they are read: behind all reads, before what is wanted as a whole,
  /// in the order of the calls. Of what is here nothing is done. False when there are no such bytes, or
  /// some 65,000 ranges wait already.
  @discardableResult
  public func prefetch(_ bytes: Range<UInt64>, of file: Int, in torrent: TorrentID) -> Bool {
    guard !isStopping else { return false }
    needsTurn = true
    return swarm.prefetch(bytes, of: file, in: torrent, now: now)
  }

  /// How many bytes may be fetched for the sake of one: of v1 torrents, and where the rest of a piece
  /// follows what is read of it, a piece, else a block.
  func fetchedUnit(in torrent: TorrentID) -> UInt64 {
    guard let geometry = torrents[torrent]?.geometry else { return UInt64(blockLength) }
    let piece = UInt64(geometry.pieceLength)
    return geometry.kind == .v1 || piece <= Swarm.completedPieceBytes ? piece : UInt64(blockLength)
  }

  /// Whether these bytes are here and verified.
  func isHere(_ bytes: Range<UInt64>, of file: Int, in torrent: TorrentID) -> Bool {
    swarm.isHere(bytes, of: file, in: torrent)
  }

  /// Ranges of the torrent that wait to be prefetched.
  func prefetchCount(in torrent: TorrentID) -> Int { swarm.prefetchCount(in: torrent) }

  /// Forgets what waits to be prefetched and was not asked of anybody yet.
  public func cancelPrefetch(in torrent: TorrentID) { swarm.cancelPrefetch(in: torrent) }

  /// What is fetched for the sake of reads from now on; `isSparse` stays as `TorrentRequest.reading` had
  /// it.
  public func setReading(_ policy: ReadingPolicy, of torrent: TorrentID) {
    swarm.setReading(policy, of: torrent)
  }

  func deliver(_ block: BlockIndex, _ buffer: BufferHandle, to read: ReadID) {
    defer {
      swarm.finish(buffer)
      needsTurn = true
    }
    guard let state = reads[read], let geometry = torrents[state.torrent]?.geometry else { return }
    let memory = memory.memory(of: buffer)
    var start = 0
    for span in geometry.spans(of: block) {
      defer { start += Int(span.length) }
      guard let file = span.file, Int(file.rawValue) == state.file else { continue }
      let wanted = state.bytes.clamped(to: span.offset..<(span.offset + span.length))
      guard !wanted.isEmpty else { continue }
      let first = start + Int(wanted.lowerBound - span.offset)
      let part = memory[first..<(first + wanted.count)]
      state.deliver(UnsafeRawBufferPointer(rebasing: part), wanted.lowerBound)
    }
  }

  func end(_ read: ReadID, _ failure: ReadFailure?) {
    guard let state = reads.removeValue(forKey: read) else { return }
    state.completion(failure)
  }
}
