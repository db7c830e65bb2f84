import Swarm
import SwarmNode

/// Reads of block devices that wait for too long.
extension TransferFigures {
  /// "a read has waited for 4 s: no peer is connected"; nil when none waits for long.
  var stallText: String? {
    guard let oldest = stalledReads.first else { return nil }
    let age = "\(max(oldest.age.components.seconds, 1)) s: \(oldest.reason.text)"
    return stalledReads.count == 1
      ? "a read has waited for \(age)"
      : "\(stalledReads.count) reads wait, the first for \(age)"
  }

  /// What is waited for, whatever time has passed: a line is worth a new one when it changes.
  var waitingState: String? { stalledReads.first?.reason.text ?? torrentWaitingText }

  /// The value of "reads" (docs/json.md). Times in milliseconds.
  func readsJSON(_ reads: BlockExportFigures) -> JSON {
    .object(
      reads.json + [
        (
          "stalled",
          .list(
            stalledReads.map { read in
              .object([
                ("offset", .number(read.bytes.lowerBound)),
                ("length", .number(UInt64(read.bytes.count))),
                ("waited", .number(milliseconds(read.age))),
                ("left", .number(milliseconds(read.timeLeft))),
                ("reason", .text(read.reason.text)),
              ])
            })
        )
      ])
  }

  private func milliseconds(_ duration: Duration) -> UInt64 {
    UInt64(max(BootReport.seconds(duration), 0) * 1000)
  }
}

extension StalledRead.Reason {
  /// For people and programs.
  var text: String {
    switch self {
    case .checking: "what is here is being checked"
    case .metadata: "no peer has told what the torrent is"
    case .peers: "no peer is connected"
    case .availability: "no connected peer has it"
    case .choked: "no peer that has it lets us fetch it"
    case .answer(0): "it is about to be asked for"
    case .answer(1): "the peer that was asked has not answered"
    case .answer(let peers): "the \(peers) peers that were asked have not answered"
    case .hashes: "what proves it has not come"
    case .disk: "the disk has no room, or does not answer"
    case .turn: "others are read first"
    }
  }
}
