import Metainfo
import Store

/// A peer's question that waits for pieces to be hashed.
final class PendingAnswer {
  let request: HashRequest
  let tag: UInt64
  var remaining = 0

  init(request: HashRequest, tag: UInt64) {
    self.request = request
    self.tag = tag
  }
}

/// A piece that is hashed from disk, for its leaves.
final class PieceHashing {
  let piece: PieceIndex
  let place: Content.TreePiece
  let blocks: BlockRange
  var leaves: [SHA256Digest]
  var next = 0
  var outstanding = 0
  var isAbandoned = false
  var waiting: [PendingAnswer] = []

  init(piece: PieceIndex, place: Content.TreePiece, blocks: BlockRange) {
    self.piece = piece
    self.place = place
    self.blocks = blocks
    leaves = Array(repeating: .zero, count: blocks.count)
  }
}

/// Answers to peers' questions about hash trees: from what is known, else by hashing pieces from
/// disk. BEP 52.
extension Content {
  /// Answers a question with `.answer`, which has nothing in it for a rejection.
  ///
  /// - Parameter allowance: how many bytes may be read and hashed for it.
  /// - Returns: how many will be.
  func answer(_ request: HashRequest, tag: UInt64, hashing allowance: UInt64 = .max) -> UInt64 {
    guard isOpen, !isClosing, let tree = treeOfRoot[request.piecesRoot] else {
      tell(nil, to: request, tag)
      return 0
    }
    switch trees[Int(tree)].response(to: request) {
    case .hashes(let response): tell(response, to: request, tag)
    case .unknown, .malformed: tell(nil, to: request, tag)
    case .needsLeaves(let pieces):
      let answer = PendingAnswer(request: request, tag: tag)
      if let cost = begin(pieces, of: Int(tree), for: answer, allowance) {
        goOn()
        return cost
      }
      tell(nil, to: request, tag)
    }
    return 0
  }

  private func tell(_ response: HashResponse?, to request: HashRequest, _ tag: UInt64) {
    notices.append(.answer(tag: tag, request, response))
  }

  /// Queues pieces to be hashed, and says how many bytes that are; nil when they are too many, or not
  /// here.
  private func begin(
    _ numbers: ClosedRange<FilePieceIndex>, of tree: Int, for answer: PendingAnswer,
    _ allowance: UInt64
  ) -> UInt64? {
    let all = geometry.pieces(of: firstFile[tree])
    let first = Int(numbers.lowerBound.rawValue)
    let last = Int(numbers.upperBound.rawValue)
    guard answersWaiting < limits.answers,
      UInt64(last - first) * UInt64(geometry.pieceLength) < limits.answerBytes
    else { return nil }
    let pieces = (first...last).map { all[$0] }
    let bytes = pieces.reduce(0) { $0 + UInt64(geometry.length(of: $1)) }
    guard bytes <= min(limits.answerBytes, allowance), pieces.allSatisfy(hasPiece) else {
      return nil
    }
    answersWaiting += 1
    answer.remaining = pieces.count
    for piece in pieces {
      if let hashing = hashings[piece] {
        hashing.waiting.append(answer)
      } else if let place = treePiece(of: piece) {
        let hashing = PieceHashing(piece: piece, place: place, blocks: geometry.blocks(of: piece))
        hashing.waiting.append(answer)
        hashings[piece] = hashing
        hashingQueue.append(hashing)
      }
    }
    return bytes
  }

  /// Reads on, as buffers are free.
  func pumpAnswers() {
    while hashing.count < limits.answerPieces, let next = hashingQueue.popFirst() {
      hashing.append(next)
    }
    for hashing in hashing { read(hashing) }
  }

  private func read(_ hashing: PieceHashing) {
    while !hashing.isAbandoned, hashing.next < hashing.blocks.count {
      guard let buffer = takeBuffer() else { return }
      let block = hashing.blocks[hashing.next]
      hashing.next += 1
      guard isHere(block) else {
        pool.give(buffer)
        hashing.isAbandoned = true
        break
      }
      if readBack(block, into: buffer, for: .answer(hashing)) {
        hashing.outstanding += 1
      } else {
        hashing.isAbandoned = true
      }
    }
    endIfDone(hashing)
  }

  /// A block of it was hashed.
  func hashed(_ block: BlockIndex, _ digest: SHA256Digest, in hashing: PieceHashing) {
    hashing.leaves[Int(block.rawValue - hashing.blocks.lowerBound)] = digest
    hashing.outstanding -= 1
    endIfDone(hashing)
  }

  func endIfDone(_ hashing: PieceHashing) {
    guard hashing.outstanding == 0,
      hashing.isAbandoned || hashing.next == hashing.blocks.count,
      hashings[hashing.piece] === hashing
    else { return }
    hashings[hashing.piece] = nil
    self.hashing.removeAll { $0 === hashing }
    // Wrong bytes where right ones were hashed: the disk lies, and there is no answer.
    if !hashing.isAbandoned { _ = learn(hashing.leaves, of: hashing.place) }
    for answer in hashing.waiting {
      answer.remaining -= 1
      if answer.remaining == 0 { finish(answer) }
    }
    evict()
  }

  private func finish(_ answer: PendingAnswer) {
    answersWaiting -= 1
    guard let tree = treeOfRoot[answer.request.piecesRoot],
      case .hashes(let response) = trees[Int(tree)].response(to: answer.request)
    else { return tell(nil, to: answer.request, answer.tag) }
    tell(response, to: answer.request, answer.tag)
  }

  /// On the way out: no question is answered any more.
  func refuseAnswers() {
    while let next = hashingQueue.popFirst() {
      next.isAbandoned = true
      endIfDone(next)
    }
    for hashing in hashing {
      hashing.isAbandoned = true
      endIfDone(hashing)
    }
  }
}
