import Metainfo
import Swarm
import SwarmNode

/// How a torrent is doing, as commands show it: its status, and what the program knows besides.
@dynamicMemberLookup
struct TransferFigures: Hashable {
  var status = TorrentStatus()
  /// What block devices did; nil where none is offered.
  var reads: BlockExportFigures?
  /// Whether nobody was connected for so long that it is time to say what to look at.
  var isLonely = false
  /// Whether nothing is to come, whatever is here.
  var onlySeeds = false
  /// Files that were here and are gone.
  var missingFiles = 0

  subscript<Value>(dynamicMember path: WritableKeyPath<TorrentStatus, Value>) -> Value {
    get { status[keyPath: path] }
    set { status[keyPath: path] = newValue }
  }

  /// Whether all that was asked for is here: it may have been, and not be any more.
  var isFinished: Bool {
    get { status.isFinished && missingFiles == 0 }
    set { status.isFinished = newValue }
  }

  /// Seconds until all is here if it goes on as now; nil when that cannot be said.
  var secondsLeft: UInt64? { onlySeeds ? nil : status.secondsLeft }

  /// Whether it is of a private dataset: all connections are encrypted.
  private var isPrivate: Bool { status.group != nil }

  private var hasAll: Bool { status.isFinished || onlySeeds }

  /// Per cent, never 100 before all is here.
  var percent: Int {
    if status.isFinished { return 100 }
    if status.wantedBytes == 0 { return 0 }
    return min(Int(Double(status.doneBytes) / Double(status.wantedBytes) * 100), 99)
  }

  // MARK: For people

  /// What a terminal shows: more than one line only when there is something to say besides. None wider
  /// than `width` less one, since a line that wraps cannot be written anew.
  func lines(width: Int) -> [String] {
    let most = max(width - 1, 0)
    var lines = [figures(fitting: most)]
    if let waitingText { lines += Wrapping.lines(waitingText, width: width) }
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
    switch status.waiting {
    case .nothing: nil
    case .checking: "checking what is here"
    case .record: "waiting: the record of what is here cannot be read"
    case .peers:
      if hasAll {
        nil
      } else if status.knownPeers == 0 {
        isLonely
          ? "waiting for a peer: none found; check the link and that somebody shares it now, let swarm doctor "
            + "look at this machine, or name a peer with --peer HOST:PORT"
          : "waiting for a peer: none is known; name one with --peer HOST:PORT"
      } else {
        waitingForKnownPeers
      }
    case .connections:
      if hasAll {
        nil
      } else if status.connecting == 0 {
        waitingForKnownPeers
      } else {
        "connecting to \(Quantity.count(status.connecting, "peer"))"
      }
    case .metadata: "waiting for a peer to send the torrent's metadata"
    case .choked: "waiting: no peer that has what is missing will send it yet"
    case .availability: "waiting: no connected peer has what is missing"
    case .disk: "waiting: the disk is full; free some room"
    case .stopping: "stopping"
    }
  }

  /// What is said at the end; `place` is where the content is.
  func summary(place: String?) -> String {
    let spared =
      status.savedUploadBytes == 0
      ? "" : ", \(Quantity.bytes(status.savedUploadBytes)) of it spared by compression"
    let sent = "sent \(Quantity.bytes(status.uploadedBytes)) in this run\(spared)"
    if onlySeeds { return "stopped: \(sent)" }
    let place = place ?? "the folder"
    if missingFiles > 0 {
      return
        "\(Quantity.count(missingFiles, "file")) of \(place) \(missingFiles == 1 ? "is" : "are") gone: the same "
        + "command fetches what is missing; \(sent)"
    }
    if status.isFinished { return "\(place) is complete; \(sent)" }
    if status.wantedBytes == 0 { return "nothing was fetched yet" }
    return
      "\(Quantity.bytes(status.doneBytes)) of \(Quantity.bytes(status.wantedBytes)) are kept in \(place); the same "
      + "command continues"
  }

  private var waitingForKnownPeers: String {
    let known = Quantity.count(status.knownPeers, "peer")
    let refusing = status.refusingPeers
    if refusing > 0, refusing == status.knownPeers {
      let answer = refusing == 1 ? "answers and does" : "answer and do"
      return "waiting for a peer: \(known) \(answer) not share this; trying again"
        + (isLonely ? ". Is the link right and complete, and is it still shared there?" : "")
    }
    return "waiting for a peer: \(known) known, "
      + (refusing > 0 ? "\(refusing) of them answering and not sharing this" : "none answers")
      + "; trying again"
      + (isLonely
        ? ". Is it running, and does its firewall let others in? Run swarm doctor there" : "")
  }

  private var seedingText: String {
    if missingFiles > 0 { return "gone: \(Quantity.count(missingFiles, "file"))" }
    return status.wantedBytes == 0 ? "seeding" : "seeding \(Quantity.bytes(status.doneBytes))"
  }

  /// The figures, the least important left out where room lacks.
  private func figures(fitting most: Int) -> String {
    let peerText =
      Quantity.count(status.peers, "peer")
      + (status.seeds > 0 && !hasAll ? " (\(Quantity.count(status.seeds, "seed")))" : "")
      + (isPrivate ? ", private" : "")
    let up = "up \(Quantity.bytes(status.uploadRate))/s"
    var parts: [(text: String, rank: Int)]
    if hasAll {
      parts = [
        (seedingText, 0),
        (up, 1),
        ("sent \(Quantity.bytes(status.uploadedBytes))", 3), (peerText, 2),
      ]
    } else {
      parts = [
        ("\(percent) %", 0),
        ("\(Quantity.bytes(status.doneBytes)) of \(Quantity.bytes(status.wantedBytes))", 2),
        ("down \(Quantity.bytes(status.downloadRate))/s", 1), (up, 5), (peerText, 4),
      ]
      if status.wantedBytes == 0 { parts.removeFirst(2) }
      if let secondsLeft {
        parts.append(("\(Quantity.duration(seconds: Double(secondsLeft))) left", 3))
      }
    }
    let spared = status.savedDownloadBytes + status.savedUploadBytes
    if spared > 0 { parts.append(("compression spared \(Quantity.bytes(spared))", 6)) }
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
      ("done", .number(status.doneBytes)),
      ("wanted", status.wantedBytes == 0 ? .null : .number(status.wantedBytes)),
      ("finished", .bool(isFinished)),
      ("downloaded", .number(status.downloadedBytes)),
      ("uploaded", .number(status.uploadedBytes)),
      ("wasted", .number(status.wastedBytes)),
      ("download_saved", .number(status.savedDownloadBytes)),
      ("upload_saved", .number(status.savedUploadBytes)),
      ("compressing_peers", .number(UInt64(status.compressingPeers))),
      ("download_rate", .number(status.downloadRate)),
      ("upload_rate", .number(status.uploadRate)),
      ("peers", .number(UInt64(status.peers))),
      ("seeds", .number(UInt64(status.seeds))),
      ("private_dataset", .bool(isPrivate)),
      ("encrypted_peers", .number(isPrivate ? UInt64(status.peers) : 0)),
      ("connecting", .number(UInt64(status.connecting))),
      ("known_peers", .number(UInt64(status.knownPeers))),
      ("seconds_left", secondsLeft.map { .number($0) } ?? .null),
      ("waiting", .text(orNull: status.waiting.name)),
      ("reads", reads.map { readsJSON($0) } ?? .null),
    ]
  }
}
