import Metainfo

/// What came of the disk's work.
extension PieceStore {
  /// Takes the end of an operation. Precondition: it is one of this store's, and was not taken yet.
  public mutating func handle(_ completion: DiskCompletion, now: Duration) {
    guard let work = inFlight.removeValue(forKey: completion.id) else {
      preconditionFailure("operation \(completion.id) is not under way")
    }
    advance(to: now)
    switch work {
    case .create(let file): created(file, completion.result)
    case .createEmpty: tell(completion.result)
    case .write(let run, let map, let epoch): wrote(run, map, epoch, completion.result)
    case .read(let run, let map, let epoch): didRead(run, map, epoch, completion.result)
    case .load(let map): loaded(map, completion.result)
    case .syncData(let file, let map, let serial): synced(file, map, serial, completion.result)
    case .inspect(let place, let map, let serial): inspected(place, map, serial, completion.result)
    case .slot(let map, let serial): slotStep(map, serial, completion.result)
    case .look(let file): looked(file, completion.result)
    }
  }

  /// Passes a failure on; whether there was one.
  @discardableResult
  private mutating func tell(_ result: Result<DiskCompletion.Value, DiskFailure>) -> Bool {
    guard case .failure(let failure) = result else { return false }
    notices.append(.failed(failure))
    return true
  }

  // MARK: Files and writes

  private mutating func created(
    _ file: FileIndex, _ result: Result<DiskCompletion.Value, DiskFailure>
  ) {
    let number = Int(file.rawValue)
    files[number].isBeingCreated = false
    let index = layout.map(of: layout.geometry.blocks(of: file)[0])
    switch result {
    case .success:
      files[number].isThere = true
      files[number].isNew = true
    case .failure(let failure):
      let waiting = maps[index].waiting
      if retryWhenThereIsRoom(failure) { break }
      notices.append(.failed(failure))
      for block in waiting
      where layout.geometry.spans(of: block).contains(where: { $0.file == file }) {
        if let write = pendingWrites.removeValue(forKey: block) {
          notices.append(.dropped(block, write.buffer))
        }
      }
    }
    wake(index)
  }

  private mutating func wrote(
    _ run: [PendingWrite], _ index: Int, _ epoch: UInt64,
    _ result: Result<DiskCompletion.Value, DiskFailure>
  ) {
    for write in run { writing.remove(write.block) }
    switch result {
    case .success:
      fullWasTold = false
      for write in run {
        needSync(write.block)
        guard epoch == maps[index].epoch else {
          // A sync failed meanwhile, and may have thrown away pages of this write too.
          notices.append(.dropped(write.block, write.buffer))
          continue
        }
        maps[index].map.wrote(write.block, hashed: write.isHashed)
        notices.append(.stored(write.block, write.buffer))
        if write.isHashed {
          becameDirty(index, bytes: UInt64(layout.geometry.dataLength(of: write.block)))
        }
      }
    case .failure(let failure):
      if retryWhenThereIsRoom(failure) {
        for write in run {
          pendingWrites[write.block] = write
          writeOrder.append(write.block)
        }
        return
      }
      notices.append(.failed(failure))
      for write in run { notices.append(.dropped(write.block, write.buffer)) }
    }
  }

  /// A full disk makes writes wait, except on the way out. Whether it was that.
  private mutating func retryWhenThereIsRoom(_ failure: DiskFailure) -> Bool {
    guard failure.reason == .noSpace, phase == .running else { return false }
    fullUntil = now + policy.retry
    if !fullWasTold { notices.append(.full(failure)) }
    fullWasTold = true
    return true
  }

  // MARK: Reads

  private mutating func didRead(
    _ run: [PendingRead], _ index: Int, _ epoch: UInt64,
    _ result: Result<DiskCompletion.Value, DiskFailure>
  ) {
    switch result {
    case .success(let value):
      if case .evidence(let evidence) = value { compare(evidence, of: run, index) }
      for read in run {
        guard epoch == maps[index].epoch else {
          refuse(read)
          continue
        }
        if let examination = read.examination {
          notices.append(.examined(examination, read.buffer))
        } else if verified(read.block) != nil {
          notices.append(.read(read.block, read.buffer))
        } else {
          refuse(read)
        }
      }
    case .failure where run.count > 1:
      wasUnreadable(run[0].block)
      // One bad sector must not cost its neighbours: again, one by one.
      for var read in run {
        read.isAlone = true
        reads.append(read)
      }
    case .failure(let failure):
      notices.append(.failed(failure))
      for read in run {
        if read.examination == nil {
          var doubtful = BlockSet(capacity: maps[index].map.blocks.count)
          doubtful.insert(maps[index].map.local(read.block))
          maps[index].map.distrust(doubtful)
        } else if maps[index].examinations[read.block] == read.examination {
          // What is not ours cannot be fetched anew: the claim stays, for the disk may recover.
          if owned == nil {
            maps[index].examinations[read.block] = nil
          } else {
            maps[index].forget(read.block)
          }
        }
        wasUnreadable(read.block)
        refuse(read)
      }
      becameDirty(index, bytes: 0)
    }
  }

  /// Compares what files look like after a read with what they looked like before.
  private mutating func compare(_ evidence: [FileEvidence?], of run: [PendingRead], _ index: Int) {
    var files: [FileIndex] = []
    for read in run {
      for span in layout.geometry.spans(of: read.block) {
        if let file = span.file, files.last != file { files.append(file) }
      }
    }
    for (file, evidence) in zip(files, evidence) {
      noteEvidence(evidence, layout.maps[index].place(of: file), index)
    }
  }
}
