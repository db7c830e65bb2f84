/// What is to be done at which time, earliest first; of equal times what was added first.
struct DueQueue<Element> {
  private var heap: [(due: Duration, number: UInt64, element: Element)] = []

  init() {}

  /// All there is, in no order.
  var entries: [(due: Duration, number: UInt64, element: Element)] { heap }

  var count: Int { heap.count }

  /// What is due first, and under which number it was added.
  var first: (due: Duration, number: UInt64, element: Element)? { heap.first }

  /// Adds an element. Numbers are the caller's, and grow.
  mutating func add(_ element: Element, due: Duration, number: UInt64) {
    heap.append((due, number, element))
    var place = heap.count - 1
    while place > 0, isBefore(place, (place - 1) / 2) {
      heap.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  /// Takes the first out.
  mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var place = 0
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2]
      where child < heap.count && isBefore(child, least) {
        least = child
      }
      if least == place { return }
      heap.swapAt(place, least)
      place = least
    }
  }

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    (heap[a].due, heap[a].number) < (heap[b].due, heap[b].number)
  }
}
