import Metainfo
import Store

/// Blocks from peers, and the verdict on each by its leaf. BEP 52.
extension Content {
  /// A block came from a peer, its bytes from the start of the buffer, which is ours until
  /// `.release`.
  func receive(
    _ block: BlockIndex, in buffer: BufferHandle, from sender: ConnectionID, now: Duration
  ) {
    hold()
    guard isOpen, !isClosing, takesBlocks else {
      release(buffer)
      notices.append(.missing(block))
      return
    }
    if isHere(block) { return release(buffer) }
    guard geometry.kind.hasV2 else {
      wait(Arrival(block: block, buffer: buffer, sender: sender), digest: nil)
      return
    }
    arriving.append(Arrival(block: block, buffer: buffer, sender: sender))
    if arriving.count >= limits.blocksPerJob { flush() }
  }

  /// The end of a run of `receive`: what came becomes a hash job.
  func flush() {
    if !spilling.isEmpty {
      let parts = spilling.map {
        HashPart(buffer: $0.buffer, length: geometry.dataLength(of: $0.block))
      }
      submit(.leaves(parts), for: .spilled(spilling))
      spilling = []
    }
    guard !arriving.isEmpty else { return }
    let parts = arriving.map {
      HashPart(buffer: $0.buffer, length: geometry.dataLength(of: $0.block))
    }
    submit(.leaves(parts), for: .arrivals(arriving))
    arriving = []
    arriving.reserveCapacity(limits.blocksPerJob)
  }

  /// A hash job has ended. Precondition: it is one of this content's, and did not end before.
  func hashed(_ id: HashJobID, _ result: HashResult, now: Duration) {
    self.now = max(self.now, now)
    guard let job = jobs.removeValue(forKey: id) else {
      preconditionFailure("hash job \(id.rawValue) is not under way")
    }
    switch (job, result) {
    case (.arrivals(let arrivals), .leaves(let digests)):
      precondition(digests.count == arrivals.count)
      for index in arrivals.indices { judge(arrivals[index], digests[index]) }
    case (.readBack(let blocks), .leaves(let digests)):
      precondition(digests.count == blocks.count)
      for (block, digest) in zip(blocks, digests) { judge(block, digest) }
    case (.digests(let work, let positions), .leaves(let digests)):
      precondition(digests.count == positions.count)
      for (position, digest) in zip(positions, digests) { note(digest, at: position, of: work) }
      ran(work)
    case (.spilled(let arrivals), .leaves(let digests)):
      precondition(digests.count == arrivals.count)
      for index in arrivals.indices { didHashSpilled(arrivals[index], digests[index]) }
    case (.pieceRun(let work), .piece(let digest)):
      work.judgement?.digest = digest
      ran(work)
    case (.pieceRun(let work), .more): ran(work)
    default: preconditionFailure("a result of another kind of job")
    }
    goOn()
  }

  /// The verdict on a block that came.
  private func judge(_ arrival: Arrival, _ digest: SHA256Digest) {
    guard let leaf = geometry.leaf(of: arrival.block) else {
      preconditionFailure("blocks of v1 torrents have no leaves")
    }
    let tree = Int(treeOfFile[Int(leaf.file.rawValue)])
    switch trees[tree].verdict(leaf: leaf.leaf, digest: digest) {
    case .verified:
      acquit(arrival.sender)
      accept(arrival.block, arrival.buffer)
    case .mismatch: refuse(arrival.block, arrival.buffer, arrival.sender)
    case .needsHashes: wait(arrival, digest: digest)
    }
  }

  /// The verdict on a block that was read back, or the use of its hash.
  private func judge(_ readBack: ReadBack, _ digest: SHA256Digest) {
    giveBack(readBack.buffer)
    switch readBack.purpose {
    case .peer: preconditionFailure("what peers read is not hashed")
    case .claim: judgeClaim(readBack, digest)
    case .work(let work):
      let position = work.position(of: readBack.block)
      note(digest, at: position, of: work)
      work.slots[position].examination = readBack.examination
      ran(work)
    case .answer(let hashing): hashed(readBack.block, digest, in: hashing)
    }
  }

  /// The block is right: to disk with it.
  func accept(_ block: BlockIndex, _ buffer: BufferHandle) {
    if isFull, heldBytes > limits.heldWhenFull, !isHere(block), !isBeingWritten(block) {
      // For who waits for it now; it is not kept.
      notices.append(.verified(block, buffer))
      release(buffer)
      return notices.append(.missing(block))
    }
    switch store.write(block, from: buffer, isHashed: true) {
    case .queued: notices.append(.verified(block, buffer))
    case .alreadyThere: release(buffer)
    case .refused:
      release(buffer)
      notices.append(.missing(block))
    }
  }

  /// The block is wrong by its own leaf.
  func refuse(_ block: BlockIndex, _ buffer: BufferHandle, _ sender: ConnectionID?) {
    release(buffer)
    if isHere(block) || store.isBeingWritten(block) {
      if let sender { notices.append(.culpritFound(sender)) }
    } else {
      notices.append(.failed(block, culprit: sender))
    }
  }

  /// Reads a block for a peer. False when it is not here, or the content is closing: the buffer
  /// stays the caller's; else it comes back in `.read` or `.unread`, with `tag`.
  func read(_ block: BlockIndex, into buffer: BufferHandle, tag: UInt64) -> Bool {
    guard !isClosing, let verified = store.proof(of: block), store.read(verified, into: buffer)
    else { return false }
    reading[buffer] = .peer(tag)
    return true
  }
}
