/// What is going to happen in a world of ten thousand nodes: a heap of plain numbers, since a million
/// closures would cost more than what they do. What is due at one moment happens in the order in which
/// it was asked for.
struct Agenda {
  enum Item {
    case datagram(Datagram)
    case timer(host: Int)
    case action(() -> Void)
  }

  private struct Key {
    let time: Int64
    let order: UInt64
    let slot: Int

    @inline(__always)
    func precedes(_ other: Key) -> Bool {
      time == other.time ? order < other.order : time < other.time
    }
  }

  /// Invariant: a binary heap, the next item first; each slot of it is in `items` and not in `free`.
  private var heap: [Key] = []
  private var items: [Item?] = []
  private var free: [Int] = []
  private var nextOrder: UInt64 = 0

  /// When the next item is due, in microseconds; nil when there is none.
  var nextTime: Int64? { heap.first?.time }

  mutating func add(_ item: Item, at time: Int64) {
    let slot: Int
    if let last = free.popLast() {
      slot = last
      items[slot] = item
    } else {
      slot = items.count
      items.append(item)
    }
    heap.append(Key(time: time, order: nextOrder, slot: slot))
    nextOrder += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].precedes(heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func popNext() -> Item? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink()
    }
    free.append(first.slot)
    let item = items[first.slot]
    items[first.slot] = nil
    return item
  }

  mutating func removeAll() { (heap, items, free) = ([], [], []) }

  private mutating func sink() {
    var parent = 0
    while true {
      var least = parent
      for child in (2 * parent + 1)...(2 * parent + 2)
      where child < heap.count && heap[child].precedes(heap[least]) {
        least = child
      }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
