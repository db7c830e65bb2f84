import Metainfo
import Swarm
import SwarmNode

/// How a torrent is doing, as both commands show it.
struct TransferFigures: Hashable {
  /// Bytes of content that are wanted; 0 while the metadata is not here.
  var wanted: UInt64 = 0
  /// Of those, verified and here.
  var done: UInt64 = 0
  /// Whether all that was asked for is here and on disk.
  var isFinished = false
  /// Bytes that came and went in this run.
  var downloaded: UInt64 = 0
  var uploaded: UInt64 = 0
  var wasted: UInt64 = 0
  /// Bytes a second.
  var downloadRate: UInt64 = 0
  var uploadRate: UInt64 = 0
  var peers = 0
  var seeds = 0
  var connecting = 0
  var knownPeers = 0
  var waiting = TorrentStatus.Waiting.nothing
  /// Reads that have waited for more than a second, the oldest first.
  var stalledReads: [StalledRead] = []
  /// What block devices did; nil where none is offered.
  var reads: BlockExportFigures?
  /// Whether nothing is to come, whatever is here.
  var isSeed = false

  init() {}

  init(_ status: TorrentStatus) {
    wanted = status.wantedBytes
    done = status.doneBytes
    isFinished = status.isFinished
    downloaded = status.downloadedBytes
    uploaded = status.uploadedBytes
    wasted = status.wastedBytes
    downloadRate = status.downloadRate
    uploadRate = status.uploadRate
    peers = status.peers
    seeds = status.seeds
    connecting = status.connecting
    knownPeers = status.knownPeers
    waiting = status.waiting
    stalledReads = status.stalledReads
  }

  /// Seconds until all is here if it goes on as now; nil when that cannot be said.
  var secondsLeft: UInt64? {
    if hasAll || wanted == 0 || downloadRate == 0 { return nil }
    let left = wanted - min(done, wanted)
    let (seconds, rest) = left.quotientAndRemainder(dividingBy: downloadRate)
    return seconds + (rest > 0 ? 1 : 0)
  }

  private var hasAll: Bool { isFinished || isSeed }

  /// Per cent, never 100 before all is here.
  var percent: Int {
    if isFinished { return 100 }
    if wanted == 0 { return 0 }
    return min(Int(Double(done) / Double(wanted) * 100), 99)
  }

  // MARK: For people

  /// What a terminal shows: the second line only when there is something to say in it. None wider
  /// than `width` less one, since a line that wraps cannot be written anew.
  func lines(width: Int) -> [String] {
    let most = max(width - 1, 0)
    var lines = [figures(fitting: most)]
    if let waitingText { lines.append(String(waitingText.prefix(most))) }
    return lines
  }

  /// One line for a log.
  var plainLine: String {
    figures(fitting: .max) + (waitingText.map { "; \($0)" } ?? "")
  }

  /// What it waits for and what can be done; nil when it does not wait.
  var waitingText: String? { stallText ?? torrentWaitingText }

  /// What the torrent waits for; `waitingText` without what reads wait for.
  var torrentWaitingText: String? {
    switch waiting {
    case .nothing: nil
    case .checking: "checking what is here"
    case .record: "waiting: the record of what is here cannot be read"
    case .peers:
      if hasAll {
        nil
      } else if knownPeers == 0 {
        "waiting for a peer: none is known; name one with --peer HOST:PORT"
      } else {
        waitingForKnownPeers
      }
    case .connections:
      if hasAll {
        nil
      } else if connecting == 0 {
        waitingForKnownPeers
      } else {
        "connecting to \(Quantity.count(connecting, "peer"))"
      }
    case .metadata: "waiting for a peer to tell what the torrent is"
    case .choked: "waiting: no peer that has what is missing lets us fetch it yet"
    case .availability: "waiting: no connected peer has what is missing"
    case .disk: "waiting: the disk is full; free some room"
    case .stopping: "stopping"
    }
  }

  /// What is said at the end; `place` is where the content is.
  func summary(place: String?) -> String {
    let sent = "sent \(Quantity.bytes(uploaded)) in this run"
    if isSeed { return "stopped: \(sent)" }
    let place = place ?? "the folder"
    if isFinished { return "\(place) is complete; \(sent)" }
    if wanted == 0 { return "nothing was fetched yet" }
    return "\(Quantity.bytes(done)) of \(Quantity.bytes(wanted)) are kept in \(place); the same "
      + "command continues"
  }

  private var waitingForKnownPeers: String {
    "waiting for a peer: \(Quantity.count(knownPeers, "peer")) known, none answers; trying again"
  }

  /// The figures, the least important left out where room lacks.
  private func figures(fitting most: Int) -> String {
    let peerText =
      Quantity.count(peers, "peer")
      + (seeds > 0 && !hasAll ? " (\(Quantity.count(seeds, "seed")))" : "")
    let up = "up \(Quantity.bytes(uploadRate))/s"
    var parts: [(text: String, rank: Int)]
    if hasAll {
      parts = [
        (wanted == 0 ? "seeding" : "seeding \(Quantity.bytes(done))", 0), (up, 1),
        ("sent \(Quantity.bytes(uploaded))", 3), (peerText, 2),
      ]
    } else {
      parts = [
        ("\(percent) %", 0), ("\(Quantity.bytes(done)) of \(Quantity.bytes(wanted))", 2),
        ("down \(Quantity.bytes(downloadRate))/s", 1), (up, 5), (peerText, 4),
      ]
      if wanted == 0 { parts.removeFirst(2) }
      if let secondsLeft {
        parts.append(("\(Quantity.duration(seconds: Double(secondsLeft))) left", 3))
      }
    }
    while true {
      let line = parts.map(\.text).joined(separator: "  ")
      if line.count <= most || parts.count == 1 { return String(line.prefix(most)) }
      let least = parts.indices.max { parts[$0].rank < parts[$1].rank } ?? 0
      parts.remove(at: least)
    }
  }

  // MARK: For programs

  /// Members of the documented event (docs/json.md).
  var json: [(String, JSON)] {
    [
      ("event", .text("status")),
      ("done", .number(done)),
      ("wanted", wanted == 0 ? .null : .number(wanted)),
      ("finished", .bool(isFinished)),
      ("downloaded", .number(downloaded)),
      ("uploaded", .number(uploaded)),
      ("wasted", .number(wasted)),
      ("download_rate", .number(downloadRate)),
      ("upload_rate", .number(uploadRate)),
      ("peers", .number(UInt64(peers))),
      ("seeds", .number(UInt64(seeds))),
      ("connecting", .number(UInt64(connecting))),
      ("known_peers", .number(UInt64(knownPeers))),
      ("seconds_left", secondsLeft.map { .number($0) } ?? .null),
      ("waiting", .text(orNull: waitingName)),
      ("reads", reads.map { readsJSON($0) } ?? .null),
    ]
  }

  var waitingName: String? {
    switch waiting {
    case .nothing: nil
    case .checking: "checking"
    case .record: "record"
    case .peers: "peers"
    case .connections: "connections"
    case .metadata: "metadata"
    case .choked: "choked"
    case .availability: "availability"
    case .disk: "disk"
    case .stopping: "stopping"
    }
  }
}
