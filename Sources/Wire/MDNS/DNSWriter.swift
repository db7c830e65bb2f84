import Metainfo

/// Writes a message part by part, up to a length, with names compressed (RFC 1035, 4.1.4) where their
/// readers must understand it: in all names but those of types that we do not know.
public struct DNSWriter: ~Copyable {
  /// The parts of a message, in the order in which they are written.
  public enum Section: Int, Comparable, Sendable {
    /// What is asked.
    case questions
    /// Answers, or answers that are known.
    case answers
    /// What a probe will claim.
    case authorities
    /// What may help.
    case additionals

    /// The order on the wire.
    public static func < (a: Section, b: Section) -> Bool { a.rawValue < b.rawValue }
  }

  /// The message so far.
  public private(set) var bytes: [UInt8]
  private let limit: Int
  private var counts: [UInt16] = [0, 0, 0, 0]
  private var section = Section.questions
  /// Where the names that were written stand, each with all its parents.
  private var places: [ArraySlice<UInt8>: Int] = [:]
  /// The keys of `places` in the order of their places.
  private var order: [ArraySlice<UInt8>] = []

  private static let headBytes = 12

  /// A message without parts that will have at most `limit` bytes.
  public init(id: UInt16 = 0, flags: DNSMessage.Flags, limit: Int = DNSLimits.sentBytes) {
    self.limit = limit
    bytes = []
    bytes.reserveCapacity(min(limit, DNSLimits.sentBytes))
    append(id)
    append(flags.rawValue)
    bytes.append(contentsOf: [UInt8](repeating: 0, count: 8))
  }

  /// Whether nothing was written yet.
  public var isEmpty: Bool { bytes.count == Self.headBytes }

  /// How many parts a section has.
  public func count(_ section: Section) -> Int { Int(counts[section.rawValue]) }

  /// Writes a question; false, and nothing is written, when there is no room.
  public mutating func add(_ question: DNSQuestion) -> Bool {
    add(to: .questions) { writer in
      writer.append(question.name)
      writer.append(question.type.rawValue)
      writer.append(question.questionClass | (question.wantsUnicast ? 0x8000 : 0))
    }
  }

  /// Writes a record; false, and nothing is written, when there is no room.
  ///
  /// - Precondition: nothing was written to a later section.
  public mutating func add(_ record: DNSRecord, to section: Section) -> Bool {
    add(to: section) { writer in
      writer.append(record.name)
      writer.append(record.data.type.rawValue)
      writer.append(record.recordClass | (record.flushesCache ? 0x8000 : 0))
      writer.append(UInt16(truncatingIfNeeded: record.timeToLive >> 16))
      writer.append(UInt16(truncatingIfNeeded: record.timeToLive))
      let start = writer.bytes.count
      writer.append(0 as UInt16)
      writer.append(record.data)
      writer.set(UInt16(truncatingIfNeeded: writer.bytes.count - start - 2), at: start)
    }
  }

  /// Says that more known answers follow in another message. RFC 6762, 7.2.
  public mutating func markTruncated() { bytes[2] |= 0x02 }

  private mutating func add(
    to section: Section, _ write: (inout DNSWriter) -> Void
  ) -> Bool {
    precondition(section >= self.section, "sections stand in a fixed order")
    let (end, names) = (bytes.count, order.count)
    write(&self)
    guard bytes.count <= limit, counts[section.rawValue] < .max else {
      bytes.removeLast(bytes.count - end)
      for name in order[names...] { places[name] = nil }
      order.removeLast(order.count - names)
      return false
    }
    self.section = section
    counts[section.rawValue] += 1
    set(counts[section.rawValue], at: 4 + 2 * section.rawValue)
    return true
  }

  private mutating func append(_ number: UInt16) {
    bytes.append(UInt8(number >> 8))
    bytes.append(UInt8(truncatingIfNeeded: number))
  }

  private mutating func set(_ number: UInt16, at place: Int) {
    bytes[place] = UInt8(number >> 8)
    bytes[place + 1] = UInt8(truncatingIfNeeded: number)
  }

  private mutating func append(_ name: DomainName) {
    var rest = name.wire[...]
    while let length = rest.first, length > 0 {
      if let place = places[rest] {
        append(0xc000 | UInt16(place))
        return
      }
      // A pointer has 14 bits.
      if bytes.count < 0x4000 {
        places[rest] = bytes.count
        order.append(rest)
      }
      bytes.append(contentsOf: rest.prefix(1 + Int(length)))
      rest = rest.dropFirst(1 + Int(length))
    }
    bytes.append(0)
  }

  private mutating func append(_ data: DNSData) {
    switch data {
    case .ptr(let name): append(name)
    case .srv(let service):
      append(service.priority)
      append(service.weight)
      append(service.port)
      append(service.target)
    case .nsec(let next, let types):
      append(next)
      bytes.append(contentsOf: DNSData.bitmap(of: types))
    case .a, .aaaa, .txt, .unknown: bytes.append(contentsOf: data.uncompressed)
    }
  }
}

extension DNSData {
  /// The data as it stands on the wire without compression: what two probes are compared by
  /// (RFC 6762, 8.2).
  public var uncompressed: [UInt8] {
    switch self {
    case .a(let address): IPAddress.v4(address).compact
    case .aaaa(let address): IPAddress.v6(address).compact
    case .ptr(let name): name.wire
    case .srv(let service):
      [service.priority, service.weight, service.port].flatMap {
        [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)]
      } + service.target.wire
    case .txt(let texts):
      // No text at all is one empty one. RFC 6763, 6.1.
      texts.isEmpty ? [0] : texts.flatMap { [UInt8(min($0.count, 255))] + $0.prefix(255) }
    case .nsec(let next, let types): next.wire + Self.bitmap(of: types)
    case .unknown(_, let bytes): bytes
    }
  }

  /// One window, which has all types below 256. RFC 4034, 4.1.2.
  static func bitmap(of types: Set<DNSType>) -> [UInt8] {
    let numbers = types.map(\.rawValue).filter { $0 < 256 }
    guard let highest = numbers.max() else { return [] }
    var map = [UInt8](repeating: 0, count: Int(highest) / 8 + 1)
    for number in numbers { map[Int(number) / 8] |= 0x80 >> UInt8(number % 8) }
    return [0, UInt8(map.count)] + map
  }
}

extension DNSMessage {
  /// The message in bytes; nil when it has more than `limit`.
  public func encoded(limit: Int = DNSLimits.messageBytes) -> [UInt8]? {
    var writer = DNSWriter(id: id, flags: flags, limit: limit)
    for question in questions where !writer.add(question) { return nil }
    for record in answers where !writer.add(record, to: .answers) { return nil }
    for record in authorities where !writer.add(record, to: .authorities) { return nil }
    for record in additionals where !writer.add(record, to: .additionals) { return nil }
    return writer.bytes
  }
}
