import Metainfo

/// How content in place gets well again: files of which something is missing are looked at from time
/// to time, and when one does not look as it did, all of it is examined anew.
///
/// What holds besides the store's own invariants: nothing of a file that changed is believed, or even
/// read, before the file looked the same for `LookPolicy.quiet`; a block is a claim only if all files
/// that it has bytes of are long enough to hold them.
extension PieceStore {
  // MARK: When

  /// Something of the file is missing: it is looked at until nothing is.
  mutating func watch(_ file: FileIndex) {
    guard owned == nil, phase == .running, watches[file] == nil else { return }
    watches[file] = FileWatch()
    lookDelay = policy.looks.first
    let due = now + lookDelay
    nextRound = nextRound.map { min($0, due) } ?? due
  }

  /// The block is missing.
  mutating func watchFiles(of block: BlockIndex) {
    guard owned == nil else { return }
    for span in layout.geometry.spans(of: block) {
      if let file = span.file { watch(file) }
    }
  }

  /// Watches all files of which something is missing.
  mutating func watchMissing() {
    guard owned == nil else { return }
    for index in maps.indices where maps[index].isOpen {
      for file in layout.maps[index].files
      where maps[index].map.isMissingAny(of: layout.range(of: file)) { watch(file) }
    }
  }

  /// When a file is to be looked at; nil for never.
  var lookDeadline: Duration? {
    guard phase == .running else { return nil }
    let quiet = settling.first?.until
    guard let nextRound else { return quiet }
    return quiet.map { min($0, nextRound) } ?? nextRound
  }

  /// Queues what is due.
  mutating func queueLooks() {
    guard phase == .running else { return }
    while let first = settling.first, first.until <= now {
      _ = settling.popFirst()
      if watches[first.file]?.quietUntil == first.until { queueLook(first.file) }
    }
    guard let round = nextRound, round <= now else { return }
    nextRound = nil
    for (file, watch) in watches.sorted(by: { $0.key < $1.key }) where !watch.isLookedAt {
      let index = mapIndex(of: file)
      if watch.quietUntil == nil, !maps[index].map.isMissingAny(of: layout.range(of: file)) {
        watches[file] = nil
      } else {
        queueLook(file)
      }
    }
    guard !watches.isEmpty else { return }
    nextRound = now + lookDelay
    lookDelay = min(lookDelay * 2, policy.looks.longest)
  }

  /// Looks at a watched file as soon as can be.
  private mutating func queueLook(_ file: FileIndex) {
    guard watches[file]?.isLookedAt == false else { return }
    watches[file]?.isLookedAt = true
    looks.append(file)
  }

  /// The next look, as far as the bound on their number allows.
  mutating func nextLook() -> (DiskAction, Work)? {
    guard phase == .running, looksUnderWay < PieceStoreLimits.looks, let file = looks.popFirst()
    else { return nil }
    looksUnderWay += 1
    return (.examine(file), .look(file))
  }

  // MARK: What is seen

  /// A look has ended. A file that cannot be looked at counts as one that is not there.
  mutating func looked(_ file: FileIndex, _ result: Result<DiskCompletion.Value, DiskFailure>) {
    looksUnderWay -= 1
    watches[file]?.isLookedAt = false
    let index = mapIndex(of: file)
    guard phase == .running, maps[index].isOpen else { return }
    let place = layout.maps[index].place(of: file)
    var evidence: FileEvidence?
    switch result {
    case .success(.evidence(let found)): evidence = found.first ?? nil
    case .success: break
    case .failure(let failure):
      if maps[index].baseline[place] != nil { notices.append(.failed(failure)) }
    }
    if maps[index].baseline[place] != evidence {
      noteEvidence(evidence, place, index)
    } else if let until = watches[file]?.quietUntil {
      guard until <= now else { return }
      watches[file]?.quietUntil = nil
      claim(file, index)
    } else if let due = watches[file]?.retryAt, due <= now, evidence != nil {
      watches[file]?.retryAt = nil
      claim(file, index)
    }
  }

  /// What a file in place looks like now. After a change nothing of it is believed, and all of it is
  /// examined once it has stayed so for a while.
  mutating func noteEvidence(_ evidence: FileEvidence?, _ place: Int, _ index: Int) {
    guard maps[index].baseline[place] != evidence else { return }
    let file = layout.maps[index].files[place]
    maps[index].baseline[place] = evidence
    maps[index].epoch += 1
    maps[index].examinations = [:]
    var lost: [BlockRange] = []
    let blocks = maps[index].map.blocks
    maps[index].forget(layout.members(of: file)).forEachRun { lost.append(blocks.part($0)) }
    becameDirty(index, bytes: 0)
    hasChanged(file, isThere: evidence != nil, lost: lost)
  }

  /// The file is to look the same for a while, if it is there.
  mutating func hasChanged(_ file: FileIndex, isThere: Bool, lost: [BlockRange]) {
    notices.append(.changed(file, lost: lost))
    watch(file)
    guard watches[file] != nil else { return }
    watches[file]?.retryAt = nil
    watches[file]?.retryDelay = .zero
    watches[file]?.quietUntil = isThere ? now + policy.looks.quiet : nil
    if isThere { settling.append((file, now + policy.looks.quiet)) }
    lookDelay = policy.looks.first
    nextRound = nextRound.map { min($0, now + lookDelay) }
  }

  /// The disk did not give a block: its files are looked at, since they may be gone, and read again
  /// some time, at ever longer intervals, even if they look as they did.
  mutating func wasUnreadable(_ block: BlockIndex) {
    guard owned == nil else { return }
    for span in layout.geometry.spans(of: block) {
      guard let file = span.file else { continue }
      watch(file)
      if let watch = watches[file], watch.retryAt.map({ $0 <= now }) ?? true {
        let delay = min(max(policy.looks.first, watch.retryDelay * 2), policy.looks.longestRetry)
        watches[file]?.retryDelay = delay
        watches[file]?.retryAt = now + delay
      }
      queueLook(file)
    }
  }

  // MARK: Claims

  /// All of the file's blocks that are missing and can be there become claims.
  private mutating func claim(_ file: FileIndex, _ index: Int) {
    var claimed: [BlockRange] = []
    let blocks = maps[index].map.blocks
    var present = BlockSet(capacity: blocks.count)
    insertPresent(file, index, into: &present)
    maps[index].map.claim(present).forEachRun { claimed.append(blocks.part($0)) }
    if !claimed.isEmpty { notices.append(.claimed(claimed)) }
  }

  /// Adds the file's blocks whose bytes can be there, as members of its map: by the lengths of all
  /// files that they have bytes of, none of which has changed just now.
  private func insertPresent(_ file: FileIndex, _ index: Int, into present: inout BlockSet) {
    let range = layout.range(of: file)
    let blocks = layout.maps[index].blocks
    func isPresent(_ number: Int) -> Bool {
      layout.geometry.spans(of: blocks[number]).allSatisfy { span in
        guard let file = span.file else { return true }
        guard let evidence = maps[index].baseline[layout.maps[index].place(of: file)],
          watches[file]?.quietUntil == nil
        else { return false }
        return evidence.size >= span.offset + span.length
      }
    }
    // Other files have a part of the first and the last block at most; between them the blocks
    // that are there come first.
    let inner = range.dropFirst().dropLast()
    var (low, high) = (inner.lowerBound, inner.upperBound)
    while low < high {
      let middle = low + (high - low) / 2
      if isPresent(middle) { low = middle + 1 } else { high = middle }
    }
    if !inner.isEmpty { present.insert(inner.lowerBound..<low) }
    for number in [range.lowerBound, range.upperBound - 1] where isPresent(number) {
      present.insert(number)
    }
  }

  /// The members of a map whose bytes can be there.
  func present(_ index: Int) -> BlockSet {
    let capacity = layout.maps[index].blocks.count
    guard owned == nil else { return BlockSet(capacity: capacity, range: 0..<capacity) }
    var present = BlockSet(capacity: capacity)
    for file in layout.maps[index].files { insertPresent(file, index, into: &present) }
    return present
  }

  func mapIndex(of file: FileIndex) -> Int { layout.map(of: layout.geometry.blocks(of: file)[0]) }
}
