import Metainfo

extension DNSMessage {
  /// Reads a message, which must fill `bytes`. RFC 1035, 4; RFC 6762, 18.
  ///
  /// Costs at most about the message's length times that of the longest name.
  public init(parsing bytes: [UInt8]) throws(DNSError) {
    guard bytes.count <= DNSLimits.messageBytes else {
      throw DNSError(offset: 0, reason: .tooLong(bytes.count))
    }
    var reader = DNSReader(bytes: bytes)
    id = try reader.number()
    flags = Flags(rawValue: try reader.number())
    var counts: [Int] = []
    for _ in 0..<4 { counts.append(Int(try reader.number())) }
    for _ in 0..<counts[0] { questions.append(try reader.question()) }
    for _ in 0..<counts[1] { answers.append(try reader.record()) }
    for _ in 0..<counts[2] { authorities.append(try reader.record()) }
    for _ in 0..<counts[3] { additionals.append(try reader.record()) }
    guard reader.at == bytes.count else { throw reader.fault(.trailingBytes) }
  }
}

/// Goes through the bytes of a message. Invariant: `at` is within them.
private struct DNSReader {
  let bytes: [UInt8]
  var at = 0

  func fault(_ reason: DNSError.Reason) -> DNSError { DNSError(offset: at, reason: reason) }

  mutating func number() throws(DNSError) -> UInt16 {
    let two = try take(2)
    return UInt16(two[two.startIndex]) << 8 | UInt16(two[two.startIndex + 1])
  }

  mutating func take(_ count: Int) throws(DNSError) -> ArraySlice<UInt8> {
    guard bytes.count - at >= count else { throw fault(.cutOff) }
    defer { at += count }
    return bytes[at..<(at + count)]
  }

  mutating func question() throws(DNSError) -> DNSQuestion {
    let name = try name()
    let type = DNSType(rawValue: try number())
    let bits = try number()
    var question = DNSQuestion(name: name, type: type, wantsUnicast: bits & 0x8000 != 0)
    question.questionClass = bits & 0x7fff
    return question
  }

  mutating func record() throws(DNSError) -> DNSRecord {
    let name = try name()
    let type = DNSType(rawValue: try number())
    let bits = try number()
    let timeToLive = UInt32(try number()) << 16 | UInt32(try number())
    let length = Int(try number())
    guard bytes.count - at >= length else { throw fault(.cutOff) }
    let data = try data(of: type, length: length)
    var record = DNSRecord(
      name: name, data: data, timeToLive: timeToLive, flushesCache: bits & 0x8000 != 0)
    record.recordClass = bits & 0x7fff
    return record
  }

  private mutating func data(of type: DNSType, length: Int) throws(DNSError) -> DNSData {
    let start = at
    let end = at + length
    let data: DNSData
    switch type {
    case .a:
      guard case .v4(let address)? = IPAddress(compact: bytes[at..<end]) else {
        throw fault(.dataLength(type, length))
      }
      at = end
      data = .a(address)
    case .aaaa:
      guard case .v6(let address)? = IPAddress(compact: bytes[at..<end]) else {
        throw fault(.dataLength(type, length))
      }
      at = end
      data = .aaaa(address)
    case .ptr: data = .ptr(try name())
    case .srv:
      let (priority, weight, port) = (try number(), try number(), try number())
      data = .srv(
        DNSService(priority: priority, weight: weight, port: port, target: try name()))
    case .txt:
      var texts: [[UInt8]] = []
      while at < end {
        let count = Int(bytes[at])
        guard end - at > count else { throw fault(.dataLength(type, length)) }
        // A single empty text stands for none. RFC 6763, 6.1.
        if count > 0 { texts.append(Array(bytes[(at + 1)...(at + count)])) }
        at += 1 + count
      }
      data = .txt(texts)
    case .nsec: data = try nsec(end: end)
    default:
      data = .unknown(type, Array(bytes[at..<end]))
      at = end
    }
    guard at == end else {
      throw DNSError(offset: start, reason: .dataLength(type, length))
    }
    return data
  }

  /// The bitmap is in windows of 256 types, of which the first matters here. RFC 4034, 4.1.2.
  private mutating func nsec(end: Int) throws(DNSError) -> DNSData {
    let next = try name()
    var types: Set<DNSType> = []
    while at < end {
      guard end - at >= 2, case let count = Int(bytes[at + 1]), (1...32).contains(count),
        end - at >= 2 + count
      else { throw fault(.dataLength(.nsec, end - at)) }
      if bytes[at] == 0 {
        for (index, byte) in bytes[(at + 2)..<(at + 2 + count)].enumerated() {
          for bit in 0..<8 where byte & (0x80 >> UInt8(bit)) != 0 {
            types.insert(DNSType(rawValue: UInt16(index * 8 + bit)))
          }
        }
      }
      at += 2 + count
    }
    return .nsec(next: next, types: types)
  }

  /// Every pointer leads to before the part of the name it ends, so the walk comes to an end.
  mutating func name() throws(DNSError) -> DomainName {
    var wire: [UInt8] = []
    var place = at
    var partStart = at
    var pointers = 0
    while true {
      guard place < bytes.count else { throw DNSError(offset: place, reason: .cutOff) }
      let length = bytes[place]
      switch length >> 6 {
      case 0:
        let end = place + 1 + Int(length)
        guard end <= bytes.count else { throw DNSError(offset: place, reason: .cutOff) }
        wire.append(contentsOf: bytes[place..<end])
        guard wire.count < DNSLimits.nameBytes || length == 0 && wire.count == DNSLimits.nameBytes
        else { throw DNSError(offset: place, reason: .nameTooLong) }
        place = end
        if length == 0 {
          if pointers == 0 { at = place }
          return DomainName(checked: wire)
        }
      case 3:
        guard place + 1 < bytes.count else { throw DNSError(offset: place, reason: .cutOff) }
        let target = Int(length & 0x3f) << 8 | Int(bytes[place + 1])
        guard target < partStart else {
          throw DNSError(offset: place, reason: .pointerNotBackwards)
        }
        if pointers == 0 { at = place + 2 }
        pointers += 1
        guard pointers <= DNSLimits.pointers else {
          throw DNSError(offset: place, reason: .tooManyPointers)
        }
        partStart = target
        place = target
      default: throw DNSError(offset: place, reason: .unknownLabelType(length))
      }
    }
  }
}
