import Metainfo
import Swarm
import Wire

/// How a node is doing, for the control API.
public struct NodeView: Sendable {
  /// The program's version.
  public var version: String
  /// Since it was started.
  public var uptimeSeconds: UInt64
  /// Where it listens for peers, "address:port".
  public var listening: [String]
  /// Where block devices are; nil where there are none.
  public var nbdSocket: [UInt8]?
  /// The members `dht`, `local_network` and `mappings` of docs/json.md.
  public var dht: JSON
  /// See `dht`.
  public var localNetwork: JSON
  /// See `dht`.
  public var mappings: JSON
  /// What was done for clients of block devices.
  public var devices: BlockExportFigures
  /// What compression did.
  public var compression: CompressionFigures

  /// A view from its parts.
  public init(
    version: String, uptimeSeconds: UInt64, listening: [String], nbdSocket: [UInt8]? = nil,
    dht: JSON = .null, localNetwork: JSON = .null, mappings: JSON = .null,
    devices: BlockExportFigures = BlockExportFigures(),
    compression: CompressionFigures = CompressionFigures()
  ) {
    self.version = version
    self.uptimeSeconds = uptimeSeconds
    self.listening = listening
    self.nbdSocket = nbdSocket
    self.dht = dht
    self.localNetwork = localNetwork
    self.mappings = mappings
    self.devices = devices
    self.compression = compression
  }
}

/// How a dataset is doing, for the control API.
public struct DatasetView: Sendable {
  /// See `ControlService`.
  public var id: String
  /// nil while it is not known.
  public var name: [UInt8]?
  /// nil for a plain torrent.
  public var key: DatasetKey?
  /// The version that is taken part in; nil for a plain torrent, or while none is known.
  public var version: UInt64?
  /// The newest version known of.
  public var newest: UInt64?
  /// Infohashes of the version that is taken part in.
  public var infohashV2: SHA256Digest?
  /// See `infohashV2`.
  public var infohashV1: SHA1Digest?
  /// Whether it is private: then the link does not open it, and `ControlService.link` gives the one that
  /// does.
  public var isPrivate = false
  /// The link that a person passes on.
  public var magnet: String
  /// Where the content is; nil while that is not known.
  public var path: [UInt8]?
  /// Whether its content was here from the beginning.
  public var isSeed: Bool
  /// Whether only what is read is fetched.
  public var isSparse: Bool
  /// Why it cannot go on; nil where it can.
  public var fault: String?
  /// What is in the version; nil while that is not known.
  public var info: InfoDictionary?
  /// How the version is doing; nil before it is taken part in.
  public var transfer: TorrentStatus?

  /// A dataset of which nothing but its id is known.
  public init(id: String, magnet: String) {
    self.id = id
    self.magnet = magnet
    isSeed = false
    isSparse = false
  }
}

/// A version of a dataset, for the control API.
public struct VersionView: Sendable {
  /// Its number; nil for a torrent that is no version.
  public var number: UInt64?
  /// Its infohash where its metadata is not here.
  public var infohashV2: SHA256Digest?
  /// What is in it; nil where that is not here.
  public var info: InfoDictionary?
  /// What who has the version before must fetch; nil where that is not known.
  public var differingBytes: UInt64?
  /// Whether the node takes part in it now.
  public var isOpen: Bool

  /// A version from its parts.
  public init(
    number: UInt64?, infohashV2: SHA256Digest?, info: InfoDictionary?,
    differingBytes: UInt64? = nil,
    isOpen: Bool
  ) {
    self.number = number
    self.infohashV2 = infohashV2
    self.info = info
    self.differingBytes = differingBytes
    self.isOpen = isOpen
  }
}

/// A connected peer, for the control API: the figures of `PeerStatus`.
public struct PeerView: Hashable, Sendable {
  /// "address:port".
  public var address: String
  /// The program, as it calls itself.
  public var client: String
  /// Whether it connected to us.
  public var isIncoming = false
  /// Whether the connection is encrypted. docs/private.md.
  public var isEncrypted = false
  /// Pieces that it has.
  public var pieces = 0
  /// Bytes a second from it, and to it.
  public var downloadRate: UInt64 = 0
  /// See `downloadRate`.
  public var uploadRate: UInt64 = 0
  /// Whether each side lets the other request, and wants to.
  public var peerChoking = true
  /// See `peerChoking`.
  public var peerInterested = false
  /// See `peerChoking`.
  public var amChoking = true
  /// See `peerChoking`.
  public var amInterested = false
  /// Our requests that it has not answered.
  public var requested = 0
  /// Whether it takes blocks compressed.
  public var compresses = false

  /// A peer that does nothing.
  public init(address: String, client: String) {
    self.address = address
    self.client = client
  }

  /// The figures of a status.
  public init(_ status: PeerStatus) {
    self.init(address: "\(status.endpoint)", client: status.client)
    isIncoming = status.isIncoming
    isEncrypted = status.isEncrypted
    pieces = status.pieces
    downloadRate = status.downloadRate
    uploadRate = status.uploadRate
    peerChoking = status.peerChoking
    peerInterested = status.peerInterested
    amChoking = status.amChoking
    amInterested = status.amInterested
    requested = status.requested
    compresses = status.compresses
  }
}

/// A block device, for the control API.
public struct ExportView: Hashable, Sendable {
  /// The names by which clients ask for it; the first one is its own.
  public var names: [[UInt8]]
  /// The dataset's id, and which version is meant where it is not the newest.
  public var dataset: String
  /// See `dataset`.
  public var version: UInt64?
  /// The file in it.
  public var path: ContentPath
  /// Bytes in it.
  public var size: UInt64
  /// Where clients connect.
  public var socket: [UInt8]

  /// An export from its parts.
  public init(
    names: [[UInt8]], dataset: String, version: UInt64?, path: ContentPath, size: UInt64,
    socket: [UInt8]
  ) {
    self.names = names
    self.dataset = dataset
    self.version = version
    self.path = path
    self.size = size
    self.socket = socket
  }
}
