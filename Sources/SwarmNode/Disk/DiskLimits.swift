/// Bounds on the disk driver's resources, each with its reason.
enum DiskLimits {
  /// Files of one version held open: most of the usual 1,024 descriptors are for connections.
  static let openFiles = 64
}
