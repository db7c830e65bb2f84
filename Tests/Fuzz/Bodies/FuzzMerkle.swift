import Metainfo
import Store
import Wire

/// Two bytes choose a file; then each step is a question of any numbers, whose true answer from a
/// tree that knows all is handed, perhaps with one bit wrong, to a tree that learns. Whatever comes,
/// the learner knows nothing that is not true.
func fuzzMerkle(_ bytes: UnsafeRawBufferPointer) {
  var reader = FuzzReader(bytes)
  var game = MerkleGame(&reader)
  var steps = 0
  while !reader.isAtEnd, steps < 64 {
    game.step(&reader)
    steps += 1
  }
  game.checkKnowledge()
}

private struct MerkleGame {
  private let hasher = LayerHasher(BulkHasher(engine: .portable))
  private let whole: MerkleTree
  private var learner: MerkleTree
  private var shape: MerkleShape { whole.shape }

  init(_ reader: inout FuzzReader) {
    let leafCount = 1 + Int(reader.byte()) % 70
    let height = reader.byte() % 4
    let length = UInt64(leafCount) * 16_384 - UInt64(height)
    guard let shape = try? MerkleShape(fileLength: length, pieceLength: 16_384 << UInt64(height))
    else { preconditionFailure("\(leafCount) leaves") }
    let leaves = (0..<leafCount).map { SHA256Digest(hashing: [UInt8($0)]) }
    whole = MerkleTree(shape: shape, leaves: leaves, using: hasher)
    learner = MerkleTree(shape: shape, root: whole.root)
  }

  mutating func step(_ reader: inout FuzzReader) {
    let kind = reader.byte()
    switch kind % 5 {
    case 0: exchange(anyRequest(&reader), flipping: nil)
    case 1: exchange(anyRequest(&reader), flipping: (Int(reader.byte()), reader.byte()))
    case 2: askForLeaves(from: reader.byte(), to: reader.byte())
    case 3: evict(reader.byte())
    default: learnPieceLayer(ofAll: kind >= 128)
    }
  }

  /// Numbers small enough to make sense now and then.
  private func anyRequest(_ reader: inout FuzzReader) -> HashRequest {
    let layer = reader.byte()
    let index = reader.byte()
    let length = reader.byte()
    return HashRequest(
      piecesRoot: layer >= 250 ? .zero : whole.root, baseLayer: UInt32(layer % 10),
      index: UInt32(index), length: UInt32(length), proofLayers: UInt32(reader.byte() % 10))
  }

  private mutating func exchange(_ request: HashRequest, flipping flip: (hash: Int, bit: UInt8)?) {
    guard case .hashes(var response) = whole.response(to: request) else { return }
    precondition(response.request == request)
    checkMessage(response)
    let before = learner
    guard let flip else {
      switch learner.add(response: response, using: hasher) {
      case .accepted: precondition(learner != before)
      case .notNeeded, .unanchored: precondition(learner == before)
      case let verdict: preconditionFailure("a true answer to \(request): \(verdict)")
      }
      return
    }
    let index = flip.hash % response.hashes.count
    var hash = response.hashes[index].bytes
    hash[Int(flip.bit >> 3)] ^= 1 << (flip.bit & 7)
    guard let digest = SHA256Digest(hash) else { preconditionFailure("32 bytes") }
    response.hashes[index] = digest
    switch learner.add(response: response, using: hasher) {
    case .mismatch, .malformed, .unanchored: precondition(learner == before)
    case let verdict: preconditionFailure("a false answer to \(request): \(verdict)")
    }
  }

  /// An answer within BEP 52 passes the codec unchanged.
  private func checkMessage(_ response: HashResponse) {
    let length = response.request.length
    guard length >= 2, length.nonzeroBitCount == 1 else { return }
    let bytes = encoded(.hashes(response))
    do {
      let message = try HashMessage(.hashes, payload: Array(bytes.dropFirst(5)).span.bytes)
      precondition(message == .hashes(response))
    } catch {
      preconditionFailure("\(response.request): \(error)")
    }
  }

  /// The requests that a tree makes are answered, and teach it what it wanted to know.
  private mutating func askForLeaves(from first: UInt8, to last: UInt8) {
    let bounds = [Int(first) % shape.leafCount, Int(last) % shape.leafCount].sorted()
    guard let low = shape.leaf(bounds[0]), let high = shape.leaf(bounds[1]) else {
      preconditionFailure("leaves \(bounds)")
    }
    for request in learner.requests(for: low...high) { teach(request) }
    for number in bounds[0]...bounds[1] {
      guard let leaf = shape.leaf(number),
        let hash = whole.hash(of: MerkleNode(layer: 0, index: number))
      else { preconditionFailure("leaf \(number)") }
      precondition(learner.verdict(leaf: leaf, digest: hash) == .verified)
      precondition(learner.verdict(leaf: leaf, digest: SHA256Digest(hashing: [])) == .mismatch)
    }
  }

  private mutating func teach(_ request: HashRequest) {
    guard case .hashes(let response) = whole.response(to: request) else {
      preconditionFailure("our own \(request) has no answer")
    }
    precondition(request.length >= 2 && request.length.nonzeroBitCount == 1, "\(request)")
    checkMessage(response)
    switch learner.add(response: response, using: hasher) {
    case .accepted, .notNeeded: return
    case let verdict: preconditionFailure("the answer to our own \(request): \(verdict)")
    }
  }

  private mutating func evict(_ number: UInt8) {
    guard let piece = shape.piece(Int(number) % shape.pieceCount) else {
      preconditionFailure("piece \(number)")
    }
    learner.evict(piece)
  }

  private mutating func learnPieceLayer(ofAll isWhole: Bool) {
    if isWhole {
      guard let layer = whole.pieceLayer else { return }
      do {
        try learner.add(pieceLayer: layer, using: hasher)
      } catch {
        preconditionFailure("the true piece layer: \(error)")
      }
    } else {
      for request in learner.pieceLayerRequests() { teach(request) }
    }
    if shape.pieceLayer != nil { precondition(learner.pieceLayer == whole.pieceLayer) }
  }

  func checkKnowledge() {
    for layer in 0...shape.rootLayer {
      for index in 0..<shape.paddedNodeCount(layer: layer) {
        let node = MerkleNode(layer: layer, index: index)
        guard let known = learner.hash(of: node) else { continue }
        precondition(known == whole.hash(of: node), "\(node) is not true")
      }
    }
    precondition(learner.capacity <= whole.capacity)
  }
}
