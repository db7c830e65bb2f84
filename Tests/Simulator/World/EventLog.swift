/// What happened in a run: the last events for people, and a hash of all of them, by which two runs
/// are compared.
struct EventLog {
  /// Kinds of events.
  enum Kind: String {
    case connect, connected, connectionEnded, accepted, refused, lost, sent, received
    case disk, diskFailed, hash, timeout, started, crashed, stopped, removed
    case notice, read, delivered, readEnded, opened, finished, banned, peerGone
    case partition, healed, fault, vice, changed
  }

  private struct Entry {
    let time: Duration
    let kind: Kind
    let who: Int
    let numbers: (Int, Int)
    let text: String
  }

  /// Enough to see how a failure came about.
  static let keptEvents = 60

  private var entries: [Entry] = []
  private var next = 0
  /// How many events there were.
  private(set) var count = 0
  /// A hash of all events so far.
  private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  /// Whether each event is printed as it happens.
  var isPrinted = false

  mutating func note(
    _ kind: Kind, _ who: Int, _ a: Int, _ b: Int, _ text: String, at time: Duration
  ) {
    let (seconds, attoseconds) = time.components
    mix(UInt64(bitPattern: seconds))
    mix(UInt64(bitPattern: attoseconds))
    for byte in kind.rawValue.utf8 { mix(UInt64(byte)) }
    mix(UInt64(bitPattern: Int64(who)))
    mix(UInt64(bitPattern: Int64(a)))
    mix(UInt64(bitPattern: Int64(b)))
    for byte in text.utf8 { mix(UInt64(byte)) }
    count += 1
    let entry = Entry(time: time, kind: kind, who: who, numbers: (a, b), text: text)
    if isPrinted { print(Self.line(entry)) }
    if entries.count < Self.keptEvents {
      entries.append(entry)
    } else {
      entries[next] = entry
      next = (next + 1) % Self.keptEvents
    }
  }

  /// The last events, a line each.
  var lastLines: [String] { (entries[next...] + entries[..<next]).map(Self.line) }

  private static func line(_ entry: Entry) -> String {
    let (seconds, attoseconds) = entry.time.components
    let micros = String(attoseconds / 1_000_000_000_000)
    let fraction = String(repeating: "0", count: 6 - micros.count) + micros
    return "\(seconds).\(fraction) host \(entry.who) \(entry.kind) \(entry.numbers.0) "
      + "\(entry.numbers.1) \(entry.text)"
  }

  private mutating func mix(_ value: UInt64) { hash = (hash ^ value) &* 0x0000_0100_0000_01b3 }
}
