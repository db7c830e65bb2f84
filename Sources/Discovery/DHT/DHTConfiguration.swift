import Metainfo
import Wire

/// What a node of the DHT is told before it starts.
public struct DHTConfiguration: Sendable {
  /// Networks that it takes part in; each has a table of its own. BEP 32.
  public var families: NodeFamilies = [.v4, .v6]
  /// Answers nothing and asks others not to keep it: for machines that cannot be reached. BEP 43.
  public var isReadOnly = false
  /// Tells anyone who asks which infohashes it keeps peers of. BEP 51. Off, because it discloses.
  public var answersSampling = false
  /// Keeps and stores on only such nodes whose id fits their address, local networks excepted.
  /// BEP 42. Off where a private network has public addresses.
  public var enforcesNodeIDs = true
  /// Takes an id that fits our own address, as soon as others have told it. BEP 42.
  public var adaptsNodeID = true
  /// Keeps few nodes of the same /24 or /64, so that nobody with one network fills the table.
  /// Addresses of local networks are not counted.
  public var limitsNetworks = true
  /// Nodes to begin with. They are asked whenever no other node is known.
  public var bootstrapNodes: [PeerEndpoint] = []
  /// Our addresses, where they are known beforehand: the first of each family.
  public var knownAddresses: [IPAddress] = []
  /// The name of our program in messages: two letters and two bytes. BEP 20.
  public var version: [UInt8] = Array("SW".utf8) + [0, 1]
  /// Random bytes, 16 are enough, from which transaction ids and tokens follow together with the seed.
  /// Without them nobody is kept from guessing: for tests only.
  public var secret: [UInt8] = []
  /// Bounds on what is kept for others.
  public var storage = Storage()
  /// Queries a second from one address that are answered; ten times as many at once.
  public var queriesPerSource = 20
  /// Bytes a second in answers to all together; as much again at once.
  public var answerBytesPerSecond = 256 << 10

  /// Bounds on what is kept for others, each with its reason.
  public struct Storage: Sendable {
    /// Torrents with peers.
    public var torrents = 2_000
    /// Peers of one torrent. An answer has some tens of them. BEP 33 asks for less than 6,000.
    public var peersOfTorrent = 500
    /// Peers in all: 40 bytes each.
    public var peers = 20_000
    /// Values: up to 1.2 kB each. libtorrent keeps 700.
    public var items = 1_000
    /// Entries that come from one address, of peers and of values: with the dataset of a large
    /// seedbox in mind.
    public var entriesOfSource = 1_000

    /// The usual bounds.
    public init() {}
  }

  /// The usual configuration: both families, with nobody to begin with.
  public init() {}
}
