/// From where on `swarm doctor` warns.
enum DoctorLimits {
  /// Seconds for others to answer: a lookup in the DHT is over in 2 s, a router that answers at all does
  /// within 8 (NAT-PMP doubles its waits).
  static let patience = 10
  /// Seconds that the local network gets in any case: multicast DNS probes for one.
  static let leastSeconds = 2
  /// Nodes of the DHT below which heads are kept by too few.
  static let fewNodes: UInt64 = 8
  /// Bytes free below which a version of any size will not fit.
  static let littleSpace: UInt64 = 1 << 30
  /// Bytes free below which not even block maps will be kept.
  static let noSpace: UInt64 = 64 << 20
  /// Descriptors: 80 peers, the DHT and the files of one dataset.
  static let fewDescriptors: UInt64 = 1_024
  /// Descriptors without which a node does not do.
  static let noDescriptors: UInt64 = 128
  /// Bytes of memory: what a node has under load, twice.
  static let littleMemory: UInt64 = 256 << 20
  /// 2026-01-01: a clock that says less was never set.
  static let earliestTime: Int64 = 1_767_225_600
  /// Seconds by which what was written may be ahead of the clock: file systems of other machines.
  static let clockSlack: Int64 = 60
}
