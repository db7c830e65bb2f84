import Metainfo

/// Runs of blocks to be fetched before somebody reads them, in order.
struct AheadQueue {
  private var runs: [BlockRange] = []
  /// Runs before this one are done with, and how much of it is.
  private var head = 0
  private var done = 0

  /// Nothing is to be fetched.
  init() {}

  /// How many runs wait.
  var count: Int { runs.count - head }
  var isEmpty: Bool { count == 0 }

  /// Puts a run at the end.
  mutating func append(_ run: BlockRange) {
    guard !run.isEmpty else { return }
    runs.append(run)
  }

  /// Drops the run that has waited longest.
  mutating func removeFirst() {
    guard !isEmpty else { return }
    head += 1
    done = 0
    shrink()
  }

  mutating func removeAll() { self = AheadQueue() }

  /// The first block of which `use` says that it takes it. What `isDone` says need not be fetched any
  /// more is forgotten where it comes first; what neither wants stays. Looks at `limit` blocks.
  mutating func next(
    limit: Int, isDone: (BlockIndex) -> Bool, use: (BlockIndex) -> Bool
  ) -> BlockIndex? {
    var left = limit
    var place = head
    var position = done
    while place < runs.count, left > 0 {
      let run = runs[place]
      while position < run.count, left > 0 {
        let block = run[position]
        left -= 1
        position += 1
        if isDone(block) {
          if place == head, position == done + 1 { done = position }
        } else if use(block) {
          return block
        }
      }
      guard position == run.count else { break }
      if place == head, done == run.count {
        head += 1
        done = 0
      }
      place += 1
      position = 0
    }
    shrink()
    return nil
  }

  /// Forgets runs that are done with, wherever they stand. Long runs, and very many, are left: this is
  /// to cost little however often it is called.
  mutating func compact(isDone: (BlockIndex) -> Bool) {
    guard count <= ReadLimits.compactedRanges else { return }
    let first = head < runs.count ? runs[head] : nil
    runs.removeFirst(head)
    head = 0
    runs.removeAll { $0.count <= ReadLimits.compactedBlocks && $0.allSatisfy(isDone) }
    if runs.first != first { done = 0 }
  }

  private mutating func shrink() {
    if head == runs.count {
      runs.removeAll(keepingCapacity: runs.count <= ReadLimits.aheadRanges)
      head = 0
      done = 0
    } else if head > 64, head > runs.count / 2 {
      runs.removeFirst(head)
      head = 0
    }
  }
}
