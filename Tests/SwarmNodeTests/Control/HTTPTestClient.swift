import CUV
import Glibc

@testable import SwarmNode

/// A client of a Unix socket that never waits: the test turns the loop and looks what came.
final class HTTPTestClient {
  /// What came and was not looked at.
  private(set) var received: [UInt8] = []
  /// Whether the server has closed.
  private(set) var isClosed = false
  private let socket: Int32
  private let loop: EventLoop
  private var unsent: [UInt8] = []

  init(_ path: [UInt8], on loop: EventLoop) {
    self.loop = loop
    socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, length) }
    }
    precondition(status == 0, "cannot connect")
  }

  deinit { close() }

  private var isOpen = true

  func close() {
    if isOpen { Glibc.close(socket) }
    isOpen = false
  }

  /// Ends our side only.
  func endSending() { shutdown(socket, Int32(SHUT_WR)) }

  func send(_ text: String) { unsent += text.utf8 }

  /// A request with the headers that every one has.
  func send(_ method: String, _ target: String, _ headers: [String] = [], body: String? = nil) {
    var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + headers
    if let body {
      lines.append("Content-Length: \(body.utf8.count)")
      if !headers.contains(where: { $0.hasPrefix("Content-Type") }) {
        lines.append("Content-Type: application/json")
      }
    }
    send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
  }

  /// Sends and receives what goes without waiting. `room`: the most that is taken.
  func pump(room: Int = .max) {
    guard isOpen else { return }
    if !unsent.isEmpty {
      let sent = Glibc.send(socket, unsent, unsent.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
      if sent > 0 { unsent.removeFirst(sent) }
    }
    var part = [UInt8](repeating: 0, count: min(room, 65_536))
    let count = recv(socket, &part, part.count, Int32(MSG_DONTWAIT))
    if count > 0 { received += part[..<count] }
    if count == 0 || count < 0 && errno != EAGAIN { isClosed = true }
  }

  /// Turns the loop until `isDone`, or for long enough that it will not be.
  func turn(while step: () -> Void = {}, until isDone: () -> Bool) -> Bool {
    for _ in 0..<20_000 {
      uv_run(loop.raw, UV_RUN_NOWAIT)
      step()
      pump()
      if isDone() { return true }
      usleep(100)
    }
    return false
  }

  /// The next answer, whole; nil where none comes.
  func answer(toHead isHead: Bool = false, while step: () -> Void = {}) -> HTTPTestAnswer? {
    var found: HTTPTestAnswer?
    _ = turn(while: step) {
      found = HTTPTestAnswer(received, isHead: isHead, isClosed: isClosed)
      return found != nil || isClosed
    }
    if let found { received.removeFirst(found.length) }
    return found
  }

  /// Asks and waits for the answer.
  func ask(
    _ method: String, _ target: String, _ headers: [String] = [], body: String? = nil,
    while step: () -> Void = {}
  ) -> HTTPTestAnswer? {
    send(method, target, headers, body: body)
    return answer(toHead: method == "HEAD", while: step)
  }
}

/// An answer as a client reads it.
struct HTTPTestAnswer {
  let status: Int
  /// Names in lower case.
  let headers: [String: String]
  let body: [UInt8]
  /// Bytes that it had.
  let length: Int

  /// nil where it is not whole.
  init?(_ bytes: [UInt8], isHead: Bool, isClosed: Bool) {
    let separator = Array("\r\n\r\n".utf8)
    guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: separator) }) else {
      return nil
    }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
    guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else {
      return nil
    }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = parts[1].drop { $0 == " " }.description
    }
    let rest = bytes[(end + 4)...]
    var count = headers["content-length"].flatMap { Int($0) } ?? (isClosed ? rest.count : 0)
    if isHead || status == 304 || status == 204 { count = 0 }
    guard rest.count >= count else { return nil }
    self.status = status
    self.headers = headers
    body = Array(rest.prefix(count))
    length = end + 4 + count
  }

  var text: String { String(decoding: body, as: UTF8.self) }
}
