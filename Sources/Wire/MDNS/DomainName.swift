import Metainfo

/// A name of the DNS: labels of 1 to 63 bytes, 255 bytes in all on the wire. Two names are equal when
/// they differ in the case of ASCII letters only (RFC 6762, 16). Labels may hold any bytes.
public struct DomainName: Sendable {
  /// The name as it stands on the wire without compression: each label behind its length, and the
  /// zero of the root. RFC 1035, 3.1.
  public let wire: [UInt8]
  /// Of the bytes with their letters in lower case: names are compared often, and seldom equal.
  private let key: UInt64

  /// The name of the root.
  public static let root = DomainName(checked: [0])

  /// A name from its labels, the most special one first; nil when a label is empty or a bound is
  /// exceeded.
  public init?(labels: some Sequence<some Collection<UInt8>>) {
    var wire: [UInt8] = []
    for label in labels {
      guard (1...DNSLimits.labelBytes).contains(label.count) else { return nil }
      wire.append(UInt8(label.count))
      wire.append(contentsOf: label)
    }
    wire.append(0)
    guard wire.count <= DNSLimits.nameBytes else { return nil }
    self.init(checked: wire)
  }

  /// A name in dots, such as `_bittorrent._tcp.local`, for names that our code states; nil as above.
  public init?(_ dotted: StaticString) {
    self.init(labels: "\(dotted)".utf8.split(separator: UInt8(ascii: ".")))
  }

  /// - Precondition: as `wire` says.
  init(checked wire: [UInt8]) {
    self.wire = wire
    // FNV-1a.
    key = wire.reduce(0xcbf2_9ce4_8422_2325) { key, byte in
      (key ^ UInt64(Self.folded(byte))) &* 0x100_0000_01b3
    }
  }

  /// The labels, the most special one first.
  public var labels: [ArraySlice<UInt8>] {
    var labels: [ArraySlice<UInt8>] = []
    var at = 0
    while wire[at] != 0 {
      let end = at + 1 + Int(wire[at])
      labels.append(wire[(at + 1)..<end])
      at = end
    }
    return labels
  }

  /// The first label; nil for the root.
  public var firstLabel: ArraySlice<UInt8>? {
    wire[0] == 0 ? nil : wire[1..<(1 + Int(wire[0]))]
  }

  /// The name without its first label; nil for the root.
  public var parent: DomainName? {
    wire[0] == 0 ? nil : DomainName(checked: Array(wire[(1 + Int(wire[0]))...]))
  }

  /// This name below another, with one more label in front; nil when a bound is exceeded.
  public func child(_ label: some Collection<UInt8>) -> DomainName? {
    guard (1...DNSLimits.labelBytes).contains(label.count),
      wire.count + 1 + label.count <= DNSLimits.nameBytes
    else { return nil }
    return DomainName(checked: [UInt8(label.count)] + label + wire)
  }
}

extension DomainName: Hashable {
  /// Whether both are the same to a DNS: by bytes, but for the case of ASCII letters.
  public static func == (a: DomainName, b: DomainName) -> Bool {
    a.key == b.key && a.wire.count == b.wire.count
      && zip(a.wire, b.wire).allSatisfy { folded($0) == folded($1) }
  }

  /// The same for names that are equal.
  public func hash(into hasher: inout Hasher) { hasher.combine(key) }

  /// Lengths of labels are below all letters, so they stay.
  private static func folded(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}

extension DomainName: CustomStringConvertible {
  /// The labels with a dot behind each, fit for a terminal. A dot in a label is `\.`.
  public var description: String {
    if wire == [0] { return "." }
    return labels.map { label in
      printable(label).split(separator: ".", omittingEmptySubsequences: false)
        .joined(separator: "\\.") + "."
    }.joined()
  }
}
