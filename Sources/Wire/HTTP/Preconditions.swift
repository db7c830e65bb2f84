/// A name for exactly these bytes. RFC 9110, section 8.8.3.
public struct EntityTag: Hashable, Sendable {
  /// Whether bytes that differ may have it too.
  public let isWeak: Bool
  /// What stands between the quotes: visible characters without a quote.
  public let opaque: [UInt8]

  /// A strong tag, of letters and digits.
  public init(strong text: String) {
    isWeak = false
    opaque = Array(text.utf8)
  }

  private init(isWeak: Bool, opaque: [UInt8]) {
    self.isWeak = isWeak
    self.opaque = opaque
  }

  /// As a header has it.
  public var text: String {
    (isWeak ? "W/\"" : "\"") + String(decoding: opaque, as: UTF8.self) + "\""
  }

  /// Takes a tag off the front of `rest`; nil where none begins.
  static func take(from rest: inout ArraySlice<UInt8>) -> EntityTag? {
    var tail = rest
    let isWeak = tail.starts(with: "W/".utf8)
    if isWeak { tail = tail.dropFirst(2) }
    guard tail.popFirst() == UInt8(ascii: "\""), let end = tail.firstIndex(of: UInt8(ascii: "\""))
    else { return nil }
    let opaque = tail[..<end]
    guard opaque.allSatisfy({ $0 == 0x21 || ($0 >= 0x23 && $0 != 0x7f) }) else { return nil }
    rest = tail[(end + 1)...]
    return EntityTag(isWeak: isWeak, opaque: Array(opaque))
  }

  /// Tags of `If-Match` or `If-None-Match`; nil where the list is malformed or too long.
  static func list(_ header: [UInt8]) -> [EntityTag]? {
    var tags: [EntityTag] = []
    var rest = trimmed(header[...])
    while !rest.isEmpty {
      if rest.first == UInt8(ascii: ",") {
        rest = trimmed(rest.dropFirst())
        continue
      }
      guard tags.count < HTTPLimits.listItems, let tag = take(from: &rest) else { return nil }
      tags.append(tag)
      rest = trimmed(rest)
      guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
    }
    return tags
  }
}

/// What headers make a request for a file depend on. RFC 9110, section 13.
public struct Preconditions: Sendable {
  /// Values of the headers; nil where there is none.
  public var ifMatch: [UInt8]?
  /// See `ifMatch`.
  public var ifNoneMatch: [UInt8]?
  /// See `ifMatch`.
  public var ifRange: [UInt8]?

  /// What is to be done.
  public enum Verdict: Hashable, Sendable {
    /// Answer as if there were no conditions, but a `Range` counts only if `heedsRange`.
    case proceed(heedsRange: Bool)
    /// The client has it: status 304.
    case notModified
    /// The client wants something else than what is here: status 412.
    case failed
  }

  /// Conditions from their headers.
  public init(ifMatch: [UInt8]? = nil, ifNoneMatch: [UInt8]? = nil, ifRange: [UInt8]? = nil) {
    self.ifMatch = ifMatch
    self.ifNoneMatch = ifNoneMatch
    self.ifRange = ifRange
  }

  /// The verdict on a `GET` or `HEAD` of what has this strong tag, in the order of section 13.2.2.
  ///
  /// We know of no times of change, so that headers with dates are as if they were not there; an `If-Range`
  /// with a date does not hold. A list that is malformed names nothing.
  public func verdict(on tag: EntityTag) -> Verdict {
    if let ifMatch, !isAny(ifMatch) {
      let isListed = EntityTag.list(ifMatch)?.contains { !$0.isWeak && $0.opaque == tag.opaque }
      guard isListed == true else { return .failed }
    }
    if let ifNoneMatch {
      if isAny(ifNoneMatch) { return .notModified }
      // The weak comparison. Section 13.1.2.
      let isListed = EntityTag.list(ifNoneMatch)?.contains { $0.opaque == tag.opaque }
      if isListed == true { return .notModified }
    }
    guard let ifRange else { return .proceed(heedsRange: true) }
    var rest = trimmed(ifRange[...])
    let named = EntityTag.take(from: &rest)
    return .proceed(
      heedsRange: rest.isEmpty && named?.isWeak == false && named?.opaque == tag.opaque)
  }

  private func isAny(_ header: [UInt8]) -> Bool { trimmed(header[...]).elementsEqual("*".utf8) }
}
