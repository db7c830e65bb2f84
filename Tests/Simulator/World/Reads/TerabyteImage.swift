import Metainfo
import Store
import Swarm
import TestSupport
import Wire

/// A sparse node of an image of 1 TiB, all of it zeros, read here and there: what it keeps in memory. The
/// hashes of such a tree are the same within each layer, so that a seed of it needs no content.
public final class TerabyteImage {
  static let length: UInt64 = 1 << 40
  /// As an image of that size gets.
  static let pieceLength: UInt64 = 4 << 20

  private var swarm: Swarm
  private let torrent: TorrentID
  /// The hash of every node of each layer.
  private let layers: [SHA256Digest]
  private let seed: ConnectionID
  private var framer = PeerFramer()
  private var isBehindHandshake = false
  private var toAnswer: [UInt8] = []
  private var now = Duration.zero
  private var slab: UInt64 = 0
  private var random = SplitMix64(seed: 1)
  private let leaf: SHA256Digest
  /// Reads that ended with all their bytes, and others.
  public private(set) var ended = (right: 0, failed: 0)

  /// Opens the image, of which nothing is here, and meets a seed. What is wrong, if anything is.
  public init() throws {
    let leaf = SHA256Digest(hashing: [UInt8](repeating: 0, count: blockLength))
    var layers = [leaf]
    let shape = try MerkleShape(fileLength: Self.length, pieceLength: Self.pieceLength)
    while layers.count <= shape.rootLayer {
      let below = layers[layers.count - 1].bytes
      layers.append(SHA256Digest(hashing: below + below))
    }
    let root = layers[shape.rootLayer]
    let name = Array("image".utf8)
    var entry = FileEntry(
      path: try ContentPath([try PathElement(name)]), length: Self.length)
    entry.piecesRoot = root
    let description = TorrentDescription(
      kind: .v2, name: try PathElement(name), isSingleFile: true,
      pieceLength: UInt32(Self.pieceLength), files: [entry], pieceLayers: [:])
    let info = try description.infoDictionary()
    guard let infohash = info.infohashV2?.truncated,
      let own = PeerID(Array("-SW0001-abcdefghijkl".utf8)),
      let other = PeerID(Array("-XX0001-abcdefghijkl".utf8))
    else { throw Failure.noName }
    var request = TorrentRequest(source: .torrent(info, [:]), content: .owned)
    request.reading = .sparse
    var swarm = Swarm(configuration: SwarmConfiguration(peerID: own), seed: 1)
    torrent = try swarm.add(request, now: .zero)
    let address = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0x0101_0101)), port: 7_000)
    let accepted = swarm.accept(from: address, now: .zero)
    guard let accepted else { throw Failure.noSeed }
    self.swarm = swarm
    (self.leaf, self.layers, seed) = (leaf, layers, accepted)
    var hello = [UInt8](repeating: 0, count: Handshake.byteCount)
    _ = hello.withUnsafeMutableBytes {
      Handshake(features: [.fast, .extensions], infohash: infohash, peerID: other).encode(into: $0)
    }
    // The content is opened first.
    drain()
    receive(hello + Self.message(.haveAll) + Self.message(.unchoke))
    drain()
  }

  /// What can go wrong at the beginning.
  enum Failure: Error { case noName, noSeed }

  /// Reads 4 KiB here and there, so often.
  public func read(times: Int) {
    for _ in 0..<times {
      let start = UInt64.random(in: 0..<Self.length / 4_096, using: &random) * 4_096
      _ = swarm.read(
        start..<start + 4_096, of: 0, in: torrent, timeout: .seconds(10), now: now)
      drain()
      now += .milliseconds(1)
      while let due = swarm.deadline, due <= now {
        swarm.handleTimeout(now: now)
        drain()
      }
    }
  }

  // MARK: The world

  private static func message(_ message: PeerMessage, body: [UInt8] = []) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
    bytes.withUnsafeMutableBytes { _ = message.encode(into: $0) }
    return bytes + body
  }

  private func receive(_ bytes: [UInt8]) {
    slab += 1
    _ = swarm.receive(
      seed, continued: 0, chunk: bytes.span.bytes, at: BufferHandle(1 << 63 | slab << 22),
      now: now)
  }

  private func drain() {
    repeat {
      while let effect = swarm.nextEffect() { carryOut(effect) }
      if toAnswer.isEmpty { return }
      let bytes = toAnswer
      toAnswer = []
      receive(bytes)
    } while true
  }

  private func carryOut(_ effect: consuming Effect) {
    switch consume effect {
    case .send(let id, let outgoing):
      if case .bytes(let bytes) = outgoing { answer(bytes) }
      swarm.sent(id, byteCount: outgoing.byteCount, now: now)
    case .disk(let id, let operation):
      var value = DiskCompletion.Value.done
      switch operation.action {
      case .loadMap: value = .map(nil)
      case .read(_, let reportsEvidence): if reportsEvidence { value = .evidence([nil]) }
      case .examine: value = .evidence([nil])
      default: break
      }
      swarm.completed(
        DiskCompletion(id: operation.id, result: .success(value)), of: id, now: now)
    case .hash(let id, let job):
      if case .leaves(let parts) = job.work {
        swarm.hashed(job.id, of: id, .leaves(parts.map { _ in leaf }), now: now)
      }
    case .deliver(_, _, let buffer): swarm.finish(buffer)
    case .endRead(_, let failure):
      if failure == nil { ended.right += 1 } else { ended.failed += 1 }
    default: break
    }
  }

  /// The seed reads what it is sent.
  private func answer(_ bytes: [UInt8]) {
    var offset = isBehindHandshake ? 0 : Handshake.byteCount
    isBehindHandshake = true
    while let element = try? framer.next(in: bytes.span.bytes, at: &offset) {
      guard case .message(let message) = element else { continue }
      switch message {
      case .request(let request):
        toAnswer += Self.message(.piece(request))
        toAnswer += [UInt8](repeating: 0, count: Int(request.length))
      case .hash(.request(let request)):
        toAnswer += Self.message(.hash(.hashes(response(to: request))))
      default: break
      }
    }
  }

  private func response(to request: HashRequest) -> HashResponse {
    let layer = Int(request.baseLayer)
    let height = request.length.trailingZeroBitCount
    var hashes = [SHA256Digest](repeating: layers[layer], count: Int(request.length))
    // The layers that the run itself proves are left out. BEP 52, "hashes".
    let uncles = max(0, Int(request.proofLayers) - height + 1)
    hashes += layers[(layer + height)..<(layer + height + uncles)]
    return HashResponse(request: request, hashes: hashes)
  }
}
