import Metainfo
import Swarm

/// The boot traces of a server's exports: those that are recorded, and those that are fetched by. One
/// recording and one prefetch an export, over all its connections.
///
/// Belongs to the loop's thread.
final class ExportTraces {
  private final class Entry {
    var clients = 0
    var recording: TraceRecording?
    var prefetch: TracePrefetch?
    /// Whether the last client that went said so.
    var endedCleanly = false
    /// Ticks since the last client went.
    var idleTicks = 0
  }

  private struct Key: Hashable {
    let torrent: TorrentID
    let file: Int
  }

  private let node: Node
  private let log: Log
  private let onUse: (BlockExport, TraceUse) -> Void
  private var entries: [Key: Entry] = [:]
  private var timer: EventTimer?

  init(_ node: Node, log: Log, onUse: @escaping (BlockExport, TraceUse) -> Void) {
    self.node = node
    self.log = log
    self.onUse = onUse
  }

  /// A client will read an export. What notes its reads; nil where nothing is recorded.
  func opened(_ export: BlockExport) -> TraceRecording? {
    let key = Key(torrent: export.torrent, file: export.file)
    let entry = entries[key] ?? Entry()
    entries[key] = entry
    if entry.clients == 0 {
      if entry.endedCleanly { finish(entry) }
      entry.endedCleanly = false
      entry.prefetch?.resume()
    }
    entry.clients += 1
    if entry.recording == nil, let place = export.recordings {
      entry.recording = TraceRecording(
        of: export.file, size: export.size, in: place, on: node.loop, log: log)
      startTimer()
    }
    if entry.prefetch == nil, let trace = export.trace {
      let name = export.names.first ?? []
      entry.prefetch = TracePrefetch(node, export, trace: trace) { [onUse, log] use in
        if case .unusable(let reason) = use {
          log(
            .warning, "the boot trace of \(printable(name)) is not used: \(reason)",
            torrent: export.torrent)
        }
        onUse(export, use)
      }
    }
    return entry.recording
  }

  /// A client reads the export no more.
  ///
  /// - Parameter isClean: whether it said so; one that did not may come back.
  func left(_ export: BlockExport, isClean: Bool) {
    guard let entry = entries[Key(torrent: export.torrent, file: export.file)] else { return }
    entry.clients -= 1
    guard entry.clients == 0 else { return }
    let isLast = entries.allSatisfy { $0.key.torrent != export.torrent || $0.value.clients == 0 }
    entry.prefetch?.pause(isLast: isLast)
    entry.endedCleanly = isClean
    entry.idleTicks = 0
    if isClean { finish(entry) }
  }

  /// Writes what is recorded, and fetches no more. Whose clients are connected now may go on with
  /// another node.
  func close() {
    timer?.cancel()
    timer = nil
    for entry in entries.values {
      entry.prefetch?.close()
      entry.recording?.end(isOver: entry.clients == 0)
    }
    entries = [:]
  }

  private func finish(_ entry: Entry) {
    entry.recording?.end(isOver: true)
    entry.recording = nil
  }

  private func startTimer() {
    guard timer == nil else { return }
    timer = EventTimer(on: node.loop, everyMilliseconds: 1_000) { [weak self] in self?.tick() }
  }

  private func tick() {
    for entry in entries.values {
      entry.recording?.tick()
      guard entry.clients == 0 else { continue }
      entry.idleTicks += 1
      if entry.idleTicks >= NBDServerLimits.traceGap { finish(entry) }
    }
    guard entries.values.allSatisfy({ $0.recording == nil }) else { return }
    timer?.cancel()
    timer = nil
  }
}
