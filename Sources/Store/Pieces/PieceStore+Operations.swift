import Metainfo

/// What the disk is to do next.
extension PieceStore {
  /// The next operation for the disk, nil when there is none now: more can come after a completion.
  public mutating func nextOperation() -> DiskOperation? {
    guard inFlight.count < PieceStoreLimits.operations else { return nil }
    if let operation = takeOperation() { return operation }
    closeIfIdle()
    return takeOperation()
  }

  private mutating func takeOperation() -> DiskOperation? {
    guard
      let (action, work) = control.popFirst() ?? nextLook() ?? nextRead() ?? nextWrite()
        ?? control.popFirst() ?? nextLoad()
    else { return nil }
    let id = takeSerial()
    inFlight[id] = work
    return DiskOperation(id: id, action: action)
  }

  private mutating func nextLoad() -> (DiskAction, Work)? {
    guard nextMapToLoad < maps.count else { return nil }
    nextMapToLoad += 1
    return load(nextMapToLoad - 1)
  }

  mutating func load(_ index: Int) -> (DiskAction, Work) {
    maps[index].stage = .loading
    let map = layout.maps[index]
    return (.loadMap(map.name, slotCapacity: map.slotCapacity), .load(map: index))
  }

  // MARK: Reads

  private mutating func nextRead() -> (DiskAction, Work)? {
    while let first = reads.popFirst() {
      guard isStillWanted(first) else {
        refuse(first)
        continue
      }
      let index = layout.map(of: first.block)
      var run = [first]
      while run.count < PieceStoreLimits.blocksPerTransfer, let next = reads.first,
        !first.isAlone, !next.isAlone, (next.examination == nil) == (first.examination == nil),
        next.block.rawValue == run[run.count - 1].block.rawValue &+ 1,
        layout.map(of: next.block) == index, isStillWanted(next)
      {
        run.append(next)
        _ = reads.popFirst()
      }
      let parts = parts(of: run.lazy.map { ($0.block, $0.buffer) })
      return (
        .read(parts, reportsEvidence: owned == nil),
        .read(run, map: index, epoch: maps[index].epoch)
      )
    }
    return nil
  }

  private func isStillWanted(_ read: PendingRead) -> Bool {
    guard let examination = read.examination else { return verified(read.block) != nil }
    return maps[layout.map(of: read.block)].examinations[read.block] == examination
  }

  /// Gives back the buffer of a read that is not carried out.
  mutating func refuse(_ read: PendingRead) {
    notices.append(
      read.examination == nil ? .unread(read.block, read.buffer) : .dropped(read.block, read.buffer)
    )
  }

  // MARK: Writes

  private mutating func nextWrite() -> (DiskAction, Work)? {
    guard let owned, fullUntil == nil else { return nil }
    while let block = writeOrder.popFirst() {
      guard let first = pendingWrites[block] else { continue }
      let index = layout.map(of: block)
      guard isReadyForWrite(block, index, owned) else {
        maps[index].waiting.append(block)
        continue
      }
      let run = takeRun(around: first, index, owned)
      for write in run {
        pendingWrites[write.block] = nil
        writing.insert(write.block)
        // From here on the bytes in the file are neither the old ones nor the new ones.
        maps[index].forget(write.block)
      }
      let parts = parts(of: run.lazy.map { ($0.block, $0.buffer) })
      return (.write(parts, owned), .write(run, map: index, epoch: maps[index].epoch))
    }
    return nil
  }

  /// The queued neighbours of a queued block, as far as they can be written at once.
  private mutating func takeRun(
    around first: PendingWrite, _ index: Int, _ owned: OwnedContent
  ) -> [PendingWrite] {
    var before: [PendingWrite] = []
    var after: [PendingWrite] = []
    var limit = PieceStoreLimits.blocksPerTransfer - 1
    let position = layout.maps[index].blocks.position(of: first.block) ?? 0
    let blocks = layout.maps[index].blocks
    var next = position + 1
    while limit > 0, next < blocks.count, let write = pendingWrites[blocks[next]],
      isReadyForWrite(write.block, index, owned)
    {
      after.append(write)
      next += 1
      limit -= 1
    }
    var previous = position - 1
    while limit > 0, previous >= 0, let write = pendingWrites[blocks[previous]],
      isReadyForWrite(write.block, index, owned)
    {
      before.append(write)
      previous -= 1
      limit -= 1
    }
    return before.reversed() + [first] + after
  }

  /// Whether the block can go to disk now. If not, what it waits for is set in motion.
  private mutating func isReadyForWrite(
    _ block: BlockIndex, _ index: Int, _ owned: OwnedContent
  ) -> Bool {
    guard maps[index].isOpen else { return false }
    if maps[index].diskIsClean {
      // The promise of the last clean stop must be gone from the medium before a byte changes.
      if maps[index].pass == nil { startPass(index, isClean: false) }
      return false
    }
    var isReady = true
    for span in layout.geometry.spans(of: block) {
      guard let file = span.file, !files[Int(file.rawValue)].isThere else { continue }
      isReady = false
      guard !files[Int(file.rawValue)].isBeingCreated else { continue }
      files[Int(file.rawValue)].isBeingCreated = true
      let entry = layout.entries[Int(file.rawValue)]
      control.append(
        (
          .create(
            file, length: entry.length, isExecutable: entry.attributes.contains(.executable), owned),
          .create(file)
        ))
    }
    return isReady
  }

  /// Queues again what waited for the map.
  mutating func wake(_ index: Int) {
    let waiting = maps[index].waiting
    maps[index].waiting = []
    for block in waiting { writeOrder.append(block) }
  }

  private func parts(
    of run: some Collection<(BlockIndex, BufferHandle)>
  ) -> [TransferPart] {
    var parts: [TransferPart] = []
    parts.reserveCapacity(run.count)
    for (block, buffer) in run {
      var offset: UInt32 = 0
      for span in layout.geometry.spans(of: block) {
        parts.append(
          TransferPart(
            file: span.file, offset: span.offset, length: UInt32(span.length), buffer: buffer,
            bufferOffset: offset))
        offset += UInt32(span.length)
      }
    }
    return parts
  }
}
