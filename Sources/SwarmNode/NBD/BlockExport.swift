import Swarm
import Wire

/// A file of a torrent, offered as a block device.
public struct BlockExport {
  /// The names by which it is asked for; the first one is listed.
  public var names: [[UInt8]]
  /// What people are told of it.
  public var description: String
  /// The torrent.
  public var torrent: TorrentID
  /// The file, by its place in the torrent.
  public var file: Int
  /// Bytes in the file.
  public var size: UInt64
  /// After this long a read ends with an error.
  public var readTimeout: Duration
  /// Where what clients read is recorded; nil for nowhere.
  public var recordings: RecordedTraces?
  /// The boot trace by which is fetched when the first client comes: its place in the torrent, and its
  /// bytes, at most `TraceLimits.bytes`; nil for none.
  public var trace: (place: Int, length: UInt64)?

  /// An export from its parts.
  public init(
    names: [[UInt8]], description: String = "", torrent: TorrentID, file: Int, size: UInt64,
    readTimeout: Duration? = nil
  ) {
    self.names = names
    self.description = description
    self.torrent = torrent
    self.file = file
    self.size = size
    self.readTimeout = readTimeout ?? NBDServerLimits.readTimeout
  }
}

/// What was done for clients so far.
public struct BlockExportFigures: Hashable, Sendable {
  /// Reads that were answered with all their bytes.
  public var reads = 0
  /// Bytes of these.
  public var bytes: UInt64 = 0
  /// Of these reads, those that found all of it here and in memory.
  public var readsAtOnce = 0
  /// Reads that ended with an error.
  public var failures = 0
  /// Reads that wait now.
  public var waiting = 0
  /// Reads that waited for more than a second, and ended.
  public var stalls = 0
  /// The longest that a read has waited, of those that ended.
  public var longestWait = Duration.zero
  /// When the first read was answered, from the start of the node; nil before that.
  public var firstRead: Duration?
  /// Clients that are connected now.
  public var clients = 0

  /// Nothing so far.
  public init() {}

  /// A read has ended that waited since then.
  mutating func ended(_ since: Duration, now: Duration) {
    let wait = now - since
    if wait > NBDServerLimits.stall { stalls += 1 }
    longestWait = max(longestWait, wait)
  }
}
