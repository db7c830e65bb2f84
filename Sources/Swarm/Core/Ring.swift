/// A queue in one piece of memory that is used again: nothing is allocated once it is large enough.
struct Ring<Element> {
  private var storage: [Element?] = []
  private var head = 0
  private(set) var count = 0

  init() {}

  var isEmpty: Bool { count == 0 }

  var first: Element? { isEmpty ? nil : storage[head] }

  /// The element at a place counted from the front. Precondition: there is one.
  subscript(_ position: Int) -> Element {
    get {
      guard position < count, let element = storage[place(position)] else {
        preconditionFailure("beyond the end of the queue")
      }
      return element
    }
    set {
      precondition(position < count)
      storage[place(position)] = newValue
    }
  }

  mutating func append(_ element: Element) {
    if count == storage.count { grow() }
    storage[place(count)] = element
    count += 1
  }

  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = storage[head].take()
    head = head + 1 == storage.count ? 0 : head + 1
    count -= 1
    return element
  }

  /// Takes out the element at a place; those before it move up. Cheap near the front.
  mutating func remove(at position: Int) -> Element {
    let element = self[position]
    var index = position
    while index > 0 {
      storage[place(index)] = storage[place(index - 1)]
      index -= 1
    }
    _ = popFirst()
    return element
  }

  /// Takes out all that `matches` says; the others keep their order.
  mutating func removeAll(where matches: (Element) -> Bool) {
    for _ in 0..<count {
      guard let element = popFirst() else { return }
      if !matches(element) { append(element) }
    }
  }

  mutating func removeAll() {
    storage = []
    head = 0
    count = 0
  }

  @inline(__always)
  private func place(_ position: Int) -> Int {
    let place = head + position
    return place < storage.count ? place : place - storage.count
  }

  private mutating func grow() {
    var larger: [Element?] = []
    larger.reserveCapacity(max(16, storage.count * 2))
    for position in 0..<count { larger.append(storage[place(position)]) }
    while larger.count < larger.capacity { larger.append(nil) }
    storage = larger
    head = 0
  }
}
