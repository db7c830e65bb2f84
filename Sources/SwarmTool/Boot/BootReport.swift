import SwarmNode

/// What a boot has cost.
struct BootReport: Hashable {
  /// The image's path in the dataset, and its bytes.
  var image = ""
  var size: UInt64 = 0
  /// Of these, verified and here.
  var here: UInt64 = 0
  /// Bytes of content that came in this run, the kernel's among them.
  var downloaded: UInt64 = 0
  /// Of these, what was wrong or superfluous.
  var wasted: UInt64 = 0
  /// What the block device did.
  var reads = BlockExportFigures()
  /// How long the machine ran, in seconds.
  var seconds: Double = 0
  /// Seconds from the program's start until the machine was started.
  var startSeconds: Double = 0

  /// Per cent of the image that are here.
  var share: Double { size == 0 ? 0 : Double(here) / Double(size) * 100 }

  /// For people, a line each.
  var lines: [String] {
    var first = "fetched \(Quantity.bytes(downloaded))"
    if let time = reads.firstRead {
      first =
        "started after \(Self.text(startSeconds)), the first read answered after "
        + "\(Self.text(Self.seconds(time))); \(first)"
    }
    let second =
      "\(Self.tenths(share)) % of \(image) (\(Quantity.bytes(size))) are here; "
      + "\(Quantity.count(reads.reads, "read")) of \(Quantity.bytes(reads.bytes))"
    return [first, second, stalls]
  }

  private var stalls: String {
    var text =
      reads.stalls == 0
      ? "no read waited for more than a second"
      : "\(Quantity.count(reads.stalls, "read")) waited for more than a second"
    if reads.longestWait > .zero {
      text += ", the longest for \(Self.text(Self.seconds(reads.longestWait)))"
    }
    return reads.failures == 0 ? text : text + "; \(reads.failures) failed"
  }

  /// Members of the event (docs/json.md). Times in milliseconds.
  var json: [(String, JSON)] {
    [
      ("image", .text(image)), ("size", .number(size)), ("here", .number(here)),
      ("downloaded", .number(downloaded)), ("wasted", .number(wasted)),
      ("started_after", .number(Self.milliseconds(startSeconds))),
      ("first_read_after", .number(orNull: reads.firstRead.map { Self.milliseconds($0) })),
      ("ran", .number(Self.milliseconds(seconds))),
    ] + reads.json
  }

  static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }

  private static func milliseconds(_ seconds: Double) -> UInt64 { UInt64(max(seconds, 0) * 1000) }
  private static func milliseconds(_ duration: Duration) -> UInt64 {
    milliseconds(seconds(duration))
  }

  private static func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

  /// "0.4 s", "12 s", "2:05".
  private static func text(_ seconds: Double) -> String {
    if seconds < 10 { return "\((seconds * 100).rounded() / 100) s" }
    return seconds < 60
      ? "\(Int(seconds.rounded())) s" : Quantity.duration(seconds: seconds)
  }
}

extension BlockExportFigures {
  /// Members of an event (docs/json.md). Times in milliseconds.
  var json: [(String, JSON)] {
    [
      ("reads", .number(UInt64(reads))), ("bytes_read", .number(bytes)),
      ("reads_failed", .number(UInt64(failures))), ("reads_waiting", .number(UInt64(waiting))),
      ("stalls", .number(UInt64(stalls))),
      ("longest_wait", .number(UInt64(max(BootReport.seconds(longestWait), 0) * 1000))),
    ]
  }
}
