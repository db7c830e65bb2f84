/// Takes the data of an option apart. Nil where it ends too soon or has more than it says.
struct NBDOptionReader {
  /// What an option about metadata contexts asks.
  enum ContextQuery {
    case query(name: [UInt8], queries: [[UInt8]])
    case tooMany
    case noNamespace
  }

  private var rest: ArraySlice<UInt8>

  init(_ data: [UInt8]) { rest = data[...] }

  private mutating func number<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
    guard let bytes = bytes(MemoryLayout<Number>.size) else { return nil }
    return bytes.reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
  }

  private mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
    guard count <= rest.count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  /// A string behind its length in 32 bits.
  mutating func string32() -> [UInt8]? {
    guard let count = number(UInt32.self), count <= NBDLimits.stringBytes else { return nil }
    return bytes(Int(count)).map { Array($0) }
  }

  /// The rest of `NBD_OPT_INFO` and `NBD_OPT_GO`: numbers of what the client wants to know.
  mutating func informationRequests() -> Set<UInt16>? {
    guard let count = number(UInt16.self), Int(count) * 2 == rest.count else { return nil }
    var wanted: Set<UInt16> = []
    while let request = number(UInt16.self) { wanted.insert(request) }
    return wanted
  }

  /// All of `NBD_OPT_LIST_META_CONTEXT` and `NBD_OPT_SET_META_CONTEXT`.
  mutating func contextQuery() -> ContextQuery? {
    guard let name = string32(), let count = number(UInt32.self) else { return nil }
    // Each query has at least the four bytes of its length.
    guard Int(count) * 4 <= rest.count else { return nil }
    guard count <= NBDLimits.queries else { return .tooMany }
    var queries: [[UInt8]] = []
    for _ in 0..<count {
      guard let query = string32() else { return nil }
      queries.append(query)
    }
    guard rest.isEmpty else { return nil }
    let colon = UInt8(ascii: ":")
    guard queries.allSatisfy({ $0.contains(colon) && $0.first != colon }) else {
      return .noNamespace
    }
    return .query(name: name, queries: queries)
  }
}
