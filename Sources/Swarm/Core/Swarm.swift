import Metainfo
import Store
import Wire

/// The whole node as a value: told what happened and when, it says what to do.
///
/// Drive it so: after every call carry out `nextEffect()` until nil (`drain(into:)`), report what
/// became of each, and call `handleTimeout` at `deadline`. Time is counted from any fixed start. It
/// has no clock, socket, file, thread or randomness of its own; the bytes of payload stay in memory
/// that the caller owns, and are named by handles.
///
/// **Buffers.** Handles below 2^63 are the core's own: numbers from 0 up to
/// `SwarmConfiguration.poolBuffers`, 16 KiB each, which the caller backs with memory when they first
/// appear. Handles from 2^63 on are the caller's, by which `receive` is told where bytes are: adding
/// n to a handle names the bytes n further on. Of those the core keeps some; each is given back once
/// by `Effect.release`.
public struct Swarm: ~Copyable {
  /// What the user chose.
  public let configuration: SwarmConfiguration

  /// A node without torrents; all of its random choices follow from `seed`.
  public init(configuration: SwarmConfiguration, seed: UInt64) {
    self.configuration = configuration
  }

  // MARK: Torrents

  /// Takes part in a torrent. The same infohash twice is an error.
  public mutating func add(
    _ request: TorrentRequest, now: Duration
  ) throws(SwarmError) -> TorrentID { throw .alreadyThere }

  /// Stops to take part: connections end, what is on its way to disk gets there, then
  /// `Notice.closed` comes. After it the torrent's id is not used any more.
  public mutating func remove(_ torrent: TorrentID, now: Duration) {}

  /// Tells of peers of the torrent, from wherever.
  public mutating func add(peers: [PeerEndpoint], to torrent: TorrentID, now: Duration) {}

  // MARK: Connections

  /// Somebody connected to us. nil: close it, there are too many.
  public mutating func accept(from endpoint: PeerEndpoint, now: Duration) -> ConnectionID? { nil }

  /// A connection that was asked for is there.
  public mutating func connected(_ connection: ConnectionID, now: Duration) {}

  /// The connection, or the attempt, has ended by itself: `reason` in the system's words.
  public mutating func disconnected(
    _ connection: ConnectionID, reason: String, now: Duration
  ) {}

  /// The system took this many bytes of what was to be sent, in order.
  public mutating func sent(_ connection: ConnectionID, byteCount: Int, now: Duration) {}

  /// Whether to read from the connection. When false, `Effect.resumeReading` tells when to go on.
  public borrowing func wantsInput(_ connection: ConnectionID) -> Bool { false }

  /// Where the next bytes from the connection are to go before anything else; nil for nowhere
  /// special.
  public borrowing func continuation(of connection: ConnectionID) -> BlockContinuation? { nil }

  /// Bytes came: first `continued` bytes, which are where `continuation` said, then those of
  /// `chunk`, which are at `base`. Bytes in `chunk` come only after the continuation is full.
  public mutating func receive(
    _ connection: ConnectionID, continued: Int, chunk: RawSpan, at base: BufferHandle,
    now: Duration
  ) -> Intake { Intake() }

  // MARK: Work done

  /// An operation of the torrent's disk has ended.
  public mutating func completed(
    _ completion: DiskCompletion, of torrent: TorrentID, now: Duration
  ) {}

  /// A hash job has ended.
  public mutating func hashed(
    _ job: HashJobID, of torrent: TorrentID, _ result: HashResult, now: Duration
  ) {}

  // MARK: Reads

  /// Reads `bytes` of a file: blocks are delivered as they are verified, missing ones are fetched
  /// before anything else. Ends by `Effect.endRead`, at the latest after `timeout`.
  public mutating func read(
    _ bytes: Range<UInt64>, of file: Int, in torrent: TorrentID, timeout: Duration, now: Duration
  ) -> ReadID { ReadID(0) }

  /// The reader is done with a delivered buffer.
  public mutating func finish(_ buffer: BufferHandle) {}

  // MARK: Time and effects

  /// When `handleTimeout` is to be called; nil for never.
  public var deadline: Duration? { nil }

  /// Time passed.
  public mutating func handleTimeout(now: Duration) {}

  /// The next thing to do; nil when there is none until something happens.
  public mutating func nextEffect() -> Effect? { nil }

  // MARK: What is known

  /// How a torrent is doing; nil when it was removed.
  public borrowing func status(of torrent: TorrentID) -> TorrentStatus? { nil }

  /// How its peers are doing.
  public borrowing func peers(of torrent: TorrentID) -> [PeerStatus] { [] }
}

/// Where the rest of a block goes that has come in part.
public struct BlockContinuation: Hashable, Sendable {
  /// A buffer of 16 KiB.
  public let buffer: BufferHandle
  /// Where in it the next byte goes.
  public let offset: Int
  /// How many bytes are to come; at least 1.
  public let count: Int

  init(buffer: BufferHandle, offset: Int, count: Int) {
    self.buffer = buffer
    self.offset = offset
    self.count = count
  }
}

/// What became of a chunk that was received.
public struct Intake: Sendable {
  /// How many handles into the chunk the core has kept: so many times `Effect.release` will come with
  /// one.
  public var kept = 0
  /// The beginning of a block at the end of the chunk: to be copied, now, to the start of this
  /// buffer; the rest of it goes behind, as `continuation` says.
  public var tail: (range: Range<Int>, buffer: BufferHandle)?

  init() {}
}

/// Why a torrent cannot be taken part in.
public enum SwarmError: Error, Hashable, Sendable, CustomStringConvertible {
  /// There is one of the same infohash.
  case alreadyThere
  /// What it says of its files is no geometry.
  case geometry(GeometryError)
  /// No infohash at all.
  case nothingNamed

  /// What is wrong.
  public var description: String {
    switch self {
    case .alreadyThere: "the torrent is already there"
    case .geometry(let error): "\(error)"
    case .nothingNamed: "no infohash is given"
    }
  }
}

/// Who carries out what the core wants: libuv, or the simulator.
public protocol EffectHandler {
  /// Begins what the effect says. What came of it is reported later, not from in here.
  mutating func carryOut(_ effect: consuming Effect)
}

extension Swarm {
  /// Carries out all that is to be done now: the one loop of both the node and the simulator.
  public mutating func drain(into handler: inout some EffectHandler) {
    while let effect = nextEffect() { handler.carryOut(effect) }
  }
}
