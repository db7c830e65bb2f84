import Metainfo
import Store
import Swarm
import TestSupport

/// Somebody who reads from a node, and is strict about it.
struct NodeReader {
  let file: FileIndex
  let bytes: Range<UInt64>
  let deadline: Duration
  /// Blocks that are still to come.
  var missing: Set<BlockIndex>
  var isEnded = false
  var failure: ReadFailure?
  /// Called at its end.
  var ended: ((ReadFailure?) -> Void)?
}

extension SimulatedNode {
  /// How much later than its deadline a read may end: what timers are late by.
  private static let grace = Duration.milliseconds(20)

  /// Reads something; nil when there is nothing to be read.
  @discardableResult
  func beginRead(timeout: Duration) -> ReadID? {
    guard isRunning, isPrepared, torrent != nil else { return nil }
    let files = dataset.geometry.files.filter { dataset.geometry.length(of: $0) > 0 }
    guard !files.isEmpty else { return nil }
    let file = random.pick(files)
    let length = dataset.geometry.length(of: file)
    let start = UInt64.random(in: 0..<length, using: &random)
    let end = min(length, start + UInt64(random.logarithmic(1...200_000)))
    return beginRead(start..<end, of: file, timeout: timeout)
  }

  /// Reads these bytes of a file.
  @discardableResult
  func beginRead(
    _ bytes: Range<UInt64>, of file: FileIndex, timeout: Duration,
    ended: ((ReadFailure?) -> Void)? = nil
  ) -> ReadID? {
    guard isRunning, isPrepared, let torrent else { return nil }
    let (start, end) = (bytes.lowerBound, bytes.upperBound)
    let id = swarm.read(
      start..<end, of: Int(file.rawValue), in: torrent, timeout: timeout, now: now)
    let blocks = dataset.geometry.blocks(of: file, bytes: start..<end).map(Array.init) ?? []
    readers[id] = NodeReader(
      file: file, bytes: start..<end, deadline: now + timeout, missing: Set(blocks), ended: ended)
    world.note(.read, number, Int(start), Int(end))
    let run = incarnation
    world.at(now + timeout + Self.grace) { [self] in
      guard run == incarnation, isRunning, readers[id]?.isEnded == false else { return }
      world.fail("host \(number) has not ended a read of \(start)..<\(end) by its deadline")
    }
    drain()
    return id
  }

  /// Fetches bytes of the only file before they are read.
  func prefetch(_ bytes: Range<UInt64>) -> Bool {
    guard isRunning, isPrepared, let torrent else { return false }
    defer { drain() }
    return swarm.prefetch(bytes, of: 0, in: torrent, now: now)
  }

  /// Ranges that wait to be prefetched.
  var prefetchCount: Int { torrent.map { swarm.prefetchCount(in: $0) } ?? 0 }

  func deliver(_ id: ReadID, _ block: BlockIndex, _ buffer: BufferHandle) {
    guard readers[id]?.isEnded == false else {
      return world.fail("host \(number) delivers block \(block) to nobody")
    }
    guard readers[id]?.missing.remove(block) != nil else {
      return world.fail("host \(number) delivers block \(block), which was not asked for")
    }
    world.note(.delivered, number, Int(block.rawValue))
    checkDelivered(block, buffer)
    let run = incarnation
    world.after(random.duration(readerTime)) { [self] in
      guard run == incarnation, isRunning else { return }
      checkDelivered(block, buffer)
      swarm.finish(buffer)
      drain()
    }
  }

  func endRead(_ id: ReadID, _ failure: ReadFailure?) {
    guard readers[id]?.isEnded == false else {
      return world.fail("host \(number) ends a read twice, or one that is not there")
    }
    readers[id]?.isEnded = true
    readers[id]?.failure = failure
    world.note(.readEnded, number, 0, 0, failure.map { "\($0)" } ?? "")
    if failure == nil, readers[id]?.missing.isEmpty == false {
      world.fail("host \(number) ends a read of which blocks are missing")
    }
    // Not from in here: who reads on calls the core.
    if let ended = readers[id]?.ended {
      let run = incarnation
      world.after(.zero) { [self] in if run == incarnation, isRunning { ended(failure) } }
    }
  }

  private func checkDelivered(_ block: BlockIndex, _ buffer: BufferHandle) {
    let geometry = dataset.geometry
    let count = Int(geometry.dataLength(of: block))
    guard let bytes = memory.bytes(buffer, count: count) else { return }
    let isRight = dataset.matches(
      bytes, piece: geometry.piece(of: block).rawValue, begin: geometry.begin(of: block))
    if !isRight { world.fail("host \(number) delivers wrong bytes of block \(block)") }
  }
}
