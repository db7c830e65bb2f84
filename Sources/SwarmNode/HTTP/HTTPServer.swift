import CMicroHTTPD
import Glibc
import Metainfo
import Wire

/// A server of HTTP/1.1 on a Unix socket: libmicrohttpd reads requests and writes answers, driven by our
/// loop. Belongs to the loop's thread.
final class HTTPServer {
  private let loop: EventLoop
  private let log: Log
  private let handler: (HTTPExchange, HTTPRequest) -> Void
  private var daemon: OpaquePointer?
  private var listener: LocalListener?
  private var poll: SocketPoll?
  private var timer: DeadlineTimer?
  private var peers: Set<ObjectIdentifier> = []
  private var exchanges: [ObjectIdentifier: HTTPExchange] = [:]
  /// The client whose connection the library is being given.
  private var arriving: HTTPPeer?
  /// Whether the library is at work; it must not be called again then.
  private var isRunning = false
  /// Whether something was to go on since the library was last called.
  private var hasResumed = false
  private var isClosed = false

  /// Listens at `path`. `handler` gets each request that is whole and not refused by `RequestPolicy`, and
  /// answers by `HTTPExchange.respond`.
  init(
    at path: [UInt8], on loop: EventLoop, log: Log,
    handler: @escaping (HTTPExchange, HTTPRequest) -> Void
  ) throws(SystemError) {
    self.loop = loop
    self.log = log
    self.handler = handler
    listener = try LocalListener(at: path, on: loop, log: log) { [unowned self] in accept($0) }
    do throws(SystemError) { try start() } catch {
      listener?.close()
      throw error
    }
  }

  /// How many clients are connected.
  var clientCount: Int { peers.count }

  /// Closes the socket and all connections. The loop must run once more after it.
  func close() {
    guard let daemon, !isClosed else { return }
    isClosed = true
    listener?.close()
    // The library ends the program where it finds connections put aside.
    for exchange in exchanges.values {
      exchange.end()
      if exchange.isSuspended { unsuspend(exchange) }
    }
    poll?.close()
    timer?.close()
    isRunning = true
    MHD_stop_daemon(daemon)
    isRunning = false
    self.daemon = nil
  }

  deinit { if !isClosed { close() } }

  // MARK: The library's turn

  /// Lets the library go on with an exchange.
  func resume(_ exchange: HTTPExchange) {
    unsuspend(exchange)
    // Not at once: who calls may be in the middle of something, or be the library.
    hasResumed = true
    timer?.set(milliseconds: 0)
  }

  private func unsuspend(_ exchange: HTTPExchange) {
    exchange.isSuspended = false
    peer(of: exchange.connection)?.watch(false)
    MHD_resume_connection(exchange.connection)
  }

  private func suspend(_ exchange: HTTPExchange) {
    exchange.isSuspended = true
    MHD_suspend_connection(exchange.connection)
    guard let peer = peer(of: exchange.connection) else { return }
    peer.exchange = exchange
    peer.watch(true)
  }

  private func run() {
    guard let daemon, !isRunning, !isClosed else { return }
    isRunning = true
    hasResumed = false
    MHD_run(daemon)
    isRunning = false
    setTimer()
  }

  private func setTimer() {
    guard let daemon, !isClosed else { return }
    // Whatever the library says of its time-outs, somebody is to go on.
    if hasResumed {
      timer?.set(milliseconds: 0)
      return
    }
    var milliseconds: UInt64 = 0
    if MHD_get_timeout(daemon, &milliseconds) == .YES {
      timer?.set(milliseconds: milliseconds)
    } else {
      timer?.clear()
    }
  }

  private func accept(_ socket: Int32) {
    guard let daemon, peers.count < HTTPServerLimits.connections else {
      log(.warning, "a client of the control socket is refused: \(peers.count) are connected")
      Glibc.close(socket)
      return
    }
    let peer = HTTPPeer(watching: socket, on: loop) { [unowned self] in gone($0) }
    guard let peer else {
      Glibc.close(socket)
      return
    }
    arriving = peer
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let isTaken = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        MHD_add_connection(daemon, socket, $0, socklen_t(MemoryLayout<sa_family_t>.size))
      }
    }
    // The library has closed the socket where it did not take it.
    if arriving != nil {
      arriving = nil
      peer.close()
    }
    if isTaken == .YES { run() }
  }

  /// A client went while something was fetched for it: the library closes when it is asked to go on.
  private func gone(_ peer: HTTPPeer) {
    guard let exchange = peer.exchange else { return }
    exchange.end()
    if exchange.isSuspended { resume(exchange) }
  }

  // MARK: What the library calls

  private func connectionBegins(_ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) {
    guard let peer = arriving else { return }
    arriving = nil
    peers.insert(ObjectIdentifier(peer))
    context?.pointee = Unmanaged.passRetained(peer).toOpaque()
  }

  private func connectionEnds(_ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) {
    guard let pointer = context?.pointee else { return }
    context?.pointee = nil
    let peer = Unmanaged<HTTPPeer>.fromOpaque(pointer).takeRetainedValue()
    peers.remove(ObjectIdentifier(peer))
    peer.close()
  }

  private func peer(of connection: OpaquePointer) -> HTTPPeer? {
    cmhd_socket_context(connection).map { Unmanaged<HTTPPeer>.fromOpaque($0).takeUnretainedValue() }
  }

  private func requestBegins(_ target: UnsafePointer<CChar>?, _ connection: OpaquePointer)
    -> HTTPExchange
  {
    let bytes = target.map { UnsafeRawBufferPointer(start: $0, count: strlen($0)) }
    let exchange = HTTPExchange(bytes.map { Array($0) } ?? [], on: connection, of: self)
    exchanges[ObjectIdentifier(exchange)] = exchange
    return exchange
  }

  private func requestEnds(_ exchange: HTTPExchange) {
    exchange.end()
    exchanges[ObjectIdentifier(exchange)] = nil
  }

  private func take(
    _ exchange: HTTPExchange, _ method: UnsafePointer<CChar>?, _ upload: UnsafePointer<CChar>?,
    _ size: UnsafeMutablePointer<Int>
  ) -> MHD_Result {
    if exchange.isGone { return .NO }
    switch exchange.phase {
    case .begun:
      let name = method.map { String(cString: $0) } ?? ""
      let refusal = exchange.begin(name, headers(of: exchange.connection))
      return refusal.map { answer(exchange, $0) } ?? .YES
    case .body:
      if size.pointee > 0 {
        exchange.append(UnsafeRawBufferPointer(start: upload, count: size.pointee))
        size.pointee = 0
        return .YES
      }
      if let request = exchange.finish() { handler(exchange, request) }
      if exchange.response == nil {
        suspend(exchange)
        return .YES
      }
      return answer(exchange, nil)
    case .handled: return answer(exchange, nil)
    case .answered: return .NO
    }
  }

  private func headers(of connection: OpaquePointer) -> HTTPHeaders {
    var headers = HTTPHeaders()
    withUnsafeMutablePointer(to: &headers) { headers in
      _ = MHD_get_connection_values(
        connection, .HEADER_KIND,
        { context, _, name, value in
          let headers = context!.assumingMemoryBound(to: HTTPHeaders.self)
          guard let name else { return .YES }
          let bytes =
            value.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } ?? []
          headers.pointee.append(String(cString: name), bytes)
          return .YES
        }, headers)
    }
    return headers
  }

  /// Gives an answer to the library: this one, or that of the exchange.
  private func answer(_ exchange: HTTPExchange, _ refusal: HTTPResponse?) -> MHD_Result {
    guard let response = refusal ?? exchange.response else { return .NO }
    guard let made = make(response, of: exchange) else { return .NO }
    defer { MHD_destroy_response(made) }
    for (name, value) in response.headers { MHD_add_response_header(made, name, value) }
    exchange.phase = .answered
    return MHD_queue_response(exchange.connection, UInt32(response.status), made)
  }

  /// The library sends no body to HEAD, and with 204 and 304, whatever it is given.
  private func make(_ response: HTTPResponse, of exchange: HTTPExchange) -> OpaquePointer? {
    switch response.body {
    case .bytes(var bytes):
      return MHD_create_response_from_buffer(bytes.count, &bytes, .RESPMEM_MUST_COPY)
    case .stream(_, let length): return makeStream(of: exchange, length)
    case .endless: return makeStream(of: exchange, .max)
    }
  }

  private func makeStream(of exchange: HTTPExchange, _ length: UInt64) -> OpaquePointer? {
    // Kept by the library until its answer is gone.
    let context = Unmanaged.passRetained(exchange)
    let made = MHD_create_response_from_callback(
      length, HTTPServerLimits.streamBytes,
      { context, _, buffer, room in
        guard let context, let buffer else { return endWithError }
        let exchange = Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
        return exchange.fill(UnsafeMutableRawBufferPointer(start: buffer, count: room))
      }, context.toOpaque(),
      { context in context.map { Unmanaged<HTTPExchange>.fromOpaque($0).release() } })
    if made == nil { context.release() }
    return made
  }

  /// Bytes for the library; 0 where it must wait.
  fileprivate func fill(_ buffer: UnsafeMutableRawBufferPointer, of exchange: HTTPExchange) -> Int {
    guard !exchange.isGone, let source = exchange.source else { return endWithError }
    switch source.next(into: buffer) {
    case .bytes(let count): return count
    case .later:
      suspend(exchange)
      return 0
    case .end: return endOfStream
    case .failed: return endWithError
    }
  }

  // MARK: Start

  private func start() throws(SystemError) {
    let context = Unmanaged.passUnretained(self).toOpaque()
    var options = Self.options(context)
    daemon = cmhd_start(
      { context, connection, _, method, _, upload, size, request in
        guard let context, let size, let pointer = request?.pointee else { return .NO }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        let exchange = Unmanaged<HTTPExchange>.fromOpaque(pointer).takeUnretainedValue()
        return server.take(exchange, method, upload, size)
      }, context, &options)
    guard let daemon else { throw SystemError("start the server of HTTP at", []) }
    poll = SocketPoll(on: loop, socket: cmhd_epoll_descriptor(daemon)) { [unowned self] _ in run() }
    precondition(poll != nil, "libuv refuses an epoll descriptor")
    poll?.watch(.readable)
    timer = DeadlineTimer(on: loop) { [unowned self] in run() }
  }

  private static func options(_ context: UnsafeMutableRawPointer) -> [MHD_OptionItem] {
    typealias Completed = MHD_RequestCompletedCallback
    typealias Notified = MHD_NotifyConnectionCallback
    typealias Logged =
      @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?) ->
      UnsafeMutableRawPointer?
    let begins: Logged = { context, target, connection in
      guard let context, let connection else { return nil }
      let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
      return Unmanaged.passUnretained(server.requestBegins(target, connection)).toOpaque()
    }
    let ends: Completed = { context, _, request, _ in
      guard let context, let pointer = request?.pointee else { return }
      request?.pointee = nil
      let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
      server.requestEnds(Unmanaged<HTTPExchange>.fromOpaque(pointer).takeUnretainedValue())
    }
    let notified: Notified = { context, _, socket, what in
      guard let context else { return }
      let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
      if what == .CONNECTION_NOTIFY_STARTED {
        server.connectionBegins(socket)
      } else {
        server.connectionEnds(socket)
      }
    }
    func item(_ option: MHD_OPTION, _ value: Int, _ pointer: UnsafeMutableRawPointer? = nil)
      -> MHD_OptionItem
    {
      MHD_OptionItem(option: option, value: value, ptr_value: pointer)
    }
    func address<Function>(_ function: Function) -> Int { unsafeBitCast(function, to: Int.self) }
    return [
      item(.CONNECTION_LIMIT, HTTPServerLimits.connections + 1),
      item(.CONNECTION_TIMEOUT, Int(HTTPServerLimits.idleSeconds)),
      item(.CONNECTION_MEMORY_LIMIT, HTTPServerLimits.connectionBytes),
      item(.STRICT_FOR_CLIENT, 1),
      item(.URI_LOG_CALLBACK, address(begins), context),
      item(.NOTIFY_COMPLETED, address(ends), context),
      item(.NOTIFY_CONNECTION, address(notified), context),
      item(.END, 0),
    ]
  }
}

extension HTTPExchange {
  /// Bytes of the body for the library.
  fileprivate func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    // An answer may outlive its request, and so the server.
    isGone ? endWithError : server.fill(buffer, of: self)
  }
}

/// What the library takes instead of a count of bytes (MHD_CONTENT_READER_END_OF_STREAM and
/// MHD_CONTENT_READER_END_WITH_ERROR, which Swift does not import).
private let endOfStream = -1
private let endWithError = -2
