import Wire

/// A request that was read to its end.
struct HTTPRequest {
  /// As the client wrote it; methods are told apart by case. RFC 9110, section 9.1.
  let method: String
  let target: RequestTarget
  let headers: HTTPHeaders
  /// At most `HTTPServerLimits.bodyBytes`.
  let body: [UInt8]
}

/// Headers in the order in which they came.
struct HTTPHeaders {
  private var fields: [(name: String, value: [UInt8])] = []

  mutating func append(_ name: String, _ value: [UInt8]) {
    fields.append((name.lowercased(), value))
  }

  /// The value of a header by its name in lower case; where it came more than once, all of them as a list.
  /// RFC 9110, section 5.3. nil where it did not come.
  subscript(name: String) -> [UInt8]? {
    let values = fields.filter { $0.name == name }.map(\.value)
    return values.isEmpty ? nil : Array(values.joined(separator: ", ".utf8))
  }

  /// How often it came.
  func count(of name: String) -> Int { fields.count { $0.name == name } }
}

/// An answer.
struct HTTPResponse {
  enum Body {
    /// All of it; no bytes where there is no body.
    case bytes([UInt8])
    /// So many bytes, which come later.
    case stream(any BodySource, length: UInt64)
    /// Bytes that come later, until the source ends.
    case endless(any BodySource)
  }

  var status: Int
  /// Names and values; `Content-Length`, `Date` and `Connection` are the library's.
  var headers: [(String, String)]
  var body: Body

  init(_ status: Int, _ headers: [(String, String)] = [], _ body: Body = .bytes([])) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}

/// Where bytes of an answer come from that are not all there when it begins. Belongs to the loop's thread.
protocol BodySource: AnyObject {
  /// What there is now, put at the beginning of `buffer`. After `.later` the source calls what it was
  /// given by `setWake`, once, when it is worth asking again.
  func next(into buffer: UnsafeMutableRawBufferPointer) -> BodyPart
  func setWake(_ wake: @escaping () -> Void)
  /// Nobody asks any more; comes once, also after the end.
  func cancel()
}

/// What a source has.
enum BodyPart: Hashable {
  /// So many bytes, one at least.
  case bytes(Int)
  /// None yet.
  case later
  /// No more.
  case end
  /// No more, though there should be: the client must see that what it has is not all.
  case failed
}
