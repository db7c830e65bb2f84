import Metainfo
import Store

/// Judgement of whole pieces: by the hash of the piece in its file's tree (BEP 52), or by its SHA-1
/// (BEP 3). What is on disk is read back, as buffers are free.
extension Content {
  /// Nobody gives the leaves of this piece: it is judged as a whole when all of its blocks are here.
  func judgeWhole(_ piece: PieceIndex) {
    guard isOpen, !isClosing, !hasPiece(piece) else { return }
    let work = work(for: piece)
    work.isWhole = true
    guard work.isComplete else { return }
    settle(work)
    goOn()
  }

  /// Whether the piece is to be judged as a whole.
  func isJudgedWhole(_ piece: PieceIndex) -> Bool { works[piece]?.isWhole == true }

  /// Precondition: all blocks of the piece are here, and no judgement is under way.
  func beginJudging(_ work: PieceWork) {
    guard !isClosing, let method = method(for: work) else { return }
    guard examinesFrom == nil else { return claims.add(pieces(of: work.blocks)) }
    work.judgement = PieceWork.Judgement(method: method)
    count(work, asWaiting: false)
    judging.append(work)
    goOn(judging: work)
  }

  private func method(for work: PieceWork) -> PieceWork.Method? {
    guard let place = treePiece(of: work.piece) else { return .sha1 }
    let tree = trees[place.tree]
    if tree.hash(of: tree.shape.root(of: place.piece)) != nil {
      return work.isKnownWrong && !work.isWhole ? nil : .tree
    }
    return geometry.kind.hasV1 && work.isWhole ? .sha1 : nil
  }

  /// Goes on with what waited for buffers, the oldest first. Once there is no buffer those behind are not
  /// looked at: when the hashes of an update come, thousands of pieces are judged at once.
  func pumpJudging() {
    guard !judging.isEmpty else { return }
    for work in judging {
      guard let judgement = work.judgement else { continue }
      if judgement.outstanding > 0 {
        let isAllRead = judgement.next == work.slots.count
        if judgement.method == .sha1 || isAllRead { continue }
      }
      goOn(judging: work)
      if !hasBuffer { return }
    }
  }

  func goOn(judging work: PieceWork) {
    guard let judgement = work.judgement, !judgement.isWrong else { return }
    if judgement.isAbandoned {
      if judgement.outstanding == 0 { abandon(work) }
    } else if judgement.method == .tree {
      readForTree(work)
    } else {
      readForSHA1(work)
    }
  }

  /// A read for the judgement, or a job of it, has ended.
  func ran(_ work: PieceWork) {
    guard let judgement = work.judgement else { preconditionFailure("nothing was under way") }
    judgement.outstanding -= 1
    let isDone = judgement.outstanding == 0
    if isDone && judgement.method == .sha1 {
      for buffer in judgement.buffers { giveBack(buffer) }
      judgement.buffers = []
      judgement.run = []
    }
    guard isDone || judgement.method == .tree else { return }
    if judgement.isWrong {
      fail(work)
    } else if let digest = judgement.digest, !judgement.isAbandoned {
      end(work, isRight: digest == v1Pieces[Int(work.piece.rawValue)])
    } else {
      goOn(judging: work)
    }
  }

  /// There is no verdict: the piece waits for what it lacks now.
  private func abandon(_ work: PieceWork) {
    stopJudging(work)
    if isClosing { return drop(work) }
    reset(work)
    settle(work)
  }

  private func stopJudging(_ work: PieceWork) {
    work.judgement = nil
    count(work, asWaiting: true)
    // Those that end are near the front.
    if let place = judging.firstIndex(where: { $0 === work }) { judging.remove(at: place) }
  }

  // MARK: Hash trees

  private func readForTree(_ work: PieceWork) {
    guard let judgement = work.judgement, let place = treePiece(of: work.piece) else { return }
    while judgement.next < work.slots.count {
      let position = judgement.next
      if work.slots[position].digest == nil {
        let leaf = MerkleNode(layer: 0, index: place.leaves.lowerBound + position)
        if work.slots[position].place == .here, let known = trees[place.tree].hash(of: leaf) {
          work.slots[position].digest = known
        } else {
          guard let buffer = takeBuffer() else { break }
          guard readBack(work.blocks[position], into: buffer, for: .work(work)) else {
            judgement.isAbandoned = true
            break
          }
          judgement.outstanding += 1
        }
      }
      judgement.next += 1
    }
    guard judgement.outstanding == 0 else { return }
    if judgement.isAbandoned { return abandon(work) }
    guard judgement.next == work.slots.count else { return }
    let leaves = work.slots.compactMap(\.digest)
    precondition(leaves.count == work.slots.count)
    switch learn(leaves, of: place) {
    case .verified: end(work, isRight: true)
    case .mismatch: end(work, isRight: false)
    case .needsHashes: abandon(work)
    }
  }

  // MARK: SHA-1

  private func readForSHA1(_ work: PieceWork) {
    guard let judgement = work.judgement, judgement.outstanding == 0 else { return }
    var position = judgement.next
    var isWaiting = false
    while position < work.slots.count, work.slots[position].place != .padding {
      if work.slots[position].place != .memory {
        guard judgement.outstanding < limits.blocksPerJob, let buffer = takeBuffer() else {
          isWaiting = true
          break
        }
        guard readBack(work.blocks[position], into: buffer, for: .work(work)) else {
          judgement.isAbandoned = true
          break
        }
        work.slots[position].buffer = buffer
        judgement.buffers.append(buffer)
        judgement.outstanding += 1
      }
      judgement.run.append(position)
      position += 1
      let block = work.blocks[position - 1]
      if geometry.dataLength(of: block) < geometry.requestLength(of: block) { break }
    }
    if judgement.outstanding > 0 { return }
    if judgement.isAbandoned { return abandon(work) }
    // No buffer, no run: the next call may find one.
    if judgement.run.isEmpty && isWaiting { return }
    submitRun(work)
  }

  /// A block of the run was read back, or could not be.
  func didReadRun(_ work: PieceWork) {
    guard work.judgement != nil else { preconditionFailure("nothing was under way") }
    work.judgement?.outstanding -= 1
    guard let judgement = work.judgement, judgement.outstanding == 0 else { return }
    guard judgement.isAbandoned else { return submitRun(work) }
    for buffer in judgement.buffers { giveBack(buffer) }
    abandon(work)
  }

  /// All bytes of the run are in memory.
  private func submitRun(_ work: PieceWork) {
    guard let judgement = work.judgement else { return }
    let isFirst = judgement.next == 0
    var zeros: UInt32 = 0
    var parts: [HashPart] = []
    for position in judgement.run {
      guard let buffer = work.slots[position].buffer else { preconditionFailure("no bytes") }
      let length = geometry.dataLength(of: work.blocks[position])
      parts.append(HashPart(buffer: buffer, length: length))
      zeros = geometry.requestLength(of: work.blocks[position]) - length
      judgement.next = position + 1
      if work.slots[position].place != .memory { work.slots[position].buffer = nil }
    }
    while judgement.next < work.slots.count, work.slots[judgement.next].place == .padding {
      zeros += geometry.requestLength(of: work.blocks[judgement.next])
      judgement.next += 1
    }
    let isLast = judgement.next == work.slots.count
    if isLast {
      // Padding behind the last block with data is part of the piece's hash. BEP 47.
      let end = work.blocks.last.map { geometry.begin(of: $0) + geometry.requestLength(of: $0) }
      zeros += geometry.length(of: work.piece) - (end ?? 0)
    }
    judgement.outstanding = 1
    let unknown = zip(judgement.run, parts).filter { needsDigest(work, $0.0) }
    if !unknown.isEmpty { judgement.outstanding += 1 }
    if isFirst && isLast {
      submit(.piece(parts, zeros: zeros), for: .pieceRun(work))
    } else {
      let stream = judgement.stream ?? SHA1Stream()
      judgement.stream = stream
      submit(.pieceRun(stream, parts, zeros: zeros, isLast: isLast), for: .pieceRun(work))
    }
    if !unknown.isEmpty {
      submit(.leaves(unknown.map(\.1)), for: .digests(work, unknown.map(\.0)))
    }
  }

  /// Whether the hash of the block alone is of use: for the tree of a hybrid, or to find liars.
  private func needsDigest(_ work: PieceWork, _ position: Int) -> Bool {
    let slot = work.slots[position]
    guard slot.digest == nil else { return false }
    return geometry.kind.hasV2 || suspects[work.piece] != nil
      || (slot.place == .disk && slot.sender != nil)
  }

  // MARK: Verdicts

  private func end(_ work: PieceWork, isRight: Bool) {
    guard isRight else {
      if work.judgement?.method == .tree, !work.isWhole {
        // Leaves will tell which blocks are wrong.
        work.isKnownWrong = true
        stopJudging(work)
        return reset(work)
      }
      return isWrong(work)
    }
    let method = work.judgement?.method
    stopJudging(work)
    works[work.piece] = nil
    if method == .sha1 { learnUnproven(work) }
    findLiars(of: work)
    for (position, block) in work.blocks.enumerated() {
      let slot = work.slots[position]
      acquit(slot.sender)
      if let buffer = takeWaiting(position, of: work) {
        accept(block, buffer)
      } else if slot.place == .disk, let examination = slot.examination {
        judge(examination, isRight: true)
      }
    }
  }

  /// The piece is wrong. Before its bytes are let go, their hashes are taken.
  private func isWrong(_ work: PieceWork) {
    let unknown = work.slots.indices.filter {
      work.slots[$0].place == .memory && work.slots[$0].digest == nil
    }
    guard !unknown.isEmpty, senders(of: work).count > 1, !isClosing else { return fail(work) }
    work.judgement?.isWrong = true
    work.judgement?.outstanding = 1
    let parts = unknown.compactMap { position in
      work.slots[position].buffer.map {
        HashPart(buffer: $0, length: geometry.dataLength(of: work.blocks[position]))
      }
    }
    submit(.leaves(parts), for: .digests(work, unknown))
  }

  /// The piece is wrong, and who sent what is known.
  private func fail(_ work: PieceWork) {
    stopJudging(work)
    works[work.piece] = nil
    remember(work)
    let senders = senders(of: work)
    let isBlamed =
      !senders.isEmpty
      && work.slots.allSatisfy {
        ($0.place != .memory && $0.place != .disk) || $0.sender != nil
      }
    for (position, block) in work.blocks.enumerated() {
      let slot = work.slots[position]
      guard slot.place == .memory || slot.place == .disk else { continue }
      if let buffer = takeWaiting(position, of: work) { release(buffer) }
      if let examination = slot.examination {
        store.judge(examination, isRight: false, now: now)
      }
      if !isBlamed && !isHere(block) { notices.append(.missing(block)) }
    }
    if isBlamed { notices.append(.suspected(work.piece, senders)) }
  }
}
