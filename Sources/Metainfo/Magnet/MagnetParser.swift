/// Reads one magnet URI into a link.
struct MagnetParser {
  /// What was read so far.
  private(set) var link = MagnetLink()
  private var selected: [ClosedRange<UInt32>] = []

  /// Reads a whole `magnet:?` URI.
  mutating func parse(_ uri: some Collection<UInt8>) throws(MagnetError) {
    let scheme: StaticString = "magnet:?"
    guard uri.startsIgnoringCase(with: scheme) else { throw fault(nil, 0, .notMagnet) }
    let bytes = try Self.bounded(uri)
    var start = scheme.utf8CodeUnitCount
    var count = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "&")) ?? bytes.count
      count += 1
      if count > MagnetLimits.parameters { throw fault(nil, start, .tooManyParameters) }
      try readParameter(bytes[start..<end])
      start = end + 1
    }
    link.selection = FileSelection(selected)
    if !link.namesSomething { throw fault(nil, 0, .namesNothing) }
    if link.version != nil, link.datasetKey == nil { throw fault(.version, 0, .versionOfNothing) }
  }

  /// Reads a bare `urn:btih:`, `urn:btmh:` or `urn:btpk:`, the last perhaps with `@` and the number
  /// of a version behind it.
  mutating func parseBareURN(_ urn: some Collection<UInt8>) throws(MagnetError) {
    let bytes = try Self.bounded(urn)
    if bytes.startsIgnoringCase(with: "urn:btpk:") {
      let (key, number) = Self.splitVersion(bytes[9...])
      try readKey(key, at: 0)
      if let number { try readVersion(number, at: number.startIndex) }
    } else {
      try readTopic(bytes[...], at: 0)
    }
    if !link.namesSomething { throw fault(nil, 0, .namesNothing) }
  }

  /// A copy of a text whose length is within bounds.
  static func bounded(_ text: some Collection<UInt8>) throws(MagnetError) -> [UInt8] {
    if text.count > MagnetLimits.uriBytes {
      throw MagnetError(parameter: nil, offset: 0, reason: .tooLong(text.count))
    }
    return Array(text)
  }

  // MARK: Parameters

  /// Reads `name=value`; `text` keeps its indices in the URI, which are the offsets in errors.
  private mutating func readParameter(_ text: ArraySlice<UInt8>) throws(MagnetError) {
    guard let equals = text.firstIndex(of: UInt8(ascii: "=")),
      let parameter = Self.parameter(named: text[..<equals])
    else { return }
    let offset = text.startIndex
    let value: [UInt8]
    do {
      value = try PercentCoding.decode(
        text[(equals + 1)...], plusIsSpace: parameter == .name)
    } catch {
      throw fault(parameter, error.index, .badEscape)
    }
    if value.isEmpty { return }
    switch parameter {
    case .exactTopic: try readTopic(value[...], at: offset)
    case .exactSource: try readSource(value[...], at: offset)
    case .salt: try readSalt(value[...], at: offset)
    case .name: link.name = value
    case .exactLength: try readLength(value, at: offset)
    case .tracker: link.trackers.append(try url(value, .tracker, offset))
    case .webSeed: link.webSeeds.append(try url(value, .webSeed, offset))
    case .peer: try readPeer(value, at: offset)
    case .selectOnly: try readSelection(value, at: offset)
    case .version: try readVersion(value[...], at: offset)
    case .readKey: try readReadKey(value, at: offset)
    }
  }

  /// The parameter of this name, less a `.` and digits at its end, in either case.
  private static func parameter(named name: ArraySlice<UInt8>) -> MagnetParameter? {
    var stem = name
    if let dot = name.lastIndex(of: UInt8(ascii: ".")),
      name[(dot + 1)...].allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
    {
      stem = name[..<dot]
    }
    return MagnetParameter(
      rawValue: String(decoding: stem.map(\.asciiLowercased), as: UTF8.self))
  }

  private mutating func readTopic(_ value: ArraySlice<UInt8>, at offset: Int) throws(MagnetError) {
    if value.startsIgnoringCase(with: "urn:btih:") {
      let digest = try v1Infohash(value.dropFirst(9), at: offset)
      try set(\.v1Infohash, digest, .exactTopic, offset)
    } else if value.startsIgnoringCase(with: "urn:btmh:") {
      let digest = try v2Infohash(value.dropFirst(9), at: offset)
      try set(\.v2Infohash, digest, .exactTopic, offset)
    } else if value.startsIgnoringCase(with: "urn:btpk:") {
      throw fault(.exactTopic, offset, .keyAsTopic)
    }
  }

  private mutating func readSource(_ value: ArraySlice<UInt8>, at offset: Int) throws(MagnetError) {
    if value.startsIgnoringCase(with: "urn:btpk:") { try readKey(value.dropFirst(9), at: offset) }
  }

  private mutating func readKey(_ digits: ArraySlice<UInt8>, at offset: Int) throws(MagnetError) {
    guard digits.count == 2 * DatasetKey.byteCount else {
      throw fault(.exactSource, offset, .keyLength(digits.count))
    }
    try set(
      \.datasetKey, DatasetKey(try hexadecimal(digits, .exactSource, offset)), .exactSource, offset)
  }

  /// Says of what is no key only its length: digits of a secret stay out of messages.
  private mutating func readReadKey(_ digits: [UInt8], at offset: Int) throws(MagnetError) {
    guard digits.count == 2 * ReadKey.byteCount else {
      throw fault(.readKey, offset, .readKeyLength(digits.count))
    }
    guard let key = ReadKey(hex: String(decoding: digits, as: UTF8.self)) else {
      throw fault(.readKey, offset, .readKeyDigits)
    }
    try set(\.readKey, key, .readKey, offset)
  }

  private mutating func readSalt(_ digits: ArraySlice<UInt8>, at offset: Int) throws(MagnetError) {
    guard digits.count.isMultiple(of: 2), digits.count <= 2 * MagnetLimits.saltBytes else {
      throw fault(.salt, offset, .saltLength(digits.count))
    }
    let salt = try hexadecimal(digits, .salt, offset)
    if !link.salt.isEmpty, link.salt != salt { throw fault(.salt, offset, .ambiguous) }
    link.salt = salt
  }

  private mutating func readLength(_ digits: [UInt8], at offset: Int) throws(MagnetError) {
    guard let length = decimal(digits, max: .max) else {
      throw fault(.exactLength, offset, .notLength)
    }
    link.exactLength = length
  }

  /// Reads the number of a version.
  mutating func readVersion(_ digits: ArraySlice<UInt8>, at offset: Int) throws(MagnetError) {
    guard let number = decimal(Array(digits), max: VersionInfo.mostVersions), number > 0 else {
      throw fault(.version, offset, .notVersion)
    }
    try set(\.version, number, .version, offset)
  }

  /// What stands before the `@`, and behind it; nil where there is none.
  static func splitVersion(
    _ text: ArraySlice<UInt8>
  ) -> (ArraySlice<UInt8>, ArraySlice<UInt8>?) {
    guard let mark = text.firstIndex(of: UInt8(ascii: "@")) else { return (text, nil) }
    return (text[..<mark], text[(mark + 1)...])
  }

  private mutating func readPeer(_ text: [UInt8], at offset: Int) throws(MagnetError) {
    do {
      link.peers.append(try PeerAddress(parsing: text))
    } catch {
      throw fault(.peer, offset, .peer(error))
    }
  }

  private mutating func readSelection(_ text: [UInt8], at offset: Int) throws(MagnetError) {
    let items = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    for (index, item) in items.enumerated() {
      let ends = item.split(
        separator: UInt8(ascii: "-"), maxSplits: 2, omittingEmptySubsequences: false)
      let numbers = ends.compactMap { decimal($0, max: UInt64(UInt32.max)) }.map { UInt32($0) }
      guard numbers.count == ends.count, ends.count <= 2, let first = numbers.first,
        let last = numbers.last, first <= last
      else { throw fault(.selectOnly, offset, .selection(item: index + 1)) }
      selected.append(first...last)
    }
  }

  // MARK: Values

  private func v1Infohash(
    _ digits: ArraySlice<UInt8>, at offset: Int
  ) throws(MagnetError) -> SHA1Digest? {
    switch digits.count {
    case 40: return SHA1Digest(try hexadecimal(digits, .exactTopic, offset))
    case 32: return SHA1Digest(try base32(digits, .exactTopic, offset))
    default: throw fault(.exactTopic, offset, .v1InfohashLength(digits.count))
    }
  }

  private func v2Infohash(
    _ digits: ArraySlice<UInt8>, at offset: Int
  ) throws(MagnetError) -> SHA256Digest? {
    guard digits.startsIgnoringCase(with: "1220") else {
      throw fault(.exactTopic, offset, .multihash)
    }
    let digest = digits.dropFirst(4)
    guard digest.count == 2 * SHA256Digest.byteCount else {
      throw fault(.exactTopic, offset, .v2InfohashLength(digest.count))
    }
    return SHA256Digest(try hexadecimal(digest, .exactTopic, offset))
  }

  private func url(
    _ bytes: [UInt8], _ parameter: MagnetParameter, _ offset: Int
  ) throws(MagnetError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw fault(parameter, offset, .notText)
    }
    return text
  }

  /// The bytes of an even number of hexadecimal digits.
  private func hexadecimal(
    _ digits: ArraySlice<UInt8>, _ parameter: MagnetParameter, _ offset: Int
  ) throws(MagnetError) -> [UInt8] {
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in digits {
      guard let nibble = hexNibble(digit) else {
        throw fault(parameter, offset, .notHexadecimal(digit))
      }
      if let first = high {
        bytes.append(first << 4 | nibble)
        high = nil
      } else {
        high = nibble
      }
    }
    return bytes
  }

  /// The bytes of a multiple of eight base32 digits.
  private func base32(
    _ digits: ArraySlice<UInt8>, _ parameter: MagnetParameter, _ offset: Int
  ) throws(MagnetError) -> [UInt8] {
    var bytes: [UInt8] = []
    var bits: UInt16 = 0
    var bitCount = 0
    for digit in digits {
      guard let value = base32Digit(digit) else {
        throw fault(parameter, offset, .notBase32(digit))
      }
      bits = bits << 5 | UInt16(value)
      bitCount += 5
      if bitCount >= 8 {
        bitCount -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt16(bitCount)))
      }
    }
    return bytes
  }

  /// Sets what a link can have only one of.
  private mutating func set<Value: Equatable>(
    _ property: WritableKeyPath<MagnetLink, Value?>, _ value: Value?, _ parameter: MagnetParameter,
    _ offset: Int
  ) throws(MagnetError) {
    if let old = link[keyPath: property], old != value {
      throw fault(parameter, offset, .ambiguous)
    }
    link[keyPath: property] = value
  }

  private func fault(
    _ parameter: MagnetParameter?, _ offset: Int, _ reason: MagnetError.Reason
  ) -> MagnetError {
    MagnetError(parameter: parameter, offset: offset, reason: reason)
  }
}
