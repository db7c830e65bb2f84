import Metainfo

/// What kind of data a record has. RFC 1035, 3.2.2.
public struct DNSType: Hashable, Sendable, Comparable {
  /// The number on the wire.
  public let rawValue: UInt16

  /// A type by its number.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// An IPv4 address. RFC 1035.
  public static let a = DNSType(rawValue: 1)
  /// Another name. RFC 1035.
  public static let ptr = DNSType(rawValue: 12)
  /// Texts. RFC 1035; RFC 6763, 6.
  public static let txt = DNSType(rawValue: 16)
  /// An IPv6 address. RFC 3596.
  public static let aaaa = DNSType(rawValue: 28)
  /// Host and port of a service. RFC 2782.
  public static let srv = DNSType(rawValue: 33)
  /// Which types a name has, and so which it has not. RFC 4034; RFC 6762, 6.1.
  public static let nsec = DNSType(rawValue: 47)
  /// In a question: all types. RFC 1035, 3.2.3.
  public static let any = DNSType(rawValue: 255)

  /// The order of numbers.
  public static func < (a: DNSType, b: DNSType) -> Bool { a.rawValue < b.rawValue }
}

/// What a record says. Types that we do not know keep their bytes.
public enum DNSData: Hashable, Sendable {
  /// An IPv4 address.
  case a(IPv4Address)
  /// An IPv6 address.
  case aaaa(IPv6Address)
  /// Another name.
  case ptr(DomainName)
  /// Where a service listens. RFC 2782; in multicast DNS the name may be compressed (RFC 6762, 18.14).
  case srv(DNSService)
  /// Texts of up to 255 bytes each.
  case txt([[UInt8]])
  /// The types below 256 that a name has; others are dropped (RFC 6762, 6.1).
  case nsec(next: DomainName, types: Set<DNSType>)
  /// Anything else.
  case unknown(DNSType, [UInt8])

  /// Its type.
  public var type: DNSType {
    switch self {
    case .a: .a
    case .aaaa: .aaaa
    case .ptr: .ptr
    case .srv: .srv
    case .txt: .txt
    case .nsec: .nsec
    case .unknown(let type, _): type
    }
  }
}

/// The data of an SRV record. RFC 2782.
public struct DNSService: Hashable, Sendable {
  /// Lower ones are tried first.
  public var priority: UInt16 = 0
  /// How often one is chosen among those of the same priority.
  public var weight: UInt16 = 0
  /// TCP or UDP port.
  public var port: UInt16
  /// The host.
  public var target: DomainName

  /// A service that is alone.
  public init(priority: UInt16 = 0, weight: UInt16 = 0, port: UInt16, target: DomainName) {
    (self.priority, self.weight, self.port, self.target) = (priority, weight, port, target)
  }
}

/// A record of class IN, or of another class, which we keep and never use.
public struct DNSRecord: Hashable, Sendable {
  /// The class of the Internet. RFC 1035, 3.2.4.
  public static let internet: UInt16 = 1

  /// Whose record it is.
  public var name: DomainName
  /// 15 bits.
  public var recordClass: UInt16 = Self.internet
  /// The sender knows all records of this name and type, and these are all: RFC 6762, 10.2.
  public var flushesCache = false
  /// Seconds that it may be kept; 0 is a goodbye (RFC 6762, 10.1).
  public var timeToLive: UInt32
  /// What it says.
  public var data: DNSData

  /// A record of class IN.
  public init(
    name: DomainName, data: DNSData, timeToLive: UInt32, flushesCache: Bool = false
  ) {
    self.name = name
    self.data = data
    self.timeToLive = timeToLive
    self.flushesCache = flushesCache
  }

  /// Whether both say the same, however long it may be kept.
  public func says(_ other: DNSRecord) -> Bool {
    recordClass == other.recordClass && data == other.data && name == other.name
  }
}

/// A question. RFC 1035, 4.1.2.
public struct DNSQuestion: Hashable, Sendable {
  /// In a question: any class. RFC 1035, 3.2.5.
  public static let anyClass: UInt16 = 255

  /// Whose records are asked for.
  public var name: DomainName
  /// Which of them.
  public var type: DNSType
  /// 15 bits.
  public var questionClass: UInt16 = DNSRecord.internet
  /// An answer by unicast will do: RFC 6762, 5.4.
  public var wantsUnicast = false

  /// A question of class IN.
  public init(name: DomainName, type: DNSType, wantsUnicast: Bool = false) {
    self.name = name
    self.type = type
    self.wantsUnicast = wantsUnicast
  }

  /// Whether `record` answers it.
  public func asks(for record: DNSRecord) -> Bool {
    (type == .any || type == record.data.type)
      && (questionClass == Self.anyClass || questionClass == record.recordClass)
      && name == record.name
  }
}

/// A message of the DNS. RFC 1035, 4.1; RFC 6762, 18.
public struct DNSMessage: Hashable, Sendable {
  /// Bits of the third and fourth byte. RFC 1035, 4.1.1.
  public struct Flags: OptionSet, Hashable, Sendable {
    /// The two bytes.
    public let rawValue: UInt16

    /// Flags from the two bytes.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// An answer, not a question.
    public static let response = Flags(rawValue: 0x8000)
    /// The four bits of the operation, and of the result: messages with any of them are ignored
    /// (RFC 6762, 18.3 and 18.11).
    public static let ignored = Flags(rawValue: 0x780f)
    /// The sender speaks for the names.
    public static let authoritative = Flags(rawValue: 0x0400)
    /// More known answers follow. RFC 6762, 7.2.
    public static let truncated = Flags(rawValue: 0x0200)
  }

  /// 0 in multicast DNS, but for programs that speak plain DNS.
  public var id: UInt16 = 0
  /// What kind of message it is.
  public var flags: Flags = []
  /// What is asked.
  public var questions: [DNSQuestion] = []
  /// Answers, or in a question those that are known.
  public var answers: [DNSRecord] = []
  /// In a probe what the sender will claim. RFC 6762, 8.2.
  public var authorities: [DNSRecord] = []
  /// What may help.
  public var additionals: [DNSRecord] = []

  /// An empty question.
  public init() {}
}
