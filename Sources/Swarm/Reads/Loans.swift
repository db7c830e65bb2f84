import Store

/// Buffers of blocks that readers have while the blocks are on their way to disk. Who is the last to be
/// done with one gives it back.
struct Loans {
  private struct Loan {
    var readers = 0
    /// Whether it is on disk, or was dropped.
    var isReleased = false
  }

  /// What the end of a reader's use means.
  enum End {
    /// It was the reader's alone.
    case notLent
    /// Others have it still.
    case inUse
    /// Nobody has it any more.
    case free
  }

  private var loans: [BufferHandle: Loan] = [:]

  /// Nothing is lent.
  init() {}

  var isEmpty: Bool { loans.isEmpty }
  /// How many buffers are lent.
  var count: Int { loans.count }

  /// Whether the buffer may be lent: so many buffers at once.
  func mayLend(_ buffer: BufferHandle, limit: Int) -> Bool {
    count < limit || loans[buffer] != nil
  }

  /// One more reader has the buffer.
  mutating func lend(_ buffer: BufferHandle) { loans[buffer, default: Loan()].readers += 1 }

  /// The disk is done with the buffer. False when no reader has it: it can be given back.
  mutating func release(_ buffer: BufferHandle) -> Bool {
    guard loans[buffer] != nil else { return false }
    loans[buffer]?.isReleased = true
    return true
  }

  /// A reader is done with the buffer.
  mutating func finish(_ buffer: BufferHandle) -> End {
    guard var loan = loans[buffer] else { return .notLent }
    loan.readers -= 1
    loans[buffer] = loan.readers > 0 ? loan : nil
    return loan.readers == 0 && loan.isReleased ? .free : .inUse
  }
}
