import Metainfo

/// Blocks that somebody waits for, by deadline.
struct UrgentBlocks {
  /// What a pick can do with a block.
  enum State: UInt8 {
    /// It may be asked.
    case free
    /// One peer was asked: another one may be.
    case askedOnce
    /// Nothing: two were asked, or it came.
    case settled
  }

  /// A block.
  struct Entry {
    let deadline: Duration
    let block: BlockIndex
    var state: State

    func isBefore(_ deadline: Duration, _ block: BlockIndex) -> Bool {
      self.deadline == deadline ? self.block < block : self.deadline < deadline
    }
  }

  /// Invariant: earliest deadline first; of equal ones, the first block first.
  private(set) var entries: [Entry] = []
  /// Entries that are free.
  private(set) var freeCount = 0
  /// Entries that were asked of one peer.
  private(set) var askedOnceCount = 0
  private var deadlines: [BlockIndex: Duration] = [:]

  /// Whether nobody waits.
  @inline(__always)
  var isEmpty: Bool { entries.isEmpty }

  /// Whether somebody waits for the block.
  func contains(_ block: BlockIndex) -> Bool { !isEmpty && deadlines[block] != nil }

  /// Puts the block in. Of two deadlines the earlier one counts.
  mutating func insert(_ block: BlockIndex, deadline: Duration, state: State) {
    if let old = deadlines[block] {
      guard deadline < old else { return }
      remove(block)
    }
    deadlines[block] = deadline
    entries.insert(
      Entry(deadline: deadline, block: block, state: state), at: place(deadline, block))
    count(state, 1)
  }

  /// Takes the block out, if it is in.
  mutating func remove(_ block: BlockIndex) {
    guard let deadline = deadlines.removeValue(forKey: block) else { return }
    let place = place(deadline, block)
    count(entries[place].state, -1)
    entries.remove(at: place)
  }

  /// The block, if it is in, is in this state now.
  mutating func set(_ block: BlockIndex, _ state: State) {
    guard let deadline = deadlines[block] else { return }
    let place = place(deadline, block)
    count(entries[place].state, -1)
    count(state, 1)
    entries[place].state = state
  }

  private mutating func count(_ state: State, _ change: Int) {
    switch state {
    case .free: freeCount += change
    case .askedOnce: askedOnceCount += change
    case .settled: break
    }
  }

  /// Where the entry is, or would be.
  private func place(_ deadline: Duration, _ block: BlockIndex) -> Int {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = low + (high - low) / 2
      if entries[middle].isBefore(deadline, block) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
