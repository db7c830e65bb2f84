import Metainfo
import Store

/// What the piece store has to tell, and how many blocks of each piece are here.
extension Content {
  /// Counts are put right once all was taken: what the store knows is then what it told.
  func takeStoreNotices() {
    while let notice = store.nextNotice() { take(notice) }
    guard !doubtful.isEmpty else { return }
    let pieces = doubtful.sorted()
    doubtful = []
    for piece in pieces { recount(piece) }
  }

  private func take(_ notice: StoreNotice) {
    switch notice {
    case .opened: opened()
    case .stored(let block, let buffer):
      release(buffer)
      hasRoom()
      if isHere(block) { blockIsHere(block) } else { claimIsWritten(block) }
    case .read(let block, let buffer): didRead(block, buffer, nil)
    case .examined(let examination, let buffer): didRead(examination.block, buffer, examination)
    case .unread(let block, let buffer): didNotRead(block, buffer)
    case .dropped(let block, let buffer):
      if reading[buffer] == nil { didNotWrite(block, buffer) } else { didNotRead(block, buffer) }
    case .lost(let ranges): lost(ranges)
    case .changed(let file, let lost): changed(file, lost)
    case .claimed(let runs): canBeHere(runs)
    case .full(let failure):
      if !isFull { notices.append(.full(failure)) }
      isFull = true
    case .failed(let failure):
      notices.append(.diskFailed(failure))
      if !takesBlocks { examinesFrom = now + limits.examinationPause }
    case .closed: storeIsClosed = true
    }
  }

  private func opened() {
    switch mode {
    case .owned: store.createEmptyEntries()
    case .inPlace(let claimsAll): if claimsAll { store.claimAll() }
    case .proven(let leaves, let evidence):
      store.proveAll(evidence: evidence, now: now)
      keep(leaves)
    }
    store.forEachVerifiedRun { subtract($0) }
    if geometry.kind == .v1, geometry.streamLength != geometry.totalLength {
      for piece in geometry.pieces where missing[Int(piece.rawValue)] == 0 {
        provePadding(of: piece)
      }
    }
    if !isClosing { store.forEachClaimedRun { claims.add(pieces(of: $0)) } }
    notices.append(.opened)
  }

  func hasRoom() {
    guard isFull else { return }
    isFull = false
    notices.append(.hasRoom)
  }

  // MARK: Writes

  /// The block is verified and on disk, and was not before.
  func blockIsHere(_ block: BlockIndex) {
    let piece = geometry.piece(of: block)
    notices.append(.stored(block))
    if missing[Int(piece.rawValue)] > 0 {
      missing[Int(piece.rawValue)] -= 1
      if missing[Int(piece.rawValue)] == 0 { pieceIsHere(piece) }
    }
    guard !works.isEmpty, let work = works[piece] else { return }
    let position = work.position(of: block)
    if work.judgement != nil { return }
    // Bytes of it in memory came twice.
    if let buffer = takeWaiting(position, of: work) { release(buffer) }
    work.move(position, to: .here)
    settle(work)
  }

  private func pieceIsHere(_ piece: PieceIndex) {
    notices.append(.have(piece))
    if geometry.kind == .v1 { provePadding(of: piece) }
    if suspects[piece] != nil { findLiars(of: piece) }
  }

  private func provePadding(of piece: PieceIndex) {
    guard geometry.streamLength != geometry.totalLength else { return }
    for block in geometry.blocks(of: piece) where geometry.dataLength(of: block) == 0 {
      store.provePadding(block, now: now)
    }
  }

  private func claimIsWritten(_ block: BlockIndex) {
    guard let work = works[geometry.piece(of: block)] else {
      // Whoever waited for it is gone: whatever it is, it can be examined.
      claims.add(pieces(of: block))
      return
    }
    let position = work.position(of: block)
    guard work.slots[position].place == .writing else { return }
    work.move(position, to: .disk)
    settle(work)
  }

  private func didNotWrite(_ block: BlockIndex, _ buffer: BufferHandle) {
    release(buffer)
    if let work = works[geometry.piece(of: block)] {
      let position = work.position(of: block)
      if work.slots[position].place == .writing {
        work.move(position, to: .missing)
        settle(work)
      }
    }
    // A claim may have been proven while the write waited.
    if isHere(block) { blockIsHere(block) } else { notices.append(.missing(block)) }
  }

  // MARK: Reads

  /// Whether there is a buffer for reading back, within bounds.
  var hasBuffer: Bool {
    readBackBlocks * blockLength < limits.readBackBytes
      && pool.freeCount > min(limits.poolReserve, pool.count / 2)
  }

  func takeBuffer() -> BufferHandle? { hasBuffer ? pool.take() : nil }

  /// Begins to read a block back; false when it is neither verified nor claimed any more.
  func readBack(_ block: BlockIndex, into buffer: BufferHandle, for purpose: ReadPurpose) -> Bool {
    let isRead =
      if let verified = store.proof(of: block) {
        store.read(verified, into: buffer)
      } else {
        store.examine(block, into: buffer)
      }
    guard isRead else {
      pool.give(buffer)
      return false
    }
    reading[buffer] = purpose
    readBackBlocks += 1
    return true
  }

  /// A buffer that was read back is not needed any more.
  func giveBack(_ buffer: BufferHandle) {
    readBackBlocks -= 1
    pool.give(buffer)
  }

  private func didRead(_ block: BlockIndex, _ buffer: BufferHandle, _ examination: Examination?) {
    switch reading.removeValue(forKey: buffer) {
    case nil: preconditionFailure("block \(block) was read by nobody")
    case .peer(let tag)?: notices.append(.read(tag: tag, block, buffer))
    case .work(let work)? where work.judgement?.method != .tree:
      work.slots[work.position(of: block)].examination = examination
      didReadRun(work)
    case let purpose?:
      readBack.append(
        ReadBack(block: block, buffer: buffer, examination: examination, purpose: purpose))
      if readBack.count >= limits.blocksPerJob { flushReadBack() }
    }
  }

  private func didNotRead(_ block: BlockIndex, _ buffer: BufferHandle) {
    switch reading.removeValue(forKey: buffer) {
    case nil: preconditionFailure("block \(block) was read by nobody")
    case .peer(let tag)?: notices.append(.unread(tag: tag, block, buffer))
    case .claim?:
      examining.remove(block)
      giveBack(buffer)
    case .work(let work)?:
      work.judgement?.isAbandoned = true
      if work.judgement?.method == .tree {
        giveBack(buffer)
        work.judgement?.outstanding -= 1
        goOn(judging: work)
      } else {
        didReadRun(work)
      }
    case .answer(let hashing)?:
      giveBack(buffer)
      hashing.isAbandoned = true
      hashing.outstanding -= 1
      endIfDone(hashing)
    }
    note(unreadable: block)
  }

  /// The disk did not give the block, or what it gave is not to be trusted.
  private func note(unreadable block: BlockIndex) {
    guard !isClosing else { return }
    switch store.standing(of: block) {
    case .verified: break
    case .claimed:
      doubtful.insert(geometry.piece(of: block))
      claims.add(pieces(of: block))
    case .missing:
      doubtful.insert(geometry.piece(of: block))
      if !store.isBeingWritten(block) { notices.append(.missing(block)) }
    }
  }

  /// What was read back becomes a hash job.
  func flushReadBack() {
    guard !readBack.isEmpty else { return }
    let parts = readBack.map {
      HashPart(buffer: $0.buffer, length: geometry.dataLength(of: $0.block))
    }
    submit(.leaves(parts), for: .readBack(readBack))
    readBack = []
  }

  // MARK: Counting

  private func lost(_ ranges: [BlockRange]) {
    for range in ranges {
      for number in pieces(of: range) {
        if let piece = geometry.piece(number) { doubtful.insert(piece) }
      }
    }
    notices.append(.lost(ranges))
  }

  /// Nothing of the file is here any more.
  private func changed(_ file: FileIndex, _ lost: [BlockRange]) {
    notices.append(.changed(file))
    // In v1 torrents the runs are those of all files.
    let touched = geometry.kind.hasV2 ? geometry.pieces(of: file) : geometry.pieces
    for piece in touched { missing[Int(piece.rawValue)] = UInt16(blockCount(of: piece)) }
    store.forEachVerifiedRun(of: file) { subtract($0) }
    if !works.isEmpty {
      for piece in geometry.pieces(of: file) {
        if let work = works[piece] { reset(work) }
      }
    }
    if !lost.isEmpty { notices.append(.lost(lost)) }
  }

  /// These blocks were missing, and may be here now.
  private func canBeHere(_ runs: [BlockRange]) {
    guard !isClosing else { return }
    for run in runs {
      let pieces = pieces(of: run)
      for number in works.isEmpty ? 0..<0 : pieces {
        if let piece = geometry.piece(number), let work = works[piece] { reset(work) }
      }
      claims.add(pieces)
    }
  }

  private func ceiling(_ block: UInt32) -> UInt32 {
    (block + geometry.blocksPerPiece - 1) / geometry.blocksPerPiece * geometry.blocksPerPiece
  }

  /// Counts a piece anew after blocks of it ceased to be here; tells what is not.
  func recount(_ piece: PieceIndex) {
    let number = Int(piece.rawValue)
    let before = missing[number]
    missing[number] = 0
    var gone: [BlockRange] = []
    let blocks = geometry.blocks(of: piece)
    for (position, block) in blocks.enumerated()
    where !isHere(block) && geometry.dataLength(of: block) > 0 {
      missing[number] += 1
      gone.append(blocks.part(position..<position + 1))
    }
    if missing[number] > before { notices.append(.lost(gone)) }
    if let work = works[piece] { reset(work) }
  }

  /// These blocks are here.
  private func subtract(_ run: BlockRange) {
    let perPiece = geometry.blocksPerPiece
    var number = run.lowerBound
    while number < run.upperBound {
      let end = min(run.upperBound, ceiling(number + 1))
      if let piece = geometry.piece(number / perPiece) {
        let blocks = geometry.blocks(of: piece)
        let here = (number..<end).clamped(to: blocks.lowerBound..<blocks.upperBound)
        let first = Int(here.lowerBound - blocks.lowerBound)
        missing[Int(piece.rawValue)] -= UInt16(
          blockCount(of: piece) == blocks.count
            ? here.count
            : blocks.part(first..<first + here.count)
              .reduce(0) { $0 + (geometry.dataLength(of: $1) > 0 ? 1 : 0) })
      }
      number = end
    }
  }

  func pieces(of block: BlockIndex) -> Range<UInt32> {
    let piece = block.rawValue / geometry.blocksPerPiece
    return piece..<piece + 1
  }

  func pieces(of run: BlockRange) -> Range<UInt32> {
    guard !run.isEmpty else { return 0..<0 }
    let perPiece = geometry.blocksPerPiece
    return run.lowerBound / perPiece..<(run.upperBound - 1) / perPiece + 1
  }
}
