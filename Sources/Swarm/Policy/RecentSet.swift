/// A set that forgets its oldest elements.
struct RecentSet<Element: Hashable & Sendable>: Sendable {
  private let limit: Int
  private var order: [Element] = []
  private var elements: Set<Element> = []

  /// An empty set of at most `limit` elements.
  init(limit: Int) { self.limit = limit }

  /// How many there are.
  var count: Int { elements.count }

  /// Whether `element` is there.
  func contains(_ element: Element) -> Bool { elements.contains(element) }

  /// Adds an element if it is not there; the oldest goes if there are too many.
  mutating func insert(_ element: Element) {
    guard elements.insert(element).inserted else { return }
    order.append(element)
    if order.count > limit { elements.remove(order.removeFirst()) }
  }
}
