/// A set of blocks of one map, counted from 0: a bit each, in memory proportional to the parts that
/// are neither empty nor full.
struct BlockSet: Hashable, Sendable {
  /// 4,096 bits: 64 MiB of content.
  enum Chunk: Hashable, Sendable {
    case none
    case all
    /// Invariant: `wordsPerChunk` words, neither all clear nor all set within the set's capacity;
    /// bits beyond it are clear.
    case some([UInt64])
  }

  static let chunkBits = 4096
  static let wordsPerChunk = chunkBits / 64

  /// Numbers from 0 up to here can be members.
  let capacity: Int
  /// How many members there are.
  private(set) var count = 0
  private(set) var chunks: [Chunk]

  /// The empty set.
  init(capacity: Int) {
    self.capacity = capacity
    chunks = Array(repeating: .none, count: (capacity + Self.chunkBits - 1) / Self.chunkBits)
  }

  /// The numbers of `range`. Precondition: all below `capacity`.
  init(capacity: Int, range: Range<Int>) {
    self.init(capacity: capacity)
    insert(range)
  }

  var isEmpty: Bool { count == 0 }

  func contains(_ number: Int) -> Bool {
    precondition(number >= 0 && number < capacity)
    switch chunks[number / Self.chunkBits] {
    case .none: return false
    case .all: return true
    case .some(let words):
      return words[number % Self.chunkBits / 64] & (1 << UInt64(number % 64)) != 0
    }
  }

  /// Adds a member; false when it was there.
  @discardableResult
  mutating func insert(_ number: Int) -> Bool {
    guard !contains(number) else { return false }
    change(number, to: true)
    return true
  }

  /// Adds all numbers of a range. Precondition: all below `capacity`.
  mutating func insert(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    precondition(range.lowerBound >= 0 && range.upperBound <= capacity)
    for index in (range.lowerBound / Self.chunkBits)...((range.upperBound - 1) / Self.chunkBits) {
      let bits = range.clamped(to: bits(of: index))
      guard bits != self.bits(of: index) else {
        fillChunk(index)
        continue
      }
      var words = words(of: index)
      for bit in bits { words[bit % Self.chunkBits / 64] |= 1 << UInt64(bit % 64) }
      setChunk(index, words: words)
    }
  }

  /// Removes a member; false when it was not there.
  @discardableResult
  mutating func remove(_ number: Int) -> Bool {
    guard contains(number) else { return false }
    change(number, to: false)
    return true
  }

  mutating func removeAll() { self = BlockSet(capacity: capacity) }

  mutating func formUnion(_ other: BlockSet) { combine(other, |) }
  mutating func formIntersection(_ other: BlockSet) { combine(other, &) }
  mutating func subtract(_ other: BlockSet) { combine(other) { $0 & ~$1 } }

  func union(_ other: BlockSet) -> BlockSet {
    var result = self
    result.formUnion(other)
    return result
  }

  func intersection(_ other: BlockSet) -> BlockSet {
    var result = self
    result.formIntersection(other)
    return result
  }

  func subtracting(_ other: BlockSet) -> BlockSet {
    var result = self
    result.subtract(other)
    return result
  }

  /// The members as runs of neighbours, in order, within chunks: a run that crosses a chunk comes
  /// in parts.
  func forEachRun(_ body: (Range<Int>) -> Void) {
    for (index, chunk) in chunks.enumerated() {
      let bits = bits(of: index)
      switch chunk {
      case .none: continue
      case .all: body(bits)
      case .some(let words):
        Self.runs(in: words) { run in
          body((bits.lowerBound + run.lowerBound)..<(bits.lowerBound + run.upperBound))
        }
      }
    }
  }

  /// Whether each number of a range is a member of one of the sets.
  static func covers(_ range: Range<Int>, _ sets: BlockSet...) -> Bool {
    guard let first = sets.first, !range.isEmpty else { return true }
    return (range.lowerBound / chunkBits...(range.upperBound - 1) / chunkBits).allSatisfy { index in
      if sets.contains(where: { $0.chunks[index] == .all }) { return true }
      let words = sets.map { $0.words(of: index) }
      return range.clamped(to: first.bits(of: index)).allSatisfy { bit in
        words.contains { $0[bit % chunkBits / 64] & (1 << UInt64(bit % 64)) != 0 }
      }
    }
  }

  /// The numbers that a chunk stands for.
  func bits(of chunk: Int) -> Range<Int> {
    (chunk * Self.chunkBits)..<min(capacity, (chunk + 1) * Self.chunkBits)
  }

  /// Puts `words` in place of a chunk, in its shortest form. Bits beyond the capacity must be clear.
  mutating func setChunk(_ index: Int, words: [UInt64]) {
    let members = words.reduce(0) { $0 + $1.nonzeroBitCount }
    count += members - memberCount(of: index)
    if members == 0 {
      chunks[index] = .none
    } else if members == bits(of: index).count {
      chunks[index] = .all
    } else {
      chunks[index] = .some(words)
    }
  }

  /// Makes a chunk hold all its numbers.
  mutating func fillChunk(_ index: Int) {
    count += bits(of: index).count - memberCount(of: index)
    chunks[index] = .all
  }

  /// Runs of set bits in a chunk's words, counted from the chunk's start.
  static func runs(in words: [UInt64], _ body: (Range<Int>) -> Void) {
    var bit = 0
    while let start = nextBit(in: words, from: bit, flipping: 0) {
      let end = nextBit(in: words, from: start, flipping: .max) ?? chunkBits
      body(start..<end)
      bit = end
    }
  }

  /// The first bit from `start` on that is set, or, flipping all bits, clear.
  private static func nextBit(in words: [UInt64], from start: Int, flipping: UInt64) -> Int? {
    var bit = start
    while bit < chunkBits {
      let rest = (words[bit / 64] ^ flipping) >> UInt64(bit % 64)
      if rest != 0 { return bit + rest.trailingZeroBitCount }
      bit = (bit / 64 + 1) * 64
    }
    return nil
  }

  private func memberCount(of index: Int) -> Int {
    switch chunks[index] {
    case .none: 0
    case .all: bits(of: index).count
    case .some(let words): words.reduce(0) { $0 + $1.nonzeroBitCount }
    }
  }

  private mutating func change(_ number: Int, to isMember: Bool) {
    let index = number / Self.chunkBits
    let word = number % Self.chunkBits / 64
    let mask: UInt64 = 1 << UInt64(number % 64)
    var words = words(of: index)
    // The array is ours alone while it is out of the list, so changing it copies nothing.
    chunks[index] = .none
    words[word] ^= mask
    count += isMember ? 1 : -1
    let settled: UInt64 = isMember ? .max : 0
    if words[word] == settled || number / 64 == capacity / 64 {
      let members = words.reduce(0) { $0 + $1.nonzeroBitCount }
      if members == 0 { return }
      if members == bits(of: index).count {
        chunks[index] = .all
        return
      }
    }
    chunks[index] = .some(words)
  }

  private func words(of index: Int) -> [UInt64] {
    switch chunks[index] {
    case .none: return Array(repeating: 0, count: Self.wordsPerChunk)
    case .some(let words): return words
    case .all:
      let bits = bits(of: index).count
      return (0..<Self.wordsPerChunk).map { word in
        let inWord = min(max(bits - word * 64, 0), 64)
        return inWord == 64 ? .max : (1 << UInt64(inWord)) - 1
      }
    }
  }

  private mutating func combine(_ other: BlockSet, _ operation: (UInt64, UInt64) -> UInt64) {
    precondition(capacity == other.capacity)
    for index in chunks.indices {
      if case .none = chunks[index], case .none = other.chunks[index] { continue }
      var words = words(of: index)
      let others = other.words(of: index)
      for word in words.indices { words[word] = operation(words[word], others[word]) }
      setChunk(index, words: words)
    }
  }
}
