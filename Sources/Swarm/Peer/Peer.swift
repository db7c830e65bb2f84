import Metainfo
import Store
import Wire

/// One connection to a peer, from the attempt to its end. Belongs to one `Swarm`.
final class Peer {
  /// How far the connection is.
  enum Phase {
    /// We wait for TCP.
    case connecting
    /// TCP is there; the peer's handshake is not, or not all of it.
    case handshaking
    /// The peer's handshake is here, and waits until the torrent's content is open.
    case parked
    /// Messages go both ways.
    case active
    /// It is over; only here until whoever walks over peers is done.
    case closed
  }

  /// What is done with the data of the block that is coming.
  enum Gathering {
    /// No block is coming.
    case nothing
    /// It is dropped.
    case skipping
    /// It is wanted, and lies in the chunk that is being read.
    case inChunk(BlockIndex)
    /// It is wanted, and its first bytes lie in a buffer of the pool.
    case inPool(BlockIndex, BufferHandle, filled: Int)
  }

  /// A block that we asked for.
  struct Request {
    let block: BlockIndex
    let since: Duration
    /// Whether somebody waits for it.
    var isUrgent = false
    /// Whether the peer must get it from others first, for all that we know.
    var isRelayed = false
    /// How long that may take.
    var patience = Duration.zero
  }

  /// A block that the peer asked for.
  struct Upload {
    let request: BlockRequest
    /// nil where all that was asked for is padding.
    let block: BlockIndex?
  }

  let id: ConnectionID
  let endpoint: PeerEndpoint
  let isIncoming: Bool
  /// What it has proven to belong to, or was connected to for; nil for the public.
  let group: PrivateGroup?
  /// Where the peer can be connected to: `endpoint`, or with the port that it told.
  var listening: PeerEndpoint?
  var phase: Phase
  /// When the phase began.
  var since: Duration
  var torrent: Torrent?

  // MARK: Handshake and extensions

  var reader = HandshakeReader()
  /// Bytes behind the handshake, while it is parked.
  var early: [UInt8] = []
  var hasSentHandshake = false
  var framer = PeerFramer()
  var features: PeerFeatures = []
  var peerID: PeerID? { didSet { crowdKey = peerID?.crowdKey ?? 0 } }
  /// Whether both sides speak of the v2 description: hashes can be asked for.
  var isV2 = false
  var metadataID: UInt8 = 0
  /// Our handshake said that we take the info dictionary unasked.
  var isOfferedMetadata = false
  /// It was sent the info dictionary unasked, and has not asked for it since.
  var hasPushedMetadata = false
  var exchangeID: UInt8 = 0
  var dontHaveID: UInt8 = 0
  var uploadOnlyID: UInt8 = 0
  /// By which number it takes heads; 0 for not at all.
  var headID: UInt8 = 0
  var hasExtensionHandshake = false
  /// Whether it has told where its node of the DHT is.
  var hasToldNode = false
  var client: [UInt8]?
  var requestQueue = SwarmLimits.silentPipeline
  var isUploadOnly = false
  var ledger = PeerExchangeLedger()

  // MARK: Heads

  /// The newest version of which it is known to have the head, because it or we told; 0 for none.
  var knownHead: Int64 = 0
  /// The number of the last head it sent that is another than ours of that number; nil for none.
  var otherHead: Int64?
  /// When we last told it one.
  var headTold: Duration?
  /// A head of it that came too soon behind others.
  var lateHead: HeadMessage?
  /// Whether it is to be told a head as soon as it may.
  var owesHead = false
  var headsTaken = TokenBucket(rate: 1, burst: SwarmLimits.headBurst)
  /// How many blocks more it may tell of now.
  var readsTaken = TokenBucket(rate: ReadLimits.toldRate, burst: ReadLimits.toldAtOnce)
  var headsGiven = TokenBucket(rate: 1, burst: SwarmLimits.headsGivenBurst)

  // MARK: Reads of others

  /// By which number it takes what we read; 0 for not at all.
  var readsID: UInt8 = 0
  /// Blocks that it gives us, whatever pieces it has.
  var promised = RecentBlocks()
  /// Until when it is taken to read what we read, at the same time.
  var inStepUntil: Duration?
  /// Until when it is taken to read something.
  var readsUntil: Duration?
  /// Pieces of which it told that it reads a part, by their first blocks.
  var touched = RecentBlocks()
  /// Blocks that it was to get for us, and rejected.
  var declined = RecentBlocks()
  /// How many it rejected since it last sent one that it got for us.
  var declines = 0
  /// When it was slow, and until when nothing is got through it because of that.
  var slow: (since: Duration, until: Duration)?
  /// How often it was slow, and how many answers came in time since.
  var slips = 0
  var timely = 0
  /// How many of the blocks that it reads may be fetched because it does.
  var foresight = 0
  /// How often in a row it had not asked for what we asked of it.
  var lag = 0
  /// When that was counted last.
  var lagNoted: Duration?
  /// How long it takes to answer for what it has not got yet.
  var relayTime = AnswerTime()
  /// Blocks that it is to be told that we read.
  var untold: [BlockIndex] = []
  /// What it is where one of a crowd is chosen.
  private(set) var crowdKey: UInt64 = 0
  /// Requests of it for blocks that are on their way to us.
  var parkedRequests = 0

  // MARK: State

  var amChoking = true
  var amInterested = false
  var peerChoking = true
  var peerInterested = false
  /// nil until the metadata is here.
  var pieces: PieceSet?
  /// What came before the metadata did.
  var earlyBitfield: [UInt8]?
  var earlyHasAll = false
  /// 64 pieces a word, by the number of the word.
  var earlyHaves: [UInt32: UInt64] = [:]
  /// Pieces that we may request while choked. BEP 6.
  var allowedToUs: [PieceIndex] = []
  /// Pieces that the peer advises us to request of it. BEP 6.
  var suggestedToUs: [PieceIndex] = []
  /// When it last suggested something.
  var lastSuggestion: Duration?
  /// How often it came to have everything, piece by piece.
  var timesFull = 0
  /// Pieces that it said it has no more. BEP 54.
  var takenBack = 0
  /// Pieces that we advised the peer to request and that it does not have.
  var suggestedToPeer: [PieceIndex] = []
  /// Pieces that the peer may request while choked. BEP 6.
  var allowedToPeer: Set<UInt32> = []

  // MARK: Download

  var outstanding = Ring<Request>()
  /// How many of those are urgent.
  var urgentOutstanding = 0
  /// How long it takes to answer urgent ones.
  var answerTime = AnswerTime()
  /// Urgent requests that it is late with, since it last sent a block.
  var overdue = 0
  /// How many requests the peer should have.
  var pipeline = SwarmLimits.firstPipeline
  /// The shortest time between a request and its block.
  var latency: Duration?
  var download = RateMeter()
  /// The highest rate that was seen from it, bytes a second.
  var bestRate: UInt64 = 0
  var gathering = Gathering.nothing
  /// When data last came, or when the first request went out after a pause.
  var lastData = Duration.zero
  var isSnubbed = false
  /// Blocks that may still come although we do not count on them: cancelled, or given up.
  var forgiven = 0
  var unasked = 0
  /// Pieces that it rejected since it last sent a block.
  var rejections = 0
  var refused = RefusedPieces()
  /// How long after a block it is asked for the hashes of the piece, because it knows them only when it has
  /// read the piece, and refuses before; nil where it is asked at once.
  var readingTime: Duration?
  var hashRequests = 0
  /// Whether something that it sent was proven after it had refused hashes.
  var isProven = false
  /// The only piece that it is asked for; nil for all that it has.
  var trial: Trial?
  /// Whether reading from the connection is stopped.
  var isPaused = false

  // MARK: Upload

  var uploads = Ring<Upload>()
  /// Requests for pieces that are not here, since it was last sent a block.
  var vainRequests = 0
  /// Blocks being read from disk for the peer, in bytes.
  var readingBytes = 0
  var upload = RateMeter()
  /// Bytes of payload at the time of the last unchoke.
  var uploadedAtUnchoke: UInt64 = 0
  var unchokedSince: Duration?
  var lastOptimistic: Duration?
  var hashAnswers = 0
  /// Bytes that were hashed for its questions.
  var hashedBytes: UInt64 = 0
  /// Bytes of blocks that may be on their way to the peer at once.
  var sendWindow = SwarmLimits.firstSendWindow

  // MARK: Compression

  /// By which number it takes blocks as frames; 0 for not at all.
  var zstdID: UInt8 = 0
  var line: LineGauge
  /// Blocks that are being compressed for it.
  var packing: [Packing] = []
  /// The last so many of those are in no job yet.
  var unpacked = 0

  // MARK: Sending

  /// Messages that go out together when the event has been dealt with.
  var outbox: [UInt8] = []
  /// What was given to the system, and is not taken by it.
  /// `blockBytes` of a part count as those of a block until it is gone.
  var sending = Ring<(bytes: Int, buffer: BufferHandle?, blockBytes: Int)>()
  var unsentBytes = 0
  var unsentBlockBytes = 0
  var lastSent = Duration.zero
  var lastReceived = Duration.zero
  var emptyMessages = 0
  /// When the last of those came.
  var lastEmpty = Duration.zero
  /// Whether it sends messages without content and without end.
  var isTiresome = false
  /// Since when neither side has anything for the other.
  var isUselessSince: Duration?
  /// Whether it is in the list of peers to be looked at before the event ends.
  var isDirty = false

  init(
    id: ConnectionID, endpoint: PeerEndpoint, isIncoming: Bool, group: PrivateGroup?,
    phase: Phase, since: Duration
  ) {
    self.id = id
    self.endpoint = endpoint
    self.isIncoming = isIncoming
    self.group = group
    self.phase = phase
    self.since = since
    line = LineGauge(isLoopback: endpoint.address.isLoopback)
    lastReceived = since
    lastSent = since
    if !isIncoming { listening = endpoint }
  }

  var isActive: Bool { if case .active = phase { true } else { false } }
  var isClosed: Bool { if case .closed = phase { true } else { false } }
  var isFast: Bool { features.contains(.fast) }
  var isSeed: Bool { pieces?.isFull ?? false }

  /// Bytes of messages without payload that the peer has not taken yet.
  var owedBytes: Int { outbox.count + max(0, unsentBytes - unsentBlockBytes) }
  /// Whether it shall read first, before it asks for more that costs us much.
  var isBehind: Bool { owedBytes > SwarmLimits.refusingBytes }

  /// What the peer is called in lines for people.
  var name: String {
    if let client, !client.isEmpty { return printable(client) }
    return peerID.map { "\($0)" } ?? "?"
  }

  /// The peer as others are told of it. BEP 11.
  var contact: PeerExchange.Contact? {
    guard isActive, let listening else { return nil }
    var flags: PeerExchange.Flags = isIncoming ? [] : .reachable
    if isSeed || isUploadOnly { flags.insert(.uploadOnly) }
    return PeerExchange.Contact(endpoint: listening, flags: flags)
  }

  /// Whether it is time to tell it of others.
  func isTold(_ now: Duration) -> Bool { ledger.nextMessage.map { $0 <= now } ?? false }

  /// Writes a message to the outbox.
  func put(_ message: PeerMessage, body: [UInt8] = []) {
    let count = message.encodedByteCount
    withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) { room in
      message.encode(into: room)
      outbox.append(contentsOf: room)
    }
    outbox += body
  }

  /// Writes a message of an extension that the peer numbered `id`.
  func put(extension id: UInt8, _ payload: [UInt8], data: ArraySlice<UInt8> = []) {
    put(.extended(id: id, byteCount: payload.count + data.count), body: payload)
    outbox += data
  }

  /// Writes a handshake to the outbox.
  func put(_ handshake: Handshake) {
    withUnsafeTemporaryAllocation(byteCount: Handshake.byteCount, alignment: 8) { room in
      handshake.encode(into: room)
      outbox.append(contentsOf: room)
    }
  }

  /// Takes a request off the list; nil when there is none for the block.
  func takeRequest(_ block: BlockIndex) -> Request? {
    for position in 0..<outstanding.count where outstanding[position].block == block {
      let request = outstanding.remove(at: position)
      if request.isUrgent { urgentOutstanding -= 1 }
      return request
    }
    return nil
  }
}
