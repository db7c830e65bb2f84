import Wire

/// A record that we publish.
struct MDNSRecord {
  /// Ours by number; rises with time.
  let id: Int
  /// What is sent. The cache-flush bit says whether the record is unique to us.
  let record: DNSRecord
  /// The name that must be ours before the record may be sent.
  let claim: Int
  /// The only interface on which it is published; nil for all.
  let interface: UInt32?

  var isUnique: Bool { record.flushesCache }
  var isNegative: Bool { record.data.type == .nsec }
}

/// All records that we publish, by name and by claim.
struct MDNSRecords {
  private var records: [Int: MDNSRecord] = [:]
  private var idsByName: [DomainName: [Int]] = [:]
  private var idsByClaim: [Int: Set<Int>] = [:]
  private var nextID = 0

  subscript(id: Int) -> MDNSRecord? { records[id] }

  func named(_ name: DomainName) -> [MDNSRecord] {
    (idsByName[name] ?? []).compactMap { records[$0] }
  }

  /// In the order in which they were added.
  func of(claim: Int) -> [MDNSRecord] {
    (idsByClaim[claim] ?? []).sorted().compactMap { records[$0] }
  }

  @discardableResult
  mutating func add(_ record: DNSRecord, claim: Int, interface: UInt32? = nil) -> Int {
    let id = nextID
    nextID += 1
    records[id] = MDNSRecord(id: id, record: record, claim: claim, interface: interface)
    idsByName[record.name, default: []].append(id)
    idsByClaim[claim, default: []].insert(id)
    return id
  }

  mutating func remove(_ id: Int) {
    guard let removed = records.removeValue(forKey: id) else { return }
    idsByName[removed.record.name]?.removeAll { $0 == id }
    if idsByName[removed.record.name]?.isEmpty == true { idsByName[removed.record.name] = nil }
    idsByClaim[removed.claim]?.remove(id)
  }
}

/// A name that is to be ours, with all records that hang on it.
struct MDNSClaim {
  enum Kind {
    case host
    case service(MDNSService)
  }

  let id: Int
  var kind: Kind
  /// The label wanted, and which try this is.
  var wanted: [UInt8]
  var attempt = 1
  /// When others had our name of late. Section 8.1.
  var conflicts: [Duration] = []

  /// The label of this try: `name`, `name-2`; for services `name (2)` (RFC 6763, appendix D).
  var label: [UInt8] {
    let base = wanted.isEmpty ? Array("swarm".utf8) : wanted
    guard attempt > 1 else { return Array(base.prefix(DNSLimits.labelBytes)) }
    let suffix =
      switch kind {
      case .host: "-\(attempt)"
      case .service: " (\(attempt))"
      }
    return base.prefix(DNSLimits.labelBytes - suffix.utf8.count) + Array(suffix.utf8)
  }

  /// The name of this try.
  var name: DomainName {
    switch kind {
    case .host: DomainName.local.child(label) ?? .local
    case .service(let service): service.type.child(label) ?? service.type
    }
  }
}
