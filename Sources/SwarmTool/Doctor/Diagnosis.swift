import Wire

/// What `swarm doctor` found out about one thing.
struct Diagnosis: Hashable {
  /// What is looked at, in this order.
  enum Check: String, CaseIterable {
    /// Whether peers can connect to this machine at all.
    case ports
    /// Whether they can from behind a router.
    case mapping
    /// Whether others are found anywhere.
    case dht
    /// Whether others are found in the same room.
    case localNetwork = "local_network"
    /// Whether the times of versions will be right.
    case clock
    /// Whether there is room, and whether it can be written to.
    case disk
    /// What the system lets one program have.
    case limits
    /// Whether the peers that were named can be reached; only where some were.
    case peers
  }

  /// How it is.
  enum Verdict: String {
    /// As it should be.
    case fine
    /// It works, and could be better.
    case warning
    /// It does not work.
    case fault
    /// It was not looked at.
    case skipped
  }

  let check: Check
  let verdict: Verdict
  /// What is, in a few words.
  let text: String
  /// What to do; nil where there is nothing.
  var advice: String?

  init(_ check: Check, _ verdict: Verdict, _ text: String, advice: String? = nil) {
    (self.check, self.verdict, self.text, self.advice) = (check, verdict, text, advice)
  }

  /// What people see: a line, and below it what to do.
  var lines: String { lines(width: nil, Paint(isOn: false)) }

  /// The same for a terminal of so many columns; nil where there is none.
  func lines(width: Int?, _ paint: Paint) -> String {
    let mark =
      switch verdict {
      case .fine: paint("ok     ", .fine)
      case .warning: paint("warning", .warning)
      case .fault: paint("FAULT  ", .fault)
      case .skipped: "-      "
      }
    // Behind the mark, which is as wide as the space before what to do.
    let indent = 9
    func wrapped(_ text: String) -> String {
      guard let width, width > Wrapping.leastWidth + indent else { return text }
      let gap = "\n" + String(repeating: " ", count: indent)
      return Wrapping.lines(text, width: width - indent).joined(separator: gap)
    }
    let name =
      switch check {
      case .dht: "DHT"
      case .localNetwork: "local network"
      default: check.rawValue
      }
    return "\(mark)  " + wrapped("\(name): \(text)")
      + (advice.map { "\n         " + wrapped($0) } ?? "")
  }

  /// As programs read it (docs/json.md).
  var json: JSON {
    .object([
      ("check", .text(check.rawValue)), ("verdict", .text(verdict.rawValue)),
      ("text", .text(text)), ("advice", .text(orNull: advice)),
    ])
  }
}
