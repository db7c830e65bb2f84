/// Bounds on the disk driver's resources, each with its reason.
enum DiskLimits {
  /// Files of one version held open: most of the usual 1,024 descriptors are for connections.
  static let openFiles = 64
  /// Tries to read a file in place that is being written to.
  static let unsettledReads = 4
  /// Between them, microseconds: more than one tick of the system's clock.
  static let unsettledPause: UInt32 = 12_000
  /// Nanoseconds: a file stamped within so long after a read began may be changed again without a
  /// trace. Far more than a tick, for the clocks of file servers.
  static let unsettledTime: Int64 = 1_000_000_000
}
