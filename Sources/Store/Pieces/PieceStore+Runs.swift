import Metainfo

/// What is known of many blocks at once, in time that follows the runs and not the blocks.
extension PieceStore {
  /// Calls `body` with runs of verified blocks, in order within each map; neighbouring runs may
  /// come apart. Runs can hold numbers that are no blocks: those without a byte of a file.
  public func forEachVerifiedRun(_ body: (BlockRange) -> Void) {
    for state in maps { state.map.verified.forEachRun { body(state.map.blocks.part($0)) } }
  }

  /// Calls `body` with runs of verified blocks of one file. In v1 torrents with those of all files.
  public func forEachVerifiedRun(of file: FileIndex, _ body: (BlockRange) -> Void) {
    guard let index = map(of: file) else { return }
    maps[index].map.verified.forEachRun { body(maps[index].map.blocks.part($0)) }
  }

  /// Calls `body` with runs of claimed blocks, as `forEachVerifiedRun`.
  public func forEachClaimedRun(_ body: (BlockRange) -> Void) {
    for state in maps {
      state.map.claimed.union(state.map.unproven).forEachRun { body(state.map.blocks.part($0)) }
    }
  }

  /// Calls `body` with runs of claimed blocks of one file. In v1 torrents with those of all files.
  public func forEachClaimedRun(of file: FileIndex, _ body: (BlockRange) -> Void) {
    guard let index = map(of: file) else { return }
    let state = maps[index]
    state.map.claimed.union(state.map.unproven).forEachRun { body(state.map.blocks.part($0)) }
  }

  /// Whether a write of the block is queued or under way.
  public func isBeingWritten(_ block: BlockIndex) -> Bool {
    pendingWrites[block] != nil || writing.contains(block)
  }

  /// Says of everything that it is right, as far as files are long enough: for content that was hashed
  /// by the caller. Precondition: `isOpen`.
  ///
  /// - Parameter evidence: what the files looked like when they were hashed, one element a file of the
  ///   layout, nil where that is not known; or none. One that looks different is examined.
  public mutating func proveAll(evidence: [FileEvidence?] = [], now: Duration) {
    precondition(isOpen)
    advance(to: now)
    for index in maps.indices where maps[index].isOpen {
      var right = present(index)
      var changed: [FileIndex] = []
      for (place, file) in layout.maps[index].files.enumerated() where owned == nil {
        let found = maps[index].baseline[place]
        let before =
          evidence.indices.contains(Int(file.rawValue)) ? evidence[Int(file.rawValue)] : nil
        if found == nil || (before != nil && before != found) {
          changed.append(file)
          right.subtract(layout.members(of: file))
        }
      }
      if maps[index].map.prove(right) { becameDirty(index, bytes: 0) }
      for file in changed {
        let place = layout.maps[index].place(of: file)
        hasChanged(file, isThere: maps[index].baseline[place] != nil, lost: [])
      }
    }
    watchMissing()
  }

  /// Says of a block without a byte of a file that it is right: it is zeros, whatever the disk says.
  /// Precondition: its `dataLength` is 0, and `isOpen`.
  public mutating func provePadding(_ block: BlockIndex, now: Duration) {
    precondition(isOpen && layout.geometry.dataLength(of: block) == 0)
    advance(to: now)
    let index = layout.map(of: block)
    guard maps[index].isOpen, verified(block) == nil else { return }
    maps[index].forget(block)
    maps[index].map.wrote(block, hashed: true)
    becameDirty(index, bytes: 0)
  }

  private func map(of file: FileIndex) -> Int? {
    layout.geometry.length(of: file) == 0
      ? nil : layout.map(of: layout.geometry.blocks(of: file)[0])
  }
}
