import Metainfo
import Store
import Wire

/// The first byte tells the kind of message, the rest is its payload. A message that is read and
/// written again is the same. Of the file that the vectors in Tests/WireTests were captured from,
/// the tree takes true hashes twice and false ones never.
func fuzzHashes(_ bytes: UnsafeRawBufferPointer) {
  guard let first = bytes.first, let id = PeerMessageID(rawValue: first),
    let kind = HashMessage.Kind(id)
  else { return }
  let payload = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
  do {
    let message = try HashMessage(kind, payload: payload.bytes)
    precondition(message.kind == kind)
    precondition(encoded(message).dropFirst(4).elementsEqual(bytes))
    switch message {
    case .request(let request), .reject(let request): answer(request)
    case .hashes(let response): learn(response)
    }
  } catch {
    precondition(error.message == id && (0...bytes.count).contains(error.offset))
    precondition(!error.description.isEmpty)
  }
}

/// The whole message, its length prefix included.
func encoded(_ message: HashMessage) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
  let count = bytes.withUnsafeMutableBytes { message.encode(into: $0) }
  precondition(count == bytes.count)
  return bytes
}

private let capturedRoot = "2919399a013f59ef476cdee891ff95720a993596825d5c526aa116ef0096492f"

/// What is known of the captured file from its torrent alone.
private func capturedTree() -> MerkleTree {
  guard let root = [UInt8](hex: capturedRoot).flatMap({ SHA256Digest($0) }),
    let shape = try? MerkleShape(fileLength: 21 * 16_384 - 100, pieceLength: 32_768)
  else { preconditionFailure("the captured file") }
  return MerkleTree(shape: shape, root: root)
}

private func answer(_ request: HashRequest) {
  let tree = capturedTree()
  if case .hashes = tree.response(to: request) {
    preconditionFailure("a tree that knows only its root has nothing to send")
  }
}

private func learn(_ response: HashResponse) {
  let hasher = LayerHasher(BulkHasher(engine: .portable))
  let unknowing = capturedTree()
  var tree = unknowing
  guard tree.add(response: response, using: hasher) == .accepted else {
    precondition(tree == unknowing)
    return
  }
  let once = tree
  precondition(tree.add(response: response, using: hasher) == .notNeeded && tree == once)
  for index in response.hashes.indices {
    var forged = response
    var hash = forged.hashes[index].bytes
    hash[index % 32] ^= 1
    guard let digest = SHA256Digest(hash) else { preconditionFailure("32 bytes") }
    forged.hashes[index] = digest
    var tree = unknowing
    switch tree.add(response: forged, using: hasher) {
    case .mismatch, .malformed: precondition(tree == unknowing)
    case let verdict: preconditionFailure("forged hash \(index): \(verdict)")
    }
  }
}
