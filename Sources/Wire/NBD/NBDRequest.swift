/// Names a request while it waits for its answer. A client's own number would not do: it may use the
/// same for two.
public struct NBDRequestID: Hashable, Sendable {
  let slot: Int
  let generation: UInt64
}

/// What a client wants of an export. The range is inside it.
public struct NBDRequest: Hashable, Sendable {
  /// What is wanted.
  public enum Kind: Hashable, Sendable {
    /// The bytes. `isWhole`: in one run, because the client asked for that or knows no chunks.
    case read(isWhole: Bool)
    /// That the bytes be here soon. `NBD_CMD_CACHE`.
    case cache
    /// What is known of the bytes. `isOne`: only of the first run.
    case blockStatus(isOne: Bool)
  }

  /// By which it is answered.
  public let id: NBDRequestID
  /// What is wanted.
  public let kind: Kind
  /// First byte, from the beginning of the export.
  public let offset: UInt64
  /// Number of bytes, at least 1; of a read at most `NBDLimits.readBytes`.
  public let length: UInt64

  /// The bytes it is about.
  public var range: Range<UInt64> { offset..<(offset + length) }
}

/// What a session's owner has to do.
public enum NBDEvent: Hashable, Sendable {
  /// The client wants to know which exports there are: `answerList`.
  case list
  /// The client names an export, maybe with no byte, which means the default one: `answerExport`.
  case export(name: [UInt8], NBDPurpose)
  /// The client wants something of the export: `writeDataHeader`, `complete`, `answerStatus` or
  /// `fail`, now or later, in any order.
  case request(NBDRequest)
  /// The client says goodbye. What it asked for before is still answered.
  case goodbye
}

/// Requests that wait for their answers.
struct NBDFlights: Sendable {
  struct Flight: Sendable {
    let request: NBDRequest
    /// The client's number for it.
    let cookie: UInt64
    /// Bytes of a read of which no header was written.
    var missing: UInt64
    /// Bytes that the answer may still have, at most about.
    var owed: Int
  }

  /// How many wait.
  private(set) var count = 0
  /// Bytes that all answers may still have, at most about.
  private(set) var owed = 0
  private var slots: [Flight?] = []
  private var free: [Int] = []
  private var generation: UInt64 = 0

  mutating func add(
    _ kind: NBDRequest.Kind, _ range: (offset: UInt64, length: UInt64), cookie: UInt64, owed: Int
  ) -> NBDRequest {
    let slot = free.popLast() ?? slots.count
    if slot == slots.count { slots.append(nil) }
    generation += 1
    let request = NBDRequest(
      id: NBDRequestID(slot: slot, generation: generation), kind: kind, offset: range.offset,
      length: range.length)
    slots[slot] = Flight(request: request, cookie: cookie, missing: range.length, owed: owed)
    count += 1
    self.owed += owed
    return request
  }

  /// Nil when it was answered.
  subscript(id: NBDRequestID) -> Flight? {
    guard id.slot < slots.count, let flight = slots[id.slot], flight.request.id == id else {
      return nil
    }
    return flight
  }

  mutating func remove(_ id: NBDRequestID) -> Flight? {
    guard let flight = self[id] else { return nil }
    slots[id.slot] = nil
    free.append(id.slot)
    count -= 1
    owed -= flight.owed
    return flight
  }

  /// So many bytes of the read have been announced to the client.
  ///
  /// - Returns: whether that was the last of it; then it waits no more.
  mutating func announce(_ count: UInt64, of id: NBDRequestID) -> Bool {
    guard var flight = self[id] else { return false }
    precondition(count <= flight.missing, "more data than was asked for")
    if count == flight.missing {
      _ = remove(id)
      return true
    }
    flight.missing -= count
    flight.owed -= Int(count)
    owed -= Int(count)
    slots[id.slot] = flight
    return false
  }
}
