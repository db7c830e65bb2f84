import Metainfo
import Store
import Testing
import Wire

@testable import Swarm

/// A v2 torrent of zeros in pieces of one block, or of more, a seed, and others that read it, too.
struct CrowdWorld {
  let node: ReviewNode
  let torrent: TorrentID
  let seed: ConnectionID
  var readers: [ConnectionID] = []
  static let blocks = 64
  /// By which number the others take what we read.
  static let number: UInt8 = 9

  init(readers count: Int, readsAhead: Bool = false, pieceBlocks: Int = 1) throws {
    node = try ReviewNode()
    let (info, layers) = try Self.zeros(pieceLength: pieceBlocks * blockLength)
    var request = TorrentRequest(source: .torrent(info, layers), content: .owned)
    request.reading = .sparse
    request.reading.readsAhead = readsAhead
    torrent = try node.swarm.add(request, now: .zero)
    node.drain()
    let infohash = try #require(info.infohashV2?.truncated)
    seed = try node.join(1, infohash)
    node.receive(seed, node.message(.haveAll) + node.message(.unchoke))
    for number in 0..<count {
      let id = try node.join(number + 2, infohash)
      var handshake = ExtensionHandshake()
      handshake.extensions = [.reads: Self.number]
      let payload = handshake.encoded
      node.receive(
        id,
        node.message(.haveNone) + node.message(.unchoke) + node.message(.interested)
          + node.message(.extended(id: 0, byteCount: payload.count), body: payload))
      readers.append(id)
    }
    node.drain()
    for id in [seed] + readers { node.swarm.peer(id)?.answerTime.add(.milliseconds(40)) }
  }

  private static func zeros(pieceLength: Int) throws -> (InfoDictionary, PieceLayers) {
    let leaf = SHA256Digest(hashing: [UInt8](repeating: 0, count: blockLength))
    let shape = try MerkleShape(
      fileLength: UInt64(blocks * blockLength), pieceLength: UInt64(pieceLength))
    let tree = MerkleTree(
      shape: shape, leaves: Array(repeating: leaf, count: blocks), using: LayerHasher())
    var entry = FileEntry(
      path: try ContentPath([try PathElement(Array("image".utf8))]),
      length: UInt64(blocks * blockLength))
    entry.piecesRoot = tree.root
    let layers = [tree.root: try #require(tree.pieceLayer)]
    let description = TorrentDescription(
      kind: .v2, name: try PathElement(Array("image".utf8)), isSingleFile: true,
      pieceLength: UInt32(pieceLength), files: [entry], pieceLayers: layers)
    return (try description.infoDictionary(), layers)
  }

  func peer(_ id: ConnectionID) throws -> Peer { try node.peer(id) }

  func read(_ block: Int) -> ReadID { node.read(block: block, of: torrent) }

  /// The reader tells that it reads these blocks.
  func tell(_ reader: Int, _ blocks: [Int]) {
    let message = ReadingMessage(
      runs: blocks.map {
        BlockRequest(piece: UInt32($0), begin: 0, length: UInt32(blockLength))
      })
    tell(reader, message)
  }

  func tell(_ reader: Int, _ message: ReadingMessage) {
    let body = message.encoded
    node.receive(
      readers[reader],
      node.message(.extended(id: 6, byteCount: body.count), body: body))
    node.drain()
  }

  /// Blocks that the peer was asked for and has not sent.
  func asked(_ id: ConnectionID) -> [Int] {
    node.requests[id, default: []].map { Int($0.piece) }
  }

  func answer(_ id: ConnectionID) {
    guard let request = node.requests[id]?.first else { return }
    node.requests[id]?.removeFirst()
    node.receive(
      id, node.message(.piece(request)) + [UInt8](repeating: 0, count: Int(request.length)))
    node.drain()
  }

  func request(_ block: Int, by reader: Int) {
    let request = BlockRequest(piece: UInt32(block), begin: 0, length: UInt32(blockLength))
    node.receive(readers[reader], node.message(.request(request)))
    node.drain()
  }

  /// Extension messages of that number to the peer.
  func told(_ id: ConnectionID) -> Int {
    node.sends[id, default: []].joined().count {
      if case .extended(Self.number, _) = $0 { true } else { false }
    }
  }

  func rejected(_ id: ConnectionID) -> [Int] {
    node.sends[id, default: []].joined().compactMap {
      if case .reject(let request) = $0 { Int(request.piece) } else { nil }
    }
  }
}
