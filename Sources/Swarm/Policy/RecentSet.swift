/// A set that forgets its oldest elements.
struct RecentSet<Element: Hashable & Sendable>: Sendable {
  private let limit: Int
  private var order: [Element] = []
  private var members: Set<Element> = []

  /// What there is, the oldest first.
  var elements: [Element] { order }

  /// An empty set of at most `limit` elements.
  init(limit: Int) { self.limit = limit }

  /// How many there are.
  var count: Int { members.count }

  /// Whether `element` is there.
  func contains(_ element: Element) -> Bool { members.contains(element) }

  /// Adds an element if it is not there; the oldest goes if there are too many.
  mutating func insert(_ element: Element) {
    guard members.insert(element).inserted else { return }
    order.append(element)
    if order.count > limit { members.remove(order.removeFirst()) }
  }
}
