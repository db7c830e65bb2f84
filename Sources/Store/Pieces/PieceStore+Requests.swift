import Metainfo

/// What the swarm asks of the store.
extension PieceStore {
  /// What became of a wish to write.
  public enum Admission: Hashable, Sendable {
    /// The buffer is the store's until a notice gives it back.
    case queued
    /// The block is verified, or a write of it is under way: the buffer stays the caller's.
    case alreadyThere
    /// The content is not ours to write, or the store is closing: the buffer stays the caller's.
    case refused
  }

  /// Begins to load the block maps. `.opened` tells when that is done; a map that cannot be read is
  /// tried again from time to time until then.
  public mutating func open(now: Duration) {
    advance(to: now)
    nextMapToLoad = 0
    if maps.isEmpty { notices.append(.opened) }
  }

  /// Says of everything that is not verified that it is there, as far as files are long enough: for
  /// content that was not made by this store. Precondition: `isOpen`.
  public mutating func claimAll() {
    precondition(isOpen)
    for index in maps.indices where maps[index].isOpen {
      let claimed = present(index)
      _ = maps[index].map.claim(claimed)
    }
    watchMissing()
  }

  /// Makes the entries without bytes, which no write would make: empty files and symlinks.
  public mutating func createEmptyEntries() {
    guard let owned, phase == .running else { return }
    for (file, entry) in zip(layout.geometry.files, layout.entries) where entry.length == 0 {
      let action: DiskAction =
        if let target = entry.symlinkTarget {
          .createSymlink(
            file, text: ContentLayout.linkText(from: entry.path, to: target), owned)
        } else {
          .create(file, length: 0, isExecutable: entry.attributes.contains(.executable), owned)
        }
      control.append((action, .createEmpty))
    }
  }

  /// Writes a block from the start of `buffer`, which holds what the block's spans say, padding
  /// included.
  ///
  /// - Parameter isHashed: whether the bytes were hashed and are right. If not, the block is a claim
  ///   once it is written, to be examined: blocks of v1 pieces, which have no hash of their own.
  public mutating func write(
    _ block: BlockIndex, from buffer: BufferHandle, isHashed: Bool
  ) -> Admission {
    guard owned != nil, phase == .running else { return .refused }
    guard pendingWrites[block] == nil, !writing.contains(block), verified(block) == nil else {
      return .alreadyThere
    }
    pendingWrites[block] = PendingWrite(block: block, buffer: buffer, isHashed: isHashed)
    writeOrder.append(block)
    return .queued
  }

  /// Reads a verified block into the start of `buffer`, padding as zeros. False when the block is
  /// not verified any more, or the store is closing: the buffer stays the caller's.
  public mutating func read(_ block: VerifiedBlock, into buffer: BufferHandle) -> Bool {
    guard phase == .running, verified(block.block) != nil else { return false }
    reads.append(PendingRead(block: block.block, buffer: buffer, examination: nil))
    return true
  }

  /// Reads a claimed block into the start of `buffer` for hashing. False when the block is no claim,
  /// or the store is closing: the buffer stays the caller's.
  public mutating func examine(_ block: BlockIndex, into buffer: BufferHandle) -> Bool {
    guard phase == .running, state(of: block) == .claimed else { return false }
    let examination = Examination(block: block, id: takeSerial())
    maps[layout.map(of: block)].examinations[block] = examination
    reads.append(PendingRead(block: block, buffer: buffer, examination: examination))
    return true
  }

  /// The verdict on an examined block: verified, or missing. False when it comes too late, because
  /// the bytes may have changed since.
  @discardableResult
  public mutating func judge(
    _ examination: Examination, isRight: Bool, now: Duration
  ) -> Bool {
    advance(to: now)
    let block = examination.block
    let index = layout.map(of: block)
    guard phase == .running, maps[index].examinations[block] == examination else { return false }
    maps[index].examinations[block] = nil
    if isRight {
      maps[index].map.prove(block)
      needSync(block)
    } else {
      maps[index].forget(block)
      watchFiles(of: block)
    }
    becameDirty(index, bytes: isRight ? UInt64(layout.geometry.dataLength(of: block)) : 0)
    return true
  }

  /// Begins to stop: what was asked for is carried out, then every map is made durable as clean.
  /// `.closed` tells when that is done.
  public mutating func close(now: Duration) {
    advance(to: now)
    guard phase == .running else { return }
    phase = .closing
    nextMapToLoad = maps.count
    for index in maps.indices { wake(index) }
  }

  /// Time passed.
  public mutating func handleTimeout(now: Duration) { advance(to: now) }

  /// Something of the map is to be made durable.
  mutating func becameDirty(_ index: Int, bytes: UInt64) {
    maps[index].dirtyBytes += bytes
    if maps[index].dirtySince == nil {
      maps[index].dirtySince = now
      dirtyOrder.append((index, now))
    }
    if maps[index].dirtyBytes >= policy.bytes, maps[index].pass == nil, phase == .running {
      startPass(index, isClean: false)
    }
  }

  /// The files that hold the block have bytes that the medium may not have.
  mutating func needSync(_ block: BlockIndex) {
    for span in layout.geometry.spans(of: block) {
      if let file = span.file { files[Int(file.rawValue)].needsSync = true }
    }
  }

  mutating func takeSerial() -> UInt64 {
    nextSerial += 1
    return nextSerial
  }

  /// Moves the clock on, and begins what is due.
  mutating func advance(to now: Duration) {
    self.now = max(self.now, now)
    if let until = fullUntil, until <= self.now { fullUntil = nil }
    queueLooks()
    retryMaps()
    while let first = dirtyOrder.first {
      let isStale = maps[first.map].dirtySince != first.since
      guard isStale || first.since + policy.interval <= self.now else { return }
      _ = dirtyOrder.popFirst()
      if isStale || phase != .running { continue }
      if maps[first.map].pass == nil {
        startPass(first.map, isClean: false)
      } else {
        // One at a time: wait another interval for the one under way.
        maps[first.map].dirtySince = self.now
        dirtyOrder.append((first.map, self.now))
      }
    }
  }
}
