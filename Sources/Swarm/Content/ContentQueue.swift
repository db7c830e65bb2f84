/// First in, first out, in constant time; room is kept for the next ones.
struct ContentQueue<Element> {
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func popFirst() -> Element? {
    guard head < elements.count else { return nil }
    let element = elements[head].take()
    head += 1
    if head == elements.count {
      elements.removeAll(keepingCapacity: true)
      head = 0
    } else if head > 64, head > elements.count / 2 {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  /// Takes out all that `matches` says.
  mutating func removeAll(where matches: (Element) -> Bool) {
    elements = elements[head...].filter { $0.map { !matches($0) } ?? false }
    head = 0
  }
}
