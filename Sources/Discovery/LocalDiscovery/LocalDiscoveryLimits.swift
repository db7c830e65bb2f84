/// Bounds and times of local service discovery, each with its reason. BEP 14.
public enum LocalDiscoveryLimits {
  /// Port of both groups.
  public static let port: UInt16 = 6_771
  /// Bytes of an announcement that we send: BEP 14 wants no fragments.
  static let sentBytes = 1_400
  /// Bytes of an announcement that we read: one Ethernet frame, and room for odd heads.
  static let readBytes = 2_048
  /// Infohashes taken from one announcement: more than 1,400 bytes hold.
  static let infohashes = 32
  /// Bytes of a cookie; libtorrent's has 8.
  static let cookieBytes = 64
  /// Time between two announcements of a torrent, and least time between any two on a link.
  static let interval = Duration.seconds(300)
  static let leastInterval = Duration.seconds(60)
  /// Wait before what is new is announced, in milliseconds: torrents that are added together go together,
  /// and machines that start together do not speak together.
  static let delay = 100...400
}
