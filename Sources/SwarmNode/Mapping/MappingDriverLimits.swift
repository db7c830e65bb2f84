/// Bounds on what a router or a stranger on the link can cost, each with its reason.
enum MappingDriverLimits {
  /// Bytes that a router may send on one connection before it is cut: descriptions have 3 to 30 KB.
  static let httpBytes: UInt64 = 256 << 10
  /// Milliseconds between looks at those connections: on a fast link some megabytes come meanwhile.
  static let guardInterval: UInt64 = 50
  /// Time that one job of UPnP may take before its connections are cut, in nanoseconds. It has up to
  /// four exchanges, of which each takes milliseconds.
  static let upnpTime: UInt64 = 12_000_000_000
  /// Time in which a router may answer a search, in milliseconds: twice what it is asked for (MX).
  static let searchMilliseconds: Int64 = 2_000
  /// Answers to one search that are looked at: others on the link answer too, or flood.
  static let searchAnswers = 200
  /// Time in which NAT-PMP may answer, in milliseconds: four sendings at 0, 250, 750, 1750.
  static let natPMPMilliseconds: Int64 = 3_500
  /// Datagrams read from one socket before others have their turn.
  static let datagramsInARow = 16
  /// Bytes of the system's table of routes that are read: a host has a few lines.
  static let routeTableBytes = 1 << 20
  /// Longest wait of the timer, in milliseconds; it only wakes up in vain then.
  static let longestWait: UInt64 = 3_600_000
}
