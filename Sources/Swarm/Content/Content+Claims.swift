import Metainfo
import Store

/// What is said to be here and was not hashed since: after an unclean stop, in the user's folder,
/// and blocks that did not fit in memory while they waited. Examined in the background.
///
/// A claim is read only if the verdict can be had now: by its leaf, or, where all blocks of the
/// piece are here, by the piece. Others wait until hashes or blocks come.
extension Content {
  /// Examines claims as far as buffers reach.
  func pumpClaims() {
    while examinesFrom == nil, judging.count < limits.judgedPieces, let number = claims.first() {
      guard let piece = geometry.piece(number), works[piece]?.judgement == nil else {
        claims.removeFirst()
        continue
      }
      guard let block = nextClaim(of: piece) else {
        claims.removeFirst()
        continue
      }
      guard isLeafKnown(block) else {
        claims.removeFirst()
        judgeClaims(of: piece)
        continue
      }
      // Two at once would each make the other's verdict come too late, for ever.
      guard !examining.contains(block) else {
        claims.position += 1
        continue
      }
      guard let buffer = takeBuffer() else { return }
      claims.position += 1
      if readBack(block, into: buffer, for: .claim) { examining.insert(block) }
    }
  }

  /// The first claimed block from `claims.position` on, to which that is moved.
  private func nextClaim(of piece: PieceIndex) -> BlockIndex? {
    let blocks = geometry.blocks(of: piece)
    while claims.position < blocks.count {
      let block = blocks[claims.position]
      if store.standing(of: block) == .claimed {
        guard geometry.dataLength(of: block) == 0 else { return block }
        store.provePadding(block, now: now)
      }
      claims.position += 1
    }
    return nil
  }

  private func isLeafKnown(_ block: BlockIndex) -> Bool {
    guard let leaf = geometry.leaf(of: block) else { return false }
    let tree = trees[Int(treeOfFile[Int(leaf.file.rawValue)])]
    return tree.hash(of: MerkleNode(layer: 0, index: Int(leaf.leaf.rawValue))) != nil
  }

  /// Judges a piece as a whole, if all of it is here.
  private func judgeClaims(of piece: PieceIndex) {
    let isAllHere = geometry.blocks(of: piece).allSatisfy {
      geometry.dataLength(of: $0) == 0 || store.standing(of: $0) != .missing
    }
    if isAllHere {
      let work = work(for: piece)
      work.isWhole = true
      settle(work)
      if work.judgement != nil { return }
    }
    // The rest of the piece is missing, or its own hash: only peers can help.
    if geometry.kind.hasV2 { notices.append(.wantsHashes(piece)) }
  }

  /// The verdict on a claimed block by its leaf.
  func judgeClaim(_ claim: ReadBack, _ digest: SHA256Digest) {
    examining.remove(claim.block)
    guard let examination = claim.examination, let leaf = geometry.leaf(of: claim.block) else {
      return
    }
    let tree = Int(treeOfFile[Int(leaf.file.rawValue)])
    let verdict = trees[tree].verdict(leaf: leaf.leaf, digest: digest)
    // They were here when the block was read.
    if case .needsHashes = verdict { return claims.add(pieces(of: claim.block)) }
    let work = works[geometry.piece(of: claim.block)]
    let slot = work.map { $0.slots[$0.position(of: claim.block)] }
    // What the disk made of it is not the sender's fault.
    let sender = slot.flatMap { $0.sent == digest ? $0.sender : nil }
    judge(examination, isRight: verdict == .verified)
    if verdict == .mismatch, let sender { notices.append(.culpritFound(sender)) }
  }

  /// The verdict on a claim.
  func judge(_ examination: Examination, isRight: Bool) {
    let block = examination.block
    let isHeeded = store.judge(examination, isRight: isRight, now: now)
    // A write that waits tells what becomes of the block.
    if store.isBeingWritten(block) { return }
    switch store.standing(of: block) {
    case .verified: if isHeeded { blockIsHere(block) }
    case .claimed: claims.add(pieces(of: block))
    case .missing:
      notices.append(.missing(block))
      if let work = works[geometry.piece(of: block)], work.judgement == nil { reset(work) }
    }
  }
}
