import CMicroHTTPD
import Wire

/// One request and its answer. Belongs to the loop's thread.
///
/// Who handles it calls `respond` once, at once or later. It may be that nobody hears it any more.
final class HTTPExchange {
  enum Phase {
    /// Nothing but the target is known.
    case begun
    /// Headers are known, the body comes.
    case body
    /// Whoever handles it has it.
    case handled
    /// The answer is the library's.
    case answered
  }

  /// Called when the client goes before `respond`.
  var onGone: () -> Void = {}

  private(set) var request: HTTPRequest?
  private(set) var response: HTTPResponse?
  var phase = Phase.begun
  /// The client is gone, or the server ends.
  private(set) var isGone = false
  /// Invariant: set as long as the library has put the connection aside.
  var isSuspended = false

  private let rawTarget: [UInt8]
  private var headers = HTTPHeaders()
  private var method = ""
  private var target: RequestTarget?
  private var body: [UInt8] = []
  /// The answer when the body has come, whatever is in it.
  private var refusal: HTTPResponse?
  unowned let server: HTTPServer
  let connection: OpaquePointer
  /// What is asked for bytes of the body.
  private(set) var source: (any BodySource)?

  init(_ target: [UInt8], on connection: OpaquePointer, of server: HTTPServer) {
    rawTarget = target
    self.connection = connection
    self.server = server
  }

  /// Answers. Later calls are for nothing, and so is one when the client is gone.
  func respond(_ response: HTTPResponse) {
    guard self.response == nil, !isGone else {
      if case .stream(let source, _) = response.body { source.cancel() }
      if case .endless(let source) = response.body { source.cancel() }
      return
    }
    self.response = response
    switch response.body {
    case .bytes: break
    case .stream(let source, _), .endless(let source):
      self.source = source
      source.setWake { [weak self] in self?.resume() }
    }
    resume()
  }

  /// The library may ask again.
  private func resume() { if isSuspended { server.resume(self) } }

  /// Nobody hears the answer any more.
  func end() {
    guard !isGone else { return }
    isGone = true
    let wasWaiting = phase == .handled && response == nil
    source?.cancel()
    source = nil
    if wasWaiting { onGone() }
    onGone = {}
  }

  // MARK: Reading

  /// Takes method and headers; the answer where the request is refused by them at once.
  ///
  /// Where it has a body that will come in a moment, the refusal waits until that is read: who is still
  /// sending when the connection is closed may never see the answer.
  func begin(_ method: String, _ headers: HTTPHeaders) -> HTTPResponse? {
    self.method = method
    self.headers = headers
    phase = .body
    guard let refusal = Self.refusal(of: headers) ?? readTarget() else { return nil }
    let length = headers["content-length"].flatMap { UInt64(String(decoding: $0, as: UTF8.self)) }
    let isComing = (1...HTTPServerLimits.discardedBytes).contains(length ?? 0)
    guard isComing, headers["expect"] == nil else { return refusal }
    self.refusal = refusal
    return nil
  }

  private static func refusal(of headers: HTTPHeaders) -> HTTPResponse? {
    RequestPolicy.refusal(of: headers)?.response
  }

  private func readTarget() -> HTTPResponse? {
    do {
      target = try RequestTarget(rawTarget)
      return nil
    } catch {
      return Problem(error == .tooLong ? 414 : 400, "\(error)").response
    }
  }

  /// Takes a part of the body. Invariant: no more than the header said, which was looked at.
  func append(_ bytes: UnsafeRawBufferPointer) {
    if refusal != nil { return }
    let room = Int(HTTPServerLimits.bodyBytes) - body.count
    body.append(contentsOf: bytes.prefix(max(0, room)))
  }

  /// The request is whole: what it is, or nil where it was answered by that.
  func finish() -> HTTPRequest? {
    phase = .handled
    if let refusal { response = refusal }
    guard let target, refusal == nil else { return nil }
    let request = HTTPRequest(method: method, target: target, headers: headers, body: body)
    self.request = request
    body = []
    return request
  }
}
