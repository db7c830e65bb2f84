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

  /// Takes method and headers; the answer where the request is refused by them.
  func begin(_ method: String, _ headers: HTTPHeaders) -> HTTPResponse? {
    self.method = method
    self.headers = headers
    phase = .body
    if let problem = RequestPolicy.refusal(of: headers) { return problem.response }
    do {
      target = try RequestTarget(rawTarget)
      return nil
    } catch {
      let isLong = error == .tooLong
      return Problem(isLong ? 414 : 400, "\(error)", instance: nil).response
    }
  }

  /// Takes a part of the body. Invariant: no more than the header said, which was looked at.
  func append(_ bytes: UnsafeRawBufferPointer) {
    let room = Int(HTTPServerLimits.bodyBytes) - body.count
    body.append(contentsOf: bytes.prefix(max(0, room)))
  }

  /// The request is whole.
  func finish() -> Bool {
    guard let target else { return false }
    phase = .handled
    request = HTTPRequest(method: method, target: target, headers: headers, body: body)
    body = []
    return true
  }
}
