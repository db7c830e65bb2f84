import Metainfo
import Store

/// Blocks that wait: for the hashes of their piece, or, in v1, for its other blocks.
extension Content {
  /// Keeps a block until there is a verdict on its piece: in memory, or on disk as a claim.
  func wait(_ arrival: Arrival, digest: SHA256Digest?) {
    if isClosing { return release(arrival.buffer) }
    let work = work(for: geometry.piece(of: arrival.block))
    let position = work.position(of: arrival.block)
    // Another copy is there, or zeros were sent that no file holds.
    guard work.slots[position].place == .missing, work.judgement == nil else {
      return release(arrival.buffer)
    }
    if waitingBytes + blockLength > limits.waitingBytes
      || budget.waitingBytes + blockLength > budget.bytes
    {
      spill(arrival, in: work, position, digest)
    } else {
      waitingBytes += blockLength
      budget.waitingBytes += blockLength
      work.slots[position].buffer = arrival.buffer
      work.slots[position].sender = arrival.sender
      work.slots[position].digest = digest
      work.move(position, to: .memory)
    }
    ask(work)
    settle(work)
  }

  /// There is no room in memory: to disk with it, once it is known what was sent.
  private func spill(
    _ arrival: Arrival, in work: PieceWork, _ position: Int, _ digest: SHA256Digest?
  ) {
    work.move(position, to: .writing)
    if let digest { return write(arrival, in: work, position, digest) }
    spilling.append(arrival)
    if spilling.count >= limits.blocksPerJob { flush() }
  }

  /// A block that goes to disk before there is a verdict was hashed.
  func didHashSpilled(_ arrival: Arrival, _ digest: SHA256Digest) {
    guard let work = works[geometry.piece(of: arrival.block)], !isClosing else {
      release(arrival.buffer)
      notices.append(.missing(arrival.block))
      return
    }
    write(arrival, in: work, work.position(of: arrival.block), digest)
    settle(work)
  }

  private func write(
    _ arrival: Arrival, in work: PieceWork, _ position: Int, _ digest: SHA256Digest
  ) {
    switch store.write(arrival.block, from: arrival.buffer, isHashed: false) {
    case .queued:
      work.slots[position].sender = arrival.sender
      work.slots[position].sent = digest
    case .alreadyThere:
      release(arrival.buffer)
      work.move(position, to: .missing)
    case .refused:
      release(arrival.buffer)
      work.move(position, to: .missing)
      notices.append(.missing(arrival.block))
    }
  }

  /// What was read back of a block was hashed.
  func note(_ digest: SHA256Digest, at position: Int, of work: PieceWork) {
    work.slots[position].digest = digest
    // Other bytes than were sent: the disk's fault, not the sender's.
    if let sent = work.slots[position].sent, sent != digest { work.slots[position].sender = nil }
  }

  /// Counts what is in memory of a piece as waiting, or not.
  func count(_ work: PieceWork, asWaiting isWaiting: Bool) {
    guard work.isWaiting != isWaiting else { return }
    work.isWaiting = isWaiting
    let change = (isWaiting ? 1 : -1) * work.inMemory * blockLength
    waitingBytes += change
    budget.waitingBytes += change
  }

  /// Tells once that hashes are wanted, where there are any to be had.
  private func ask(_ work: PieceWork) {
    guard geometry.kind.hasV2, !work.askedForHashes, !work.isWhole else { return }
    work.askedForHashes = true
    notices.append(.wantsHashes(work.piece))
  }

  /// What is held of a piece; begun with what the store says of it.
  func work(for piece: PieceIndex) -> PieceWork {
    if let work = works[piece] { return work }
    let work = PieceWork(
      piece: piece, blocks: geometry.blocks(of: piece), isWhole: geometry.kind == .v1)
    for (position, block) in work.blocks.enumerated() {
      if geometry.kind == .v1, geometry.dataLength(of: block) == 0 {
        work.move(position, to: .padding)
        continue
      }
      switch store.standing(of: block) {
      case .missing: break
      case .claimed: work.move(position, to: .disk)
      case .verified: work.move(position, to: .here)
      }
    }
    works[piece] = work
    return work
  }

  /// Goes on with a piece of which something changed.
  func settle(_ work: PieceWork) {
    guard work.judgement == nil else { return }
    if work.isIdle {
      works[work.piece] = nil
    } else if work.isComplete {
      beginJudging(work)
    }
  }

  /// Lets go of a block in memory.
  func takeWaiting(_ position: Int, of work: PieceWork) -> BufferHandle? {
    guard work.slots[position].place == .memory, let buffer = work.slots[position].buffer else {
      return nil
    }
    if work.isWaiting {
      waitingBytes -= blockLength
      budget.waitingBytes -= blockLength
    }
    work.move(position, to: .missing)
    return buffer
  }

  /// Hashes became known: what waited for them can be judged.
  func judgeWaiting(_ work: PieceWork) {
    guard work.judgement == nil, let first = treePiece(of: work.piece) else { return }
    let shape = trees[first.tree].shape
    var hasClaims = false
    for (position, block) in work.blocks.enumerated() {
      let slot = work.slots[position]
      if slot.place == .disk { hasClaims = true }
      guard slot.place == .memory, let digest = slot.digest,
        let leaf = shape.leaf(first.leaves.lowerBound + position)
      else { continue }
      switch trees[first.tree].verdict(leaf: leaf, digest: digest) {
      case .needsHashes: break
      case .verified:
        acquit(slot.sender)
        if let buffer = takeWaiting(position, of: work) { accept(block, buffer) }
      case .mismatch:
        if let buffer = takeWaiting(position, of: work) { refuse(block, buffer, slot.sender) }
      }
    }
    if hasClaims { claims.add(pieces(of: work.blocks)) }
    settle(work)
  }

  /// What the store says of the piece's blocks is not what it was.
  func reset(_ work: PieceWork) {
    if work.judgement != nil {
      work.judgement?.isAbandoned = true
      return goOn(judging: work)
    }
    for (position, block) in work.blocks.enumerated() {
      let slot = work.slots[position]
      guard slot.place == .here || slot.place == .disk || slot.place == .missing else { continue }
      work.slots[position].digest = nil
      work.slots[position].examination = nil
      switch store.standing(of: block) {
      case .verified: work.move(position, to: .here)
      case .claimed: work.move(position, to: .disk)
      case .missing: work.move(position, to: .missing)
      }
    }
    if work.isIdle { works[work.piece] = nil }
  }

  /// On the way out: what has no verdict is dropped, but for what jobs hold.
  func dropWaiting() {
    for work in works.values.sorted(by: { $0.piece < $1.piece }) {
      if work.judgement != nil {
        work.judgement?.isAbandoned = true
        goOn(judging: work)
      } else {
        drop(work)
      }
    }
  }

  /// Gives up what is held of a piece.
  func drop(_ work: PieceWork) {
    for position in work.slots.indices {
      if let buffer = takeWaiting(position, of: work) { release(buffer) }
    }
    works[work.piece] = nil
  }
}
