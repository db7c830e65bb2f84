import Metainfo

/// How maps come from disk at the start, and go clean at the end.
extension PieceStore {
  mutating func loaded(_ index: Int, _ result: Result<DiskCompletion.Value, DiskFailure>) {
    let map = layout.maps[index]
    var slot: BlockMapSlot?
    switch result {
    case .success(.map(let slots?)):
      if let newest = BlockMapSlot.newest(slots, identity: map.identity) {
        maps[index].durableSlot = newest.index
        maps[index].generation = newest.slot.generation
        maps[index].diskIsClean = newest.slot.isClean
        maps[index].loaded = newest.slot
        slot = newest.slot
      }
    case .success: break
    case .failure(let failure):
      retryLater(index, failure)
      return
    }
    guard owned == nil || slot?.isClean == true else {
      if let slot { maps[index].map.load(slot, trusted: BlockSet(capacity: map.blocks.count)) }
      maps[index].stage = .open
      mapIsOpen(index)
      return
    }
    maps[index].stage = .examining(slot, Inspection(count: map.files.count))
    for (place, file) in map.files.enumerated() {
      control.append((.examine(file), .inspect(place, map: index, serial: 0)))
    }
  }

  mutating func inspected(
    _ place: Int, _ index: Int, _ serial: UInt64,
    _ result: Result<DiskCompletion.Value, DiskFailure>
  ) {
    var evidence: FileEvidence?
    switch result {
    case .success(.evidence(let found)): evidence = found.first ?? nil
    case .success: break
    case .failure(let failure): notices.append(.failed(failure))
    }
    if serial != 0 {
      passInspected(evidence, place, index, serial)
    } else if case .examining(let slot, var inspection) = maps[index].stage {
      inspection.evidence[place] = evidence
      inspection.remaining -= 1
      maps[index].stage = .examining(slot, inspection)
      if inspection.remaining == 0 { examined(index, slot, inspection.evidence) }
    }
  }

  private mutating func examined(_ index: Int, _ slot: BlockMapSlot?, _ evidence: [FileEvidence?]) {
    maps[index].baseline = evidence
    if let slot {
      let blockCount = maps[index].map.blocks.count
      var trusted = BlockSet(capacity: blockCount, range: 0..<blockCount)
      for (place, file) in layout.maps[index].files.enumerated() {
        let before = place < slot.evidence.count ? slot.evidence[place] : nil
        if before == nil || before != evidence[place] { trusted.subtract(layout.members(of: file)) }
      }
      maps[index].map.load(slot, trusted: trusted)
    }
    maps[index].stage = .open
    mapIsOpen(index)
  }

  private mutating func mapIsOpen(_ index: Int) {
    mapsToOpen -= 1
    if mapsToOpen == 0 { notices.append(.opened) }
    wake(index)
  }

  /// What is here is not known without the map, and to write content past it would break what its
  /// slots promise: the store stays closed until the disk gives it. A disk that was away for a moment
  /// is back soon; a map that cannot be read after `PieceStoreLimits.mapTries` is the operator's to see
  /// to, who is told so once.
  private mutating func retryLater(_ index: Int, _ failure: DiskFailure) {
    maps[index].stage = .unloaded
    unreadableMaps.append(index)
    if retryMapsAt != nil { return }
    failedMapReads += 1
    if failedMapReads == 1 { notices.append(.failed(failure)) }
    if failedMapReads == PieceStoreLimits.mapTries {
      notices.append(
        .failed(
          DiskFailure(
            reason: failure.reason,
            description:
              "\(failure); what is here is not known without it, and nothing is fetched or "
              + "shared: put it right or remove it; it is tried again by and by")))
    }
    let doublings = min(failedMapReads - 1, 10)
    retryMapsAt = now + min(policy.retry * (1 << doublings), PieceStoreLimits.longestMapRetry)
  }

  /// Reads again what could not be read, when it is time.
  mutating func retryMaps() {
    guard phase == .running, let due = retryMapsAt, due <= now else { return }
    retryMapsAt = nil
    for index in unreadableMaps { control.append(load(index)) }
    unreadableMaps = []
  }

  // MARK: The end

  /// On the way out, when there is nothing to give to the disk: once nothing is under way either,
  /// brings one map after the other to rest.
  mutating func closeIfIdle() {
    guard phase == .closing, inFlight.isEmpty else { return }
    // What is still queued waits for something that will not come: a full disk, a map not loaded.
    for write in pendingWrites.values { notices.append(.dropped(write.block, write.buffer)) }
    pendingWrites = [:]
    while nextMapToClose < maps.count {
      let index = nextMapToClose
      nextMapToClose += 1
      guard needsCleanPass(index) else { continue }
      startPass(index, isClean: true)
      return
    }
    phase = .closed
    notices.append(.closed)
  }

  private func needsCleanPass(_ index: Int) -> Bool {
    let state = maps[index]
    guard state.isOpen, state.pass == nil else { return false }
    let hasMembers = !state.map.verified.isEmpty || !state.map.claimed.isEmpty
    if state.fileIsNew && !hasMembers { return false }
    return state.dirtySince != nil || !state.diskIsClean
  }
}
