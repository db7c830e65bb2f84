/// What is going to happen, in the order of virtual time; what is due at the same moment happens in
/// the order in which it was asked for.
struct EventQueue {
  private struct Entry {
    let time: Duration
    let order: UInt64
    let action: () -> Void

    func precedes(_ other: Entry) -> Bool {
      time == other.time ? order < other.order : time < other.time
    }
  }

  /// Invariant: a binary heap, the next event first.
  private var heap: [Entry] = []
  private var nextOrder: UInt64 = 0

  /// When the next event is due; nil when there is none.
  var nextTime: Duration? { heap.first?.time }
  /// How many events wait.
  var count: Int { heap.count }

  mutating func add(at time: Duration, _ action: @escaping () -> Void) {
    heap.append(Entry(time: time, order: nextOrder, action: action))
    nextOrder += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].precedes(heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func popNext() -> (time: Duration, action: () -> Void)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink()
    }
    return (first.time, first.action)
  }

  mutating func removeAll() { heap = [] }

  private mutating func sink() {
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].precedes(heap[least]) {
        least = child
      }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
