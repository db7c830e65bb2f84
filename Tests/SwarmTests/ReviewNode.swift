import Metainfo
import Store
import Testing
import Wire

@testable import Swarm

/// A core whose disk holds zeros only and never fails, and whose hash jobs find what `sha1` says.
final class ReviewNode {
  var swarm: Swarm
  var now = Duration.zero
  var sha1 = SHA1Digest(hashing: [UInt8]())
  var connects: [(id: ConnectionID, endpoint: PeerEndpoint)] = []
  var outgoing: [ConnectionID: Int] = [:]
  var blocksTo: [ConnectionID: Int] = [:]
  var requests: [ConnectionID: [BlockRequest]] = [:]
  /// What each send had in it.
  var sends: [ConnectionID: [[PeerMessage]]] = [:]
  var delivered: [(read: ReadID, block: BlockIndex)] = []
  var closed: Set<ConnectionID> = []
  var ended: [ReadID: ReadFailure?] = [:]
  var framers: [ConnectionID: PeerFramer] = [:]
  var finished = false
  /// The core's deadline did not move on, however often it was told the time.
  var wasBusy = false
  /// Whether blocks are found to be other ones than zeros.
  var findsGarbage = false
  /// Whether reads and loads of the disk are carried out at once.
  var holdsDisk = false
  var heldOperations: [(TorrentID, DiskOperation)] = []
  var takesBytes = true
  /// What the only file of content in place looks like.
  var evidence: FileEvidence?
  private var slab: UInt64 = 0

  init(_ change: (inout SwarmConfiguration) -> Void = { _ in }) throws {
    let id = try #require(PeerID(Array("-SW0001-abcdefghijkl".utf8)))
    var configuration = SwarmConfiguration(peerID: id)
    configuration.listenPort = 6881
    change(&configuration)
    swarm = Swarm(configuration: configuration, seed: 1)
  }

  static func endpoint(_ number: Int) -> PeerEndpoint {
    PeerEndpoint(
      address: .v4(IPv4Address(rawValue: 0x0101_0000 + UInt32(number) * 257)), port: 7000)
  }

  func drain() {
    while let effect = swarm.nextEffect() {
      switch consume effect {
      case .keep: break
      case .connect(let id, let endpoint, _): connects.append((id, endpoint))
      case .close(let id): closed.insert(id)
      case .send(let id, let out):
        outgoing[id, default: 0] += out.byteCount
        switch out {
        case .bytes(let bytes): parse(id, bytes)
        case .block: blocksTo[id, default: 0] += 1
        }
        if takesBytes { swarm.sent(id, byteCount: out.byteCount, now: now) }
      case .disk(let torrent, let operation):
        if holdsDisk {
          heldOperations.append((torrent, operation))
        } else {
          carry(torrent, operation)
        }
      case .hash(let torrent, let job):
        let result: HashResult
        switch job.work {
        case .leaves(let parts):
          let byte: UInt8 = findsGarbage ? 1 : 0
          let zeros = SHA256Digest(hashing: [UInt8](repeating: byte, count: blockLength))
          result = .leaves(Array(repeating: zeros, count: parts.count))
        case .piece: result = .piece(sha1)
        case .pieceRun(_, _, _, let isLast): result = isLast ? .piece(sha1) : .more
        }
        swarm.hashed(job.id, of: torrent, result, now: now)
      case .deliver(let read, let block, let buffer):
        delivered.append((read, block))
        swarm.finish(buffer)
      case .endRead(let read, let failure): ended[read] = failure
      case .notice(.finished): finished = true
      case .compress(let job):
        swarm.compressed(job.id, job.parts.map { _ in nil }, now: now)
      case .decompress(let job):
        swarm.decompressed(job.id, job.parts.map { _ in nil }, now: now)
      case .prepare, .release, .resumeReading, .notice: break
      }
    }
  }

  func peer(_ id: ConnectionID) throws -> Peer {
    let found = swarm.peer(id)
    return try #require(found)
  }

  /// Somebody reads the first bytes of a block of the torrent's first file.
  func read(block: Int, of torrent: TorrentID) -> ReadID {
    let start = UInt64(block * blockLength)
    let id = swarm.read(
      start..<start + 4_096, of: 0, in: torrent, timeout: .seconds(60), now: now)
    drain()
    return id
  }

  func carry(_ torrent: TorrentID, _ operation: DiskOperation) {
    var value = DiskCompletion.Value.done
    switch operation.action {
    case .loadMap: value = .map(nil)
    case .read(_, let reports): if reports { value = .evidence([evidence]) }
    case .examine: value = .evidence([evidence])
    default: break
    }
    swarm.completed(
      DiskCompletion(id: operation.id, result: .success(value)), of: torrent, now: now)
  }

  private func parse(_ id: ConnectionID, _ bytes: [UInt8]) {
    var offset = 0
    if framers[id] == nil {
      framers[id] = PeerFramer()
      offset = 68
    }
    var messages: [PeerMessage] = []
    while let element = try? framers[id]?.next(in: bytes.span.bytes, at: &offset) {
      guard case .message(let message) = element else { continue }
      messages.append(message)
      if case .request(let block) = message { requests[id, default: []].append(block) }
    }
    sends[id, default: []].append(messages)
  }

  @discardableResult
  func receive(_ id: ConnectionID, _ bytes: [UInt8], continued: Int = 0) -> Intake {
    slab += 1
    let intake = swarm.receive(
      id, continued: continued, chunk: bytes.span.bytes,
      at: BufferHandle(1 << 63 | slab << 32), now: now)
    return intake
  }

  func message(_ message: PeerMessage, body: [UInt8] = []) -> [UInt8] {
    let count = message.encodedByteCount
    return withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) { room in
      message.encode(into: room)
      return Array(room)
    } + body
  }

  /// A peer that connects to us, with fast extension and extensions.
  func join(_ number: Int, _ infohash: SHA1Digest) throws -> ConnectionID {
    let accepted = swarm.accept(from: Self.endpoint(number), now: now)
    let id = try #require(accepted)
    let name = "-XX0001-" + String(100_000_000_000 + number)
    let peerID = try #require(PeerID(Array(name.utf8)))
    let handshake = Handshake(features: [.fast, .extensions], infohash: infohash, peerID: peerID)
    var bytes: [UInt8] = []
    withUnsafeTemporaryAllocation(byteCount: Handshake.byteCount, alignment: 8) { room in
      handshake.encode(into: room)
      bytes = Array(room)
    }
    receive(id, bytes)
    drain()
    return id
  }

  /// A block that comes in two reads, as over a slow line.
  func giveSlowly(_ id: ConnectionID, _ request: BlockRequest) {
    receive(id, message(.piece(request)) + [UInt8](repeating: 0, count: 100))
    drain()
    guard let rest = swarm.continuation(of: id) else {
      receive(id, [UInt8](repeating: 0, count: Int(request.length) - 100))
      return drain()
    }
    receive(id, [], continued: rest.count)
    drain()
  }

  func pass(_ time: Duration) {
    let end = now + time
    var calls = 0
    while let due = swarm.deadline, due <= end {
      calls += 1
      if calls > 300 {
        // As on a real loop, whose timer takes a millisecond at least.
        wasBusy = true
        break
      }
      now = max(now, due)
      swarm.handleTimeout(now: now)
      drain()
    }
    now = end
  }
}
