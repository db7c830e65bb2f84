import Metainfo

/// How verified blocks become durable: the data to the medium, then the slot, then the slot to the
/// medium. A bit is never on disk before the bytes that it speaks of.
extension PieceStore {
  /// Begins a checkpoint. Precondition: none is under way for the map.
  mutating func startPass(_ index: Int, isClean: Bool) {
    precondition(maps[index].pass == nil)
    guard maps[index].isOpen else { return }
    maps[index].dirtyBytes = 0
    maps[index].dirtySince = nil
    let serial = takeSerial()
    var syncs = 0
    for file in layout.maps[index].files {
      let number = Int(file.rawValue)
      guard files[number].needsSync else { continue }
      files[number].needsSync = false
      syncs += 1
      control.append(
        (
          .sync(file, isNew: files[number].isNew),
          .syncData(file, map: index, serial: serial)
        ))
    }
    maps[index].pass = CheckpointPass(
      serial: serial, isClean: isClean, step: .syncingData(remaining: syncs),
      verified: maps[index].map.verified, claimed: maps[index].map.claimed)
    if syncs == 0 { dataIsSafe(index) }
  }

  mutating func synced(
    _ file: FileIndex, _ index: Int, _ serial: UInt64,
    _ result: Result<DiskCompletion.Value, DiskFailure>
  ) {
    if case .success = result { files[Int(file.rawValue)].isNew = false }
    guard let pass = maps[index].pass, pass.serial == serial,
      case .syncingData(let remaining) = pass.step
    else { return }
    if case .failure(let failure) = result {
      maps[index].pass = nil
      loseUnsafe(index, failure)
      return wake(index)
    }
    maps[index].pass?.step = .syncingData(remaining: remaining - 1)
    if remaining == 1 { dataIsSafe(index) }
  }

  /// After a failed sync nobody knows which bytes are on the medium: only the durable slot counts.
  private mutating func loseUnsafe(_ index: Int, _ failure: DiskFailure) {
    notices.append(.failed(failure))
    maps[index].epoch += 1
    maps[index].examinations = [:]
    var lost: [BlockRange] = []
    let blocks = maps[index].map.blocks
    maps[index].map.loseUnsafe().forEachRun { lost.append(blocks.part($0)) }
    if !lost.isEmpty { notices.append(.lost(lost)) }
  }

  private mutating func dataIsSafe(_ index: Int) {
    guard let pass = maps[index].pass else { return }
    guard pass.isClean else { return writeSlot(index) }
    let files = layout.maps[index].files
    maps[index].pass?.step = .examining(Inspection(count: files.count))
    for (place, file) in files.enumerated() {
      control.append((.examine(file), .inspect(place, map: index, serial: pass.serial)))
    }
  }

  mutating func passInspected(
    _ evidence: FileEvidence?, _ place: Int, _ index: Int, _ serial: UInt64
  ) {
    guard let pass = maps[index].pass, pass.serial == serial,
      case .examining(var inspection) = pass.step
    else { return }
    inspection.evidence[place] = evidence
    inspection.remaining -= 1
    maps[index].pass?.step = .examining(inspection)
    guard inspection.remaining == 0 else { return }
    if owned == nil {
      for (place, evidence) in inspection.evidence.enumerated() {
        noteEvidence(evidence, place, index)
      }
    }
    maps[index].pass?.evidence = inspection.evidence
    let map = maps[index].map
    maps[index].pass?.verified = map.verified
    maps[index].pass?.claimed = map.claimed
    maps[index].dirtySince = nil
    writeSlot(index)
  }

  /// Writes the slot that does not hold the newest durable state, once there is one for certain.
  private mutating func writeSlot(_ index: Int) {
    guard let pass = maps[index].pass else { return }
    if let loaded = maps[index].loaded {
      maps[index].pass?.step = .rewritingLoaded
      return write(loaded, to: maps[index].durableSlot, index, pass.serial)
    }
    maps[index].generation += 1
    maps[index].pass?.step = .writingSlot
    let slot = BlockMapSlot(
      generation: maps[index].generation, isClean: pass.isClean, evidence: pass.evidence,
      verified: pass.verified, claimed: pass.claimed)
    write(slot, to: 1 - maps[index].durableSlot, index, pass.serial)
  }

  private mutating func write(
    _ slot: BlockMapSlot, to place: Int, _ index: Int, _ serial: UInt64
  ) {
    let map = layout.maps[index]
    let offset = UInt64(place) * map.slotCapacity
    control.append(
      (
        .writeMap(map.name, offset: offset, bytes: slot.encoded(map.identity)),
        .slot(map: index, serial: serial)
      ))
  }

  private mutating func syncSlot(_ index: Int, _ serial: UInt64, _ step: CheckpointPass.Step) {
    maps[index].pass?.step = step
    control.append(
      (
        .syncMap(layout.maps[index].name, isNew: maps[index].fileIsNew),
        .slot(map: index, serial: serial)
      ))
  }

  mutating func slotStep(
    _ index: Int, _ serial: UInt64, _ result: Result<DiskCompletion.Value, DiskFailure>
  ) {
    guard let pass = maps[index].pass, pass.serial == serial else { return }
    if case .failure(let failure) = result {
      maps[index].pass = nil
      // The durable slot was not touched: what it says still holds, and the next pass tries again.
      notices.append(.failed(failure))
      becameDirty(index, bytes: 0)
      return
    }
    switch pass.step {
    case .rewritingLoaded: syncSlot(index, serial, .syncingLoaded)
    case .syncingLoaded:
      maps[index].loaded = nil
      maps[index].fileIsNew = false
      writeSlot(index)
    case .writingSlot: syncSlot(index, serial, .syncingSlot)
    case .syncingSlot:
      maps[index].pass = nil
      maps[index].fileIsNew = false
      maps[index].durableSlot = 1 - maps[index].durableSlot
      maps[index].diskIsClean = pass.isClean
      maps[index].map.becameDurable(pass.verified.union(pass.claimed))
      wake(index)
      if maps[index].dirtyBytes >= policy.bytes, phase == .running {
        startPass(index, isClean: false)
      }
    case .syncingData, .examining: preconditionFailure("no slot is under way")
    }
  }
}
