import Metainfo
import Store
import Wire

/// One torrent that the node takes part in. Belongs to one `Swarm`.
final class Torrent {
  /// How far it is.
  enum Phase {
    /// The info dictionary is being fetched.
    case fetching
    /// The block maps are being loaded.
    case opening
    /// Blocks come and go.
    case running
    /// There is no content and never will be: heads of a dataset travel.
    case meeting
    /// It is being brought to rest.
    case closing
    /// What its metadata says cannot be used.
    case unusable
  }

  /// Who was asked for the hashes of a piece.
  struct HashAsking {
    /// nil when nobody is asked now.
    var peer: ConnectionID?
    var since: Duration
    /// Peers that do not have them.
    var refused: [ConnectionID] = []
    /// Peers that were asked once more, after they had refused and then sent a block of the piece.
    var askedTwice: [ConnectionID] = []
  }

  /// A piece that was wrong and came from several: it is asked of one alone.
  struct Alone {
    let piece: PieceIndex
    /// nil until somebody is asked.
    var peer: ConnectionID?
  }

  /// What is known once the metadata is here.
  final class Data {
    let info: InfoDictionary
    /// Those that somebody keeps.
    var keptLayers: PieceLayers
    let content: Content
    var picker: PiecePicker
    var have: PieceSet
    /// Hashes that were asked for and are not here, by piece.
    var hashAskings: [PieceIndex: HashAsking] = [:]
    /// Pieces whose hashes are wanted and that nobody is asked for now, in turn.
    var hashWanted: [PieceIndex] = []
    /// Files whose piece layers are wanted, whatever else is.
    var layersWanted: [FileIndex] = []
    /// The piece for whose sake hashes were asked for.
    var hashOwners: [HashRequest: PieceIndex] = [:]
    /// The piece that blocks were asked of last, whose hashes are known or asked for.
    var lastHashPiece: PieceIndex?
    /// As a seed: pieces that nobody has and nobody is advised to request, in random order, from the
    /// end; nil before the first advice.
    var unsuggested: [PieceIndex]?
    /// Pieces that are asked of one peer only.
    var alone: [Alone] = []
    /// Bytes of wanted pieces, and of those what is verified.
    var wantedBytes: UInt64 = 0
    var doneBytes: UInt64 = 0
    var isFinished = false
    /// Readers of blocks that must come from peers first.
    var awaiting: [BlockIndex: [ReadID]] = [:]
    /// Of those blocks, when those that were asked are late.
    var urgentDue: [BlockIndex: Duration] = [:]
    /// What is fetched ahead of readers, and what is prefetched behind that.
    var streams = ReadStreams()
    var ahead = AheadQueue()
    var prefetch = AheadQueue()
    /// When somebody last read.
    var lastRead: Duration?
    /// Blocks that readers read, and when.
    var readLately = RecentBlocks()
    /// Requests of peers for blocks that are on their way to us, in the order of their coming.
    var parked: [BlockIndex: [ParkedRequest]] = [:]
    var parkedRequests = 0
    /// Blocks that are fetched because a peer asked for them.
    var relayed: Set<BlockIndex> = []
    /// Pieces of which the rest is fetched behind reads, by their first blocks, since when.
    var completing = RecentBlocks()
    /// Blocks that were asked of somebody who had not their piece: others are told when they are here.
    var passedOn: Set<BlockIndex> = []
    /// Verified blocks on their way to disk, and their buffers.
    var inMemory = InMemoryBlocks()
    /// Whether blocks are kept that nobody wants any more when they come.
    var keepsAll: Bool
    /// Whether nobody wants the whole.
    let isSparse: Bool

    init(
      info: InfoDictionary, layers: PieceLayers, content: Content, picker: PiecePicker,
      isSparse: Bool
    ) {
      self.info = info
      self.isSparse = isSparse
      keepsAll = isSparse
      keptLayers = layers
      self.content = content
      self.picker = picker
      have = PieceSet(pieceCount: content.geometry.pieces.count)
    }

    var geometry: PieceGeometry { content.geometry }
    /// Whether no block of a peer is of use, all being here, or what is missing cannot be written; and
    /// no hash is.
    var wantsNothing: Bool { (isFinished || !content.takesBlocks) && layersWanted.isEmpty }
    /// Whether the block is of use when it comes.
    func wants(_ block: BlockIndex) -> Bool {
      picker.isWanted(block) || keepsAll && picker.isMissing(block)
    }
    /// Whether pieces that nobody wants as such may be read, or fetched ahead of reads.
    var mayReadAny: Bool { isSparse || !ahead.isEmpty || !prefetch.isEmpty }
    /// Whether all that is to be here is: of a sparse torrent all there is.
    var isComplete: Bool { isSparse ? have.isFull : picker.isFinished }
  }

  let id: TorrentID
  let request: TorrentRequest
  var phase: Phase
  var v1: SHA1Digest?
  var v2: SHA256Digest?
  /// Of a dataset's own swarm: where its followers meet.
  let meetingPlace: SHA1Digest?
  /// The dataset that it is of.
  let dataset: DatasetKey?
  /// Those who alone take part in it; nil where everybody may.
  let group: PrivateGroup?
  var data: Data?
  var metadata: MetadataFetch?
  var peers: [Peer] = []
  /// Connections that are being made.
  var connecting = 0
  var known = PeerList()
  var choker = Choker()
  var nextChoke = Duration.zero
  var downloadBucket: TokenBucket
  var uploadBucket: TokenBucket
  var download = RateMeter()
  var upload = RateMeter()
  var wastedBytes: UInt64 = 0
  /// Bytes that compression spared the line, there and here.
  var savedUploadBytes: UInt64 = 0
  var savedDownloadBytes: UInt64 = 0
  /// Jobs that compress or decompress blocks of it, and frames of it that wait.
  var frameJobs = 0
  /// Whether its content is at rest for ever.
  var isClosed = false
  var isDiskFull = false
  /// Payload handles that its content holds.
  var heldBlocks = 0
  /// When a block last came.
  var lastBlock = Duration.zero
  /// When a block was last asked of peers because somebody waits for it.
  var lastDemand: Duration?
  /// What is fetched for the sake of reads.
  var reading: ReadingPolicy
  /// When hashes that nobody had were last asked for.
  var hashesWantedSince = Duration.zero
  /// Where to go on giving peers their turn.
  var uploadTurn = 0
  /// Whether it is in the list of torrents to be looked at before the event ends.
  var isDirty = false
  /// Whether it is to be seen whom to connect to.
  var looksForPeers = true
  /// When there is somebody to connect to again.
  var connectDeadline: Duration?
  /// When somebody may be late at the end.
  var endDeadline: Duration?
  /// When it wants to be looked at; nil for never.
  var deadline: Duration?

  init(id: TorrentID, request: TorrentRequest, phase: Phase) {
    self.id = id
    self.request = request
    self.phase = phase
    group = request.readKey.map { PrivateGroup(discoveryID: PrivateKeys($0).discoveryID) }
    reading = request.reading
    if case .dataset(let key, let salt) = request.source {
      meetingPlace = MutableItem.target(of: key, salt: salt)
      dataset = key
    } else {
      meetingPlace = nil
      dataset = request.dataset
    }
    downloadBucket = TokenBucket(rate: request.downloadLimit)
    uploadBucket = TokenBucket(rate: request.uploadLimit)
  }

  var isRunning: Bool { if case .running = phase { true } else { false } }
  var isPrivate: Bool { data?.info.isPrivate ?? false }
  /// Whether its peers are told of our node of the DHT, and theirs are taken. BEP 5.
  var usesDHT: Bool { group == nil && !isPrivate }

  /// Whether only heads travel.
  var isForHeads: Bool { meetingPlace != nil }

  /// The names by which peers ask for it: 20 bytes each.
  var infohashes: [SHA1Digest] { [v1, v2?.truncated, meetingPlace].compactMap { $0 } }
}
