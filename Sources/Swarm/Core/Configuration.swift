import Metainfo
import Store
import Wire

/// How the node is to behave: what the user may choose. Rates are bytes of payload a second, nil for no
/// limit.
public struct SwarmConfiguration: Sendable {
  /// The name of this run of the node on the wire. BEP 20.
  public var peerID: PeerID
  /// Program and version, as peers are told it. BEP 10, "v".
  public var client = "swarm"
  /// TCP port at which the node listens; nil when it does not.
  public var listenPort: UInt16?
  /// UDP port of the node of the DHT that goes with this node; nil where there is none. BEP 5.
  public var dhtPort: UInt16?
  /// Bound on payload from all peers.
  public var downloadLimit: UInt64?
  /// Bound on payload to all peers.
  public var uploadLimit: UInt64?
  /// Connections at once, half-open ones included.
  public var connections = 200
  /// Connections of one torrent at once.
  public var connectionsPerTorrent = 80
  /// Connections at once over which only heads of one dataset travel.
  public var connectionsPerDataset = 20
  /// Peers unchoked at once in a torrent, besides the optimistic one.
  public var uploadSlots = 16
  /// Buffers of 16 KiB for payload: reads, partial blocks.
  public var poolBuffers = 1024
  /// Bytes of payload in memory at once on their way to disk; beyond it no more is requested.
  public var payloadBytes = 32 << 20
  /// Whether peers may be told of each other. BEP 11.
  public var usesPeerExchange = true

  /// The defaults.
  public init(peerID: PeerID) { self.peerID = peerID }
}

/// A torrent to take part in.
public struct TorrentRequest: Sendable {
  /// What is known of it.
  public enum Source: Sendable {
    /// Infohashes alone: at least one. The rest comes from peers. BEP 9.
    case infohash(v1: SHA1Digest?, v2: SHA256Digest?)
    /// All of it.
    case torrent(InfoDictionary, PieceLayers)
    /// The swarm in which those meet who follow a dataset and may know nothing but its key: its
    /// infohash is where the head is kept in the DHT (BEP 44). It never has content or metadata:
    /// peers tell each other heads, and of further peers.
    case dataset(DatasetKey, salt: [UInt8] = [])
  }

  /// Where the content is, and what of it is here.
  public enum Content: Sendable {
    /// In a folder of ours: written as it comes, and what the block maps say is here.
    case owned
    /// In the user's folder, never written to: what the block maps say is here, and all else is a
    /// claim if `claimsAll`.
    case inPlace(claimsAll: Bool)
    /// In the user's folder, never written to, and hashed before: all of it was right. Leaf hashes of
    /// all files in order, if they were kept; else none. What the files looked like then, in order
    /// (nil: not known), else none: one that looks different now is examined.
    case proven(leaves: [SHA256Digest], evidence: [FileEvidence?] = [])

  }

  /// What is known of it.
  public var source: Source
  /// Where the content is.
  public var content: Content
  /// Peers to connect to, which the user named.
  public var peers: [PeerEndpoint] = []
  /// The dataset of which this is a version, or the meeting place: while it is followed
  /// (`Swarm.follow`), its heads are exchanged with the torrent's peers. nil for none.
  public var dataset: DatasetKey?
  /// Whether others are told that we have it, and looked for: else only those find it here who are
  /// connected already, for its dataset, or were told by name. Not for the core, but for who drives it.
  public var isAnnounced = true
  /// The read key of the private dataset that it belongs to; nil for what is public. Its connections are
  /// then made and taken by `group` alone, and it is looked for by that. docs/private.md. The key itself is
  /// not for the core, but for who drives it.
  public var readKey: ReadKey?
  /// The files that are wanted, by their place in the torrent; nil for all, or none if sparse.
  public var wanted: (@Sendable (Int, FileEntry) -> Bool)?
  /// What is fetched for the sake of reads.
  public var reading = ReadingPolicy()
  /// Bound on payload from all peers of this torrent, bytes a second.
  public var downloadLimit: UInt64?
  /// Bound on payload to all peers of this torrent, bytes a second.
  public var uploadLimit: UInt64?

  /// A torrent from its source and content.
  public init(source: Source, content: Content) {
    self.source = source
    self.content = content
  }

  /// The swarm of a dataset, in which heads travel.
  public init(meeting key: DatasetKey, salt: [UInt8] = []) {
    self.init(source: .dataset(key, salt: salt), content: .owned)
  }
}
