import Metainfo
import Wire

/// How a torrent is doing.
public struct TorrentStatus: Hashable, Sendable {
  /// What it waits for, when it waits.
  public enum Waiting: Hashable, Sendable {
    /// Nothing: it downloads, or seeds.
    case nothing
    /// Block maps are being loaded, or claims examined.
    case checking
    /// What is here cannot be learned: a block map cannot be read.
    case record
    /// No peer is known that could be connected to.
    case peers
    /// Connections are being made.
    case connections
    /// The info dictionary, from the peers that are there.
    case metadata
    /// All peers that have what is missing choke us.
    case choked
    /// No connected peer has what is missing.
    case availability
    /// The disk is full.
    case disk
    /// It is being stopped.
    case stopping

    /// As in docs/json.md; nil where it waits for nothing.
    public var name: String? {
      switch self {
      case .nothing: nil
      case .checking: "checking"
      case .record: "record"
      case .peers: "peers"
      case .connections: "connections"
      case .metadata: "metadata"
      case .choked: "choked"
      case .availability: "availability"
      case .disk: "disk"
      case .stopping: "stopping"
      }
    }
  }

  /// The infohash of the v2 description.
  public var infohashV2: SHA256Digest?
  /// The infohash of the v1 description.
  public var infohashV1: SHA1Digest?
  /// The dataset that it is of; nil for none.
  public var dataset: DatasetKey?
  /// Whether it is a dataset's own swarm, in which only heads travel.
  public var isForHeads = false
  /// Those who alone take part in it; nil where everybody may.
  public var group: PrivateGroup?
  /// nil while the metadata is not here.
  public var name: [UInt8]?
  /// Bytes of content that are wanted: all, or the selection. 0 while the metadata is not here.
  public var wantedBytes: UInt64 = 0
  /// Of those, verified and here.
  public var doneBytes: UInt64 = 0
  /// Whether all that is wanted is here and on disk.
  public var isFinished = false
  /// Whether all there is is here.
  public var isSeed = false
  /// Payload that came in this run, wrong and surplus bytes included.
  public var downloadedBytes: UInt64 = 0
  /// Payload that went out in this run.
  public var uploadedBytes: UInt64 = 0
  /// Payload that came and was wrong, or was there already.
  public var wastedBytes: UInt64 = 0
  /// Of the payload that came, bytes that did not come over the line, since blocks came compressed.
  public var savedDownloadBytes: UInt64 = 0
  /// The same of what went out.
  public var savedUploadBytes: UInt64 = 0
  /// Connected peers with which blocks can travel compressed. docs/compression.md.
  public var compressingPeers = 0
  /// Payload, bytes a second, over the last seconds.
  public var downloadRate: UInt64 = 0
  /// Payload, bytes a second, over the last seconds.
  public var uploadRate: UInt64 = 0
  /// Connections with both handshakes done.
  public var peers = 0
  /// Of those, peers that have everything.
  public var seeds = 0
  /// Connections being made.
  public var connecting = 0
  /// Peers known, connected or not.
  public var knownPeers = 0
  /// Of those, peers that were reached last and ended the connection, or said nothing, before a handshake: they
  /// do not share the torrent.
  public var refusingPeers = 0
  /// Blocks requested and not here.
  public var requestedBlocks = 0
  /// What it waits for.
  public var waiting = Waiting.nothing
  /// Reads that have waited for more than a second, the oldest first; at most 16.
  public var stalledReads: [StalledRead] = []
  /// Whether only what is read is fetched.
  public var isSparse = false

  /// All zero.
  public init() {}

  /// Seconds until all that is wanted is here if it goes on as now; nil when that cannot be said.
  public var secondsLeft: UInt64? {
    if isFinished || wantedBytes == 0 || downloadRate == 0 { return nil }
    let left = wantedBytes - min(doneBytes, wantedBytes)
    let (seconds, rest) = left.quotientAndRemainder(dividingBy: downloadRate)
    return seconds + (rest > 0 ? 1 : 0)
  }
}

/// What compression did in this run, in all torrents, those that were removed among them.
public struct CompressionFigures: Hashable, Sendable {
  /// Bytes of payload that came and did not come over the line.
  public var savedDownloadBytes: UInt64 = 0
  /// The same of what went out.
  public var savedUploadBytes: UInt64 = 0

  /// All zero.
  public init() {}
}

/// How a peer is doing.
public struct PeerStatus: Sendable {
  /// The connection.
  public let id: ConnectionID
  /// Where the peer is.
  public let endpoint: PeerEndpoint
  /// Whether it connected to us.
  public let isIncoming: Bool
  /// Whether all that goes over the connection is sealed: that of private groups. docs/private.md.
  public let isEncrypted: Bool
  /// The program, as it calls itself; else its peer id.
  public let client: String
  /// Pieces that it has, of all; 0 while the metadata is not here.
  public let pieces: Int
  /// Payload from it, bytes a second.
  public let downloadRate: UInt64
  /// Payload to it, bytes a second.
  public let uploadRate: UInt64
  /// It lets us request.
  public let peerChoking: Bool
  /// It wants something that we have.
  public let peerInterested: Bool
  /// We let it request.
  public let amChoking: Bool
  /// We want something that it has.
  public let amInterested: Bool
  /// Our requests that it has not answered.
  public let requested: Int
  /// Whether it takes blocks compressed. docs/compression.md.
  public let compresses: Bool
}
