import Metainfo
import Swarm

/// What came of the boot trace that a version has for an export.
public enum TraceUse: Hashable, Sendable {
  /// It is fetched in its order: so many ranges with so many bytes. `isCut`: it names more than is
  /// fetched for the sake of a trace.
  case used(ranges: Int, bytes: UInt64, isCut: Bool)
  /// It is none, or could not be had: why.
  case unusable(String)
}

/// Fetches what a boot trace names, ahead of the guest, in the trace's order and no faster than it can
/// be asked of peers. Whatever the trace says, no more than a bound is fetched for it.
///
/// Belongs to the loop's thread.
final class TracePrefetch {
  private let node: Node
  private let export: BlockExport
  private let onUse: (TraceUse) -> Void
  private var read: ReadID?
  private var gathered: [UInt8] = []
  private var missing = 0
  /// What is still to be given to the core, the first one last.
  private var ranges: [Range<UInt64>] = []
  /// What the core was given and may not have yet, in order.
  private var given: [Range<UInt64>] = []
  private var timer: EventTimer?
  private var hasClients = true

  /// Begins: the trace is `trace` in the export's torrent.
  init(
    _ node: Node, _ export: BlockExport, trace: (place: Int, length: UInt64),
    onUse: @escaping (TraceUse) -> Void
  ) {
    self.node = node
    self.export = export
    self.onUse = onUse
    let count = Int(trace.length)
    gathered = [UInt8](repeating: 0, count: count)
    missing = count
    read = node.read(
      0..<trace.length, of: trace.place, in: export.torrent, timeout: export.readTimeout,
      deliver: { [weak self] in self?.take($0, at: $1) },
      completion: { [weak self] in self?.took($0) })
  }

  /// Ends for good.
  func close() {
    if let read { node.cancel(read) }
    read = nil
    stop()
    ranges = []
  }

  /// Somebody reads again.
  func resume() {
    hasClients = true
    go()
  }

  /// Nobody reads any more: what was not asked of peers yet waits until somebody does.
  ///
  /// - Parameter isLast: whether nobody reads any other file of the torrent either.
  func pause(isLast: Bool) {
    hasClients = false
    stop()
    guard isLast else { return }
    node.cancelPrefetch(in: export.torrent)
    ranges += missing(given).reversed()
    given = []
  }

  private func missing(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    ranges.filter { !node.isHere($0, of: export.file, in: export.torrent) }
  }

  private func take(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
    gathered.withUnsafeMutableBytes { room in
      UnsafeMutableRawBufferPointer(rebasing: room[Int(offset)..<(Int(offset) + bytes.count)])
        .copyMemory(from: bytes)
    }
    missing -= bytes.count
  }

  private func took(_ failure: ReadFailure?) {
    read = nil
    let bytes = gathered
    gathered = []
    guard failure == nil, missing == 0 else {
      if failure != .closed { onUse(.unusable("nobody had it in time")) }
      return
    }
    do throws(TraceError) {
      let trace = try BootTrace(encoded: bytes)
      let (ranges, isCut) = Self.ranges(
        of: trace, fileSize: export.size, unit: node.fetchedUnit(in: export.torrent))
      onUse(
        .used(
          ranges: ranges.count, bytes: ranges.reduce(0) { $0 + UInt64($1.count) }, isCut: isCut))
      self.ranges = ranges.reversed()
      go()
    } catch {
      onUse(.unusable("\(error)"))
    }
  }

  /// What is fetched for the trace, in order. The bound is one on what comes for it: a byte costs all
  /// of its unit, the first time.
  ///
  /// - Parameter unit: how many bytes are fetched for the sake of one, at the most.
  static func ranges(
    of trace: BootTrace, fileSize: UInt64, unit: UInt64
  ) -> (ranges: [Range<UInt64>], isCut: Bool) {
    let bound = max(NBDServerLimits.tracedBytes, fileSize / NBDServerLimits.tracedShare)
    var left = bound / unit
    // Reads share no byte, and so no unit but their first and last.
    var ends: Set<UInt64> = []
    var ranges: [Range<UInt64>] = []
    for read in trace.fitted(to: fileSize) {
      let (first, last) = (read.offset / unit, (read.range.upperBound - 1) / unit)
      var start = first
      if ends.contains(first) { start += 1 }
      var end = last + 1
      if last > first, ends.contains(last) { end -= 1 }
      guard end <= start || end - start <= left else {
        // So much of it as is left.
        let stop = (start + left) * unit
        if stop > read.offset { ranges.append(read.offset..<stop) }
        return (ranges, true)
      }
      if end > start { left -= end - start }
      ends.insert(first)
      ends.insert(last)
      ranges.append(read.range)
    }
    return (ranges, false)
  }

  private func go() {
    guard hasClients, !ranges.isEmpty, timer == nil, !node.isStopping else { return }
    let interval = NBDServerLimits.prefetchMilliseconds
    timer = EventTimer(on: node.loop, everyMilliseconds: interval) { [weak self] in self?.feed() }
    feed()
  }

  private func stop() {
    timer?.cancel()
    timer = nil
  }

  /// Gives the core what it has room for; it asks peers for it as they take it.
  private func feed() {
    var room = NBDServerLimits.prefetchRanges - node.prefetchCount(in: export.torrent)
    var looks = NBDServerLimits.prefetchLooks
    while room > 0, looks > 0, let range = ranges.popLast() {
      looks -= 1
      let end = min(range.upperBound, range.lowerBound + NBDServerLimits.prefetchBytes)
      let part = range.lowerBound..<end
      if !node.isHere(part, of: export.file, in: export.torrent) {
        guard node.prefetch(part, of: export.file, in: export.torrent) else {
          // The torrent is being closed, or checked still.
          ranges.append(range)
          return
        }
        given.append(part)
        room -= 1
      }
      if end < range.upperBound { ranges.append(end..<range.upperBound) }
    }
    if given.count > 4 * NBDServerLimits.prefetchRanges { given = missing(given) }
    if ranges.isEmpty { stop() }
  }
}
